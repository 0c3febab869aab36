//! What holds once faults have ended and everything had its time.

use domain::Phase;

use crate::{Account, Breach, Breaches, Promise, Who};

/// Every promise that holds at every moment, and those that need an end: nothing is lost, nothing is left open, and each
/// credential is at its goal.
pub fn at_rest(account: &Account) -> Vec<Breach> {
    let mut found = Breaches(crate::always(account));
    nothing_is_lost(account, &mut found);
    everything_has_its_outcome(account, &mut found);
    everything_is_at_its_goal(account, &mut found);
    found.0
}

/// Between these two nothing was to happen.
pub fn quiet_at_rest(before: &Account, after: &Account) -> Vec<Breach> {
    let mut found = Breaches::default();
    if let Some(effect) = after.effects.get(before.effects.len()) {
        found.push(Promise::QuietAtRest, format!("a {:?} at {}", effect.verb, effect.at));
    }
    found.0
}

/// 2. Whatever we made and did not end is read by somebody. And what we ended is in our books.
fn nothing_is_lost(account: &Account, found: &mut Breaches) {
    for version in account.versions.iter().filter(|version| version.made.1 == Who::Us) {
        let (credential, handle) = (&version.credential, &version.handle);
        let served = account.served.iter().any(|place| place.version.as_ref() == Some(handle));
        found.unless(served || !version.is_live(), Promise::NothingLost, || {
            format!("{credential}: {handle} is made by us, lives, and nobody reads it")
        });
        let Some(record) = account.record(handle) else {
            found.push(Promise::NothingLost, format!("{credential}: {handle} is made by us and not in our books"));
            continue;
        };
        found.unless(record.secret_held || !version.is_live(), Promise::NothingLost, || {
            format!("{credential}: {handle} lives, and we have lost its secret")
        });
    }
}

/// 10. and 7. Nothing is in doubt, and what was ended is proved dead.
fn everything_has_its_outcome(account: &Account, found: &mut Breaches) {
    for line in account.journal.iter().filter(|line| matches!(line.phase, Phase::Begun | Phase::InDoubt)) {
        let words = format!("{}: {} is {} at rest", line.credential, line.step, line.phase.word());
        found.push(Promise::Evidence, words);
    }
    for record in account.records.iter().filter(|record| record.revoked && !record.dead) {
        let words = format!("{}: {} is revoked and never proved dead", record.credential, record.handle);
        found.push(Promise::DeadMeansProvedDead, words);
    }
}

/// One live version of each credential, and it is what is read everywhere.
fn everything_is_at_its_goal(account: &Account, found: &mut Breaches) {
    for credential in account.policies.keys() {
        let of_it = account.versions.iter().filter(|version| version.credential == *credential && version.is_live());
        let live: Vec<&str> = of_it.map(|version| version.handle.as_str()).collect();
        let [current] = live[..] else {
            found.push(Promise::Liveness, format!("{credential}: {} versions live", live.len()));
            continue;
        };
        for place in account.served.iter().filter(|place| place.credential == *credential) {
            found.unless(place.version.as_deref() == Some(current), Promise::Liveness, || {
                format!("{credential}: {} does not serve {current}, the only one that lives", place.place)
            });
        }
    }
}
