//! A twin with its clock, its faults and its call log.

use jiff::{SignedDuration, Timestamp};

use crate::{Fault, Reply, Twin};

/// Which address a call came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Platform,
    Gateway,
}

/// What the caller gets.
#[derive(Debug)]
pub enum Answer {
    Reply(Reply),
    /// The connection is closed without an answer.
    Cut,
}

#[derive(Debug, Clone)]
pub struct LoggedCall {
    pub at: Timestamp,
    pub side: Side,
    pub method: String,
    pub path: String,
    pub route: &'static str,
    /// `None`: the caller got no answer.
    pub status: Option<u16>,
    pub user_agent: String,
}

/// Everything around a twin that does not depend on the platform.
#[derive(Debug)]
pub struct World {
    twin: Box<dyn Twin>,
    offset: SignedDuration,
    faults: Vec<Fault>,
    random: u64,
    calls: Vec<LoggedCall>,
}
