//! The policies that an installation begins with.

use super::{Policy, problem::InvalidPolicy};

/// A policy for one of the three who have to do with an organisation's service account and its access token.
///
/// | | service account's password | access token |
/// | --- | --- | --- |
/// | organisation's admin | reads and mends | reads and mends |
/// | rotation job | writes and takes old versions away, cannot read | the same |
/// | developer | nothing | reads |
///
/// A developer stays shut out of the password, and cannot change the token, also where another policy
/// grants more by a broader pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadyMade {
    pub name: &'static str,
    pub meaning: &'static str,
    text: &'static str,
}

/// Where an installation keeps the two, in a KV v2 mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Where {
    pub mount: String,
    /// Path of the service account's password.
    pub password: String,
    /// Path of the access token; it may be a pattern.
    pub token: String,
}

/// Why a mount or path cannot stand in a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPlace {
    #[error("the {what} `{value}` must be a path, without quotes, braces, control characters or a slash at either end")]
    Characters { what: &'static str, value: String },
    #[error("the password and the access token have the same path `{0}`")]
    Same(String),
    #[error("the {what} `{value}` makes no policy")]
    Pattern {
        what: &'static str,
        value: String,
        #[source]
        source: InvalidPolicy,
    },
}

impl Default for Where {
    fn default() -> Self {
        Self {
            mount: "secret".into(),
            password: "service-account/password".into(),
            token: "service-account/token".into(),
        }
    }
}

impl ReadyMade {
    pub const ALL: [Self; 3] = [
        Self {
            name: "organisation-admin",
            meaning: "reads and mends the password and the token",
            text: include_str!("ready_made/organisation-admin.hcl"),
        },
        Self {
            name: "rotation-job",
            meaning: "writes both and reads neither",
            text: include_str!("ready_made/rotation-job.hcl"),
        },
        Self {
            name: "developer",
            meaning: "reads the token, changes nothing",
            text: include_str!("ready_made/developer.hcl"),
        },
    ];

    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.name == name)
    }

    /// The text for one installation, with its comments.
    pub fn text(&self, places: &Where) -> Result<String, InvalidPlace> {
        let parts = [("mount", &places.mount), ("password's path", &places.password), ("token's path", &places.token)];
        for (what, value) in parts {
            let plain = |character: char| !character.is_control() && !"\"\\{}$".contains(character);
            let bounded = !value.is_empty() && !value.starts_with('/') && !value.ends_with('/');
            if !bounded || !value.chars().all(plain) {
                return Err(InvalidPlace::Characters { what, value: value.clone() });
            }
        }
        if places.password == places.token {
            return Err(InvalidPlace::Same(places.token.clone()));
        }
        let text = self
            .text
            .replace("{mount}", &places.mount)
            .replace("{password}", &places.password)
            .replace("{token}", &places.token);
        for (what, value) in parts {
            if let Err(source) = Policy::parse(&format!("path \"{value}/x\" {{}}")) {
                return Err(InvalidPlace::Pattern { what, value: value.clone(), source });
            }
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::lint;

    #[test]
    fn they_are_policies_without_a_finding() {
        for ready_made in ReadyMade::ALL {
            let text = ready_made.text(&Where::default()).unwrap();
            assert!(!text.contains("{mount}") && text.contains("secret/data/service-account/"), "{text}");
            assert_eq!(lint(&Policy::parse(&text).unwrap()), [], "{}", ready_made.name);
        }
    }

    #[test]
    fn a_place_cannot_break_out() {
        for value in ["", "/a", "a/", "a\" {}", "a\nb", "{mount}", "a\\", "a+*"] {
            let places = Where { token: value.to_owned(), ..Where::default() };
            assert!(ReadyMade::ALL[2].text(&places).is_err(), "{value:?}");
        }
        let same = Where { token: Where::default().password, ..Where::default() };
        assert!(matches!(ReadyMade::ALL[0].text(&same), Err(InvalidPlace::Same(_))));
    }
}
