//! `keyrota credential list`.

use db::Access;
use domain::Timestamp;
use engine::Surveyed;
use serde_json::{Value, json};

use super::{Stand, stand};
use crate::{
    commands::{relative, rfc3339, selector, tell_nobody},
    complaint::Exit,
    shell::{Ended, Shell},
    wiring::{Opened, survey},
};

/// One credential as a line.
struct Line {
    credential: String,
    issuer: String,
    owner: Option<String>,
    age_days: Option<i64>,
    stand: Stand,
    policy: Option<String>,
    current_version: Option<u32>,
    due_at: Option<Timestamp>,
    now: Timestamp,
    attention: Option<String>,
}

pub(crate) async fn list(shell: &Shell, wanted: Option<&str>, only_attention: bool) -> Ended {
    let covered = selector(wanted)?;
    let opened = Opened::open(shell, Access::ReadOnly).await?;
    let states = opened.db.issuer_states().await?;
    let mut lines = Vec::new();
    survey(&opened, &states, |surveyed| {
        if covered.matches(surveyed.entry.observed.credential.as_str()) {
            lines.push(line(&surveyed));
        }
    })?;
    let nobody = wanted.is_some() && lines.is_empty();
    let exit = if nobody { tell_nobody(shell, wanted) } else { Exit::Done };
    lines.retain(|line| line.attention.is_some() || !only_attention);
    lines.sort_by(|one, other| one.credential.cmp(&other.credential));
    if shell.json() {
        for line in &lines {
            shell.object(&line.to_json())?;
        }
        return Ok(exit);
    }
    let rows = lines.iter().map(|line| {
        [
            line.credential.clone(),
            line.stand.word().to_owned(),
            line.age_days.map_or_else(String::new, |days| format!("{days} d")),
            line.due_at.map_or_else(String::new, |at| relative(at, line.now)),
            line.owner.clone().unwrap_or_default(),
            line.attention.clone().unwrap_or_default(),
        ]
    });
    shell.table(["CREDENTIAL", "STATE", "AGE", "DUE", "OWNER", "ATTENTION"], rows.collect())?;
    Ok(exit)
}

fn line(surveyed: &Surveyed) -> Line {
    let observed = &surveyed.entry.observed;
    let current = observed.current();
    let policy = surveyed.planned.as_ref().map(|(_, applied)| &applied.policy);
    let due_at = current.zip(policy).filter(|_| !observed.stray);
    let owner = observed.owner.as_ref();
    let findings = surveyed.planned.iter().flat_map(|(plan, _)| &plan.findings);
    Line {
        credential: observed.credential.to_string(),
        issuer: observed.credential.issuer().to_owned(),
        owner: owner.map(|owner| owner.email.clone().unwrap_or_else(|| owner.name.clone())),
        age_days: current.map(|version| surveyed.now.duration_since(version.created_at).as_hours() / 24),
        stand: stand(surveyed),
        policy: policy.map(|policy| policy.name.clone()),
        current_version: current.map(|version| version.number.0),
        due_at: due_at.and_then(|(version, policy)| version.created_at.saturating_add(policy.rotate_after).ok()),
        now: surveyed.now,
        attention: findings.filter(|finding| finding.is_called_out()).map(ToString::to_string).next(),
    }
}

impl Line {
    fn to_json(&self) -> Value {
        json!({
            "credential": self.credential,
            "issuer": self.issuer,
            "owner": self.owner,
            "age_days": self.age_days,
            "state": self.stand.word(),
            "policy": self.policy,
            "current_version": self.current_version,
            "due_at": self.due_at.map(rfc3339),
            "attention": self.attention,
        })
    }
}
