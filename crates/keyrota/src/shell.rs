//! What every command has: how it was called, and how it answers.

use std::{io::Write as _, path::PathBuf};

use clap::ValueEnum;
use comfy_table::{Table, presets};
use serde_json::Value;

use crate::complaint::{Code, Complaint, Voice};

/// The end of a command: how it went, or what is wrong.
pub(crate) type Ended = Result<crate::complaint::Exit, Complaint>;

/// How data is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Table,
    Json,
}

#[derive(Debug)]
pub(crate) struct Shell {
    pub(crate) config: Option<PathBuf>,
    pub(crate) output: Output,
    pub(crate) quiet: bool,
    pub(crate) voice: Voice,
}

impl Shell {
    pub(crate) fn new(config: Option<PathBuf>, output: Output, quiet: bool, no_color: bool) -> Self {
        Self { config, output, quiet, voice: Voice::new(quiet, no_color) }
    }

    pub(crate) fn json(&self) -> bool {
        self.output == Output::Json
    }

    /// One document, or one object a line of a stream.
    pub(crate) fn object(&self, value: &Value) -> Result<(), Complaint> {
        self.text(&format!("{value}\n"))
    }

    /// A table for people: aligned columns, no frame, so that it can be cut and grepped.
    pub(crate) fn table<const N: usize>(&self, headers: [&str; N], rows: Vec<[String; N]>) -> Result<(), Complaint> {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(headers);
        for row in rows {
            table.add_row(row);
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
        self.text(&format!("{}\n", lines.join("\n")))
    }

    /// Data goes to standard output. A reader that has gone away has had enough: that is no error.
    pub(crate) fn text(&self, text: &str) -> Result<(), Complaint> {
        match std::io::stdout().lock().write_all(text.as_bytes()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
            Err(error) => {
                Err(Complaint::new(Code::FileUnwritable, "standard output cannot be written").cause(error.to_string()))
            }
        }
    }
}
