//! How errors look.
//!
//! ```text
//! error[KR0207]: apic-prod refused to issue a version for credential `apic-prod/acme/shop/key`
//!   cause: 403 Forbidden, "not allowed" (request 8A2C:51)
//!   state: nothing changed; version 7 stays current
//!   hint: grant the account the role, then run `keyrota credential rotate …`
//! ```
//!
//! Everything here goes to standard error. What a complaint says comes from [`Code`] and from the error it is made of;
//! commands add the thing it happened to.

mod code;
mod from;

use std::{error::Error, fmt, io::Write as _};

pub(crate) use code::Code;

/// What the process ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Done, and nothing wants attention.
    Done = 0,
    Failed = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// Done, but something wants attention.
    Attention = 3,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// One error as a person reads it. MUST NOT carry a secret or a whole answer of a platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub(crate) code: Code,
    /// What failed, and on which thing.
    pub(crate) what: String,
    pub(crate) cause: Option<String>,
    /// What is true now.
    pub(crate) state: Option<String>,
    /// What to do.
    pub(crate) hint: Option<String>,
    pub(crate) exit: Exit,
}

impl Complaint {
    pub(crate) fn new(code: Code, what: impl Into<String>) -> Self {
        Self { code, what: what.into(), cause: None, state: None, hint: None, exit: code.exit() }
    }

    #[must_use]
    pub(crate) fn cause(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// The cause from an error and all its sources.
    #[must_use]
    pub(crate) fn because(self, error: &dyn Error) -> Self {
        self.cause(chain(error))
    }

    #[must_use]
    pub(crate) fn state(mut self, state: impl Into<String>) -> Self {
        self.state = Some(state.into());
        self
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn details(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [("cause", &self.cause), ("state", &self.state), ("hint", &self.hint)]
            .into_iter()
            .filter_map(|(name, text)| Some((name, text.as_deref()?)))
    }

    /// For a terminal or a log, with its final line break.
    pub(crate) fn render(&self, colour: bool) -> String {
        let (red, faint, reset) = if colour { (RED, FAINT, RESET) } else { ("", "", "") };
        let mut text = format!("{red}error[{}]{reset}: {}\n", self.code, plain(&self.what));
        for (name, detail) in self.details() {
            text.push_str(&format!("  {faint}{name}:{reset} {}\n", plain(detail)));
        }
        text
    }
}

const RED: &str = "\u{1b}[1;31m";
const YELLOW: &str = "\u{1b}[1;33m";
const FAINT: &str = "\u{1b}[2m";
const RESET: &str = "\u{1b}[0m";

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.render(false).trim_end())
    }
}

/// An error and its sources, joined by colons. A source that the text before it ends with already is not repeated.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        source = error.source();
    }
    text
}

/// Without control characters: part of it may come from a platform, and a terminal obeys what it is sent.
pub(crate) fn on_one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// A sentence on one line, for a person.
fn plain(text: &str) -> String {
    let cleaned = on_one_line(text);
    cleaned.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Everything that is said to a person or a program on standard error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Voice {
    quiet: bool,
    colour: bool,
}

impl Voice {
    /// Colour on a terminal alone, and not with `--no-color` or `NO_COLOR`. Standard error is for people, also where
    /// standard output is JSON.
    pub(crate) fn new(quiet: bool, no_color: bool) -> Self {
        let choice = anstream::AutoStream::choice(&std::io::stderr());
        let colour = !no_color && choice != anstream::ColorChoice::Never;
        Self { quiet, colour }
    }

    /// Whether standard error takes colour.
    pub(crate) fn colour(&self) -> bool {
        self.colour
    }

    pub(crate) fn complain(&self, complaint: &Complaint) {
        say(&complaint.render(self.colour));
    }

    /// Something that wants attention without being an error. Said also when quiet.
    pub(crate) fn warn(&self, text: &str) {
        self.line("warning", YELLOW, text);
    }

    /// Something worth knowing. Not said when quiet.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            self.line("note", FAINT, text);
        }
    }

    fn line(&self, kind: &str, colour: &str, text: &str) {
        let text = plain(text);
        let line = if self.colour { format!("{colour}{kind}{RESET}: {text}") } else { format!("{kind}: {text}") };
        say(&format!("{line}\n"));
    }
}

/// Nobody is left to tell when standard error is closed.
fn say(text: &str) {
    std::io::stderr().lock().write_all(text.as_bytes()).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint() -> Complaint {
        Complaint::new(Code::IssuerForbidden, "`apic` refused to issue a version for `apic/acme/shop/key`")
            .cause("403 Forbidden, \"not\u{1b}[31m\n allowed\"")
            .state("nothing changed")
            .hint("grant the account the role")
    }

    #[test]
    fn people_read_a_block_without_control_characters() {
        assert_eq!(
            complaint().render(false),
            "error[KR0202]: `apic` refused to issue a version for `apic/acme/shop/key`\n  \
             cause: 403 Forbidden, \"not [31m allowed\"\n  state: nothing changed\n  hint: grant the account the role\n"
        );
        assert!(complaint().render(true).starts_with("\u{1b}[1;31merror[KR0202]\u{1b}[0m: "));
    }

    #[test]
    fn a_chain_says_nothing_twice() {
        let http = driver::HttpError {
            failure: driver::HttpFailure::Unreachable,
            effect: driver::Effect::NotApplied,
            detail: "connection refused".to_owned(),
        };
        let error = driver::DriverError::from(http);
        assert_eq!(
            chain(&error),
            "unavailable: the host could not be reached: the host could not be reached: connection refused"
        );
    }
}
