//! What the simulation has found, kept and played again.

use simulation::{Scenario, play};

/// Random worlds in which a promise once broke, with what it was. What a single fault finds is played anyway.
const SEEDS: &[(u64, &str)] = &[
    (49, "two siblings of one application took its last slot at the same time"),
    (67, "the same in another world"),
    (9144, "a listing that took long set the issuer's clock back, and the overlap was short by as much"),
    (13789, "a rollback gave up a successor that was promoted, because the outcome of the promotion was lost"),
];

#[test]
fn what_was_found_stays_mended() {
    for (seed, what) in SEEDS {
        assert_eq!(play(&Scenario::random(*seed), false).breach, None, "seed {seed}: {what}");
    }
}
