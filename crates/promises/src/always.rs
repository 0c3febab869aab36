//! What holds at every moment, whatever happens.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::{Phase, Timestamp};

use crate::{Account, Breach, Breaches, Promise, Use, Verb, Version, Who, Word};

/// Every promise that an account can tell broken while things are under way.
pub fn always(account: &Account) -> Vec<Breach> {
    let mut found = Breaches::default();
    let seen = Seen::of(account);
    consumers_are_served(account, &seen, &mut found);
    places_are_right(account, &seen, &mut found);
    ends_were_earned(account, &seen, &mut found);
    nothing_else_was_touched(account, &mut found);
    slots_sufficed(account, &mut found);
    the_dead_are_dead(account, &seen, &mut found);
    one_went_first(account, &mut found);
    effects_were_written_down(account, &mut found);
    nothing_was_shown(account, &mut found);
    found.0
}

/// An account by handle and by credential: some have tens of thousands of calls.
struct Seen<'a> {
    versions: HashMap<&'a str, &'a Version>,
    uses: HashMap<&'a str, Vec<&'a Use>>,
}

impl<'a> Seen<'a> {
    fn of(account: &'a Account) -> Self {
        let versions = account.versions.iter().map(|version| (version.handle.as_str(), version)).collect();
        let mut uses: HashMap<&str, Vec<&Use>> = HashMap::new();
        for one in &account.uses {
            uses.entry(one.credential.as_str()).or_default().push(one);
        }
        Self { versions, uses }
    }

    fn uses(&self, credential: &str) -> &[&'a Use] {
        self.uses.get(credential).map_or(&[], Vec::as_slice)
    }
}

/// 1. Whatever consumers called with was accepted, and what they would read now is.
fn consumers_are_served(account: &Account, seen: &Seen<'_>, found: &mut Breaches) {
    let excused = |handle: &str, credential: &str| {
        let by_others =
            seen.versions.get(handle).and_then(|version| version.ended).is_some_and(|(_, by)| by != Who::Us);
        by_others || account.is_compromised(credential)
    };
    for one in account.uses.iter().filter(|one| !one.accepted) {
        let Some(handle) = &one.version else { continue };
        found.unless(excused(handle, &one.credential), Promise::NeverWithoutAWorkingCredential, || {
            format!(
                "{}: {}, who reads {}, is refused with {handle} at {}",
                one.credential, one.consumer, one.place, one.at
            )
        });
    }
    for place in &account.served {
        let Some(handle) = &place.version else { continue };
        let accepted = seen.versions.get(handle.as_str()).is_some_and(|version| version.accepted);
        let holds = accepted || excused(handle, &place.credential);
        found.unless(holds, Promise::NeverWithoutAWorkingCredential, || {
            format!("{}: {} serves {handle}, which is refused", place.credential, place.place)
        });
    }
}

/// 3. What stands at a place is a version of the credential whose place it is.
fn places_are_right(account: &Account, seen: &Seen<'_>, found: &mut Breaches) {
    let mut told = BTreeSet::new();
    let used = account.uses.iter().map(|one| (&one.place, &one.credential, &one.version));
    let served = account.served.iter().map(|one| (&one.place, &one.credential, &one.version));
    for (place, credential, version) in used.chain(served) {
        let owner = version.as_deref().and_then(|handle| seen.versions.get(handle)).map(|version| &version.credential);
        if owner != Some(credential) && told.insert(place) {
            let owner = owner.map_or("nothing that the platform knows", String::as_str);
            found.push(Promise::NeverTheWrongPlace, format!("{place}, of {credential}, serves {owner}"));
        }
    }
}

/// 3. and 4. What we ended was superseded where it was read, long enough ago, and silent.
fn ends_were_earned(account: &Account, seen: &Seen<'_>, found: &mut Breaches) {
    for version in &account.versions {
        let Some((ended, Who::Us)) = version.ended else { continue };
        let uses = seen.uses(&version.credential);
        let mut last: BTreeMap<(&str, &str), &Use> = BTreeMap::new();
        let mut since: BTreeMap<&str, Option<Timestamp>> = BTreeMap::new();
        let mut handed_out = false;
        for one in uses.iter().filter(|one| one.at < ended) {
            let is_old = one.version.as_deref() == Some(version.handle.as_str());
            handed_out |= is_old;
            last.insert((&one.place, &one.consumer), one);
            let since = since.entry(&one.place).or_default();
            match is_old {
                true if one.fresh => *since = None,
                false if one.fresh => *since = since.or(Some(one.at)),
                _ => {}
            }
        }
        if !handed_out {
            continue;
        }
        let (handle, credential) = (&version.handle, &version.credential);
        for ((place, consumer), one) in &last {
            let holds = one.version.as_deref() == Some(handle.as_str());
            found.unless(!holds || account.is_compromised(credential), Promise::NeverRemovedInUse, || {
                format!("{credential}: {handle} is revoked at {ended} while {consumer}, who reads {place}, has it")
            });
        }
        for (place, since) in since {
            found.unless(since.is_some(), Promise::NeverTheWrongPlace, || {
                format!("{credential}: {handle} goes at {ended}, and {place} never served another")
            });
            gate_was_open(account, version, (place, since, ended), &last_use(uses, version, ended), found);
        }
    }
}

fn last_use(uses: &[&Use], version: &Version, before: Timestamp) -> Option<Timestamp> {
    let of_it = |one: &&&Use| one.at < before && one.version.as_deref() == Some(version.handle.as_str());
    uses.iter().filter(of_it).map(|one| one.at).max()
}

fn gate_was_open(
    account: &Account,
    version: &Version,
    (place, since, ended): (&str, Option<Timestamp>, Timestamp),
    last_use: &Option<Timestamp>,
    found: &mut Breaches,
) {
    let (handle, credential) = (&version.handle, &version.credential);
    let (Some(policy), false) = (account.policies.get(credential), account.is_waived(credential)) else { return };
    let served = since.map(|since| ended.duration_since(since));
    if let Some(served) = served.filter(|served| *served < policy.overlap) {
        let overlap = policy.overlap;
        let words = format!("{credential}: {handle} goes {served:#} after {place} has another, not {overlap:#}");
        found.push(Promise::NeverRemovedInUse, words);
    }
    let quiet = last_use.map(|at| ended.duration_since(at)).filter(|quiet| *quiet > policy.unseen);
    if let (Some(quiet), Some(wanted)) = (quiet, policy.quiet_for)
        && quiet < wanted
    {
        let words = format!("{credential}: {handle} goes {quiet:#} after its last use, not {wanted:#}");
        found.push(Promise::NeverRemovedInUse, words);
    }
}

/// 5. Nothing that is not ours, and nothing while it is held.
fn nothing_else_was_touched(account: &Account, found: &mut Breaches) {
    for version in &account.versions {
        let ended_by_us = version.ended.is_some_and(|(_, by)| by == Who::Us);
        let ours = account.policies.contains_key(&version.credential) && !version.untouchable;
        found.unless(!ended_by_us || ours, Promise::NeverTouched, || {
            format!("{}: {} is ended by us and is not ours", version.credential, version.handle)
        });
        for word in &account.words {
            let Word::Held { credential, since, until } = word else { continue };
            let within = |at: Timestamp| at > *since && until.is_none_or(|until| at < until);
            let mut changes = [Some(version.made), version.ended].into_iter().flatten();
            let touched = changes.rfind(|(at, by)| *by == Who::Us && within(*at));
            if let Some((at, _)) = touched.filter(|_| *credential == version.credential) {
                let words = format!("{credential}: {} is changed at {at}, and it is held", version.handle);
                found.push(Promise::NeverTouched, words);
            }
        }
    }
}

/// 6. No version of ours came to live where the platform has no place for it.
fn slots_sufficed(account: &Account, found: &mut Breaches) {
    for version in account.versions.iter().filter(|version| version.made.1 == Who::Us) {
        let Some(policy) = account.policies.get(&version.credential) else { continue };
        let Some(max) = policy.live_max else { continue };
        let beside = |other: &&Version| {
            let parent = account.policies.get(&other.credential).map(|policy| &policy.parent);
            parent == Some(&policy.parent) && other.lived(version.made.0)
        };
        let live = account.versions.iter().filter(beside).count();
        found.unless(live <= max, Promise::NeverMoreThanTheIssuerAllows, || {
            format!("{}: {} makes {live} live under {}, of {max}", version.credential, version.handle, policy.parent)
        });
    }
}

/// 7. What our inventory calls dead is gone, and gets nobody in.
fn the_dead_are_dead(account: &Account, seen: &Seen<'_>, found: &mut Breaches) {
    for record in account.records.iter().filter(|record| record.dead) {
        let Some(version) = seen.versions.get(record.handle.as_str()) else { continue };
        let alive = version.is_live() || record.secret_held && version.accepted;
        found.unless(!alive, Promise::DeadMeansProvedDead, || {
            format!("{}: {} is called dead and lives", record.credential, record.handle)
        });
    }
}

/// 8. Under a policy that has proved nothing, no second credential is begun before a first one is promoted.
fn one_went_first(account: &Account, found: &mut Breaches) {
    let mut first: BTreeMap<&str, &str> = BTreeMap::new();
    let mut proved: BTreeSet<&str> = BTreeSet::new();
    for line in &account.journal {
        let Some(policy) = account.policies.get(&line.credential).map(|policy| policy.name.as_str()) else { continue };
        match line.step.as_str() {
            "promote" if line.phase == Phase::Done => {
                proved.insert(policy);
            }
            "issue" | "prepare" if !proved.contains(policy) => {
                let first = *first.entry(policy).or_insert(&line.credential);
                found.unless(first == line.credential, Promise::SmallBlastRadius, || {
                    format!("{} begins under {policy} before {first} has come through", line.credential)
                });
            }
            _ => {}
        }
    }
}

/// 10. Every effect at the platform has an intent of its own kind on the disk, and no more effects than intents.
fn effects_were_written_down(account: &Account, found: &mut Breaches) {
    let may_have =
        |line: &&crate::Line, verb: Verb| verb.steps().contains(&line.step.as_str()) && line.phase != Phase::Failed;
    let mut intended: BTreeMap<&str, usize> = BTreeMap::new();
    for line in account.journal.iter().filter(|line| may_have(line, Verb::Issue)) {
        *intended.entry(&line.credential).or_default() += 1;
    }
    let mut made: BTreeMap<&str, usize> = BTreeMap::new();
    for version in account.versions.iter().filter(|version| version.made.1 == Who::Us) {
        *made.entry(&version.credential).or_default() += 1;
    }
    for (credential, made) in made {
        let intended = intended.get(credential).copied().unwrap_or_default();
        found.unless(made <= intended, Promise::Evidence, || {
            format!("{credential}: {made} versions are made by us, and the journal has {intended} that may be")
        });
    }
    for effect in account.effects.iter().filter(|effect| !effect.refused && effect.verb != Verb::Issue) {
        let Some(handle) = &effect.version else { continue };
        let record = account.record(handle);
        let holds = record.is_some_and(|record| {
            let of_it = |line: &&crate::Line| {
                line.credential == record.credential
                    && line.version == Some(record.number)
                    && effect.verb.steps().contains(&line.step.as_str())
            };
            account.journal.iter().any(|line| of_it(&line))
        });
        found.unless(holds, Promise::Evidence, || {
            format!("a {:?} of {handle} at {} has no step in the journal", effect.verb, effect.at)
        });
    }
}

/// 11. No secret stands in what is written or printed in clear.
fn nothing_was_shown(account: &Account, found: &mut Breaches) {
    for (place, text) in &account.texts {
        let shown =
            account.secrets.iter().filter(|secret| !secret.is_empty()).find_map(|secret| text.split_once(&**secret));
        // The words must not carry the secret on: they show what stands before it.
        if let Some((before, _)) = shown {
            let skipped = before.chars().count().saturating_sub(120);
            let before: String = before.chars().skip(skipped).collect();
            found.push(Promise::SecretsStaySecret, format!("a secret in {place}, after `{before}`"));
        }
    }
}
