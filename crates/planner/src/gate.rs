//! May the old version go? The one place where silence and overlap are measured.

use domain::{Duration, Parent, Reason, RetireWhen, Timestamp, Version, Waiver, planted};

use crate::{
    PROOF_AGE_MAX, USAGE_ASK_AGAIN,
    situation::{Situation, after},
};

pub(crate) enum Gate {
    /// It stays closed until then, whatever is heard.
    Until(Timestamp, Reason),
    /// The issuer must tell who used it before anything can be said.
    AskUse(Reason),
    /// It was used after the successor was confirmed.
    InUse {
        last_used: Timestamp,
        ask_at: Timestamp,
    },
    /// Nobody used it since, but the silence is still too short.
    NotYetQuiet {
        ask_at: Timestamp,
    },
    /// Readers of some destination get something else than the successor by now.
    Drifted,
    /// Nobody can have the successor: the policy has come to name no destination, or its secret is not in our hands.
    NowhereDelivered,
    /// These consumers are to say that they run the successor, and have not.
    NotAcknowledged {
        consumers: String,
    },
    /// Its application is switched off: nobody can use it, so silence proves nothing.
    ParentDisabled,
    /// The issuer does not tell.
    NoEvidence {
        ask_at: Option<Timestamp>,
    },
    Open(Reason),
}

/// Silence counts from the moment at which the last destination was first read back, or from the last use if that
/// came later; it must last `quiet_for` and, on top, as long as the platform's own records may lag, which is its
/// propagation. Records that lag further are no evidence.
pub(crate) fn gate(situation: &Situation<'_>, retiree: &Version) -> Gate {
    if situation.rotation().is_some_and(|rotation| !rotation.hands_out()) {
        return Gate::Open(Reason::Abandoned);
    }
    if planted("retired_by_count") && situation.observed.versions.iter().filter(|version| version.is_live()).count() > 1
    {
        return Gate::Open(Reason::OverlapOver);
    }
    let Some(confirmed_at) = situation.handed_out().and_then(|_| confirmed_everywhere_at(situation)) else {
        return Gate::NowhereDelivered;
    };
    if situation.drifted().next().is_some() {
        return Gate::Drifted;
    }
    if let Some(by) = situation.compromised_by() {
        return Gate::Open(Reason::Compromised { by: by.to_owned() });
    }
    // However short the policy's overlap is, whoever polls reads the new one only after its pause.
    let overlap_ends = after(confirmed_at, situation.policy.overlap.max(slowest(situation)));
    if situation.now < overlap_ends && !planted("overlap_ignored") {
        return Gate::Until(overlap_ends, Reason::OverlapRuns);
    }
    if let Some(consumers) = not_acknowledged(situation) {
        return Gate::NotAcknowledged { consumers };
    }
    if situation.policy.retire_when == RetireWhen::OverlapOver {
        return on_a_word(situation, retiree, confirmed_at, Reason::OverlapOver);
    }
    if let Some(waiver) = waiver(situation, None) {
        return on_a_word(situation, retiree, confirmed_at, Reason::Waived { by: waiver.by.clone() });
    }
    if !situation.observed.facts.usage {
        return Gate::NoEvidence { ask_at: None };
    }
    quiet(situation, retiree, confirmed_at)
}

/// No silence is demanded, on somebody's word. Yet where a version is switched off first, whoever missed it then has been
/// heard, and gets the silence that the policy names to move before it is switched off again.
fn on_a_word(situation: &Situation<'_>, retiree: &Version, confirmed_at: Timestamp, word: Reason) -> Gate {
    let missed = retiree.usage.last_used.filter(|at| *at > confirmed_at && switches_off(situation));
    let again_at = missed.map(|at| quiet_at(situation, at)).filter(|at| *at > situation.now);
    again_at.map_or(Gate::Open(word), |at| Gate::Until(at, Reason::SilenceAwaited))
}

fn quiet_at(situation: &Situation<'_>, silence_from: Timestamp) -> Timestamp {
    let silence = after(silence_from, situation.policy.quiet_for);
    after(after(silence, situation.observed.facts.propagation), slowest(situation))
}

/// Whoever polls may go on with what it read before for so long, without being heard.
fn slowest(situation: &Situation<'_>) -> Duration {
    situation.policy.consumers.iter().map(|consumer| consumer.lag).max().unwrap_or_default()
}

fn quiet(situation: &Situation<'_>, retiree: &Version, confirmed_at: Timestamp) -> Gate {
    if situation.observed.parent == Parent::Disabled {
        return Gate::ParentDisabled;
    }
    let usage = &retiree.usage;
    let ask_again_at = usage.asked_at.map(|at| after(at, USAGE_ASK_AGAIN)).filter(|at| *at > situation.now);
    let untold =
        ask_again_at.map_or(Gate::AskUse(Reason::SilenceAwaited), |ask_at| Gate::NoEvidence { ask_at: Some(ask_at) });
    let Some(known_through) = usage.known_through.or(planted("unknown_use_is_quiet").then_some(situation.now)) else {
        return untold;
    };
    let propagation = situation.observed.facts.propagation;
    let used_since = usage.last_used.filter(|at| *at > confirmed_at && !planted("use_ignored"));
    let silence_from = used_since.unwrap_or(confirmed_at);
    let quiet_at = quiet_at(situation, silence_from);
    let asked_at = usage.asked_at.map_or(known_through, |at| at.max(known_through));
    let lag = asked_at.duration_since(known_through);
    if known_through < quiet_at {
        // No answer could open the gate before `quiet_at`. Where the records do not advance, patience grows.
        let patience = lag.clamp(Duration::from_secs(1), USAGE_ASK_AGAIN);
        let ask_at = after(quiet_at, lag).max(after(asked_at, patience));
        return match used_since {
            Some(last_used) => Gate::InUse { last_used, ask_at },
            None => Gate::NotYetQuiet { ask_at },
        };
    }
    if lag > propagation.saturating_add(PROOF_AGE_MAX) {
        // Told, but of a time too long ago: no evidence, and asking again at once would bring no better one.
        return untold;
    }
    if after(asked_at, PROOF_AGE_MAX) < situation.now && !planted("stale_silence_accepted") {
        return Gate::AskUse(Reason::ProofTooOld);
    }
    Gate::Open(Reason::QuietSince { last_used: usage.last_used })
}

/// The names of consumers whose word is wanted and missing, unless a person answers for them. A word from before this
/// rotation counts for nothing: where it goes back to an older version, consumers may have moved on to the newer one
/// since, without a word.
fn not_acknowledged(situation: &Situation<'_>) -> Option<String> {
    let rotation = situation.rotation()?;
    let runs = |name: &str| {
        let said = situation.observed.acknowledged.iter().find(|said| &*said.consumer == name);
        said.is_some_and(|said| Some(said.version) == rotation.to && said.at >= rotation.started_at)
    };
    let missing: Vec<&str> = situation
        .policy
        .consumers
        .iter()
        .filter(|consumer| consumer.acknowledges && !runs(&consumer.name))
        .filter(|consumer| waiver(situation, Some(&consumer.name)).is_none())
        .map(|consumer| &*consumer.name)
        .collect();
    (!missing.is_empty() && !planted("acknowledgement_not_awaited")).then(|| missing.join(", "))
}

/// A person's word in place of a consumer's, or of the old version's silence, while it lasts.
fn waiver<'a>(situation: &Situation<'a>, consumer: Option<&str>) -> Option<&'a Waiver> {
    let waivers = situation.observed.waivers.iter();
    waivers.into_iter().find(|waiver| waiver.consumer.as_deref() == consumer && situation.now < waiver.until)
}

/// Whether a version is switched off for a while before it goes.
pub(crate) fn switches_off(situation: &Situation<'_>) -> bool {
    situation.observed.facts.disable && situation.compromised_by().is_none()
}

/// When the last of the policy's destinations was first read back; `None` if one never was, or none is named.
pub(crate) fn confirmed_everywhere_at(situation: &Situation<'_>) -> Option<Timestamp> {
    let rotation = situation.rotation()?;
    if planted("overlap_from_the_issue") {
        return Some(rotation.started_at);
    }
    let first = |destination| rotation.delivery(destination)?.first_confirmed_at;
    let each: Option<Vec<Timestamp>> = situation.policy.deliver.iter().map(first).collect();
    each?.into_iter().max()
}
