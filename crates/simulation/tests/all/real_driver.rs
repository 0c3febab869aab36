//! A real driver, whose every call goes wrong once.

use simulation::real_faults;

#[test]
fn every_call_of_a_real_driver_may_go_wrong() {
    let all = real_faults();
    println!("{} calls, {} single faults at them", all.points, all.runs);
    assert!(all.points > 50 && all.runs > all.points, "a rotation has calls, and calls have faults");
    assert!(all.broken.is_empty(), "{} broken, the first: {:#?}", all.broken.len(), all.broken.first());
}

/// What is watched here is found here: mistakes planted as for `cargo xtask simulate --mutants`.
#[cfg(feature = "mutants")]
#[test]
fn planted_mistakes_are_found_at_a_real_driver() {
    use simulation::{Mishap, Promise, play_real_driver};

    let planted = [
        ("retired_by_count", Promise::NeverRemovedInUse),
        ("overlap_ignored", Promise::NeverRemovedInUse),
        ("promoted_unverified", Promise::NeverWithoutAWorkingCredential),
        ("orphans_left_alone", Promise::Liveness),
        ("time_out_is_a_refusal", Promise::Evidence),
        ("everybody_begins", Promise::SmallBlastRadius),
    ];
    let points = play_real_driver(None).points;
    let plays = (0..points).flat_map(|at| Mishap::ALL.map(|mishap| Some((at, mishap))));
    for (mutant, promise) in planted {
        domain::plant(mutant);
        let found = std::iter::once(None).chain(plays.clone()).enumerate().find_map(|(number, mishap)| {
            let breach = play_real_driver(mishap).breaches.into_iter().find(|breach| breach.promise == promise)?;
            Some((number + 1, mishap, breach))
        });
        domain::plant("");
        let (number, mishap, breach) = found.unwrap_or_else(|| panic!("{mutant} is not found"));
        println!("{mutant}: {breach}, at {mishap:?}, after {number} plays");
        assert_eq!(play_real_driver(mishap).breaches, [], "{mutant}: without it, the same play");
    }
}
