//! What `keyrota check` finds out without changing anything.

use domain::SecretPath;
use driver::{DriverError, Effect, HttpRequest, HttpResponse, Kind, Method};

use super::{
    VaultStore,
    answer::{Intent, parse, refusal},
    api::{Envelope, Health, Mount},
    fitness::{NO_SECRET, has, one_version},
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
            (true, true) => "sealed: whoever holds the keys unseals it",
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
        let says = described(&found.description);
        if let Some((says, wanted)) =
            says.zip(self.asked.environment.as_deref()).filter(|(says, wanted)| says != wanted)
        {
            let why = format!(
                "wrong place: `{mount}` belongs to the environment `{says}`, as its description says, and the store is \
                 configured for `{wanted}`"
            );
            return Err(DriverError::refused(Kind::Invalid, why));
        }
        Ok(match says {
            Some(environment) => format!("`{mount}` is KV version 2, of environment `{environment}`"),
            None => format!("`{mount}` is KV version 2"),
        })
    }

    /// The rights where policies deliver, and the proof that writes are compared there.
    async fn check_rights(&self) -> Result<String, DriverError> {
        if self.asked.written.is_empty() && !self.asked.read.is_empty() {
            return self.check_reading().await;
        }
        let named = match &self.check_path {
            Some(path) => vec![beneath(path)?],
            None => self.asked.written.clone(),
        };
        for at in &named {
            let missing = self.missing_rights(at).await?;
            if !missing.is_empty() {
                return Err(self.lacks(&missing));
            }
        }
        if let Some(at) = named.first() {
            let tried = self.impossible_write(at).await?;
            if tried.status == 403 {
                let why = format!("the token may not write `{}`", self.client.name("data", at));
                return Err(DriverError::refused(Kind::Forbidden, why));
            }
            return Ok("the token may write, and writes are compared before they are made".to_owned());
        }
        let anywhere = SecretPath::parse(NO_SECRET).map_err(|error| no_path(&error))?;
        // A server that checks no rights takes this write.
        self.impossible_write(&anywhere).await?;
        Ok("no policy delivers here, so no rights were looked at".to_owned())
    }

    /// The login of an application, through which deliveries are read back.
    async fn check_reading(&self) -> Result<String, DriverError> {
        for at in &self.asked.read {
            let data = self.client.name("data", at);
            let rights = self.rights(std::slice::from_ref(&data)).await?;
            if rights.is_some_and(|rights| !has(&rights, &data, "read")) {
                return Err(self.lacks(&[format!("`read` on `{data}`")]));
            }
        }
        Ok("the token may read what is delivered".to_owned())
    }

    fn lacks(&self, missing: &[String]) -> DriverError {
        let mut why = format!("the token lacks rights where policies deliver: {}", missing.join(", "));
        if self.check_path.is_none() {
            why.push_str("; if its own policy names places one by one, name one of them as `check_path`");
        }
        DriverError::refused(Kind::Forbidden, why)
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

fn beneath(path: &SecretPath) -> Result<SecretPath, DriverError> {
    SecretPath::parse(&format!("{path}/{NO_SECRET}")).map_err(|error| no_path(&error))
}

fn no_path(error: &domain::InvalidId) -> DriverError {
    DriverError::refused(Kind::Invalid, error.to_string())
}

fn no_such_mount(error: DriverError, response: &HttpResponse) -> DriverError {
    let hint = match response.status {
        403 => "the mount is not there, or the token has no right in it: correct `mount` or `namespace`, or the policy",
        _ => return error,
    };
    DriverError { message: format!("{}; {hint}", error.message), ..error }
}
