//! Where a key lives: its developer or group, and its app.

use std::{fmt, str::FromStr};

use domain::{Parent, Timestamp};
use driver::{DriverError, Effect, Found, Kind, Subject};

use super::api::{AppObject, KeyObject, REVOKED};

/// To whom an app belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owner {
    /// By e-mail address.
    Developer(String),
    /// An AppGroup, or a company on Edge.
    Group(String),
}

impl Owner {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Developer(name) | Self::Group(name) => name,
        }
    }

    /// The first name of a credential's path. No e-mail address begins with a word and a colon.
    pub(super) fn level(&self, group_word: &str) -> String {
        match self {
            Self::Developer(email) => email.clone(),
            Self::Group(name) => format!("{group_word}:{name}"),
        }
    }
}

/// The driver's words for an app: `developers/EMAIL/APP` or `groups/NAME/APP`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Locator {
    pub owner: Owner,
    pub app: String,
}

impl Locator {
    pub(super) fn of(subject: &Subject) -> Result<Self, DriverError> {
        subject.locator.parse().map_err(|()| {
            let message = format!("`{}` is no place of an app", subject.locator.escape_default());
            DriverError::refused(Kind::Invalid, message)
        })
    }
}

impl fmt::Display for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.owner {
            Owner::Developer(_) => "developers",
            Owner::Group(_) => "groups",
        };
        write!(f, "{word}/{}/{}", escaped(self.owner.name()), escaped(&self.app))
    }
}

impl FromStr for Locator {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('/');
        let (word, owner, app) = (parts.next(), parts.next(), parts.next());
        let (Some(word), Some(owner), Some(app), None) = (word, owner, app, parts.next()) else { return Err(()) };
        if owner.is_empty() || app.is_empty() {
            return Err(());
        }
        let owner = match word {
            "developers" => Owner::Developer(unescaped(owner)),
            "groups" => Owner::Group(unescaped(owner)),
            _ => return Err(()),
        };
        Ok(Self { owner, app: unescaped(app) })
    }
}

fn escaped(name: &str) -> String {
    name.replace('%', "%25").replace('/', "%2F")
}

fn unescaped(name: &str) -> String {
    name.replace("%2F", "/").replace("%25", "%")
}

/// What is known of an app's owner.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub locator: Locator,
    /// The credential's outer names.
    pub level: String,
    pub owner: Option<domain::Owner>,
    /// Neither app nor developer is switched off.
    pub enabled: bool,
}

/// The keys of an app, those that are switched off first: where an app has both, what is told last of a credential
/// is that it can be used.
pub(super) fn found(place: &Place, app: AppObject) -> Result<Vec<Found>, DriverError> {
    let enabled = place.enabled && app.status.as_deref() != Some(REVOKED);
    let born = app.created_at.and_then(|time| time.0);
    let mut keys = app.credentials.unwrap_or_default();
    keys.sort_by_key(|key| !key.is_revoked());
    keys.iter().map(|key| one(place, enabled, born, key, &keys)).collect()
}

fn one(
    place: &Place,
    enabled: bool,
    born: Option<Timestamp>,
    key: &KeyObject,
    all: &[KeyObject],
) -> Result<Found, DriverError> {
    let created_at = key.issued_at.and_then(|time| time.0).or(born).ok_or_else(|| {
        let message = format!("the platform tells no age of a key of the app `{}`", place.locator.app);
        DriverError::new(Kind::Protocol, Effect::NotApplied, message)
    })?;
    let parent = if enabled && !key.is_revoked() { Parent::Enabled } else { Parent::Disabled };
    let name = key.consumer_key.name(all.iter().map(|key| &key.consumer_key));
    Ok(Found {
        names: vec![place.level.clone(), place.locator.app.clone(), name.clone()],
        title: name,
        handle: key.consumer_key.handle().clone(),
        locator: place.locator.to_string(),
        kind: "",
        marker: key.consumer_key.mark(),
        created_at,
        expires_at: key.expires_at.and_then(|time| time.0),
        owner: place.owner.clone(),
        parent,
        protected: false,
        minted_from: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locator_survives_its_text() {
        for (owner, text) in [
            (Owner::Developer("ada@x.test".to_owned()), "developers/ada@x.test/a%2Fb%25"),
            (Owner::Group("retail".to_owned()), "groups/retail/a%2Fb%25"),
        ] {
            let locator = Locator { owner, app: "a/b%".to_owned() };
            assert_eq!(locator.to_string(), text);
            assert_eq!(text.parse(), Ok(locator));
        }
        for text in ["", "developers", "developers//a", "developers/a/", "developers/a/b/c", "apps/a/b"] {
            assert!(text.parse::<Locator>().is_err(), "{text}");
        }
    }
}
