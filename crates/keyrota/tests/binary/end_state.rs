//! Walking a world to rest, and what must hold then.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{
    consumer::{Reader, pair},
    world::{Known, World},
};

/// A rotation needs a few runs at most, even when every call fails once.
const RUNS_MAX: usize = 40;

/// What many runs did together, by the word of the step.
pub(crate) type Performed = BTreeMap<String, u64>;

impl World {
    pub(crate) fn run(&self) -> crate::world::Ran {
        self.keyrota("run --once --output json")
    }

    /// Runs until nothing is due and nothing waits. What waits for its time gets an hour each time.
    #[track_caller]
    pub(crate) fn run_to_rest(&self) -> Performed {
        let mut performed = Performed::new();
        for _ in 0..RUNS_MAX {
            let run = self.run();
            if run.code == Some(1) {
                // The issuer was in trouble as a whole; what was begun is in the journal.
                continue;
            }
            let report = run.json();
            add(&mut performed, &report);
            let idle = report["performed"].as_object().unwrap().is_empty();
            match (idle, report["waiting"].as_u64().unwrap()) {
                (true, 0) => return performed,
                (true, _) => self.advance("1h"),
                (false, _) => {}
            }
        }
        let status = self.keyrota("status");
        panic!("no rest after {RUNS_MAX} runs\n{performed:?}\n{}{}", status.stdout, status.stderr);
    }

    /// Runs until every credential is in its overlap or at rest.
    #[track_caller]
    pub(crate) fn run_to_overlap(&self) {
        for _ in 0..RUNS_MAX {
            let run = self.run();
            if run.code != Some(1) && run.json()["performed"].as_object().unwrap().is_empty() {
                return;
            }
        }
        panic!("no overlap after {RUNS_MAX} runs");
    }
}

pub(crate) fn add(performed: &mut Performed, report: &Value) {
    for (step, count) in report["performed"].as_object().unwrap() {
        *performed.entry(step.clone()).or_default() += count.as_u64().unwrap();
    }
}

/// In the overlap: a successor for each, current in the store and accepted, while the old ones are accepted too.
#[track_caller]
pub(crate) fn check_overlap(world: &World, before: &[Known]) {
    let (mut reader, mut gateway) = (Reader::new(world), world.gateway());
    let live = world.live();
    assert_eq!(live.len(), 2 * before.len());
    let old: BTreeSet<&str> = before.iter().map(|one| one.client_id.as_str()).collect();
    for one in before {
        assert_eq!(gateway.ping(&one.client_id, &one.client_secret), 200, "the old pair of {}", one.path());
        let read = reader.read(&one.path()).unwrap_or_else(|| panic!("nothing at {}", one.path()));
        assert!(!old.contains(read.client_id.as_str()), "{} still delivers an old pair", one.path());
        assert_eq!(gateway.ping(&read.client_id, &read.client_secret), 200, "the new pair of {}", one.path());
    }
}

/// At rest after everything was replaced: one live version of each, under the names that people know, and it is the
/// one in the store. No orphan, nothing lost, the old ones refused.
#[track_caller]
pub(crate) fn check_renewed(world: &World, before: &[Known]) {
    let (mut reader, mut gateway) = (Reader::new(world), world.gateway());
    let live = world.live();
    let names = |all: &[Known]| -> Vec<Vec<String>> {
        let mut names: Vec<_> = all.iter().map(|one| one.names().map(str::to_owned).to_vec()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&live), names(before));
    for one in &live {
        let read = reader.read(&one.path()).unwrap_or_else(|| panic!("nothing at {}", one.path()));
        assert_eq!(read, pair(one), "{}: what is live is not what readers get", one.path());
        assert_eq!(gateway.ping(&read.client_id, &read.client_secret), 200, "{}", one.path());
    }
    for one in before {
        assert!(live.iter().all(|other| other.id != one.id), "the old version of {} lives", one.path());
        assert_eq!(gateway.ping(&one.client_id, &one.client_secret), 401, "{}", one.path());
    }
    for line in world.keyrota("credential list --output json").exits(0).objects() {
        assert_eq!((&line["state"], &line["attention"]), (&"current".into(), &Value::Null), "{line}");
    }
}

/// Another run finds nothing to do, says so, and writes nothing at the platform.
#[track_caller]
pub(crate) fn check_at_rest(world: &World) {
    let before = world.writes();
    let run = world.keyrota("run --once").exits(0);
    assert_eq!(run.stdout, "nothing was due; nothing was changed\n");
    assert_eq!(world.writes(), before);
}
