//! Where the credentials come from, decided once from the environment and the files, in the order of AWS's own
//! programs: environment, shared profile, web identity, container, instance.

use std::path::Path;

use driver::InvalidSettings;
use secret::Secret;
use url::{Host, Url};

use super::{
    config::is_loopback,
    credentials::{Authorization, Container, Credentials, Instance, Origin, Role, WebIdentity, fixed},
    profile::{FileKind, Profiles},
    variables::Variables,
};

/// Credentials to begin with, and the roles that they take on, one after the other.
#[derive(Debug)]
pub(super) struct Chain {
    pub origin: Origin,
    pub roles: Vec<Role>,
}

impl Chain {
    pub(super) fn new(origin: Origin) -> Self {
        Self { origin, roles: Vec::new() }
    }

    /// For people: where they come from, without any of them.
    pub(super) fn describe(&self) -> String {
        let roles = self.roles.iter().map(|role| format!(", then the role {}", role.arn));
        format!("{}{}", self.origin.describe(), roles.collect::<String>())
    }
}

/// What the settings say of it.
#[derive(Debug, Default)]
pub(super) struct Wanted<'a> {
    /// Nothing but this profile is used.
    pub profile: Option<&'a str>,
    /// Instead of `~/.aws/credentials`; nothing but this file is used.
    pub credentials_file: Option<&'a Path>,
}

/// The chain, and the region of the profile where it names one.
pub(super) fn resolve(wanted: &Wanted<'_>, variables: &Variables) -> Result<(Chain, Option<String>), InvalidSettings> {
    let profiles = read_files(wanted, variables)?;
    let named = wanted.profile.or_else(|| variables.get("AWS_PROFILE"));
    let profile = named.unwrap_or("default");
    if named.is_some() && !profiles.has(profile) {
        return Err(InvalidSettings(format!("there is no AWS profile `{profile}`")));
    }
    let region = profiles.get(profile, "region").map(str::to_owned);
    let only_files = wanted.profile.is_some() || wanted.credentials_file.is_some();
    if !only_files && let Some(origin) = environment(variables)? {
        return Ok((Chain::new(origin), region));
    }
    if let Some(chain) = profiles.chain(profile, variables)? {
        return Ok((chain, region));
    }
    if only_files {
        return Err(InvalidSettings(format!("the AWS profile `{profile}` has no credentials")));
    }
    let origin = match web_identity(variables) {
        Some(origin) => Some(origin),
        None => container(variables)?,
    };
    let origin = match origin {
        Some(origin) => Some(origin),
        None => instance(variables, true)?,
    };
    let nothing = || {
        InvalidSettings(
            "there are no AWS credentials: none in the environment, no profile, no web identity, no container, and \
             instance metadata is switched off"
                .to_owned(),
        )
    };
    Ok((Chain::new(origin.ok_or_else(nothing)?), region))
}

fn read_files(wanted: &Wanted<'_>, variables: &Variables) -> Result<Profiles, InvalidSettings> {
    let mut profiles = Profiles::default();
    if let Some(file) = wanted.credentials_file {
        if !profiles.read(file, FileKind::Credentials)? {
            return Err(InvalidSettings(format!("`credentials_file`: {} is not there", file.display())));
        }
        return Ok(profiles);
    }
    let place =
        |variable: &str, name: &str| variables.get(variable).map(Into::into).or_else(|| variables.aws_file(name));
    if let Some(file) = place("AWS_CONFIG_FILE", "config") {
        profiles.read(&file, FileKind::Config)?;
    }
    if let Some(file) = place("AWS_SHARED_CREDENTIALS_FILE", "credentials") {
        profiles.read(&file, FileKind::Credentials)?;
    }
    Ok(profiles)
}

pub(super) fn environment(variables: &Variables) -> Result<Option<Origin>, InvalidSettings> {
    match (variables.get("AWS_ACCESS_KEY_ID"), variables.get("AWS_SECRET_ACCESS_KEY")) {
        (Some(id), Some(key)) => {
            let credentials = Credentials {
                access_key_id: id.to_owned(),
                secret_access_key: Secret::from_text(key),
                session_token: variables.get("AWS_SESSION_TOKEN").map(Secret::from_text),
                expires_at: None,
            };
            Ok(Some(fixed(credentials, "the environment".to_owned())))
        }
        (None, None) => Ok(None),
        _ => Err(InvalidSettings(
            "one of the environment variables `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` is set, not both"
                .to_owned(),
        )),
    }
}

fn web_identity(variables: &Variables) -> Option<Origin> {
    Some(Origin::WebIdentity(WebIdentity {
        token_file: variables.get("AWS_WEB_IDENTITY_TOKEN_FILE")?.into(),
        role_arn: variables.get("AWS_ROLE_ARN")?.to_owned(),
        session_name: variables.get("AWS_ROLE_SESSION_NAME").unwrap_or(Role::SESSION_NAME).to_owned(),
    }))
}

pub(super) fn container(variables: &Variables) -> Result<Option<Origin>, InvalidSettings> {
    let relative = variables.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    let (name, address) = match (relative, variables.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")) {
        (Some(path), _) => {
            let path = path.trim_start_matches('/');
            ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", format!("http://169.254.170.2/{path}"))
        }
        (None, Some(full)) => ("AWS_CONTAINER_CREDENTIALS_FULL_URI", full.to_owned()),
        (None, None) => return Ok(None),
    };
    let authorization = match variables.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
        Some(file) => Some(Authorization::File(file.into())),
        None => variables
            .get("AWS_CONTAINER_AUTHORIZATION_TOKEN")
            .map(|token| Authorization::Token(Secret::from_text(token))),
    };
    Ok(Some(Origin::Container(Container { address: near(name, &address)?, authorization })))
}

pub(super) fn instance(variables: &Variables, last_resort: bool) -> Result<Option<Origin>, InvalidSettings> {
    if variables.get("AWS_EC2_METADATA_DISABLED").is_some_and(|word| word.eq_ignore_ascii_case("true")) {
        return Ok(None);
    }
    let name = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
    let address = near(name, variables.get(name).unwrap_or("http://169.254.169.254/"))?;
    Ok(Some(Origin::Instance(Instance { address, last_resort })))
}

/// Credentials travel there: by TLS, or not beyond this machine and its hypervisor.
fn near(name: &str, text: &str) -> Result<Url, InvalidSettings> {
    let url = Url::parse(text).map_err(|error| InvalidSettings(format!("`{name}` is no address: {error}")))?;
    let is_near = match url.host() {
        Some(Host::Ipv4(address)) => address.is_link_local(),
        // The two addresses that AWS has given to its own.
        Some(Host::Ipv6(address)) => address.segments().starts_with(&[0xfd00, 0xec2]),
        _ => false,
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_near || is_loopback(&url) => Ok(url),
        _ => Err(InvalidSettings(format!(
            "`{name}` is {}: credentials come from there, so it must be https, or http on this machine",
            url.origin().ascii_serialization()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(pairs: &[(&str, &str)]) -> Result<String, String> {
        let variables = Variables::of(pairs.iter().copied());
        let wanted = Wanted::default();
        resolve(&wanted, &variables).map(|(chain, _)| chain.describe()).map_err(|error| error.to_string())
    }

    const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "AKIA1"), ("AWS_SECRET_ACCESS_KEY", "canary")];
    const WEB: [(&str, &str); 2] = [("AWS_WEB_IDENTITY_TOKEN_FILE", "/no/token"), ("AWS_ROLE_ARN", "arn:web")];
    const ECS: (&str, &str) = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials");

    #[test]
    fn the_order_is_that_of_awss_own_programs() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("credentials");
        std::fs::write(&file, "[default]\naws_access_key_id=AKIA2\naws_secret_access_key=canary\n").unwrap();
        let shared = ("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap());

        assert_eq!(origin(&[KEYS[0], KEYS[1], shared, WEB[0], WEB[1], ECS]).unwrap(), "the environment");
        assert_eq!(origin(&[shared, WEB[0], WEB[1], ECS]).unwrap(), "the AWS profile `default`");
        assert_eq!(origin(&[WEB[0], WEB[1], ECS]).unwrap(), "web identity for the role arn:web");
        assert_eq!(origin(&[ECS]).unwrap(), "the container's credentials at http://169.254.170.2");
        assert_eq!(origin(&[]).unwrap(), "the instance's credentials at http://169.254.169.254");
        let error = origin(&[("AWS_EC2_METADATA_DISABLED", "true")]).unwrap_err();
        assert!(error.contains("no AWS credentials"), "{error}");
    }

    #[test]
    fn a_profile_that_is_asked_for_must_be_there() {
        let error = origin(&[("AWS_PROFILE", "ops")]).unwrap_err();
        assert!(error.contains("`ops`"), "{error}");
        let wanted = Wanted { profile: Some("ops"), ..Wanted::default() };
        let error = resolve(&wanted, &Variables::of(KEYS)).unwrap_err().to_string();
        assert!(error.contains("`ops`"), "{error}");
    }

    #[test]
    fn half_a_pair_is_refused() {
        let error = origin(&[KEYS[1]]).unwrap_err();
        assert!(error.contains("not both") && !error.contains("canary"), "{error}");
    }

    #[test]
    fn credentials_do_not_come_from_afar_in_clear() {
        for address in ["http://10.0.0.1/", "http://example.test/", "http://[fd00:ec3::1]/"] {
            let error = origin(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", address)]).unwrap_err();
            assert!(error.contains("https"), "{error}");
            origin(&[("AWS_EC2_METADATA_SERVICE_ENDPOINT", address)]).unwrap_err();
        }
        for address in
            ["http://127.0.0.1:80/x", "http://169.254.170.23/v1", "http://[fd00:ec2::23]/v1", "https://example.test/"]
        {
            origin(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", address)]).unwrap();
        }
    }
}
