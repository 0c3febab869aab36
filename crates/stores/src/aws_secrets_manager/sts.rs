//! Security Token Service: who we are, and roles to take on.

use std::{sync::Arc, time::Duration};

use driver::{Body, Clock, DriverError, Effect, Entropy, Http, HttpRequest, HttpResponse, Kind, Method, Ports};
use jiff::Timestamp;
use secret::Secret;
use url::{Url, form_urlencoded::Serializer};

use super::{
    answer::{Intent, read_secret_file, refusal, unexpected},
    client::ATTEMPTS,
    credentials::{Credentials, Role, WebIdentity},
    sigv4::{self, Scope},
    xml,
};

const VERSION: &str = "2011-06-15";
/// Of a request, by their names in it.
const SECRET_FIELDS: [&str; 2] = ["ExternalId", "WebIdentityToken"];

/// Whom AWS takes us for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    pub account: String,
    pub arn: String,
}

#[derive(Debug)]
pub(super) struct Sts {
    http: Arc<dyn Http>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    endpoint: Url,
    region: String,
}

impl Sts {
    pub(super) fn new(ports: &Ports, endpoint: Url, region: String) -> Self {
        let Ports { http, clock, entropy } = ports.clone();
        Self { http, clock, entropy, endpoint, region }
    }

    /// Needs no permission.
    pub(super) async fn caller(&self, credentials: &Credentials) -> Result<Caller, DriverError> {
        const DOING: &str = "asking AWS who we are";
        let response = self.call(DOING, &[("Action", "GetCallerIdentity")], Some(credentials)).await?;
        let document = std::str::from_utf8(&response.body.0).unwrap_or_default();
        let caller = (xml::text(document, "Account"), xml::text(document, "Arn"));
        let (Some(account), Some(arn)) = caller else {
            return Err(unexpected(DOING, &response, Effect::NotApplied, "the answer names no account"));
        };
        Ok(Caller { account, arn })
    }

    pub(super) async fn assume(&self, base: &Credentials, role: &Role) -> Result<Credentials, DriverError> {
        let doing = format!("assuming the role {}", role.arn);
        let mut form = vec![("Action", "AssumeRole"), ("RoleArn", &role.arn), ("RoleSessionName", &role.session_name)];
        if let Some(external_id) = &role.external_id {
            form.push(("ExternalId", external_id));
        }
        minted(&doing, &self.call(&doing, &form, Some(base)).await?)
    }

    /// Not signed: the token is the proof.
    pub(super) async fn assume_by_web_identity(&self, identity: &WebIdentity) -> Result<Credentials, DriverError> {
        let doing = format!("assuming the role {} by web identity", identity.role_arn);
        let token = read_secret_file(&doing, &identity.token_file)?;
        let form = [
            ("Action", "AssumeRoleWithWebIdentity"),
            ("RoleArn", &identity.role_arn),
            ("RoleSessionName", &identity.session_name),
            ("WebIdentityToken", token.expose_text().unwrap_or_default()),
        ];
        minted(&doing, &self.call(&doing, &form, None).await?)
    }

    /// Nothing here changes anything, so that what failed in passing is tried again.
    async fn call(
        &self,
        doing: &str,
        form: &[(&str, &str)],
        signer: Option<&Credentials>,
    ) -> Result<HttpResponse, DriverError> {
        ATTEMPTS.make(&*self.clock, &*self.entropy, || self.call_once(doing, form, signer)).await
    }

    async fn call_once(
        &self,
        doing: &str,
        form: &[(&str, &str)],
        signer: Option<&Credentials>,
    ) -> Result<HttpResponse, DriverError> {
        let body = Serializer::new(String::new()).extend_pairs(form).append_pair("Version", VERSION).finish();
        let mut request = HttpRequest::new(Method::Post, self.endpoint.clone())
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8");
        request.body = Body(body.into());
        request.timeout = Duration::from_secs(10);
        if let Some(credentials) = signer {
            let scope = Scope { region: &self.region, service: "sts" };
            request = sigv4::sign(request, credentials, scope, self.clock.now());
        }
        let response = self.http.send(request).await.map_err(|error| {
            let message = format!("{doing} at {}: {error}", self.endpoint);
            DriverError { message, effect: Effect::NotApplied, ..DriverError::from(error) }
        })?;
        if response.is_success() {
            return Ok(response);
        }
        let secret = form.iter().filter(|(name, _)| SECRET_FIELDS.contains(name));
        let sent: Vec<Secret> = secret.map(|(_, value)| Secret::from_text(*value)).collect();
        let hide: Vec<&Secret> = sent.iter().chain(signer.into_iter().flat_map(Credentials::secrets)).collect();
        let mut error = refusal(doing, Intent::Read, &response, &hide);
        // A role that is refused is a login that is refused: it concerns everything, not this one secret.
        if matches!(error.kind, Kind::Forbidden | Kind::Invalid | Kind::NotFound) {
            error.kind = Kind::Unauthorized;
        }
        Err(error)
    }
}

fn minted(doing: &str, response: &HttpResponse) -> Result<Credentials, DriverError> {
    let document = std::str::from_utf8(&response.body.0).unwrap_or_default();
    let part = |element| xml::text(document, element).filter(|text| !text.is_empty());
    let expires_at = part("Expiration").and_then(|text| text.parse::<Timestamp>().ok());
    match (part("AccessKeyId"), part("SecretAccessKey"), part("SessionToken"), expires_at) {
        (Some(access_key_id), Some(key), Some(token), Some(expires_at)) => Ok(Credentials {
            access_key_id,
            secret_access_key: Secret::from_text(key),
            session_token: Some(Secret::from_text(token)),
            expires_at: Some(expires_at),
        }),
        _ => Err(unexpected(doing, response, Effect::NotApplied, "the answer holds no credentials")),
    }
}
