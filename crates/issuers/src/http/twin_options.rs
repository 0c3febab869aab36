//! The twin's options by the names that the command line gives them, and the settings that reach a running twin: the
//! shipped examples, with what this portal has beside them.

use jiff::Timestamp;
use serde_json::Value;
use twin::{Stages, Twin, parse_duration};

use super::twin::{Options, Portal};
use crate::TwinOption;

/// In the order in which help shows them.
pub(crate) const OPTIONS: &[TwinOption] = &[
    TwinOption { name: "apps", value: "N", about: "applications to begin with" },
    TwinOption { name: "keys", value: "N", about: "keys of each application" },
    TwinOption { name: "age", value: "DURATION", about: "how old every key is at the start" },
    TwinOption { name: "propagation", value: "DURATION", about: "how long a change takes to reach the gateway" },
    TwinOption { name: "session", value: "DURATION", about: "how long a login lasts" },
    TwinOption { name: "page-size", value: "N", about: "applications on one page of the list" },
    TwinOption { name: "keys-max", value: "N", about: "keys that one application can have" },
    TwinOption { name: "no-create", value: "", about: "no call creates: a person does, on the portal's page" },
    TwinOption { name: "no-delete", value: "", about: "no call deletes: a person does, on the portal's page" },
    TwinOption { name: "no-labels", value: "", about: "keys carry no label" },
    TwinOption { name: "no-usage", value: "", about: "the last use may not be read (403)" },
    TwinOption { name: "last-key-goes", value: "", about: "the only key of an application can be deleted, too" },
    TwinOption { name: "repeats", value: "", about: "a create honours the header Idempotency-Key" },
    TwinOption { name: "chosen", value: "", about: "the client chooses the pair, with PUT" },
    TwinOption { name: "switch", value: "", about: "a key can be switched off and on" },
    TwinOption { name: "checks", value: "", about: "a pair can be tried without a login" },
    TwinOption { name: "replaces", value: "", about: "a new key ends the others of its application" },
    TwinOption { name: "key-life", value: "DURATION", about: "a key expires after so long, and no call deletes it" },
];

pub(crate) const STAGES: Stages = Stages {
    small: &[("apps", "3"), ("age", "95d")],
    large: &[("apps", "27"), ("age", "95d")],
    variants: &[
        &[("keys", "2"), ("page-size", "1"), ("propagation", "20s")],
        &[("no-create", "")],
        &[("no-create", ""), ("no-delete", "")],
        &[("no-labels", ""), ("last-key-goes", "")],
        &[("repeats", ""), ("no-labels", "")],
        &[("chosen", "")],
        &[("switch", ""), ("checks", "")],
        &[("replaces", "")],
        &[("key-life", "2h"), ("age", "30m")],
    ],
    no_usage: Some(&[("no-usage", "")]),
    short_login: Some(&[("session", "60s")]),
    waived: &[],
};

pub(crate) fn build(options: &[(String, String)], seed: u64, now: Timestamp) -> Result<Box<dyn Twin>, String> {
    let mut wanted = Options { seed, ..Options::default() };
    for (name, value) in options {
        set(&mut wanted, name, value)?;
    }
    Ok(Box::new(Portal::new(wanted, now)))
}

const BY_MACHINE: &str = include_str!("portal.toml");
const BY_PERSON: &str = include_str!("portal_by_person.toml");

const REMOVED_BY_PERSON: &str = r#"
facts.ending = "person"
instructions.revoke = ["Open the application {app}, then Keys, and delete {id}."]
"#;
const REPEATED: &str = r#"
facts.idempotency = "token"
issue.headers.Idempotency-Key = "{attempt}"
"#;
const CHOSEN: &str = r#"
facts.minting = "us"
secret.client_id = { bytes = 16, encoding = "hex", public = true }
secret.client_secret = { bytes = 32, encoding = "base64url", prefix = "ps_" }
issue.method = "PUT"
issue.path = "/apps/{app}/keys/{client_id}"
issue.json = { client_secret = "{client_secret}" }
issue.id = "{client_id}"
issue.created_at = "/created_at"
"#;
const SWITCHED: &str = r#"
facts.disable = true
disable = { method = "PUT", path = "/apps/{app}/keys/{id}/state", json = { state = "off" } }
enable = { method = "PUT", path = "/apps/{app}/keys/{id}/state", json = { state = "on" } }
"#;
const REPLACED: &str = r#"
facts.overlap = "replace"
"#;
const EXPIRING: &str = r#"
facts.ending = "expires"
issue.expires_at = "/expires_at"
list.expires_at = "/expires_at"
"#;
const CHECKED: &str = r#"
verify = { method = "POST", path = "/check", json = { id = "{client_id}", secret = "{client_secret}" }, refused = [403] }
"#;

/// The shipped example for what the portal offers, at this address.
pub(crate) fn settings(base_url: &str, login: &Value) -> toml::Table {
    let offers = |what: &str| login["offers"].as_array().is_some_and(|all| all.iter().any(|one| one == what));
    let mut table = example(if offers("create") || offers("chosen") { BY_MACHINE } else { BY_PERSON });
    for key in ["username", "password"] {
        table.insert(key.to_owned(), login[key].as_str().unwrap_or_default().into());
    }
    table.insert("endpoint".to_owned(), base_url.into());
    if !offers("labels") {
        remove(&mut table, "facts", "idempotency");
        remove(&mut table, "issue", "json");
        remove(&mut table, "list", "marker");
        if offers("create") && !offers("repeats") {
            merge(&mut table, parsed("facts.idempotency = \"none\""));
        }
    }
    if offers("replaces") {
        table.remove("revoke");
        remove(&mut table, "facts", "live_max");
        merge(&mut table, parsed(REPLACED));
    } else if offers("expires") {
        table.remove("revoke");
        merge(&mut table, parsed(EXPIRING));
    } else if !offers("delete") {
        table.remove("revoke");
        merge(&mut table, parsed(REMOVED_BY_PERSON));
    }
    if offers("chosen") {
        remove(&mut table, "facts", "idempotency");
        table.remove("issue");
        merge(&mut table, parsed(CHOSEN));
    }
    for (offer, more) in [("repeats", REPEATED), ("switch", SWITCHED), ("checks", CHECKED)] {
        if offers(offer) {
            merge(&mut table, parsed(more));
        }
    }
    table
}

/// The driver's own keys of the first issuer in an example.
pub(super) fn example(text: &str) -> toml::Table {
    let mut issuer = match parsed(text).remove("issuer") {
        Some(toml::Value::Array(mut issuers)) if !issuers.is_empty() => issuers.swap_remove(0),
        _ => toml::Value::Table(toml::Table::new()),
    };
    for common in ["name", "driver"] {
        issuer.as_table_mut().and_then(|table| table.remove(common));
    }
    issuer.try_into().unwrap_or_default()
}

/// What is parsed here is part of the program, and a test parses all of it.
fn parsed(text: &str) -> toml::Table {
    text.parse().unwrap_or_default()
}

fn remove(table: &mut toml::Table, key: &str, inner: &str) {
    if let Some(toml::Value::Table(found)) = table.get_mut(key) {
        found.remove(inner);
    }
}

fn merge(into: &mut toml::Table, more: toml::Table) {
    for (key, value) in more {
        match (into.get_mut(&key), value) {
            (Some(toml::Value::Table(there)), toml::Value::Table(value)) => merge(there, value),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

fn set(options: &mut Options, name: &str, value: &str) -> Result<(), String> {
    match name {
        "apps" => options.apps = number(name, value)?,
        "keys" => options.keys = number(name, value)?,
        "age" => options.age = duration(name, value)?,
        "propagation" => options.propagation = duration(name, value)?,
        "session" => options.session = duration(name, value)?,
        "page-size" => options.page_size = number(name, value)?.max(1),
        "keys-max" => options.keys_max = number(name, value)?,
        "no-create" => options.create = !flag(name, value)?,
        "no-delete" => options.delete = !flag(name, value)?,
        "no-labels" => options.labels = !flag(name, value)?,
        "no-usage" => options.usage = !flag(name, value)?,
        "last-key-goes" => options.last_key_goes = flag(name, value)?,
        "repeats" => options.repeats = flag(name, value)?,
        "chosen" => options.chosen = flag(name, value)?,
        "switch" => options.switch = flag(name, value)?,
        "checks" => options.checks = flag(name, value)?,
        "replaces" => options.replaces = flag(name, value)?,
        "key-life" => {
            options.key_life = Some(duration(name, value)?);
            options.delete = false;
        }
        unknown => {
            let known: Vec<&str> = OPTIONS.iter().map(|option| option.name).collect();
            return Err(format!("the twin of http has no option `{unknown}`; known: {}", known.join(", ")));
        }
    }
    Ok(())
}

fn number(name: &str, value: &str) -> Result<usize, String> {
    value.parse().map_err(|_| format!("`{name}` is \"{value}\", which is no number"))
}

fn duration(name: &str, value: &str) -> Result<jiff::SignedDuration, String> {
    parse_duration(value).map_err(|error| format!("`{name}` is \"{value}\": {error}"))
}

/// A flag alone means yes.
fn flag(name: &str, value: &str) -> Result<bool, String> {
    match value {
        "" | "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("`{name}` is \"{value}\"; it can be true or false")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_options_are_named() {
        let error = |name: &str, value: &str| {
            build(&[(name.to_owned(), value.to_owned())], 1, Timestamp::UNIX_EPOCH).unwrap_err()
        };
        assert!(error("app", "1").contains("known: apps, keys"));
        assert!(error("apps", "many").contains("`apps` is \"many\""));
        assert!(error("session", "long").contains("`session`"));
        assert!(error("switch", "perhaps").contains("`switch`"));
    }

    #[test]
    fn every_option_listed_is_understood() {
        for option in OPTIONS {
            let value = match option.value {
                "" => "",
                "DURATION" => "5m",
                _ => "3",
            };
            build(&[(option.name.to_owned(), value.to_owned())], 1, Timestamp::UNIX_EPOCH)
                .unwrap_or_else(|error| panic!("{error}"));
        }
    }

    #[test]
    fn every_part_is_toml() {
        for text in [BY_MACHINE, BY_PERSON, REMOVED_BY_PERSON, REPEATED, CHOSEN, SWITCHED, CHECKED, REPLACED, EXPIRING]
        {
            text.parse::<toml::Table>().unwrap_or_else(|error| panic!("{error}\n{text}"));
        }
        assert!(!example(BY_MACHINE).is_empty() && !example(BY_PERSON).is_empty());
    }
}
