//! Secrets that we choose.

use base64::{Engine as _, engine::general_purpose};
use driver::{Entropy, NoEntropy};
use secret::Secret;

use super::config::{EncodingWord, GeneratorTable};

/// 128 bits: fewer could be guessed, given time.
const SECRET_BYTES_MIN: usize = 16;
/// Longer than anything that a platform takes.
const BYTES_MAX: usize = 1024;

#[derive(Debug)]
pub(super) struct Generator(GeneratorTable);

impl Generator {
    pub(super) fn check(name: &str, table: GeneratorTable) -> Result<Self, String> {
        let least = if table.public { 1 } else { SECRET_BYTES_MIN };
        if !(least..=BYTES_MAX).contains(&table.bytes) {
            return Err(format!("`secret.{name}` has {} bytes; it can have {least} to {BYTES_MAX}", table.bytes));
        }
        Ok(Self(table))
    }

    pub(super) fn is_public(&self) -> bool {
        self.0.public
    }

    pub(super) fn choose(&self, entropy: &dyn Entropy) -> Result<Secret, NoEntropy> {
        let mut bytes = vec![0; self.0.bytes];
        entropy.fill(&mut bytes)?;
        let encoded = match self.0.encoding {
            EncodingWord::Base64url => general_purpose::URL_SAFE_NO_PAD.encode(&bytes),
            EncodingWord::Base64 => general_purpose::STANDARD.encode(&bytes),
            EncodingWord::Hex => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        // The bytes are as secret as their text.
        drop(Secret::new(bytes));
        Ok(Secret::from_text(format!("{}{encoded}", self.0.prefix.as_deref().unwrap_or_default())))
    }
}
