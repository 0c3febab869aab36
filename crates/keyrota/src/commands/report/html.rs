//! The report as one page: charts drawn in the page itself, no script, nothing loaded from elsewhere.

use std::fmt::Write as _;

use super::lines::{COLUMNS, Line, Summary};

const BAR_WIDTH_MAX: usize = 420;
const BAR_HEIGHT: usize = 18;
const ROW_HEIGHT: usize = 26;
const LABEL_WIDTH: usize = 170;

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1c2024; --soft: #667; --line: #d5d9de; --bar: #2f6fb5; --page: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ec; --soft: #98a2ad; --line: #39414a; --bar: #6aa7e8; --page: #14181c; }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); margin: 2rem auto;
  max-width: 72rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
p { color: var(--soft); }
table { border-collapse: collapse; width: 100%; font-size: 13px; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
.scroll { overflow-x: auto; }
svg text { fill: var(--ink); font-size: 13px; } svg rect { fill: var(--bar); }
";

pub(super) fn page(at: &str, summary: &Summary, lines: &[Line]) -> String {
    let ages: Vec<(&str, usize)> = summary.ages().collect();
    let states: Vec<(&str, usize)> = summary.states().map(|(stand, count)| (stand.word(), count)).collect();
    let marks: Vec<(&str, usize)> = summary.marked().map(|(word, count, _)| (word, count)).collect();
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width\">\n<title>Credentials, {at}</title>\n<style>{STYLE}</style>\n<h1>Credentials</h1>\n\
         <p>As of {at}, by the last observation of each issuer.</p>\n"
    );
    for (title, bars) in [("Age of what consumers use", ages), ("State", states), ("What to look at", marks)] {
        // Writing into a string cannot fail.
        let _ = write!(page, "<h2>{title}</h2>\n{}", chart(title, &bars));
    }
    page.push_str("<h2>Every credential</h2>\n<div class=\"scroll\"><table>\n<tr>");
    for column in COLUMNS {
        let _ = write!(page, "<th scope=\"col\">{}</th>", column.replace('_', " "));
    }
    page.push_str("</tr>\n");
    for line in lines {
        page.push_str("<tr>");
        for cell in line.cells() {
            let _ = write!(page, "<td>{}</td>", escaped(&cell));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</table></div>\n</html>\n");
    page
}

/// Horizontal bars, each with its number in words for those who do not see it.
fn chart(title: &str, bars: &[(&str, usize)]) -> String {
    let most = bars.iter().map(|(_, count)| *count).max().unwrap_or_default().max(1);
    let height = bars.len() * ROW_HEIGHT;
    let width = LABEL_WIDTH + BAR_WIDTH_MAX + 80;
    let mut svg = format!("<svg role=\"img\" aria-label=\"{title}\" width=\"{width}\" height=\"{height}\">\n");
    for (row, (label, count)) in bars.iter().enumerate() {
        let (y, long) = (row * ROW_HEIGHT, count * BAR_WIDTH_MAX / most);
        let (text_y, number_x) = (y + BAR_HEIGHT - 4, LABEL_WIDTH + long + 8);
        let label = label.replace('_', " ");
        let _ = writeln!(
            svg,
            "<text x=\"0\" y=\"{text_y}\">{label}</text><rect x=\"{LABEL_WIDTH}\" y=\"{y}\" width=\"{long}\" \
             height=\"{BAR_HEIGHT}\" rx=\"3\"/><text x=\"{number_x}\" y=\"{text_y}\">{count}</text>"
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
