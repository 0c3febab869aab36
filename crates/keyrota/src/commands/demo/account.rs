//! What the demo can say at its end, counted from the inventory and not from what was told on the way.

use domain::{Duration, Finding};
use engine::{Engine, RunReport};
use serde_json::{Value, json};

use crate::{complaint::Complaint, shell::Shell};

#[derive(Default)]
pub(super) struct Account {
    /// Credentials whose successor is what consumers read.
    replaced: usize,
    /// Old versions that are proved dead.
    proved_dead: usize,
    left: Vec<Left>,
    within_limits: usize,
    calls: u64,
    failures: u64,
    seconds: f64,
}

/// A credential that was not replaced to the end, and why.
struct Left {
    credential: String,
    reason: String,
}

impl Account {
    /// What one run did, if it did something.
    pub(super) fn sentence(report: &RunReport) -> Option<String> {
        const TOLD: [(&str, &str); 5] = [
            ("issue", "successors issued"),
            ("promote", "current in the store"),
            ("confirm", "read back and equal"),
            ("revoke", "old ones revoked"),
            ("prove_dead", "proved dead"),
        ];
        let told = TOLD.iter().filter_map(|(step, words)| Some(format!("{} {words}", report.performed.get(step)?)));
        let told: Vec<String> = told.collect();
        (!told.is_empty()).then(|| told.join(", "))
    }

    pub(super) fn close(
        &mut self,
        engine: &Engine,
        calls: u64,
        failures: u64,
        took: Duration,
    ) -> Result<(), Complaint> {
        engine.survey(|surveyed| {
            let observed = &surveyed.entry.observed;
            let Some((plan, _)) = &surveyed.planned else { return };
            self.proved_dead += observed.versions.iter().filter(|version| version.dead_at.is_some()).count();
            let issued = |version: &domain::Version| version.origin == domain::Origin::Issued;
            if observed.current().is_some_and(issued) {
                self.replaced += 1;
            }
            let under_way = plan.steps.first().filter(|_| observed.rotation.is_some());
            let waits = under_way.map(|planned| format!("replaced, and {}", planned.reason));
            match plan.findings.iter().map(sentence).next().or(waits) {
                Some(reason) => self.left.push(Left { credential: observed.credential.to_string(), reason }),
                None if !observed.current().is_some_and(issued) => self.within_limits += 1,
                None => {}
            }
        })?;
        (self.calls, self.failures) = (calls, failures);
        self.seconds = took.as_secs_f64();
        Ok(())
    }

    pub(super) fn print(&self, shell: &Shell) -> Result<(), Complaint> {
        if shell.json() {
            return shell.object(&self.to_json());
        }
        shell.text("\n")?;
        let left = self.left.iter().map(|left| [left.credential.clone(), left.reason.clone()]);
        shell.table(["LEFT", "WHY"], left.collect())?;
        shell.text("\n")?;
        let rows = [
            ("replaced without anybody noticing", self.replaced.to_string()),
            ("old ones proved dead", self.proved_dead.to_string()),
            ("younger than the policy's limit", self.within_limits.to_string()),
            ("calls made by two consumers meanwhile", self.calls.to_string()),
            ("of them failed", self.failures.to_string()),
            ("seconds", format!("{:.1}", self.seconds)),
        ];
        let rows = rows.map(|(what, count)| [count, what.to_owned()]);
        shell.table(["COUNT", "OF"], rows.into())
    }

    fn to_json(&self) -> Value {
        json!({
            "replaced": self.replaced,
            "left": self.left.iter()
                .map(|left| json!({ "credential": left.credential, "reason": left.reason }))
                .collect::<Vec<_>>(),
            "proved_dead": self.proved_dead,
            "consumer_calls": self.calls,
            "consumer_failures": self.failures,
            "seconds": (self.seconds * 10.0).round() / 10.0,
        })
    }
}

fn sentence(finding: &Finding) -> String {
    match finding {
        Finding::StillUsed { .. } => format!("replaced, but {finding}: it is kept alive"),
        _ => finding.to_string(),
    }
}
