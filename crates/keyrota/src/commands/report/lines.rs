//! What a report says of one credential, and of all together.

use std::collections::BTreeMap;

use domain::{Finding, Timestamp};
use engine::Surveyed;
use serde_json::{Map, Value, json};

use crate::commands::{
    credential::{Stand, stand},
    rfc3339,
};

/// Without a use on record for so long, nobody seems to need it.
const UNUSED_DAYS: i64 = 90;
/// Upper bounds in days, and what stands below them.
const BANDS: [(i64, &str); 6] = [
    (30, "up to 30 days"),
    (60, "31 to 60 days"),
    (90, "61 to 90 days"),
    (100, "91 to 100 days"),
    (365, "101 days to a year"),
    (i64::MAX, "more than a year"),
];

pub(super) const COLUMNS: [&str; 14] = [
    "credential",
    "issuer",
    "owner",
    "policy",
    "state",
    "age_days",
    "live_versions",
    "due_at",
    "expires_at",
    "last_used",
    "marks",
    "held_by",
    "held_because",
    "attention",
];

#[derive(Debug)]
pub(super) struct Line {
    pub(super) credential: String,
    issuer: String,
    owner: Option<String>,
    policy: Option<String>,
    pub(super) stand: Stand,
    pub(super) age_days: Option<i64>,
    live_versions: usize,
    due_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    last_used: Option<Timestamp>,
    held: Option<(String, String)>,
    attention: Vec<String>,
    overdue: bool,
    unused: bool,
    protected: bool,
}

impl Line {
    pub(super) fn of(surveyed: &Surveyed) -> Self {
        let (observed, now) = (&surveyed.entry.observed, surveyed.now);
        let current = observed.current();
        let policy = surveyed.planned.as_ref().map(|(_, applied)| &applied.policy);
        let live = || observed.versions.iter().filter(|version| version.is_live());
        let days = |at: Timestamp| now.duration_since(at).as_hours() / 24;
        let due_at = current.zip(policy).filter(|_| !observed.stray && !observed.protected);
        let due_at = due_at.and_then(|(version, policy)| version.created_at.saturating_add(policy.rotate_after).ok());
        let findings = || surveyed.planned.iter().flat_map(|(plan, _)| &plan.findings);
        let told = live()
            .filter_map(|version| version.usage.known_through.map(|_| version.usage.last_used))
            .collect::<Vec<_>>();
        let last_used = told.iter().flatten().max().copied();
        let late = |policy: &domain::Policy| {
            live().any(|version| version.created_at.saturating_add(policy.retire_after).is_ok_and(|limit| limit < now))
        };
        Self {
            credential: observed.credential.to_string(),
            issuer: observed.credential.issuer().to_owned(),
            owner: observed.owner.as_ref().map(|owner| owner.email.clone().unwrap_or_else(|| owner.name.clone())),
            policy: policy.map(|policy| policy.name.clone()),
            stand: stand(surveyed),
            age_days: current.map(|version| days(version.created_at)),
            live_versions: live().count(),
            due_at,
            expires_at: current.and_then(|version| version.expires_at),
            last_used,
            held: observed.hold.as_ref().map(|hold| (hold.by.clone(), hold.reason.clone())),
            attention: findings().filter(|finding| finding.wants_attention()).map(Finding::to_string).collect(),
            overdue: policy.is_some_and(late),
            unused: !told.is_empty() && last_used.is_none_or(|at| days(at) > UNUSED_DAYS),
            protected: observed.protected,
        }
    }

    /// The words under which it counts in the summary, beside its state.
    pub(super) fn marks(&self) -> Vec<&'static str> {
        let lives = self.live_versions > 0;
        [
            ("overdue", self.overdue),
            ("never_expires", lives && self.expires_at.is_none() && self.policy.is_none()),
            ("unowned", lives && self.owner.is_none()),
            ("unused", lives && self.unused),
            ("held", self.held.is_some()),
            ("stray", self.stand == Stand::Stray),
            ("protected", self.protected),
            ("unmanaged", lives && self.policy.is_none() && self.stand != Stand::Stray),
        ]
        .into_iter()
        .filter_map(|(word, holds)| holds.then_some(word))
        .collect()
    }

    pub(super) fn cells(&self) -> [String; 14] {
        let time = |at: Option<Timestamp>| at.map(rfc3339).unwrap_or_default();
        let (by, because) = self.held.clone().unwrap_or_default();
        [
            self.credential.clone(),
            self.issuer.clone(),
            self.owner.clone().unwrap_or_default(),
            self.policy.clone().unwrap_or_default(),
            self.stand.word().to_owned(),
            self.age_days.map(|days| days.to_string()).unwrap_or_default(),
            self.live_versions.to_string(),
            time(self.due_at),
            time(self.expires_at),
            time(self.last_used),
            self.marks().join(" "),
            by,
            because,
            self.attention.join("; "),
        ]
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "credential": self.credential,
            "issuer": self.issuer,
            "owner": self.owner,
            "policy": self.policy,
            "state": self.stand.word(),
            "age_days": self.age_days,
            "live_versions": self.live_versions,
            "due_at": self.due_at.map(rfc3339),
            "expires_at": self.expires_at.map(rfc3339),
            "last_used": self.last_used.map(rfc3339),
            "marks": self.marks(),
            "held": self.held.as_ref().map(|(by, because)| json!({ "by": by, "reason": because })),
            "attention": self.attention,
        })
    }
}

/// What counts in a report, in the order in which it is told.
const MARKS: [(&str, &str); 8] = [
    ("overdue", "a version lives past its policy's `retire_after`"),
    ("never_expires", "no policy replaces it and no date ends it"),
    ("unowned", "nobody answers for it"),
    ("unused", "no use on record for 90 days"),
    ("held", "a person keeps it as it is"),
    ("stray", "a successor's name, and not made by Keyrota"),
    ("protected", "an integration of the platform's own"),
    ("unmanaged", "no policy applies"),
];

#[derive(Debug)]
pub(super) struct Summary {
    credentials: usize,
    live_versions: usize,
    states: BTreeMap<Stand, usize>,
    marks: BTreeMap<&'static str, usize>,
    bands: [usize; BANDS.len()],
}

impl Summary {
    pub(super) fn of(lines: &[Line]) -> Self {
        let mut states: BTreeMap<Stand, usize> = BTreeMap::new();
        let mut marks: BTreeMap<&'static str, usize> = BTreeMap::new();
        let mut bands = [0; BANDS.len()];
        for line in lines {
            *states.entry(line.stand).or_default() += 1;
            for mark in line.marks() {
                *marks.entry(mark).or_default() += 1;
            }
            let band = line.age_days.and_then(|days| BANDS.iter().position(|(limit, _)| days <= *limit));
            if let Some(count) = band.and_then(|band| bands.get_mut(band)) {
                *count += 1;
            }
        }
        let live_versions = lines.iter().map(|line| line.live_versions).sum();
        Self { credentials: lines.len(), live_versions, states, marks, bands }
    }

    /// What, how many, and what it means.
    pub(super) fn rows(&self) -> Vec<(String, usize, String)> {
        let mut rows = vec![
            ("credentials".to_owned(), self.credentials, "in the inventory".to_owned()),
            ("versions".to_owned(), self.live_versions, "alive".to_owned()),
        ];
        rows.extend(self.states().map(|(stand, count)| (stand.word().to_owned(), count, stand.about().to_owned())));
        rows.extend(self.marked().map(|(word, count, about)| (word.to_owned(), count, about.to_owned())));
        rows
    }

    pub(super) fn states(&self) -> impl Iterator<Item = (Stand, usize)> {
        self.states.iter().map(|(stand, count)| (*stand, *count))
    }

    pub(super) fn marked(&self) -> impl Iterator<Item = (&'static str, usize, &'static str)> {
        MARKS.iter().map(|(word, about)| (*word, self.marks.get(word).copied().unwrap_or_default(), *about))
    }

    /// How many credentials have a current version of which age.
    pub(super) fn ages(&self) -> impl Iterator<Item = (&'static str, usize)> {
        BANDS.iter().zip(self.bands).map(|((_, band), count)| (*band, count))
    }

    pub(super) fn to_json(&self) -> Value {
        let states: Map<String, Value> =
            self.states().map(|(stand, count)| (stand.word().to_owned(), count.into())).collect();
        let marks: Map<String, Value> = self.marked().map(|(word, count, _)| (word.to_owned(), count.into())).collect();
        let ages: Map<String, Value> = self.ages().map(|(band, count)| (band.to_owned(), count.into())).collect();
        json!({
            "credentials": self.credentials,
            "live_versions": self.live_versions,
            "states": states,
            "marks": marks,
            "ages": ages,
        })
    }
}
