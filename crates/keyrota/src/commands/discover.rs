//! `keyrota discover`: look at the issuers now.

use db::Access;
use engine::{Observation, ObserveError, RunReport};
use serde_json::json;

use crate::{
    complaint::{Code, Complaint, Exit},
    progress::progress,
    shell::{Ended, Shell},
    wiring::Opened,
};

pub(crate) async fn discover(shell: &Shell, only: Option<&str>) -> Ended {
    let opened = Opened::open(shell, Access::Engine).await?;
    let engine = opened.engine().await?;
    let mut report = RunReport::default();
    match only {
        None => engine.observe_all(&mut report, &*progress(shell)).await,
        Some(name) => {
            let issuer = engine.issuers().find(|issuer| issuer.name == name).ok_or_else(|| unknown_issuer(name))?;
            match engine.observe(issuer, &*progress(shell)).await {
                Ok(observation) => report.observations.push(observation),
                Err(error) => {
                    report.troubles.push(engine::IssuerTrouble { issuer: name.to_owned(), error });
                }
            }
        }
    }
    print(shell, &report)?;
    let exit = tell_observations(shell, &report);
    Ok(exit)
}

fn unknown_issuer(name: &str) -> Complaint {
    Complaint::new(Code::Usage, format!("no issuer is called `{name}`"))
        .state("nothing was changed")
        .hint("the names stand in the `[[issuer]]` tables of the configuration")
}

fn print(shell: &Shell, report: &RunReport) -> Result<(), Complaint> {
    if shell.json() {
        return report.observations.iter().try_for_each(|one| shell.object(&observation_json(one)));
    }
    let rows = report.observations.iter().map(|one| {
        [one.issuer.clone(), one.listed.to_string(), one.changed.to_string(), one.unusable.len().to_string()]
    });
    shell.table(["ISSUER", "LISTED", "CHANGED", "UNUSABLE"], rows.collect())
}

pub(crate) fn observation_json(observation: &Observation) -> serde_json::Value {
    json!({
        "issuer": observation.issuer,
        "listed": observation.listed,
        "changed": observation.changed,
        "unusable": observation.unusable,
        "clock_offset_seconds": observation.clock_offset.as_secs(),
        "absent": observation.shrunk.map(|shrunk| shrunk.absent),
    })
}

/// Says what went wrong or looks wrong with the issuers, and how the command should end for it.
pub(crate) fn tell_observations(shell: &Shell, report: &RunReport) -> Exit {
    let mut exit = Exit::Done;
    for observation in &report.observations {
        let issuer = &observation.issuer;
        if !observation.clock_offset.is_zero() {
            let seconds = observation.clock_offset.as_secs();
            shell.voice.note(&format!(
                "the clock of `{issuer}` differs from this machine's by {seconds} s; its credentials live by its own"
            ));
        }
        for unusable in &observation.unusable {
            shell.voice.warn(&format!("`{issuer}` lists a credential that cannot be managed: {unusable}"));
            exit = exit.max(Exit::Attention);
        }
        if let Some(shrunk) = observation.shrunk {
            shell.voice.warn(&format!(
                "the listing of `{issuer}` lacks {} of {} known versions; nothing was concluded from that",
                shrunk.absent, shrunk.known
            ));
            exit = exit.max(Exit::Attention);
        }
    }
    for trouble in &report.troubles {
        shell.voice.complain(&observe_complaint(&trouble.issuer, &trouble.error));
        exit = Exit::Failed;
    }
    exit
}

pub(crate) fn observe_complaint(issuer: &str, error: &ObserveError) -> Complaint {
    match error {
        ObserveError::Listing { source, .. } => {
            Complaint::issuer(format!("`{issuer}` could not be worked with"), source)
        }
        ObserveError::Read(error) => Complaint::from(error),
        ObserveError::Write(error) => Complaint::from(error),
    }
}
