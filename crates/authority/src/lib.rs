//! What Keyrota itself issues, and who may do what with it.

pub mod access;
