//! Which policy applies to a credential: the engine asks, configuration answers.

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;
use domain::{CredentialId, Destination, Policy, RotationId, Timestamp, VersionNumber};
use driver::{DriverError, Form};
use secret::SecretMap;

use crate::{Audience, ProbeTemplate};

pub trait Policies: Send + Sync + Debug {
    /// The policy for this credential with its destinations spelled out; `None`: nobody asked us to look after it.
    /// `now` decides whether the policy's window is open.
    fn applied(&self, credential: &CredentialId, now: Timestamp) -> Option<Applied>;

    /// Whether any policy tells anybody anything. Without, nothing is noticed.
    fn tells_anybody(&self) -> bool {
        false
    }
}

/// Consumers by name, each with how it is told.
pub type Tellers = Arc<[(Arc<str>, Arc<dyn Teller>)]>;

/// A policy as it applies to one credential.
#[derive(Debug, Clone)]
pub struct Applied {
    pub policy: Policy,
    /// How to try a version where the consumer would use it; `None`: the issuer's own check is all there is.
    pub probe: Option<Arc<dyn ProbeTemplate>>,
    /// How each destination of the policy is served, in the same order.
    pub places: Arc<[Place]>,
    /// How consumers are told, for those that are.
    pub tellers: Tellers,
    /// Whether a destination that drifted is put right; otherwise it is only reported.
    pub repairs_drift: bool,
    /// Whether a person's own request waits for another person's approval, as what is due by itself does.
    pub four_eyes: bool,
    /// Who is told what happens.
    pub audience: Arc<Audience>,
}

impl Applied {
    /// A policy whose destinations take the platform's own fields, with nobody to tell.
    pub fn plain(policy: Policy, probe: Option<Arc<dyn ProbeTemplate>>) -> Self {
        Self {
            policy,
            probe,
            places: Arc::default(),
            tellers: Arc::default(),
            repairs_drift: false,
            four_eyes: false,
            audience: Arc::default(),
        }
    }

    pub(crate) fn place(&self, destination: &Destination) -> Option<&Place> {
        self.places.get(self.policy.deliver.iter().position(|one| one == destination)?)
    }

    pub(crate) fn teller(&self, consumer: &str) -> Option<&dyn Teller> {
        self.tellers.iter().find(|(name, _)| &**name == consumer).map(|(_, teller)| &**teller)
    }
}

/// What is particular about one destination.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// `None`: the platform's own fields as they are.
    pub form: Option<Arc<dyn FormTemplate>>,
    /// The environment to which the place must belong.
    pub environment: Option<Arc<str>>,
    /// The store through which a consumer reads, with the consumer's own identity. `None`: the one we write to.
    pub read_as: Option<Arc<str>>,
}

/// The form in which an application reads a secret.
pub trait FormTemplate: Send + Sync + Debug {
    /// # Errors
    /// A sentence that names the field and never its content.
    fn render(&self, secret: &SecretMap) -> Result<(SecretMap, Form), String>;

    /// Everything that it says: two that render differently read differently. For digests alone, since a constant in
    /// it may be secret.
    fn in_full(&self) -> String;
}

/// How one consumer is told of a new version. Telling twice does no harm.
#[async_trait]
pub trait Teller: Send + Sync + Debug {
    async fn tell(&self, news: &News<'_>) -> Result<(), DriverError>;
}

/// What a consumer is told. Nothing of it is secret.
#[derive(Debug)]
pub struct News<'a> {
    pub credential: &'a CredentialId,
    pub consumer: &'a str,
    pub rotation: &'a RotationId,
    pub version: VersionNumber,
    pub destinations: &'a [Destination],
    pub at: Timestamp,
}
