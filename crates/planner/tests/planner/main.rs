//! Tests of the planner: an ideal world to plan in, properties over generated worlds, every state of a small world,
//! and scenario scripts that double as documents (`scenarios/*.md`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod blind;
mod evidence;
mod exhaustive;
mod generate;
mod kinds;
mod properties;
mod safety;
mod scenarios;
mod script;
mod story;
mod world;
