//! The secret stores that applications read, one folder each
