//! Tests of the real binary against a simulated platform in another process: the main job as an operator sees it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod account;
mod apigee;
mod apisec;
mod canary;
mod check;
mod compromised;
mod consumer;
mod credentials;
mod delivery;
mod end_state;
mod holds;
mod http;
mod killed;
mod main_job;
mod mission;
mod notices;
mod pickups;
mod plans;
mod policies;
mod portal;
mod securid;
mod shell;
mod stopped;
mod stores;
mod strays;
mod tls;
mod vault;
mod world;
mod wrong_database;
mod wrong_input;
