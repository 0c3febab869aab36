//! The worlds in which every single fault is tried.

use domain::{Duration, Ending, Idempotency, IssuerFacts, Minting, Overlap, Performer, RetireWhen};

use crate::{
    kind::{Family, Kind},
    terms::Terms,
};

/// The usual kind in 32 worlds, then the others.
pub fn matrix() -> Vec<(String, Terms)> {
    let mut all = overlapping();
    for (name, kinds) in kinds() {
        for (labels, seconds) in [(true, 30), (false, 3600)] {
            let mut terms = Terms { labels: [labels; 2], ..Terms::plain() };
            terms.parents = (0..kinds.len()).collect();
            terms.policies = vec![0; kinds.len()];
            let spread = |kind: &Kind| {
                let facts = IssuerFacts { propagation: Duration::from_secs(seconds), ..kind.facts.clone() };
                Kind { facts, ..kind.clone() }
            };
            terms.kinds = kinds.iter().map(spread).collect();
            all.push((format!("{name}, labels {labels}, propagation {seconds} s"), terms));
        }
    }
    all
}

fn overlapping() -> Vec<(String, Terms)> {
    let mut all = Vec::new();
    for labels in [true, false] {
        for usage in [true, false] {
            for names in [true, false] {
                for (live_max, seconds) in [(None, 30), (Some(2), 30), (None, 3600), (Some(2), 3600)] {
                    let mut terms = Terms { labels: [labels; 2], ..Terms::plain() };
                    let overlap = Overlap::Concurrent { live_max };
                    let facts = IssuerFacts::overlapping(Duration::from_secs(seconds));
                    terms.kinds = vec![Kind::new(IssuerFacts { usage, names, overlap, ..facts })];
                    if !usage {
                        terms.retire_when = RetireWhen::OverlapOver;
                    }
                    let name = format!(
                        "labels {labels}, usage {usage}, names {names}, live_max {live_max:?}, propagation {seconds} s"
                    );
                    all.push((name, terms));
                }
            }
        }
    }
    all
}

fn kinds() -> Vec<(&'static str, Vec<Kind>)> {
    let plain = |family| Kind::plain(family, Duration::ZERO);
    let with = |family, change: fn(&mut Kind)| {
        let mut kind = plain(family);
        change(&mut kind);
        kind
    };
    let overlap = |change| with(Family::Overlap, change);
    let replace = |change| with(Family::Replace, change);
    let assisted = |change| with(Family::Assisted, change);
    let ten = Overlap::Concurrent { live_max: Some(10) };
    let child = Kind { minted_from: Some(0), ..plain(Family::Mint) };
    let unseen = with(Family::Mint, |kind| kind.facts.lists_versions = false);
    vec![
        ("overlap, value by us", vec![overlap(|kind| kind.facts.minting = Minting::ByUs)]),
        ("overlap, client token", vec![overlap(|kind| kind.facts.idempotency = Idempotency::ClientToken)]),
        ("overlap, nothing settles", vec![overlap(|kind| kind.facts.idempotency = Idempotency::None)]),
        ("overlap, disable, use told", vec![overlap(|kind| (kind.facts.disable, kind.facts.usage) = (true, true))]),
        ("overlap, disable", vec![overlap(|kind| kind.facts.disable = true)]),
        (
            "overlap, ten slots",
            vec![
                with(Family::Overlap, |_| {}),
                Kind::new(IssuerFacts { overlap: ten, ..plain(Family::Overlap).facts }),
            ],
        ),
        ("replace, value by us", vec![replace(|_| {})]),
        ("replace, value by us, unlisted", vec![replace(|kind| kind.facts.lists_versions = false)]),
        ("replace, value by the issuer", vec![replace(|kind| kind.facts.minting = Minting::ByIssuer)]),
        (
            "replace, value by the issuer, marks",
            vec![replace(|kind| {
                kind.facts.minting = Minting::ByIssuer;
                kind.facts.idempotency = Idempotency::FindByMarker;
            })],
        ),
        ("mint", vec![plain(Family::Mint)]),
        ("mint, unlisted", vec![unseen]),
        ("mint from a parent that turns", vec![plain(Family::Overlap), child]),
        ("assisted", vec![assisted(|_| {})]),
        ("assisted, machine removes", vec![assisted(|kind| kind.facts.ending = Ending::Revoked)]),
        (
            "assisted, machine makes",
            vec![assisted(|kind| {
                kind.facts.issued_by = Performer::Machine;
                kind.facts.idempotency = Idempotency::FindByMarker;
            })],
        ),
        (
            "assisted, replaces",
            vec![assisted(|kind| {
                kind.facts.overlap = Overlap::Replace;
                kind.facts.ending = Ending::Revoked;
            })],
        ),
    ]
}
