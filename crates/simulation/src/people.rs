//! People: at the platform's console, in the stores, and at our command line.

use db::Word;
use domain::{CredentialId, Destination, Duration, Fingerprint, Mode, SUCCESSOR_SUFFIX, SecretPath, Version};
use futures_util::FutureExt as _;

use crate::{
    consumers::{Consumer, place},
    event::{Act, Change, Event},
    platform::{Wanted, Who},
    stage::{Stage, World},
};

/// How the keys of what people write begin.
pub(crate) const BY_HAND: &str = "by hand";

pub(crate) fn act(stage: &Stage, act: Act) {
    stage.world().tell(|| format!("person  {act:?}"));
    match act {
        Act::Hold(credential) => hold(stage, credential),
        Act::Release(credential) => release(stage, credential),
        Act::Rotate(credential) => rotate(stage, credential),
        Act::Compromise(credential) => compromise(stage, credential),
        Act::RollBack(_) | Act::Import(_) | Act::ImportWrong(_) => stage.world().wishes.push(act),
        act => at_the_platform(&mut stage.world(), act),
    }
}

pub(crate) fn change_policy(stage: &Stage, credential: usize, change: Change) {
    let mut guard = stage.world();
    let world = &mut *guard;
    world.tell(|| format!("person  {}", Event::Policy(credential, change)));
    let policy = &mut world.policies[credential];
    match change {
        Change::Observe => policy.mode = Mode::Observe,
        Change::Automatic => policy.mode = Mode::Automatic,
        Change::LongerOverlap => policy.overlap = policy.overlap.saturating_add(Duration::from_hours(6)),
        Change::Widen => {
            let more = destination("two", credential);
            if !policy.deliver.contains(&more) {
                policy.deliver.push(more);
                world.consumers.push(Consumer::new(credential, "two", &place(credential), Duration::ZERO));
            }
        }
    }
}

pub(crate) fn destination(store: &str, credential: usize) -> Destination {
    Destination { store: store.into(), path: SecretPath::parse(&place(credential)).unwrap() }
}

pub(crate) fn identifier(world: &World, credential: usize) -> CredentialId {
    let parent = format!("app{}", world.platform.parents[credential]);
    CredentialId::new("sim", ["acme", &parent, &format!("key{credential}")]).unwrap()
}

/// The row of a credential, once the engine has met it.
pub(crate) fn row(stage: &Stage, credential: usize) -> Option<i64> {
    let id = identifier(&stage.world(), credential);
    stage.db().entry_id(&id).now_or_never().unwrap().unwrap()
}

/// A command beside the engine. One that is refused, since it was done already, changes nothing. What it changes while
/// another person hands something over is not that one's doing, and only what it changes.
fn command(stage: &Stage, credential: usize, run: impl FnOnce(i64, Word<'_>) -> Result<(), db::WriteError>) -> bool {
    let Some(row) = row(stage, credential) else { return false };
    let handing_over = stage.world().handing_over.clone().filter(|(about, _)| *about == row);
    let untouched = handing_over.is_some_and(|(_, before)| stage.recorded(row) == before);
    stage.world().aside = true;
    let at = stage.world().now;
    let done = run(row, Word { by: "ann", reason: "as she sees fit", at }).is_ok();
    stage.world().aside = false;
    if untouched {
        let after = stage.recorded(row);
        stage.world().handing_over = Some((row, after));
    }
    done
}

fn hold(stage: &Stage, credential: usize) {
    let last = stage.read(|db| Box::pin(db.journal_from(0))).last().map_or(0, |line| line.entry);
    let db = stage.db();
    if command(stage, credential, |row, word| db.hold(row, word).now_or_never().unwrap()) {
        stage.world().held[credential] = Some(last);
    }
}

pub(crate) fn release(stage: &Stage, credential: usize) {
    let db = stage.db();
    if command(stage, credential, |row, word| db.release(row, word).now_or_never().unwrap()) {
        stage.world().held[credential] = None;
    }
}

pub(crate) fn rotate(stage: &Stage, credential: usize) {
    let db = stage.db();
    command(stage, credential, |row, word| db.request_rotation(row, word).now_or_never().unwrap());
}

fn compromise(stage: &Stage, credential: usize) {
    let db = stage.db();
    if command(stage, credential, |row, word| db.request_compromised(row, word).now_or_never().unwrap()) {
        let mut chosen = false;
        let own = identifier(&stage.world(), credential);
        stage.scan(|entry| {
            let observed = &entry.observed;
            let to = observed.rotation.as_ref().and_then(|rotation| observed.version(rotation.to?));
            chosen |= observed.credential == own && to.is_some_and(Version::is_prepared);
        });
        let mut world = stage.world();
        world.compromised_at[credential] = Some(world.now);
        world.chosen_before[credential] = chosen;
    }
}

fn at_the_platform(world: &mut World, act: Act) {
    let credential = act.credential();
    let mut live = world.platform.live_of(credential, world.now);
    let (oldest, newest) = match (live.next(), live.next_back()) {
        (oldest, None) => (oldest, oldest),
        both => both,
    };
    drop(live);
    let World { platform, random, now, fooled, .. } = &mut *world;
    let parent = platform.parents[credential];
    match act {
        Act::RemoveNewest(_) => drop(newest.map(|index| platform.remove(*now, random, index, Who::Person))),
        Act::RemoveOldest(_) => drop(oldest.map(|index| platform.remove(*now, random, index, Who::Person))),
        Act::MakeStray(_) => {
            // It takes a slot that nobody has heard of.
            *fooled = true;
            let name = format!("key{credential}{SUCCESSOR_SUFFIX}");
            // The platform may refuse; then the person lets it be.
            platform.mint(*now, random, Wanted::by_hand(credential, &name, "by hand")).ok();
        }
        Act::Rename(_) => {
            let Some(index) = oldest else { return };
            platform.rename(*now, index, &format!("mine{credential}"), "renamed", Who::Person).ok();
        }
        Act::Restore(_) => {
            *fooled = true;
            platform.restore(credential, *now);
        }
        Act::SwitchOff(_) if !platform.disabled.contains(&parent) => platform.disabled.push(parent),
        Act::SwitchOn(_) => {
            platform.disabled.retain(|off| *off != parent);
            world.switched_on.insert(parent, world.now);
        }
        Act::WriteOld(_) => {
            let Some(index) = oldest else { return };
            let secret = platform.minted[index].secret.clone();
            write(world, credential, &secret);
        }
        Act::WriteJunk(_) => write(world, credential, "changeme"),
        Act::Hold(_)
        | Act::Release(_)
        | Act::Rotate(_)
        | Act::Compromise(_)
        | Act::RollBack(_)
        | Act::Import(_)
        | Act::ImportWrong(_)
        | Act::SwitchOff(_) => {}
    }
}

fn write(world: &mut World, credential: usize, secret: &str) {
    let now = world.now;
    let slot = world.slot("one", &place(credential));
    let key = format!("{BY_HAND} {}", slot.kept.len());
    let at = slot.put(&key, secret, Fingerprint([7; 32]));
    slot.serve(at, now, Who::Person);
}
