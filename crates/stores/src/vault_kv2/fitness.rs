//! Whether a place can be delivered to: what the server will certainly refuse, or take away again by itself, is known
//! before a successor is issued for it. Asked whenever a place is looked at, and answered once for each.

use std::{collections::BTreeMap, sync::PoisonError};

use domain::SecretPath;
use driver::{DriverError, Effect, Kind};
use serde_json::json;

use super::{
    VaultStore,
    answer::{Intent, parse, refusal},
    api::{Envelope, KvConfig, Mount},
    place::Place,
};
use crate::Asked;

/// What a mount that says nothing keeps of each secret.
const VERSIONS_BY_DEFAULT: u64 = 10;
/// Stands for every secret beside it. Never written.
pub(super) const NO_SECRET: &str = Asked::NO_NAME;

/// A path and what a token may do there; `root`: everything.
pub(super) type Rights = BTreeMap<String, Vec<String>>;

/// What is known to be as it should be.
#[derive(Debug, Default)]
pub(super) struct Fit {
    places: std::sync::Mutex<std::collections::HashSet<SecretPath>>,
    /// The mount is KV version 2, and writes are compared there.
    mount: std::sync::atomic::AtomicBool,
}

impl Fit {
    fn has(&self, at: &SecretPath) -> bool {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).contains(at)
    }

    fn keep(&self, at: &SecretPath) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).insert(at.clone());
    }
}

impl VaultStore {
    /// # Errors
    /// `Kind::Invalid` or `Kind::Forbidden`: a delivery there would be refused, or would not last.
    pub(super) async fn refuse_unfit(&self, at: &SecretPath, seen: &Place) -> Result<(), DriverError> {
        if self.fit.has(at) {
            return Ok(());
        }
        self.refuse_other_mount().await?;
        let rights = self.rights_to_write(at).await?;
        if let Some(rights) = &rights {
            let data = self.client.name("data", at);
            let may = |capability: &str| has(rights, &data, capability);
            // The login of an application that reads back what it finds is asked for no more than reading.
            if may("read") && !may("create") && !may("update") {
                self.fit.keep(at);
                return Ok(());
            }
            self.refuse_missing(at, seen, rights)?;
        }
        self.refuse_short_lived(at, seen).await?;
        if rights.is_some() {
            self.prove_mount(at).await?;
        }
        self.fit.keep(at);
        Ok(())
    }

    /// With a single version kept, the write itself would take the previous one away; with a time after which versions
    /// are deleted, readers would one day get nothing.
    pub(super) async fn refuse_short_lived(&self, at: &SecretPath, seen: &Place) -> Result<(), DriverError> {
        let config = self.mount_config().await?;
        let of_mount = config.as_ref().map(|config| config.max_versions).filter(|kept| *kept > 0);
        let name = self.client.name("metadata", at);
        let (kept, kept_by) = match seen.max_versions {
            0 => (of_mount.unwrap_or(VERSIONS_BY_DEFAULT), self.config_name()),
            kept => (kept, name.clone()),
        };
        if kept < 2 {
            return Err(one_version(&kept_by));
        }
        if is_set(&seen.delete_version_after) {
            return Err(deletes_by_itself(&name, &seen.delete_version_after));
        }
        self.refuse_deleting_mount(config.as_ref())
    }

    pub(super) fn refuse_deleting_mount(&self, config: Option<&KvConfig>) -> Result<(), DriverError> {
        match config.filter(|config| is_set(&config.delete_version_after)) {
            Some(config) => Err(deletes_by_itself(&self.config_name(), &config.delete_version_after)),
            None => Ok(()),
        }
    }

    pub(super) fn config_name(&self) -> String {
        format!("{}/config", self.client.mount())
    }

    /// `None`: the token may not read it.
    pub(super) async fn mount_config(&self) -> Result<Option<KvConfig>, DriverError> {
        const DOING: &str = "reading the settings of the mount";
        let Some(response) = self.client.look(DOING, self.client.of_mount("config")?).await? else { return Ok(None) };
        let config: Envelope<KvConfig> = parse(DOING, &response, Effect::NotApplied)?;
        Ok(Some(config.data))
    }

    /// By the mount's own word, where the token may hear it.
    async fn refuse_other_mount(&self) -> Result<(), DriverError> {
        const DOING: &str = "reading the mount";
        if self.fit.mount.load(std::sync::atomic::Ordering::Acquire) {
            return Ok(());
        }
        match self.client.look(DOING, self.client.mount_facts()?).await? {
            Some(response) => {
                let mount: Envelope<Mount> = parse(DOING, &response, Effect::NotApplied)?;
                self.refuse_other_kind(&mount.data)
            }
            None => Ok(()),
        }
    }

    pub(super) fn refuse_other_kind(&self, found: &Mount) -> Result<(), DriverError> {
        let version = found.options.as_ref().and_then(|options| options.get("version")).map(String::as_str);
        if found.kind == "kv" && version == Some("2") {
            return Ok(());
        }
        let mount = self.client.mount();
        let (what, advice) = match (found.kind.as_str(), version) {
            ("kv", version) => (
                format!("KV version {}", version.unwrap_or("1")),
                format!("; upgrade it (`bao kv enable-versioning {mount}`), or deliver to another mount"),
            ),
            (kind, _) => (format!("a mount of type `{}`", kind.escape_default()), "; name another `mount`".to_owned()),
        };
        let why =
            format!("`{mount}` is {what}: only KV version 2 compares before it writes and keeps versions{advice}");
        Err(DriverError::refused(Kind::Invalid, why))
    }

    /// Before the first value goes there: that the mount keeps its word. A mount whose rights do not reach beside `at`
    /// is believed.
    pub(super) async fn prove_mount(&self, at: &SecretPath) -> Result<(), DriverError> {
        if self.fit.mount.load(std::sync::atomic::Ordering::Acquire) {
            return Ok(());
        }
        self.refuse_other_mount().await?;
        let beside = match at.as_str().rsplit_once('/') {
            Some((folder, _)) => format!("{folder}/{NO_SECRET}"),
            None => NO_SECRET.to_owned(),
        };
        let beside =
            SecretPath::parse(&beside).map_err(|error| DriverError::refused(Kind::Invalid, error.to_string()))?;
        self.impossible_write(&beside).await?;
        self.fit.mount.store(true, std::sync::atomic::Ordering::Release);
        Ok(())
    }

    async fn rights_to_write(&self, at: &SecretPath) -> Result<Option<Rights>, DriverError> {
        self.rights(&[self.client.name("data", at), self.client.name("metadata", at)]).await
    }

    /// `None`: the token may not ask.
    pub(super) async fn rights(&self, paths: &[String]) -> Result<Option<Rights>, DriverError> {
        const DOING: &str = "asking for the token's rights";
        let url = self.client.server().url(["sys", "capabilities-self"])?;
        let response = self.client.post(DOING, url, &json!({ "paths": paths })).await?;
        if matches!(response.status, 403 | 404) {
            return Ok(None);
        }
        if !response.is_success() {
            return Err(refusal(DOING, Intent::Read, &response, &[]));
        }
        let told: Envelope<Rights> = parse(DOING, &response, Effect::NotApplied)?;
        Ok(Some(told.data))
    }

    /// What the next delivery needs: a place that is there already needs less.
    fn refuse_missing(&self, at: &SecretPath, seen: &Place, rights: &Rights) -> Result<(), DriverError> {
        let of_data: &[&str] = if seen.newest > 0 { &["update"] } else { &["create", "update"] };
        let of_metadata: &[&str] = if seen.exists { &["read", "patch"] } else { &["create", "read", "patch"] };
        let reads: &[&str] = if self.readable { &["read"] } else { &[] };
        let wanted = [("data", of_data), ("metadata", of_metadata), ("data", reads)];
        let missing = self.missing(at, &wanted, rights);
        if missing.is_empty() {
            return Ok(());
        }
        let mut why = format!("the token lacks rights: {}", missing.join(", "));
        let data = self.client.name("data", at);
        if self.readable && !has(rights, &data, "read") {
            why.push_str("; without the right to read values, set `readable = false`");
        }
        Err(DriverError::refused(Kind::Forbidden, why))
    }

    /// As lines of a policy.
    pub(super) fn missing(&self, at: &SecretPath, wanted: &[(&str, &[&str])], rights: &Rights) -> Vec<String> {
        let each = wanted.iter().flat_map(|(part, capabilities)| {
            let path = self.client.name(part, at);
            capabilities.iter().map(move |capability| (path.clone(), *capability))
        });
        each.filter(|(path, capability)| !has(rights, path, capability))
            .map(|(path, capability)| format!("`{capability}` on `{path}`"))
            .collect()
    }
}

pub(super) fn has(rights: &Rights, path: &str, wanted: &str) -> bool {
    rights.get(path).is_some_and(|told| told.iter().any(|have| have == wanted || have == "root"))
}

pub(super) fn one_version(name: &str) -> DriverError {
    let why = format!(
        "`{name}` keeps one version only, so the previous value would not outlive the overlap: set its `max_versions` \
         to 2 or more"
    );
    DriverError::refused(Kind::Invalid, why)
}

fn deletes_by_itself(name: &str, after: &str) -> DriverError {
    let why = format!(
        "`{name}` deletes every version {} after it was written, so readers would get nothing from then on: set its \
         `delete_version_after` to 0s",
        after.escape_default()
    );
    DriverError::refused(Kind::Invalid, why)
}

/// `0s`, or nothing: versions stay. A negative time says so too.
fn is_set(after: &str) -> bool {
    !after.starts_with('-') && after.bytes().any(|byte| (b'1'..=b'9').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_nothing_is_none() {
        for (after, expected) in
            [("", false), ("0s", false), ("0", false), ("-1s", false), ("12s", true), ("1h0m0s", true)]
        {
            assert_eq!(is_set(after), expected, "{after}");
        }
    }
}
