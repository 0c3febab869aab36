//! The driver's own keys, and what becomes of them together with the environment.

use std::path::{Path, PathBuf};

use driver::InvalidSettings;
use schemars::JsonSchema;
use serde::Deserialize;
use url::{Host, Url};

use super::{
    chain::{self, Chain, Wanted},
    credentials::Role,
    variables::Variables,
};

/// AWS Secrets Manager: one region of one account.
///
/// Credentials come by the chain that AWS's own programs use: environment, shared profile, web identity, container,
/// instance.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// For example `eu-central-1`. Left out: that of the environment or of the profile.
    region: Option<String>,
    /// Address of every AWS service, instead of the region's own: a private endpoint, or an emulator. Must be https,
    /// except for a loopback host.
    endpoint: Option<String>,
    /// Address of Security Token Service, where it differs from `endpoint`.
    sts_endpoint: Option<String>,
    /// The account that must be reached, twelve digits. Anything else is refused before anything is issued.
    account_id: Option<String>,
    /// Profile of the shared files. Credentials then come from nowhere else.
    profile: Option<String>,
    /// File of credentials, instead of `~/.aws/credentials`. Credentials then come from nowhere else.
    credentials_file: Option<PathBuf>,
    /// A role to take on with these credentials.
    assume_role: Option<AssumeRole>,
    /// The KMS key of secrets that are created, by id, ARN or alias. Left out: `aws/secretsmanager`.
    kms_key_id: Option<String>,
    /// The tag that says to which environment a secret belongs.
    #[serde(default = "default_environment_tag")]
    environment_tag: String,
    /// Whether values may be read back and compared (GetSecretValue). Without it, versions are told by their ids.
    #[serde(default = "default_readable")]
    readable: bool,
}

/// A role of this or another account.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AssumeRole {
    role_arn: String,
    /// What the role's owner wants to hear.
    external_id: Option<String>,
    /// Shows in CloudTrail. Default `keyrota`.
    session_name: Option<String>,
}

fn default_environment_tag() -> String {
    "environment".to_owned()
}

fn default_readable() -> bool {
    true
}

/// The configuration, checked, with the way to its credentials.
#[derive(Debug)]
pub(super) struct Checked {
    pub region: String,
    pub endpoint: Url,
    pub sts_endpoint: Url,
    pub chain: Chain,
    pub options: Options,
}

/// What the store itself heeds.
#[derive(Debug)]
pub(super) struct Options {
    pub account_id: Option<String>,
    pub kms_key_id: Option<String>,
    pub environment_tag: String,
    pub readable: bool,
}

impl Config {
    pub(super) fn check(self, base_dir: &Path, variables: &Variables) -> Result<Checked, InvalidSettings> {
        let credentials_file = self.credentials_file.map(|file| base_dir.join(file));
        let wanted = Wanted { profile: self.profile.as_deref(), credentials_file: credentials_file.as_deref() };
        let (mut chain, profile_region) = chain::resolve(&wanted, variables)?;
        chain.roles.extend(self.assume_role.map(AssumeRole::check).transpose()?);

        let of_environment = || variables.get("AWS_REGION").or_else(|| variables.get("AWS_DEFAULT_REGION"));
        let region = self.region.or_else(|| of_environment().map(str::to_owned)).or(profile_region);
        let region =
            region.ok_or_else(|| invalid("`region` is missing, and neither environment nor profile name one"))?;
        if !region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            || region.is_empty()
        {
            return Err(invalid(format!("`region` is \"{}\", which is no region", region.escape_default())));
        }

        let endpoint = |own: Option<(&str, String)>, variable: &str, service: &str| {
            let own = own.map(|(key, text)| (key.to_owned(), text));
            let given = own.or_else(|| {
                let name = [variable, "AWS_ENDPOINT_URL"].into_iter().find(|name| variables.get(name).is_some())?;
                Some((name.to_owned(), variables.get(name)?.to_owned()))
            });
            match given {
                Some((key, text)) => address(&key, &text),
                None => address("region", &regional(service, &region)),
            }
        };
        let of_both = self.endpoint.map(|text| ("endpoint", text));
        let of_sts = self.sts_endpoint.map(|text| ("sts_endpoint", text)).or_else(|| of_both.clone());
        Ok(Checked {
            endpoint: endpoint(of_both, "AWS_ENDPOINT_URL_SECRETS_MANAGER", "secretsmanager")?,
            sts_endpoint: endpoint(of_sts, "AWS_ENDPOINT_URL_STS", "sts")?,
            chain,
            options: Options {
                account_id: self.account_id.map(account).transpose()?,
                kms_key_id: self.kms_key_id.map(|id| not_empty("kms_key_id", id)).transpose()?,
                environment_tag: not_empty("environment_tag", self.environment_tag)?,
                readable: self.readable,
            },
            region,
        })
    }
}

impl AssumeRole {
    fn check(self) -> Result<Role, InvalidSettings> {
        if !self.role_arn.starts_with("arn:") {
            return Err(invalid(format!("`role_arn` is \"{}\", which is no ARN", self.role_arn.escape_default())));
        }
        let session_name = self.session_name.unwrap_or_else(|| Role::SESSION_NAME.to_owned());
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
        if !(2..=64).contains(&session_name.len()) || !session_name.bytes().all(is_name) {
            return Err(invalid("`session_name` has 2 to 64 letters, digits or `_+=,.@-`"));
        }
        Ok(Role { arn: self.role_arn, external_id: self.external_id, session_name })
    }
}

fn invalid(message: impl Into<String>) -> InvalidSettings {
    InvalidSettings(message.into())
}

fn not_empty(key: &str, text: String) -> Result<String, InvalidSettings> {
    if text.trim().is_empty() { Err(invalid(format!("`{key}` is empty"))) } else { Ok(text) }
}

fn account(text: String) -> Result<String, InvalidSettings> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(text)
    } else {
        Err(invalid(format!("`account_id` is \"{}\", not twelve digits", text.escape_default())))
    }
}

fn regional(service: &str, region: &str) -> String {
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://{service}.{region}.{domain}/")
}

fn address(key: &str, text: &str) -> Result<Url, InvalidSettings> {
    let url = Url::parse(text).map_err(|error| invalid(format!("`{key}` is no address: {error}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid(format!("`{key}` holds a user name or password, for which AWS has no use")));
    }
    if url.query().is_some() || url.fragment().is_some() || url.path() != "/" {
        return Err(invalid(format!("`{key}` is \"{text}\": it ends with the host")));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        _ => Err(invalid(format!(
            "`{key}` is \"{text}\": secrets go there, so it must be https (http is for loopback only)"
        ))),
    }
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(domain)) => domain == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "AKIA1"), ("AWS_SECRET_ACCESS_KEY", "canary-key")];

    fn check(toml: &str, more: &[(&str, &str)]) -> Result<Checked, String> {
        let settings = driver::Settings { table: toml::from_str(toml).unwrap(), base_dir: "/".into() };
        let config: Config = settings.read().map_err(|error| error.to_string())?;
        let variables = Variables::of(KEYS.iter().chain(more).copied());
        config.check(Path::new("/"), &variables).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn check_addresses(toml: &str, more: &[(&str, &str)], secrets: &str, sts: &str) {
        let checked = check(toml, more).unwrap();
        assert_eq!((checked.endpoint.as_str(), checked.sts_endpoint.as_str()), (secrets, sts));
    }

    #[test]
    fn addresses_follow_from_the_region_unless_given() {
        let toml = "region = \"eu-central-1\"";
        let regional = "https://secretsmanager.eu-central-1.amazonaws.com/";
        check_addresses(toml, &[], regional, "https://sts.eu-central-1.amazonaws.com/");
        let china = "https://secretsmanager.cn-north-1.amazonaws.com.cn/";
        check_addresses("", &[("AWS_REGION", "cn-north-1")], china, "https://sts.cn-north-1.amazonaws.com.cn/");

        let local = ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566");
        check_addresses(toml, &[local], "http://127.0.0.1:4566/", "http://127.0.0.1:4566/");
        let sts = ("AWS_ENDPOINT_URL_STS", "https://sts.example.test");
        check_addresses(toml, &[local, sts], "http://127.0.0.1:4566/", "https://sts.example.test/");
        let own = "region = \"x-1\"\nendpoint = \"http://localhost:1\"";
        check_addresses(own, &[local, sts], "http://localhost:1/", "http://localhost:1/");
        let both = format!("{own}\nsts_endpoint = \"https://sts.x.test\"");
        check_addresses(&both, &[local], "http://localhost:1/", "https://sts.x.test/");
    }

    #[test]
    fn the_region_may_come_from_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        std::fs::write(&file, "[default]\nregion = eu-west-3\n").unwrap();
        let config = ("AWS_CONFIG_FILE", file.to_str().unwrap());
        assert_eq!(check("", &[config]).unwrap().region, "eu-west-3");
        assert_eq!(check("", &[config, ("AWS_DEFAULT_REGION", "eu-west-2")]).unwrap().region, "eu-west-2");
        assert_eq!(check("region = \"eu-west-1\"", &[config]).unwrap().region, "eu-west-1");
        assert!(check("", &[]).unwrap_err().contains("`region`"));
    }

    #[track_caller]
    fn check_error(toml: &str, expected: &str) {
        let error = check(&format!("region = \"eu-central-1\"\n{toml}"), &[]).unwrap_err();
        assert!(error.contains(expected) && !error.contains("canary"), "{error}");
    }

    #[test]
    fn every_error_names_its_key() {
        check_error("endpoint = \"http://example.test\"", "`endpoint`");
        check_error("endpoint = \"https://me:canary@example.test\"", "`endpoint`");
        check_error("endpoint = \"https://example.test/path\"", "`endpoint`");
        check_error("sts_endpoint = \"http://example.test\"", "`sts_endpoint`");
        check_error("account_id = \"12345\"", "`account_id`");
        check_error("kms_key_id = \"\"", "`kms_key_id`");
        check_error("environment_tag = \"\"", "`environment_tag`");
        check_error("profile = \"ops\"", "`ops`");
        check_error("credentials_file = \"not-there\"", "`credentials_file`");
        check_error("assume_role = { role_arn = \"role\" }", "`role_arn`");
        check_error("assume_role = { role_arn = \"arn:aws:iam::1:role/x\", session_name = \"a b\" }", "`session_name`");
        check_error("assume_role = { role = \"x\" }", "role");
        check_error("secret_access_key = \"canary\"", "secret_access_key");
        assert!(check("region = \"eu central\"", &[]).unwrap_err().contains("`region`"));
    }

    #[test]
    fn an_endpoint_of_the_environment_is_held_to_the_same_rule() {
        let error = check("region = \"x\"", &[("AWS_ENDPOINT_URL", "http://10.0.0.1")]).unwrap_err();
        assert!(error.contains("`AWS_ENDPOINT_URL`"), "{error}");
    }

    #[test]
    fn no_secret_shows() {
        let checked = check("region = \"x\"\nassume_role = { role_arn = \"arn:aws:iam::1:role/r\" }", &[]).unwrap();
        assert_eq!(checked.chain.describe(), "the environment, then the role arn:aws:iam::1:role/r");
        let debug = format!("{checked:?}");
        assert!(!debug.contains("canary"), "{debug}");
    }
}
