//! The driver's keys in the configuration. No call lists the keys of a tenant, so they are declared here.

use std::collections::BTreeSet;

use domain::{Handle, Timestamp};
use driver::InvalidSettings;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Deserialize;
use url::{Host, Url};

use super::base::Base;

/// RSA SecurID (ID Plus): the Cloud Administration REST API keys of one tenant.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// The `adminRestApiUrl` of the tenant's key files, with or without `/v1`. Must be https, except for a loopback
    /// host. A key file that names another address is refused.
    endpoint: String,
    /// The `customerName` of the tenant's key files.
    tenant: String,
    /// Address of the tenant's authentication host, whose health check tells the platform's clock.
    auth_url: Option<String>,
    /// Issuer URL that the console shows for OAuth clients. Needed for keys with `client_type = "oauth"`.
    oauth_issuer: Option<String>,
    /// What a client assertion is addressed to.
    #[serde(default)]
    assertion_audience: Audience,
    /// Every key of the tenant, those that are never to be touched included: each takes one of its ten slots.
    keys: Vec<KeyConfig>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Audience {
    /// As public clients do.
    #[default]
    TokenEndpoint,
    /// As the coming update of RFC 7523 demands.
    Issuer,
}

/// One key of the tenant.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct KeyConfig {
    /// Its name here, and the last part of the credential's path.
    name: String,
    #[serde(default)]
    client_type: ClientType,
    /// The `accessID` of a key that is there already. Without it, the key is still to be added.
    access_id: Option<String>,
    /// The client ID of an OAuth client that is there already.
    client_id: Option<String>,
    /// The role that the key is to have, and is tried for. Without it, any role will do.
    role: Option<Role>,
    /// The permissions that an OAuth client is to have, for example `rsa.audit.admin`.
    #[serde(default)]
    permissions: Vec<String>,
    /// An integration of the platform's own depends on it: it is neither replaced nor removed.
    #[serde(default)]
    protected: bool,
    /// The day on which it was added, for example `2026-08-01`: its age counts from there. Otherwise it counts from when
    /// Keyrota first meets the key.
    added: Option<String>,
    /// How it is delivered: field by field, or as the whole file in the field `key_file`.
    #[serde(default)]
    form: Form,
    /// Who answers for it: a name or a mail address.
    owner: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ClientType {
    /// An Administration API key, handed out as a key file.
    #[default]
    Legacy,
    /// An OAuth client that proves itself with a private key.
    Oauth,
}

impl ClientType {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Oauth => "oauth",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Role {
    HelpDesk,
    Super,
}

impl Role {
    /// As the console writes it.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::HelpDesk => "Help Desk Administrator",
            Self::Super => "Super Administrator",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Form {
    #[default]
    Fields,
    File,
}

/// The configuration, checked.
#[derive(Debug)]
pub(super) struct Checked {
    pub endpoint: Base,
    pub tenant: String,
    pub auth_url: Option<Url>,
    pub oauth_issuer: Option<Base>,
    pub assertion_audience: Audience,
    pub keys: Vec<Key>,
}

#[derive(Debug)]
pub(super) struct Key {
    pub name: String,
    pub client_type: ClientType,
    /// `None`: still to be added.
    pub handle: Option<Handle>,
    pub role: Option<Role>,
    pub permissions: Vec<String>,
    pub protected: bool,
    pub added: Option<Timestamp>,
    pub form: Form,
    pub owner: Option<String>,
}

impl Config {
    pub(super) fn check(self) -> Result<Checked, InvalidSettings> {
        let endpoint = Base::of_api(&address("endpoint", &self.endpoint)?);
        let auth_url = self.auth_url.map(|text| address("auth_url", &text)).transpose()?;
        let oauth_issuer = self.oauth_issuer.map(|text| address("oauth_issuer", &text)).transpose()?;
        let tenant = name("tenant", self.tenant)?;
        let keys = self.keys.into_iter().map(KeyConfig::check).collect::<Result<Vec<_>, _>>()?;
        let mut seen = BTreeSet::new();
        for key in &keys {
            if !seen.insert((key.client_type.word(), key.name.as_str())) {
                return Err(invalid(format!("`keys` has two with the name \"{}\"", key.name)));
            }
            if let Some(handle) = &key.handle
                && !seen.insert(("", handle.as_str()))
            {
                return Err(invalid(format!("`keys` names the id {handle} twice")));
            }
        }
        if oauth_issuer.is_none() && keys.iter().any(|key| key.client_type == ClientType::Oauth) {
            return Err(invalid("`oauth_issuer` is missing: a key with `client_type = \"oauth\"` needs it"));
        }
        let oauth_issuer = oauth_issuer.as_ref().map(Base::of_issuer);
        Ok(Checked { endpoint, tenant, auth_url, oauth_issuer, assertion_audience: self.assertion_audience, keys })
    }
}

impl KeyConfig {
    fn check(self) -> Result<Key, InvalidSettings> {
        let name = name("name", self.name)?;
        let of = |message: &str| invalid(format!("`keys`: \"{name}\": {message}"));
        let oauth = self.client_type == ClientType::Oauth;
        let id = match (oauth, self.access_id, self.client_id) {
            (false, _, Some(_)) => {
                return Err(of("`client_id` is for `client_type = \"oauth\"`; a key has `access_id`"));
            }
            (true, Some(_), _) => return Err(of("`access_id` is for keys; an OAuth client has `client_id`")),
            (false, id, None) | (true, None, id) => id,
        };
        let handle = id.map(|id| Handle::parse(&id).map_err(|error| of(&format!("its id is no id: {error}"))));
        let handle = handle.transpose()?;
        if self.protected && handle.is_none() {
            return Err(of("it is protected, so it is there: name its `access_id`"));
        }
        if oauth && self.role.is_some() {
            return Err(of("an OAuth client has `permissions`, and no `role`"));
        }
        if !oauth && !self.permissions.is_empty() {
            return Err(of("`permissions` are for `client_type = \"oauth\"`; a key has a `role`"));
        }
        let added = self.added.as_deref().map(|text| moment(text).ok_or_else(|| of("`added` is no date")));
        Ok(Key {
            handle,
            added: added.transpose()?,
            client_type: self.client_type,
            role: self.role,
            permissions: self.permissions,
            protected: self.protected,
            form: self.form,
            owner: self.owner.filter(|owner| !owner.is_empty()),
            name,
        })
    }
}

fn invalid(message: impl Into<String>) -> InvalidSettings {
    InvalidSettings(message.into())
}

/// A date means its beginning in UTC: a day more or less decides nothing.
fn moment(text: &str) -> Option<Timestamp> {
    let midnight = |date: Date| Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp());
    text.parse::<Timestamp>().ok().or_else(|| midnight(text.parse().ok()?))
}

/// A name that is a segment of the credential's path.
fn name(key: &str, value: String) -> Result<String, InvalidSettings> {
    let usable = !value.trim().is_empty() && !matches!(value.as_str(), "." | "..");
    if usable && !value.chars().any(|c| c.is_control() || matches!(c, '/' | '%')) {
        Ok(value)
    } else {
        Err(invalid(format!("`{key}` is \"{}\", which is no name", value.escape_default())))
    }
}

fn address(key: &str, text: &str) -> Result<Url, InvalidSettings> {
    let url = Url::parse(text).map_err(|error| invalid(format!("`{key}` is \"{text}\": {error}")))?;
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(invalid(format!("`{key}` holds more than scheme, host and path")));
    }
    if is_safe(&url) {
        Ok(url)
    } else {
        Err(invalid(format!("`{key}` is \"{text}\": what is signed goes there, so it must be https")))
    }
}

/// Plain http is for loopback only.
fn is_safe(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(domain)) => domain == "localhost",
        None => false,
    };
    url.scheme() == "https" || url.scheme() == "http" && loopback
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        endpoint = "https://acme.access.securid.com/AdminInterface/restapi"
        tenant = "acme"
        oauth_issuer = "https://acme.auth.securid.com/oauth"
        keys = [
            { name = "siem", access_id = "0c6f7b1e-5c1b-4a44-9b0e-0f3b8a5f7a10", role = "help_desk", added = "2026-08-01" },
            { name = "am", access_id = "am-1", protected = true },
            { name = "export", client_type = "oauth", client_id = "CID", permissions = ["rsa.audit.admin"] },
            { name = "next", role = "super", owner = "vera@acme.example" },
        ]
    "#;

    fn check(toml: &str) -> Result<Checked, String> {
        let settings = driver::Settings { table: toml::from_str(toml).unwrap(), base_dir: "/".into() };
        let config: Config = settings.read().map_err(|error| error.to_string())?;
        config.check().map_err(|error| error.to_string())
    }

    #[track_caller]
    fn check_error(from: &str, to: &str, expected: &str) {
        let error = check(&GOOD.replace(from, to)).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn a_good_table_is_accepted() {
        let checked = check(GOOD).unwrap();
        let added: Vec<bool> = checked.keys.iter().map(|key| key.handle.is_some()).collect();
        assert_eq!(added, [true, true, true, false]);
        assert_eq!(checked.keys[0].added, Some("2026-08-01T00:00:00Z".parse().unwrap()));
    }

    #[test]
    fn every_error_names_its_key() {
        check_error("https://acme.access", "http://acme.access", "`endpoint`");
        check_error("\"acme\"", "\"a/b\"", "`tenant`");
        check_error("\"next\"", "\"siem\"", "two with the name \"siem\"");
        check_error("\"am-1\"", "\"0c6f7b1e-5c1b-4a44-9b0e-0f3b8a5f7a10\"", "twice");
        check_error("access_id = \"am-1\", ", "", "\"am\": it is protected");
        check_error("client_id = \"CID\"", "access_id = \"CID\"", "`client_id`");
        check_error("access_id = \"am-1\"", "client_id = \"am-1\"", "`access_id`");
        check_error("name = \"next\"", "name = \"next\", permissions = [\"rsa.user.read\"]", "`permissions`");
        check_error("permissions = [\"rsa.audit.admin\"]", "role = \"super\"", "`permissions`");
        check_error("2026-08-01", "in August", "`added`");
        check_error("oauth_issuer = \"https://acme.auth.securid.com/oauth\"", "", "`oauth_issuer`");
        check_error("role = \"super\"", "role = \"root\"", "super");
    }
}
