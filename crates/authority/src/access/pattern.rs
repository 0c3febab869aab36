//! Patterns of paths, and which of two that match wins.

use std::{cmp::Ordering, fmt};

/// A path as a rule names it: exact, with `*` as its very last character (whatever begins so), with `+` for one whole
/// segment, or both.
///
/// Greater is stronger: of all patterns that match a path, the greatest decides, by Vault's rules of priority.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    /// Without the leading slash.
    text: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Exact,
    /// Ends in `*`.
    Prefix,
    /// Vault treats every pattern that holds `/+` or begins with `+/` so, also where `+` is only part of a segment and
    /// stands for itself.
    Segments {
        prefix: bool,
    },
}

impl Pattern {
    /// One leading slash is dropped, as Vault drops it.
    pub fn new(text: &str) -> Self {
        let text = text.strip_prefix('/').unwrap_or(text).to_owned();
        let prefix = text.ends_with('*');
        let kind = match text == "+" || text.contains("/+") || text.starts_with("+/") {
            true => Kind::Segments { prefix },
            false if prefix => Kind::Prefix,
            false => Kind::Exact,
        };
        Self { text, kind }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn is_exact(&self) -> bool {
        self.kind == Kind::Exact
    }

    /// `*` stands at the end.
    pub fn is_prefix(&self) -> bool {
        matches!(self.kind, Kind::Prefix | Kind::Segments { prefix: true })
    }

    /// Without the `*` at the end.
    pub(super) fn literal(&self) -> &str {
        if self.is_prefix() { self.text.strip_suffix('*').unwrap_or(&self.text) } else { &self.text }
    }

    /// A path without leading slash. Looks at this pattern alone; [`Access`](super::Access) asks many at once.
    pub fn matches(&self, path: &str) -> bool {
        match self.kind {
            Kind::Exact => path == self.text,
            Kind::Prefix => path.starts_with(self.literal()),
            Kind::Segments { prefix } => {
                let mut path = path.split('/');
                let mut pattern = self.literal().split('/').peekable();
                while let Some(segment) = pattern.next() {
                    let Some(part) = path.next() else { return false };
                    let begins = prefix && pattern.peek().is_none() && part.starts_with(segment);
                    if segment != "+" && segment != part && !begins {
                        return false;
                    }
                }
                prefix || path.next().is_none()
            }
        }
    }

    fn first_wildcard(&self) -> usize {
        match self.kind {
            Kind::Exact => usize::MAX,
            Kind::Prefix => self.literal().len(),
            Kind::Segments { .. } => self.text.find('+').unwrap_or_default(),
        }
    }

    fn wildcards(&self) -> usize {
        match self.kind {
            Kind::Segments { .. } => self.literal().split('/').filter(|segment| *segment == "+").count(),
            Kind::Exact | Kind::Prefix => 0,
        }
    }
}

impl Ord for Pattern {
    fn cmp(&self, other: &Self) -> Ordering {
        self.first_wildcard()
            .cmp(&other.first_wildcard())
            .then_with(|| other.is_prefix().cmp(&self.is_prefix()))
            .then_with(|| other.wildcards().cmp(&self.wildcards()))
            .then_with(|| self.literal().len().cmp(&other.literal().len()))
            .then_with(|| self.literal().cmp(other.literal()))
            // Only for a total order: patterns that differ in kind alone never come this far.
            .then_with(|| self.text.cmp(&other.text))
    }
}

impl PartialOrd for Pattern {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, matching: &[&str], others: &[&str]) {
        let pattern = Pattern::new(pattern);
        for path in matching {
            assert!(pattern.matches(path), "{pattern} must match {path}");
        }
        for path in others {
            assert!(!pattern.matches(path), "{pattern} must not match {path}");
        }
    }

    #[test]
    fn what_matches() {
        check("a/b", &["a/b"], &["a", "a/b/", "a/b/c"]);
        check("/a/b", &["a/b"], &["/a/b"]);
        check("a/*", &["a/", "a/b", "a/b/c"], &["a", "ab"]);
        check("*", &["", "a", "a/b"], &[]);
        check("a/+/b", &["a/x/b", "a//b"], &["a/b", "a/x/y/b", "a/x/b/"]);
        check("+", &["a", ""], &["a/b"]);
        check("a/+", &["a/x", "a/"], &["a", "a/x/"]);
        check("a/+/*", &["a/x/", "a/x/y/z"], &["a/x"]);
        check("a/+/b*", &["a/x/b", "a/x/bc/d"], &["a/x/c", "a/x/"]);
        check("a/*/b", &["a/*/b"], &["a/x/b"]);
        check("a/x+/b", &["a/x+/b"], &["a/xy/b"]);
        check("a/+x/b", &["a/+x/b"], &["a/yx/b"]);
        check("a/**", &["a/*", "a/*b"], &["a/b"]);
    }

    /// One line a rule of the documentation, weaker first.
    #[test]
    fn which_wins() {
        for (weaker, stronger) in [
            ("a/*", "a/b*"),
            ("a/+/c", "a/b/*"),
            ("a/+/*", "a/+/b"),
            ("a/*", "a/+"),
            ("a/+/+", "a/+/b"),
            ("a/+/b*", "a/+/bc*"),
            ("a/+/b", "a/+/c"),
            ("a/+/*", "a/*"),
            ("a/b/*", "a/b/c"),
        ] {
            assert!(Pattern::new(weaker) < Pattern::new(stronger), "{weaker} < {stronger}");
        }
    }
}
