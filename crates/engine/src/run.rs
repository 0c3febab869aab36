//! One run: observe, plan, perform every step that is due.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Mutex,
};

use domain::{CredentialId, Finding, Plan, Selector, Step, Timestamp, planted};
use futures_util::{StreamExt, future, stream};

use crate::{
    Engine, Observation, ObserveError, Progress, Stop, Surveyed,
    observe::ObserveError as Observe,
    survey::{Shown, shown_by, survey},
    walk::{End, Walk, Walked},
};

/// Credentials walked at once. Most of them wait for the network, whose budget is each issuer's own; what this
/// bounds is memory and the number of steps that are open at a crash.
const WALKS_AT_ONCE: usize = 256;

/// What a run may touch.
#[derive(Debug, Clone)]
pub struct RunRequest {
    pub selector: Selector,
    /// Only these identifiers, when a plan is carried out.
    pub only: Option<HashSet<String>>,
    /// Identifiers for which a person has approved the plan.
    pub approved: HashSet<String>,
    /// Look at the issuers first. Without it, the run rests on the last observation.
    pub observe: bool,
    /// Asked for, the run begins nothing further and tells what it did.
    pub stop: Stop,
}

impl RunRequest {
    pub fn everything() -> Self {
        Self {
            selector: Selector::everything(),
            only: None,
            approved: HashSet::new(),
            observe: true,
            stop: Stop::never(),
        }
    }

    pub(crate) fn covers(&self, credential: &str) -> bool {
        self.selector.matches(credential) && self.only.as_ref().is_none_or(|only| only.contains(credential))
    }
}

/// An issuer that could not be worked with in this run.
#[derive(Debug)]
pub struct IssuerTrouble {
    pub issuer: String,
    pub error: ObserveError,
}

/// What a run did, and what it left.
#[derive(Debug, Default)]
pub struct RunReport {
    pub observations: Vec<Observation>,
    pub troubles: Vec<IssuerTrouble>,
    /// Credentials that the request covers.
    pub covered: usize,
    /// Steps performed, by their word.
    pub performed: BTreeMap<&'static str, usize>,
    /// Credentials on which at least one step was performed.
    pub touched: usize,
    /// Credentials whose next step waits for its time.
    pub waiting: usize,
    pub next_at: Option<Timestamp>,
    /// Credentials whose last step failed and is tried again by a later run.
    pub retrying: Vec<(CredentialId, Finding)>,
    /// What a person should look at.
    pub attention: Vec<(CredentialId, Finding)>,
    /// Places where a value that somebody else had put there was replaced by the first delivery.
    pub taken_over: Vec<(CredentialId, String)>,
    /// Policies under which no rotation has come through yet: the others were not begun.
    pub halted: BTreeSet<String>,
    /// What was handed over to the channels that tell people, where somebody did.
    pub posted: Option<crate::Posted>,
    /// It was asked to stop: what is due may not have begun.
    pub stopped: bool,
    /// Our own database failed during the run.
    pub broken: Option<ObserveError>,
}

/// A credential with something to do.
struct Candidate {
    id: i64,
    issuer: String,
    policy: String,
    /// Its next step would begin a rotation.
    begins: bool,
    /// Its rotation is under way and nothing reads what it made: an earlier run was cut short, or it waits.
    trying: bool,
    /// It may begin one, now or after whatever comes first.
    may_begin: bool,
    /// Others know it: it goes in front of every queue.
    urgent: bool,
}

/// What a policy has shown so far.
#[derive(Default, Clone, Copy)]
struct Standing {
    /// Consumers of at least one credential read a successor that was made under it.
    proven: bool,
    /// A rotation under it is on its way there.
    trying: bool,
}

impl Engine {
    /// Observes, plans and performs until nothing is due.
    ///
    /// # Errors
    /// Those of the database outside any single credential; trouble with an issuer or a credential is in the report.
    pub async fn run_once(&self, request: &RunRequest, progress: &dyn Progress) -> Result<RunReport, db::ReadError> {
        let mut report = RunReport::default();
        let told = self.told_so_far().await?;
        let begun_after = self.db.last_journal_entry().await?;
        if request.observe {
            request.stop.unless_asked(self.observe_all(&mut report, progress)).await;
        }
        // Always before anything is planned: what somebody wrote just now is not covered by what is begun next.
        if let Some(Err(error)) = request.stop.unless_asked(self.inspect_destinations(request)).await {
            report.broken = Some(error.into());
            return Ok(report);
        }
        let doubts = self.journal.in_doubt().await?;
        let in_doubt: HashSet<i64> = doubts.into_iter().map(|doubt| doubt.credential_id).collect();
        let halted: BTreeSet<String> = report.troubles.iter().map(|trouble| trouble.issuer.clone()).collect();
        let (candidates, standings) = self.candidates(request, &in_doubt, &halted)?;
        progress.begin(candidates.len());
        let walk = Walk { request, in_doubt: &in_doubt, progress };
        self.walk_all(candidates, &standings, &walk, &mut report).await;
        report.stopped = request.stop.is_asked();
        report.taken_over = self.db.taken_over_after(begun_after).await?;
        self.look_back(request, &mut report)?;
        if let Some(told) = told {
            self.post_notices(told, &mut report).await?;
        }
        Ok(report)
    }

    /// Observes every issuer; what fails is in the report.
    pub async fn observe_all(&self, report: &mut RunReport, progress: &dyn Progress) {
        let observing = self.issuers.values().map(|issuer| async {
            let observed = self.observe(issuer, progress).await;
            (issuer.name.clone(), observed)
        });
        for (issuer, observed) in future::join_all(observing).await {
            match observed {
                Ok(observation) => report.observations.push(observation),
                Err(error) => report.troubles.push(IssuerTrouble { issuer, error }),
            }
        }
    }

    /// Plans the whole inventory, as [`survey`] does, with this engine's issuers.
    ///
    /// # Errors
    /// Those of the database.
    pub fn survey(&self, each: impl FnMut(Surveyed)) -> Result<(), db::ReadError> {
        survey(&self.db, &*self.policies, &self.views(), each)
    }

    /// What has something to do, and how each policy stands.
    fn candidates(
        &self,
        request: &RunRequest,
        in_doubt: &HashSet<i64>,
        halted: &BTreeSet<String>,
    ) -> Result<(Vec<Candidate>, HashMap<String, Standing>), db::ReadError> {
        let mut candidates = Vec::new();
        let mut standings: HashMap<String, Standing> = HashMap::new();
        self.survey(|surveyed| {
            let observed = &surveyed.entry.observed;
            let Some((plan, applied)) = &surveyed.planned else { return };
            let shown = shown_by(observed);
            let (served, trying) = (shown == Shown::Served, shown == Shown::Trying);
            if served || trying {
                let standing = standings.entry(applied.policy.name.clone()).or_default();
                standing.proven |= served;
                standing.trying |= trying;
            }
            let credential = &observed.credential;
            if !request.covers(credential.as_str()) || halted.contains(credential.issuer()) {
                return;
            }
            let id = surveyed.entry.id;
            let retrying = observed.trouble.retry_at.is_some() && !plan.steps.is_empty();
            if plan.due(surveyed.now).is_none() && !in_doubt.contains(&id) && !retrying {
                return;
            }
            let begins = plan.steps.first().is_some_and(|planned| planned.step.begins());
            candidates.push(Candidate {
                id,
                issuer: credential.issuer().to_owned(),
                policy: applied.policy.name.clone(),
                begins: begins && observed.rotation.is_none(),
                trying,
                may_begin: false,
                urgent: observed.is_compromised(),
            });
        })?;
        candidates.sort_by_key(|candidate| !candidate.urgent);
        Ok((candidates, standings))
    }

    /// Under a policy that has proved nothing yet, one rotation goes first, and the others begin only when one came
    /// through. A bad template or a wrong destination then costs one credential, not the estate.
    async fn walk_all(
        &self,
        candidates: Vec<Candidate>,
        standings: &HashMap<String, Standing>,
        walk: &Walk<'_>,
        report: &mut RunReport,
    ) {
        let standing = |policy: &str| standings.get(policy).copied().unwrap_or_default();
        let mut tried: BTreeSet<String> =
            standings.iter().filter(|(_, standing)| standing.trying).map(|(policy, _)| policy.clone()).collect();
        let judged = candidates.into_iter().map(|candidate| {
            let proven = standing(&candidate.policy).proven || planted("everybody_begins");
            let may_begin = proven || candidate.begins && tried.insert(candidate.policy.clone());
            Candidate { may_begin, ..candidate }
        });
        let (mut next, mut rest): (Vec<_>, Vec<_>) =
            judged.partition(|candidate| !candidate.begins || candidate.may_begin);
        let halted = Mutex::new(BTreeMap::new());
        let mut later = HashSet::new();
        while !next.is_empty() {
            let canaries: HashMap<i64, (String, bool)> = next
                .iter()
                .filter(|candidate| candidate.begins || candidate.trying)
                .map(|candidate| (candidate.id, (candidate.policy.clone(), candidate.begins)))
                .collect();
            let walked = self.walk_some(next, walk, &halted).await;
            let (mut through, mut in_hands) = (HashSet::new(), HashSet::new());
            for (id, walked) in &walked {
                let Some((policy, began)) = canaries.get(id) else { continue };
                match proof(walked) {
                    Proof::Through => drop(through.insert(policy.clone())),
                    Proof::InHands if *began => drop(in_hands.insert(policy.clone())),
                    Proof::Later => drop(later.insert(policy.clone())),
                    Proof::InHands | Proof::None => {}
                }
            }
            take(report, walked);
            (next, rest) =
                rest.into_iter().partition(|one| through.contains(&one.policy) || in_hands.remove(&one.policy));
            next.iter_mut().for_each(|candidate| candidate.may_begin = true);
        }
        // What a stop kept from beginning waits for no proof, and waiting for the platform is no trouble.
        if !walk.request.stop.is_asked() {
            let policies = rest.into_iter().map(|candidate| candidate.policy);
            report.halted.extend(policies.filter(|policy| !later.contains(policy)));
        }
        let halted = halted.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (issuer, source) in halted {
            let error = Observe::Listing { issuer: issuer.clone(), source };
            report.troubles.push(IssuerTrouble { issuer, error });
        }
    }

    /// Walks many at once. An issuer in systemic trouble is left alone for the rest of the run.
    async fn walk_some(
        &self,
        candidates: Vec<Candidate>,
        walk: &Walk<'_>,
        halted: &Mutex<BTreeMap<String, driver::DriverError>>,
    ) -> Vec<(i64, Walked)> {
        let lock = || halted.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        stream::iter(candidates)
            .map(|candidate| async move {
                if walk.request.stop.is_asked() || lock().contains_key(&candidate.issuer) {
                    return None;
                }
                let mut walked = self.walk(candidate.id, candidate.may_begin, walk).await;
                match std::mem::replace(&mut walked.end, End::Unfinished) {
                    End::Systemic(error) => drop(lock().entry(candidate.issuer).or_insert(error)),
                    end => walked.end = end,
                }
                Some((candidate.id, walked))
            })
            .buffer_unordered(WALKS_AT_ONCE)
            .filter_map(future::ready)
            .collect()
            .await
    }

    /// What is left after the run: who waits, and who wants a person.
    fn look_back(&self, request: &RunRequest, report: &mut RunReport) -> Result<(), db::ReadError> {
        self.survey(|surveyed| {
            let credential = &surveyed.entry.observed.credential;
            if !request.covers(credential.as_str()) {
                return;
            }
            report.covered += 1;
            let Some((plan, _)) = &surveyed.planned else { return };
            if let Some(next) = plan.steps.first() {
                report.waiting += 1;
                // What is due and was not begun waits for another credential, not for a time.
                let later = Some(next.not_before).filter(|at| *at > surveyed.now);
                report.next_at = report.next_at.into_iter().chain(later).min();
            }
            let retrying = plan.findings.iter().filter(|finding| matches!(finding, Finding::Retrying { .. }));
            report.retrying.extend(retrying.map(|finding| (credential.clone(), finding.clone())));
            let wanting = plan.findings.iter().filter(|finding| finding.wants_attention());
            report.attention.extend(wanting.map(|finding| (credential.clone(), finding.clone())));
        })
    }
}

fn take(report: &mut RunReport, walked: Vec<(i64, Walked)>) {
    for (_, walked) in walked {
        if !walked.steps.is_empty() {
            report.touched += 1;
        }
        report.attention.extend(walked.credential.zip(walked.missed));
        for step in walked.steps {
            *report.performed.entry(step).or_default() += 1;
        }
        if let End::Broken(why) = walked.end {
            report.broken.get_or_insert(why);
        }
    }
}

/// What a canary's walk says of its policy.
enum Proof {
    /// The successor is current everywhere.
    Through,
    /// The beginning waits for a person: nothing is proved and nothing is risked, and another one is the canary.
    InHands,
    /// Not yet: what it changed is still spreading, and nothing has gone wrong.
    Later,
    None,
}

fn proof(walked: &Walked) -> Proof {
    if !matches!(walked.end, End::Settled | End::Unfinished) || walked.credential.is_none() || walked.back {
        return Proof::None;
    }
    let unproved = |plan: &Plan| {
        plan.steps.first().is_some_and(|planned| {
            matches!(
                planned.step,
                Step::Prepare { .. }
                    | Step::Issue { .. }
                    | Step::AskPerson { .. }
                    | Step::Write { .. }
                    | Step::Verify { .. }
                    | Step::Promote { .. }
                    | Step::Confirm { .. }
            )
        })
    };
    let parked = walked.plan.findings.iter().any(|finding| matches!(finding, Finding::Parked { .. }));
    let person = walked.plan.findings.iter().any(|finding| {
        matches!(finding, Finding::ApprovalWanted | Finding::TaskWaiting { .. } | Finding::TaskOverdue { .. })
    });
    let trouble = |finding: &Finding| finding.wants_attention() || matches!(finding, Finding::Retrying { .. });
    // A plan without steps may only say that something stands in the way.
    let read_back = walked.steps.iter().any(|step| matches!(*step, "confirm" | "complete"));
    let stands_still = walked.plan.steps.is_empty() && !read_back;
    match () {
        () if person => Proof::InHands,
        () if unproved(&walked.plan) && !walked.plan.findings.iter().any(trouble) => Proof::Later,
        () if parked || stands_still || unproved(&walked.plan) => Proof::None,
        () => Proof::Through,
    }
}
