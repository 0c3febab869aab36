use domain::{Finding, Timestamp, planted};

use crate::{
    CLOCK_TOLERANCE,
    situation::{Answer, Situation, after},
};

/// A clock that shows a time before what is already on record is wrong now, or was wrong then. Every gate is a
/// difference of times, so nothing moves until the clock has passed the record.
pub(crate) fn clock_went_back(situation: &mut Situation<'_>) -> Option<Answer> {
    let recorded = latest_record(situation)?;
    if after(situation.now, CLOCK_TOLERANCE) >= recorded || planted("clock_back_ignored") {
        return None;
    }
    situation.find(Finding::ClockWentBack { recorded });
    Some(Answer::wake_at(recorded))
}

/// When a version expires is a promise of the platform, not a record.
fn latest_record(situation: &Situation<'_>) -> Option<Timestamp> {
    let rotation = situation.rotation()?;
    let deliveries = rotation.deliveries.iter().flat_map(|delivery| {
        [delivery.written_at, delivery.promoted_at, delivery.confirmed_at, delivery.first_confirmed_at]
    });
    let versions = situation.observed.versions.iter().flat_map(|version| {
        let usage = &version.usage;
        let recorded = [version.revoked_at, version.dead_at, version.verified_at, version.disabled_at];
        recorded.into_iter().chain([usage.known_through, usage.asked_at])
    });
    let asked = situation.observed.task.as_ref().map(|task| task.asked_at);
    deliveries.chain(versions).flatten().chain(asked).chain([rotation.started_at]).max()
}
