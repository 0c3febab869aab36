//! What a person says in place of the machine's evidence: a consumer runs the new version, or nobody needs the old one.

use db::{Access, Word};
use domain::{Consumer, CredentialId, Timestamp, VersionNumber};

use super::find;
use crate::{
    cli::{AnswerArgs, WordArgs},
    complaint::{Code, Complaint, Exit},
    config::{nearest, parse_period},
    shell::{Ended, Shell},
    wiring::Opened,
};

/// A person answers for no longer than this: whoever still believes it then says so again.
const WAIVER_DAYS_MAX: i64 = 90;

pub(crate) async fn acknowledge(
    shell: &Shell,
    credential: &str,
    (consumer, version): (&str, Option<u32>),
    word: &WordArgs,
) -> Ended {
    let (opened, row, id, now) = open(shell, credential).await?;
    known_consumer(&opened, &id, consumer, now)?;
    let delivered = opened.db.delivered(row).await?;
    let promoted = delivered.iter().filter(|one| one.promoted_at.is_some());
    let last = promoted.max_by_key(|one| one.promoted_at).map(|one| one.version);
    let version = match (version.map(VersionNumber), last) {
        (Some(version), _) if !delivered.iter().any(|one| one.version == version) => {
            return Err(not_now(credential, format!("version {version} was never delivered")));
        }
        (Some(version), _) | (None, Some(version)) => version,
        (None, None) => return Err(not_now(credential, "nothing of ours was delivered yet".to_owned())),
    };
    let by = word.by();
    let word = Word { by: &by, reason: &word.reason, at: now };
    opened.db.acknowledge(row, consumer, version, word).await?;
    shell.voice.note(&format!("{consumer} runs version {version} of {id}"));
    Ok(Exit::Done)
}

pub(crate) async fn waive(
    shell: &Shell,
    credential: &str,
    (consumer, within): (Option<&str>, &str),
    answer: &AnswerArgs,
) -> Ended {
    let within = parse_period(within).map_err(|why| {
        Complaint::new(Code::Input, format!("`--within {within}` is no period")).cause(why).state("nothing was changed")
    })?;
    if within.is_zero() {
        return Err(Complaint::new(Code::Input, "a waiver of no time answers for nothing").state("nothing was changed"));
    }
    if within.as_hours() > WAIVER_DAYS_MAX * 24 {
        return Err(Complaint::new(Code::Input, format!("a waiver lasts {WAIVER_DAYS_MAX} days at most"))
            .state("nothing was changed"));
    }
    let (opened, row, id, now) = open(shell, credential).await?;
    if let Some(consumer) = consumer {
        known_consumer(&opened, &id, consumer, now)?;
    }
    let until = now.saturating_add(within).unwrap_or(now);
    let AnswerArgs { reason, by } = answer;
    opened.db.waive(row, consumer, until, Word { by, reason, at: now }).await?;
    let what = consumer.map_or_else(|| "the silence of its old version".to_owned(), |name| format!("{name}'s word"));
    shell.voice.note(&format!("until {until:.0}, {by} answers for {what} at {id}"));
    Ok(Exit::Done)
}

async fn open(shell: &Shell, credential: &str) -> Result<(Opened, i64, CredentialId, Timestamp), Complaint> {
    let opened = Opened::open(shell, Access::Commands).await?;
    let (row, id) = find(&opened, credential).await?;
    let now = opened.now_at(id.issuer()).await?;
    Ok((opened, row, id, now))
}

/// The policy names its consumers; another name would be waited for in vain.
fn known_consumer(opened: &Opened, id: &CredentialId, name: &str, now: Timestamp) -> Result<(), Complaint> {
    let applied = engine::Policies::applied(&opened.policies(), id, now);
    let consumers: Vec<Consumer> = applied.map(|applied| applied.policy.consumers.to_vec()).unwrap_or_default();
    if consumers.iter().any(|consumer| &*consumer.name == name) {
        return Ok(());
    }
    let complaint = Complaint::new(Code::NotPossibleNow, format!("no consumer of `{id}` is called `{name}`"))
        .state("nothing was changed");
    Err(match nearest(name, consumers.iter().map(|consumer| &*consumer.name)) {
        Some(near) => complaint.hint(format!("did you mean `{near}`?")),
        None => complaint.hint("name it under `consumers` in the policy"),
    })
}

fn not_now(credential: &str, cause: String) -> Complaint {
    Complaint::new(Code::NotPossibleNow, format!("this cannot be said of `{credential}` now"))
        .cause(cause)
        .state("nothing was changed")
}
