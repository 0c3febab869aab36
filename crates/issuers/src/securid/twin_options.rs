//! The twin's options by the names that the command line gives them, and the settings that reach a running twin.

use jiff::Timestamp;
use serde_json::Value;
use twin::{Stages, Twin, parse_duration};

use super::twin::{Options, SecurId};
use crate::TwinOption;

/// In the order in which help shows them.
pub(crate) const OPTIONS: &[TwinOption] = &[
    TwinOption { name: "keys", value: "N", about: "Administration keys to begin with, protected ones included" },
    TwinOption { name: "protected", value: "N", about: "keys among them that Authentication Manager made for itself" },
    TwinOption { name: "oauth-clients", value: "N", about: "OAuth clients to begin with" },
    TwinOption { name: "age", value: "DURATION", about: "how old every key is at the start" },
    TwinOption { name: "slots-max", value: "N", about: "Administration keys that the tenant can have" },
    TwinOption { name: "lenient-audience", value: "", about: "a token may be addressed to the host alone" },
    TwinOption { name: "url-v1", value: "", about: "the address of the API ends in /v1" },
    TwinOption { name: "one-line", value: "", about: "key files have their key on one line" },
    TwinOption { name: "audit-only", value: "", about: "the licence has the audit group alone" },
    TwinOption { name: "token-expires-in", value: "SECONDS", about: "life of an access token" },
];

pub(crate) const STAGES: Stages = Stages {
    small: &[("keys", "3"), ("protected", "1"), ("oauth-clients", "1"), ("age", "95d")],
    // There are no pages: ten is all that a tenant can have.
    large: &[("keys", "10"), ("protected", "2"), ("oauth-clients", "4")],
    variants: &[&[("url-v1", ""), ("one-line", "")], &[("lenient-audience", ""), ("audit-only", "")]],
    no_usage: None,
    short_login: None,
    waived: &[],
};

pub(crate) fn build(options: &[(String, String)], seed: u64, now: Timestamp) -> Result<Box<dyn Twin>, String> {
    let mut wanted = Options { seed, ..Options::default() };
    for (name, value) in options {
        set(&mut wanted, name, value)?;
    }
    Ok(Box::new(SecurId::new(wanted, now)?))
}

/// The tenant with its keys, as its owner declares them: what the console shows, and no secret.
pub(crate) fn settings(_base_url: &str, login: &Value) -> toml::Table {
    let text = |from: &Value, key: &str| toml::Value::String(from[key].as_str().unwrap_or_default().to_owned());
    let list = |name: &str| login[name].as_array().cloned().unwrap_or_default();
    let key = |key: &Value| {
        let mut table = toml::Table::new();
        for name in ["name", "access_id", "role", "added"] {
            table.insert(name.to_owned(), text(key, name));
        }
        table.insert("protected".to_owned(), key["protected"].as_bool().unwrap_or_default().into());
        table.insert("owner".to_owned(), "vera@acme.example".into());
        toml::Value::Table(table)
    };
    let client = |client: &Value| {
        let mut table = toml::Table::new();
        for name in ["name", "client_id", "added"] {
            table.insert(name.to_owned(), text(client, name));
        }
        table.insert("client_type".to_owned(), "oauth".into());
        let permissions = client["permissions"].as_array().into_iter().flatten();
        let permissions = permissions.filter_map(|one| Some(toml::Value::from(one.as_str()?))).collect();
        table.insert("permissions".to_owned(), toml::Value::Array(permissions));
        table.insert("owner".to_owned(), "vera@acme.example".into());
        toml::Value::Table(table)
    };
    let keys = list("keys").iter().map(key).chain(list("oauth_clients").iter().map(client)).collect();
    toml::Table::from_iter([
        ("endpoint".to_owned(), text(login, "admin_rest_api_url")),
        ("tenant".to_owned(), text(login, "tenant")),
        ("auth_url".to_owned(), text(login, "auth_url")),
        ("oauth_issuer".to_owned(), text(login, "oauth_issuer")),
        ("keys".to_owned(), toml::Value::Array(keys)),
    ])
}

fn set(options: &mut Options, name: &str, value: &str) -> Result<(), String> {
    match name {
        "keys" => options.keys = number(name, value)?,
        "protected" => options.protected = number(name, value)?,
        "oauth-clients" => options.oauth_clients = number(name, value)?,
        "age" => options.age = parse_duration(value).map_err(|error| format!("`{name}` is \"{value}\": {error}"))?,
        "slots-max" => options.slots_max = number(name, value)?,
        "lenient-audience" => options.lenient_audience = flag(name, value)?,
        "url-v1" => options.url_v1 = flag(name, value)?,
        "one-line" => options.one_line = flag(name, value)?,
        "audit-only" => options.audit_only = flag(name, value)?,
        "token-expires-in" => options.token_expires_in = number(name, value)?,
        unknown => {
            let known: Vec<&str> = OPTIONS.iter().map(|option| option.name).collect();
            return Err(format!("the twin of securid has no option `{unknown}`; known: {}", known.join(", ")));
        }
    }
    Ok(())
}

fn number(name: &str, value: &str) -> Result<u32, String> {
    value.parse().map_err(|_| format!("`{name}` is \"{value}\", which is no number"))
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
        assert!(error("key", "1").contains("known: keys, protected"));
        assert!(error("keys", "many").contains("`keys` is \"many\""));
        assert!(error("keys", "11").contains("10 slots"));
        assert!(error("url-v1", "perhaps").contains("`url-v1`"));
    }

    #[test]
    fn every_option_listed_is_understood() {
        for option in OPTIONS {
            let value = match (option.name, option.value) {
                ("slots-max", _) => "20",
                (_, "") => "",
                (_, "DURATION") => "95d",
                _ => "3",
            };
            build(&[(option.name.to_owned(), value.to_owned())], 1, Timestamp::UNIX_EPOCH)
                .unwrap_or_else(|error| panic!("{error}"));
        }
    }
}
