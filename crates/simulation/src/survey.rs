//! Every single fault at every I/O point of one full rotation.

use crate::{
    event::{Event, Events, Fault},
    matrix::matrix,
    play::play,
    promises::Breach,
    scenario::Scenario,
    terms::Terms,
};

#[derive(Debug, Default)]
pub struct SingleFaults {
    pub worlds: usize,
    pub points: usize,
    pub runs: usize,
    /// The world, the point, the fault, and what broke.
    pub broken: Vec<(String, usize, Fault, Breach)>,
}

/// Plays each world of the matrix once without a fault, which counts the points, then once for each fault at each.
/// `step` leaves worlds out: 1 takes all, 7 takes five that differ from each other in everything.
pub fn single_faults(step: usize) -> SingleFaults {
    let worlds: Vec<(String, Terms)> = matrix().into_iter().step_by(step).collect();
    let mut all = SingleFaults { worlds: worlds.len(), ..SingleFaults::default() };
    for one in on_every_core(&worlds, |(name, terms)| single_faults_of(name, terms)) {
        all.points += one.points;
        all.runs += one.runs;
        all.broken.extend(one.broken);
    }
    all
}

fn single_faults_of(name: &str, terms: &Terms) -> SingleFaults {
    let scenario = Scenario::new(1, terms.clone());
    let smooth = play(&scenario, false);
    assert_eq!(smooth.breach, None, "{name}: without any fault");
    assert!(smooth.rotations > 0, "{name}");
    let mut all = SingleFaults { worlds: 1, points: smooth.points.len(), ..SingleFaults::default() };
    for (at, verb) in smooth.points.iter().enumerate() {
        for fault in Fault::ALL.into_iter().filter(|fault| verb.takes(*fault)) {
            let events = Events::from([(at, vec![Event::Fault(fault)])]);
            let played = play(&Scenario { events, ..scenario.clone() }, false);
            all.runs += 1;
            all.broken.extend(played.breach.map(|breach| (name.to_owned(), at, fault, breach)));
        }
    }
    all
}

/// Each play has one thread; many plays have many. The answers come in the order of what was asked.
pub(crate) fn on_every_core<A: Sync, B: Send>(all: &[A], play: impl Fn(&A) -> B + Sync) -> Vec<B> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = all.len().div_ceil(cores).max(1);
    let of_one_core = |share: &[A]| share.iter().map(&play).collect::<Vec<B>>();
    std::thread::scope(|scope| {
        let threads: Vec<_> = all.chunks(share).map(|share| scope.spawn(move || of_one_core(share))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a play panicked")).collect()
    })
}
