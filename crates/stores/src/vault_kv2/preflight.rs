//! What `keyrota check` finds out without changing anything.

use domain::SecretPath;
use driver::{DriverError, Effect, HttpRequest, HttpResponse, Kind, Method};

use super::{
    VaultStore,
    answer::{Intent, parse, refusal},
    api::{Envelope, Health, Mount},
    fitness::{NO_SECRET, one_version},
    inspect::described,
};

impl VaultStore {
    pub(super) async fn preflight(&self) -> Result<Vec<String>, DriverError> {
        let mut passed = vec![self.check_health().await?];
        self.client.login().token().await?;
        passed.push(format!("logged in with {}", self.client.login().describe()));
        passed.push(self.check_mount().await?);
        let config = self.mount_config().await?;
        if config.as_ref().is_some_and(|config| config.max_versions == 1) {
            return Err(one_version(&self.config_name()));
        }
        self.refuse_deleting_mount(config.as_ref())?;
        passed.push(self.check_rights().await?);
        Ok(passed)
    }

    async fn check_health(&self) -> Result<String, DriverError> {
        const DOING: &str = "reading `sys/health`";
        // Told outside of any namespace only.
        let server = self.client.server().without_namespace();
        let mut url = server.url(["sys", "health"])?;
        // Standbys serve as well; everything that does not serve answers with its state all the same.
        for state in ["standbyok", "perfstandbyok"] {
            url.query_pairs_mut().append_pair(state, "true");
        }
        for state in ["uninitcode", "sealedcode"] {
            url.query_pairs_mut().append_pair(state, "200");
        }
        let response = server.send(HttpRequest::new(Method::Get, url)).await?;
        if !response.is_success() {
            return Err(refusal(DOING, Intent::Read, &response, &[]));
        }
        let health: Health = parse(DOING, &response, Effect::NotApplied)?;
        let state = match (health.initialized, health.sealed) {
            (false, _) => "not initialised",
            (true, true) => "sealed",
            (true, false) => return Ok(format!("the server is up and unsealed (version {})", health.version)),
        };
        Err(DriverError::refused(Kind::Unavailable, format!("the server is {state}")))
    }

    /// The mount's own word. That it keeps it is tried afterwards.
    async fn check_mount(&self) -> Result<String, DriverError> {
        let mount = self.client.mount();
        let doing = format!("reading the mount `{mount}`");
        let response = self.client.get(&doing, self.client.mount_facts()?).await?;
        if !response.is_success() {
            return Err(no_such_mount(refusal(&doing, Intent::Read, &response, &[]), &response));
        }
        let found: Envelope<Mount> = parse(&doing, &response, Effect::NotApplied)?;
        let found = found.data;
        self.refuse_other_kind(&found)?;
        Ok(match described(&found.description) {
            Some(environment) => format!("`{mount}` is KV version 2, of environment `{environment}`"),
            None => format!("`{mount}` is KV version 2"),
        })
    }

    /// The rights at a path where policies deliver, and the proof that writes are compared there.
    async fn check_rights(&self) -> Result<String, DriverError> {
        let place = match &self.check_path {
            Some(path) => format!("{path}/{NO_SECRET}"),
            None => NO_SECRET.to_owned(),
        };
        let at = SecretPath::parse(&place).map_err(|error| DriverError::refused(Kind::Invalid, error.to_string()))?;
        let missing = self.missing_rights(&at).await?;
        match (&self.check_path, missing.is_empty()) {
            (_, true) => {}
            (Some(path), false) => {
                let why = format!("the token lacks rights below `{path}`: {}", missing.join(", "));
                return Err(DriverError::refused(Kind::Forbidden, why));
            }
            (None, false) => {
                // A server that checks no rights takes this write, whatever it said of them.
                self.impossible_write(&at).await?;
                return Ok("rights were not looked at: name a path that policies deliver to as `check_path`".to_owned());
            }
        }
        let tried = self.impossible_write(&at).await?;
        if tried.status == 403 {
            let why = format!("the token may not write `{}`", self.client.name("data", &at));
            return Err(DriverError::refused(Kind::Forbidden, why));
        }
        Ok("the token may write, and writes are compared before they are made".to_owned())
    }

    /// As lines of a policy. Empty too where the token may not ask.
    async fn missing_rights(&self, at: &SecretPath) -> Result<Vec<String>, DriverError> {
        let reads: &[&str] = if self.readable { &["read"] } else { &[] };
        let wanted: [(&str, &[&str]); 4] = [
            ("data", &["create", "update"]),
            ("metadata", &["create", "read", "patch"]),
            ("destroy", &["update"]),
            ("data", reads),
        ];
        let paths: Vec<String> = wanted.iter().map(|(part, _)| self.client.name(part, at)).collect();
        let rights = self.rights(&paths).await?;
        Ok(rights.map(|rights| self.missing(at, &wanted, &rights)).unwrap_or_default())
    }
}

fn no_such_mount(error: DriverError, response: &HttpResponse) -> DriverError {
    let hint = match response.status {
        403 => "the mount is not there, or the token has no right in it",
        _ => return error,
    };
    DriverError { message: format!("{}; {hint}", error.message), ..error }
}
