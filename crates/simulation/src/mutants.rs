//! Mistakes of this field, planted one at a time: each must break a promise, or the promises watch nothing.

use std::{
    collections::BTreeMap,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc::{Sender, channel},
    },
};

use crate::{
    event::{Event, Verb},
    matrix::matrix,
    mistakes::{MUTANTS, documented},
    play::play,
    promises::Breach,
    scenario::Scenario,
    terms::Terms,
};

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
        None => {
            let promise = format!("{:?}", breach.promise);
            let known = documented(name, what, &promise);
            let note = if known { "" } else { " docs/concepts/guarantees.md says otherwise" };
            (format!("| `{name}` | {what} | {promise} | {by} | {runs} |{note}"), known)
        }
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
        let each = |(at, verb): (usize, Verb)| Event::alone(verb).map(move |event| (at, verb, event));
        caught.or_else(|| {
            points.into_iter().enumerate().flat_map(each).find_map(|(at, verb, event)| {
                self.play(scenario.with(at, event), || format!("{event} at {verb:?}, world {world}")).1
            })
        })
    }
}
