//! Which policy applies to a credential: the engine asks, configuration answers.

use std::{fmt::Debug, sync::Arc};

use domain::{CredentialId, Policy, Timestamp};

use crate::ProbeTemplate;

pub trait Policies: Send + Sync + Debug {
    /// The policy for this credential with its destinations spelled out; `None`: nobody asked us to look after it.
    /// `now` decides whether the policy's window is open.
    fn applied(&self, credential: &CredentialId, now: Timestamp) -> Option<Applied>;
}

/// A policy as it applies to one credential.
#[derive(Debug, Clone)]
pub struct Applied {
    pub policy: Policy,
    /// How to try a version where the consumer would use it; `None`: the issuer's own check is all there is.
    pub probe: Option<Arc<dyn ProbeTemplate>>,
}
