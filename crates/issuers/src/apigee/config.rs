//! The driver's keys in the configuration.

use std::path::Path;

use driver::{InvalidSettings, SecretSource};
use schemars::JsonSchema;
use secret::Secret;
use serde::Deserialize;
use url::{Host, Url};

use super::{account::Account, service_account::ServiceAccount};

const ENDPOINT_X: &str = "https://apigee.googleapis.com";
const ENDPOINT_EDGE: &str = "https://api.enterprise.apigee.com";

/// Google Apigee: the keys of developer apps in one organisation.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// `x` for Apigee X and hybrid, `edge` for Edge in the public or a private cloud.
    generation: Generation,
    /// Name of the organisation.
    organization: String,
    /// Address of the management API, without `/v1`. By default `https://apigee.googleapis.com` for `x` (with data
    /// residency `https://REGION-apigee.googleapis.com`) and `https://api.enterprise.apigee.com` for `edge`. Must be
    /// https, except for a loopback host.
    endpoint: Option<String>,
    /// Key file of the service account, in Google's JSON form. For `x` alone.
    service_account: Option<SecretSource>,
    /// User that may manage apps. For `edge` alone.
    username: Option<String>,
    /// Password of `username`.
    password: Option<SecretSource>,
    /// Address at which a token is had for `username` and `password`, or for `refresh_token`, for example
    /// `https://login.apigee.com/oauth/token`. Without it every call carries name and password. For `edge` alone.
    login_endpoint: Option<String>,
    /// A refresh token to begin with, where the zone takes no password. Belongs to `login_endpoint`.
    refresh_token: Option<SecretSource>,
    /// Environments whose analytics tell the last use. By default all that the organisation has at the time.
    #[serde(default)]
    environments: Vec<String>,
    /// Whether the apps of AppGroups (`x`) and companies (`edge`) belong to the inventory. `false` for an organisation
    /// without them, or an account that may not see them.
    #[serde(default = "yes")]
    groups: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Generation {
    X,
    Edge,
}

fn yes() -> bool {
    true
}

/// The configuration, checked and with its secrets fetched.
#[derive(Debug)]
pub(super) struct Checked {
    pub generation: Generation,
    pub organization: String,
    pub endpoint: Url,
    pub account: Account,
    pub environments: Vec<String>,
    pub groups: bool,
}

impl Config {
    pub(super) fn check(self, base_dir: &Path) -> Result<Checked, InvalidSettings> {
        let organization = name("organization", &self.organization)?;
        for environment in &self.environments {
            name("environments", environment)?;
        }
        let account = match self.generation {
            Generation::X => self.service_account(base_dir)?,
            Generation::Edge => self.user(base_dir)?,
        };
        let (generation, environments, groups) = (self.generation, self.environments, self.groups);
        let endpoint = self.endpoint.unwrap_or_else(|| generation.endpoint().to_owned());
        let endpoint = without_version(address("endpoint", &endpoint)?);
        Ok(Checked { generation, organization, endpoint, account, environments, groups })
    }

    fn service_account(&self, base_dir: &Path) -> Result<Account, InvalidSettings> {
        let of_edge = [
            ("username", self.username.is_some()),
            ("password", self.password.is_some()),
            ("login_endpoint", self.login_endpoint.is_some()),
            ("refresh_token", self.refresh_token.is_some()),
        ];
        if let Some((key, _)) = of_edge.iter().find(|(_, given)| *given) {
            return Err(invalid(format!("`{key}` is for the generation `edge`; `x` logs in with `service_account`")));
        }
        let source = self.service_account.as_ref().ok_or_else(|| {
            invalid("`service_account` is missing: the service account's key file, for example { file = \"key.json\" }")
        })?;
        let file = fetch("service_account", source, base_dir)?;
        let account = ServiceAccount::read(&file).map_err(|why| invalid(format!("`service_account`: {why}")))?;
        secured("the `token_uri` of `service_account`", &account.token_uri)?;
        Ok(Account::Assertion(Box::new(account)))
    }

    fn user(&self, base_dir: &Path) -> Result<Account, InvalidSettings> {
        if self.service_account.is_some() {
            return Err(invalid("`service_account` is for the generation `x`; `edge` logs in with `username`"));
        }
        let login = self.login_endpoint.as_deref().map(|text| address("login_endpoint", text)).transpose()?;
        let refresh = self.refresh_token.as_ref().map(|it| fetch("refresh_token", it, base_dir)).transpose()?;
        let user = match (&self.username, &self.password) {
            (Some(username), Some(password)) => {
                Some((name("username", username)?, fetch("password", password, base_dir)?))
            }
            (None, None) => None,
            (Some(_), None) => return Err(invalid("`password` is missing: it belongs to `username`")),
            (None, Some(_)) => return Err(invalid("`username` is missing: it belongs to `password`")),
        };
        match (login, user, refresh) {
            (Some(address), user, refresh) if user.is_some() || refresh.is_some() => {
                Ok(Account::Token { address, user, refresh })
            }
            (None, Some((username, password)), None) => Ok(Account::Basic { username, password }),
            (None, _, Some(_)) => Err(invalid("`login_endpoint` is missing: `refresh_token` belongs to it")),
            _ => Err(invalid("`username` and `password` are missing, or else `login_endpoint` and `refresh_token`")),
        }
    }
}

impl Generation {
    fn endpoint(self) -> &'static str {
        match self {
            Self::X => ENDPOINT_X,
            Self::Edge => ENDPOINT_EDGE,
        }
    }
}

fn invalid(message: impl Into<String>) -> InvalidSettings {
    InvalidSettings(message.into())
}

fn name(key: &str, value: &str) -> Result<String, InvalidSettings> {
    let usable = !value.trim().is_empty() && !matches!(value, "." | "..");
    if usable && !value.chars().any(char::is_control) {
        Ok(value.to_owned())
    } else {
        Err(invalid(format!("`{key}` is \"{}\", which is no name", value.escape_default())))
    }
}

fn fetch(key: &str, source: &SecretSource, base_dir: &Path) -> Result<Secret, InvalidSettings> {
    let secret = source.read(base_dir).map_err(|error| invalid(format!("`{key}`: {error}")))?;
    match secret.expose_text() {
        Some("") => Err(invalid(format!("`{key}` is empty"))),
        Some(_) => Ok(secret),
        None => Err(invalid(format!("`{key}` is not UTF-8 text"))),
    }
}

fn address(key: &str, text: &str) -> Result<Url, InvalidSettings> {
    let url = Url::parse(text).map_err(|error| invalid(format!("`{key}` is \"{text}\": {error}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid(format!("`{key}` holds a user name or password; those have keys of their own")));
    }
    secured(&format!("`{key}`"), &url)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid(format!("`{key}` is \"{text}\": it ends with its path")));
    }
    Ok(url)
}

fn secured(what: &str, url: &Url) -> Result<(), InvalidSettings> {
    let loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(domain)) => domain == "localhost",
        None => false,
    };
    match url.scheme() {
        "https" => Ok(()),
        "http" if loopback => Ok(()),
        _ => Err(invalid(format!(
            "{what} is \"{url}\": logins go there, so it must be https (http is for loopback only)"
        ))),
    }
}

/// The version stands in every published address, so people copy it; the driver adds it itself.
fn without_version(mut url: Url) -> Url {
    let path = url.path().trim_end_matches('/');
    let path = path.strip_suffix("/v1").unwrap_or(path).to_owned();
    url.set_path(&path);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    const EDGE: &str = r#"
        generation = "edge"
        organization = "acme"
        username = "svc@acme.example"
        password = "canary-password"
    "#;

    fn check(toml: &str) -> Result<Checked, String> {
        let settings = driver::Settings { table: toml::from_str(toml).unwrap(), base_dir: "/".into() };
        let config: Config = settings.read().map_err(|error| error.to_string())?;
        config.check(Path::new("/")).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn check_error(toml: &str, expected: &str) {
        let error = check(toml).unwrap_err();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("canary"), "{error}");
    }

    #[test]
    fn a_good_table_is_accepted_and_shows_no_secret() {
        let checked = check(EDGE).unwrap();
        assert_eq!(checked.endpoint.as_str(), "https://api.enterprise.apigee.com/");
        assert!(matches!(checked.account, Account::Basic { .. }) && checked.groups);
        let debug = format!("{checked:?}");
        assert!(!debug.contains("canary"), "{debug}");
        let oauth = format!("{EDGE}\nlogin_endpoint = \"https://login.apigee.com/oauth/token\"");
        assert!(matches!(check(&oauth).unwrap().account, Account::Token { .. }));
    }

    #[test]
    fn the_version_in_an_endpoint_is_tolerated() {
        for endpoint in ["https://eu-apigee.googleapis.com/v1/", "https://eu-apigee.googleapis.com"] {
            let checked = check(&format!("{EDGE}\nendpoint = \"{endpoint}\"")).unwrap();
            assert_eq!(checked.endpoint.as_str(), "https://eu-apigee.googleapis.com/");
        }
    }

    #[test]
    fn every_error_names_its_key() {
        check_error(&EDGE.replace("edge", "y"), "`x`");
        check_error(&EDGE.replace("\"acme\"", "\"..\""), "`organization`");
        check_error(&EDGE.replace("password =", "# "), "`password`");
        check_error(&EDGE.replace("username =", "# "), "`username`");
        check_error(&EDGE.replace("edge", "x"), "`username`");
        check_error(&format!("{EDGE}\nendpoint = \"http://api.acme.example\""), "`endpoint`");
        check_error(&format!("{EDGE}\nrefresh_token = \"canary\""), "`login_endpoint`");
        check_error(&format!("{EDGE}\nservice_account = \"canary\""), "`service_account`");
        check_error("generation = \"x\"\norganization = \"acme\"", "`service_account` is missing");
        check_error("generation = \"x\"\norganization = \"acme\"\nservice_account = \"canary\"", "`service_account`");
        check_error(&format!("{EDGE}\norganisation = \"canary\""), "organisation");
    }
}
