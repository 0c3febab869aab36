//! Every single event, and as many random worlds as there is time for.

use simulation::{Scenario, play, shrink, single_faults, undocumented};

mod real_driver;
mod regressions;

/// What one thread plays in about half a minute.
const SEEDS: u64 = if cfg!(debug_assertions) { 200 } else { 5000 };

/// Without optimisation, three worlds that differ from each other in everything; the test command plays all of them by
/// `cargo xtask simulate --single-faults`.
const STEP: usize = if cfg!(debug_assertions) { 22 } else { 1 };

#[test]
fn every_single_event_is_survived() {
    let all = single_faults(STEP);
    println!("{} worlds, {} I/O points, {} single events", all.worlds, all.points, all.runs);
    assert!(
        all.points > 60 * all.worlds && all.runs > all.points,
        "the worlds have points, and the points have faults"
    );
    assert!(all.broken.is_empty(), "{} broken, the first: {:#?}", all.broken.len(), all.broken.first());
}

#[test]
fn random_worlds_keep_every_promise() {
    let mut rotations = 0;
    for seed in 0..SEEDS {
        let scenario = Scenario::random(seed);
        let played = play(&scenario, false);
        rotations += played.rotations;
        if let Some(breach) = played.breach {
            let events = shrink(&scenario).events;
            panic!("{breach}\nevents: {events:?}\nthe story: cargo xtask simulate --seed {seed}");
        }
    }
    println!("{SEEDS} seeds, {rotations} rotations");
    assert!(rotations > SEEDS as usize, "worlds without rotations prove nothing");
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let story = |seed| play(&Scenario::random(seed), true).timeline.join("\n");
    for seed in 0..100 {
        let told = story(seed);
        assert!(!told.is_empty());
        assert!(!told.contains("s3cr3t"), "seed {seed}: a secret stands in the story");
        assert_eq!(told, story(seed), "seed {seed}");
    }
}

#[test]
fn every_planted_mistake_stands_on_the_page_of_the_promises() {
    assert_eq!(undocumented(), Vec::<String>::new(), "docs/concepts/guarantees.md and the list of mistakes differ");
}
