//! Decisions, against the rules of the documentation and against asking every rule in turn.

use authority::access::{Access, Capabilities, Capability, Identity, InvalidAccess, Pattern, Policy, Source};
use domain::Timestamp;

use crate::generate::{Dice, path, path_like, policy};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn compile(texts: &[&str]) -> Access {
    let policies: Vec<Policy> = texts.iter().map(|text| Policy::parse(text).unwrap()).collect();
    let names = ["one", "two", "three"];
    Access::compile(names.into_iter().zip(&policies), &Identity::default(), NOW).unwrap()
}

#[track_caller]
fn check(texts: &[&str], path: &str, expected: &str) {
    assert_eq!(compile(texts).capabilities(path).to_string(), expected, "{path}");
}

#[test]
fn only_the_winner_counts_across_all_policies() {
    let broad = "path \"m/*\" { capabilities = [\"create\", \"read\", \"update\"] }";
    let narrow = "path \"m/x\" { capabilities = [\"read\"] }";
    check(&[broad], "m/x", "create, read, update");
    check(&[broad, narrow], "m/x", "read");
    check(&[broad, narrow], "m/y", "create, read, update");
    check(&[broad, narrow], "/m/x", "read");
    check(&[broad, narrow], "n", "nothing");
    // Another pattern for the same path is another rule; the same pattern is the same rule.
    check(&[narrow, "path \"m/x\" { capabilities = [\"delete\"] }"], "m/x", "read, delete");
    check(&[narrow, "path \"/m/x\" { capabilities = [\"deny\"] }"], "m/x", "nothing");
    let deny = "path \"m/*\" { capabilities = [\"deny\"] }";
    check(&[deny, narrow], "m/x", "read");
    check(&[deny, narrow], "m/y", "nothing");
}

#[test]
fn listing_asks_with_a_slash() {
    let access = compile(&[
        "path \"x/app\" { capabilities = [\"list\", \"read\"] }\npath \"x/dir/*\" { capabilities = [\"list\"] }",
    ]);
    assert!(access.allowed("x/app", Capability::List) && access.allowed("x/app/", Capability::List));
    assert!(access.allowed("x/app", Capability::Read) && !access.allowed("x/app/", Capability::Read));
    assert!(access.allowed("x/dir", Capability::List));
    assert!(!access.capabilities("x/dir").contains(Capability::List));
}

#[test]
fn a_decision_names_its_reason() {
    let one = "path \"a\" { capabilities = [\"read\"] }";
    let two = "# another\npath \"a\" { capabilities = [\"update\"]\n required_parameters = [\"owner\"] }";
    let access = compile(&[one, two]);
    let decision = access.decide("a", Capability::Update);
    let winner = decision.winner.unwrap();
    assert!(decision.allowed);
    let sources = [("one", 1), ("two", 2)].map(|(policy, line)| Source { policy: policy.to_owned(), line });
    assert_eq!((winner.pattern, winner.sources, winner.conditions), ("a", &sources[..], &["required_parameters"][..]));
    assert!(!access.decide("a", Capability::Delete).allowed);
    assert_eq!(access.decide("b", Capability::Read).winner, None);
}

#[test]
fn templates_need_values_that_do_not_widen() {
    let policy = Policy::parse("path \"home/{{ identity.entity.name }}/*\" { capabilities = [\"read\"] }").unwrap();
    let compile = |values: &[(&str, &str)]| {
        let identity = values.iter().map(|(word, value)| ((*word).to_owned(), (*value).to_owned())).collect();
        Access::compile([("p", &policy)], &Identity(identity), NOW)
    };
    let word = || "identity.entity.name".to_owned();
    assert_eq!(compile(&[]).unwrap_err(), InvalidAccess::NoValue { policy: "p".into(), line: 1, word: word() });
    assert_eq!(
        compile(&[("identity.entity.name", "*")]).unwrap_err().to_string(),
        "policy `p`, line 1: the value of `{{identity.entity.name}}` holds `*`, `+` or `/`"
    );
    let access = compile(&[("identity.entity.name", "ada")]).unwrap();
    assert!(access.allowed("home/ada/x", Capability::Read) && !access.allowed("home/bob/x", Capability::Read));
}

#[test]
fn what_has_expired_does_not_count() {
    let policy = Policy::parse(
        "path \"a\" { capabilities = [\"read\"]\nexpiration = \"2026-01-01T00:00:00Z\" }\npath \"*\" { capabilities = [\"list\"] }",
    )
    .unwrap();
    let ends: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let at = |now: Timestamp| Access::compile([("p", &policy)], &Identity::default(), now).unwrap();
    assert_eq!(at(ends).capabilities("a").to_string(), "read");
    assert_eq!(at(ends).recompile_at(), Some(ends));
    let later = at("2026-01-01T00:00:01Z".parse().unwrap());
    assert_eq!((later.capabilities("a").to_string(), later.recompile_at()), ("list".to_owned(), None));
}

/// As long as a pattern may be, and a path that is longer.
#[test]
fn deep_paths_are_no_danger() {
    let pattern = "+/".repeat(1000) + "*";
    let access = compile(&[&format!("path \"{pattern}\" {{ capabilities = [\"read\"] }}")]);
    assert!(access.allowed(&"a/".repeat(100_000), Capability::Read));
    assert!(!access.allowed(&"a/".repeat(999), Capability::Read));
}

#[test]
fn root_has_no_text() {
    let policy = Policy::parse("# nothing").unwrap();
    let error = Access::compile([("Root", &policy)], &Identity::default(), NOW).unwrap_err();
    assert_eq!(error, InvalidAccess::Reserved { policy: "root".into() });
}

/// The tree of segments against asking every pattern in turn.
#[test]
fn the_tree_finds_what_a_walk_over_all_rules_finds() {
    let mut granted = 0;
    for seed in 0..2_000 {
        let mut dice = Dice(seed);
        let policy = Policy::parse(&policy(&mut dice)).unwrap();
        let access = Access::compile([("p", &policy)], &Identity::default(), NOW).unwrap();
        let mut paths: Vec<String> = (0..10).map(|_| path(&mut dice)).collect();
        paths.extend(policy.rules.iter().map(|rule| path_like(&mut dice, &rule.pattern)));
        for path in &paths {
            let path = path.trim_start_matches('/');
            let matching = policy.rules.iter().map(|rule| (Pattern::new(&rule.pattern), rule));
            let matching: Vec<_> = matching.filter(|(pattern, _)| pattern.matches(path)).collect();
            let winner = matching.iter().map(|(pattern, _)| pattern).max();
            let union = matching.iter().filter(|(pattern, _)| Some(pattern) == winner);
            let union = union.fold(Capabilities::NONE, |set, (_, rule)| set.union(rule.grants()));
            let decision = access.decide(path, Capability::Read);
            assert_eq!(
                decision.winner.map(|winner| winner.pattern),
                winner.map(Pattern::as_str),
                "seed {seed}, {path}"
            );
            assert_eq!(decision.allowed, union.granted().contains(Capability::Read), "seed {seed}, {path}");
            granted += usize::from(decision.allowed);
        }
    }
    assert!(granted > 1_000, "{granted}");
}
