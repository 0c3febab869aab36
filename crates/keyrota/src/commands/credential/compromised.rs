//! `keyrota credential compromised`: one credential, or a campaign over everything that a leak may have exposed.

use std::collections::HashSet;

use db::{Access, Exposed, Exposure, Word};
use domain::Timestamp;
use engine::RunRequest;

use super::act::{go_on, replaceable};
use super::open_one;
use crate::{
    cli::{CompromisedArgs, WordArgs},
    commands::{campaign::account, rfc3339, run::report_run, selector, signals::stop_on_signal},
    complaint::{Code, Complaint, Exit},
    config::nearest,
    progress::progress,
    shell::{Ended, Shell},
    wiring::Opened,
};

pub(crate) async fn compromised(shell: &Shell, args: &CompromisedArgs) -> Ended {
    match &args.credential {
        Some(credential) if args.store.is_none() && args.since.is_none() && !credential.contains('*') => {
            one(shell, credential, &args.word).await
        }
        _ => campaign(shell, args).await,
    }
}

async fn one(shell: &Shell, credential: &str, word: &WordArgs) -> Ended {
    let (opened, engine, entry) = open_one(shell, credential).await?;
    let observed = &entry.observed;
    replaceable(&opened, &entry)?;
    let by = word.by();
    let at = opened.now_at(observed.credential.issuer()).await?;
    opened.db.request_compromised(entry.id, Word { by: &by, reason: &word.reason, at }).await?;
    go_on(shell, &engine, &observed.credential).await
}

/// Looks at the issuers, writes down what may have been exposed, replaces it in front of everything else, and prints
/// the account.
async fn campaign(shell: &Shell, args: &CompromisedArgs) -> Ended {
    let wanted = selector(args.credential.as_deref())?;
    let opened = Opened::open(shell, Access::Engine).await?;
    let since = match args.since.as_deref() {
        Some(text) => Some(since(text, latest_now(&opened).await?)?),
        None => None,
    };
    let exposure = Exposure { store: args.store.as_deref(), since };
    if let Some(store) = exposure.store {
        known_store(&opened, store)?;
    }
    let engine = opened.engine().await?;
    let mut looked = engine::RunReport::default();
    engine.observe_all(&mut looked, &*progress(shell)).await;
    let exposed: Vec<Exposed> = opened.db.exposed(exposure).await?;
    let exposed: Vec<Exposed> = exposed.into_iter().filter(|one| wanted.matches(one.credential.as_str())).collect();
    if exposed.is_empty() {
        shell.voice.note("nothing was exposed: no version fits; nothing was changed");
        return Ok(Exit::Done);
    }
    let by = args.word.by();
    let word = Word { by: &by, reason: &args.word.reason, at: opened.now() };
    let id = opened.db.open_campaign(exposure, &exposed, word).await.map_err(|error| {
        Complaint::new(Code::Database, "the campaign could not be written down")
            .because(&error)
            .state("what was written of it is in the history of its credentials")
            .hint("run the command again")
    })?;
    shell
        .voice
        .note(&format!("campaign {id}: {} versions; `keyrota campaign show {id}` is its account", exposed.len()));
    let only: HashSet<String> = exposed.iter().map(|one| one.credential.to_string()).collect();
    let stop = stop_on_signal(shell);
    let request = RunRequest { only: Some(only), observe: false, stop, ..RunRequest::everything() };
    let mut report = engine.run_once(&request, &*progress(shell)).await?;
    report.observations.append(&mut looked.observations);
    report.troubles.append(&mut looked.troubles);
    let exit = if shell.json() { Exit::Done } else { report_run(shell, &report)? };
    let campaigns = opened.db.campaigns().await?;
    match campaigns.iter().find(|campaign| campaign.id == id) {
        Some(campaign) => Ok(exit.max(account(shell, &opened, campaign).await?)),
        None => Ok(exit),
    }
}

/// The time now, or the time of the issuer whose clock is furthest ahead: what it has dated is not in the future.
async fn latest_now(opened: &Opened) -> Result<Timestamp, Complaint> {
    let now = opened.now();
    let states = opened.db.issuer_states().await?;
    let theirs = states.iter().filter_map(|state| now.saturating_add(state.clock_offset).ok());
    Ok(theirs.fold(now, Timestamp::max))
}

/// A moment, or a day's beginning, in UTC. A leak is in the past: a later moment is mistyped, and would expose all that
/// lives.
fn since(text: &str, now: Timestamp) -> Result<Timestamp, Complaint> {
    let refused = |what: &str| {
        Complaint::new(Code::Usage, format!("`--since {text}` {what}"))
            .state("nothing was changed")
            .hint("write the day or the time of the leak, such as `2026-11-01` or `2026-11-01T14:00:00Z`")
    };
    let day = || format!("{text}T00:00:00Z").parse::<Timestamp>();
    let since = text.parse::<Timestamp>().or_else(|_| day()).map_err(|_| refused("is no time"))?;
    if since > now {
        return Err(refused("is in the future").cause(format!("now it is {}", rfc3339(now))));
    }
    if since <= Timestamp::UNIX_EPOCH {
        return Err(refused("is before everything").cause("nothing that Keyrota knows lived then"));
    }
    Ok(since)
}

fn known_store(opened: &Opened, name: &str) -> Result<(), Complaint> {
    let stores = opened.config.stores.iter().map(|store| store.name.as_str());
    if stores.clone().any(|store| store == name) {
        return Ok(());
    }
    let complaint = Complaint::new(Code::Input, format!("no store is called `{name}`")).state("nothing was changed");
    Err(match nearest(name, stores) {
        Some(near) => complaint.hint(format!("did you mean `{near}`?")),
        None => complaint.hint("`--store` takes the name of a `[[store]]`"),
    })
}
