//! The twin's options by the names that the command line gives them, and the settings that reach a running twin.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use twin::{Stages, Twin, parse_duration};

use super::twin::{Apigee, Generation, Options};
use crate::TwinOption;

/// In the order in which help shows them.
pub(crate) const OPTIONS: &[TwinOption] = &[
    TwinOption { name: "generation", value: "GENERATION", about: "x (the default) or edge" },
    TwinOption {
        name: "developers",
        value: "N",
        about: "developers to begin with; 3 with 2 apps each, of 95 days, when no size is given",
    },
    TwinOption { name: "groups", value: "N", about: "AppGroups, or companies on Edge" },
    TwinOption { name: "apps", value: "N", about: "apps of each developer and group" },
    TwinOption { name: "credentials", value: "N", about: "keys in each app" },
    TwinOption { name: "age", value: "DURATION", about: "how old every key is at the start" },
    TwinOption { name: "age-spread", value: "DURATION", about: "each key is older by a random share of this" },
    TwinOption {
        name: "pending-products",
        value: "BOOL",
        about: "some products give nothing to a new key before somebody approves it; true by default",
    },
    TwinOption { name: "approval-refused", value: "", about: "products may not be approved (403)" },
    TwinOption {
        name: "gateway-cache",
        value: "DURATION",
        about: "how long the gateway goes on with a key that it has accepted; 180s by default",
    },
    TwinOption { name: "negative-cache", value: "DURATION", about: "how long the gateway goes on to refuse a key" },
    TwinOption { name: "replication-lag", value: "DURATION", about: "how long a change takes to reach the gateway" },
    TwinOption {
        name: "analytics-lag",
        value: "DURATION",
        about: "how far analytics is behind the gateway; 10m by default",
    },
    TwinOption { name: "no-analytics", value: "", about: "analytics may not be read (403)" },
    TwinOption { name: "refused-unseen", value: "", about: "calls that the gateway refuses do not show in analytics" },
    TwinOption { name: "no-groups", value: "", about: "groups may not be listed (403)" },
    TwinOption { name: "token-expires-in", value: "SECONDS", about: "life of a new token" },
    TwinOption { name: "keys-max", value: "N", about: "keys that one app can hold" },
    TwinOption { name: "page-max", value: "N", about: "entries that one page of apps can hold on X" },
    TwinOption { name: "no-details", value: "", about: "errors of X have no details" },
    TwinOption { name: "unknown-fields", value: "", about: "objects have members that no document mentions" },
    TwinOption { name: "action-200", value: "", about: "a change of status is answered with 200 instead of 204" },
    TwinOption { name: "private-cloud", value: "", about: "Edge whose lists know no pages" },
    TwinOption { name: "basic-only", value: "", about: "Edge without a login endpoint" },
    TwinOption { name: "bounded", value: "", about: "a key without products opens nothing on Edge" },
];

/// Of X; Edge is played as a whole in the tests of this driver.
pub(crate) const STAGES: Stages = Stages {
    small: &[("developers", "3"), ("groups", "1"), ("apps", "2"), ("age", "95d")],
    // The driver asks for a thousand apps at a time.
    large: &[("developers", "45"), ("apps", "50"), ("age", "95d")],
    variants: &[
        &[("page-max", "3"), ("credentials", "3"), ("no-details", "")],
        &[("unknown-fields", ""), ("action-200", ""), ("pending-products", "false")],
        &[("replication-lag", "30s"), ("analytics-lag", "0s"), ("refused-unseen", "")],
        &[("generation", "edge"), ("private-cloud", ""), ("basic-only", "")],
        &[("generation", "edge"), ("credentials", "2"), ("bounded", "")],
    ],
    no_usage: Some(&[("no-analytics", "")]),
    short_login: Some(&[("token-expires-in", "60")]),
    waived: &[],
};

pub(crate) fn build(options: &[(String, String)], seed: u64, now: Timestamp) -> Result<Box<dyn Twin>, String> {
    let mut wanted = Options { seed, ..Options::default() };
    if !options.iter().any(|(name, _)| matches!(name.as_str(), "developers" | "groups" | "apps")) {
        // Nobody said how large: something to try the tool on.
        wanted = Options { developers: 3, apps: 2, age: SignedDuration::from_hours(95 * 24), ..wanted };
    }
    for (name, value) in options {
        set(&mut wanted, name, value)?;
    }
    Ok(Box::new(Apigee::new(wanted, now)?))
}

/// The twin's login in the driver's keys.
pub(crate) fn settings(base_url: &str, login: &Value) -> toml::Table {
    let text = |key: &str| login.get(key).and_then(Value::as_str).map(str::to_owned);
    let pairs = if login.get("private_key").is_some() {
        vec![("generation", Some("x".to_owned())), ("service_account", Some(login.to_string()))]
    } else {
        let keys = ["username", "password", "login_endpoint"].map(|key| (key, text(key)));
        [("generation", Some("edge".to_owned()))].into_iter().chain(keys).collect()
    };
    let common = [("endpoint", Some(base_url.to_owned())), ("organization", text("organization"))];
    let values = pairs.into_iter().chain(common).filter_map(|(key, value)| Some((key.to_owned(), value?)));
    values.map(|(key, value)| (key, toml::Value::String(value))).collect()
}

fn set(options: &mut Options, name: &str, value: &str) -> Result<(), String> {
    match name {
        "generation" => options.generation = generation(name, value)?,
        "developers" => options.developers = number(name, value)?,
        "groups" => options.groups = number(name, value)?,
        "apps" => options.apps = number(name, value)?,
        "credentials" => options.credentials = number(name, value)?,
        "age" => options.age = duration(name, value)?,
        "age-spread" => options.age_spread = duration(name, value)?,
        "pending-products" => options.pending_products = flag(name, value)?,
        "approval-refused" => options.approval_refused = flag(name, value)?,
        "gateway-cache" => options.gateway_cache = duration(name, value)?,
        "negative-cache" => options.negative_cache = duration(name, value)?,
        "replication-lag" => options.replication_lag = duration(name, value)?,
        "analytics-lag" => options.analytics_lag = duration(name, value)?,
        "no-analytics" => options.no_analytics = flag(name, value)?,
        "refused-unseen" => options.refused_unseen = flag(name, value)?,
        "no-groups" => options.no_groups = flag(name, value)?,
        "token-expires-in" => options.token_expires_in = number(name, value)?,
        "keys-max" => options.keys_max = Some(number(name, value)?),
        "page-max" => options.page_max = number(name, value)?,
        "no-details" => options.no_details = flag(name, value)?,
        "unknown-fields" => options.unknown_fields = flag(name, value)?,
        "action-200" => options.action_200 = flag(name, value)?,
        "private-cloud" => options.private_cloud = flag(name, value)?,
        "basic-only" => options.basic_only = flag(name, value)?,
        "bounded" => options.bounded = flag(name, value)?,
        unknown => {
            let known: Vec<&str> = OPTIONS.iter().map(|option| option.name).collect();
            return Err(format!("the twin of apigee has no option `{unknown}`; known: {}", known.join(", ")));
        }
    }
    Ok(())
}

fn generation(name: &str, value: &str) -> Result<Generation, String> {
    match value {
        "x" => Ok(Generation::X),
        "edge" => Ok(Generation::Edge),
        _ => Err(format!("`{name}` is \"{value}\"; it can be x or edge")),
    }
}

fn number(name: &str, value: &str) -> Result<u32, String> {
    value.parse().map_err(|_| format!("`{name}` is \"{value}\", which is no number"))
}

fn duration(name: &str, value: &str) -> Result<SignedDuration, String> {
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

    #[track_caller]
    fn check_error(name: &str, value: &str, expected: &str) {
        let error = build(&[(name.to_owned(), value.to_owned())], 1, Timestamp::UNIX_EPOCH).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn wrong_options_are_named() {
        check_error("orgs", "1", "known: generation, developers");
        check_error("generation", "hybrid", "`generation` is \"hybrid\"");
        check_error("apps", "many", "`apps` is \"many\"");
        check_error("age", "old", "`age`");
        check_error("bounded", "perhaps", "`bounded`");
    }

    #[test]
    fn without_a_size_there_is_something_to_try_on() {
        let planted = |options: &[(&str, &str)]| {
            let options: Vec<_> =
                options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let state = build(&options, 1, Timestamp::UNIX_EPOCH).unwrap().state(Timestamp::UNIX_EPOCH);
            let credentials = state["credentials"].as_array().unwrap();
            (credentials.len(), credentials.first().map(|one| one["created_at"].as_str().unwrap().to_owned()))
        };
        assert_eq!(planted(&[("generation", "edge")]), (6, Some("1969-09-28T00:00:00Z".to_owned())));
        assert_eq!(planted(&[("developers", "2"), ("apps", "2")]), (4, Some("1970-01-01T00:00:00Z".to_owned())));
        assert_eq!(planted(&[("developers", "0")]), (0, None));
    }

    #[test]
    fn every_option_listed_is_understood() {
        for option in OPTIONS {
            let value = match option.value {
                "" => "",
                "N" | "SECONDS" => "3",
                "DURATION" => "95d",
                "BOOL" => "false",
                "GENERATION" => "edge",
                other => panic!("no example for {other}"),
            };
            let pair = (option.name.to_owned(), value.to_owned());
            build(&[pair], 1, Timestamp::UNIX_EPOCH).unwrap_or_else(|error| panic!("{error}"));
        }
    }

    #[test]
    fn the_settings_of_a_twin_are_those_of_the_driver() {
        for generation in ["x", "edge"] {
            let twin = build(&[("generation".to_owned(), generation.to_owned())], 1, Timestamp::UNIX_EPOCH).unwrap();
            let table = settings("http://127.0.0.1:1", &twin.login());
            let settings = driver::Settings { table, base_dir: "/".into() };
            settings.read::<super::super::config::Config>().unwrap().check(&settings.base_dir).unwrap();
        }
    }
}
