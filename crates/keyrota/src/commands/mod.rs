//! One file a command. Each reads its arguments, calls what does the work, and prints.

pub(crate) mod campaign;
pub(crate) mod check;
mod clashes;
pub(crate) mod credential;
pub(crate) mod demo;
pub(crate) mod discover;
mod handed_in;
pub(crate) mod init;
pub(crate) mod key;
pub(crate) mod notice;
pub(crate) mod plan;
mod plan_file;
pub(crate) mod policy;
pub(crate) mod reference;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod secret;
mod signals;
pub(crate) mod status;
pub(crate) mod task;
pub(crate) mod twin;

use domain::{Selector, Timestamp};

use crate::{
    complaint::{Code, Complaint, Exit},
    shell::Shell,
};

pub(crate) fn selector(text: Option<&str>) -> Result<Selector, Complaint> {
    let Some(text) = text else { return Ok(Selector::everything()) };
    Selector::parse(text).map_err(|error| {
        Complaint::new(Code::InvalidSelector, error.to_string())
            .state("nothing was changed")
            .hint("a selector is a glob over identifiers, for example `apic-prod/acme/*/*`")
    })
}

/// A selector that names nothing is likely mistyped, and whoever relies on it would never hear of it.
pub(crate) fn tell_nobody(shell: &Shell, selector: Option<&str>) -> Exit {
    let selector = selector.unwrap_or_default();
    shell.voice.warn(&format!("no credential matches `{selector}`; `keyrota credential list` names them all"));
    Exit::Attention
}

/// A time as programs read it: RFC 3339, UTC, to the second.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    format!("{at:.0}")
}

/// A time as people read it in a table: how far away it is.
pub(crate) fn relative(at: Timestamp, now: Timestamp) -> String {
    let seconds = at.duration_since(now).as_secs();
    let (sign, ago) = if seconds < 0 { ("", " ago") } else { ("in ", "") };
    let text = match seconds.unsigned_abs() {
        0..=59 => return "now".to_owned(),
        seconds @ 60..=3_599 => format!("{} min", seconds / 60),
        seconds @ 3_600..=86_399 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    };
    format!("{sign}{text}{ago}")
}
