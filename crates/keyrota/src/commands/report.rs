//! `keyrota report`: the whole estate in numbers and lines, for those who ask: auditors, owners, oneself.

mod html;
mod lines;

use std::path::Path;

use db::Access;
use serde_json::json;

use super::{rfc3339, selector};
use crate::{
    cli::{ReportArgs, ReportFormat},
    complaint::{Code, Complaint, Exit},
    shell::{Ended, Shell},
    wiring::{Opened, survey},
};
use lines::{Line, Summary};

pub(crate) async fn report(shell: &Shell, args: &ReportArgs) -> Ended {
    let wanted = selector(args.selector.as_deref())?;
    let opened = Opened::open(shell, Access::ReadOnly).await?;
    let states = opened.db.issuer_states().await?;
    let mut lines = Vec::new();
    survey(&opened, &states, |surveyed| {
        if wanted.matches(surveyed.entry.observed.credential.as_str()) {
            lines.push(Line::of(&surveyed));
        }
    })?;
    lines.sort_by(|one, other| one.credential.cmp(&other.credential));
    let summary = Summary::of(&lines);
    let format = args.format.unwrap_or(if shell.json() { ReportFormat::Json } else { ReportFormat::Table });
    let text = match format {
        ReportFormat::Table => table(&summary, &lines),
        ReportFormat::Json => {
            let document = json!({
                "at": rfc3339(opened.now()),
                "summary": summary.to_json(),
                "credentials": lines.iter().map(Line::to_json).collect::<Vec<_>>(),
            });
            format!("{document}\n")
        }
        ReportFormat::Csv => csv(&lines),
        ReportFormat::Html => html::page(&rfc3339(opened.now()), &summary, &lines),
    };
    match &args.out {
        Some(file) => write(file, &text)?,
        None => shell.text(&text)?,
    }
    Ok(Exit::Done)
}

fn write(file: &Path, text: &str) -> Result<(), Complaint> {
    std::fs::write(file, text).map_err(|error| {
        Complaint::new(Code::FileUnwritable, format!("the report cannot be written to {}", file.display()))
            .cause(error.to_string())
            .state("nothing was changed")
            .hint("name a file in a folder that is there and that you may write to")
    })
}

fn table(summary: &Summary, lines: &[Line]) -> String {
    let mut text = String::new();
    for (what, count, about) in summary.rows() {
        text.push_str(&format!("{count:>8}  {what:<14} {about}\n"));
    }
    text.push('\n');
    for (band, count) in summary.ages() {
        text.push_str(&format!("{count:>8}  {band}\n"));
    }
    let wanting: Vec<&Line> = lines.iter().filter(|line| !line.marks().is_empty()).collect();
    if !wanting.is_empty() {
        text.push('\n');
    }
    for line in wanting {
        text.push_str(&format!("{}  {}\n", line.credential, line.marks().join(", ")));
    }
    text
}

fn csv(lines: &[Line]) -> String {
    let mut text = lines::COLUMNS.join(",") + "\r\n";
    for line in lines {
        let cells: Vec<String> = line.cells().iter().map(|cell| csv_cell(cell)).collect();
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    text
}

/// By RFC 4180. A spreadsheet would take a cell that begins like a formula for one, so it gets an apostrophe.
fn csv_cell(cell: &str) -> String {
    let cell = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

#[cfg(test)]
mod tests {
    use super::csv_cell;

    #[test]
    fn cells_survive_a_spreadsheet() {
        assert_eq!(csv_cell("acme/web"), "acme/web");
        assert_eq!(csv_cell("a \"b\", c"), "\"a \"\"b\"\", c\"");
        assert_eq!(csv_cell("=HYPERLINK(\"x\")"), "\"'=HYPERLINK(\"\"x\"\")\"");
    }
}
