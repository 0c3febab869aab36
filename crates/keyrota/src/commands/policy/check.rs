//! `keyrota policy lint`: what in a policy means something else than it looks like.

use std::path::PathBuf;

use authority::access::{Finding, Severity, lint};
use serde_json::json;

use super::texts::Named;
use crate::{
    complaint::{Complaint, Exit},
    config::Config,
    shell::{Ended, Shell},
    wiring::load_config,
};

pub(super) fn check(shell: &Shell, files: &[PathBuf]) -> Ended {
    let policies: Vec<Named> = match files {
        [] => load_config(shell)?.access_policies.iter().map(Named::of_config).collect::<Result<_, _>>()?,
        files => files.iter().map(|file| Named::of_file(file)).collect::<Result<_, _>>()?,
    };
    let findings: Vec<(&Named, Finding)> = policies
        .iter()
        .flat_map(|named| lint(&named.policy).into_iter().map(move |finding| (named, finding)))
        .collect();
    if shell.json() {
        for (named, Finding { at, severity, what, advice }) in &findings {
            shell.object(&json!({
                "file": named.origin,
                "line": at.line,
                "column": at.column,
                "severity": severity.word(),
                "what": what,
                "advice": advice,
            }))?;
        }
    } else {
        for (named, Finding { at, severity, what, advice }) in &findings {
            shell.text(&format!("{}:{at}: {}: {what}\n  {advice}\n", named.origin, severity.word()))?;
        }
        if findings.is_empty() {
            shell.voice.note(&format!("{} checked, nothing to say", count(policies.len())));
        }
    }
    Ok(match findings.iter().map(|(_, finding)| finding.severity).max() {
        None => Exit::Done,
        Some(Severity::Doubtful) => Exit::Attention,
        Some(Severity::Wrong) => Exit::Failed,
    })
}

fn count(policies: usize) -> String {
    if policies == 1 { "1 policy".to_owned() } else { format!("{policies} policies") }
}

/// For `keyrota check`: each access policy of the configuration, and what is wrong with it or its first finding.
pub(crate) fn configured_findings(config: &Config) -> Vec<(String, Result<Option<String>, Complaint>)> {
    let first = |named: &Named| {
        let finding = lint(&named.policy).into_iter().max_by_key(|finding| finding.severity)?;
        Some(format!("{}:{}: {}", named.origin, finding.at, finding.what))
    };
    let checked = |configured| Named::of_config(configured).map(|named| first(&named));
    config.access_policies.iter().map(|configured| (configured.name.clone(), checked(configured))).collect()
}
