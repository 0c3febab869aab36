use domain::{Reason, Step};

use crate::situation::{Answer, Situation};

/// Consumers that wait to be told are told once the successor is read back everywhere: what they then fetch is it.
pub(crate) fn tell(situation: &mut Situation<'_>) -> Option<Answer> {
    let successor = situation.handed_out()?;
    let told = &situation.observed.told;
    let waiting = situation.policy.consumers.iter().filter(|consumer| consumer.told && !told.contains(&consumer.name));
    let steps: Vec<Step> =
        waiting.map(|consumer| Step::Tell { version: successor.number, consumer: consumer.name.clone() }).collect();
    (!steps.is_empty()).then(|| Answer::steps(steps, &Reason::Confirmed))
}
