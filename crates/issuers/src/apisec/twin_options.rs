//! The twin's options by the names that the command line gives them, and the settings that reach a running twin.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use twin::{Stages, Twin, parse_duration};

use super::twin::{ApiSec, Denial, Options, Refusal};
use crate::TwinOption;

/// In the order in which help shows them.
pub(crate) const OPTIONS: &[TwinOption] = &[
    TwinOption { name: "generation", value: "NAME", about: "classic, or ng: personal access tokens" },
    TwinOption { name: "accounts", value: "N", about: "service accounts to begin with" },
    TwinOption { name: "age", value: "DURATION", about: "how old every password is at the start" },
    TwinOption { name: "token-life", value: "DURATION", about: "life of a new token" },
    TwinOption {
        name: "refusal",
        value: "SHAPE",
        about: "how a refused sign-on is answered: inside, envelope, status",
    },
    TwinOption { name: "denial", value: "VARIANT", about: "how a wrong token is answered: a, b, c or d" },
    TwinOption { name: "basic-login", value: "", about: "people may use passwords: no single sign-on" },
    TwinOption { name: "password-by-person", value: "", about: "only an administrator changes a password" },
    TwinOption { name: "scripts-path", value: "", about: "the sign-on is at /login alone" },
];

pub(crate) const STAGES: Stages = Stages {
    small: &[("accounts", "2"), ("age", "95d")],
    large: &[("accounts", "60")],
    variants: &[
        &[("password-by-person", ""), ("refusal", "envelope")],
        &[("refusal", "status"), ("denial", "b"), ("scripts-path", "")],
        &[("refusal", "envelope"), ("denial", "c"), ("token-life", "1h"), ("basic-login", "")],
        &[("denial", "d")],
        &[("generation", "ng")],
    ],
    no_usage: None,
    short_login: None,
    waived: &[],
};

pub(crate) fn build(options: &[(String, String)], seed: u64, now: Timestamp) -> Result<Box<dyn Twin>, String> {
    let mut wanted = Options { seed, ..Options::default() };
    for (name, value) in options {
        set(&mut wanted, name, value)?;
    }
    Ok(Box::new(ApiSec::new(wanted, now)))
}

fn set(options: &mut Options, name: &str, value: &str) -> Result<(), String> {
    match name {
        "generation" => options.next_generation = one_of(name, value, &[("classic", false), ("ng", true)])?,
        "accounts" => options.accounts = number(name, value)?,
        "age" => options.age = duration(name, value)?,
        "token-life" => options.token_life = duration(name, value)?,
        "refusal" => {
            let shapes = [("inside", Refusal::Inside), ("envelope", Refusal::Envelope), ("status", Refusal::Status)];
            options.refusal = one_of(name, value, &shapes)?;
        }
        "denial" => {
            let variants = [("a", Denial::A), ("b", Denial::B), ("c", Denial::C), ("d", Denial::D)];
            options.denial = one_of(name, value, &variants)?;
        }
        "basic-login" => options.basic_login = flag(name, value)?,
        "password-by-person" => options.password_by_person = flag(name, value)?,
        "scripts-path" => options.scripts_path = flag(name, value)?,
        unknown => {
            let known: Vec<&str> = OPTIONS.iter().map(|option| option.name).collect();
            return Err(format!("the twin of apisec has no option `{unknown}`; known: {}", known.join(", ")));
        }
    }
    Ok(())
}

/// The driver's keys for a twin at this address. The first account uses what stands at the top of the login.
pub(crate) fn settings(base_url: &str, login: &Value) -> toml::Table {
    let text = |value: &Value| value.as_str().map(|text| toml::Value::String(text.to_owned()));
    let mut accounts = Vec::new();
    for (number, account) in login["accounts"].as_array().into_iter().flatten().enumerate() {
        let mut table = toml::Table::new();
        for key in ["name", "username", "password"] {
            let top = Some(&login[key]).filter(|value| number == 0 && value.is_string());
            if let Some(value) = text(top.unwrap_or(&account[key])) {
                table.insert(key.to_owned(), value);
            }
        }
        accounts.push(toml::Value::Table(table));
    }
    let mut table = toml::Table::new();
    for (key, value) in [
        ("generation", &login["generation"]),
        ("tenant", &login["tenant"]),
        ("password_changed_by", &login["changed_by"]),
    ] {
        if let Some(value) = text(value) {
            table.insert(key.to_owned(), value);
        }
    }
    table.insert("endpoint".to_owned(), base_url.into());
    table.insert("accounts".to_owned(), accounts.into());
    table
}

fn number(name: &str, value: &str) -> Result<u32, String> {
    value.parse().map_err(|_| format!("`{name}` is \"{value}\", which is no number"))
}

fn duration(name: &str, value: &str) -> Result<SignedDuration, String> {
    parse_duration(value).map_err(|error| format!("`{name}` is \"{value}\": {error}"))
}

fn one_of<T: Copy>(name: &str, value: &str, known: &[(&str, T)]) -> Result<T, String> {
    let found = known.iter().find(|(word, _)| *word == value).map(|(_, meant)| *meant);
    found.ok_or_else(|| {
        let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
        format!("`{name}` is \"{value}\"; it can be {}", words.join(", "))
    })
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
        check_error("account", "1", "known: generation, accounts");
        check_error("accounts", "many", "`accounts` is \"many\"");
        check_error("age", "old", "`age`");
        check_error("denial", "e", "it can be a, b, c, d");
        check_error("basic-login", "perhaps", "`basic-login`");
    }

    #[test]
    fn every_option_listed_is_understood() {
        for option in OPTIONS {
            let value = match option.value {
                "" => "",
                "N" => "3",
                "DURATION" => "95d",
                "NAME" => "ng",
                "SHAPE" => "status",
                "VARIANT" => "c",
                other => panic!("no example for {other}"),
            };
            let pair = (option.name.to_owned(), value.to_owned());
            build(&[pair], 1, Timestamp::UNIX_EPOCH).unwrap_or_else(|error| panic!("{error}"));
        }
    }

    #[test]
    fn the_settings_of_a_twin_are_those_of_the_driver() {
        for generation in ["classic", "ng"] {
            let twin = build(&[("generation".to_owned(), generation.to_owned())], 1, Timestamp::UNIX_EPOCH).unwrap();
            let table = settings("http://127.0.0.1:1", &twin.login());
            let settings = driver::Settings { table, base_dir: "/".into() };
            settings.read::<super::super::config::Config>().unwrap().check(&settings.base_dir).unwrap();
        }
    }
}
