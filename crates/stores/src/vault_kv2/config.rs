//! The driver's keys in the configuration.

use std::path::{Path, PathBuf};

use domain::SecretPath;
use driver::{DriverError, InvalidSettings, Kind, SecretSource, SourceTable};
use schemars::JsonSchema;
use secret::Secret;
use serde::Deserialize;
use url::{Host, Url};

/// Where Kubernetes puts the token of a pod's service account.
const SERVICE_ACCOUNT_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// A KV v2 mount of HashiCorp Vault or OpenBao.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VaultSettings {
    /// Address of the server, without `/v1`. Must be https, except for a loopback host.
    address: String,
    /// Path of the mount. Default "secret".
    #[serde(default = "default_mount")]
    mount: String,
    /// The namespace of the mount: OpenBao, or Vault Enterprise.
    namespace: Option<String>,
    /// Whether the token may read values. `false`: a delivery is proved by what is recorded beside it. Default true.
    #[serde(default = "yes")]
    readable: bool,
    /// A path below which policies deliver, for example "apic": `keyrota check` looks at the token's rights there. Left
    /// out: at each policy's own path, with a name that nothing has.
    check_path: Option<String>,
    /// How to log in.
    auth: AuthSettings,
}

/// How to log in.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "method", rename_all = "lowercase", deny_unknown_fields)]
enum AuthSettings {
    /// With a token that somebody else made.
    Token { token: SecretSource },
    AppRole {
        role_id: SecretSource,
        /// Left out only where the role binds no secret id.
        secret_id: Option<SecretSource>,
        /// Instead of `secret_id`: the token of a response that wraps it. It is unwrapped once.
        wrapped_secret_id: Option<SecretSource>,
        /// Path of the auth method. Default "approle".
        mount: Option<String>,
        /// Where the auth method is, if not in the store's own namespace.
        namespace: Option<String>,
    },
    /// With a signed token of somebody whom the server trusts, such as a CI job's.
    Jwt {
        role: String,
        jwt: SecretSource,
        /// Path of the auth method. Default "jwt".
        mount: Option<String>,
        /// Where the auth method is, if not in the store's own namespace.
        namespace: Option<String>,
    },
    /// With the token of a pod's service account.
    Kubernetes {
        role: String,
        /// Default: the file that Kubernetes mounts into every pod.
        jwt: Option<SecretSource>,
        /// Path of the auth method. Default "kubernetes".
        mount: Option<String>,
        /// Where the auth method is, if not in the store's own namespace.
        namespace: Option<String>,
    },
}

fn default_mount() -> String {
    "secret".to_owned()
}

fn yes() -> bool {
    true
}

/// The configuration, checked.
#[derive(Debug)]
pub(super) struct Checked {
    pub address: Url,
    pub mount: String,
    pub namespace: Option<String>,
    pub readable: bool,
    pub check_path: Option<SecretPath>,
    pub account: Account,
}

/// Who logs in, and where.
#[derive(Debug)]
pub(super) struct Account {
    pub method: Method,
    pub mount: String,
    pub namespace: Option<String>,
}

#[derive(Debug)]
pub(super) enum Method {
    Token(Source),
    AppRole {
        role_id: Source,
        secret_id: SecretId,
    },
    /// JWT and Kubernetes: the same call with another mount.
    Jwt {
        role: String,
        jwt: Source,
    },
}

#[derive(Debug)]
pub(super) enum SecretId {
    None,
    Bare(Source),
    Wrapped(Source),
}

/// A secret that is fetched anew for every login: what renews it (a sidecar, the kubelet, the CI server) replaces the
/// file or answers anew to the command.
#[derive(Debug, Clone)]
pub(super) struct Source {
    key: &'static str,
    from: SecretSource,
    base_dir: PathBuf,
}

impl Source {
    /// Early refusal of what cannot work. A command is not run: what it gives may serve one login only.
    fn check(self) -> Result<Self, InvalidSettings> {
        if !matches!(self.from, SecretSource::From(SourceTable::Command(_))) {
            self.fetch()?;
        }
        Ok(self)
    }

    fn fetch(&self) -> Result<Secret, InvalidSettings> {
        let secret =
            self.from.read(&self.base_dir).map_err(|error| invalid(format!("`auth.{}`: {error}", self.key)))?;
        // It goes into a header or into JSON; the line break that an editor leaves at the end is none of it.
        match secret.expose_text().map(str::trim) {
            Some("") => Err(invalid(format!("`auth.{}` is empty", self.key))),
            Some(text) if text.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Secret::from_text(text)),
            _ => Err(invalid(format!("`auth.{}` holds more than printable ASCII characters", self.key))),
        }
    }

    /// Fetches the value now. May run a program, so not on the thread that drives everything else.
    pub(super) async fn read(&self) -> Result<Secret, DriverError> {
        let source = self.clone();
        let fetched = tokio::task::spawn_blocking(move || source.fetch()).await;
        let refused = |message: String| DriverError::refused(Kind::Unauthorized, message);
        fetched
            .map_err(|_| refused(format!("`auth.{}` could not be fetched", self.key)))?
            .map_err(|error| refused(error.0))
    }
}

impl VaultSettings {
    pub(super) fn check(self, base_dir: &Path) -> Result<Checked, InvalidSettings> {
        let check_path = match self.check_path {
            Some(text) => Some(
                SecretPath::parse(&text)
                    .map_err(|error| invalid(format!("`check_path` is \"{text}\", which is no path: {error}")))?,
            ),
            None => None,
        };
        let namespace = self.namespace.map(|text| path("namespace", &text)).transpose()?;
        let account = self.auth.check(namespace.as_deref(), base_dir)?;
        Ok(Checked {
            address: address(&self.address)?,
            mount: path("mount", &self.mount)?,
            namespace,
            readable: self.readable,
            check_path,
            account,
        })
    }
}

impl AuthSettings {
    fn check(self, namespace: Option<&str>, base_dir: &Path) -> Result<Account, InvalidSettings> {
        let source = |key, from| Source { key, from, base_dir: base_dir.to_owned() }.check();
        let (method, mount, default_mount, own_namespace) = match self {
            Self::Token { token } => (Method::Token(source("token", token)?), None, "token", None),
            Self::AppRole { role_id, secret_id, wrapped_secret_id, mount, namespace } => {
                let secret_id = match (secret_id, wrapped_secret_id) {
                    (None, None) => SecretId::None,
                    (Some(bare), None) => SecretId::Bare(source("secret_id", bare)?),
                    (None, Some(wrapped)) => SecretId::Wrapped(source("wrapped_secret_id", wrapped)?),
                    (Some(_), Some(_)) => {
                        return Err(invalid(
                            "`auth.wrapped_secret_id` stands instead of `auth.secret_id`, not beside it",
                        ));
                    }
                };
                (Method::AppRole { role_id: source("role_id", role_id)?, secret_id }, mount, "approle", namespace)
            }
            Self::Jwt { role, jwt, mount, namespace } => {
                (Method::Jwt { role: name(role)?, jwt: source("jwt", jwt)? }, mount, "jwt", namespace)
            }
            Self::Kubernetes { role, jwt, mount, namespace } => {
                let pod = || SecretSource::From(SourceTable::File(SERVICE_ACCOUNT_TOKEN.into()));
                let jwt = source("jwt", jwt.unwrap_or_else(pod))?;
                (Method::Jwt { role: name(role)?, jwt }, mount, "kubernetes", namespace)
            }
        };
        let own_namespace = own_namespace.map(|text| path("auth.namespace", &text)).transpose()?;
        Ok(Account {
            method,
            mount: path("auth.mount", mount.as_deref().unwrap_or(default_mount))?,
            namespace: own_namespace.or_else(|| namespace.map(str::to_owned)),
        })
    }
}

fn invalid(message: impl Into<String>) -> InvalidSettings {
    InvalidSettings(message.into())
}

fn name(role: String) -> Result<String, InvalidSettings> {
    if role.trim().is_empty() || role.chars().any(char::is_control) {
        return Err(invalid(format!("`auth.role` is \"{}\", which is no name", role.escape_default())));
    }
    Ok(role)
}

/// Segments as they stand in an address, without the slashes that people put around them.
fn path(key: &str, text: &str) -> Result<String, InvalidSettings> {
    let trimmed = text.trim_matches('/');
    let segment = |segment: &str| {
        !matches!(segment, "" | "." | "..") && segment.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    if !trimmed.split('/').all(segment) {
        return Err(invalid(format!("`{key}` is \"{}\", which is no path", text.escape_default())));
    }
    Ok(trimmed.to_owned())
}

fn address(text: &str) -> Result<Url, InvalidSettings> {
    let url = Url::parse(text).map_err(|error| invalid(format!("`address` is \"{text}\": {error}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("`address` holds a user name or password; how to log in is told in `auth`"));
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
                "`address` is \"{text}\": secrets go there, so it must be https (http is for loopback only)"
            )));
        }
        other => return Err(invalid(format!("`address` is \"{text}\": `{other}` is not https"))),
    }
    if url.query().is_some() || url.fragment().is_some() || url.path().trim_end_matches('/').ends_with("/v1") {
        return Err(invalid(format!("`address` is \"{text}\": it ends before `/v1`")));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        address = "https://vault.example.test:8200"
        mount = "team/secret/"
        auth = { method = "token", token = "canary-token" }
    "#;

    fn check(toml: &str) -> Result<Checked, String> {
        let settings = driver::Settings { table: toml::from_str(toml).unwrap(), base_dir: "/".into() };
        let settings: VaultSettings = settings.read().map_err(|error| error.to_string())?;
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
        assert_eq!((checked.mount.as_str(), checked.readable), ("team/secret", true));
        let debug = format!("{checked:?}");
        assert!(!debug.contains("canary"), "{debug}");
    }

    #[test]
    fn every_error_names_its_key() {
        check_error("https://vault", "http://vault", "`address`");
        check_error("https://vault", "vault", "`address`");
        check_error("https://", "https://me:canary@", "`address`");
        check_error(":8200", ":8200/v1/", "`address`");
        check_error("team/secret/", "team//secret", "`mount`");
        check_error("team/secret/", "..", "`mount`");
        check_error("mount", "mont", "mont");
        check_error("\"canary-token\"", "\"\"", "`auth.token`");
        check_error("\"canary-token\"", "\"canary token\"", "`auth.token`");
        check_error("\"canary-token\"", "{ env = \"KEYROTA_NOT_SET\" }", "`auth.token`");
        check_error("token = \"", "token = \"x\", tokn = \"", "tokn");
        check_error("\"token\", token", "\"approle\", role_id = \"r\", wrapped_secret_id = \"w\", secret_id", "beside");
        check_error("\"token\", token", "\"jwt\", role = \"\", jwt", "`auth.role`");
        check_error("\"token\", token", "\"ldap\", token", "ldap");
        check_error("mount =", "check_path = \"a//b\"\nmount =", "`check_path`");
    }

    #[test]
    fn every_method_has_its_usual_mount() {
        for (auth, mount) in [
            ("method = \"token\", token = \"t\"", "token"),
            ("method = \"approle\", role_id = \"r\", secret_id = \"s\"", "approle"),
            ("method = \"approle\", role_id = \"r\", wrapped_secret_id = \"s\", mount = \"ci/approle\"", "ci/approle"),
            ("method = \"jwt\", role = \"r\", jwt = \"a.b.c\"", "jwt"),
            ("method = \"kubernetes\", role = \"r\", jwt = \"a.b.c\"", "kubernetes"),
        ] {
            let checked = check(&GOOD.replace("method = \"token\", token = \"canary-token\"", auth)).unwrap();
            assert_eq!(checked.account.mount, mount);
        }
    }

    #[test]
    fn a_login_can_be_in_another_namespace_than_the_mount() {
        let jwt = "method = \"jwt\", role = \"r\", jwt = \"a.b.c\"";
        let toml = GOOD.replace("method = \"token\", token = \"canary-token\"", jwt) + "namespace = \"team1\"\n";
        let checked = check(&toml).unwrap();
        assert_eq!(checked.account.namespace.as_deref(), Some("team1"));
        let checked = check(&toml.replace("role = \"r\"", "role = \"r\", namespace = \"admin/\"")).unwrap();
        assert_eq!(
            (checked.namespace.as_deref(), checked.account.namespace.as_deref()),
            (Some("team1"), Some("admin"))
        );
    }
}
