//! Faults that a twin can be told to have: `KIND[:RATE][@ROUTE]`.

use std::str::FromStr;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FaultKind {
    /// A 5xx in the platform's envelope; nothing changes.
    Error,
    /// The connection ends before anything happens.
    TimeoutBefore,
    /// The effect takes place, the answer is lost.
    TimeoutAfter,
    /// 429 with `Retry-After`.
    Throttle,
    /// A list answers an older state.
    StaleList,
    /// A change shows late at the gateway.
    Lag,
    /// A create answers 409 although the name is free.
    Conflict,
    /// Says deleted, still accepts.
    Lies,
}

impl FaultKind {
    pub const ALL: [Self; 8] = [
        Self::Error,
        Self::TimeoutBefore,
        Self::TimeoutAfter,
        Self::Throttle,
        Self::StaleList,
        Self::Lag,
        Self::Conflict,
        Self::Lies,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::TimeoutBefore => "timeout_before",
            Self::TimeoutAfter => "timeout_after",
            Self::Throttle => "throttle",
            Self::StaleList => "stale_list",
            Self::Lag => "lag",
            Self::Conflict => "conflict",
            Self::Lies => "lies",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    pub kind: FaultKind,
    /// Share of the calls that it strikes, 0 to 1.
    pub rate: f64,
    /// `None`: every route of the platform side on which it makes sense, never the gateway.
    pub route: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFault {
    #[error(
        "unknown fault `{0}`; known: error, timeout_before, timeout_after, throttle, stale_list, lag, conflict, lies"
    )]
    Kind(String),
    #[error("the rate `{0}` is not a number from 0 to 1")]
    Rate(String),
}

impl FromStr for Fault {
    type Err = InvalidFault;

    fn from_str(text: &str) -> Result<Self, InvalidFault> {
        let (head, route) = match text.split_once('@') {
            Some((head, route)) => (head, Some(route.to_owned())),
            None => (text, None),
        };
        let (kind, rate) = head.split_once(':').unwrap_or((head, "1"));
        let kind = FaultKind::ALL
            .into_iter()
            .find(|candidate| candidate.word() == kind)
            .ok_or_else(|| InvalidFault::Kind(kind.to_owned()))?;
        let rate = rate
            .parse::<f64>()
            .ok()
            .filter(|rate| (0.0..=1.0).contains(rate))
            .ok_or_else(|| InvalidFault::Rate(rate.to_owned()))?;
        Ok(Self { kind, rate, route })
    }
}
