//! What a rule can grant, and sets of it.

use std::fmt;

/// One word in `capabilities`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    Create,
    Read,
    Update,
    Patch,
    Delete,
    List,
    /// Listing a whole tree; OpenBao alone.
    Scan,
    Sudo,
    /// Events; Vault alone.
    Subscribe,
    /// Bringing back from a snapshot; newer Vault alone.
    Recover,
    /// Nothing, whatever another policy grants on the same pattern.
    Deny,
}

impl Capability {
    pub const ALL: [Self; 11] = [
        Self::Create,
        Self::Read,
        Self::Update,
        Self::Patch,
        Self::Delete,
        Self::List,
        Self::Scan,
        Self::Sudo,
        Self::Subscribe,
        Self::Recover,
        Self::Deny,
    ];

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|capability| capability.word() == word)
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Read => "read",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::List => "list",
            Self::Scan => "scan",
            Self::Sudo => "sudo",
            Self::Subscribe => "subscribe",
            Self::Recover => "recover",
            Self::Deny => "deny",
        }
    }

    /// Listing calls reach the server with a slash at the end of the path.
    pub(super) fn lists(self) -> bool {
        matches!(self, Self::List | Self::Scan)
    }

    fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A set of capabilities. Deny stands alone: beside it nothing else is kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Capabilities(u16);

impl Capabilities {
    pub const NONE: Self = Self(0);

    pub fn contains(self, capability: Capability) -> bool {
        self.0 & capability.bit() != 0
    }

    /// As several rules with the same pattern count: everything together, and deny beats all.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        let deny = Capability::Deny.bit();
        let all = self.0 | other.0;
        Self(if all & deny == 0 { all } else { deny })
    }

    /// What can be done by it, which is nothing where deny stands.
    #[must_use]
    pub fn granted(self) -> Self {
        if self.is_deny() { Self::NONE } else { self }
    }

    /// What `self` grants and `other` does not.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.granted().0 & !other.granted().0)
    }

    pub fn is_deny(self) -> bool {
        self.contains(Capability::Deny)
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::ALL.into_iter().filter(move |capability| self.contains(*capability))
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<T: IntoIterator<Item = Capability>>(capabilities: T) -> Self {
        capabilities.into_iter().fold(Self::NONE, |set, capability| set.union(Self(capability.bit())))
    }
}

impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// The words with commas, or `nothing`.
impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing");
        }
        for (index, capability) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{capability}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deny_beats_all() {
        let some: Capabilities = [Capability::Read, Capability::List].into_iter().collect();
        let deny: Capabilities = [Capability::Read, Capability::Deny].into_iter().collect();
        assert_eq!((some.to_string(), deny.to_string()), ("read, list".to_owned(), "deny".to_owned()));
        assert_eq!(some.union(deny), deny);
        assert_eq!(deny.union(some), deny);
        assert!(deny.granted().is_empty() && some.without(deny) == some);
        assert_eq!(Capabilities::NONE.to_string(), "nothing");
    }

    #[test]
    fn every_word_is_read_back() {
        for capability in Capability::ALL {
            assert_eq!(Capability::parse(capability.word()), Some(capability));
        }
        assert_eq!(Capability::parse("root"), None);
    }
}
