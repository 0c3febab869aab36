//! `keyrota run --once`: observe, plan, perform, exit.

use std::collections::HashSet;

use db::Access;
use engine::{RunReport, RunRequest};
use serde_json::{Map, Value, json};

use super::{
    discover::{observation_json, tell_observations},
    plan::read_plan,
    rfc3339, selector,
};
use crate::{
    cli::RunArgs,
    complaint::{Code, Complaint, Exit},
    progress::progress,
    shell::{Ended, Shell},
    wiring::Opened,
};

pub(crate) async fn run(shell: &Shell, args: &RunArgs) -> Ended {
    let selector = selector(args.selector.as_deref())?;
    let opened = Opened::open(shell, Access::Engine).await?;
    let engine = opened.engine().await?;
    let mut request = RunRequest { selector, ..RunRequest::everything() };
    let mut looked = RunReport::default();
    if let Some(file) = &args.plan {
        let plan = read_plan(file, &opened.keyring)?;
        engine.observe_all(&mut looked, &*progress(shell)).await;
        plan.check_unmoved(&engine, &opened.keyring)?;
        let named: HashSet<String> = plan.credentials().collect();
        request = RunRequest { only: Some(named.clone()), approved: named, observe: false, ..request };
    }
    let mut report = engine.run_once(&request, &*progress(shell)).await?;
    report.observations.append(&mut looked.observations);
    report.troubles.append(&mut looked.troubles);
    report_run(shell, &report)
}

/// Prints what a run did and says what it left.
pub(crate) fn report_run(shell: &Shell, report: &RunReport) -> Ended {
    if shell.json() {
        shell.object(&run_json(report))?
    } else {
        shell.text(&sentences(report))?
    }
    let exit = tell_observations(shell, report);
    let exit = exit.max(tell_attention(shell, report));
    if let Some(why) = &report.broken {
        let complaint = Complaint::new(Code::Database, "the run could not go on")
            .cause(why.clone())
            .state("every step begun is in the journal; what was in doubt is looked at first in the next run")
            .hint("mend the cause, then run again");
        shell.voice.complain(&complaint);
        return Ok(Exit::Failed);
    }
    Ok(if report.troubles.is_empty() { exit } else { Exit::Failed })
}

fn sentences(report: &RunReport) -> String {
    let mut text = String::new();
    if report.performed.is_empty() {
        text.push_str("nothing was due; nothing was changed\n");
    } else {
        let steps: Vec<String> = report.performed.iter().map(|(step, count)| format!("{count} {step}")).collect();
        text.push_str(&format!("{} credentials: {}\n", report.touched, steps.join(", ")));
    }
    if let (true, Some(next)) = (report.waiting > 0, report.next_at) {
        text.push_str(&format!("{} wait for their next step, the first at {}\n", report.waiting, rfc3339(next)));
    }
    text
}

fn run_json(report: &RunReport) -> Value {
    let performed: Map<String, Value> =
        report.performed.iter().map(|(step, count)| ((*step).to_owned(), (*count).into())).collect();
    json!({
        "observed": report.observations.iter().map(observation_json).collect::<Vec<_>>(),
        "failed_issuers": report.troubles.iter().map(|trouble| trouble.issuer.clone()).collect::<Vec<_>>(),
        "credentials": report.touched,
        "performed": performed,
        "waiting": report.waiting,
        "next_at": report.next_at.map(rfc3339),
        "retrying": report.retrying.len(),
        "halted_policies": report.halted,
        "attention": report.attention.iter().map(|(credential, finding)| json!({
            "credential": credential.as_str(),
            "finding": finding.word(),
            "message": finding.to_string(),
            "hint": finding.hint().replace("CREDENTIAL", credential.as_str()),
        })).collect::<Vec<_>>(),
    })
}

/// Lists on standard error what a person should look at.
fn tell_attention(shell: &Shell, report: &RunReport) -> Exit {
    for policy in &report.halted {
        shell.voice.warn(&format!(
            "policy `{policy}`: its first rotation did not come through, so no other was begun; \
             `keyrota credential list --attention` names it"
        ));
    }
    for (credential, finding) in report.retrying.iter().chain(&report.attention) {
        let hint = finding.hint().replace("CREDENTIAL", credential.as_str());
        shell.voice.warn(&format!("{credential}: {finding}; {hint}"));
    }
    let quiet = report.halted.is_empty() && report.retrying.is_empty() && report.attention.is_empty();
    if quiet { Exit::Done } else { Exit::Attention }
}
