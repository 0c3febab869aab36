//! Every single fault at every I/O point of one full rotation.

use crate::{
    event::{Event, Events, Fault},
    play::play,
    promises::Breach,
    scenario::{Scenario, matrix},
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
pub fn single_faults() -> SingleFaults {
    let mut all = SingleFaults::default();
    for (name, terms) in matrix() {
        let scenario = Scenario::new(1, terms);
        let smooth = play(&scenario, false);
        assert_eq!(smooth.breach, None, "{name}: without any fault");
        assert_eq!(smooth.rotations, 1, "{name}");
        all.worlds += 1;
        all.points += smooth.points.len();
        for (at, verb) in smooth.points.iter().enumerate() {
            for fault in Fault::ALL.into_iter().filter(|fault| verb.takes(*fault)) {
                let events = Events::from([(at, vec![Event::Fault(fault)])]);
                let played = play(&Scenario { events, ..scenario.clone() }, false);
                all.runs += 1;
                all.broken.extend(played.breach.map(|breach| (name.clone(), at, fault, breach)));
            }
        }
    }
    all
}
