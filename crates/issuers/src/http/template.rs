//! Texts with placeholders: `/apps/{app}/keys/{id}`.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use driver::{DriverError, Kind};
use secret::Secret;

/// A text in which `{name}` stands for a value, and a doubled brace for itself. Debug prints the placeholders alone:
/// somebody may have written a secret between them.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.placeholders()).finish()
    }
}

#[derive(Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Placeholder(String),
}

/// Where a template stands decides what it may name: addresses are written into logs on the way, headers and bodies
/// are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Path or query.
    Address,
    /// Header or body.
    Inside,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Openness {
    Public,
    Secret,
}

/// The placeholders that mean something in one request.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope(BTreeMap<String, Openness>);

impl Scope {
    #[must_use]
    pub(super) fn public<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.0.extend(names.into_iter().map(|name| (name.to_owned(), Openness::Public)));
        self
    }

    #[must_use]
    pub(super) fn secret<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.0.extend(names.into_iter().map(|name| (name.to_owned(), Openness::Secret)));
        self
    }

    pub(super) fn knows(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn words(&self) -> String {
        let words: Vec<String> = self.0.keys().map(|name| format!("{{{name}}}")).collect();
        if words.is_empty() { "none".to_owned() } else { words.join(", ") }
    }
}

/// What stands for a placeholder in one request.
#[derive(Clone)]
enum Filling<'a> {
    Public(Cow<'a, str>),
    Secret(&'a Secret),
}

#[derive(Clone, Default)]
pub(super) struct Fillings<'a>(BTreeMap<&'a str, Filling<'a>>);

impl<'a> Fillings<'a> {
    #[must_use]
    pub(super) fn public(mut self, name: &'a str, value: impl Into<Cow<'a, str>>) -> Self {
        self.0.insert(name, Filling::Public(value.into()));
        self
    }

    #[must_use]
    pub(super) fn secret(mut self, name: &'a str, value: &'a Secret) -> Self {
        self.0.insert(name, Filling::Secret(value));
        self
    }

    /// What goes out and must not come back in an error.
    pub(super) fn secrets(&self) -> Vec<&'a Secret> {
        let secret = |filling: &Filling<'a>| match filling {
            Filling::Secret(secret) => Some(*secret),
            Filling::Public(_) => None,
        };
        self.0.values().filter_map(secret).collect()
    }
}

impl Template {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(brace) = rest.find(['{', '}']) {
            let (before, from_brace) = rest.split_at(brace);
            plain.push_str(before);
            if let Some(doubled) = ["{{", "}}"].into_iter().find(|doubled| from_brace.starts_with(doubled)) {
                plain.push_str(doubled.get(1..).unwrap_or_default());
                rest = from_brace.get(2..).unwrap_or_default();
                continue;
            }
            let inner = from_brace.strip_prefix('{').and_then(|inner| inner.split_once('}'));
            let Some((name, after)) = inner.filter(|(name, _)| is_name(name)) else {
                return Err(
                    "has a brace that opens or closes no placeholder; a brace itself is written twice".to_owned()
                );
            };
            pieces.push(Piece::Text(std::mem::take(&mut plain)));
            pieces.push(Piece::Placeholder(name.to_owned()));
            rest = after;
        }
        plain.push_str(rest);
        pieces.push(Piece::Text(plain));
        pieces.retain(|piece| *piece != Piece::Text(String::new()));
        Ok(Self(pieces))
    }

    /// Every placeholder means something here and may stand here.
    pub(super) fn check(&self, scope: &Scope, place: Place) -> Result<(), String> {
        for name in self.placeholders() {
            match scope.0.get(name) {
                Some(Openness::Secret) if place == Place::Address => {
                    return Err(format!(
                        "has the secret {{{name}}} in an address, which others log; it belongs into a header or the body"
                    ));
                }
                Some(_) => {}
                None => {
                    return Err(format!(
                        "has the placeholder {{{name}}}, which means nothing here; known are {}",
                        scope.words()
                    ));
                }
            }
        }
        Ok(())
    }

    pub(super) fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Placeholder(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    pub(super) fn names(&self, placeholder: &str) -> bool {
        self.placeholders().any(|name| name == placeholder)
    }

    pub(super) fn fill(&self, fillings: &Fillings<'_>) -> Result<String, DriverError> {
        let mut filled = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Placeholder(name) => match fillings.0.get(name.as_str()) {
                    Some(Filling::Public(value)) => filled.push_str(value),
                    Some(Filling::Secret(value)) => filled.push_str(value.expose_text().ok_or_else(|| {
                        DriverError::refused(
                            Kind::Invalid,
                            format!("{{{name}}} is not text, which no request can carry"),
                        )
                    })?),
                    None => {
                        return Err(DriverError::refused(Kind::Invalid, format!("there is no {{{name}}} to fill in")));
                    }
                },
            }
        }
        Ok(filled)
    }
}

/// As the fields of a secret are called.
pub(super) fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_filled(text: &str, expected: &str) {
        let secret = Secret::from_text("s");
        let fillings = Fillings::default().public("app", "shop").secret("password", &secret);
        assert_eq!(Template::parse(text).unwrap().fill(&fillings).unwrap(), expected);
    }

    #[test]
    fn placeholders_are_filled_and_doubled_braces_stay() {
        check_filled("", "");
        check_filled("/apps/{app}/keys", "/apps/shop/keys");
        check_filled("{app}{password}", "shops");
        check_filled("{{{app}}} }}", "{shop} }");
    }

    #[test]
    fn a_lone_brace_is_refused() {
        for text in ["{", "}", "{app", "app}", "{a b}", "{}", "{{app}"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_means_nothing_and_what_is_secret_is_refused() {
        let scope = Scope::default().public(["app"]).secret(["password"]);
        let check = |text: &str, place| Template::parse(text).unwrap().check(&scope, place);
        assert_eq!(check("{app}", Place::Address), Ok(()));
        assert_eq!(check("{password}", Place::Inside), Ok(()));
        assert!(check("{password}", Place::Address).unwrap_err().contains("{password}"));
        assert!(check("{ap}", Place::Inside).unwrap_err().ends_with("known are {app}, {password}"));
    }
}
