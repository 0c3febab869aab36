//! The world around a twin, tried with a toy platform: a shelf of names.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

#[cfg(feature = "serve")]
mod serve;
mod shelf;
mod world;
