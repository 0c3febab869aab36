//! The only ways from a driver to the world. The simulation gives others than the binary does.

use std::{fmt::Debug, sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;

use crate::Http;

#[derive(Debug, Clone)]
pub struct Ports {
    pub http: Arc<dyn Http>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

#[async_trait]
pub trait Clock: Send + Sync + Debug {
    fn now(&self) -> Timestamp;
    async fn sleep(&self, duration: Duration);
}

/// Randomness for jitter, identifiers, and secrets that we choose. Keys and nonces come from the cryptographic library.
pub trait Entropy: Send + Sync + Debug {
    /// For jitter and names.
    fn next(&self) -> u64;

    /// For secrets: unpredictable, or an error.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no randomness")]
pub struct NoEntropy;
