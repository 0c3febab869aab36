//! What every command has: how it was called, and how it answers.

use std::{io::Write as _, path::PathBuf};

use clap::ValueEnum;
use comfy_table::{Table, presets};
use serde_json::Value;

use crate::complaint::{Code, Complaint, Voice, on_one_line};

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

    /// One document, or one object a line of a stream. The serializer leaves some control characters in texts as they
    /// are; escaped, they mean the same to a program and nothing to a terminal.
    pub(crate) fn object(&self, value: &Value) -> Result<(), Complaint> {
        let escaped = |text: String, one: char| match one.is_control() {
            true => text + &format!("\\u{:04x}", u32::from(one)),
            false => text + one.encode_utf8(&mut [0; 4]),
        };
        let line = value.to_string().chars().fold(String::new(), escaped);
        self.as_it_is(&(line + "\n"))
    }

    /// A table for people: aligned columns, no frame, so that it can be cut and grepped. A row is a line, whatever a
    /// platform has in its names.
    pub(crate) fn table<const N: usize>(&self, headers: [&str; N], rows: Vec<[String; N]>) -> Result<(), Complaint> {
        self.table_as_it_is(headers, rows.into_iter().map(|row| row.map(|cell| on_one_line(&cell))).collect())
    }

    /// The same with every byte of its cells: for who asked for a secret.
    pub(crate) fn table_as_it_is<const N: usize>(
        &self,
        headers: [&str; N],
        rows: Vec<[String; N]>,
    ) -> Result<(), Complaint> {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(headers);
        for row in rows {
            table.add_row(row);
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
        self.as_it_is(&format!("{}\n", lines.join("\n")))
    }

    /// Data for people or for other programs. Part of it may come from a platform, and a terminal obeys what it is
    /// sent: nothing of it but line breaks and tabs controls anything.
    pub(crate) fn text(&self, text: &str) -> Result<(), Complaint> {
        let kept = |character: char| matches!(character, '\n' | '\t') || !character.is_control();
        let harmless = |text: &str| text.chars().map(|one| if kept(one) { one } else { ' ' }).collect::<String>();
        // CSV ends its lines so.
        self.as_it_is(&text.split("\r\n").map(harmless).collect::<Vec<_>>().join("\r\n"))
    }

    /// Data goes to standard output. A reader that has gone away has had enough: that is no error, and the command
    /// still ends with what it has to say.
    pub(crate) fn as_it_is(&self, text: &str) -> Result<(), Complaint> {
        match std::io::stdout().lock().write_all(text.as_bytes()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => {
                Err(Complaint::new(Code::FileUnwritable, "standard output cannot be written").cause(error.to_string()))
            }
        }
    }
}
