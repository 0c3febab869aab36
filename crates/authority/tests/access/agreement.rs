//! A real OpenBao is the judge: the same texts accepted, the same capabilities on the same paths.

use authority::access::{Access, Capabilities, Capability, Identity, Policy};
use domain::Timestamp;
use serde_json::json;

use crate::{
    generate::{Dice, WORDS, path, path_like, policy},
    server::Server,
};

const SETS: u64 = 150;
const PATHS: usize = 20;

/// Sets of up to three policies by chance, and every word on every path of each.
#[test]
fn every_decision_is_openbaos() {
    let server = Server::start();
    let mut judged = Judged::default();
    for seed in 0..SETS {
        let mut dice = Dice(seed);
        let texts: Vec<String> = (0..1 + dice.below(3)).map(|_| policy(&mut dice)).collect();
        let mut paths: Vec<String> = (0..PATHS).map(|_| path(&mut dice)).collect();
        let policies: Vec<Policy> = texts.iter().map(|text| Policy::parse(text).unwrap()).collect();
        let patterns = policies.iter().flat_map(|policy| &policy.rules).map(|rule| rule.pattern.as_str());
        paths.extend(patterns.map(|pattern| path_like(&mut dice, pattern)));
        judged.set(&server, &format!("seed{seed}"), &texts, &paths);
    }
    let Judged { cases, allowed, differences } = judged;
    println!("{cases} cases, {allowed} allowed");
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
    assert!(cases >= 2_000 && allowed >= 500, "{cases} cases, {allowed} allowed");
}

/// What chance hardly meets: patterns that only the alphabet tells apart.
#[test]
fn the_last_rule_of_priority() {
    let server = Server::start();
    let mut judged = Judged::default();
    let text = "path \"m/+/+/b\" { capabilities = [\"read\"] }\npath \"m/+/b/+\" { capabilities = [\"list\"] }\n\
                path \"n/+/+/b*\" { capabilities = [\"read\"] }\npath \"n/+/b/+/*\" { capabilities = [\"list\"] }\n\
                path \"o/+/+/b/*\" { capabilities = [\"read\"] }\npath \"o/+/b/+/*\" { capabilities = [\"list\"] }";
    let paths = ["m/a/b/b", "m/a/a/b", "n/a/b/b", "n/a/b/b/c", "o/a/b/b/c"].map(str::to_owned);
    judged.set(&server, "alphabet", &[text.to_owned()], &paths);
    assert_eq!((judged.differences, judged.cases), (Vec::new(), 40));
}

#[derive(Default)]
struct Judged {
    cases: usize,
    allowed: usize,
    differences: Vec<String>,
}

impl Judged {
    fn set(&mut self, server: &Server, name: &str, texts: &[String], paths: &[String]) {
        // Empty ones are refused.
        let paths: Vec<&String> = paths.iter().filter(|path| !path.is_empty()).collect();
        let names: Vec<String> = (0..texts.len()).map(|number| format!("{name}-{number}")).collect();
        for (name, text) in names.iter().zip(texts) {
            let (status, answer) = server.put_policy(name, text);
            assert!(status < 300, "{answer}\n{text}");
        }
        let policies: Vec<Policy> = texts.iter().map(|text| Policy::parse(text).unwrap()).collect();
        let carried = names.iter().map(String::as_str).zip(&policies);
        let access = Access::compile(carried, &Identity::default(), Timestamp::UNIX_EPOCH).unwrap();
        let asked = json!({ "token": server.token(&names), "paths": paths });
        let answer = server.must("POST", "sys/capabilities", &asked);
        for path in paths {
            let words = answer["data"][path].as_array().unwrap_or_else(|| panic!("{path}: {answer}"));
            let words = words.iter().map(|word| Capability::parse(word.as_str().unwrap()).unwrap());
            let theirs = words.collect::<Capabilities>().granted();
            let ours = access.capabilities(path);
            for word in WORDS.into_iter().filter(|word| *word != Capability::Deny) {
                self.cases += 1;
                self.allowed += usize::from(theirs.contains(word));
                if theirs.contains(word) != ours.contains(word) {
                    self.differences.push(format!("{name}, {path:?}, {word}: theirs {theirs}, ours {ours}"));
                }
            }
        }
    }
}

/// Texts that both take, and texts that both refuse.
#[test]
fn the_same_texts_are_taken() {
    let server = Server::start();
    let rule = |keys: &str| format!("path \"a\" {{ {keys} }}");
    let texts = [
        "",
        "# nothing",
        "name = \"x\"",
        "{}",
        "{\"path\": {\"a\": {\"capabilities\": [\"read\"]}}}",
        "{\"path\": [{\"a\": {\"capabilities\": [\"read\"]}}]}",
        "{\"path\": {\"a\": {\"capabilites\": [\"read\"]}}}",
        "{\"paths\": {}}",
        "path \"a\" {",
        "path \"a\" {}}",
        "path \"a\"",
        "path \"a {}",
        "path a {}",
        "\"path\" \"a\" {}",
        "path \"a\" = {}",
        "path 'a' {}",
        "path \"a/+*\" {}",
        "path \"a*/b\" {}",
        "path \"a/{{identity.entity.id}}\" {}",
        "path \"a/{{b\" {}",
        "path \"a/b}}\" {}",
        "paths \"a\" {}",
        "path \"a\" {} // x\npath \"b\" {} /* y */ # z",
        "/* x",
        "path \"\\u0061\\n\" {}",
        "path \"\\q\" {}",
        "path \"a\" {}, path \"b\" {}",
        &rule("capabilities = [\"read\",]"),
        &rule("capabilities = []"),
        &rule("capabilities = \"read\""),
        &rule("capabilities = [\"raed\"]"),
        &rule("capabilities = [\"subscribe\"]").replace("subscribe", "rec"),
        &rule("capabilities = [\"read\" \"list\"]"),
        &rule("capabilities = [\"deny\", \"read\"]"),
        &rule("capabilities: [\"read\"]"),
        &rule("capabilities = [\"read\"] comment = \"x\""),
        &rule("policy = \"write\""),
        &rule("policy = \"admin\""),
        &rule("colour = \"red\""),
        &rule("allowed_parameters = { \"a\" = [1, \"b\"] }"),
        &rule("allowed_parameters { \"a\" = [] }"),
        &rule("allowed_parameters = []"),
        &rule("denied_parameters = { \"a\" = 1 }"),
        &rule("required_parameters = [\"a\"]"),
        &rule("required_parameters = \"a\""),
        &rule("min_wrapping_ttl = \"90s\" max_wrapping_ttl = 100"),
        &rule("min_wrapping_ttl = \"90s\" max_wrapping_ttl = \"1m\""),
        &rule("min_wrapping_ttl = \"soon\""),
        &rule("mfa_methods = [\"totp\"]"),
        &rule("expiration = \"2099-01-01T00:00:00Z\""),
        &rule("expiration = \"tomorrow\""),
        &rule("pagination_limit = 5"),
        &rule("pagination_limit = \"five\""),
        &rule("capabilities = [\"list\"] list_scan_response_keys_filter_path = \"x\""),
        &rule("capabilities = [\"list\"] list_scan_response_keys_filter_path = \"x/{{ .path }}{{ .key }}\""),
        &rule("capabilities = [\"scan\"] list_scan_response_keys_filter_path = \"x/{{ .path }}{{ .key }}\""),
        &rule("list_scan_response_keys_filter_path = \"x\""),
    ];
    let mut differences = Vec::new();
    for text in texts {
        let (status, answer) = server.put_policy("text", text);
        let read = Policy::parse(text);
        if (status < 300) != read.is_ok() {
            let errors = &answer["errors"];
            differences.push(format!("{text}\n  theirs {status} {errors}, ours {:?}", read.map(|_| "taken")));
        }
    }
    println!("{} texts, {} differences\n{}", texts.len(), differences.len(), differences.join("\n"));
    assert!(differences.is_empty());
}

/// Texts that OpenBao takes and nobody means: newer Vault refuses some of them too.
#[test]
fn what_is_refused_beyond_that() {
    let server = Server::start();
    for text in [
        " ",
        "{\"path\": {\"a\": {\"capabilities\": [\"read\"]}},}",
        "path \"a\" { capabilities = [\"read\"]\n capabilities = [\"deny\"] }",
        "path \"a\" { comment = <<X\nread\nX\n}",
        "path \"a/${b}\" {}",
        "path { capabilities = [\"read\"] }",
        "path \"a\" \"b\" { capabilities = [\"read\"] }",
        "path \"a\" { pagination_limit = 010 }",
        "path \"\\x61\" {}",
        "name = 5",
    ] {
        let (status, answer) = server.put_policy("text", text);
        assert!(status < 300, "{text}: {answer}");
        assert!(Policy::parse(text).is_err(), "{text}");
    }
}
