//! What the simulation has found, kept and played again.

use simulation::{Scenario, play};

/// Random worlds in which a promise once broke, with what it was.
const SEEDS: &[(u64, &str)] = &[
    (49, "two siblings of one application took its last slot at the same time"),
    (67, "the same, with three applications"),
    (9144, "a listing that took long set the issuer's clock back, and the overlap was short by as much"),
    (17, "a database that failed in mid-run was reported as a run that had ended well"),
];

#[test]
fn what_was_found_stays_mended() {
    for (seed, what) in SEEDS {
        assert_eq!(play(&Scenario::random(*seed), false).breach, None, "seed {seed}: {what}");
    }
}
