//! Every single fault, and every single act of a person, at every I/O point of one full rotation.

use std::fmt;

use crate::{event::Event, matrix::matrix, play::play, promises::Breach, scenario::Scenario, terms::Terms};

#[derive(Debug, Default)]
pub struct SingleFaults {
    pub worlds: usize,
    pub points: usize,
    pub runs: usize,
    pub broken: Vec<Broken>,
}

/// A promise that did not survive a single event.
#[derive(Debug)]
pub struct Broken {
    /// The world's number in the matrix, and what it is.
    pub world: (usize, String),
    /// The I/O point, and what happened there.
    pub at: usize,
    pub event: Event,
    pub breach: Breach,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { world: (world, name), at, event, breach } = self;
        write!(f, "--world {world} --at {at} --event {}: {breach} ({name})", event.word())
    }
}

/// Plays each world of the matrix once without a fault, which counts the points, then once for each event at each.
/// `step` leaves worlds out: 1 takes all, 7 takes five that differ from each other in everything.
pub fn single_faults(step: usize) -> SingleFaults {
    let worlds: Vec<(usize, (String, Terms))> = matrix().into_iter().enumerate().step_by(step).collect();
    let mut all = SingleFaults { worlds: worlds.len(), ..SingleFaults::default() };
    for one in on_every_core(&worlds, |(world, (name, terms))| single_faults_of((*world, name.clone()), terms)) {
        all.points += one.points;
        all.runs += one.runs;
        all.broken.extend(one.broken);
    }
    all
}

fn single_faults_of(world: (usize, String), terms: &Terms) -> SingleFaults {
    let scenario = Scenario::new(1, terms.clone());
    let smooth = play(&scenario, false);
    assert_eq!(smooth.breach, None, "{}: without any fault", world.1);
    assert!(smooth.rotations > 0, "{}", world.1);
    let mut all = SingleFaults { worlds: 1, points: smooth.points.len(), ..SingleFaults::default() };
    for (at, verb) in smooth.points.iter().enumerate() {
        for event in Event::alone(*verb) {
            let played = play(&scenario.with(at, event), false);
            all.runs += 1;
            all.broken.extend(played.breach.map(|breach| Broken { world: world.clone(), at, event, breach }));
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
