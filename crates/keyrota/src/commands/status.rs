//! `keyrota status`: one screen.

use std::collections::BTreeMap;

use db::Access;
use domain::Finding;
use engine::HaltedPolicies;
use serde_json::json;

use super::{
    credential::{Stand, stand},
    relative, rfc3339,
};
use crate::{
    complaint::Exit,
    shell::{Ended, Shell},
    wiring::{Opened, survey},
};

/// Lines of trouble on the screen; `credential list --attention` has the rest.
const TROUBLE_LINES_MAX: usize = 20;

pub(crate) async fn status(shell: &Shell) -> Ended {
    let opened = Opened::open(shell, Access::ReadOnly).await?;
    let mut stands: BTreeMap<Stand, usize> = BTreeMap::new();
    let mut attention: Vec<(String, Finding)> = Vec::new();
    let mut held = Vec::new();
    let mut halted = HaltedPolicies::default();
    let states = opened.db.issuer_states().await?;
    let tasks = super::task::waiting(&opened).await?;
    survey(&opened, &states, |surveyed| {
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
    let halted = halted.by_name();
    let notifiers = opened.db.channels_in_trouble().await?;
    if shell.json() {
        shell.object(&json!({
            "issuers": states.iter().map(|state| json!({
                "issuer": state.issuer,
                "observed_at": state.observed_at.map(rfc3339),
                "listed": state.listed,
                "error": state.error,
            })).collect::<Vec<_>>(),
            "credentials": stands.iter().map(|(stand, count)| (stand.word().to_owned(), (*count).into()))
                .collect::<serde_json::Map<_, _>>(),
            "tasks": tasks.iter().map(super::task::Waiting::json).collect::<Vec<_>>(),
            "held": held.iter().map(finding_json).collect::<Vec<_>>(),
            "halted_policies": halted.keys().collect::<Vec<_>>(),
            "notifiers_in_trouble": notifiers.iter().map(|(notifier, ..)| notifier).collect::<Vec<_>>(),
            "attention": attention.iter().map(finding_json).collect::<Vec<_>>(),
        }))?;
    } else {
        let now = opened.now();
        let issuers = states.iter().map(|state| {
            let seen = state.observed_at.map_or_else(
                || "never".to_owned(),
                |at| relative(at, now.saturating_add(state.clock_offset).unwrap_or(now)),
            );
            [state.issuer.clone(), state.listed.to_string(), seen, state.error.clone().unwrap_or_default()]
        });
        shell.table(["ISSUER", "LISTED", "SEEN", "TROUBLE"], issuers.collect())?;
        shell.text("\n")?;
        let rows =
            stands.iter().map(|(stand, count)| [count.to_string(), stand.word().to_owned(), stand.about().to_owned()]);
        shell.table(["CREDENTIALS", "STATE", ""], rows.collect())?;
        if !tasks.is_empty() {
            shell.text("\n")?;
            super::task::table(shell, &tasks)?;
        }
        if !held.is_empty() {
            shell.text("\n")?;
            let rows = held.iter().map(|(credential, finding)| [credential.clone(), finding.to_string()]);
            shell.table(["HELD", "WHY"], rows.collect())?;
        }
    }
    for (policy, credential) in &halted {
        shell.voice.warn(&format!(
            "policy `{policy}` is halted by {credential}: its rotation goes first and is in trouble, and no other begins before \
             one has come through"
        ));
    }
    for (notifier, _, _, error) in &notifiers {
        shell.voice.warn(&format!(
            "the notifier `{notifier}` took no message: {error}; `keyrota notice list` shows what waits"
        ));
    }
    tell_attention(shell, &attention);
    let quiet = attention.is_empty() && halted.is_empty() && notifiers.is_empty();
    Ok(if quiet { Exit::Done } else { Exit::Attention })
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

fn finding_json((credential, finding): &(String, Finding)) -> serde_json::Value {
    json!({ "credential": credential, "finding": finding.word(), "message": finding.to_string() })
}
