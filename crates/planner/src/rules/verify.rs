use domain::{Duration, Finding, Origin, Overlap, Reason, Step, Version, planted};

use crate::{
    preflight::refusal,
    rules::issue::issue_again,
    situation::{Answer, Situation, after},
};

/// Beyond the platform's own propagation a successor gets this long before its refusal is a person's business:
/// gateways that were down for a moment catch up within it.
const DEADLINE_SLACK: Duration = Duration::from_mins(10);

/// Ten minutes, an hour, six hours, a day and a half, and so on in steps of nine days: a hiccup is over within the first, a
/// wrong address is mended by a person, and until then there are no more than a handful of versions.
const LONGER_EACH_TIME: i32 = 6;
const TIMES_MAX: usize = 5;

/// Nothing is promoted that the platform has not accepted in this very rotation: what is rolled back to may have died
/// meanwhile.
pub(crate) fn verify(situation: &mut Situation<'_>) -> Option<Answer> {
    let successor = situation.handed_out()?;
    let started_at = situation.rotation()?.started_at;
    if successor.verified_at.is_some_and(|at| at >= started_at) || planted("promoted_unverified") {
        return None;
    }
    let since = successor.created_at.max(started_at);
    let spread = after(since, situation.observed.facts.propagation);
    if situation.now > after(spread, DEADLINE_SLACK) {
        situation.find(Finding::SuccessorRefused { since });
    }
    let refused = situation.was_put_off_after(after(spread, patience(situation)));
    if refused && another_helps(situation, successor) {
        let rotation = situation.rotation()?;
        return Some(issue_again(situation, rotation, Reason::SuccessorRefused { since }));
    }
    Some(Answer::now(Step::Verify { version: successor.number }, Reason::WrittenEverywhere))
}

/// Somebody may have ended the successor at the platform, which a listing need not show. Where the old version is dead as
/// well, waiting helps nobody, and there is no way back; where nothing shows that the successor is gone, waiting would end
/// with the old version's own end. Another one takes its place or passes by itself; elsewhere it would only be one more
/// that lives. Where there is no room for another, this one goes on being tried for as long as the old one serves.
fn another_helps(situation: &Situation<'_>, successor: &Version) -> bool {
    let facts = &situation.observed.facts;
    let gives_way = facts.overlap == Overlap::Replace || situation.ends_by_itself();
    let serves = |version: &Version| version.is_live() && !version.has_expired(situation.now);
    let unseen = situation.ends_by_itself() && !facts.lists_versions && refusal(situation).is_none();
    let alone = !situation.retiree().is_some_and(serves);
    let wanted = gives_way && (alone || unseen) && successor.origin == Origin::Issued;
    wanted && !planted("refused_for_ever")
}

/// The address that tries it may be wrong instead, and then no successor is accepted: each waits much longer than the one
/// before.
fn patience(situation: &Situation<'_>) -> Duration {
    let from = situation.rotation().and_then(|rotation| rotation.from);
    let ours = |version: &&Version| Some(version.number) > from && version.origin == Origin::Issued;
    let times = situation.observed.versions.iter().filter(ours).count().min(TIMES_MAX);
    (1..times).fold(DEADLINE_SLACK, |patience, _| patience * LONGER_EACH_TIME)
}
