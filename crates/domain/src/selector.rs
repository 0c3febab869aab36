//! Globs over credential identifiers: `*` stays within a segment, `**` crosses them.

use std::fmt;

/// A pattern such as `apic-prod/acme/*/*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSelector {
    #[error("the selector is empty")]
    Empty,
    #[error("the selector `{0}` has an empty segment")]
    EmptySegment(String),
}

impl Selector {
    pub fn parse(text: &str) -> Result<Self, InvalidSelector> {
        if text.is_empty() {
            return Err(InvalidSelector::Empty);
        }
        if text.split('/').any(str::is_empty) {
            return Err(InvalidSelector::EmptySegment(text.to_owned()));
        }
        Ok(Self { text: text.to_owned() })
    }

    pub fn everything() -> Self {
        Self { text: "**".to_owned() }
    }

    /// The one identifier it names, when it has no wildcard.
    pub fn literal(&self) -> Option<&str> {
        (!self.text.contains('*')).then_some(&self.text)
    }

    pub fn matches(&self, id: &str) -> bool {
        glob(self.text.as_bytes(), id.as_bytes())
    }
}

/// Iterative wildcard match with one remembered star of each kind, so that no pattern takes exponential time.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    let mut double: Option<(usize, usize)> = None;
    loop {
        let rest = pattern.get(p..).unwrap_or_default();
        if rest == b"**" {
            return true;
        } else if rest.starts_with(b"**") {
            double = Some((p + 2, t));
            star = None;
            p += 2;
        } else if rest.first() == Some(&b'*') {
            star = Some((p + 1, t));
            p += 1;
        } else if t < text.len() && rest.first() == text.get(t) {
            p += 1;
            t += 1;
        } else if t == text.len() && rest.is_empty() {
            return true;
        } else if let Some((after, from)) = star.filter(|(_, from)| text.get(*from).is_some_and(|byte| *byte != b'/')) {
            star = Some((after, from + 1));
            (p, t) = (after, from + 1);
        } else if let Some((after, from)) = double.filter(|(_, from)| *from < text.len()) {
            double = Some((after, from + 1));
            star = None;
            (p, t) = (after, from + 1);
        } else {
            return false;
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, id: &str, expected: bool) {
        assert_eq!(Selector::parse(pattern).unwrap().matches(id), expected, "{pattern} on {id}");
    }

    #[test]
    fn a_star_stays_within_its_segment() {
        check("apic/acme/*/*", "apic/acme/shop/key", true);
        check("apic/acme/*", "apic/acme/shop/key", false);
        check("apic/*/shop/*", "apic/acme/shop/key", true);
        check("apic/a*e/sh*/k*y", "apic/acme/shop/key", true);
        check("apic/*", "apic/", true);
        check("apic/*x", "apic/axbx", true);
    }

    #[test]
    fn two_stars_cross_segments() {
        check("**", "apic/acme/shop/key", true);
        check("apic/**", "apic/acme/shop/key", true);
        check("**/key", "apic/acme/shop/key", true);
        check("**/shop/*", "apic/shop/x/shop/key", true);
        check("apic/**/other", "apic/acme/shop/key", false);
    }

    #[test]
    fn a_literal_names_one() {
        check("apic/acme/shop/key", "apic/acme/shop/key", true);
        check("apic/acme/shop/key", "apic/acme/shop/key_new", false);
        assert_eq!(Selector::parse("a/b").unwrap().literal(), Some("a/b"));
        assert_eq!(Selector::parse("a/*").unwrap().literal(), None);
    }

    #[test]
    fn a_nasty_pattern_stays_fast() {
        let pattern = "*a".repeat(200);
        check(&pattern, &"a".repeat(199), false);
    }
}
