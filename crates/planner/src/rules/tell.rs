use domain::{Reason, Step};

use crate::situation::{Answer, Situation};

/// Consumers that wait to be told are told once the successor is read back everywhere: what they then fetch is it. After
/// a failure the next one comes first, so that none that can be reached waits for one that cannot.
pub(crate) fn tell(situation: &mut Situation<'_>) -> Option<Answer> {
    let successor = situation.handed_out()?;
    if cannot_wait(situation) {
        return None;
    }
    let told = &situation.observed.told;
    let waiting = situation.policy.consumers.iter().filter(|consumer| consumer.told && !told.contains(&consumer.name));
    let mut steps: Vec<Step> =
        waiting.map(|consumer| Step::Tell { version: successor.number, consumer: consumer.name.clone() }).collect();
    let failures = usize::try_from(situation.observed.trouble.attempts).unwrap_or_default();
    let first = failures.checked_rem(steps.len())?;
    steps.rotate_left(first);
    Some(Answer::steps(steps, &Reason::Confirmed))
}

/// What others know ends first, once telling has failed: an application that does not answer must not keep a leaked
/// credential alive. It is told afterwards.
fn cannot_wait(situation: &Situation<'_>) -> bool {
    let lives_on = situation.retiree().is_some_and(|version| version.dead_at.is_none());
    situation.compromised_by().is_some() && lives_on && situation.observed.trouble.attempts > 0
}
