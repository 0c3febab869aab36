//! Texts: what is read, what is refused, and in which words.

use authority::access::{Capability, Place, Policy};
use proptest::prelude::*;

#[track_caller]
fn refused(text: &str, expected: &str) {
    let error = Policy::parse(text).expect_err(text);
    let hint = error.problem.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
    assert_eq!(format!("{error}{hint}"), expected, "{text}");
}

/// One line a rule: pattern and what it grants.
#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let policy = Policy::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let rules: Vec<String> = policy.rules.iter().map(|rule| format!("{}: {}", rule.pattern, rule.grants())).collect();
    assert_eq!(rules, expected, "{text}");
}

#[test]
fn both_forms() {
    let hcl = r#"
        # who: everybody
        name = "everybody" // a name of its own
        path "secret/data/a/*" { capabilities = ["read", "list",] }
        /* older
           words */
        path "b" { policy = "write" }
        "path" "c" { "capabilities" = ["deny", "read"], comment = "x" }
        path d { capabilities = [] }
    "#;
    let expected = ["secret/data/a/*: read, list", "b: create, read, update, delete, list", "c: deny", "d: nothing"];
    check(hcl, &expected);
    assert_eq!(Policy::parse(hcl).unwrap().name.as_deref(), Some("everybody"));
    let json = r#"{"name": "everybody", "path": {"secret/data/a/*": {"capabilities": ["read", "list"]},
        "b": {"policy": "write"}, "c": {"capabilities": ["deny", "read"]}, "d": {"capabilities": []}}}"#;
    check(json, &expected);
    check(
        r#"{"path": [{"a": {"capabilities": ["read"]}}, {"b": {"capabilities": ["list"]}}]}"#,
        &["a: read", "b: list"],
    );
    check("# nothing yet", &[]);
}

#[test]
fn places_are_kept() {
    let policy = Policy::parse("# one\n\n  path \"a\" {}\r\n\tpath \"ä\" {}").unwrap();
    let places: Vec<Place> = policy.rules.iter().map(|rule| rule.at).collect();
    assert_eq!(places, [Place { line: 3, column: 3 }, Place { line: 4, column: 2 }]);
}

#[test]
fn the_other_keys_are_kept() {
    let policy = Policy::parse(
        r#"path "a" {
            capabilities = ["update"]
            allowed_parameters = { "size" = [1, 2.5, "big"], "*" = [] }
            denied_parameters { "force" = [true] }
            required_parameters = ["owner"]
            min_wrapping_ttl = "90s"
            max_wrapping_ttl = 3600
            control_group { factor "ops" { identity { group_names = ["ops"] } } }
        }"#,
    )
    .unwrap();
    let keys: Vec<&str> = policy.rules[0].conditions.iter().map(|condition| condition.key).collect();
    assert_eq!(
        keys,
        [
            "allowed_parameters",
            "denied_parameters",
            "required_parameters",
            "min_wrapping_ttl",
            "max_wrapping_ttl",
            "control_group"
        ]
    );
    let printed = policy.to_string();
    assert_eq!(Policy::parse(&printed).unwrap().to_string(), printed);
    assert!(printed.contains("\"factor\" \"ops\" {") && printed.contains("\"size\" = [1, 2.5, \"big\"]"), "{printed}");
}

#[test]
fn what_is_refused_and_in_which_words() {
    refused(" \n", "1:1: the text is empty; write a `path` block, or a comment if nothing shall be granted");
    refused(
        "path \"a\" {\n  capabilites = [\"read\"]\n}",
        "2:3: unknown key `capabilites` in path \"a\"; did you mean `capabilities`?",
    );
    refused(
        "path \"a\" { capabilities = [\"read\",\n \"raed\"] }",
        "2:2: unknown capability `raed` on path \"a\"; did you mean `read`?",
    );
    refused("pathh \"a\" {}", "1:1: unknown key `pathh` in the policy; did you mean `path`?");
    refused(
        "path \"a/+*\" {}",
        "1:1: `+*` in the pattern \"a/+*\" is forbidden; write `+/*` for whatever is below one segment, or `*` for \
         whatever begins so",
    );
    refused(
        "path \"a\" { capabilities = \"read\" }",
        "1:27: `capabilities` of path \"a\" must be a list of words in quotes",
    );
    refused(
        "path \"a\" {\n capabilities = []\n capabilities = [] }",
        "3:2: `capabilities` is given twice in path \"a\"; the first is on line 2; keep one of them: servers differ in \
         what they make of two",
    );
    refused("path \"a\" {", "1:11: there is the end of the text, where a key is expected");
    refused(
        "path \"a {}",
        "1:6: the quoted text does not end on its line; write the text in double quotes, on one line",
    );
    refused("path {}", "1:1: there is `path` without one, where a pattern: path \"secret/data/…\" { … } is expected");
    refused(
        "path \"a\" { policy = <<X\n",
        "1:21: texts of the form `<<NAME` are not read in policies; write the text in double quotes, on one line",
    );
    refused(
        "path \"a\" { policy = \"admin\" }",
        "1:21: unknown word `admin` for `policy` on path \"a\"; it knows read, write, sudo and deny; better use `capabilities`",
    );
    refused("path \"${a}\" {}", "1:7: `${` is not read in policies; write `{{…}}` for a value of the one who asks");
    refused(
        "path \"a/{{b\" {}",
        "1:1: the braces of the template in \"a/{{b\" do not match; write `{{identity.entity.name}}`, with two braces on either side",
    );
    refused(
        "path \"a\" { min_wrapping_ttl = \"2h\"\n max_wrapping_ttl = \"1h\" }",
        "1:1: `max_wrapping_ttl` of path \"a\" is shorter than its `min_wrapping_ttl`",
    );
    refused("/* x", "1:1: the comment does not end");
    refused(
        "{\"path\": {\"a\": {\"capabilities\": [\"read\",]}}}",
        "1:41: there is `]`, where a text in quotes, a number, true, false, `[` or `{` is expected",
    );
    refused(
        "path \"a\" { allowed_parameters = [] }",
        "1:33: `allowed_parameters` of path \"a\" must be a map from names to lists of values",
    );
    let deep = format!("path \"a\" {{ control_group = {}", "[".repeat(100));
    assert!(Policy::parse(&deep).unwrap_err().to_string().contains("nested deeper than 16"));
    let long = format!("# {}", "x".repeat(1 << 20));
    assert!(Policy::parse(&long).unwrap_err().to_string().contains("at most 1048576 are read"));
}

/// Text made of what policies are made of, in any order.
fn scraps() -> impl Strategy<Value = String> {
    const WORDS: &[&str] = &[
        "path",
        "\"a\"",
        "\"a/*\"",
        "\"+\"",
        "{",
        "}",
        "[",
        "]",
        "=",
        ",",
        ":",
        "capabilities",
        "\"read\"",
        "\"deny\"",
        "name",
        "policy",
        "\"",
        "\\",
        "\n",
        "#",
        "//",
        "/*",
        "*/",
        "$",
        "{{",
        "}}",
        "-1",
        "1.5",
        "true",
        "<<",
        "allowed_parameters",
    ];
    prop::collection::vec(prop::sample::select(WORDS), 0..40).prop_map(|words| words.join(" "))
}

fn printable_policy() -> impl Strategy<Value = String> {
    let text = "[a-z0-9 /+*äß\\\\\"\n\t-]{0,12}";
    let capability = prop::sample::select(&Capability::ALL[..]);
    let rule = (
        text,
        prop::option::of(prop::collection::vec(capability, 0..4)),
        prop::option::of(text),
        prop::option::of(0..9),
    );
    prop::collection::vec(rule, 0..6).prop_map(|rules| {
        let quoted = |text: &str| serde_json::to_string(text).unwrap();
        let rule = |(pattern, capabilities, comment, limit): &(
            String,
            Option<Vec<Capability>>,
            Option<String>,
            Option<i32>,
        )| {
            let mut keys = Vec::new();
            if let Some(capabilities) = capabilities {
                let words: Vec<String> = capabilities.iter().map(|capability| quoted(capability.word())).collect();
                keys.push(format!("\"capabilities\": [{}]", words.join(",")));
            }
            keys.extend(comment.iter().map(|comment| format!("\"comment\": {}", quoted(comment))));
            keys.extend(limit.iter().map(|limit| format!("\"denied_parameters\": {{\"n\": [{limit}, true]}}")));
            format!("{}: {{{}}}", quoted(&pattern.replace("+*", "")), keys.join(","))
        };
        let rules: Vec<String> = rules.iter().map(rule).collect();
        format!("{{\"path\": {{{}}}}}", rules.join(","))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn no_text_makes_it_panic(text in prop_oneof![scraps(), ".{0,60}"]) {
        if let Ok(policy) = Policy::parse(&text) {
            let printed = policy.to_string();
            prop_assert_eq!(Policy::parse(&printed).unwrap().to_string(), printed);
        }
    }

    /// The HCL that is printed says what the JSON said.
    #[test]
    fn what_is_printed_reads_the_same(json in printable_policy()) {
        let read = Policy::parse(&json).unwrap();
        let printed = read.to_string();
        let again = Policy::parse(&printed).unwrap();
        prop_assert_eq!(read.rules.len(), again.rules.len());
        for (one, other) in read.rules.iter().zip(&again.rules) {
            prop_assert_eq!(&one.pattern, &other.pattern);
            prop_assert_eq!(one.capabilities, other.capabilities);
            let values = |rule: &authority::access::Rule| -> Vec<_> {
                rule.conditions.iter().map(|condition| (condition.key, condition.value.clone())).collect()
            };
            prop_assert_eq!(values(one), values(other));
        }
    }
}
