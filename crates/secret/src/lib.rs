//! Secrets in memory, and sealed at rest.
//!
//! [`Secret`] is the only home of secret bytes: it prints nothing, copies nothing by itself and wipes itself.
//! [`Keyring`] seals: a root key from outside wraps a data key, from which one key a purpose is derived. Losing the
//! root key is the only way to lose a sealed secret.

mod keyring;
mod map;
mod root_key;
mod value;

pub use keyring::{Context, Keyring, OpenError, SealError, Sealed, WrappedKey};
pub use map::{MalformedMap, SecretMap};
pub use root_key::{InvalidRootKey, RootKey};
pub use value::Secret;
