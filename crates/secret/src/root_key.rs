//! The key that only its owner keeps.

use aws_lc_rs::rand;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use crate::Secret;

const PREFIX: &str = "keyrota-root-key-1:";
pub(crate) const KEY_BYTES: usize = 32;

/// 32 random bytes that wrap the data key. Kept outside the database: in a file, the environment, or behind a command.
#[derive(Debug)]
pub struct RootKey(Secret);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRootKey {
    #[error("it does not start with `{PREFIX}`")]
    Prefix,
    #[error("what follows `{PREFIX}` is not base64 of {KEY_BYTES} bytes")]
    Bytes,
}

impl RootKey {
    /// A new key from the system's random source.
    ///
    /// # Errors
    /// Only when the system has no randomness to give.
    pub fn generate() -> Result<Self, std::io::Error> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        rand::fill(bytes.as_mut_slice()).map_err(|_| std::io::Error::other("no randomness from the system"))?;
        Ok(Self(Secret::new(bytes.to_vec())))
    }

    /// Reads the one-line form that [`RootKey::to_line`] writes; white space around it is ignored.
    pub fn parse(text: &Secret) -> Result<Self, InvalidRootKey> {
        let text = text.expose_text().ok_or(InvalidRootKey::Prefix)?.trim();
        let encoded = text.strip_prefix(PREFIX).ok_or(InvalidRootKey::Prefix)?;
        let bytes = Secret::new(STANDARD.decode(encoded).map_err(|_| InvalidRootKey::Bytes)?);
        if bytes.expose().len() != KEY_BYTES {
            return Err(InvalidRootKey::Bytes);
        }
        Ok(Self(bytes))
    }

    pub fn to_line(&self) -> Secret {
        Secret::from_text(format!("{PREFIX}{}\n", STANDARD.encode(self.0.expose())))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.expose()
    }
}
