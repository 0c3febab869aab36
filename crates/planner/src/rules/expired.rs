use domain::{Finding, Reason, Step, Timestamp, Version};

use crate::{
    CLOCK_TOLERANCE,
    situation::{Answer, Situation, after},
};

/// What was replaced and lived on until its own end is proved dead after it, and then forgotten. Nothing waits for it: the
/// rotation that replaced it is closed, and whatever is due comes first.
pub(crate) fn expired(situation: &mut Situation<'_>) -> Option<Answer> {
    let (version, ended_at) =
        outlived(situation).find(|(version, ended_at)| version.dead_at.is_some() || *ended_at <= situation.now)?;
    let (number, at) = (version.number, version.expires_at?);
    if version.dead_at.is_some() {
        return Some(Answer::now(Step::Purge { version: number }, Reason::ProvedDead));
    }
    if situation.was_put_off() && situation.now > after(ended_at, CLOCK_TOLERANCE) {
        situation.find(Finding::AcceptedPastExpiry { expired_at: at });
    }
    Some(Answer::now(Step::ProveDead { version: number }, Reason::Expired { at }))
}

/// When the next of them ends.
pub(crate) fn next_end(situation: &Situation<'_>) -> Option<Timestamp> {
    outlived(situation).map(|(_, ended_at)| ended_at).min()
}

/// Versions that are replaced, whose secrets we still hold, and that end by themselves, each with its end. Those of which
/// we never had the secret can neither be tried nor forgotten.
fn outlived<'a>(situation: &Situation<'a>) -> impl Iterator<Item = (&'a Version, Timestamp)> {
    let observed = situation.observed;
    let (current, propagation) = (observed.current().map(|version| version.number), observed.facts.propagation);
    let mine = !situation.is_left_to_others() && situation.rotation().is_none();
    let replaced = observed.versions.iter().filter(move |version| mine && Some(version.number) != current);
    let held = replaced.filter(|version| version.secret_held && !version.is_prepared());
    held.filter_map(move |version| Some((version, after(version.expires_at?, propagation))))
}
