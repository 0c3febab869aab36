//! Performing one planned step: intent, one effect, outcome.

mod deliver;
mod issue;
mod prove;
mod retire;
mod switch;
mod tell;

use std::time::Duration as StdDuration;

use db::{BeginError, Entry, Intent, Outcome};
use domain::{Ask, Cause, Duration, Planned, Reason, RotationId, Step, Timestamp, planted};
use driver::{DriverError, Effect, Kind, Ticket, half_random};
use planner::ASK_AGAIN_LONGEST;

use crate::{Applied, Engine, IssuerHandle, crash};

/// After so many failures in a row a person has to look. With the delays below that is about a quarter of an hour,
/// longer than any platform's ordinary hiccup.
pub(crate) const ATTEMPTS_MAX: u32 = 12;
const BACKOFF_FIRST: StdDuration = StdDuration::from_millis(250);
const BACKOFF_LONGEST: StdDuration = StdDuration::from_secs(300);

/// While a change spreads, the next look comes after a quarter of the time waited so far, from here to the longest.
const ASK_AGAIN_FIRST: Duration = Duration::from_secs(1);

const NOTHING_CAN_TRY: &str =
    "nothing can try the successor: the issuer offers no check and the policy names no `verify` address";

/// How a step ended, for the walk.
#[derive(Debug)]
pub(crate) enum Performed {
    Done,
    /// Waiting for the platform or for the next attempt.
    Later,
    /// The effect is unknown, or the world is not as planned: look before anything else.
    LookFirst,
    /// The plan was overtaken: plan again.
    Overtaken,
    /// A sibling took the last slot: the next run sees what is left.
    NoSlot,
    /// It would go on like this for every credential of the issuer.
    Systemic(DriverError),
}

/// One step in the hands of the engine.
pub(crate) struct Work<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) issuer: &'a IssuerHandle,
    pub(crate) entry: &'a Entry,
    pub(crate) applied: &'a Applied,
    pub(crate) rotation: RotationId,
}

impl Engine {
    /// Performs one step. Whatever happens between the intent and the outcome is in doubt after a restart.
    ///
    /// # Errors
    /// Only the database's: then the step is in doubt, and nothing further may be done with this credential before a
    /// fresh look.
    pub(crate) async fn perform(
        &self,
        issuer: &IssuerHandle,
        entry: &Entry,
        applied: &Applied,
        planned: &Planned,
    ) -> Result<Performed, db::WriteError> {
        let under_way = entry.observed.rotation.as_ref().map(|rotation| &rotation.id);
        let rotation = under_way.cloned().unwrap_or_else(|| self.new_rotation());
        let cause = cause_of(entry, &planned.reason);
        let opens = (under_way.is_none() && planned.step.begins()).then_some((&rotation, &cause));
        let intent = Intent {
            credential_id: entry.id,
            rotation: under_way,
            step: &planned.step,
            reason: &planned.reason,
            now: self.now(issuer),
            opens,
            reserves: match &planned.step {
                step if step.begins() => &applied.policy.deliver,
                Step::Write { destination, .. } => std::slice::from_ref(destination),
                _ => &[],
            },
            live_max: match &planned.step {
                Step::Issue { .. } | Step::AskPerson { ask: Ask::Issue { .. } } => entry.observed.facts.live_max(),
                _ => None,
            },
        };
        let begun_at = intent.now;
        let ticket = match self.journal.begin(&intent).await {
            Ok(ticket) => ticket,
            Err(BeginError::Moved) => return Ok(Performed::Overtaken),
            Err(BeginError::NoSlot) => return Ok(Performed::NoSlot),
            Err(BeginError::Taken(destination)) => return self.refuse_clash(entry, issuer, &destination).await,
            Err(BeginError::Database(error)) => return Err(error),
        };
        crash::point(planned.step.word(), "begun");
        let work = Work { engine: self, issuer, entry, applied, rotation: rotation.clone() };
        if planted("outcome_before_effect") {
            let now = self.now(issuer);
            let early = Outcome::NotYet { why: "under way".to_owned(), retry_at: now };
            self.journal.finish(&ticket, &intent, &work.rotation, &early, now).await?;
        }
        let effect = work.effect(&planned.step, &planned.reason, &ticket).await;
        crash::point(planned.step.word(), "effect");
        // Where it does not answer, our clock has to do: what is on record too late is only waited for.
        self.hear(issuer, entry).await.ok();
        let (outcome, performed) = work.conclude(effect);
        tracing::debug!(credential = %entry.observed.credential, step = planned.step.word(), ?performed, "performed");
        // Whatever our clock did meanwhile, no outcome is older than its intent.
        let now = self.now(issuer).max(begun_at);
        self.journal.finish(&ticket, &intent, &work.rotation, &outcome, now).await?;
        crash::point(planned.step.word(), "finished");
        Ok(performed)
    }

    /// Two credentials that deliver to one place would overwrite each other: the second is parked before its first
    /// effect.
    async fn refuse_clash(
        &self,
        entry: &Entry,
        issuer: &IssuerHandle,
        destination: &domain::Destination,
    ) -> Result<Performed, db::WriteError> {
        let words = format!("its destination {destination} belongs to another credential");
        self.db.park(entry.id, &words, self.now(issuer)).await?;
        Ok(Performed::Later)
    }
}

/// What a step found out or ran into.
pub(crate) enum StepEnd {
    Outcome(Outcome),
    /// Ask again later; `since` is when the waiting began.
    NotYet {
        why: String,
        since: Timestamp,
    },
    /// The issuer refused or failed.
    Error(DriverError),
    /// Something else did: a store, a verify address, our own database. It says nothing about the issuer.
    Elsewhere(DriverError),
    /// A person has to look at once: trying again would repeat the damage.
    Park(String),
    /// The world is not as planned, and nothing was changed.
    NotAsPlanned(String),
}

impl From<DriverError> for StepEnd {
    fn from(error: DriverError) -> Self {
        Self::Error(error)
    }
}

impl Work<'_> {
    async fn effect(&self, step: &Step, reason: &Reason, ticket: &Ticket) -> StepEnd {
        let end = match step {
            Step::Prepare { .. } => self.prepare().await,
            Step::Issue { from } => self.issue(*from, ticket).await,
            Step::AskPerson { ask } => self.ask_person(*ask, reason).await,
            Step::Disable { version } => self.disable(*version, ticket).await,
            Step::Enable { version } => self.enable(*version, ticket).await,
            Step::Write { version, destination } => self.write(*version, destination, ticket).await,
            Step::Verify { version } => self.verify(*version).await,
            Step::Promote { version, destination } => self.promote(*version, destination, ticket).await,
            Step::Confirm { version, destination } => self.confirm(*version, destination).await,
            Step::Tell { version, consumer } => self.tell(*version, consumer).await,
            Step::Watch { version } => self.watch(*version).await,
            Step::Revoke { version } => self.revoke(*version, reason, ticket).await,
            Step::ProveDead { version } => self.prove_dead(*version, ticket).await,
            Step::Rename { version, name, title } => self.rename(*version, name, title, ticket).await,
            Step::Purge { version } => self.purge(*version, ticket).await,
            Step::Complete => Ok(Outcome::Completed),
        };
        end.map_or_else(|end| end, StepEnd::Outcome)
    }

    fn conclude(&self, mut end: StepEnd) -> (Outcome, Performed) {
        let now = self.engine.now(self.issuer);
        if let StepEnd::Error(error) | StepEnd::Elsewhere(error) = &mut end
            && planted("time_out_is_a_refusal")
        {
            error.effect = Effect::NotApplied;
        }
        match end {
            StepEnd::Outcome(outcome) => (outcome, Performed::Done),
            StepEnd::NotYet { why, since } => {
                (Outcome::NotYet { why, retry_at: ask_again_at(now, since) }, Performed::Later)
            }
            StepEnd::Park(error) => {
                (Outcome::Failed { error, unknown: false, retry_at: now, park: true }, Performed::Later)
            }
            StepEnd::NotAsPlanned(error) => {
                (self.failed(error, Effect::NotApplied, None, false, now), Performed::LookFirst)
            }
            StepEnd::Elsewhere(error) => {
                let park = matches!(error.kind, Kind::Invalid | Kind::Forbidden);
                let unknown = error.effect == Effect::Unknown;
                let outcome = self.failed(error.to_string(), error.effect, error.retry_after, park, now);
                (outcome, if unknown { Performed::LookFirst } else { Performed::Later })
            }
            StepEnd::Error(error) => {
                let park = matches!(error.kind, Kind::Invalid | Kind::Forbidden);
                let outcome = self.failed(error.to_string(), error.effect, error.retry_after, park, now);
                let unknown = error.effect == Effect::Unknown;
                let performed = match error.kind {
                    _ if unknown => Performed::LookFirst,
                    kind if kind.is_systemic() => Performed::Systemic(error),
                    Kind::Conflict | Kind::NotFound => Performed::LookFirst,
                    _ => Performed::Later,
                };
                (outcome, performed)
            }
        }
    }

    fn failed(
        &self,
        error: String,
        effect: Effect,
        retry_after: Option<StdDuration>,
        park: bool,
        now: Timestamp,
    ) -> Outcome {
        let attempts = self.entry.observed.trouble.attempts + 1;
        let delay = backoff(attempts, self.engine.ports.entropy.next()).max(retry_after.unwrap_or_default());
        let delay = Duration::try_from(delay).unwrap_or(ASK_AGAIN_LONGEST);
        Outcome::Failed {
            error,
            unknown: effect == Effect::Unknown,
            retry_at: now.saturating_add(delay).unwrap_or(Timestamp::MAX),
            park: (park || attempts >= ATTEMPTS_MAX) && !planted("retried_for_ever"),
        }
    }

    pub(crate) fn version(&self, number: domain::VersionNumber) -> Result<&domain::Version, StepEnd> {
        self.entry
            .observed
            .version(number)
            .ok_or_else(|| StepEnd::NotAsPlanned(format!("version {number} is not on record")))
    }
}

/// Why a rotation is opened, as it is kept with it.
fn cause_of(entry: &Entry, reason: &Reason) -> Cause {
    let requested = entry.observed.requested.clone();
    requested.unwrap_or(if *reason == Reason::ParentTurned { Cause::ParentTurned } else { Cause::Age })
}

/// Doubles from attempt to attempt.
fn backoff(attempt: u32, random: u64) -> StdDuration {
    let full = BACKOFF_FIRST.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(BACKOFF_LONGEST);
    half_random(full, random)
}

fn ask_again_at(now: Timestamp, since: Timestamp) -> Timestamp {
    let waited = now.duration_since(since).max(Duration::ZERO);
    let pause = (waited / 4).clamp(ASK_AGAIN_FIRST, ASK_AGAIN_LONGEST);
    now.saturating_add(pause).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_and_stays_within_its_bounds() {
        for random in [0, 500, 999] {
            assert!(backoff(1, random) >= BACKOFF_FIRST / 2);
            assert!(backoff(1, random) <= BACKOFF_FIRST);
            assert!(backoff(60, random) <= BACKOFF_LONGEST);
        }
        assert!(backoff(5, 0) > backoff(3, 999));
    }

    #[test]
    fn the_next_look_comes_soon_at_first_and_seldom_later() {
        let since = Timestamp::UNIX_EPOCH;
        let at = |seconds| since.saturating_add(Duration::from_secs(seconds)).unwrap();
        assert_eq!(ask_again_at(at(0), since), at(1));
        assert_eq!(ask_again_at(at(40), since), at(50));
        assert_eq!(ask_again_at(at(36_000), since), at(36_900));
        assert_eq!(ask_again_at(since, at(60)), at(1), "a clock that went back waits the least");
    }
}
