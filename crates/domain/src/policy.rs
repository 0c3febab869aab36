//! What is wanted for a set of credentials.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::Destination;

/// A policy as it applies to one credential: destinations are already spelled out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    pub name: String,
    pub mode: Mode,
    /// Age at which a successor is issued.
    pub rotate_after: SignedDuration,
    /// Both versions live at least this long after the successor was confirmed everywhere.
    pub overlap: SignedDuration,
    pub retire_when: RetireWhen,
    /// The silence that `RetireWhen::Quiet` demands.
    pub quiet_for: SignedDuration,
    /// Age past which a version still alive is escalated. It never cuts.
    pub retire_after: SignedDuration,
    pub deliver: Vec<Destination>,
    /// Who reads what is delivered.
    pub consumers: Arc<[Consumer]>,
    /// How long a person has for a step that only a person can do. Then it escalates; it never goes on without them.
    pub task_within: SignedDuration,
    /// Rotations begin no earlier: the next opening of the policy's window, when it is closed now.
    pub begin_not_before: Option<Timestamp>,
}

/// An application that uses the credential, and how it comes to know of a new version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    pub name: Arc<str>,
    /// How long it may go on with what it read before: how often it polls; zero where it reads each time.
    pub lag: SignedDuration,
    /// It is told of each promotion.
    pub told: bool,
    /// It says which version it runs, and nothing is retired before it runs the new one.
    pub acknowledges: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Every step is performed when it is due.
    Automatic,
    /// A person approves each plan; without an approved plan, nothing begins.
    Ask,
    /// The owner is told and does it.
    Notify,
    /// Nothing but looking.
    Observe,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetireWhen {
    /// On evidence that nobody uses the old version.
    Quiet,
    /// When the overlap is over, on the policy author's word alone.
    OverlapOver,
}
