//! Faults that a twin can be told to have: `KIND[:RATE][@ROUTE]`.

use std::{fmt, str::FromStr};

use crate::Side;

/// Every route that a fault can be bound to. `gateway` is the protected API; the rest is the platform's own.
pub const ROUTES: [&str; 10] =
    ["login", "list", "read", "issue", "revoke", "rename", "verify", "usage", "other", "gateway"];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FaultKind {
    /// A 5xx in the platform's envelope, or a page of HTML; nothing changes.
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

    /// Whether it can mean anything there. A rename can meet a taken name as well, but only on request.
    fn makes_sense_on(self, route: &str, asked_for: bool) -> bool {
        match self {
            Self::Error | Self::TimeoutBefore | Self::TimeoutAfter | Self::Throttle => true,
            Self::StaleList => route == "list",
            Self::Lag => matches!(route, "issue" | "revoke"),
            Self::Conflict => route == "issue" || asked_for && route == "rename",
            Self::Lies => route == "revoke",
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

impl Fault {
    /// Whether a call on this route is one that the fault may strike.
    pub(crate) fn aims_at(&self, side: Side, route: &str) -> bool {
        match &self.route {
            Some(wanted) => wanted == route && self.kind.makes_sense_on(route, true),
            None => side == Side::Platform && self.kind.makes_sense_on(route, false),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFault {
    #[error(
        "unknown fault `{0}`; known: error, timeout_before, timeout_after, throttle, stale_list, lag, conflict, lies"
    )]
    Kind(String),
    #[error("the rate `{0}` is not a number from 0 to 1")]
    Rate(String),
    #[error("unknown route `{0}`; known: login, list, read, issue, revoke, rename, verify, usage, other, gateway")]
    Route(String),
    #[error("the fault `{kind}` can never strike on the route `{route}`")]
    Aimless { kind: &'static str, route: String },
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
        if let Some(route) = &route {
            if !ROUTES.contains(&route.as_str()) {
                return Err(InvalidFault::Route(route.clone()));
            }
            if !kind.makes_sense_on(route, true) {
                return Err(InvalidFault::Aimless { kind: kind.word(), route: route.clone() });
            }
        }
        Ok(Self { kind, rate, route })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.word(), self.rate)?;
        match &self.route {
            Some(route) => write!(f, "@{route}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_kind_rate_and_route() {
        for (text, back) in [
            ("error", "error:1"),
            ("timeout_after:0.05@issue", "timeout_after:0.05@issue"),
            ("throttle:0.5", "throttle:0.5"),
            ("conflict@rename", "conflict:1@rename"),
            ("error@gateway", "error:1@gateway"),
        ] {
            assert_eq!(text.parse::<Fault>().map(|fault| fault.to_string()), Ok(back.to_owned()));
        }
    }

    #[test]
    fn refuses_what_could_never_strike() {
        let refused = |text: &str| text.parse::<Fault>().unwrap_err();
        assert_eq!(refused("eror"), InvalidFault::Kind("eror".to_owned()));
        assert_eq!(refused("error:2"), InvalidFault::Rate("2".to_owned()));
        assert_eq!(refused("error:NaN"), InvalidFault::Rate("NaN".to_owned()));
        assert_eq!(refused("error@isue"), InvalidFault::Route("isue".to_owned()));
        assert_eq!(refused("lies@issue"), InvalidFault::Aimless { kind: "lies", route: "issue".to_owned() });
        assert_eq!(refused("stale_list@gateway").to_string(), {
            "the fault `stale_list` can never strike on the route `gateway`"
        });
    }
}
