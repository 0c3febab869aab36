//! From entries to a policy: which keys there are, and what their values must be.

use super::{
    capability::{Capabilities, Capability},
    place::Place,
    policy::{Condition, Policy, Rule, Value, ValueEntry, Written},
    problem::{InvalidPolicy, Problem, nearest},
    syntax::{Entry, Form, Kind, Node, parse},
    template,
};

const TOP_KEYS: &[&str] = &["path", "name"];
const RULE_KEYS: &[&str] = &[
    "capabilities",
    "policy",
    "allowed_parameters",
    "denied_parameters",
    "required_parameters",
    "min_wrapping_ttl",
    "max_wrapping_ttl",
    "mfa_methods",
    "control_group",
    "pagination_limit",
    "expiration",
    "list_scan_response_keys_filter_path",
    "comment",
];
/// Longer than any path that a server answers; matching recurses once a segment.
const PATTERN_BYTES_MAX: usize = 2048;

pub(super) fn policy(text: &str) -> Result<Policy, InvalidPolicy> {
    let (form, entries) = parse(text)?;
    let mut policy = Policy { name: None, rules: Vec::new() };
    let mut named: Option<Place> = None;
    for entry in entries {
        match entry.key.as_str() {
            "name" if named.is_some() => return Err(twice(&entry, "the policy", named)),
            "name" => {
                named = Some(entry.at);
                policy.name = Some(text_of(entry.value).ok_or_else(|| {
                    Problem::Unexpected { found: "another value".to_owned(), expected: "a text for `name`" }
                        .at(entry.at)
                })?);
            }
            "path" if form == Form::Hcl => policy.rules.push(hcl_rule(entry)?),
            "path" => json_rules(entry.value, &mut policy.rules)?,
            _ => {
                let table = "the policy".to_owned();
                return Err(unknown_key(entry.key, table, TOP_KEYS).at(entry.at));
            }
        }
    }
    Ok(policy)
}

fn hcl_rule(entry: Entry) -> Result<Rule, InvalidPolicy> {
    let missing = |found: &str| {
        Problem::Unexpected { found: found.to_owned(), expected: "a pattern: path \"secret/data/…\" { … }" }
            .at(entry.at)
    };
    match (entry.label, entry.value.kind) {
        (Some(pattern), Kind::Map(entries)) => rule(pattern, entry.at, entries),
        _ => Err(missing("`path` without one")),
    }
}

/// `"path": {"pattern": {…}}`, or a list of such maps.
fn json_rules(node: Node, rules: &mut Vec<Rule>) -> Result<(), InvalidPolicy> {
    let wrong = |at: Place, expected| Problem::Unexpected { found: "another value".to_owned(), expected }.at(at);
    let maps = match node.kind {
        Kind::List(nodes) => nodes,
        _ => vec![node],
    };
    for node in maps {
        let Kind::Map(entries) = node.kind else { return Err(wrong(node.at, "a map from patterns to rules")) };
        for entry in entries {
            let at = entry.value.at;
            let Kind::Map(keys) = entry.value.kind else { return Err(wrong(at, "a map of the rule's keys")) };
            rules.push(rule(entry.key, entry.at, keys)?);
        }
    }
    Ok(())
}

fn rule(pattern: String, at: Place, entries: Vec<Entry>) -> Result<Rule, InvalidPolicy> {
    check_pattern(&pattern, at)?;
    let mut rule = Rule { pattern, at, capabilities: None, written: Written::default(), conditions: Vec::new() };
    let mut seen: Vec<(String, Place)> = Vec::new();
    for entry in entries {
        let table = || format!("path \"{}\"", rule.pattern);
        if let Some((_, first)) = seen.iter().find(|(key, _)| *key == entry.key) {
            return Err(twice(&entry, &table(), Some(*first)));
        }
        seen.push((entry.key.clone(), entry.at));
        let Some(key) = RULE_KEYS.iter().find(|key| **key == entry.key) else {
            let table = table();
            return Err(unknown_key(entry.key, table, RULE_KEYS).at(entry.at));
        };
        read_key(&mut rule, key, entry)?;
    }
    check_together(&rule)?;
    Ok(rule)
}

fn check_pattern(pattern: &str, at: Place) -> Result<(), InvalidPolicy> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(Problem::LongPattern { bytes: pattern.len(), max: PATTERN_BYTES_MAX }.at(at));
    }
    if template::pieces(pattern).is_none() {
        return Err(Problem::Template(pattern.to_owned()).at(at));
    }
    if pattern.contains("+*") {
        return Err(Problem::PlusStar(pattern.to_owned()).at(at));
    }
    Ok(())
}

fn read_key(rule: &mut Rule, key: &'static str, entry: Entry) -> Result<(), InvalidPolicy> {
    let at = entry.value.at;
    let pattern = rule.pattern.clone();
    let must_be = move |expected| Problem::Value { key: key.to_owned(), pattern, expected }.at(at);
    match key {
        "capabilities" => {
            let words = places_of(entry.value).ok_or_else(|| must_be("a list of words in quotes"))?;
            let read = words.into_iter().map(|(word, at)| capability(word, at, &rule.pattern));
            return grant(rule, read.collect::<Result<Vec<_>, _>>()?);
        }
        "policy" => {
            let word = text_of(entry.value).ok_or_else(|| must_be("a word in quotes"))?;
            rule.written.old_word = true;
            let old = old_word(&word)
                .ok_or_else(|| Problem::UnknownOldWord { word, pattern: rule.pattern.clone() }.at(at))?;
            return grant(rule, old.to_vec());
        }
        _ => {}
    }
    let value = value_of(entry.value);
    let expected = match key {
        "allowed_parameters" | "denied_parameters" if !is_parameters(&value) => "a map from names to lists of values",
        "required_parameters" | "mfa_methods" if !is_texts(&value) => "a list of texts",
        "min_wrapping_ttl" | "max_wrapping_ttl" if seconds(&value).is_none() => "a period, for example \"90s\"",
        "control_group" if !matches!(value, Value::Map(_)) => "a block",
        "pagination_limit" if !is_whole_number(&value) => "a whole number",
        "expiration" if expiration(&value).is_none() => "a time of RFC 3339, for example \"2027-01-31T00:00:00Z\"",
        "list_scan_response_keys_filter_path" if !matches!(&value, Value::Text(text) if text.contains("{{")) => {
            "a template of the path that must be readable, for example \"{{ .path }}{{ .key }}\""
        }
        "comment" if !matches!(value, Value::Text(_)) => "a text",
        _ => {
            rule.conditions.push(Condition { key, at: entry.at, value });
            return Ok(());
        }
    };
    Err(must_be(expected))
}

fn capability(word: String, at: Place, pattern: &str) -> Result<Capability, InvalidPolicy> {
    Capability::parse(&word).ok_or_else(|| {
        let nearest = nearest(&word, Capability::ALL.into_iter().map(Capability::word));
        Problem::UnknownCapability { word, pattern: pattern.to_owned(), nearest }.at(at)
    })
}

fn grant(rule: &mut Rule, capabilities: Vec<Capability>) -> Result<(), InvalidPolicy> {
    let set: Capabilities = capabilities.iter().copied().collect();
    let before = rule.grants();
    rule.written.beside_deny |=
        set.is_deny() && capabilities.len() > 1 || rule.capabilities.is_some() && before.is_deny() != set.is_deny();
    rule.capabilities = Some(before.union(set));
    Ok(())
}

fn old_word(word: &str) -> Option<&'static [Capability]> {
    use Capability::{Create, Delete, Deny, List, Read, Sudo, Update};
    Some(match word {
        "deny" => &[Deny],
        "read" => &[Read, List],
        "write" => &[Create, Read, Update, Delete, List],
        "sudo" => &[Create, Read, Update, Delete, List, Sudo],
        _ => return None,
    })
}

fn check_together(rule: &Rule) -> Result<(), InvalidPolicy> {
    if let Some(filter) = rule.condition("list_scan_response_keys_filter_path")
        && !rule.grants().contains(Capability::List)
    {
        return Err(Problem::FilterWithoutList(rule.pattern.clone()).at(filter.at));
    }
    let period = |key: &str| rule.condition(key).and_then(|condition| seconds(&condition.value)).filter(|s| *s > 0.0);
    if let (Some(min), Some(max)) = (period("min_wrapping_ttl"), period("max_wrapping_ttl"))
        && max < min
    {
        return Err(Problem::WrappingPeriods(rule.pattern.clone()).at(rule.at));
    }
    Ok(())
}

fn twice(entry: &Entry, table: &str, first: Option<Place>) -> InvalidPolicy {
    let first = first.map_or(0, |place| place.line);
    Problem::Twice { key: entry.key.clone(), table: table.to_owned(), first }.at(entry.at)
}

fn unknown_key(key: String, table: String, known: &'static [&'static str]) -> Problem {
    let nearest = nearest(&key, known.iter().copied());
    Problem::UnknownKey { key, table, nearest, known }
}

fn text_of(node: Node) -> Option<String> {
    if let Kind::Text(text) = node.kind { Some(text) } else { None }
}

fn places_of(node: Node) -> Option<Vec<(String, Place)>> {
    let Kind::List(nodes) = node.kind else { return None };
    nodes
        .into_iter()
        .map(|node| Some((node.at, text_of(node)?)))
        .map(|pair| pair.map(|(at, text)| (text, at)))
        .collect()
}

fn value_of(node: Node) -> Value {
    match node.kind {
        Kind::Text(text) => Value::Text(text),
        Kind::Number(number) => Value::Number(number),
        Kind::Bool(bool) => Value::Bool(bool),
        Kind::List(nodes) => Value::List(nodes.into_iter().map(value_of).collect()),
        Kind::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|Entry { key, label, value, .. }| ValueEntry { key, label, value: value_of(value) })
                .collect(),
        ),
    }
}

fn is_parameters(value: &Value) -> bool {
    let Value::Map(entries) = value else { return false };
    let is_scalar = |value: &Value| !matches!(value, Value::List(_) | Value::Map(_));
    let is_list = |value: &Value| matches!(value, Value::List(values) if values.iter().all(is_scalar));
    entries.iter().all(|entry| entry.label.is_none() && is_list(&entry.value))
}

fn is_texts(value: &Value) -> bool {
    matches!(value, Value::List(values) if values.iter().all(|value| matches!(value, Value::Text(_))))
}

fn is_whole_number(value: &Value) -> bool {
    let (Value::Text(number) | Value::Number(number)) = value else { return false };
    number.parse::<i64>().is_ok()
}

/// Seconds of `90`, `"90"`, `"90s"` or `"1h30m"`.
fn seconds(value: &Value) -> Option<f64> {
    let (Value::Text(text) | Value::Number(text)) = value else { return None };
    if let Ok(whole) = text.parse::<u32>() {
        return Some(whole.into());
    }
    let mut rest = text.as_str();
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let (number, after) = rest.split_at_checked(digits)?;
        let unit = after.find(|character: char| character.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit)?;
        total += number.parse::<f64>().ok()? * unit_seconds(unit)?;
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

fn unit_seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return None,
    })
}

/// When a rule ends to count.
pub(super) fn expiration(value: &Value) -> Option<jiff::Timestamp> {
    if let Value::Text(text) = value { text.parse().ok() } else { None }
}
