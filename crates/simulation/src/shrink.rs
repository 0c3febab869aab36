//! Fewer events that break the same promise.

use crate::{event::Events, play::play, scenario::Scenario};

/// Leaves out one event after the other as long as the same promise breaks.
pub fn shrink(scenario: &Scenario) -> Scenario {
    let Some(breach) = play(scenario, false).breach else { return scenario.clone() };
    let mut smallest = scenario.clone();
    'again: loop {
        let all: Vec<(usize, usize)> =
            smallest.events.iter().flat_map(|(at, events)| (0..events.len()).map(|which| (*at, which))).collect();
        for (at, which) in all {
            let smaller = Scenario { events: without(&smallest.events, at, which), ..smallest.clone() };
            if play(&smaller, false).breach.is_some_and(|other| other.promise == breach.promise) {
                smallest = smaller;
                continue 'again;
            }
        }
        return smallest;
    }
}

fn without(events: &Events, at: usize, which: usize) -> Events {
    let mut fewer = events.clone();
    let there = fewer.get_mut(&at).unwrap();
    there.remove(which);
    if there.is_empty() {
        fewer.remove(&at);
    }
    fewer
}
