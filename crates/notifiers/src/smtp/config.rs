//! The driver's keys in the configuration.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use driver::{InvalidSettings, SecretSource};
use lettre::message::Mailbox;
use schemars::JsonSchema;
use serde::Deserialize;
use url::Host;

/// A mail server that takes messages in.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SmtpSettings {
    /// Name of the server.
    host: String,
    /// Default 587, with `tls = "implicit"` 465.
    port: Option<u16>,
    #[serde(default)]
    tls: TlsWord,
    /// Left out where the server takes messages from this machine without a login.
    username: Option<String>,
    password: Option<SecretSource>,
    /// Who writes, for example "Keyrota <keyrota@example.com>".
    from: String,
    /// Whom it tells where a policy names it. Owners are told by their own addresses.
    #[serde(default)]
    to: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum TlsWord {
    /// The connection is encrypted before anything is said; a server that cannot is refused.
    #[default]
    Starttls,
    /// Encrypted from its first byte.
    Implicit,
    /// In the clear, for a server on loopback.
    None,
}

/// The configuration, checked.
#[derive(Debug)]
pub(super) struct Checked {
    pub host: String,
    pub port: u16,
    pub tls: TlsWord,
    pub login: Option<(String, SecretSource)>,
    pub from: Mailbox,
    pub to: Vec<String>,
    pub base_dir: PathBuf,
}

impl SmtpSettings {
    pub(super) fn check(self, base_dir: &Path) -> Result<Checked, InvalidSettings> {
        let host = self.host.trim_matches(['[', ']']).to_owned();
        let address: Option<IpAddr> = host.parse().ok();
        if address.is_none() && Host::parse(&host).is_err() {
            return Err(invalid(format!("`host` is \"{}\", which is no host", host.escape_default())));
        }
        let on_loopback = address.map_or(host == "localhost", |address| address.is_loopback());
        if self.tls == TlsWord::None && !on_loopback {
            return Err(invalid(
                "`tls` is \"none\": messages say which credential is weak where, so only a server on loopback gets \
                 them in the clear",
            ));
        }
        let login = match (self.username, self.password) {
            (Some(username), Some(password)) => Some((username, password)),
            (None, None) => None,
            (Some(_), None) => return Err(invalid("`username` stands without a `password`")),
            (None, Some(_)) => return Err(invalid("`password` stands without a `username`")),
        };
        for address in &self.to {
            mailbox("to", address)?;
        }
        Ok(Checked {
            port: self.port.unwrap_or(if self.tls == TlsWord::Implicit { 465 } else { 587 }),
            host,
            tls: self.tls,
            login,
            from: mailbox("from", &self.from)?,
            to: self.to,
            base_dir: base_dir.to_owned(),
        })
    }
}

fn mailbox(key: &str, text: &str) -> Result<Mailbox, InvalidSettings> {
    text.parse().map_err(|_| invalid(format!("`{key}` holds \"{}\", which is no mail address", text.escape_default())))
}

fn invalid(message: impl Into<String>) -> InvalidSettings {
    InvalidSettings(message.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        host = "mail.example.test"
        username = "keyrota"
        password = "canary-password"
        from = "Keyrota <keyrota@example.test>"
        to = ["ops@example.test"]
    "#;

    fn check(toml: &str) -> Result<Checked, String> {
        let settings = driver::Settings { table: toml::from_str(toml).unwrap(), base_dir: "/".into() };
        let settings: SmtpSettings = settings.read().map_err(|error| error.to_string())?;
        settings.check(Path::new("/")).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn check_error(from: &str, to: &str, expected: &str) {
        let error = check(&GOOD.replace(from, to)).unwrap_err();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("canary"), "{error}");
    }

    #[test]
    fn a_good_table_is_accepted_and_shows_no_secret() {
        let checked = check(GOOD).unwrap();
        assert_eq!((checked.port, checked.tls), (587, TlsWord::Starttls));
        assert!(!format!("{checked:?}").contains("canary"));
        assert_eq!(check(&GOOD.replace("host =", "tls = \"implicit\"\nhost =")).unwrap().port, 465);
    }

    #[test]
    fn every_error_names_its_key() {
        check_error("mail.example", "mail example", "`host`");
        check_error("host =", "tls = \"none\"\nhost =", "`tls`");
        check_error("username = \"keyrota\"", "", "`username`");
        check_error("password = \"canary-password\"", "", "`password`");
        check_error("<keyrota@example.test>", "", "`from`");
        check_error("ops@example.test", "ops", "`to`");
        check_error("from =", "form =", "form");
    }

    #[test]
    fn in_the_clear_on_loopback_alone() {
        for host in ["127.0.0.1", "localhost", "[::1]", "::1"] {
            let toml = GOOD.replace("mail.example.test", host).replace("host =", "tls = \"none\"\nhost =");
            assert!(check(&toml).is_ok(), "{host}");
        }
    }
}
