//! `keyrota run --once`: observe, plan, perform, exit.

use std::{collections::HashSet, path::Path};

use db::Access;
use engine::{RunReport, RunRequest};
use serde_json::{Map, Value, json};

use super::{
    discover::{observation_json, observe_complaint, tell_observations},
    notice,
    plan_file::read_plan,
    rfc3339, selector,
    signals::stop_on_signal,
    tell_nobody,
};
use crate::{
    cli::RunArgs,
    complaint::{Code, Complaint, Exit},
    progress::progress,
    shell::{Ended, Shell},
    wiring::Opened,
};

/// Enough to see the pattern of the paths; `--output json` has them all.
const TAKEN_OVER_NAMED_MAX: usize = 3;

pub(crate) async fn run(shell: &Shell, args: &RunArgs) -> Ended {
    let selector = selector(args.selector.as_deref())?;
    let opened = Opened::open(shell, Access::Engine).await?;
    let engine = opened.engine().await?;
    for what in opened.untold()? {
        shell.voice.note(&what);
    }
    let stop = stop_on_signal(shell);
    let mut request = RunRequest { selector, stop: stop.clone(), ..RunRequest::everything() };
    let mut looked = RunReport::default();
    if let Some(file) = &args.plan {
        let plan = read_plan(file, &opened.keyring)?;
        plan.check_four_eyes(&opened.config)?;
        if stop.unless_asked(engine.observe_all(&mut looked, &*progress(shell))).await.is_none() {
            return Err(stopped("nothing was changed".to_owned()));
        }
        if !looked.troubles.is_empty() {
            tell_observations(shell, &looked);
            return Err(unseen(file));
        }
        plan.check_unmoved(&engine, &opened.keyring)?;
        let named: HashSet<String> = plan.credentials().collect();
        request = RunRequest { only: Some(named.clone()), approved: named, observe: false, ..request };
    }
    let mut report = engine.run_once(&request, &*progress(shell)).await?;
    report.observations.append(&mut looked.observations);
    let sent = opened.outbox()?.send(false, &stop).await;
    let unsent = sent.map(|posted| report.posted = Some(posted)).err();
    let mut ended = report_run(shell, &report)?;
    if let Some(error) = unsent {
        shell.voice.complain(&error.into());
        ended = Exit::Failed;
    }
    let nobody = args.selector.is_some() && report.covered == 0 && report.troubles.is_empty();
    Ok(if nobody { ended.max(tell_nobody(shell, args.selector.as_deref())) } else { ended })
}

/// Without a fresh look, nobody knows whether the estate is still what the plan was made for.
fn unseen(plan: &Path) -> Complaint {
    Complaint::new(Code::PlanStopped, format!("the plan {} cannot be carried out", plan.display()))
        .cause("an issuer could not be listed, so the plan cannot be compared with the estate")
        .state("nothing was changed")
        .hint("mend the cause, then run it again")
}

/// Prints what a run did and says what it left.
pub(crate) fn report_run(shell: &Shell, report: &RunReport) -> Ended {
    if shell.json() {
        shell.object(&run_json(report))?
    } else if !shell.quiet {
        shell.text(&sentences(report))?
    }
    if let Some(note) = taken_over(report) {
        shell.voice.note(&note);
    }
    let exit = tell_observations(shell, report);
    let exit = exit.max(tell_attention(shell, report));
    let exit = exit.max(report.posted.as_ref().map_or(Exit::Done, |posted| notice::tell_held_back(shell, posted)));
    if let Some(error) = &report.broken {
        let mut complaint = observe_complaint("", error)
            .state("every step begun is in the journal; what is in doubt is looked at first in the next run");
        complaint.what = format!("the run could not go on: {}", complaint.what);
        shell.voice.complain(&complaint);
        return Ok(Exit::Failed);
    }
    if report.stopped {
        shell.voice.complain(&stopped(format!(
            "every step that was begun is finished and on record; {} credentials wait for their next one",
            report.waiting
        )));
        return Ok(Exit::Failed);
    }
    Ok(if report.troubles.is_empty() { exit } else { Exit::Failed })
}

/// What stood at a place before us is replaced at the first delivery, and nobody is to learn of it by accident.
fn taken_over(report: &RunReport) -> Option<String> {
    let places: Vec<String> = report
        .taken_over
        .iter()
        .take(TAKEN_OVER_NAMED_MAX)
        .map(|(credential, destination)| format!("{destination} (now of {credential})"))
        .collect();
    let others = report.taken_over.len() - places.len();
    let others = if others > 0 { format!(" and {others} more") } else { String::new() };
    (!places.is_empty())
        .then(|| format!("taken over, with a value that Keyrota had not put there: {}{others}", places.join(", ")))
}

fn stopped(state: String) -> Complaint {
    Complaint::new(Code::Interrupted, "a signal stopped the run before it was done")
        .state(state)
        .hint("run it again: it goes on where it stopped")
}

fn sentences(report: &RunReport) -> String {
    let mut text = String::new();
    if report.performed.is_empty() {
        text.push_str("nothing was due; nothing was changed\n");
    } else {
        let steps: Vec<String> = report.performed.iter().map(|(step, count)| format!("{count} {step}")).collect();
        text.push_str(&format!("{} credentials: {}\n", report.touched, steps.join(", ")));
    }
    if let Some(posted) = report.posted.as_ref().filter(|posted| posted.messages > 0) {
        text.push_str(&format!("{}\n", notice::sentence(posted)));
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
        "taken_over": report.taken_over.iter().map(|(credential, destination)| json!({
            "credential": credential.as_str(),
            "destination": destination,
        })).collect::<Vec<_>>(),
        "halted_policies": report.halted,
        "stopped": report.stopped,
        "notices": report.posted.as_ref().map(notice::posted_json),
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
            "policy `{policy}`: no rotation under it has come through yet, so no other was begun; \
             `keyrota status` and `keyrota plan` show the one that goes first"
        ));
    }
    for (credential, finding) in report.retrying.iter().chain(&report.attention) {
        let hint = finding.hint().replace("CREDENTIAL", credential.as_str());
        shell.voice.warn(&format!("{credential}: {finding}; {hint}"));
    }
    let quiet = report.halted.is_empty() && report.retrying.is_empty() && report.attention.is_empty();
    if quiet { Exit::Done } else { Exit::Attention }
}
