//! What in a policy surely means something else than it looks like.

use std::collections::{HashMap, hash_map::Entry};

use super::{
    capability::{Capabilities, Capability},
    pattern::Pattern,
    place::Place,
    policy::{Policy, Rule},
};

/// One thing to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub at: Place,
    pub severity: Severity,
    /// What is so.
    pub what: String,
    /// What to do.
    pub advice: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Right on some servers, or perhaps meant so.
    Doubtful,
    /// Never does what it says.
    Wrong,
}

impl Severity {
    pub fn word(self) -> &'static str {
        match self {
            Self::Doubtful => "doubtful",
            Self::Wrong => "wrong",
        }
    }
}

/// Findings in the order of the text.
pub fn lint(policy: &Policy) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in &policy.rules {
        let mut report = |severity, what: String, advice: &str| {
            findings.push(Finding { at: rule.at, severity, what, advice: advice.to_owned() });
        };
        lint_pattern(&rule.pattern, &mut report);
        lint_capabilities(rule, &mut report);
        lint_conditions(rule, &mut report);
    }
    let patterns: Vec<Pattern> = policy.rules.iter().map(|rule| Pattern::new(&rule.pattern)).collect();
    findings.extend(twice(policy, &patterns));
    findings.extend(taken_away(policy, &patterns));
    findings.sort_by_key(|finding| finding.at);
    findings
}

fn lint_pattern(pattern: &str, report: &mut impl FnMut(Severity, String, &str)) {
    let bare = pattern.strip_prefix('/').unwrap_or(pattern);
    let body = bare.strip_suffix('*').unwrap_or(bare);
    if body.contains('*') {
        report(
            Severity::Wrong,
            format!("`*` before the end of \"{pattern}\" stands for a star, not for anything"),
            "use `+` for one whole segment, and `*` only as the last character",
        );
    }
    if body.split('/').any(|segment| segment.len() > 1 && segment.contains('+')) {
        report(
            Severity::Wrong,
            format!("`+` inside a segment of \"{pattern}\" stands for a plus, not for anything"),
            "`+` must be a whole segment; it cannot match part of one",
        );
    }
    if pattern.starts_with('/') {
        report(
            Severity::Doubtful,
            format!("the slash that \"{pattern}\" begins with is dropped"),
            "write the pattern without it",
        );
    }
    let mut segments = body.split('/');
    if bare.starts_with('/') || segments.any(|segment| matches!(segment, "." | "..")) {
        report(
            Severity::Wrong,
            format!("no path that a server takes is like \"{pattern}\""),
            "write the path as it is called, without empty segments at its beginning, `.` and `..`",
        );
    }
}

fn lint_capabilities(rule: &Rule, report: &mut impl FnMut(Severity, String, &str)) {
    let pattern = &rule.pattern;
    if rule.capabilities.is_none() {
        report(
            Severity::Doubtful,
            format!(
                "\"{pattern}\" says nothing of capabilities: it grants nothing, and takes away what weaker patterns grant"
            ),
            "name capabilities; write `capabilities = []` where that is meant",
        );
    }
    if rule.written.beside_deny {
        report(
            Severity::Wrong,
            format!("what \"{pattern}\" grants beside `deny` counts for nothing"),
            "keep either `deny` or the others",
        );
    }
    if rule.written.old_word {
        report(
            Severity::Doubtful,
            format!("\"{pattern}\" uses the old key `policy`"),
            "write `capabilities`, and only those that are needed: `write` also reads, lists and deletes",
        );
    }
    for (capability, server) in [
        (Capability::Scan, "OpenBao knows it, Vault refuses the whole policy"),
        (Capability::Subscribe, "Vault knows it, OpenBao refuses the whole policy"),
        (Capability::Recover, "newer Vault knows it, OpenBao refuses the whole policy"),
    ] {
        if rule.grants().contains(capability) {
            let what = format!("`{capability}` on \"{pattern}\" is not portable: {server}");
            report(Severity::Doubtful, what, "leave it out of policies that more than one server reads");
        }
    }
}

fn lint_conditions(rule: &Rule, report: &mut impl FnMut(Severity, String, &str)) {
    for condition in &rule.conditions {
        let (server, advice) = match condition.key {
            "pagination_limit" | "expiration" | "list_scan_response_keys_filter_path" | "comment" => {
                ("OpenBao knows it, Vault refuses the whole policy", "leave it out of policies that Vault reads too")
            }
            "mfa_methods" | "control_group" => {
                ("not every edition of the server heeds it", "see that the server in use does")
            }
            _ => continue,
        };
        let what = format!("`{}` on \"{}\" is not portable: {server}", condition.key, rule.pattern);
        report(Severity::Doubtful, what, advice);
    }
}

fn twice(policy: &Policy, patterns: &[Pattern]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut first_lines: HashMap<&Pattern, u32> = HashMap::new();
    for (rule, pattern) in policy.rules.iter().zip(patterns) {
        match first_lines.entry(pattern) {
            Entry::Vacant(free) => drop(free.insert(rule.at.line)),
            Entry::Occupied(first) => findings.push(Finding {
                at: rule.at,
                severity: Severity::Wrong,
                what: format!("\"{}\" stands on line {} already: both count together", rule.pattern, first.get()),
                advice: "make one rule of the two".to_owned(),
            }),
        }
    }
    findings
}

/// The stronger pattern counts alone, so that it takes away what it does not repeat.
fn taken_away(policy: &Policy, patterns: &[Pattern]) -> Vec<Finding> {
    // An exact path covers nothing but itself.
    let broad: Vec<(&Rule, &Pattern)> =
        policy.rules.iter().zip(patterns).filter(|(_, pattern)| !pattern.is_exact()).collect();
    let mut findings = Vec::new();
    for (rule, pattern) in policy.rules.iter().zip(patterns) {
        let silent = rule.grants().is_deny() || rule.capabilities.is_none_or(Capabilities::is_empty);
        if silent {
            continue;
        }
        let covers = |other: &&(&Rule, &Pattern)| other.1.matches(pattern.literal()) && other.1 < pattern;
        let Some((broader, _)) = broad.iter().filter(covers).max_by_key(|(_, pattern)| *pattern) else { continue };
        let lost = broader.grants().without(rule.grants());
        if lost.is_empty() {
            continue;
        }
        findings.push(Finding {
            at: rule.at,
            severity: Severity::Doubtful,
            what: format!(
                "\"{}\" takes away {lost} that \"{}\" on line {} grants: the closer pattern counts alone",
                rule.pattern, broader.pattern, broader.at.line
            ),
            advice: "repeat them here if they shall stay".to_owned(),
        });
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let findings = lint(&Policy::parse(text).unwrap());
        let found: Vec<String> = findings.iter().map(|finding| format!("{}: {}", finding.at, finding.what)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn nothing_to_say() {
        check(
            "path \"secret/data/a/*\" { capabilities = [\"read\"] }\npath \"secret/metadata/+\" { capabilities = [] }",
            &[],
        );
    }

    #[test]
    fn traps_in_patterns() {
        check(
            "path \"a/*/b\" { capabilities = [\"read\"] }\npath \"a/x+/b\" { capabilities = [\"read\"] }\n\
             path \"/c\" { capabilities = [\"read\"] }\npath \"d/../e\" { capabilities = [\"read\"] }",
            &[
                "1:1: `*` before the end of \"a/*/b\" stands for a star, not for anything",
                "2:1: `+` inside a segment of \"a/x+/b\" stands for a plus, not for anything",
                "3:1: the slash that \"/c\" begins with is dropped",
                "4:1: no path that a server takes is like \"d/../e\"",
            ],
        );
    }

    #[test]
    fn the_same_path_twice() {
        check(
            "path \"a\" { capabilities = [\"read\"] }\n\npath \"a\" { capabilities = [\"update\"] }",
            &["3:1: \"a\" stands on line 1 already: both count together"],
        );
    }

    #[test]
    fn rights_taken_away() {
        check(
            "path \"m/*\" { capabilities = [\"create\", \"read\", \"update\"] }\npath \"m/x\" { capabilities = [\"read\"] }\n\
             path \"m/y\" { capabilities = [\"deny\"] }",
            &["2:1: \"m/x\" takes away create, update that \"m/*\" on line 1 grants: the closer pattern counts alone"],
        );
    }

    #[test]
    fn words_that_one_server_alone_knows() {
        check(
            "path \"a\" { capabilities = [\"list\", \"scan\"]\npagination_limit = 5 }\npath \"b\" { policy = \"read\" }\n\
             path \"c\" { capabilities = [\"read\", \"deny\"] }\npath \"d\" {}",
            &[
                "1:1: `scan` on \"a\" is not portable: OpenBao knows it, Vault refuses the whole policy",
                "1:1: `pagination_limit` on \"a\" is not portable: OpenBao knows it, Vault refuses the whole policy",
                "3:1: \"b\" uses the old key `policy`",
                "4:1: what \"c\" grants beside `deny` counts for nothing",
                "5:1: \"d\" says nothing of capabilities: it grants nothing, and takes away what weaker patterns grant",
            ],
        );
    }
}
