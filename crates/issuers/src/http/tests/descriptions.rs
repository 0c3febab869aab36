//! Descriptions that are refused when they are read, each with the key that is to be changed.

use super::{super::twin_options::example, configure};

const PORTAL: &str = include_str!("../portal.toml");
const BY_PERSON: &str = include_str!("../portal_by_person.toml");

const GUIDE: &str = include_str!("../../../../../docs/guides/describe-a-platform.md");
const README: &str = include_str!("../README.md");

/// The TOML that a document shows, block by block.
fn blocks(document: &str) -> Vec<&str> {
    document.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn the_guide_shows_the_examples_as_they_are() {
    let blocks = blocks(GUIDE);
    assert_eq!(blocks[0], PORTAL);
    for part in blocks[2].split("\n\n") {
        assert!(BY_PERSON.contains(part.trim()), "{part}");
    }
    let mut described: toml::Table = text(BY_PERSON).parse().unwrap();
    for key in ["list", "usage"] {
        described.remove(key);
    }
    described["facts"].as_table_mut().unwrap().remove("usage");
    let credentials: toml::Table = blocks[3].replace("issuer.", "").parse().unwrap();
    described.extend(credentials);
    configure(&described.to_string(), &[]).unwrap();
}

#[test]
fn the_readme_names_every_key() {
    let schema = (super::super::DRIVER.schema)();
    let mut keys = std::collections::BTreeSet::new();
    collect_keys(schema.as_value(), &mut keys);
    for key in &keys {
        assert!(README.contains(&format!("{key}`")), "`{key}` is not told");
    }
    assert!(keys.len() > 60, "{keys:?}");
}

fn collect_keys(schema: &serde_json::Value, keys: &mut std::collections::BTreeSet<String>) {
    if let Some(properties) = schema["properties"].as_object() {
        keys.extend(properties.keys().filter(|key| !["command", "env", "file"].contains(&key.as_str())).cloned());
    }
    let inner = schema.as_object().into_iter().flatten().map(|(_, value)| value);
    for value in inner.chain(schema.as_array().into_iter().flatten()) {
        collect_keys(value, keys);
    }
}

fn text(of: &str) -> String {
    let text = example(of).to_string();
    text.replace(r#"env = "PORTAL_PASSWORD""#, r#"command = ["echo", "canary-1"]"#)
}

#[track_caller]
fn check_in(whole: &str, from: &str, to: &str, expected: &str) {
    let whole = text(whole);
    assert!(whole.contains(from), "there is no `{from}` in\n{whole}");
    let error = configure(&whole.replacen(from, to, 1), &[]).map(drop).unwrap_err().0;
    assert!(error.contains(expected), "{error}");
    assert!(!error.contains("canary"), "{error}");
}

#[track_caller]
fn check(from: &str, to: &str, expected: &str) {
    check_in(PORTAL, from, to, expected);
}

#[test]
fn the_shipped_examples_are_accepted_and_show_no_secret() {
    for whole in [PORTAL, BY_PERSON] {
        let (issuer, _) = configure(&text(whole), &[]).unwrap();
        assert!(!format!("{issuer:?}").contains("canary"));
        let settings = driver::Settings { table: text(whole).parse().unwrap(), base_dir: "/".into() };
        assert_eq!((super::super::DRIVER.facts)(&settings).unwrap(), issuer.facts());
    }
}

#[test]
fn a_wrong_template_is_told_with_its_key() {
    check("keys/{id}/usage", "keys/{idd}/usage", "`usage.path` has the placeholder {idd}, which means nothing here");
    check("keys/{id}/usage", "keys/{id/usage", "`usage.path` has a brace");
    check("/apps/{app}/keys\"", "/apps/{app}/{password}\"", "`issue.path` has the secret {password} in an address");
    check(r#"page = "{page}""#, r#"page = "{password}""#, "`list.query` has the secret {password}");
    check(r#"Session {token}"#, "Session {tokn}", "`login.send` has the placeholder {tokn}");
    check(r#"label = "{marker}""#, r#"label = "{id}""#, "`issue.json` has the placeholder {id}");
    check("path = \"/apps/{app}/keys\"", "path = \"apps\"", "`issue.path` does not start with `/`");
    check("path = \"/apps/{app}/keys\"", "path = \"/apps?x=1\"", "`issue.path` has a question mark");
    check("path = \"/apps/{app}/keys\"", "path = \"/apps//keys\"", "`issue.path` has an empty segment");
    check(
        "created_at = \"/created_at\"",
        "created_at = \"created_at\"",
        "created_at` is \"created_at\", which is no JSON",
    );
    check("items = \"/apps\"", "itms = \"/apps\"", "`list.itms` means nothing; known are items, within");
    check("within = \"/keys\"\n", "", "without `within` or `each` there is no item around");
    check("gone = [404]", "gone = [401]", "gone` has 401, which says nothing about a version");
    check(
        "[revoke]\ngone = [404]\npath = \"/apps/{app}/keys/{id}\"",
        "[revoke]\ngone = [404]\npath = \"/apps/{app}/keys\"",
        "`revoke` does not say of which version: it names no {id}",
    );
    check("[revoke]\n", "[revoke]\nmethod = \"GET\"\n", "`revoke.method` is GET, which is repeated when it fails");
    check("https://portal", "http://portal", "`endpoint` must be https");
}

#[test]
fn facts_that_nothing_bears_out_are_refused() {
    check("idempotency = \"marker\"", "idempotency = \"token\"", "`facts.idempotency` is \"token\", but `issue` sends");
    check("idempotency = \"marker\"", "idempotency = \"none\"\ndisable = true", "`facts.disable` is true");
    check("marker = \"/label\"\n", "", "`facts.idempotency` is \"marker\", but `list` does not say");
    check("label = \"{marker}\"", "label = \"ours\"", "but `issue` leaves no {marker}");
    check("idempotency = \"marker\"\n", "", "`facts` lacks `idempotency`");
    check("live_max = 5", "live_max = 1", "`facts.live_max` leaves no room");
    check("usage = true", "usage = false", "`usage` is described, but `facts.usage` is not true");
    check("usage = true", "usage = true\nnames = true", "`facts.names` is true, but `rename`");
    check("usage = true", "usage = true\noverlap = \"replace\"", "`revoke` would never be called");
    check("usage = true", "usage = true\nending = \"expires\"", "`revoke` would never be called");
    check("usage = true", "usage = true\nending = \"person\"", "`revoke` would never be called");
    check("usage = true", "usage = true\nminting = \"us\"", "`secret` is missing");
    check("usage = true", "usage = true\nissued_by = \"person\"", "`issue` is a call");
    check("propagation = \"1m\"", "propagation = \"soon\"", "`facts.propagation` is \"soon\"");
    check_in(BY_PERSON, "handle = \"client_id\"", "handle = \"id\"", "`handed_over.handle` is none of its `fields`");
    check_in(BY_PERSON, "issued_by = \"person\"", "issued_by = \"machine\"", "`issue` is missing");
    check_in(BY_PERSON, "application {app}", "application {ap}", "`instructions.issue` has the placeholder {ap}");
}

#[test]
fn what_lacks_and_what_is_wrong_is_named() {
    check("token = \"/session\"\n", "", "`login` lacks the key `token`");
    check("kind = \"token\"", "kind = \"basic\"", "`login.kind` must be \"token\"");
    check("kind = \"token\"", "kind = \"cookie\"", "`login`: unknown variant");
    check("id = \"/client_id\"\n", "", "lacks the key `id`");
}
