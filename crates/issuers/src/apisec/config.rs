//! The driver's keys in the configuration.

use std::{collections::BTreeSet, path::Path};

use driver::{InvalidSettings, SecretSource};
use schemars::JsonSchema;
use secret::Secret;
use serde::Deserialize;
use tokio::sync::RwLock;
use url::{Host, Url};

const CLASSIC_ENDPOINT: &str = "https://cloud.apisec.ai";
const NG_ENDPOINT: &str = "https://api.apisecapps.com/v1";

/// APIsec: the service accounts of one tenant, and the tokens that are minted with them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// `classic`: user name and password buy a token. `ng`: a person makes personal access tokens.
    #[serde(default)]
    generation: Generation,
    /// Address of the platform. Must be https, except for a loopback host. Default: the vendor's own.
    endpoint: Option<String>,
    /// The organisation, as it stands before `//` in its user names; in `ng` the tenant's id, as tokens name it.
    tenant: String,
    /// How the password of a service account is changed: `api` where the tenant lets an account change its own,
    /// `person` where only an administrator can, in the console. Left out: passwords are not Keyrota's to change.
    /// `classic` only.
    password_changed_by: Option<ChangedBy>,
    /// Path of the sign-on. `classic` only.
    #[serde(default = "default_login_path")]
    login_path: String,
    /// Path of the password change, for `password_changed_by = "api"`.
    #[serde(default = "default_password_path")]
    password_path: String,
    /// The service accounts.
    accounts: Vec<AccountTable>,
}

/// One service account.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AccountTable {
    /// Its name in a credential's path.
    name: String,
    /// As the platform knows it, for example `Acme//svc-ci@acme.example`. `classic` only.
    username: Option<String>,
    /// The password to begin with. Once Keyrota holds a newer one, that is used, and this one can go. `classic` only.
    password: Option<SecretSource>,
    /// Whether tokens are minted for it.
    #[serde(default = "yes")]
    token: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Generation {
    #[default]
    Classic,
    Ng,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ChangedBy {
    Api,
    Person,
}

/// The documented path; what the vendor's own scripts use is tried where this one is not found.
fn default_login_path() -> String {
    "/auth/login".to_owned()
}

/// No document names one, so this is our reading of the platform's habits; see the README.
fn default_password_path() -> String {
    "/api/v1/users/password".to_owned()
}

fn yes() -> bool {
    true
}

/// The configuration, checked and with its secrets fetched.
#[derive(Debug)]
pub(super) struct Checked {
    pub generation: Generation,
    pub endpoint: Url,
    pub tenant: String,
    pub changed_by: Option<ChangedBy>,
    pub login_path: String,
    pub password_path: String,
    pub accounts: Vec<Account>,
}

#[derive(Debug)]
pub(super) struct Account {
    pub name: String,
    /// Empty in `ng`, where no user name is shown.
    pub username: String,
    pub password: Option<Secret>,
    pub token: bool,
    /// The password that this process has set. A mint that was asked for before the change knows an older one; and none
    /// is under way while a change is.
    pub set: RwLock<Option<Secret>>,
}

impl Config {
    pub(super) fn generation(&self) -> Generation {
        self.generation
    }

    pub(super) fn changed_by(&self) -> Option<ChangedBy> {
        self.password_changed_by
    }

    pub(super) fn check(self, base_dir: &Path) -> Result<Checked, InvalidSettings> {
        let default = match self.generation {
            Generation::Classic => CLASSIC_ENDPOINT,
            Generation::Ng => NG_ENDPOINT,
        };
        if self.generation == Generation::Ng && self.password_changed_by.is_some() {
            return Err(invalid("`password_changed_by` has no meaning in `ng`, which has no passwords for services"));
        }
        if self.accounts.is_empty() {
            return Err(invalid("`accounts` is empty"));
        }
        let mut names = BTreeSet::new();
        let mut accounts = Vec::new();
        for table in self.accounts {
            let account = table.check(self.generation, self.password_changed_by, base_dir)?;
            if !names.insert(account.name.clone()) {
                return Err(invalid(format!("`accounts` has `{}` twice", account.name)));
            }
            accounts.push(account);
        }
        Ok(Checked {
            generation: self.generation,
            endpoint: endpoint(self.endpoint.as_deref().unwrap_or(default))?,
            tenant: name("tenant", self.tenant)?,
            changed_by: self.password_changed_by,
            login_path: path("login_path", self.login_path)?,
            password_path: path("password_path", self.password_path)?,
            accounts,
        })
    }
}

impl AccountTable {
    fn check(
        self,
        generation: Generation,
        changed_by: Option<ChangedBy>,
        base_dir: &Path,
    ) -> Result<Account, InvalidSettings> {
        let name = name("accounts.name", self.name)?;
        let password = match self.password {
            Some(source) => Some(fetch(&name, &source, base_dir)?),
            None => None,
        };
        let username = match (generation, self.username) {
            (Generation::Classic, Some(username)) => self::name("accounts.username", username)?,
            (Generation::Classic, None) => return Err(invalid(format!("the account `{name}` lacks its `username`"))),
            (Generation::Ng, None) if password.is_none() => String::new(),
            (Generation::Ng, _) => {
                return Err(invalid(format!("the account `{name}`: `ng` knows neither `username` nor `password`")));
            }
        };
        if generation == Generation::Classic && password.is_none() && changed_by.is_none() {
            return Err(invalid(format!(
                "the account `{name}` lacks its `password`, and Keyrota is not to change passwords"
            )));
        }
        Ok(Account { name, username, password, token: self.token, set: RwLock::default() })
    }
}

fn invalid(message: impl Into<String>) -> InvalidSettings {
    InvalidSettings(message.into())
}

/// Names become segments of a credential's identifier, and one of them of a locator.
fn name(key: &str, value: String) -> Result<String, InvalidSettings> {
    let is_user = key == "accounts.username";
    let usable = !value.trim().is_empty() && !matches!(value.as_str(), "." | "..");
    if usable && !value.chars().any(char::is_control) && (is_user || !value.contains('/')) {
        Ok(value)
    } else {
        Err(invalid(format!("`{key}` is \"{}\", which is no name", value.escape_default())))
    }
}

fn path(key: &str, value: String) -> Result<String, InvalidSettings> {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '\\' | '%');
    let segments_are_full = value.strip_prefix('/').is_some_and(|rest| !rest.split('/').any(str::is_empty));
    if segments_are_full && value.chars().all(plain) {
        Ok(value)
    } else {
        Err(invalid(format!("`{key}` is \"{}\", which is no path like `/auth/login`", value.escape_default())))
    }
}

fn fetch(account: &str, source: &SecretSource, base_dir: &Path) -> Result<Secret, InvalidSettings> {
    let secret = source.read(base_dir).map_err(|error| invalid(format!("`password` of `{account}`: {error}")))?;
    match secret.expose_text() {
        Some("") => Err(invalid(format!("`password` of `{account}` is empty"))),
        Some(_) => Ok(secret),
        None => Err(invalid(format!("`password` of `{account}` is not UTF-8 text"))),
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
        return Err(invalid(format!("`endpoint` is \"{text}\": it ends with the host, in `ng` with `/v1`")));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        tenant = "Acme"
        password_changed_by = "api"
        accounts = [{ name = "svc-ci", username = "Acme//svc-ci@acme.example", password = "canary-password" }]
    "#;

    fn check(toml: &str) -> Result<Checked, String> {
        let settings = driver::Settings { table: toml::from_str(toml).unwrap(), base_dir: "/".into() };
        let config: Config = settings.read().map_err(|error| error.to_string())?;
        config.check(Path::new("/")).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn check_error(from: &str, to: &str, expected: &str) {
        assert!(GOOD.contains(from), "{from}");
        let error = check(&GOOD.replace(from, to)).unwrap_err();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("canary"), "{error}");
    }

    #[test]
    fn a_good_table_is_accepted_and_shows_no_secret() {
        let checked = check(GOOD).unwrap();
        assert_eq!(checked.endpoint.as_str(), "https://cloud.apisec.ai/");
        assert!(checked.accounts[0].token);
        let debug = format!("{checked:?}");
        assert!(!debug.contains("canary"), "{debug}");
        let ng = check("generation = \"ng\"\ntenant = \"t1\"\naccounts = [{ name = \"ci\" }]").unwrap();
        assert_eq!(ng.endpoint.as_str(), "https://api.apisecapps.com/v1");
    }

    #[test]
    fn every_error_names_its_key() {
        check_error("tenant = \"Acme\"", "tenant = \"\"", "`tenant`");
        check_error("\"Acme\"", "\"Acme/x\"", "`tenant`");
        check_error("\"api\"", "\"robot\"", "robot");
        check_error("\"canary-password\"", "\"\"", "`password` of `svc-ci` is empty");
        check_error("\"canary-password\"", "{ env = \"KEYROTA_NOT_SET\" }", "`password` of `svc-ci`");
        check_error("username = \"Acme//svc-ci@acme.example\", ", "", "`username`");
        check_error("password_changed_by", "generation = \"ng\"\n password_changed_by", "`password_changed_by`");
        check_error("tenant =", "endpoint = \"http://cloud.apisec.ai\"\n tenant =", "`endpoint`");
        check_error("tenant =", "login_path = \"login\"\n tenant =", "`login_path`");
        check_error("tenant =", "password_path = \"/a//b\"\n tenant =", "`password_path`");
        check_error("tenant =", "tenent = \"x\"\n tenant =", "tenent");
        let twice = GOOD.replace("[{", "[{ name = \"svc-ci\", username = \"a\" }, {");
        assert!(check(&twice).unwrap_err().contains("twice"));
        let unmanaged =
            GOOD.replace("password_changed_by = \"api\"", "").replace(", password = \"canary-password\"", "");
        assert!(check(&unmanaged).unwrap_err().contains("lacks its `password`"));
    }

    #[test]
    fn a_password_is_not_needed_where_keyrota_holds_it() {
        let checked = check(&GOOD.replace(", password = \"canary-password\"", "")).unwrap();
        assert!(checked.accounts[0].password.is_none());
    }
}
