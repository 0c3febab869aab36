//! The driver's keys in the configuration.

use std::path::Path;

use driver::{InvalidSettings, SecretSource};
use schemars::JsonSchema;
use secret::Secret;
use serde::Deserialize;
use url::{Host, Url};

use super::auth::{Account, Grant};

/// IBM API Connect: one catalog of one provider organisation.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// Address of the platform API, as `toolkit.endpoint` in the toolkit's `credentials.json`; it ends in `/api`.
    /// Must be https, except for a loopback host.
    endpoint: String,
    /// Name or id of the provider organisation.
    provider_org: String,
    /// Name or id of the catalog.
    catalog: String,
    /// User registry of the account, for example `provider/default-idp-2`. Belongs to `username`.
    realm: Option<String>,
    /// Account that may read consumer organisations and manage applications. Instead of it: `api_key`.
    username: Option<String>,
    /// Password of `username`.
    password: Option<SecretSource>,
    /// API key of the account, instead of `realm`, `username` and `password`. Some installations let a key be used
    /// once only, and then it must be a fresh one at every start.
    api_key: Option<SecretSource>,
    /// Id of the registration of this program (`apic registrations:create`, client type `toolkit`).
    client_id: String,
    /// Secret of that registration.
    client_secret: SecretSource,
    /// Name of the analytics service, which tells the last use of a credential.
    #[serde(default = "default_analytics")]
    analytics: String,
}

/// The name that an installation gives to its first analytics service.
fn default_analytics() -> String {
    "analytics".to_owned()
}

/// The configuration, checked and with its secrets fetched.
#[derive(Debug)]
pub(super) struct Checked {
    pub endpoint: Url,
    pub provider_org: String,
    pub catalog: String,
    pub analytics: String,
    pub account: Account,
}

impl Config {
    pub(super) fn check(self, base_dir: &Path) -> Result<Checked, InvalidSettings> {
        let endpoint = endpoint(&self.endpoint)?;
        let provider_org = name("provider_org", self.provider_org)?;
        let catalog = name("catalog", self.catalog)?;
        let analytics = name("analytics", self.analytics)?;
        let client_id = name("client_id", self.client_id)?;
        let client_secret = fetch("client_secret", &self.client_secret, base_dir)?;
        let grant = match (self.api_key, self.realm, self.username, self.password) {
            (Some(api_key), None, None, None) => Grant::ApiKey { api_key: fetch("api_key", &api_key, base_dir)? },
            (Some(_), ..) => {
                return Err(invalid("`api_key` stands instead of `realm`, `username` and `password`, not beside them"));
            }
            (None, realm, username, password) => {
                let password = password.ok_or_else(|| missing("password"))?;
                Grant::Password {
                    realm: name("realm", realm.ok_or_else(|| missing("realm"))?)?,
                    username: name("username", username.ok_or_else(|| missing("username"))?)?,
                    password: fetch("password", &password, base_dir)?,
                }
            }
        };
        Ok(Checked { endpoint, provider_org, catalog, analytics, account: Account { grant, client_id, client_secret } })
    }
}

fn invalid(message: impl Into<String>) -> InvalidSettings {
    InvalidSettings(message.into())
}

fn missing(key: &str) -> InvalidSettings {
    invalid(format!("`{key}` is missing: give `realm`, `username` and `password`, or else `api_key`"))
}

fn name(key: &str, value: String) -> Result<String, InvalidSettings> {
    let usable = !value.trim().is_empty() && !matches!(value.as_str(), "." | "..");
    if usable && !value.chars().any(char::is_control) {
        Ok(value)
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

fn endpoint(text: &str) -> Result<Url, InvalidSettings> {
    let url = Url::parse(text).map_err(|error| invalid(format!("`endpoint` is \"{text}\": {error}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("`endpoint` holds a user name or password; those have keys of their own"));
    }
    let loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(domain)) => domain == "localhost",
        None => false,
    };
    match url.scheme() {
        "https" => {}
        "http" if loopback => {}
        "http" => {
            return Err(invalid(format!(
                "`endpoint` is \"{text}\": passwords go there, so it must be https (http is for loopback only)"
            )));
        }
        other => return Err(invalid(format!("`endpoint` is \"{text}\": `{other}` is not https"))),
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid(format!("`endpoint` is \"{text}\": it ends with its path, usually `/api`")));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        endpoint = "https://apim.example.test/api/"
        provider_org = "acme"
        catalog = "production"
        realm = "provider/default-idp-2"
        username = "svc-keyrota"
        password = "canary-password"
        client_id = "keyrota"
        client_secret = "canary-registration"
    "#;

    fn check(toml: &str) -> Result<Checked, String> {
        let settings = driver::Settings { table: toml::from_str(toml).unwrap(), base_dir: "/".into() };
        let config: Config = settings.read().map_err(|error| error.to_string())?;
        config.check(Path::new("/")).map_err(|error| error.to_string())
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
        assert_eq!(checked.analytics, "analytics");
        let debug = format!("{checked:?}");
        assert!(!debug.contains("canary"), "{debug}");
    }

    #[test]
    fn every_error_names_its_key() {
        check_error("https://apim.example.test/api/", "http://apim.example.test/api", "`endpoint`");
        check_error("https://apim.example.test/api/", "apim.example.test", "`endpoint`");
        check_error("https://apim.example.test/api/", "https://me:pw@apim.example.test", "`endpoint`");
        check_error("https://apim.example.test/api/", "ftp://apim.example.test", "`endpoint`");
        check_error("https://apim.example.test/api/", "https://apim.example.test/api?x=1", "`endpoint`");
        check_error("\"acme\"", "\"\"", "`provider_org`");
        check_error("\"production\"", "\"..\"", "`catalog`");
        check_error("\"canary-password\"", "{ env = \"KEYROTA_NOT_SET\" }", "`password`");
        check_error("password = \"canary-password\"", "", "`password`");
        check_error("realm = ", "relm = ", "relm");
        check_error("password = ", "api_key = ", "`api_key`");
        check_error("\"canary-registration\"", "\"\"", "`client_secret`");
    }

    #[test]
    fn plain_http_is_for_loopback() {
        for host in ["127.0.0.1:8080", "[::1]:8080", "localhost:8080"] {
            check(&GOOD.replace("https://apim.example.test", &format!("http://{host}"))).unwrap();
        }
    }

    #[test]
    fn an_api_key_stands_alone() {
        let toml = GOOD
            .replace("realm = \"provider/default-idp-2\"", "")
            .replace("username = \"svc-keyrota\"", "")
            .replace("password = ", "api_key = ");
        let checked = check(&toml).unwrap();
        assert!(matches!(checked.account.grant, Grant::ApiKey { .. }));
    }
}
