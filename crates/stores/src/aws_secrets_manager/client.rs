//! Calls to Secrets Manager: signed, tried again where nothing has changed yet, read into types.

use std::{sync::Arc, time::Duration};

use driver::{
    Attempts, Body, Clock, DriverError, Effect, Entropy, Http, HttpRequest, HttpResponse, Kind, Method, Ports,
};
use secret::Secret;
use serde::Serialize;
use url::Url;

use super::{
    answer::{Intent, is_about_credentials, parse, refusal, unexpected},
    api::{AddTags, Create, Described, Kept, MoveLabel, OfSecret, OfVersion, Put, Tag, Written},
    credentials::Login,
    sigv4::{self, Scope},
    value::{Encoded, Payload},
};

/// Of one call, when AWS throttles or is away: rides out a burst of seconds. The engine comes back for more.
pub(super) const ATTEMPTS: Attempts =
    Attempts { count_max: 4, pause_first: Duration::from_millis(200), asked_longest: Duration::from_secs(10) };

#[derive(Debug)]
pub(super) struct Client {
    http: Arc<dyn Http>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    endpoint: Url,
    region: String,
    login: Login,
}

impl Client {
    pub(super) fn new(ports: &Ports, endpoint: Url, region: String, login: Login) -> Self {
        let Ports { http, clock, entropy } = ports.clone();
        Self { http, clock, entropy, endpoint, region, login }
    }

    pub(super) fn login(&self) -> &Login {
        &self.login
    }

    pub(super) fn region(&self) -> &str {
        &self.region
    }

    /// `None`: there is no such secret.
    pub(super) async fn describe(&self, name: &str) -> Result<Option<Described>, DriverError> {
        let doing = format!("looking at the secret `{name}`");
        let response = self.call("DescribeSecret", &doing, Intent::Read, &OfSecret { secret_id: name }).await;
        absent_is_none(response)?.map(|response| parse(&doing, &response, Effect::NotApplied)).transpose()
    }

    /// `None`: there is no such version, or none with a value.
    pub(super) async fn value(&self, name: &str, version: &str) -> Result<Option<Kept>, DriverError> {
        let doing = format!("reading version {version} of the secret `{name}`");
        let body = OfVersion { secret_id: name, version_id: version };
        let response = self.call("GetSecretValue", &doing, Intent::Read, &body).await;
        absent_is_none(response)?.map(|response| parse(&doing, &response, Effect::NotApplied)).transpose()
    }

    /// A secret without a version. There already is `Kind::Conflict`.
    pub(super) async fn create(
        &self,
        name: &str,
        token: &str,
        tags: &[Tag],
        kms_key_id: Option<&str>,
    ) -> Result<(), DriverError> {
        let doing = format!("creating the secret `{name}`");
        let body = Create { name, client_request_token: token, tags, kms_key_id };
        self.call("CreateSecret", &doing, Intent::Write, &body).await.map(|_| ())
    }

    pub(super) async fn tag(&self, name: &str, tags: &[Tag]) -> Result<(), DriverError> {
        let doing = format!("tagging the secret `{name}`");
        self.call("TagResource", &doing, Intent::Write, &AddTags { secret_id: name, tags }).await.map(|_| ())
    }

    /// Adds a version with one label. The same version with the same value changes nothing; with another value it is
    /// `Kind::Conflict`.
    pub(super) async fn put(&self, name: &str, value: &Encoded, label: &str) -> Result<(), DriverError> {
        let doing = format!("writing version {} of the secret `{name}`", value.version);
        let (text, binary) = match &value.payload {
            Payload::Text(text) => (text.expose_text(), None),
            Payload::Binary(text) => (None, text.expose_text()),
        };
        let body = Put {
            secret_id: name,
            client_request_token: &value.version,
            secret_string: text,
            secret_binary: binary,
            version_stages: [label],
        };
        let hide: Vec<&Secret> = value.secrets().collect();
        let response = self.call_with("PutSecretValue", &doing, Intent::Write, &body, &hide).await?;
        let written: Written = parse(&doing, &response, Effect::Unknown)?;
        if written.version_id != value.version {
            return Err(unexpected(&doing, &response, Effect::Unknown, "the answer is about another version"));
        }
        Ok(())
    }

    /// Takes a label from one version and gives it to the other. A label that is not on `from` is `Kind::Invalid`.
    pub(super) async fn move_label(
        &self,
        name: &str,
        label: &str,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<(), DriverError> {
        let doing = format!("moving {label} of the secret `{name}`");
        let body =
            MoveLabel { secret_id: name, version_stage: label, remove_from_version_id: from, move_to_version_id: to };
        self.call("UpdateSecretVersionStage", &doing, Intent::Write, &body).await.map(|_| ())
    }

    async fn call(
        &self,
        operation: &str,
        doing: &str,
        intent: Intent,
        body: &impl Serialize,
    ) -> Result<HttpResponse, DriverError> {
        self.call_with(operation, doing, intent, body, &[]).await
    }

    /// `hide`: what is secret in the body.
    async fn call_with(
        &self,
        operation: &str,
        doing: &str,
        intent: Intent,
        body: &impl Serialize,
        hide: &[&Secret],
    ) -> Result<HttpResponse, DriverError> {
        let body = serde_json::to_vec(body).map_err(|error| DriverError::refused(Kind::Invalid, error.to_string()))?;
        let mut request = HttpRequest::new(Method::Post, self.endpoint.clone())
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", format!("secretsmanager.{operation}"));
        request.body = Body(body.into());
        ATTEMPTS.make(&*self.clock, &*self.entropy, || self.send(doing, intent, &request, hide)).await
    }

    /// Once, or twice where the credentials ended meanwhile and others are to be had.
    async fn send(
        &self,
        doing: &str,
        intent: Intent,
        request: &HttpRequest,
        hide: &[&Secret],
    ) -> Result<HttpResponse, DriverError> {
        let mut renewed = false;
        loop {
            let credentials = self.login.credentials().await?;
            let scope = Scope { region: &self.region, service: "secretsmanager" };
            let signed = sigv4::sign(request.clone(), &credentials, scope, self.clock.now());
            let response = self.http.send(signed).await.map_err(|error| {
                let message = format!("{doing} at {}: {error}", self.endpoint);
                let mut failed = DriverError { message, ..DriverError::from(error) };
                if intent == Intent::Read {
                    failed.effect = Effect::NotApplied;
                }
                failed
            })?;
            if response.is_success() {
                return Ok(response);
            }
            if !renewed && is_about_credentials(&response) && self.login.forget(&credentials).await {
                renewed = true;
                continue;
            }
            let hide: Vec<&Secret> = hide.iter().copied().chain(credentials.secrets()).collect();
            return Err(refusal(doing, intent, &response, &hide));
        }
    }
}

fn absent_is_none(response: Result<HttpResponse, DriverError>) -> Result<Option<HttpResponse>, DriverError> {
    match response {
        Ok(response) => Ok(Some(response)),
        Err(error) if error.kind == Kind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
