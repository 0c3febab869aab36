//! Policies in Vault's language: how texts are read, and that decisions are those of a real server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod agreement;
mod deciding;
mod generate;
mod hand_over;
mod reading;
mod server;
