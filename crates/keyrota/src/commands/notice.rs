//! `keyrota notice …`: what people are told, and what waits to be.

use db::Access;
use engine::{Held, HeldBack, Posted, SendError};
use serde_json::{Value, json};

use super::{relative, rfc3339, signals::stop_on_signal};
use crate::{
    cli::NoticeCommand,
    complaint::{Complaint, Exit},
    shell::{Ended, Shell},
    wiring::Opened,
};

pub(crate) async fn notice(shell: &Shell, command: NoticeCommand) -> Ended {
    match command {
        NoticeCommand::List => list(shell).await,
        NoticeCommand::Send => {
            let opened = Opened::open(shell, Access::Engine).await?;
            let posted = opened.outbox()?.send(true, &stop_on_signal(shell)).await?;
            if shell.json() {
                shell.object(&posted_json(&posted))?;
            } else if !shell.quiet {
                shell.text(&format!("{}\n", sentence(&posted)))?;
            }
            Ok(tell_held_back(shell, &posted))
        }
    }
}

/// What waits, one line a notice.
async fn list(shell: &Shell) -> Ended {
    let opened = Opened::open(shell, Access::ReadOnly).await?;
    let now = opened.now();
    let waiting = opened.db.waiting_notices().await?;
    if shell.json() {
        for one in &waiting {
            shell.object(&json!({
                "notifier": one.notifier,
                "recipient": one.recipient,
                "kind": one.notice.kind.word(),
                "subject": one.notice.subject,
                "at": rfc3339(one.notice.at),
                "what": one.notice.what,
                "attempts": one.attempts,
                "error": one.error,
            }))?;
        }
        return Ok(Exit::Done);
    }
    let rows = waiting.into_iter().map(|one| {
        let at = relative(one.notice.at, now);
        let kind = one.notice.kind.title().to_owned();
        [one.notifier, one.recipient, kind, one.notice.subject, at, one.error.unwrap_or_default()]
    });
    shell.table(["NOTIFIER", "RECIPIENT", "KIND", "SUBJECT", "SINCE", "LAST ERROR"], rows.collect())?;
    Ok(Exit::Done)
}

pub(crate) fn posted_json(posted: &Posted) -> Value {
    let held = |one: &HeldBack| {
        json!({
            "notifier": one.notifier,
            "recipient": one.recipient,
            "notices": one.notices,
            "error": why(one),
        })
    };
    json!({
        "messages": posted.messages,
        "notices": posted.notices,
        "waiting": posted.waiting,
        "held_back": posted.held_back.iter().map(held).collect::<Vec<_>>(),
    })
}

pub(crate) fn sentence(posted: &Posted) -> String {
    let waiting =
        if posted.waiting > 0 { format!("; waiting: {}", counted(posted.waiting, "notice")) } else { String::new() };
    format!("told people: {} in {}{waiting}", counted(posted.notices, "notice"), counted(posted.messages, "message"))
}

/// Says which channel takes nothing, and why. Nothing is lost, but somebody should know.
pub(crate) fn tell_held_back(shell: &Shell, posted: &Posted) -> Exit {
    for one in &posted.held_back {
        if let Held::Failed(error) = &one.why {
            shell.voice.complain(&Complaint::notifier(what(one), error));
        } else {
            shell.voice.warn(&format!("{}: {}", what(one), why(one)));
        }
    }
    if posted.held_back.is_empty() { Exit::Done } else { Exit::Attention }
}

fn what(one: &HeldBack) -> String {
    let to = one.recipient.as_ref().map(|recipient| format!(" for `{recipient}`")).unwrap_or_default();
    format!("the notifier `{}` took no message{to}; waiting: {}", one.notifier, counted(one.notices, "notice"))
}

fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

fn why(one: &HeldBack) -> String {
    match &one.why {
        Held::Failed(error) => error.to_string(),
        Held::Paused { error, until } => {
            format!("{error}; it is left alone until {}, or until `keyrota notice send`", rfc3339(*until))
        }
        Held::Unknown => "it is not configured any more; configure it again, or let them lie".to_owned(),
    }
}

impl From<SendError> for Complaint {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Read(error) => error.into(),
            SendError::Write(error) => error.into(),
        }
    }
}
