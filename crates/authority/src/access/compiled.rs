//! Decisions over many rules at once.

use std::collections::{BTreeMap, HashMap, hash_map::Entry};

use domain::Timestamp;

use super::{
    capability::{Capabilities, Capability},
    pattern::Pattern,
    policy::{Policy, Rule},
    read::expiration,
    template::{Identity, Unfilled, fill},
};

/// The policies that somebody carries, made ready to decide. As in Vault, the strongest pattern that matches decides
/// alone, whichever policy it comes from; the same pattern in several policies counts as one rule.
#[derive(Debug)]
pub struct Access {
    /// In ascending order of their patterns, so that the greatest index wins.
    rulings: Vec<Ruling>,
    exact: HashMap<Box<str>, usize>,
    /// All other patterns, by segments; the first is the root.
    nodes: Vec<Node>,
    recompile_at: Option<Timestamp>,
}

/// Everything that is said about one pattern.
#[derive(Debug)]
struct Ruling {
    pattern: Pattern,
    grants: Capabilities,
    sources: Vec<Source>,
    conditions: Vec<&'static str>,
}

/// Where a pattern is spoken of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub policy: String,
    pub line: u32,
}

#[derive(Debug, Default)]
struct Node {
    children: HashMap<Box<str>, usize>,
    /// Behind a `+`.
    any: Option<usize>,
    /// The pattern ends here.
    here: Option<usize>,
    /// Patterns whose last segment begins here and ends in `*`, in alphabetical order.
    starts: Vec<Start>,
    /// The strongest at or below this node.
    strongest: usize,
}

#[derive(Debug)]
struct Start {
    text: Box<str>,
    ruling: usize,
    /// The longest other one in the list that this one begins with.
    shorter: Option<usize>,
}

/// What somebody may do to a path, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision<'a> {
    pub allowed: bool,
    /// `None`: no pattern matches, so nothing is allowed.
    pub winner: Option<Winner<'a>>,
}

/// The one pattern that decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Winner<'a> {
    pub pattern: &'a str,
    pub grants: Capabilities,
    pub sources: &'a [Source],
    /// Keys that a server looks at too, with every call: what is allowed here may be refused for its parameters.
    pub conditions: &'a [&'static str],
}

/// Why policies cannot be made ready.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAccess {
    #[error("policy `{policy}`, line {line}: `{{{{{word}}}}}` has no value here")]
    NoValue { policy: String, line: u32, word: String },
    #[error("policy `{policy}`, line {line}: the value of `{{{{{word}}}}}` holds `*`, `+` or `/`")]
    WideValue { policy: String, line: u32, word: String },
    #[error("policy `{policy}` cannot be written down: the name belongs to the server")]
    Reserved { policy: String },
}

/// May do everything in Vault, and has no text.
const ROOT: &str = "root";

impl Access {
    /// Policies by name, as one token carries them. Rules whose `expiration` has passed do not count.
    pub fn compile<'p>(
        policies: impl IntoIterator<Item = (&'p str, &'p Policy)>,
        identity: &Identity,
        now: Timestamp,
    ) -> Result<Self, InvalidAccess> {
        let mut by_pattern: BTreeMap<Pattern, Ruling> = BTreeMap::new();
        let mut recompile_at = None;
        for (name, policy) in policies {
            let name = name.to_lowercase();
            if name == ROOT {
                return Err(InvalidAccess::Reserved { policy: name });
            }
            for rule in &policy.rules {
                let ends = rule.condition("expiration").and_then(|condition| expiration(&condition.value));
                if ends.is_some_and(|ends| ends < now) {
                    continue;
                }
                recompile_at = recompile_at.into_iter().chain(ends).min();
                let pattern = Pattern::new(&filled(&name, rule, identity)?);
                let ruling = by_pattern.entry(pattern).or_insert_with_key(|pattern| Ruling::new(pattern.clone()));
                ruling.add(&name, rule);
            }
        }
        let mut access = Self {
            rulings: by_pattern.into_values().collect(),
            exact: HashMap::new(),
            nodes: vec![Node::default()],
            recompile_at,
        };
        access.index();
        Ok(access)
    }

    /// When the first of the rules ends to count; from then on the policies must be compiled again.
    pub fn recompile_at(&self) -> Option<Timestamp> {
        self.recompile_at
    }

    /// Whether a call that needs the capability would be let through. Listing asks with a slash at the end, whether or
    /// not the path has one, as servers do.
    pub fn allowed(&self, path: &str, capability: Capability) -> bool {
        self.ruling_for(path, capability).is_some_and(|ruling| ruling.grants.granted().contains(capability))
    }

    /// As [`Access::allowed`], with the reason.
    pub fn decide(&self, path: &str, capability: Capability) -> Decision<'_> {
        let ruling = self.ruling_for(path, capability);
        Decision {
            allowed: ruling.is_some_and(|ruling| ruling.grants.granted().contains(capability)),
            winner: ruling.map(|ruling| Winner {
                pattern: ruling.pattern.as_str(),
                grants: ruling.grants,
                sources: &ruling.sources,
                conditions: &ruling.conditions,
            }),
        }
    }

    /// What `sys/capabilities-self` answers for the path as it is given; nothing where that answers `deny`.
    pub fn capabilities(&self, path: &str) -> Capabilities {
        self.winner(path, true).map_or(Capabilities::NONE, |ruling| ruling.grants.granted())
    }

    fn ruling_for(&self, path: &str, capability: Capability) -> Option<&Ruling> {
        if capability.lists() && !path.ends_with('/') {
            return self.winner(&format!("{path}/"), true);
        }
        self.winner(path, capability.lists())
    }

    fn winner(&self, path: &str, listing: bool) -> Option<&Ruling> {
        let path = path.trim_start_matches('/');
        let bare = path.strip_suffix('/').filter(|_| listing);
        let exact = |path: &str| self.exact.get(path).copied();
        let index =
            exact(path).or_else(|| exact(bare?)).or_else(|| self.strongest(path)).or_else(|| self.strongest(bare?));
        self.rulings.get(index?)
    }

    fn strongest(&self, path: &str) -> Option<usize> {
        let mut best = None;
        self.search(self.nodes.first()?, Some(path), &mut best);
        best
    }

    /// Every node is looked at once at most, and only where it can hold something stronger.
    fn search(&self, node: &Node, rest: Option<&str>, best: &mut Option<usize>) {
        if best.is_some_and(|best| best >= node.strongest) {
            return;
        }
        let Some(rest) = rest else {
            *best = node.here.max(*best);
            return;
        };
        let (segment, rest) = match rest.split_once('/') {
            Some((segment, rest)) => (segment, Some(rest)),
            None => (rest, None),
        };
        *best = node.start_of(segment).max(*best);
        let children = [node.children.get(segment), node.any.as_ref()];
        for child in children.into_iter().flatten().filter_map(|index| self.nodes.get(*index)) {
            self.search(child, rest, best);
        }
    }

    fn index(&mut self) {
        let rulings = std::mem::take(&mut self.rulings);
        for (index, ruling) in rulings.iter().enumerate() {
            if ruling.pattern.is_exact() {
                self.exact.insert(ruling.pattern.as_str().into(), index);
            } else {
                self.plant(&ruling.pattern, index);
            }
        }
        self.rulings = rulings;
        self.nodes.iter_mut().for_each(Node::link_starts);
    }

    fn plant(&mut self, pattern: &Pattern, ruling: usize) {
        let (walk, start) = match pattern.is_prefix() {
            true => match pattern.literal().rsplit_once('/') {
                Some((walk, start)) => (Some(walk), Some(start)),
                None => (None, Some(pattern.literal())),
            },
            false => (Some(pattern.as_str()), None),
        };
        let mut at = 0;
        self.reach(at, ruling);
        for segment in walk.into_iter().flat_map(|walk| walk.split('/')) {
            at = self.child(at, segment);
            self.reach(at, ruling);
        }
        let Some(node) = self.nodes.get_mut(at) else { return };
        match start {
            Some(text) => node.starts.push(Start { text: text.into(), ruling, shorter: None }),
            None => node.here = Some(ruling),
        }
    }

    fn reach(&mut self, node: usize, ruling: usize) {
        if let Some(node) = self.nodes.get_mut(node) {
            node.strongest = node.strongest.max(ruling);
        }
    }

    fn child(&mut self, parent: usize, segment: &str) -> usize {
        let next = self.nodes.len();
        let Some(node) = self.nodes.get_mut(parent) else { return parent };
        let child = match segment {
            "+" => *node.any.get_or_insert(next),
            _ => match node.children.entry(segment.into()) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(free) => *free.insert(next),
            },
        };
        if child == next {
            self.nodes.push(Node::default());
        }
        child
    }
}

impl Ruling {
    fn new(pattern: Pattern) -> Self {
        Self { pattern, grants: Capabilities::NONE, sources: Vec::new(), conditions: Vec::new() }
    }

    fn add(&mut self, policy: &str, rule: &Rule) {
        self.grants = self.grants.union(rule.grants());
        self.sources.push(Source { policy: policy.to_owned(), line: rule.at.line });
        for condition in &rule.conditions {
            if !matches!(condition.key, "comment" | "expiration") && !self.conditions.contains(&condition.key) {
                self.conditions.push(condition.key);
            }
        }
    }
}

impl Node {
    fn link_starts(&mut self) {
        self.starts.sort_by(|left, right| left.text.cmp(&right.text));
        let mut open: Vec<(usize, Box<str>)> = Vec::new();
        for (index, start) in self.starts.iter_mut().enumerate() {
            while open.pop_if(|(_, text)| !start.text.starts_with(&**text)).is_some() {}
            start.shorter = open.last().map(|(index, _)| *index);
            open.push((index, start.text.clone()));
        }
    }

    /// The longest of the starts; within one node the longest is the strongest.
    fn start_of(&self, segment: &str) -> Option<usize> {
        let after = self.starts.partition_point(|start| &*start.text <= segment);
        let mut next = after.checked_sub(1);
        while let Some(start) = next.and_then(|index| self.starts.get(index)) {
            if segment.starts_with(&*start.text) {
                return Some(start.ruling);
            }
            next = start.shorter;
        }
        None
    }
}

fn filled(policy: &str, rule: &Rule, identity: &Identity) -> Result<String, InvalidAccess> {
    let (policy, line) = (policy.to_owned(), rule.at.line);
    fill(&rule.pattern, identity).map_err(|unfilled| match unfilled {
        Unfilled::Missing(word) => InvalidAccess::NoValue { policy, line, word },
        Unfilled::Wildcard(word) => InvalidAccess::WideValue { policy, line, word },
    })
}
