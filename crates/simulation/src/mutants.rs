//! Mistakes of this field, planted one at a time: each must break a promise, or the promises watch nothing.

use std::{
    collections::BTreeMap,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc::{Sender, channel},
    },
};

use crate::{
    event::{Event, Events, Fault},
    matrix::matrix,
    play::play,
    promises::Breach,
    scenario::Scenario,
};

/// Each with what is wrong with it.
const MUTANTS: &[(&str, &str)] = &[
    ("retired_by_count", "the old version goes as soon as there are two"),
    ("overlap_ignored", "the old version goes without waiting for the overlap"),
    ("overlap_from_the_issue", "overlap and silence count from the beginning, not from the confirmation"),
    ("unknown_use_is_quiet", "an issuer that tells nothing about use counts as silence"),
    ("use_ignored", "a use after the confirmation does not begin the silence anew"),
    ("stale_silence_accepted", "silence that was told long ago still opens the gate"),
    ("stale_proof_accepted", "the successor is not tried and read back again before the old version goes"),
    ("promoted_unverified", "the successor becomes current before the platform accepts it"),
    ("partial_set_promoted", "the successor becomes current before every destination has it"),
    ("confirm_compares_nothing", "reading back compares nothing"),
    ("renamed_before_the_removal", "the successor takes the name while the old version still has it"),
    ("successor_not_asked_for", "a revocation rests on the listing, without asking for the successor by id"),
    ("dead_unproved", "what was revoked is called dead without a look"),
    ("accepted_is_dead", "what is still accepted is called dead"),
    ("come_back_is_revoked", "what others removed and is there again is revoked"),
    ("current_purged", "a purge discards what readers get"),
    ("orphans_left_alone", "what a lost answer left behind is not revoked"),
    ("orphan_by_name", "an orphan is known by its name, not by our mark"),
    ("in_doubt_repeated", "what is in doubt is called settled without a look"),
    ("doubt_forgotten", "what is in doubt at a start is not looked at"),
    ("time_out_is_a_refusal", "no answer counts as no effect"),
    ("outcome_before_effect", "the outcome is written before the effect"),
    ("hold_only_planned", "a hold is respected by the planner and not where effects begin"),
    ("slots_not_guarded", "slots are counted by the planner and not where effects begin"),
    ("short_listing_believed", "what a listing leaves out is gone, without asking for it by id"),
    ("clock_back_ignored", "a clock that shows a time before the record moves gates all the same"),
    ("slow_answer_believed", "an issuer's clock is believed although its answer took minutes"),
    ("parked_forgotten", "a restart forgets the rotation that waits for a person"),
    ("retried_for_ever", "a refused step is repeated without end"),
    ("broken_looks_well", "a run whose database failed ends as if all were well"),
];

/// So many random worlds, where no single fault shows the mistake.
const SEEDS_MAX: u64 = 10_000;
/// Worlds of the matrix that are left out in between; what is left differs in everything.
const STEP: usize = 7;

/// How a mutant was found.
struct Catch {
    scenario: Scenario,
    by: String,
    breach: Breach,
}

/// Hunts every mutant, on every core, and prints a table; whether all were caught, by scenarios that pass without
/// them.
pub(crate) fn hunt_all(print: &mut dyn FnMut(&str)) -> bool {
    print("| mutant | the mistake | the promise that breaks | where | after plays |\n| --- | --- | --- | --- | --- |");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let (answers, hunted) = channel();
    let hunt_on = |answers: Sender<(usize, (String, bool))>| {
        while let at = next.fetch_add(1, Ordering::Relaxed)
            && let Some((name, what)) = MUTANTS.get(at)
        {
            answers.send((at, row(name, what))).unwrap();
        }
    };
    let (mut caught, mut rows) = (0, BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..cores {
            let answers = answers.clone();
            scope.spawn(|| hunt_on(answers));
        }
        drop(answers);
        let mut printed = 0;
        for (at, row) in hunted {
            rows.insert(at, row);
            while let Some((row, well)) = rows.remove(&printed) {
                print(&row);
                caught += usize::from(well);
                printed += 1;
            }
        }
    });
    print(&format!("{} mutants, {caught} caught", MUTANTS.len()));
    caught == MUTANTS.len()
}

/// What came of one, as a row, and whether it was caught.
fn row(name: &'static str, what: &str) -> (String, bool) {
    let (runs, caught) = hunt(name);
    let Some(Catch { scenario, by, breach }) = caught else {
        return (format!("| {name} | {what} | **not caught** | | {runs} |"), false);
    };
    match play(&scenario, false).breach {
        None => (format!("| {name} | {what} | {:?} | {by} | {runs} |", breach.promise), true),
        Some(honest) => {
            (format!("| {name} | {what} | **breaks without it as well**: {honest} | {by} | {runs} |"), false)
        }
    }
}

/// Plays with the mistake until a promise breaks; how many plays there were in any case.
fn hunt(name: &'static str) -> (usize, Option<Catch>) {
    let mut runs = 0;
    let mut try_one = |scenario: Scenario, by: &dyn Fn() -> String| {
        runs += 1;
        domain::plant(name);
        let played = play(&scenario, false);
        domain::plant("");
        let caught = played.breach.map(|breach| Catch { scenario, by: by(), breach });
        (played.points, caught)
    };
    for (world, (_, terms)) in matrix().into_iter().enumerate().step_by(STEP) {
        let scenario = Scenario::new(1, terms);
        let (points, caught) = try_one(scenario.clone(), &|| format!("no fault, world {world}"));
        if caught.is_some() {
            return (runs, caught);
        }
        for (at, verb) in points.iter().enumerate() {
            for fault in Fault::ALL.into_iter().filter(|fault| verb.takes(*fault)) {
                let events = Events::from([(at, vec![Event::Fault(fault)])]);
                let scenario = Scenario { events, ..scenario.clone() };
                let (_, caught) = try_one(scenario, &|| format!("{fault:?} at {verb:?}, world {world}"));
                if caught.is_some() {
                    return (runs, caught);
                }
            }
        }
    }
    for seed in 0..SEEDS_MAX {
        let (_, caught) = try_one(Scenario::random(seed), &|| format!("seed {seed}"));
        if caught.is_some() {
            return (runs, caught);
        }
    }
    (runs, None)
}
