//! How a driver says that something went wrong, and above all whether it changed anything.

use std::{fmt, time::Duration};

use crate::{HttpError, HttpFailure};

/// What a failed call did to the world. The engine lives by it: `NotApplied` may be tried again, `Unknown` is in
/// doubt and is settled by looking, never guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    NotApplied,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The issuer or store refuses who we are.
    Unauthorized,
    /// It knows us and refuses this.
    Forbidden,
    NotFound,
    /// Something is there already, or somebody else was faster.
    Conflict,
    Throttled,
    /// The request itself is refused; sending it again cannot help.
    Invalid,
    /// Broken or away; may pass.
    Unavailable,
    /// An answer that the platform's documents do not explain.
    Protocol,
    /// The server's certificate is not trusted.
    Certificate,
}

impl Kind {
    /// The whole issuer or store is affected, not this one credential: going on would only repeat it.
    pub fn is_systemic(self) -> bool {
        matches!(self, Self::Unauthorized | Self::Certificate)
    }

    pub fn is_transient(self) -> bool {
        matches!(self, Self::Throttled | Self::Unavailable | Self::Conflict | Self::Protocol)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unauthorized => "login refused",
            Self::Forbidden => "not allowed",
            Self::NotFound => "not found",
            Self::Conflict => "conflict",
            Self::Throttled => "throttled",
            Self::Invalid => "request refused",
            Self::Unavailable => "unavailable",
            Self::Protocol => "unexpected answer",
            Self::Certificate => "certificate not trusted",
        })
    }
}

/// The one error of every driver verb.
///
/// `message` is the platform's own short message or ours. MUST NOT carry a secret or a whole body.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct DriverError {
    pub kind: Kind,
    pub effect: Effect,
    pub message: String,
    pub retry_after: Option<Duration>,
    /// The platform's id of the refused request, for its support.
    pub request_id: Option<String>,
    #[source]
    pub source: Option<HttpError>,
}

impl DriverError {
    pub fn new(kind: Kind, effect: Effect, message: impl Into<String>) -> Self {
        Self { kind, effect, message: message.into(), retry_after: None, request_id: None, source: None }
    }

    /// A refusal that certainly changed nothing.
    pub fn refused(kind: Kind, message: impl Into<String>) -> Self {
        Self::new(kind, Effect::NotApplied, message)
    }
}

impl From<HttpError> for DriverError {
    fn from(error: HttpError) -> Self {
        let kind = match error.failure {
            HttpFailure::Certificate => Kind::Certificate,
            HttpFailure::TooLarge => Kind::Protocol,
            HttpFailure::Unreachable | HttpFailure::Timeout | HttpFailure::Broken => Kind::Unavailable,
        };
        Self {
            kind,
            effect: error.effect,
            message: error.failure.to_string(),
            retry_after: None,
            request_id: None,
            source: Some(error),
        }
    }
}
