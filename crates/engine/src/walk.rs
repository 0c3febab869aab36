//! Walking one credential: plan, perform the first due step, look again, until nothing is due.

use std::{collections::HashSet, fmt::Debug, time::Duration as StdDuration};

use db::Entry;
use domain::{Cause, CredentialId, Duration, Finding, Mode, Plan, Planned, Reason, Step, planted};

use crate::{Applied, Engine, ObserveError, RunRequest, perform::Performed};

/// A whole rotation takes fewer steps, even with each tried twice; more means that something goes round in circles,
/// and the next run goes on where this one stopped.
const STEPS_PER_WALK_MAX: usize = 100;
/// A failed attempt whose next one is this near is waited for, so that a hiccup does not cost a day until the next
/// scheduled run.
const WAIT_FOR_RETRY_MAX: Duration = Duration::from_secs(20);
/// What a wait counts for at least, so that waits of no length come to an end too.
const WAIT_COUNTED_MIN: Duration = Duration::from_millis(100);
/// In all, a walk waits no longer than this: a scheduler's next run is the better place to go on.
const WAIT_PER_WALK_MAX: Duration = Duration::from_secs(40);

/// What a run tells while it works. Called from many tasks; must be quick.
pub trait Progress: Send + Sync + Debug {
    fn observing(&self, issuer: &str, found: usize, total: Option<u64>);
    /// `walks` credentials have something to do.
    fn begin(&self, walks: usize);
    fn performed(&self, credential: &CredentialId, step: &Step);
    fn walked(&self);
}

/// Nobody listens.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {
    fn observing(&self, _issuer: &str, _found: usize, _total: Option<u64>) {}
    fn begin(&self, _walks: usize) {}
    fn performed(&self, _credential: &CredentialId, _step: &Step) {}
    fn walked(&self) {}
}

/// Where a walk ended.
#[derive(Debug)]
pub(crate) struct Walked {
    pub(crate) credential: Option<CredentialId>,
    pub(crate) steps: Vec<&'static str>,
    pub(crate) plan: Plan,
    /// It was switched on again since somebody missed it. The plan that follows says no more of that.
    pub(crate) missed: Option<Finding>,
    /// It went back: whatever it does now proves nothing.
    pub(crate) back: bool,
    pub(crate) end: End,
}

#[derive(Debug)]
pub(crate) enum End {
    /// Nothing is due now.
    Settled,
    /// It goes on in the next run.
    Unfinished,
    /// The whole issuer is in trouble.
    Systemic(driver::DriverError),
    /// Our own database failed: nothing further may be done.
    Broken(ObserveError),
}

/// What the walk knows beside the database.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    pub(crate) request: &'a RunRequest,
    /// Rows with steps in doubt from before: they are looked at first.
    pub(crate) in_doubt: &'a HashSet<i64>,
    pub(crate) progress: &'a dyn Progress,
}

impl Engine {
    /// `may_begin`: whether a rotation may be begun, should it come to that. Under a policy that has proved nothing
    /// yet, it is another credential's turn.
    pub(crate) async fn walk(&self, id: i64, may_begin: bool, walk: &Walk<'_>) -> Walked {
        let mut walked = Walked {
            credential: None,
            steps: Vec::new(),
            plan: Plan::default(),
            missed: None,
            back: false,
            end: End::Unfinished,
        };
        walked.end = match self.go(id, may_begin, walk, &mut walked).await {
            Ok(end) => end,
            Err(WalkError::Look(ObserveError::Listing { source, .. })) if source.kind.is_systemic() => {
                End::Systemic(source)
            }
            Err(WalkError::Look(ObserveError::Listing { .. })) => End::Unfinished,
            Err(WalkError::Look(error)) => End::Broken(error),
            Err(WalkError::Read(error)) => End::Broken(error.into()),
            Err(WalkError::Write(error)) => End::Broken(error.into()),
        };
        if planted("broken_looks_well") && matches!(walked.end, End::Broken(_)) {
            walked.end = End::Settled;
        }
        walk.progress.walked();
        walked
    }

    async fn go(&self, id: i64, may_begin: bool, walk: &Walk<'_>, walked: &mut Walked) -> Result<End, WalkError> {
        let mut look_first = walk.in_doubt.contains(&id);
        let mut looked = false;
        let mut waited = Duration::ZERO;
        for _ in 0..STEPS_PER_WALK_MAX {
            let Some(entry) = self.db.entry(id, &self.views()).await? else { return Ok(End::Settled) };
            walked.credential = Some(entry.observed.credential.clone());
            if look_first {
                if walk.request.stop.is_asked() {
                    return Ok(End::Unfinished);
                }
                self.look_again(&entry).await?;
                (look_first, looked) = (false, true);
                continue;
            }
            walked.back |= goes_back(&entry);
            let Some((plan, applied)) = self.plan(&entry) else { return Ok(End::Settled) };
            walked.plan = plan;
            let Some(due) = self.due(&entry, &applied, &walked.plan, walk.request) else {
                if let Some(wait) = self.wait_until_retry(&entry, &walked.plan)
                    && waited.saturating_add(wait) <= WAIT_PER_WALK_MAX
                {
                    let pause = self.ports.clock.sleep(StdDuration::try_from(wait).unwrap_or_default());
                    if walk.request.stop.unless_asked(pause).await.is_none() {
                        return Ok(End::Unfinished);
                    }
                    waited = waited.saturating_add(wait.max(WAIT_COUNTED_MIN));
                    continue;
                }
                return Ok(End::Settled);
            };
            if due.step.begins() && entry.observed.rotation.is_none() && !may_begin {
                return Ok(End::Unfinished);
            }
            if walk.request.stop.is_asked() {
                return Ok(End::Unfinished);
            }
            let Some(issuer) = self.issuers.get(entry.observed.credential.issuer()) else { return Ok(End::Settled) };
            if !issuer.was_heard(self.ports.clock.now()) {
                if looked {
                    return Ok(End::Unfinished);
                }
                look_first = true;
                continue;
            }
            looked = false;
            match self.perform(issuer, &entry, &applied, &due).await? {
                Performed::Done => {
                    if let Reason::UsedWhileDisabled { last_used } = due.reason {
                        walked.missed = Some(Finding::UsedWhileDisabled { last_used });
                    }
                    walked.steps.push(due.step.word());
                    walk.progress.performed(&entry.observed.credential, &due.step);
                }
                Performed::Later | Performed::Overtaken => {}
                Performed::LookFirst => look_first = true,
                Performed::NoSlot => return Ok(End::Settled),
                Performed::Systemic(error) => return Ok(End::Systemic(error)),
            }
        }
        Ok(End::Unfinished)
    }

    /// The plan for one credential, by its issuer's clock and the policy that applies to it.
    pub(crate) fn plan(&self, entry: &Entry) -> Option<(Plan, Applied)> {
        let issuer = self.issuers.get(entry.observed.credential.issuer())?;
        let now = self.now(issuer);
        let applied = self.policies.applied(&entry.observed.credential, now)?;
        Some((planner::plan(now, &applied.policy, &entry.observed), applied))
    }

    /// The step to perform now, if there is one and nobody has to approve it first.
    fn due(&self, entry: &Entry, applied: &Applied, plan: &Plan, request: &RunRequest) -> Option<Planned> {
        let issuer = self.issuers.get(entry.observed.credential.issuer())?;
        let due = plan.due(self.now(issuer))?;
        let begins = due.step.begins() && entry.observed.rotation.is_none();
        let asks = applied.policy.mode == Mode::Ask
            && (entry.observed.requested.is_none() || applied.four_eyes && !entry.observed.is_compromised());
        let approved = request.approved.contains(entry.observed.credential.as_str());
        (!(begins && asks) || approved).then(|| due.clone())
    }

    /// How long until the next attempt, when it is near; anything else is left to the next run.
    fn wait_until_retry(&self, entry: &Entry, plan: &Plan) -> Option<Duration> {
        let issuer = self.issuers.get(entry.observed.credential.issuer())?;
        let retry_at = entry.observed.trouble.retry_at.filter(|_| !plan.steps.is_empty())?;
        let wait = retry_at.duration_since(self.now(issuer));
        let waits_for_more = plan.wake_at.is_none_or(|at| at > retry_at);
        (wait <= WAIT_FOR_RETRY_MAX && !waits_for_more).then(|| wait.max(Duration::ZERO))
    }
}

fn goes_back(entry: &Entry) -> bool {
    let cause = entry.observed.rotation.as_ref().map(|rotation| &rotation.cause);
    matches!(cause, Some(Cause::Rollback { .. } | Cause::Abandon { .. }))
}

#[derive(Debug, thiserror::Error)]
enum WalkError {
    #[error("the credential could not be looked at")]
    Look(#[from] ObserveError),
    #[error("the inventory could not be read: {0}")]
    Read(#[from] db::ReadError),
    #[error("the journal could not be written: {0}")]
    Write(#[from] db::WriteError),
}
