//! What may stand in which request.

use super::{
    config::Config,
    template::{Scope, is_name},
};

/// What the driver itself fills in about a version. A field of a secret of one of these names could not be told from it.
const ABOUT_A_VERSION: [&str; 10] =
    ["app", "app_id", "attempt", "credential", "id", "marker", "name", "replaces", "since", "title"];
/// And what it fills in beside that. No variable or secret of the configuration can have one of all these names.
const OF_THE_DRIVER: [&str; 4] = ["page", "password", "token", "username"];

/// By request what its templates may name.
pub(super) struct Scopes {
    pub base: Scope,
    public_fields: Vec<String>,
    secret_fields: Vec<String>,
    /// Fields of the secret that we choose.
    pub chosen: Vec<String>,
}

impl Scopes {
    pub(super) fn of(config: &Config) -> Result<Self, String> {
        let own = config.variables.keys().map(|name| ("variables", name));
        for (key, name) in own.chain(config.secrets.keys().map(|name| ("secrets", name))) {
            if !is_name(name) || ABOUT_A_VERSION.iter().chain(&OF_THE_DRIVER).any(|taken| taken == name) {
                return Err(format!(
                    "`{key}.{name}` cannot be a placeholder of yours: the driver has one of this name, or it is no name"
                ));
            }
        }
        if let Some(name) = config.secrets.keys().find(|name| config.variables.contains_key(*name)) {
            return Err(format!("`secrets.{name}` stands in `variables`, too"));
        }
        let base = Scope::default()
            .public(config.variables.keys().map(String::as_str))
            .public(config.username.as_ref().map(|_| "username"))
            .secret(config.password.as_ref().map(|_| "password"))
            .secret(config.secrets.keys().map(String::as_str));
        let told = config.issue.as_ref().and_then(|issue| issue.get("fields")?.as_table());
        let handed = config.handed_over.iter().flat_map(|table| table.fields.iter().cloned());
        let (public_fields, chosen): (Vec<_>, Vec<_>) = config.secret.iter().partition(|(_, table)| table.public);
        let names =
            |fields: Vec<(&String, _)>| -> Vec<String> { fields.into_iter().map(|(name, _)| name.clone()).collect() };
        let chosen = names(chosen);
        let secret_fields =
            told.into_iter().flat_map(|fields| fields.keys().cloned()).chain(handed).chain(chosen.clone());
        let secret_fields: Vec<String> = secret_fields.collect();
        let public_fields = names(public_fields);
        for name in secret_fields.iter().chain(&public_fields) {
            if !is_name(name) || ABOUT_A_VERSION.contains(&name.as_str()) || base.knows(name) {
                return Err(format!(
                    "the field {{{name}}} cannot be told from a placeholder of the same name, or is no name"
                ));
            }
        }
        Ok(Self { base, public_fields, secret_fields, chosen })
    }

    pub(super) fn app(&self) -> Scope {
        self.base.clone().public(["app", "app_id"])
    }

    pub(super) fn credential(&self) -> Scope {
        self.app().public(["credential"])
    }

    pub(super) fn version(&self) -> Scope {
        self.credential().public(["id"])
    }

    pub(super) fn issue(&self) -> Scope {
        self.credential()
            .public(["name", "title", "marker", "attempt", "replaces"])
            .secret(self.chosen.iter().map(String::as_str))
            .public(self.public_fields.iter().map(String::as_str))
    }

    pub(super) fn verify(&self) -> Scope {
        self.version()
            .secret(self.secret_fields.iter().map(String::as_str))
            .public(self.public_fields.iter().map(String::as_str))
    }
}
