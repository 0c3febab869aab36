//! `keyrota status`: one screen.

use std::collections::BTreeMap;

use db::{Access, IssuerState};
use domain::{CredentialId, Finding, Timestamp};
use engine::HaltedPolicies;
use serde_json::{Map, Value, json};

use super::{
    credential::{Stand, stand},
    relative, rfc3339,
    task::{self, Waiting},
};
use crate::{
    complaint::{Complaint, Exit},
    shell::{Ended, Shell},
    wiring::{Opened, survey},
};

/// Lines of trouble on the screen; `credential list --attention` has the rest.
const TROUBLE_LINES_MAX: usize = 20;

/// What the screen shows, as it was last observed.
struct Sheet {
    issuers: Vec<IssuerState>,
    tasks: Vec<Waiting>,
    stands: BTreeMap<Stand, usize>,
    attention: Vec<(String, Finding)>,
    held: Vec<(String, Finding)>,
    halted: BTreeMap<String, CredentialId>,
    /// Each with what its server said last.
    notifiers: Vec<(String, String)>,
}

pub(crate) async fn status(shell: &Shell) -> Ended {
    let opened = Opened::open(shell, Access::ReadOnly).await?;
    let sheet = Sheet::read(&opened).await?;
    if shell.json() {
        shell.object(&sheet.json())?;
    } else {
        sheet.print(shell, opened.now())?;
    }
    Ok(sheet.tell_trouble(shell))
}

impl Sheet {
    async fn read(opened: &Opened) -> Result<Self, Complaint> {
        let issuers = opened.db.issuer_states().await?;
        let notifiers = opened.db.channels_in_trouble().await?;
        let (mut stands, mut attention, mut held) = (BTreeMap::new(), Vec::new(), Vec::new());
        let mut halted = HaltedPolicies::default();
        survey(opened, &issuers, |surveyed| {
            *stands.entry(stand(&surveyed)).or_default() += 1;
            halted.look_at(&surveyed);
            let credential = surveyed.entry.observed.credential.to_string();
            let findings = surveyed.planned.map(|(plan, _)| plan.findings).unwrap_or_default();
            for finding in findings {
                if finding.is_called_out() {
                    attention.push((credential.clone(), finding));
                } else if matches!(finding, Finding::Held { .. }) {
                    held.push((credential.clone(), finding));
                }
            }
        })?;
        Ok(Self {
            issuers,
            tasks: task::waiting(opened).await?,
            stands,
            attention,
            held,
            halted: halted.by_name(),
            notifiers: notifiers.into_iter().map(|(notifier, _, _, error)| (notifier, error)).collect(),
        })
    }

    fn json(&self) -> Value {
        let stands = self.stands.iter().map(|(stand, count)| (stand.word().to_owned(), (*count).into()));
        json!({
            "issuers": self.issuers.iter().map(|state| json!({
                "issuer": state.issuer,
                "observed_at": state.observed_at.map(rfc3339),
                "listed": state.listed,
                "error": state.error,
            })).collect::<Vec<_>>(),
            "credentials": stands.collect::<Map<_, _>>(),
            "tasks": self.tasks.iter().map(Waiting::json).collect::<Vec<_>>(),
            "held": self.held.iter().map(finding_json).collect::<Vec<_>>(),
            "halted_policies": self.halted.keys().collect::<Vec<_>>(),
            "notifiers_in_trouble": self.notifiers.iter().map(|(notifier, _)| notifier).collect::<Vec<_>>(),
            "attention": self.attention.iter().map(finding_json).collect::<Vec<_>>(),
        })
    }

    fn print(&self, shell: &Shell, now: Timestamp) -> Result<(), Complaint> {
        let issuers = self.issuers.iter().map(|state| {
            let seen = state.observed_at.map_or_else(
                || "never".to_owned(),
                |at| relative(at, now.saturating_add(state.clock_offset).unwrap_or(now)),
            );
            [state.issuer.clone(), state.listed.to_string(), seen, state.error.clone().unwrap_or_default()]
        });
        shell.table(["ISSUER", "LISTED", "SEEN", "TROUBLE"], issuers.collect())?;
        shell.text("\n")?;
        let stands = self.stands.iter();
        let rows = stands.map(|(stand, count)| [count.to_string(), stand.word().to_owned(), stand.about().to_owned()]);
        shell.table(["CREDENTIALS", "STATE", ""], rows.collect())?;
        if !self.tasks.is_empty() {
            shell.text("\n")?;
            task::table(shell, &self.tasks)?;
        }
        if !self.held.is_empty() {
            shell.text("\n")?;
            let rows = self.held.iter().map(|(credential, finding)| [credential.clone(), finding.to_string()]);
            shell.table(["HELD", "WHY"], rows.collect())?;
        }
        Ok(())
    }

    fn tell_trouble(&self, shell: &Shell) -> Exit {
        let failed = self.issuers.iter().filter_map(|state| Some((&state.issuer, state.error.as_ref()?)));
        let mut quiet = self.attention.is_empty() && self.halted.is_empty() && self.notifiers.is_empty();
        for (issuer, error) in failed {
            quiet = false;
            shell.voice.warn(&format!(
                "`{issuer}` could not be observed when it was last tried: {error}; `keyrota check` tries it now"
            ));
        }
        for (policy, credential) in &self.halted {
            shell.voice.warn(&format!(
                "policy `{policy}` is halted by {credential}: its rotation goes first and is in trouble, and no other begins \
                 before one has come through"
            ));
        }
        for (notifier, error) in &self.notifiers {
            shell.voice.warn(&format!(
                "the notifier `{notifier}` took no message: {error}; `keyrota notice list` shows what waits"
            ));
        }
        tell_attention(shell, &self.attention);
        if quiet { Exit::Done } else { Exit::Attention }
    }
}

fn tell_attention(shell: &Shell, attention: &[(String, Finding)]) {
    for (credential, finding) in attention.iter().take(TROUBLE_LINES_MAX) {
        let hint = finding.hint().replace("CREDENTIAL", credential);
        shell.voice.warn(&format!("{credential}: {finding}; {hint}"));
    }
    if let Some(more) = attention.len().checked_sub(TROUBLE_LINES_MAX).filter(|more| *more > 0) {
        shell.voice.warn(&format!("{more} more want attention; `keyrota credential list --attention` lists them"));
    }
}

fn finding_json((credential, finding): &(String, Finding)) -> Value {
    json!({ "credential": credential, "finding": finding.word(), "message": finding.to_string() })
}
