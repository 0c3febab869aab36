//! Rules over what people read: what a document points at must be there.

use super::repository::{Finding, Repository, SourceFile};

/// Paths in documents that begin so are paths of this repository.
const OURS: [&str; 4] = ["crates/", "docs/", "xtask/", ".ci/"];
/// Stands alone on a line of an excerpt for what was left out.
const LEFT_OUT: &str = "…";

pub(super) fn links_lead_somewhere(repository: &Repository) -> Vec<Finding> {
    let links = |line: &str| -> Vec<String> {
        let targets = line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
        targets.filter(|target| !target.contains("://") && !target.starts_with('#')).map(str::to_owned).collect()
    };
    missing(repository, "link", |file, line| {
        let targets = links(line).into_iter();
        targets.map(|target| beside(&file.path, target.split('#').next().unwrap_or_default())).collect()
    })
}

pub(super) fn paths_exist(repository: &Repository) -> Vec<Finding> {
    missing(repository, "path", |_, line| {
        let quoted = line.split('`').skip(1).step_by(2);
        let plain = |word: &&str| !word.contains([' ', '*', '{', '<', '…']);
        quoted.filter(|word| OURS.iter().any(|ours| word.starts_with(ours))).filter(plain).map(str::to_owned).collect()
    })
}

/// Code in a document is copied from the code, or it is wrong after the next change.
pub(super) fn excerpts_are_in_the_code(repository: &Repository) -> Vec<Finding> {
    let is_in_code = |part: &str| repository.rust().any(|file| file.text.contains(part.trim_matches('\n')));
    let mut findings = Vec::new();
    for file in documents(repository) {
        for (line, excerpt) in excerpts(&file.text) {
            let separator = format!("\n    {LEFT_OUT}\n");
            if !excerpt.split(&separator).all(is_in_code) {
                findings.push(file.finding(line, "this excerpt is not in the code, to the letter"));
            }
        }
    }
    findings
}

fn documents(repository: &Repository) -> impl Iterator<Item = &SourceFile> {
    repository.files.iter().filter(|file| file.path.ends_with(".md"))
}

fn missing(repository: &Repository, noun: &str, named: impl Fn(&SourceFile, &str) -> Vec<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in documents(repository) {
        for (index, line) in file.text.lines().enumerate() {
            for path in named(file, line).iter().filter(|path| !is_there(repository, path)) {
                findings.push(file.finding(index + 1, format!("the {noun} `{path}` leads nowhere")));
            }
        }
    }
    findings
}

fn is_there(repository: &Repository, path: &str) -> bool {
    let folder = format!("{}/", path.trim_end_matches('/'));
    repository.files.iter().any(|file| file.path == path || file.path.starts_with(&folder))
}

/// The path of a link, from the root of the repository.
fn beside(document: &str, target: &str) -> String {
    let folder = document.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut segments: Vec<&str> = Vec::new();
    for segment in folder.split('/').chain(target.split('/')) {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            name => segments.push(name),
        }
    }
    segments.join("/")
}

/// Blocks of Rust with the line on which each begins.
fn excerpts(text: &str) -> Vec<(usize, String)> {
    let mut excerpts: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (index, line) in text.lines().enumerate() {
        match (open, line) {
            (false, "```rust") => {
                open = true;
                excerpts.push((index + 1, String::new()));
            }
            (true, "```") => open = false,
            (true, line) => {
                if let Some((_, excerpt)) = excerpts.last_mut() {
                    excerpt.push_str(line);
                    excerpt.push('\n');
                }
            }
            (false, _) => {}
        }
    }
    excerpts
}

#[cfg(test)]
mod tests {
    use super::{super::repository::made_of, *};

    type Rule = fn(&Repository) -> Vec<Finding>;

    #[track_caller]
    fn check(rule: Rule, document: &str, expected: &[&str]) {
        let code = ("crates/db/src/lib.rs", "fn one() {\n    1\n}\n\nfn two() {\n    2;\n    3\n}\n");
        let repository = made_of(&[("docs/guides/a.md", document), code]);
        let findings: Vec<String> = rule(&repository).iter().map(ToString::to_string).collect();
        assert_eq!(findings, expected);
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        check(links_lead_somewhere, "[a](../guides/a.md#x) [b](https://x.test/) [c](#here) [d](../../crates/db)", &[]);
        check(links_lead_somewhere, "\n[a](b.md)", &["docs/guides/a.md:2: the link `docs/guides/b.md` leads nowhere"]);
    }

    #[test]
    fn a_path_that_is_gone_is_found() {
        check(paths_exist, "`crates/db/src/lib.rs`, `crates/db`, `crates/*/src`, `other/x`", &[]);
        check(
            paths_exist,
            "`crates/db/src/old.rs`",
            &["docs/guides/a.md:1: the path `crates/db/src/old.rs` leads nowhere"],
        );
    }

    #[test]
    fn an_excerpt_that_has_changed_is_found() {
        let rule = excerpts_are_in_the_code;
        check(rule, "```rust\nfn one() {\n    1\n}\n```\n```sh\nls\n```", &[]);
        check(rule, "```rust\nfn two() {\n    2;\n    …\n}\n```", &[]);
        let finding = "docs/guides/a.md:2: this excerpt is not in the code, to the letter";
        check(rule, "\n```rust\nfn one() {\n    2\n}\n```", &[finding]);
    }
}
