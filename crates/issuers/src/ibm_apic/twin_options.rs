//! The twin's options by the names that the command line gives them, and the settings that reach a running twin.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use twin::{Stages, Twin, parse_duration};

use super::twin::{ApiConnect, Options};
use crate::TwinOption;

/// In the order in which help shows them.
pub(crate) const OPTIONS: &[TwinOption] = &[
    TwinOption {
        name: "consumer-orgs",
        value: "N",
        about: "consumer organisations to begin with; 2 with 2 applications each, of 95 days, when no size is given",
    },
    TwinOption { name: "apps", value: "N", about: "applications in each consumer organisation" },
    TwinOption { name: "credentials", value: "N", about: "credentials in each application" },
    TwinOption { name: "age", value: "DURATION", about: "how old every credential is at the start" },
    TwinOption { name: "age-spread", value: "DURATION", about: "each credential is older by a random share of this" },
    TwinOption { name: "propagation", value: "DURATION", about: "how long a change takes to reach the gateway" },
    TwinOption { name: "analytics-lag", value: "DURATION", about: "how far analytics is behind the gateway" },
    TwinOption { name: "token-expires-in", value: "SECONDS", about: "life of a new token" },
    TwinOption { name: "api-key-single-use", value: "", about: "an API key buys one token and is spent" },
    TwinOption { name: "refresh-tokens", value: "", about: "a login also answers a refresh token" },
    TwinOption { name: "fresh-token-refused", value: "", about: "the first call with a new token is refused with 401" },
    TwinOption { name: "no-catalog-listing", value: "", about: "the whole catalog may not be listed (403)" },
    TwinOption { name: "no-analytics", value: "", about: "analytics may not be read (403)" },
    TwinOption { name: "credentials-max", value: "N", about: "credentials that one application can hold" },
    TwinOption { name: "hashed", value: "", about: "the catalog hashes secrets" },
    TwinOption { name: "leaky-reads", value: "", about: "reads show `client_secret` in clear" },
    TwinOption { name: "unknown-fields", value: "", about: "objects have members that no document mentions" },
    TwinOption { name: "embedded-summaries", value: "", about: "`expand` embeds id, name and title only" },
    TwinOption { name: "delete-204", value: "", about: "DELETE answers 204 instead of 200" },
    TwinOption { name: "duplicate-400", value: "", about: "a name that is taken is answered with 400 instead of 409" },
    TwinOption { name: "names-fixed", value: "", about: "a PATCH silently leaves the name" },
    TwinOption {
        name: "verify-mismatch",
        value: "STATUS",
        about: "what a trial of a wrong pair is answered, 400 or 401",
    },
    TwinOption { name: "redirect-creates", value: "URL", about: "a create answers 302 to this address" },
];

pub(crate) const STAGES: Stages = Stages {
    small: &[("consumer-orgs", "3"), ("apps", "2"), ("age", "95d")],
    // The driver asks for a thousand applications at a time.
    large: &[("consumer-orgs", "45"), ("apps", "50"), ("age", "95d")],
    variants: &[
        &[("no-catalog-listing", ""), ("credentials", "3")],
        &[("embedded-summaries", ""), ("credentials", "2")],
        &[("leaky-reads", ""), ("hashed", ""), ("unknown-fields", "")],
        &[("leaky-reads", ""), ("no-catalog-listing", ""), ("unknown-fields", "")],
        &[("delete-204", ""), ("duplicate-400", ""), ("refresh-tokens", "")],
        &[("verify-mismatch", "401"), ("propagation", "30s")],
        &[("fresh-token-refused", ""), ("token-expires-in", "60")],
    ],
    no_usage: Some(&[("no-analytics", "")]),
    short_login: Some(&[("token-expires-in", "60")]),
    waived: &[],
};

pub(crate) fn build(options: &[(String, String)], seed: u64, now: Timestamp) -> Result<Box<dyn Twin>, String> {
    let mut wanted = Options { seed, ..Options::default() };
    if !options.iter().any(|(name, _)| matches!(name.as_str(), "consumer-orgs" | "apps")) {
        // Nobody said how large: something to try the tool on.
        wanted = Options { consumer_orgs: 2, apps: 2, age: SignedDuration::from_hours(95 * 24), ..wanted };
    }
    for (name, value) in options {
        set(&mut wanted, name, value)?;
    }
    Ok(Box::new(ApiConnect::new(wanted, now)))
}

/// The twin's login in the driver's keys. It logs in with the password, since an API key would have to stand alone.
pub(crate) fn settings(base_url: &str, login: &Value) -> toml::Table {
    let keys = ["username", "password", "realm", "client_id", "client_secret", "provider_org", "catalog"];
    let values = keys.into_iter().filter_map(|key| Some((key, login.get(key)?.as_str()?)));
    let values = values.chain([("endpoint", base_url)]);
    values.map(|(key, value)| (key.to_owned(), toml::Value::String(value.to_owned()))).collect()
}

fn set(options: &mut Options, name: &str, value: &str) -> Result<(), String> {
    match name {
        "consumer-orgs" => options.consumer_orgs = number(name, value)?,
        "apps" => options.apps = number(name, value)?,
        "credentials" => options.credentials = number(name, value)?,
        "age" => options.age = duration(name, value)?,
        "age-spread" => options.age_spread = duration(name, value)?,
        "propagation" => options.propagation = duration(name, value)?,
        "analytics-lag" => options.analytics_lag = duration(name, value)?,
        "token-expires-in" => options.token_expires_in = number(name, value)?,
        "api-key-single-use" => options.api_key_single_use = flag(name, value)?,
        "refresh-tokens" => options.refresh_tokens = flag(name, value)?,
        "fresh-token-refused" => options.fresh_token_refused = flag(name, value)?,
        "no-catalog-listing" => options.no_catalog_listing = flag(name, value)?,
        "no-analytics" => options.no_analytics = flag(name, value)?,
        "credentials-max" => options.credentials_max = Some(number(name, value)?),
        "hashed" => options.hashed = flag(name, value)?,
        "leaky-reads" => options.leaky_reads = flag(name, value)?,
        "unknown-fields" => options.unknown_fields = flag(name, value)?,
        "embedded-summaries" => options.embedded_summaries = flag(name, value)?,
        "delete-204" => options.delete_204 = flag(name, value)?,
        "duplicate-400" => options.duplicate_400 = flag(name, value)?,
        "names-fixed" => options.names_fixed = flag(name, value)?,
        "verify-mismatch" => options.verify_mismatch = status(name, value)?,
        "redirect-creates" => options.redirect_creates = Some(value.to_owned()),
        unknown => {
            let known: Vec<&str> = OPTIONS.iter().map(|option| option.name).collect();
            return Err(format!("the twin of ibm_apic has no option `{unknown}`; known: {}", known.join(", ")));
        }
    }
    Ok(())
}

fn number(name: &str, value: &str) -> Result<u32, String> {
    value.parse().map_err(|_| format!("`{name}` is \"{value}\", which is no number"))
}

fn duration(name: &str, value: &str) -> Result<SignedDuration, String> {
    parse_duration(value).map_err(|error| format!("`{name}` is \"{value}\": {error}"))
}

fn status(name: &str, value: &str) -> Result<u16, String> {
    match value {
        "400" => Ok(400),
        "401" => Ok(401),
        _ => Err(format!("`{name}` is \"{value}\"; it can be 400 or 401")),
    }
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
        check_error("orgs", "1", "known: consumer-orgs, apps");
        check_error("apps", "many", "`apps` is \"many\"");
        check_error("age", "old", "`age`");
        check_error("hashed", "perhaps", "`hashed`");
        check_error("verify-mismatch", "403", "`verify-mismatch`");
    }

    #[test]
    fn without_a_size_there_is_something_to_try_on() {
        let planted = |options: &[(&str, &str)]| {
            let options: Vec<_> =
                options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let state = build(&options, 1, Timestamp::UNIX_EPOCH).unwrap().state(Timestamp::UNIX_EPOCH);
            state["credentials"].as_array().unwrap().len()
        };
        assert_eq!((planted(&[]), planted(&[("age", "20d")])), (4, 4));
        assert_eq!((planted(&[("consumer-orgs", "1"), ("apps", "2")]), planted(&[("apps", "0")])), (2, 0));
    }

    #[test]
    fn every_option_listed_is_understood() {
        for option in OPTIONS {
            let value = match option.value {
                "" => "",
                "N" | "SECONDS" => "3",
                "DURATION" => "95d",
                "STATUS" => "401",
                "URL" => "https://elsewhere.example.test/",
                other => panic!("no example for {other}"),
            };
            let pair = (option.name.to_owned(), value.to_owned());
            build(&[pair], 1, Timestamp::UNIX_EPOCH).unwrap_or_else(|error| panic!("{error}"));
        }
    }

    #[test]
    fn the_settings_of_a_twin_are_those_of_the_driver() {
        let twin = build(&[], 1, Timestamp::UNIX_EPOCH).unwrap();
        let table = settings("http://127.0.0.1:1/api", &twin.login());
        let settings = driver::Settings { table, base_dir: "/".into() };
        settings.read::<super::super::config::Config>().unwrap().check(&settings.base_dir).unwrap();
    }
}
