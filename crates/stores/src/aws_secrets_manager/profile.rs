//! The files that the AWS command line keeps: `~/.aws/config` and `~/.aws/credentials`.

use std::{collections::BTreeMap, fmt, path::Path};

use driver::InvalidSettings;
use secret::Secret;

use super::{
    chain::{Chain, container, environment, instance},
    credentials::{Credentials, Origin, Role, WebIdentity, fixed},
    variables::Variables,
};

/// Profiles may name each other as a source; nobody stacks more.
const SOURCES_MAX: usize = 8;

/// Every profile of both files, keys in lower case. Debug prints names alone.
#[derive(Default)]
pub(super) struct Profiles(BTreeMap<String, BTreeMap<String, String>>);

impl fmt::Debug for Profiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.0.keys().collect();
        write!(f, "Profiles({names:?})")
    }
}

/// In `config` a section is called `profile NAME`, in `credentials` just `NAME`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileKind {
    Config,
    Credentials,
}

impl Profiles {
    /// Adds a file, which wins over those read before. A file that is not there is no file.
    pub(super) fn read(&mut self, path: &Path, kind: FileKind) -> Result<bool, InvalidSettings> {
        match std::fs::read_to_string(path) {
            Ok(text) => {
                self.add(&text, kind);
                Ok(true)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(InvalidSettings(format!("{} cannot be read: {error}", path.display()))),
        }
    }

    fn add(&mut self, text: &str, kind: FileKind) {
        let mut section: Option<String> = None;
        for line in text.lines() {
            let is_nested = line.starts_with([' ', '\t']);
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(heading) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(name, _)| name) {
                section = profile_name(heading, kind);
                continue;
            }
            // An indented line belongs to the setting of another service.
            let (Some(section), Some((key, value)), false) = (&section, line.split_once('='), is_nested) else {
                continue;
            };
            let value = [" #", " ;", "\t#", "\t;"]
                .iter()
                .fold(value, |value, mark| value.split_once(mark).map_or(value, |(before, _)| before));
            let profile = self.0.entry(section.clone()).or_default();
            profile.insert(key.trim().to_lowercase(), value.trim().to_owned());
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(super) fn get(&self, profile: &str, key: &str) -> Option<&str> {
        self.0.get(profile)?.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Where the credentials of a profile come from; `None` when it says nothing of credentials.
    pub(super) fn chain(&self, name: &str, variables: &Variables) -> Result<Option<Chain>, InvalidSettings> {
        self.resolve(name, variables, &mut Vec::new())
    }

    fn resolve(
        &self,
        name: &str,
        variables: &Variables,
        visited: &mut Vec<String>,
    ) -> Result<Option<Chain>, InvalidSettings> {
        let refused = |why: &str| InvalidSettings(format!("the AWS profile `{name}` {why}"));
        // As a source for another profile, keys of its own come first; else a role does.
        let keys = self.keys(name)?;
        let repeated = visited.iter().any(|seen| seen == name);
        if let Some(keys) = &keys
            && (!visited.is_empty() || self.get(name, "role_arn").is_none())
        {
            return Ok(Some(Chain::new(fixed(keys.duplicate(), format!("the AWS profile `{name}`")))));
        }
        if repeated || visited.len() >= SOURCES_MAX {
            return Err(refused("is a source of itself"));
        }
        visited.push(name.to_owned());
        let Some(role_arn) = self.get(name, "role_arn") else { return self.unsupported(name).map(|()| None) };
        if self.get(name, "mfa_serial").is_some() {
            return Err(refused("wants a code from a person (`mfa_serial`), which a machine cannot give"));
        }
        let role = Role {
            arn: role_arn.to_owned(),
            external_id: self.get(name, "external_id").map(str::to_owned),
            session_name: self.get(name, "role_session_name").unwrap_or(Role::SESSION_NAME).to_owned(),
        };
        if let Some(file) = self.get(name, "web_identity_token_file") {
            let identity = WebIdentity { token_file: file.into(), role_arn: role.arn, session_name: role.session_name };
            return Ok(Some(Chain::new(Origin::WebIdentity(identity))));
        }
        let mut chain = match (self.get(name, "source_profile"), self.get(name, "credential_source")) {
            (Some(source), None) if self.has(source) => self.resolve(source, variables, visited)?,
            (Some(source), None) => return Err(refused(&format!("names the source `{source}`, which is not there"))),
            (None, Some("Environment")) => environment(variables)?.map(Chain::new),
            (None, Some("EcsContainer")) => container(variables)?.map(Chain::new),
            (None, Some("Ec2InstanceMetadata")) => instance(variables, false)?.map(Chain::new),
            _ => return Err(refused("has a `role_arn`, but not one `source_profile` or `credential_source`")),
        }
        .ok_or_else(|| refused("names a source that has no credentials"))?;
        chain.roles.push(role);
        Ok(Some(chain))
    }

    fn keys(&self, name: &str) -> Result<Option<Credentials>, InvalidSettings> {
        match (self.get(name, "aws_access_key_id"), self.get(name, "aws_secret_access_key")) {
            (Some(id), Some(key)) => Ok(Some(Credentials {
                access_key_id: id.to_owned(),
                secret_access_key: Secret::from_text(key),
                session_token: self.get(name, "aws_session_token").map(Secret::from_text),
                expires_at: None,
            })),
            (None, None) => Ok(None),
            _ => Err(InvalidSettings(format!(
                "the AWS profile `{name}` has one of `aws_access_key_id` and `aws_secret_access_key`, not both"
            ))),
        }
    }

    /// Ways to log in that we do not have are refused by name, instead of going on with somebody else's credentials.
    fn unsupported(&self, name: &str) -> Result<(), InvalidSettings> {
        let instead = "use keys, a role or web identity instead";
        for key in ["sso_session", "sso_start_url", "credential_process", "login_session"] {
            if self.get(name, key).is_some() {
                return Err(InvalidSettings(format!("the AWS profile `{name}` logs in by `{key}`: {instead}")));
            }
        }
        Ok(())
    }
}

fn profile_name(heading: &str, kind: FileKind) -> Option<String> {
    let heading = heading.trim();
    match (kind, heading.split_once(char::is_whitespace)) {
        (FileKind::Credentials, _) => Some(heading.to_owned()),
        (FileKind::Config, None) if heading == "default" => Some(heading.to_owned()),
        (FileKind::Config, Some(("profile", name))) => Some(name.trim().to_owned()),
        (FileKind::Config, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profiles(config: &str, credentials: &str) -> Profiles {
        let mut profiles = Profiles::default();
        profiles.add(config, FileKind::Config);
        profiles.add(credentials, FileKind::Credentials);
        profiles
    }

    fn chain(profiles: &Profiles, name: &str) -> Result<Option<Chain>, String> {
        profiles.chain(name, &Variables::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn both_files_make_one_profile() {
        let it = profiles(
            "# a comment\n[default]\nregion = eu-west-1 # here\n[profile ops]\nregion=eu-central-1\n\
             s3 =\n  max_queue_size = 1\naws_access_key_id = OLD\n[sso-session ops]\nregion = us-east-1\n",
            "[ops]\naws_access_key_id=AKIA1\naws_secret_access_key = canary=with=signs\n",
        );
        assert_eq!(it.get("default", "region"), Some("eu-west-1"));
        assert_eq!(it.get("ops", "region"), Some("eu-central-1"));
        assert_eq!(it.get("ops", "max_queue_size"), None);
        let chain = chain(&it, "ops").unwrap().unwrap();
        let Origin::Fixed(credentials, _) = &chain.origin else { panic!("{chain:?}") };
        assert_eq!(credentials.access_key_id, "AKIA1");
        assert_eq!(credentials.secret_access_key.expose_text(), Some("canary=with=signs"));
        assert!(!format!("{it:?} {chain:?}").contains("canary"));
    }

    #[test]
    fn roles_stack_from_the_inside_out() {
        let it = profiles(
            "[profile a]\nrole_arn=arn:a\nsource_profile=b\nexternal_id=x\n\
             [profile b]\nrole_arn=arn:b\nsource_profile=c\nrole_session_name=s\n",
            "[c]\naws_access_key_id=AKIA1\naws_secret_access_key=canary\n",
        );
        let roles = chain(&it, "a").unwrap().unwrap().roles;
        let seen: Vec<_> =
            roles.iter().map(|role| (&*role.arn, role.external_id.as_deref(), &*role.session_name)).collect();
        assert_eq!(seen, [("arn:b", None, "s"), ("arn:a", Some("x"), "keyrota")]);
    }

    #[test]
    fn a_profile_may_be_its_own_source_only_with_keys() {
        let keys = "[a]\naws_access_key_id=AKIA1\naws_secret_access_key=canary\n";
        let config = "[profile a]\nrole_arn=arn:a\nsource_profile=a\n";
        assert_eq!(chain(&profiles(config, keys), "a").unwrap().unwrap().roles.len(), 1);
        let error = chain(&profiles(config, ""), "a").unwrap_err();
        assert!(error.contains("source of itself"), "{error}");
    }

    #[track_caller]
    fn check_error(config: &str, expected: &str) {
        let error = chain(&profiles(&format!("[default]\n{config}"), ""), "default").unwrap_err();
        assert!(error.contains(expected) && error.contains("`default`"), "{error}");
        assert!(!error.contains("canary"), "{error}");
    }

    #[test]
    fn what_cannot_be_done_is_refused_by_name() {
        check_error("sso_session = corp", "`sso_session`");
        check_error("sso_start_url = https://corp.example.test", "`sso_start_url`");
        check_error("credential_process = /bin/cat", "`credential_process`");
        check_error("aws_secret_access_key = canary", "not both");
        check_error("role_arn = arn:a", "`source_profile` or `credential_source`");
        check_error("role_arn = arn:a\nsource_profile = nobody", "`nobody`");
        check_error("role_arn = arn:a\nsource_profile = x\nmfa_serial = m", "`mfa_serial`");
        check_error("role_arn = arn:a\ncredential_source = Environment", "no credentials");
    }

    #[test]
    fn a_profile_without_credentials_is_none() {
        assert!(chain(&profiles("[default]\nregion = x\n", ""), "default").unwrap().is_none());
        assert!(chain(&Profiles::default(), "default").unwrap().is_none());
    }
}
