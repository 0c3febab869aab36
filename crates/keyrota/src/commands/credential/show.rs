//! `keyrota credential show` and `history`.

use db::{Access, HistoryLine};
use domain::{Observed, Origin, Timestamp, Version};
use engine::Surveyed;
use serde_json::{Value, json};

use super::{Stand, find, not_configured, stand};
use crate::{
    commands::{relative, rfc3339},
    complaint::Exit,
    shell::{Ended, Shell},
    wiring::{Opened, survey},
};

pub(crate) async fn show(shell: &Shell, credential: &str) -> Ended {
    let opened = Opened::open(shell, Access::ReadOnly).await?;
    let (row, id) = find(&opened, credential).await?;
    let states = opened.db.issuer_states().await?;
    let mut found = None;
    survey(&opened, &states, |surveyed| {
        if surveyed.entry.id == row {
            found = Some(surveyed);
        }
    })?;
    let surveyed = found.ok_or_else(|| not_configured(&id))?;
    let deliveries = opened.db.delivered(row).await?;
    if shell.json() {
        shell.object(&show_json(&surveyed, &deliveries))?;
    } else {
        shell.text(&show_text(&surveyed, &deliveries))?;
    }
    Ok(Exit::Done)
}

fn at(time: Option<Timestamp>) -> Value {
    time.map_or(Value::Null, |time| rfc3339(time).into())
}

fn show_json(surveyed: &Surveyed, deliveries: &[db::Delivered]) -> Value {
    let observed = &surveyed.entry.observed;
    let plan = surveyed.planned.as_ref().map(|(plan, _)| plan);
    json!({
        "credential": observed.credential.as_str(),
        "state": stand(surveyed).word(),
        "sentence": sentence(surveyed),
        "owner": observed.owner.as_ref().map(|owner| json!({ "name": owner.name, "email": owner.email })),
        "policy": surveyed.planned.as_ref().map(|(_, applied)| applied.policy.name.clone()),
        "hold": observed.hold.as_ref()
            .map(|hold| json!({ "by": hold.by, "reason": hold.reason, "since": rfc3339(hold.since) })),
        "versions": observed.versions.iter().map(|version| version_json(observed, version)).collect::<Vec<_>>(),
        "destinations": surveyed.planned.iter().flat_map(|(_, applied)| &applied.policy.deliver).map(|destination| {
            let delivery = observed.rotation.as_ref().and_then(|rotation| rotation.delivery(destination));
            let last = deliveries.iter().rfind(|delivered| delivered.destination == *destination);
            json!({
                "store": &*destination.store,
                "path": destination.path.as_str(),
                "version": last.map(|delivered| delivered.version.0),
                "store_version": last.map(|delivered| delivered.store_version.clone()),
                "written_at": at(delivery.and_then(|delivery| delivery.written_at)),
                "promoted_at": at(delivery.and_then(|delivery| delivery.promoted_at)),
                "confirmed_at": at(delivery.and_then(|delivery| delivery.confirmed_at)),
                "state": destination_state(observed, destination, last),
            })
        }).collect::<Vec<_>>(),
        "consumers": surveyed.planned.iter().flat_map(|(_, applied)| applied.policy.consumers.iter()).map(|consumer| {
            let said = observed.acknowledged.iter().find(|said| said.consumer == consumer.name);
            json!({
                "consumer": &*consumer.name,
                "acknowledges": consumer.acknowledges,
                "runs_version": said.map(|said| said.version.0),
                "acknowledged_at": at(said.map(|said| said.at)),
            })
        }).collect::<Vec<_>>(),
        "waivers": observed.waivers.iter().map(|waiver| json!({
            "consumer": waiver.consumer.as_deref(),
            "by": waiver.by,
            "reason": waiver.reason,
            "until": rfc3339(waiver.until),
        })).collect::<Vec<_>>(),
        "next": plan.and_then(|plan| plan.steps.first()).map(|planned| json!({
            "step": planned.step.word(),
            "reason": planned.reason.word(),
            "not_before": rfc3339(planned.not_before),
            "message": planned.reason.to_string(),
        })),
        "findings": plan.map(|plan| plan.findings.iter().map(|finding| json!({
            "finding": finding.word(),
            "message": finding.to_string(),
            "hint": finding.hint().replace("CREDENTIAL", observed.credential.as_str()),
        })).collect::<Vec<_>>()),
    })
}

fn version_json(observed: &Observed, version: &Version) -> Value {
    json!({
        "version": version.number.0,
        "current": observed.current().is_some_and(|current| current.number == version.number),
        "name": version.name,
        "handle": version.handle.as_str(),
        "origin": origin(version.origin),
        "live": version.is_live(),
        "created_at": rfc3339(version.created_at),
        "verified_at": at(version.verified_at),
        "revoked_at": at(version.revoked_at),
        "dead_at": at(version.dead_at),
        "last_used": at(version.usage.last_used),
        "usage_known_through": at(version.usage.known_through),
    })
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Found => "found",
        Origin::Issued => "issued",
        Origin::Orphan => "orphan",
    }
}

/// How far the version that is on its way, or was delivered last, has come at one destination.
fn destination_state(
    observed: &Observed,
    destination: &domain::Destination,
    last: Option<&db::Delivered>,
) -> &'static str {
    if let Some(drift) = observed.drift.iter().find(|drift| drift.destination == *destination) {
        return match drift.what {
            domain::Drifted::ValueChanged => "changed by hand",
            domain::Drifted::LabelMoved => "an older version is read",
            domain::Drifted::Gone => "gone",
            domain::Drifted::Undelivered => "nothing of ours yet",
        };
    }
    let Some(rotation) = observed.rotation.as_ref().filter(|rotation| rotation.hands_out()) else {
        return if last.is_some() { "confirmed" } else { "nothing of ours yet" };
    };
    match rotation.delivery(destination) {
        Some(delivery) if delivery.confirmed_at.is_some() => "confirmed",
        Some(delivery) if delivery.promoted_at.is_some() => "promoted",
        Some(delivery) if delivery.written_at.is_some() => "written",
        _ => "waiting",
    }
}

/// The state of a credential as one would say it.
fn sentence(surveyed: &Surveyed) -> String {
    let observed = &surveyed.entry.observed;
    let now = surveyed.now;
    let stand = stand(surveyed);
    let next = surveyed.planned.as_ref().and_then(|(plan, _)| plan.steps.first());
    let from = observed.rotation.as_ref().and_then(|rotation| observed.version(rotation.from?));
    match (stand, next) {
        (Stand::Held, _) => {
            observed.hold.as_ref().map_or_else(String::new, |hold| format!("held by {}: {}", hold.by, hold.reason))
        }
        (Stand::Overlap, Some(next)) => {
            let used = from.and_then(|from| from.usage.last_used);
            let used = used.map_or_else(String::new, |at| format!(", the old one last used {}", relative(at, now)));
            format!(
                "both versions live{used}; {} {}: {}",
                next.step.word(),
                relative(next.not_before, now),
                next.reason
            )
        }
        (stand, Some(next)) => {
            format!("{}; {} {}: {}", stand.about(), next.step.word(), relative(next.not_before, now), next.reason)
        }
        (stand, None) => stand.about().to_owned(),
    }
}

fn show_text(surveyed: &Surveyed, deliveries: &[db::Delivered]) -> String {
    let observed = &surveyed.entry.observed;
    let now = surveyed.now;
    let mut text = format!("{}\n  {}\n", observed.credential, sentence(surveyed));
    if let Some(owner) = &observed.owner {
        let email = owner.email.as_ref().map(|email| format!(" <{email}>")).unwrap_or_default();
        text.push_str(&format!("  owner: {}{email}\n", owner.name));
    }
    if let Some((plan, applied)) = &surveyed.planned {
        text.push_str(&format!("  policy: {}\n", applied.policy.name));
        for finding in &plan.findings {
            text.push_str(&format!("  {}: {finding}\n", finding.word()));
        }
    }
    text.push_str("versions\n");
    for version in &observed.versions {
        let current = observed.current().is_some_and(|current| current.number == version.number);
        let state = match version.dead_at {
            _ if current => "current",
            Some(_) => "proved dead",
            None if version.is_live() => "live",
            None if version.revoked_at.is_some() => "revoked",
            None if version.is_prepared() => "chosen, not issued yet",
            None => "gone",
        };
        text.push_str(&format!(
            "  {}  {state}  {}  made {}  {}\n",
            version.number,
            version.name,
            relative(version.created_at, now),
            origin(version.origin)
        ));
    }
    if let Some((_, applied)) = &surveyed.planned {
        text.push_str("destinations\n");
        for destination in &applied.policy.deliver {
            let last = deliveries.iter().rfind(|delivered| delivered.destination == *destination);
            let what = last.map_or_else(String::new, |delivered| format!("version {}  ", delivered.version));
            let state = destination_state(observed, destination, last);
            text.push_str(&format!("  {destination}  {what}{state}\n"));
        }
        for consumer in applied.policy.consumers.iter() {
            let said = observed.acknowledged.iter().find(|said| said.consumer == consumer.name);
            let runs = said.map_or_else(
                || if consumer.acknowledges { "has not said what it runs" } else { "is not asked" }.to_owned(),
                |said| format!("runs version {}, as of {}", said.version, relative(said.at, now)),
            );
            text.push_str(&format!("  consumer {}  {runs}\n", consumer.name));
        }
    }
    text
}

pub(crate) async fn history(shell: &Shell, credential: &str) -> Ended {
    let opened = Opened::open(shell, Access::ReadOnly).await?;
    let (row, _) = find(&opened, credential).await?;
    let lines = opened.db.history(row).await?;
    if shell.json() {
        for line in &lines {
            shell.object(&history_json(line))?;
        }
        return Ok(Exit::Done);
    }
    let rows = lines.iter().map(|line| {
        let who = line.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        let on = line.destination.clone().unwrap_or_default();
        let outcome = line
            .outcome
            .clone()
            .unwrap_or_else(|| line.phase.map_or_else(String::new, |phase| phase.word().to_owned()));
        [rfc3339(line.at), format!("{}{who}", line.what), on, line.why.clone(), outcome]
    });
    shell.table(["AT", "WHAT", "WHERE", "WHY", "OUTCOME"], rows.collect())?;
    Ok(Exit::Done)
}

fn history_json(line: &HistoryLine) -> Value {
    json!({
        "at": rfc3339(line.at),
        "what": line.what,
        "version": line.version.map(|version| version.0),
        "destination": line.destination,
        "why": line.why,
        "phase": line.phase.map(domain::Phase::word),
        "outcome": line.outcome,
        "by": line.by,
    })
}
