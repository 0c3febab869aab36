//! What people should know after a run: derived from what is true then, so that a crash loses nothing.
//!
//! Which of it is new, the outbox knows: it takes the same thing once, or once a day while it lasts.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use db::{Addressed, Ended};
use domain::{
    Duration, Ending, Finding, Mode, Notice, NoticeKind, Observed, Origin, Plan, Policy, Rotation, Timestamp,
};

use crate::{Engine, ObserveError, RunReport};

/// Trouble is told again after a day: often enough not to be forgotten, seldom enough to be read.
const AGAIN_AFTER: Duration = Duration::from_hours(24);
/// The same for what only goes on, such as use of the old version.
const REMINDED_AFTER: Duration = Duration::from_hours(7 * 24);
/// People plan by the week.
const SOON: Duration = Duration::from_hours(7 * 24);
/// What turns more often than this is routine: only trouble with it is told.
const ROUTINE: Duration = Duration::from_hours(14 * 24);
/// Attempts that failed before people hear of it: the first few pass by themselves most of the time.
const ATTEMPTS_BORNE: u32 = 3;

/// Who is told what happens to the credentials of a policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audience {
    pub told: Circle,
    /// They hear of what should have been done by now.
    pub escalated_to: Circle,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Circle {
    /// The channel through which a credential's owner is told.
    pub owner_through: Option<Arc<str>>,
    /// Channels with their recipients.
    pub places: Vec<(Arc<str>, String)>,
}

type Recipients = BTreeSet<(Arc<str>, String)>;

impl Audience {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// An owner whom nobody can reach is no reason for silence: then those hear of it to whom it would escalate.
    fn recipients(&self, kind: NoticeKind, owner: Option<&str>) -> Recipients {
        let mut all = self.told.recipients(owner);
        if matches!(kind, NoticeKind::Overdue | NoticeKind::Stuck) || all.is_empty() {
            all.extend(self.escalated_to.recipients(owner));
        }
        all
    }
}

impl Circle {
    fn recipients(&self, owner: Option<&str>) -> Recipients {
        let owner = self.owner_through.clone().zip(owner.map(str::to_owned));
        self.places.iter().cloned().chain(owner).collect()
    }
}

/// A notice, and when the same is told again.
#[derive(Debug, Clone, PartialEq, Eq)]
struct News {
    notice: Notice,
    again_after: Option<Duration>,
}

/// How far the journal has been told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ToldSoFar(i64);

impl Engine {
    /// `None`: no policy tells anybody anything. Where nobody was ever told, the news begin now.
    pub(crate) async fn told_so_far(&self) -> Result<Option<ToldSoFar>, db::ReadError> {
        if !self.policies.tells_anybody() {
            return Ok(None);
        }
        let (mark, last) = self.db.notice_mark().await?;
        Ok(Some(ToldSoFar(mark.unwrap_or(last))))
    }

    /// Leaves in the outbox what people should know. A database that refuses is noted in the report.
    pub(crate) async fn post_notices(&self, told: ToldSoFar, report: &mut RunReport) -> Result<(), db::ReadError> {
        let (_, last) = self.db.notice_mark().await?;
        let mut ended: HashMap<i64, Vec<Ended>> = HashMap::new();
        for one in self.db.ended_after(told.0).await? {
            ended.entry(one.credential_id).or_default().push(one);
        }
        let waiting: HashSet<String> =
            self.db.waiting_notices().await?.into_iter().map(|waiting| waiting.notice.subject).collect();
        let mut addressed = Vec::new();
        let mut states = Vec::new();
        let mut circles: BTreeMap<String, Recipients> = BTreeMap::new();
        self.survey(|surveyed| {
            let observed = &surveyed.entry.observed;
            if waiting.contains(observed.credential.as_str()) {
                states.push((observed.credential.to_string(), truth(observed)));
            }
            let Some((plan, applied)) = &surveyed.planned else { return };
            if applied.audience.is_empty() {
                return;
            }
            let circle = circles.entry(observed.credential.issuer().to_owned()).or_default();
            circle.extend(applied.audience.told.recipients(None));
            let owner = observed.owner.as_ref().and_then(|owner| owner.email.as_deref());
            let ended = ended.get(&surveyed.entry.id).map(Vec::as_slice).unwrap_or_default();
            let teller = Teller { observed, policy: &applied.policy, now: surveyed.now };
            for news in news_of(&teller, plan, ended) {
                addressed.extend(news.to(applied.audience.recipients(news.notice.kind, owner)));
            }
        })?;
        let now = self.ports.clock.now();
        for trouble in &report.troubles {
            let circle = circles.remove(&trouble.issuer).unwrap_or_default();
            addressed.extend(issuer_away(&trouble.issuer, &trouble.error, now).to(circle));
        }
        if let Err(error) = self.db.post(&addressed, &states, last, now).await {
            report.broken.get_or_insert(error.into());
        }
        Ok(())
    }
}

impl News {
    fn to(&self, recipients: Recipients) -> impl Iterator<Item = Addressed> {
        recipients.into_iter().map(|(notifier, recipient)| Addressed {
            notifier: notifier.to_string(),
            recipient,
            notice: self.notice.clone(),
            again_after: self.again_after,
        })
    }
}

/// Everything about one credential that somebody should know, whether they know it already or not.
fn news_of(teller: &Teller<'_>, plan: &Plan, ended: &[Ended]) -> Vec<News> {
    let observed = teller.observed;
    let mut news = Vec::new();
    if observed.facts.ending != Ending::Expires && teller.policy.rotate_after >= ROUTINE {
        if plan.steps.is_empty() && observed.rotation.is_none() {
            news.extend(plan.wake_at.and_then(|at| teller.due_soon(at)));
        }
        news.extend(ended.iter().filter_map(|one| teller.ended(one)));
        news.extend(observed.rotation.as_ref().and_then(|rotation| teller.under_way(rotation)));
        news.extend(teller.replaced_by_owner());
    }
    news.extend(plan.findings.iter().filter_map(|finding| teller.found(finding)));
    news
}

struct Teller<'a> {
    observed: &'a Observed,
    policy: &'a Policy,
    now: Timestamp,
}

impl Teller<'_> {
    fn news(&self, kind: NoticeKind, about: &str, what: String, advice: String) -> News {
        let subject = self.observed.credential.to_string();
        News {
            notice: Notice {
                kind,
                about: format!("{}/{about}/{subject}", kind.word()),
                subject,
                at: self.now,
                what,
                state: truth(self.observed),
                advice,
            },
            again_after: None,
        }
    }

    fn due_soon(&self, at: Timestamp) -> Option<News> {
        let is_soon = at.duration_since(self.now) <= SOON;
        let version = self.observed.current().filter(|_| is_soon && self.observed.hold.is_none())?.number;
        let advice = match self.policy.mode {
            Mode::Automatic => format!("see to it that applications read it {}", self.places()),
            Mode::Ask => "approve the plan when it is due: `keyrota plan --out FILE`, then `keyrota run --once --plan \
                          FILE`"
                .to_owned(),
            Mode::Notify => format!("replace it at the platform by {at:.0}"),
            Mode::Observe => return None,
        };
        Some(self.news(NoticeKind::DueSoon, &version.to_string(), format!("it is due {at:.0}"), advice))
    }

    fn under_way(&self, rotation: &Rotation) -> Option<News> {
        let confirmed = |delivery: &domain::Delivery| delivery.first_confirmed_at;
        let everywhere = !rotation.deliveries.is_empty()
            && rotation.deliveries.len() >= self.policy.deliver.len()
            && rotation.deliveries.iter().all(|delivery| confirmed(delivery).is_some());
        let Some(to) = rotation.to.filter(|_| everywhere) else {
            rotation.from.filter(|_| rotation.hands_out())?;
            let advice = "nothing: consumers go on with what they have until the new one is in place".to_owned();
            let what = "its replacement has begun".to_owned();
            return Some(self.news(NoticeKind::Started, rotation.id.as_str(), what, advice));
        };
        let what = format!("version {to} is where applications read, and was read back");
        let since = rotation.deliveries.iter().filter_map(confirmed).max()?;
        let until = since.saturating_add(self.policy.overlap).unwrap_or(Timestamp::MAX);
        let advice = match rotation.from {
            Some(from) => format!(
                "whoever keeps a copy takes the new one {}; version {from} is kept at least until {until:.0}",
                self.places()
            ),
            None => format!("nothing, where applications read it {}", self.places()),
        };
        Some(self.news(NoticeKind::Promoted, rotation.id.as_str(), what, advice))
    }

    /// Where the policy leaves the replacement to the owner, they hear that theirs was seen.
    fn replaced_by_owner(&self) -> Option<News> {
        let current = self.observed.current().filter(|_| self.policy.mode == Mode::Notify)?;
        let is_new = current.origin == Origin::Found && self.now.duration_since(current.created_at) <= SOON;
        let is_older = |version: &&domain::Version| version.number < current.number;
        let older = self.observed.versions.iter().rfind(is_older).filter(|_| is_new)?;
        let what = format!("version {}, made at the platform {:.0}, was seen", current.number, current.created_at);
        let advice = if older.is_live() {
            format!("remove version {} at the platform once nobody uses it", older.number)
        } else {
            "nothing".to_owned()
        };
        Some(self.news(NoticeKind::Promoted, &current.number.to_string(), what, advice))
    }

    fn ended(&self, ended: &Ended) -> Option<News> {
        let retired = ended.retired?;
        let proved = if ended.proved_dead { "; the platform was seen to refuse it" } else { "" };
        let what = format!("version {retired} is revoked{proved}");
        Some(self.news(NoticeKind::Retired, ended.rotation.as_str(), what, "nothing".to_owned()))
    }

    fn found(&self, finding: &Finding) -> Option<News> {
        let (kind, again_after) = meaning(finding)?;
        let around = match &self.observed.rotation {
            Some(rotation) => rotation.id.as_str().to_owned(),
            None => self.observed.current().map_or_else(|| "none".to_owned(), |version| version.number.to_string()),
        };
        let about = match finding {
            Finding::Drifted { destination, .. } => format!("{}/{around}/{destination}", finding.word()),
            _ => format!("{}/{around}", finding.word()),
        };
        let mut advice = finding.hint().replace("CREDENTIAL", self.observed.credential.as_str());
        let mut what = finding.to_string();
        if let (Finding::OwnerActs, Some(current)) = (finding, self.observed.current()) {
            let due_at = current.created_at.saturating_add(self.policy.rotate_after).unwrap_or(Timestamp::MAX);
            what = format!("it was due {due_at:.0}, and its policy leaves the replacement to its owner");
            advice = "replace it at the platform; the next run sees the new one".to_owned();
        }
        Some(News { again_after: Some(again_after), ..self.news(kind, &about, what, advice) })
    }

    fn places(&self) -> String {
        let places: Vec<String> = self.policy.deliver.iter().map(ToString::to_string).collect();
        if places.is_empty() { "where its policy says".to_owned() } else { format!("from {}", places.join(", ")) }
    }
}

/// What kind of news a finding is, and after what time it is told again. `None`: it passes by itself, or somebody
/// decided it.
fn meaning(finding: &Finding) -> Option<(NoticeKind, Duration)> {
    let kind = match finding {
        Finding::Protected | Finding::Held { .. } | Finding::ParentDisabled | Finding::OnlyObserved => return None,
        Finding::Retrying { attempts, .. } if *attempts < ATTEMPTS_BORNE => return None,
        Finding::StillUsed { .. } | Finding::Stray => return Some((NoticeKind::Stuck, REMINDED_AFTER)),
        Finding::TaskWaiting { .. } | Finding::ApprovalWanted | Finding::OwnerActs => NoticeKind::TaskWaiting,
        Finding::Overdue { .. } | Finding::TaskOverdue { .. } => NoticeKind::Overdue,
        Finding::Drifted { .. } => NoticeKind::Drift,
        Finding::Retrying { .. }
        | Finding::CurrentGone { .. }
        | Finding::SuccessorRefused { .. }
        | Finding::StillAccepted { .. }
        | Finding::AcceptedPastExpiry { .. }
        | Finding::UsedWhileDisabled { .. } => NoticeKind::Failed,
        _ => NoticeKind::Stuck,
    };
    Some((kind, AGAIN_AFTER))
}

/// What is true of a credential now, in one sentence.
fn truth(observed: &Observed) -> String {
    let Some(rotation) = &observed.rotation else {
        return match observed.current() {
            Some(version) => format!("version {} is current, made {:.0}", version.number, version.created_at),
            None => "no version of it is live".to_owned(),
        };
    };
    let still = rotation.from.and_then(|from| observed.version(from)).filter(|version| version.is_live());
    let old = match (still, rotation.from) {
        (Some(version), _) if version.disabled_at.is_some() => format!("version {} is switched off", version.number),
        (Some(version), _) => format!("version {} still works", version.number),
        (None, Some(from)) => format!("version {from} is gone"),
        (None, None) => "nothing is to be retired".to_owned(),
    };
    match rotation.to {
        Some(to) if rotation.serves() => format!("consumers read version {to}; {old}"),
        Some(to) => format!("version {to} is made and not yet handed out; {old}"),
        None => format!("no successor is made yet; {old}"),
    }
}

fn issuer_away(issuer: &str, error: &ObserveError, at: Timestamp) -> News {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    News {
        notice: Notice {
            kind: NoticeKind::Failed,
            subject: issuer.to_owned(),
            about: format!("failed/issuer/{issuer}"),
            at,
            what: format!("{error}{cause}"),
            state: "nothing of it moves until it can be listed".to_owned(),
            advice: "run `keyrota check`".to_owned(),
        },
        again_after: Some(AGAIN_AFTER),
    }
}
