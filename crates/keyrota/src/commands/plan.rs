//! `keyrota plan`: what is due or under way, and why; and the signed file of it.

use std::path::Path;

use db::Access;
use domain::{Duration, Finding, Plan, Selector, Timestamp};
use engine::{Applied, PlannedLine, RunReport, Surveyed, estate_digest};
use secret::Keyring;
use serde_json::json;

use super::{
    clashes::Places,
    discover::tell_observations,
    plan_file::{PlanFile, named, read_plan},
    relative, rfc3339, selector, tell_nobody,
};
use crate::{
    cli::PlanArgs,
    complaint::{Code, Complaint, Exit},
    config::parse_period,
    progress::progress,
    shell::{Ended, Shell},
    wiring::{Opened, survey},
};

pub(crate) async fn plan(shell: &Shell, args: &PlanArgs) -> Ended {
    if let Some(file) = &args.approve {
        return approve(shell, file, &named(args.by.as_deref())?).await;
    }
    let by = named(args.by.as_deref())?;
    let selector = selector(args.selector.as_deref())?;
    let until = args.until.as_deref().map(period).transpose()?;
    let access = if args.stored { Access::ReadOnly } else { Access::Engine };
    let opened = Opened::open(shell, access).await?;
    let mut looked = RunReport::default();
    let mut planned = Planned::default();
    let mut places = Places::default();
    let each = |surveyed: Surveyed| {
        places.take(&surveyed);
        planned.take(&surveyed, &selector, until, &opened.keyring);
    };
    if args.stored {
        survey(&opened, &opened.db.issuer_states().await?, each)?;
    } else {
        let engine = opened.engine().await?;
        engine.observe_all(&mut looked, &*progress(shell)).await;
        engine.survey(each)?;
    }
    print(shell, &planned.lines, &planned.nows)?;
    let mut exit = tell_observations(shell, &looked).max(tell_findings(shell, &planned.findings));
    let mut clashes = places.doubled();
    if clashes.is_suspected() {
        survey(&opened, &opened.db.issuer_states().await?, |surveyed| clashes.take(&surveyed))?;
    }
    for clash in clashes.sentences(&selector) {
        shell.voice.warn(&clash);
        exit = exit.max(Exit::Attention);
    }
    if looked.troubles.is_empty() {
        if planned.covered == 0 && args.selector.is_some() {
            exit = exit.max(tell_nobody(shell, args.selector.as_deref()));
        } else if planned.lines.is_empty() && !shell.json() {
            shell.voice.note(if planned.stalled { CANNOT_BEGIN } else { "nothing is due or under way" });
        }
    }
    if let Some(file) = &args.out {
        let plan = PlanFile::of(&planned.lines, &by);
        let next = plan.next(&opened.config, file);
        plan.write(file, &opened.keyring)?;
        shell.voice.note(&format!("the plan is in {}; {next}", file.display()));
    }
    // Not the larger of the two: what failed is worse than what wants attention.
    Ok(if looked.troubles.is_empty() { exit } else { Exit::Failed })
}

/// Puts a second name under a plan. Whoever made it cannot be that second one.
async fn approve(shell: &Shell, file: &Path, by: &str) -> Ended {
    let opened = Opened::open(shell, Access::ReadOnly).await?;
    let plan = read_plan(file, &opened.keyring)?.approved_by(by, file)?;
    let next = plan.next(&opened.config, file);
    plan.write(file, &opened.keyring)?;
    shell.voice.note(&format!("{by} approved {}; {next}", file.display()));
    Ok(Exit::Done)
}

/// The plan as it is gathered: its lines, each one's time now, and what wants a person.
#[derive(Default)]
struct Planned {
    /// Credentials that the selector covers.
    covered: usize,
    lines: Vec<PlannedLine>,
    nows: Vec<Timestamp>,
    findings: Vec<(String, Finding)>,
    /// Something cannot go on: that no step is planned does not mean that all is well.
    stalled: bool,
}

const CANNOT_BEGIN: &str = "no step can be taken now; `keyrota credential list` shows what waits, and for what";

impl Planned {
    fn take(&mut self, surveyed: &Surveyed, selector: &Selector, until: Option<Duration>, keyring: &Keyring) {
        let credential = &surveyed.entry.observed.credential;
        if !selector.matches(credential.as_str()) {
            return;
        }
        self.covered += 1;
        let Some((plan, applied)) = &surveyed.planned else { return };
        self.stalled |= plan.steps.is_empty() && plan.findings.iter().any(stalls);
        let wanting = plan.findings.iter().filter(|finding| finding.wants_attention());
        self.findings.extend(wanting.map(|finding| (credential.to_string(), finding.clone())));
        if let Some(line) = line(surveyed, plan, applied, until, keyring) {
            self.lines.push(line);
            self.nows.push(surveyed.now);
        }
    }
}

/// Whether something would go on but for this.
fn stalls(finding: &Finding) -> bool {
    matches!(
        finding,
        Finding::NameTaken { .. }
            | Finding::Held { .. }
            | Finding::NoDestination
            | Finding::ParentDisabled
            | Finding::NoSlot { .. }
            | Finding::Parked { .. }
            | Finding::Retrying { .. }
            | Finding::SuccessorRefused { .. }
            | Finding::StillUsed { .. }
            | Finding::NoUsageEvidence
            | Finding::Overdue { .. }
            | Finding::ClockWentBack { .. }
            | Finding::NotAcknowledged { .. }
            | Finding::TaskWaiting { .. }
            | Finding::TaskOverdue { .. }
            | Finding::TaskTooEarly { .. }
            | Finding::UsedWhileDisabled { .. }
            | Finding::ApprovalWanted
            | Finding::OwnerActs
            | Finding::OnlyObserved
    )
}

fn period(text: &str) -> Result<Duration, Complaint> {
    parse_period(text).map_err(|why| {
        Complaint::new(Code::Usage, format!("`--until {text}` is no duration"))
            .cause(why)
            .hint("write `90d`, `12h`, `30m` or `30s`")
    })
}

/// The line of one credential: its next step now, or the one that comes within `until`.
fn line(
    surveyed: &Surveyed,
    plan: &Plan,
    applied: &Applied,
    until: Option<Duration>,
    keyring: &Keyring,
) -> Option<PlannedLine> {
    let observed = &surveyed.entry.observed;
    let ahead = until.and_then(|until| surveyed.now.saturating_add(until).ok());
    let later = plan.wake_at.filter(|at| plan.steps.is_empty() && ahead.is_some_and(|ahead| *at <= ahead));
    let then = later.map(|at| planner::plan(at, &applied.policy, observed));
    let planned = then.as_ref().unwrap_or(plan).steps.first()?;
    Some(PlannedLine {
        credential: observed.credential.to_string(),
        step: planned.step.word(),
        reason: planned.reason.word(),
        message: planned.reason.to_string(),
        not_before: planned.not_before,
        digest: estate_digest(keyring, applied, observed),
    })
}

/// `nows` are the times by which the lines were planned, one each.
fn print(shell: &Shell, lines: &[PlannedLine], nows: &[Timestamp]) -> Result<(), Complaint> {
    if shell.json() {
        return lines.iter().try_for_each(|line| {
            shell.object(&json!({
                "credential": line.credential,
                "step": line.step,
                "reason": line.reason,
                "not_before": rfc3339(line.not_before),
                "message": line.message,
            }))
        });
    }
    if lines.is_empty() {
        return Ok(());
    }
    let rows = lines.iter().zip(nows).map(|(line, now)| {
        let when = relative(line.not_before, *now);
        [line.credential.clone(), line.step.to_owned(), when, line.message.clone()]
    });
    shell.table(["CREDENTIAL", "NEXT STEP", "WHEN", "WHY"], rows.collect())
}

fn tell_findings(shell: &Shell, findings: &[(String, Finding)]) -> Exit {
    for (credential, finding) in findings {
        let hint = finding.hint().replace("CREDENTIAL", credential);
        shell.voice.warn(&format!("{credential}: {finding}; {hint}"));
    }
    if findings.is_empty() { Exit::Done } else { Exit::Attention }
}
