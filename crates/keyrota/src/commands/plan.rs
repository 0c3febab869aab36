//! `keyrota plan`: what is due or under way, and why; and the signed file of it.

use std::{collections::HashMap, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use db::Access;
use domain::{Duration, Finding, Plan, Selector, Timestamp};
use engine::{Applied, Engine, PlannedLine, RunReport, Surveyed, estate_digest};
use secret::Keyring;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{discover::tell_observations, relative, rfc3339, selector, tell_nobody};
use crate::{
    cli::PlanArgs,
    complaint::{Code, Complaint, Exit},
    config::parse_period,
    progress::progress,
    shell::{Ended, Shell},
    wiring::{Opened, survey},
};

pub(crate) async fn plan(shell: &Shell, args: &PlanArgs) -> Ended {
    let selector = selector(args.selector.as_deref())?;
    let until = args.until.as_deref().map(period).transpose()?;
    let access = if args.stored { Access::ReadOnly } else { Access::Engine };
    let opened = Opened::open(shell, access).await?;
    let mut looked = RunReport::default();
    let mut planned = Planned::default();
    let each = |surveyed: Surveyed| planned.take(&surveyed, &selector, until, &opened.keyring);
    if args.stored {
        survey(&opened, &opened.db.issuer_states().await?, each)?;
    } else {
        let engine = opened.engine().await?;
        engine.observe_all(&mut looked, &*progress(shell)).await;
        engine.survey(each)?;
    }
    print(shell, &planned.lines, &planned.nows)?;
    let mut exit = tell_observations(shell, &looked).max(tell_findings(shell, &planned.findings));
    if looked.troubles.is_empty() {
        if planned.covered == 0 && args.selector.is_some() {
            exit = exit.max(tell_nobody(shell, args.selector.as_deref()));
        } else if planned.lines.is_empty() && !shell.json() {
            shell.voice.note("nothing is due or under way");
        }
    }
    if let Some(file) = &args.out {
        write_plan(file, &planned.lines, &opened.keyring)?;
        shell.voice.note(&format!("the plan is in {}; `keyrota run --once --plan` carries it out", file.display()));
    }
    Ok(exit)
}

/// The plan as it is gathered: its lines, each one's time now, and what wants a person.
#[derive(Default)]
struct Planned {
    /// Credentials that the selector covers.
    covered: usize,
    lines: Vec<PlannedLine>,
    nows: Vec<Timestamp>,
    findings: Vec<(String, Finding)>,
}

impl Planned {
    fn take(&mut self, surveyed: &Surveyed, selector: &Selector, until: Option<Duration>, keyring: &Keyring) {
        let credential = &surveyed.entry.observed.credential;
        if !selector.matches(credential.as_str()) {
            return;
        }
        self.covered += 1;
        let Some((plan, applied)) = &surveyed.planned else { return };
        let wanting = plan.findings.iter().filter(|finding| finding.wants_attention());
        self.findings.extend(wanting.map(|finding| (credential.to_string(), finding.clone())));
        if let Some(line) = line(surveyed, plan, applied, until, keyring) {
            self.lines.push(line);
            self.nows.push(surveyed.now);
        }
    }
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
        digest: estate_digest(keyring, &applied.policy, observed),
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

/// A plan that was written to a file, signed by this installation.
#[derive(Debug)]
pub(crate) struct PlanFile {
    lines: Vec<FileLine>,
}

/// The file: the body as text, so that the signature is over exactly what is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    keyrota_plan: u32,
    steps: Vec<FileLine>,
    signature: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileLine {
    credential: String,
    step: String,
    reason: String,
    message: String,
    not_before: String,
    digest: String,
}

const FORMAT: u32 = 1;

fn signed_text(lines: &[FileLine]) -> Result<String, Complaint> {
    serde_json::to_string(&(FORMAT, lines))
        .map_err(|error| Complaint::new(Code::PlanUnreadable, "the plan cannot be put into words").because(&error))
}

fn write_plan(file: &Path, lines: &[PlannedLine], keyring: &Keyring) -> Result<(), Complaint> {
    let steps: Vec<FileLine> = lines
        .iter()
        .map(|line| FileLine {
            credential: line.credential.clone(),
            step: line.step.to_owned(),
            reason: line.reason.to_owned(),
            message: line.message.clone(),
            not_before: rfc3339(line.not_before),
            digest: line.digest.clone(),
        })
        .collect();
    let signature = STANDARD.encode(keyring.sign_plan(signed_text(&steps)?.as_bytes()));
    let envelope = Envelope { keyrota_plan: FORMAT, steps, signature };
    let text = serde_json::to_string_pretty(&envelope)
        .map_err(|error| Complaint::new(Code::PlanUnreadable, "the plan cannot be put into words").because(&error))?;
    std::fs::write(file, text + "\n").map_err(|error| {
        Complaint::new(Code::FileUnwritable, format!("the plan cannot be written to {}", file.display()))
            .cause(error.to_string())
            .state("nothing was changed at any issuer or store")
    })
}

pub(crate) fn read_plan(file: &Path, keyring: &Keyring) -> Result<PlanFile, Complaint> {
    let unreadable = |cause: String| {
        Complaint::new(Code::PlanUnreadable, format!("{} is not a plan", file.display()))
            .cause(cause)
            .state("nothing was changed")
            .hint("make one with `keyrota plan --out FILE`")
    };
    let text = std::fs::read_to_string(file).map_err(|error| unreadable(error.to_string()))?;
    let envelope: Envelope = serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
    if envelope.keyrota_plan != FORMAT {
        return Err(unreadable(format!("its format is {}, this release reads {FORMAT}", envelope.keyrota_plan)));
    }
    let signature = STANDARD.decode(&envelope.signature).unwrap_or_default();
    if !keyring.plan_is_ours(signed_text(&envelope.steps)?.as_bytes(), &signature) {
        return Err(Complaint::new(Code::PlanForged, format!("the signature of {} is not ours", file.display()))
            .cause("it was altered, or made by an installation with another root key")
            .state("nothing was changed")
            .hint("make it again with `keyrota plan --out FILE`"));
    }
    Ok(PlanFile { lines: envelope.steps })
}

impl PlanFile {
    pub(crate) fn credentials(&self) -> impl Iterator<Item = String> {
        self.lines.iter().map(|line| line.credential.clone())
    }

    /// Refuses the plan when anything that it names is not as it was.
    pub(crate) fn check_unmoved(&self, engine: &Engine, keyring: &Keyring) -> Result<(), Complaint> {
        let mut now: HashMap<String, String> = HashMap::new();
        engine.survey(|surveyed| {
            let observed = &surveyed.entry.observed;
            if let Some((_, applied)) = &surveyed.planned {
                now.insert(observed.credential.to_string(), estate_digest(keyring, &applied.policy, observed));
            }
        })?;
        let moved: Vec<&str> = self
            .lines
            .iter()
            .filter(|line| now.get(&line.credential) != Some(&line.digest))
            .map(|line| line.credential.as_str())
            .collect();
        if moved.is_empty() {
            return Ok(());
        }
        let named = moved.iter().take(5).copied().collect::<Vec<_>>().join(", ");
        let more = moved.len().saturating_sub(5);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        Err(Complaint::new(Code::PlanMoved, "the estate has moved since the plan was made")
            .cause(format!("not as planned any more: {named}{more}"))
            .state("nothing was changed")
            .hint("make the plan again with `keyrota plan --out FILE`, and read it again"))
    }
}
