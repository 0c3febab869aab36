//! What a listing changes in the inventory: pure, data in and data out.
//!
//! Versions are recognised by the platform's id alone. A name proves nothing: people rename, delete and create by
//! hand, and a listing may be old.

use std::collections::{HashMap, HashSet};

use db::{Change, CredentialFacts, KnownCredential, KnownVersion, NewVersion};
use domain::{
    CredentialId, FactSheet, InvalidId, Origin, Overlap, Owner, Parent, Presence, RotationId, SUCCESSOR_SUFFIX,
    VersionNumber, planted,
};
use driver::{Declared, Found};

/// A listing that loses more than this share of what was there, and more than a handful, is not believed: a filter,
/// a missing right or a stale replica is likelier than a mass deletion.
const SHRINK_SHARE_MAX: usize = 10;
const SHRINK_COUNT_MAX: usize = 10;

#[derive(Debug, Default)]
pub struct Reconciled {
    pub changes: Vec<Change>,
    /// Known versions that the listing did not show, to be asked for by id.
    pub missing: Vec<(i64, VersionNumber)>,
    /// Found ones whose names cannot be identifiers, with the reason.
    pub unusable: Vec<(String, InvalidId)>,
    /// So many known versions were not shown that the listing itself is in question; `missing` is then empty.
    pub shrunk: Option<Shrunk>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shrunk {
    pub known: usize,
    pub absent: usize,
}

/// A complete listing of some scope.
#[derive(Debug, Default)]
pub struct Listed {
    pub found: Vec<Found>,
    pub declared: Vec<Declared>,
}

/// What a listing is compared with.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    pub issuer: &'a str,
    pub facts: &'a FactSheet,
    pub credentials: &'a [KnownCredential],
    /// Our marks of rotations that are not under way any more.
    pub markers: &'a HashMap<RotationId, i64>,
}

/// Compares a complete listing with what is known in its scope.
pub fn reconcile(known: Known<'_>, listed: &Listed) -> Reconciled {
    let mut comparison = Comparison::new(known);
    for one in &listed.found {
        if let Err(error) = comparison.take(one) {
            comparison.out.unusable.push((one.names.join("/"), error));
        }
    }
    for one in &listed.declared {
        if let Err(error) = comparison.declare(one) {
            comparison.out.unusable.push((one.names.join("/"), error));
        }
    }
    comparison.finish()
}

struct Comparison<'a> {
    issuer: &'a str,
    facts: &'a FactSheet,
    known: &'a [KnownCredential],
    by_handle: HashMap<&'a str, (usize, usize)>,
    by_id: HashMap<&'a str, usize>,
    by_rotation: HashMap<RotationId, usize>,
    /// What the platform says now of each known credential.
    described: HashMap<usize, Description<'a>>,
    /// Highest version number given so far to credentials that grew in this listing.
    grown: HashMap<usize, u32>,
    met: HashSet<CredentialId>,
    seen: HashSet<(usize, usize)>,
    /// Names of strays, by parent and the name that a successor could not have.
    taken: HashMap<(String, String), String>,
    out: Reconciled,
}

impl<'a> Comparison<'a> {
    fn new(Known { issuer, facts, credentials: known, markers }: Known<'a>) -> Self {
        let mut by_handle = HashMap::with_capacity(known.len());
        let mut by_id = HashMap::with_capacity(known.len());
        let mut by_rotation = HashMap::new();
        let mut by_row = HashMap::with_capacity(known.len());
        for (c, credential) in known.iter().enumerate() {
            by_id.insert(credential.credential.as_str(), c);
            by_row.insert(credential.id, c);
            by_rotation.extend(credential.rotation.clone().map(|rotation| (rotation, c)));
            for (v, version) in credential.versions.iter().enumerate() {
                // A stray that was renamed lives on as a version of the credential whose name it took.
                if !(credential.stray && version.presence == Presence::Gone) {
                    by_handle.insert(version.handle.as_str(), (c, v));
                }
            }
        }
        for (rotation, row) in markers {
            if let Some(c) = by_row.get(row) {
                by_rotation.entry(rotation.clone()).or_insert(*c);
            }
        }
        Self {
            issuer,
            facts,
            known,
            by_handle,
            by_id,
            by_rotation,
            described: HashMap::new(),
            grown: HashMap::new(),
            met: HashSet::new(),
            seen: HashSet::new(),
            taken: HashMap::new(),
            out: Reconciled::default(),
        }
    }

    fn take(&mut self, found: &'a Found) -> Result<(), InvalidId> {
        let stray_name = found.names.last().is_some_and(|name| name.ends_with(SUCCESSOR_SUFFIX));
        if let Some(&(c, v)) = self.by_handle.get(found.handle.as_str())
            && let Some(credential) = self.known.get(c)
            && let Some(version) = credential.versions.get(v)
        {
            if !credential.stray || stray_name {
                self.known_one(c, v, credential, version, found);
                return Ok(());
            }
            let number = version.number;
            self.out.changes.push(Change::Absent { id: credential.id, number, presence: Presence::Gone });
            self.seen.insert((c, v));
        }
        if let Some(rotation) = found.marker.as_ref().map(domain::Marker::rotation)
            && let Some(&c) = self.by_rotation.get(&rotation)
        {
            if !self.comes_again(c, &rotation) {
                self.appeared(c, found, Origin::Orphan);
            }
            return Ok(());
        }
        let id = CredentialId::new(self.issuer, found.names.iter().map(String::as_str))?;
        if planted("orphan_by_name")
            && let Some(&c) = id.as_str().strip_suffix(SUCCESSOR_SUFFIX).and_then(|base| self.by_id.get(base))
        {
            self.appeared(c, found, Origin::Orphan);
            return Ok(());
        }
        if stray_name {
            self.take_name(found);
        }
        if let Some(&c) = self.by_id.get(id.as_str()) {
            self.described.insert(c, Description::of(found));
            self.another(c, found);
        } else if self.met.insert(id.clone()) {
            self.meet(id, found, stray_name)?;
        }
        Ok(())
    }

    /// The answer to our issue was lost, and repeating it brings this very version with its secret: until then, it is
    /// neither an orphan nor anything else.
    fn comes_again(&self, c: usize, rotation: &RotationId) -> bool {
        self.known.get(c).is_some_and(|credential| {
            self.facts.of(&credential.kind).repeats_itself() && credential.rotation.as_ref() == Some(rotation)
        })
    }

    /// An unmarked version of a known credential. While our issue is in doubt, it may be what we issued: where repeating
    /// the call brings it again, it waits for that; where it replaced the old one, its secret is lost.
    fn another(&mut self, c: usize, found: &Found) {
        let Some(credential) = self.known.get(c) else { return };
        let facts = self.facts.of(&credential.kind);
        let in_doubt = credential.issue_in_doubt;
        if in_doubt && facts.repeats_itself() {
            return;
        }
        let lost = in_doubt && facts.overlap == Overlap::Replace;
        self.appeared(c, found, if lost { Origin::Orphan } else { Origin::Found });
    }

    /// A credential that is to exist, whether or not any version of it is shown.
    fn declare(&mut self, declared: &'a Declared) -> Result<(), InvalidId> {
        let id = CredentialId::new(self.issuer, declared.names.iter().map(String::as_str))?;
        let description = Description::declared(declared);
        if let Some(&c) = self.by_id.get(id.as_str()) {
            self.described.entry(c).or_insert(description);
        } else if self.met.insert(id.clone()) {
            let parent = self.parent_of(&declared.names)?;
            let facts = self.facts_of(&description, false)?;
            self.out.changes.push(Change::Met { credential: id, parent, facts, version: None });
        }
        Ok(())
    }

    fn known_one(
        &mut self,
        c: usize,
        v: usize,
        credential: &KnownCredential,
        version: &KnownVersion,
        found: &'a Found,
    ) {
        self.seen.insert((c, v));
        if credential.stray {
            self.take_name(found);
        }
        self.described.insert(c, Description::of(found));
        let name = found.names.last().map_or("", String::as_str);
        let listed = version.presence == Presence::Listed || version.revoked;
        if version.name != name || version.title != found.title || !listed {
            self.out.changes.push(Change::Seen {
                id: credential.id,
                number: version.number,
                name: name.to_owned(),
                title: found.title.clone(),
            });
        }
    }

    fn appeared(&mut self, c: usize, found: &Found, origin: Origin) {
        let Some(credential) = self.known.get(c) else { return };
        let last = credential.versions.iter().map(|version| version.number.0).max().unwrap_or_default();
        let number = self.grown.entry(c).or_insert(last);
        *number += 1;
        let version = new_version(VersionNumber(*number), found, origin);
        self.out.changes.push(Change::Appeared { id: credential.id, version });
    }

    fn meet(&mut self, credential: CredentialId, found: &Found, stray: bool) -> Result<(), InvalidId> {
        let parent = self.parent_of(&found.names)?;
        let facts = self.facts_of(&Description::of(found), stray)?;
        let version = Some(new_version(VersionNumber(1), found, Origin::Found));
        self.out.changes.push(Change::Met { credential, parent, facts, version });
        Ok(())
    }

    fn facts_of(&self, described: &Description<'_>, stray: bool) -> Result<CredentialFacts, InvalidId> {
        Ok(CredentialFacts {
            name: described.names.last().cloned().unwrap_or_default(),
            title: described.title.to_owned(),
            locator: described.locator.to_owned(),
            owner: described.owner.cloned(),
            parent_enabled: described.parent == Parent::Enabled,
            stray,
            name_taken: None,
            kind: described.kind.to_owned(),
            minted_from: self.minted_from(described)?,
            protected: described.protected,
        })
    }

    fn minted_from(&self, described: &Description<'_>) -> Result<Option<CredentialId>, InvalidId> {
        let names = described.minted_from;
        names.map(|names| CredentialId::new(self.issuer, names.iter().map(String::as_str))).transpose()
    }

    fn take_name(&mut self, found: &Found) {
        let Some(name) = found.names.last() else { return };
        let Ok(parent) = self.parent_of(&found.names) else { return };
        let base = name.strip_suffix(SUCCESSOR_SUFFIX).unwrap_or(name).to_owned();
        self.taken.insert((parent, base), name.clone());
    }

    fn parent_of(&self, names: &[String]) -> Result<String, InvalidId> {
        let above = names.split_last().map_or(&[][..], |(_, above)| above);
        Ok(CredentialId::new(self.issuer, above.iter().map(String::as_str))?.to_string())
    }

    /// What holds once the whole listing is known: whose names are taken, and what was not shown.
    fn finish(mut self) -> Reconciled {
        for change in &mut self.out.changes {
            if let Change::Met { parent, facts, .. } = change
                && !facts.stray
            {
                facts.name_taken = self.taken.get(&(parent.clone(), facts.name.clone())).cloned();
            }
        }
        for (c, credential) in self.known.iter().enumerate() {
            self.describe(c, credential);
        }
        let live = |version: &KnownVersion| {
            !version.revoked && !matches!(version.presence, Presence::Gone | Presence::Prepared)
        };
        let mut known = 0;
        for (c, credential) in self.known.iter().enumerate() {
            if !self.facts.of(&credential.kind).lists_versions {
                continue;
            }
            for (v, version) in credential.versions.iter().enumerate().filter(|(_, version)| live(version)) {
                known += 1;
                if !self.seen.contains(&(c, v)) {
                    self.out.missing.push((credential.id, version.number));
                }
            }
        }
        let absent = self.out.missing.len();
        if absent > SHRINK_COUNT_MAX && absent * SHRINK_SHARE_MAX > known {
            self.out.shrunk = Some(Shrunk { known, absent });
            self.out.missing.clear();
        }
        for (id, number) in &self.out.missing {
            let presence = Presence::Missing;
            self.out.changes.push(Change::Absent { id: *id, number: *number, presence });
        }
        self.out
    }

    fn describe(&mut self, c: usize, credential: &KnownCredential) {
        let parent = credential.credential.as_str().rsplit_once('/').map_or("", |(parent, _)| parent);
        let name_taken = self.taken.get(&(parent.to_owned(), credential.name.clone())).cloned();
        let name_taken = name_taken.filter(|_| !credential.stray);
        let mut facts = CredentialFacts {
            name: credential.name.clone(),
            title: credential.title.clone(),
            locator: credential.locator.clone(),
            owner: credential.owner.clone(),
            parent_enabled: credential.parent_enabled,
            stray: credential.stray,
            name_taken,
            kind: credential.kind.clone(),
            minted_from: credential.minted_from.clone(),
            protected: credential.protected,
        };
        let before = facts.clone();
        if let Some(found) = self.described.get(&c) {
            found.locator.clone_into(&mut facts.locator);
            // A narrow listing need not tell the owner again; one that was known stays.
            facts.owner = found.owner.cloned().or(facts.owner);
            facts.parent_enabled = found.parent == Parent::Enabled;
            found.kind.clone_into(&mut facts.kind);
            facts.minted_from = self.minted_from(found).ok().flatten().or(facts.minted_from);
            facts.protected = found.protected;
            if names_follow_people(credential) {
                facts.name = found.names.last().cloned().unwrap_or_default();
                found.title.clone_into(&mut facts.title);
            }
        }
        if facts != before || before.name_taken != credential.name_taken {
            self.out.changes.push(Change::Described { id: credential.id, facts });
        }
    }
}

/// A person's rename is followed while the credential is only observed. Once we have issued for it, its name is the
/// one that we promised to give back, and an old listing must not change that.
fn names_follow_people(credential: &KnownCredential) -> bool {
    credential.rotation.is_none() && credential.versions.iter().all(|version| version.origin == Origin::Found)
}

fn new_version(number: VersionNumber, found: &Found, origin: Origin) -> NewVersion {
    NewVersion {
        number,
        handle: found.handle.clone(),
        name: found.names.last().cloned().unwrap_or_default(),
        title: found.title.clone(),
        origin,
        marker: found.marker.clone(),
        created_at: found.created_at,
        expires_at: found.expires_at,
    }
}

/// What a listing says of a credential, with a version or without.
#[derive(Clone, Copy)]
struct Description<'a> {
    names: &'a [String],
    title: &'a str,
    locator: &'a str,
    kind: &'static str,
    owner: Option<&'a Owner>,
    parent: Parent,
    protected: bool,
    minted_from: Option<&'a [String]>,
}

impl<'a> Description<'a> {
    fn of(found: &'a Found) -> Self {
        Self {
            names: &found.names,
            title: &found.title,
            locator: &found.locator,
            kind: found.kind,
            owner: found.owner.as_ref(),
            parent: found.parent,
            protected: found.protected,
            minted_from: found.minted_from.as_deref(),
        }
    }

    fn declared(declared: &'a Declared) -> Self {
        Self {
            names: &declared.names,
            title: &declared.title,
            locator: &declared.locator,
            kind: declared.kind,
            owner: declared.owner.as_ref(),
            parent: Parent::Enabled,
            protected: false,
            minted_from: declared.minted_from.as_deref(),
        }
    }
}
