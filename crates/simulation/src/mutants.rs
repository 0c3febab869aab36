//! Mistakes of this field, planted one at a time: each must break a promise, or the promises watch nothing.

use std::{
    collections::BTreeMap,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc::{Sender, channel},
    },
};

use crate::{
    event::{Event, Events, Fault, Verb},
    matrix::matrix,
    play::play,
    promises::Breach,
    scenario::Scenario,
    terms::Terms,
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
    ("revoked_on_a_stale_listing", "a revocation rests on the listing, without asking for the successor by id"),
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
    ("secret_only_in_memory", "a secret is on disk only once the next step is done"),
    ("not_found_for_anothers_handle", "\"not found\" for another one's handle is taken for a revocation"),
    ("revocation_never_taken_back", "what was called revoked days ago and still lives is revoked without a gate"),
    ("clock_alone", "our own clock is believed in mid-run, however it jumped"),
    ("two_halves_in_one_window", "what is minted from a parent turns together with it"),
    ("child_not_minted_anew", "what is minted from a parent that turned stays as it is"),
    ("minted_too_late", "a token is minted when the old one has expired"),
    ("prepared_chosen_anew", "after a lost answer another value is chosen than the one that was sealed"),
    ("replaced_before_it_waits", "the old one is replaced before the new one waits at the stores"),
    ("refused_for_ever", "a successor that was ended unseen is tried for ever while nothing else serves"),
    ("task_assumed_done", "a person's step is taken for done at its deadline"),
    ("persons_part_taken_over", "what only a person may remove is revoked"),
    ("wrong_file_accepted", "what a person hands over is not tried"),
    ("tried_while_off_ignored", "what was tried while it was switched off is revoked all the same"),
    ("protected_touched", "what the platform protects is rotated"),
    ("everybody_begins", "a policy that has proved nothing is tried on everything at once"),
    ("broken_looks_well", "a run whose database failed ends as if all were well"),
];

/// So many random worlds in all.
const SEEDS_MAX: u64 = 10_000;
/// So many before the single faults, which are ten thousand plays: most mistakes show in the first hundred.
const SEEDS_FIRST: u64 = 1000;
/// Worlds of the usual kind that are left out in between; what is left differs in everything. The others are few.
const STEP: usize = 7;
const USUAL: usize = 32;

/// How a mutant was found.
struct Catch {
    scenario: Scenario,
    by: String,
    breach: Breach,
}

/// Hunts these mutants, or every one if none is named, on every core, and prints a table; whether all were caught, by scenarios that pass without
/// them.
pub(crate) fn hunt_all(only: &[&str], print: &mut dyn FnMut(&str)) -> bool {
    let mutants: Vec<&(&str, &str)> =
        MUTANTS.iter().filter(|(name, _)| only.is_empty() || only.contains(name)).collect();
    print("| mutant | the mistake | the promise that breaks | where | after plays |\n| --- | --- | --- | --- | --- |");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let (answers, hunted) = channel();
    let hunt_on = |answers: Sender<(usize, (String, bool))>| {
        while let at = next.fetch_add(1, Ordering::Relaxed)
            && let Some((name, what)) = mutants.get(at)
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
    print(&format!("{} mutants, {caught} caught", mutants.len()));
    caught == mutants.len()
}

/// What came of one, as a row, and whether it was caught.
fn row(name: &'static str, what: &str) -> (String, bool) {
    let mut hunt = Hunt { name, plays: 0 };
    let caught = hunt.catch();
    let runs = hunt.plays;
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

/// One mistake, and how often it was made by now.
struct Hunt {
    name: &'static str,
    plays: usize,
}

impl Hunt {
    /// Plays with the mistake; the points that were met, and how a promise broke.
    fn play(&mut self, scenario: Scenario, by: impl FnOnce() -> String) -> (Vec<Verb>, Option<Catch>) {
        self.plays += 1;
        domain::plant(self.name);
        let played = play(&scenario, false);
        domain::plant("");
        let caught = played.breach.map(|breach| Catch { scenario, by: by(), breach });
        (played.points, caught)
    }

    /// Where nothing goes wrong, then in some random worlds, then with every single fault, then in all the others.
    fn catch(&mut self) -> Option<Catch> {
        let worlds: Vec<(usize, Terms)> = matrix().into_iter().map(|(_, terms)| terms).enumerate().collect();
        let smooth = |hunt: &mut Self, (world, terms): &(usize, Terms)| {
            hunt.play(Scenario::new(1, terms.clone()), || format!("no fault, world {world}")).1
        };
        let random = |hunt: &mut Self, seed| hunt.play(Scenario::random(seed), || format!("seed {seed}")).1;
        let tried = |world: usize| if world < USUAL { world.is_multiple_of(STEP) } else { world.is_multiple_of(2) };
        worlds
            .iter()
            .find_map(|world| smooth(self, world))
            .or_else(|| (0..SEEDS_FIRST).find_map(|seed| random(self, seed)))
            .or_else(|| worlds.iter().filter(|(world, _)| tried(*world)).find_map(|world| self.faults(world)))
            .or_else(|| (SEEDS_FIRST..SEEDS_MAX).find_map(|seed| random(self, seed)))
    }

    fn faults(&mut self, (world, terms): &(usize, Terms)) -> Option<Catch> {
        let scenario = Scenario::new(1, terms.clone());
        let (points, caught) = self.play(scenario.clone(), || format!("no fault, world {world}"));
        let each = |(at, verb): (usize, Verb)| {
            Fault::ALL.into_iter().filter(move |fault| verb.takes(*fault)).map(move |fault| (at, verb, fault))
        };
        caught.or_else(|| {
            points.into_iter().enumerate().flat_map(each).find_map(|(at, verb, fault)| {
                let events = Events::from([(at, vec![Event::Fault(fault)])]);
                let scenario = Scenario { events, ..scenario.clone() };
                self.play(scenario, || format!("{fault:?} at {verb:?}, world {world}")).1
            })
        })
    }
}
