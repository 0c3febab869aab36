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

fn latest_record(situation: &Situation<'_>) -> Option<Timestamp> {
    let rotation = situation.rotation()?;
    let deliveries = rotation.deliveries.iter().flat_map(|delivery| {
        [delivery.written_at, delivery.promoted_at, delivery.confirmed_at, delivery.first_confirmed_at]
    });
    let versions = situation.observed.versions.iter().flat_map(|version| {
        let usage = &version.usage;
        [version.revoked_at, version.dead_at, version.verified_at, usage.known_through, usage.asked_at]
    });
    deliveries.chain(versions).flatten().chain([rotation.started_at]).max()
}
