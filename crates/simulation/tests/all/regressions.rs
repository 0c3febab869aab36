//! What the simulation has found, kept and played again.

use simulation::{Scenario, play};

/// Random worlds in which a promise once broke, with what it was. What a single fault finds is played anyway.
const SEEDS: &[(u64, &str)] = &[
    (110, "what a person had ended unseen was tried for ever"),
    (333, "a walk that began with an import began a rotation out of its turn"),
    (607, "our clock was set back in the middle of a run, and the overlap was short by as much"),
    (684, "a person's claim was believed against the record, and a slot was counted free"),
    (692, "our clock was set forward in the middle of a run, and the overlap was over at once"),
    (1122, "a rotation that went back proved its policy"),
    (1391, "an application of which no version is left stayed switched off for ever"),
    (3232, "a child that was minted while its parent turned was never minted anew"),
    (7604, "what a person made and nobody wanted any longer was left"),
    (11439, "an import by a clock that had jumped forward put everything off until that time, and a token ended"),
    (15597, "a step during which our clock jumped left a record from the future, and a token ended before it had come"),
    (15672, "a successor was given up as refused that nobody had tried since its change had spread"),
    (19192, "the same clock in a walk of several credentials"),
    (15815, "a person was asked to make a successor anew, and the one that was back was delivered meanwhile"),
    (16256, "another person's hold, set while a claim was refused, was taken for what the claim changed"),
    (17364, "what was switched on again, and the answer lost, was revoked as if it were off"),
    (13166, "what was brought back took the slot of the value that was chosen in its place"),
    (16519, "a token that a person had ended unseen was tried until the old one expired"),
    (12939, "an answer that took minutes told the time after a jump, and the overlap was short by as much"),
];

/// The same in worlds of the usual kind alone.
const USUAL: &[(u64, &str)] = &[
    (49, "two siblings of one application took its last slot at the same time"),
    (67, "the same in another world"),
    (9144, "a listing that took long set the issuer's clock back, and the overlap was short by as much"),
    (13789, "a rollback gave up a successor that was promoted, because the outcome of the promotion was lost"),
    (15362, "the bound of calm runs ended before a straggler did"),
    (15612, "a revocation that had not held was repeated days later, without a gate for what served by then"),
];

#[test]
fn what_was_found_stays_mended() {
    let random = SEEDS.iter().map(|(seed, what)| (Scenario::random(*seed), what));
    let usual = USUAL.iter().map(|(seed, what)| (Scenario::overlapping(*seed), what));
    for (scenario, what) in random.chain(usual) {
        assert_eq!(play(&scenario, false).breach, None, "seed {}: {what}", scenario.seed);
    }
}
