//! Text that goes from the parser straight into a [`Secret`].

use std::fmt;

use secret::Secret;
use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};

/// A non-empty text.
#[derive(Debug)]
pub(super) struct SecretText(pub Secret);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = SecretText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a non-empty text")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<SecretText, E> {
                self.visit_string(text.to_owned())
            }

            fn visit_string<E: Error>(self, text: String) -> Result<SecretText, E> {
                if text.is_empty() { Err(E::custom("empty")) } else { Ok(SecretText(Secret::from_text(text))) }
            }
        }
        deserializer.deserialize_string(Text)
    }
}
