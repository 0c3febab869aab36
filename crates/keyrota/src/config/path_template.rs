//! Where a credential's secret goes: a path with names to fill in.

use domain::{CredentialId, InvalidId, SecretPath};

use super::nearest::nearest;

/// Stands for the configured name of the issuer.
const ISSUER: &str = "issuer";
const PATH_BYTES_USUAL: usize = 128;

/// A path such as `apic/{consumer_org}/{app}/{credential}`. What the parts of a credential's path are called is the
/// issuer driver's to say (its levels); `{issuer}` is the configured name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathTemplate {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Placeholder(String),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidTemplate {
    #[error("the path `{0}` has a brace without its partner")]
    Brace(String),
    #[error("the path `{path}` has the placeholder `{{{placeholder}}}`, which means nothing here; {advice}")]
    Unknown { path: String, placeholder: String, advice: String },
    #[error("the path `{path}` cannot be used: {source}")]
    Path { path: String, source: InvalidId },
}

/// A template that does not fit a credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RenderError {
    #[error("the delivery path of `{credential}` needs `{{{placeholder}}}`, which this credential does not have")]
    NoSuchName { credential: CredentialId, placeholder: String },
    #[error("the delivery path of `{credential}` comes out as `{path}`, which cannot be used: {source}")]
    Path { credential: CredentialId, path: String, source: InvalidId },
}

impl PathTemplate {
    /// `levels` are the placeholders that mean something, beside `{issuer}`.
    pub(crate) fn parse(path: &str, levels: &[&str]) -> Result<Self, InvalidTemplate> {
        let mut parts = Vec::new();
        let mut rest = path;
        while let Some(brace) = rest.find(['{', '}']) {
            let (text, from_brace) = rest.split_at(brace);
            let inner = from_brace.strip_prefix('{').and_then(|inner| inner.split_once('}'));
            let Some((placeholder, after)) = inner else {
                return Err(InvalidTemplate::Brace(path.to_owned()));
            };
            if placeholder != ISSUER && !levels.contains(&placeholder) {
                let placeholder = placeholder.to_owned();
                let advice = advice(&placeholder, levels);
                return Err(InvalidTemplate::Unknown { path: path.to_owned(), placeholder, advice });
            }
            parts.push(Part::Text(text.to_owned()));
            parts.push(Part::Placeholder(placeholder.to_owned()));
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        let template = Self { parts };
        // With every name filled in by something, what remains wrong is the template's own fault.
        template.with_names("x").map_err(|source| InvalidTemplate::Path { path: path.to_owned(), source })?;
        Ok(template)
    }

    /// The path with one text for every name.
    pub(crate) fn with_names(&self, name: &str) -> Result<SecretPath, InvalidId> {
        SecretPath::parse(&self.fill(|_| Some(name)).unwrap_or_default())
    }

    /// The path for one credential, whose issuer calls the parts of its path by `levels`. Names stand in it as they
    /// stand in the identifier, `/` inside a name as `%2F`, so that no name adds a segment.
    pub(crate) fn render(&self, credential: &CredentialId, levels: &[&str]) -> Result<SecretPath, RenderError> {
        let name_of = |placeholder: &str| match levels.iter().position(|level| *level == placeholder) {
            Some(level) => credential.path().split('/').nth(level).filter(|name| !name.is_empty()),
            None => (placeholder == ISSUER).then(|| credential.issuer()),
        };
        let path = self.fill(name_of).map_err(|placeholder| RenderError::NoSuchName {
            credential: credential.clone(),
            placeholder: placeholder.to_owned(),
        })?;
        SecretPath::parse(&path).map_err(|source| RenderError::Path { credential: credential.clone(), path, source })
    }

    /// The error is the placeholder that has no name.
    fn fill<'a>(&'a self, name_of: impl Fn(&str) -> Option<&'a str>) -> Result<String, &'a str> {
        // Filled in for every credential of an estate; nearly all paths fit.
        let mut path = String::with_capacity(PATH_BYTES_USUAL);
        for part in &self.parts {
            path.push_str(match part {
                Part::Text(text) => text,
                Part::Placeholder(placeholder) => name_of(placeholder).ok_or(placeholder.as_str())?,
            });
        }
        Ok(path)
    }
}

fn advice(placeholder: &str, levels: &[&str]) -> String {
    let known = || levels.iter().copied().chain([ISSUER]);
    match nearest(placeholder, known()) {
        Some(name) => format!("did you mean `{{{name}}}`?"),
        None => format!("known are {}", known().map(|name| format!("`{{{name}}}`")).collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEVELS: [&str; 3] = ["consumer_org", "app", "credential"];

    #[track_caller]
    fn check(template: &str, credential: &str, expected: &str) {
        let template = PathTemplate::parse(template, &LEVELS).unwrap();
        let credential = CredentialId::parse(credential).unwrap();
        let path = template.render(&credential, &LEVELS);
        assert_eq!(path.map_or_else(|error| error.to_string(), |path| path.to_string()), expected);
    }

    #[test]
    fn names_are_filled_in() {
        check("apic/{consumer_org}/{app}/{credential}", "prod/acme/shop/key", "apic/acme/shop/key");
        check("{issuer}-{app}.x", "prod/acme/shop/key", "prod-shop.x");
        check("fixed/place", "prod/acme/shop/key", "fixed/place");
        check("{app}/{credential}", "prod/acme/a%2Fb/key", "a%2Fb/key");
    }

    #[test]
    fn a_credential_without_the_name_is_refused() {
        check(
            "{consumer_org}/{credential}",
            "prod/acme/shop",
            "the delivery path of `prod/acme/shop` needs `{credential}`, which this credential does not have",
        );
    }

    #[test]
    fn another_issuers_levels_do_not_fit() {
        let template = PathTemplate::parse("{app}", &LEVELS).unwrap();
        let credential = CredentialId::parse("edge/dev/shop/key").unwrap();
        assert!(template.render(&credential, &["developer", "program", "key"]).is_err());
    }

    #[test]
    fn bad_templates_say_what_is_wrong() {
        let check = |template: &str, expected: &str| {
            assert_eq!(PathTemplate::parse(template, &LEVELS).unwrap_err().to_string(), expected);
        };
        check(
            "a/{ap}",
            "the path `a/{ap}` has the placeholder `{ap}`, which means nothing here; did you mean `{app}`?",
        );
        check(
            "{zzzzzz}",
            "the path `{zzzzzz}` has the placeholder `{zzzzzz}`, which means nothing here; known are `{consumer_org}`, \
             `{app}`, `{credential}`, `{issuer}`",
        );
        check("a/{app", "the path `a/{app` has a brace without its partner");
        check("a/app}", "the path `a/app}` has a brace without its partner");
        check("a//{app}", "the path `a//{app}` cannot be used: it has an empty segment");
        check("/a", "the path `/a` cannot be used: it has an empty segment");
        check("", "the path `` cannot be used: it is empty");
        check("a/../{app}", "the path `a/../{app}` cannot be used: it has a segment `.` or `..`");
    }
}
