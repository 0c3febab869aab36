//! The system's randomness.

use std::hash::{BuildHasher as _, RandomState};

use driver::{Entropy, NoEntropy};

#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn next(&self) -> u64 {
        let mut bytes = [0; 8];
        match aws_lc_rs::rand::fill(&mut bytes) {
            Ok(()) => u64::from_ne_bytes(bytes),
            // Good enough for jitter and names, which is all that this is for.
            Err(_) => RandomState::new().hash_one(0),
        }
    }

    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        aws_lc_rs::rand::fill(bytes).map_err(|_| NoEntropy)
    }
}
