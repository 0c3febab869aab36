//! Access policies for people, kept by the same server.

use async_trait::async_trait;
use driver::{DriverError, Effect, HttpRequest, Kind, Method, PolicyHost};
use serde::Deserialize;
use serde_json::json;

use super::{
    VaultStore,
    answer::{Intent, is_absent, parse, refusal},
    api::Envelope,
};

#[derive(Debug, Deserialize)]
struct PolicyText {
    policy: String,
}

#[async_trait]
impl PolicyHost for VaultStore {
    async fn read_policy(&self, name: &str) -> Result<Option<String>, DriverError> {
        let doing = format!("reading the policy `{name}`");
        let response = self.client.get(&doing, self.policy_url(name)?).await?;
        if is_absent(&response) {
            return Ok(None);
        }
        if !response.is_success() {
            return Err(lacks(refusal(&doing, Intent::Read, &response, &[]), r#"["read"]"#, name));
        }
        let told: Envelope<PolicyText> = parse(&doing, &response, Effect::NotApplied)?;
        Ok(Some(told.data.policy))
    }

    async fn write_policy(&self, name: &str, text: &str) -> Result<(), DriverError> {
        let doing = format!("writing the policy `{name}`");
        let request = HttpRequest::new(Method::Put, self.policy_url(name)?).json(&json!({ "policy": text }));
        let response = self.client.exchange(&doing, request).await?;
        if response.is_success() {
            return Ok(());
        }
        Err(lacks(refusal(&doing, Intent::Write, &response, &[]), r#"["create", "update"]"#, name))
    }
}

impl VaultStore {
    fn policy_url(&self, name: &str) -> Result<url::Url, DriverError> {
        self.client.server().url(["sys", "policies", "acl", name])
    }
}

/// Says what the login's own policy would need.
fn lacks(error: DriverError, capabilities: &str, name: &str) -> DriverError {
    match error.kind {
        Kind::Forbidden => {
            let message = format!(
                "{}; the login's own policy needs `capabilities = {capabilities}` on `sys/policies/acl/{name}`",
                error.message
            );
            DriverError { message, ..error }
        }
        _ => error,
    }
}
