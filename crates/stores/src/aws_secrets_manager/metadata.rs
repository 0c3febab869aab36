//! Credentials from what surrounds the program: the endpoint of its container, or the metadata of its instance.

use std::time::Duration;

use driver::{DriverError, Effect, Http, HttpRequest, HttpResponse, Kind, Method};
use jiff::Timestamp;
use serde::Deserialize;

use super::{
    answer::{parse, read_secret_file, unexpected},
    api::SecretText,
    credentials::{Authorization, Container, Credentials, Instance},
};

/// They answer at once or not at all: on a machine that is no instance, nobody listens there.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Ours is used within the second.
const TOKEN_TTL_SECONDS: &str = "60";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Minted {
    access_key_id: String,
    secret_access_key: SecretText,
    token: SecretText,
    expiration: Timestamp,
}

pub(super) async fn of_container(http: &dyn Http, container: &Container) -> Result<Credentials, DriverError> {
    const DOING: &str = "asking the container for credentials";
    let mut request = HttpRequest::new(Method::Get, container.address.clone()).header("accept", "application/json");
    let token = match &container.authorization {
        None => None,
        Some(Authorization::Token(token)) => Some(token.duplicate()),
        Some(Authorization::File(path)) => Some(read_secret_file(DOING, path)?),
    };
    if let Some(token) = token.as_ref().and_then(|token| token.expose_text()) {
        request = request.header("authorization", token);
    }
    minted(DOING, &send(http, DOING, request).await?)
}

pub(super) async fn of_instance(http: &dyn Http, instance: &Instance) -> Result<Credentials, DriverError> {
    const DOING: &str = "asking the instance's metadata for credentials";
    let at = |path: &str| {
        instance.address.join(path).map_err(|error| DriverError::refused(Kind::Invalid, error.to_string()))
    };
    let request = HttpRequest::new(Method::Put, at("/latest/api/token")?)
        .header("x-aws-ec2-metadata-token-ttl-seconds", TOKEN_TTL_SECONDS);
    let session = send(http, DOING, request).await.map_err(|mut error| {
        if instance.last_resort {
            error.message.push_str("; neither environment, profile, web identity nor a container offers any here");
        }
        error
    })?;
    let token = text(DOING, &session)?;
    let get = |path: &str| -> Result<HttpRequest, DriverError> {
        Ok(HttpRequest::new(Method::Get, at(path)?).header("x-aws-ec2-metadata-token", token))
    };
    let listed = send(http, DOING, get("/latest/meta-data/iam/security-credentials/")?).await?;
    let role = text(DOING, &listed)?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || "+=,.@-_".contains(c);
    if !role.chars().all(is_name) {
        return Err(unexpected(DOING, &listed, Effect::NotApplied, "the name of the role is not one"));
    }
    let path = format!("/latest/meta-data/iam/security-credentials/{role}");
    minted(DOING, &send(http, DOING, get(&path)?).await?)
}

async fn send(http: &dyn Http, doing: &str, mut request: HttpRequest) -> Result<HttpResponse, DriverError> {
    request.timeout = TIMEOUT;
    let response = http.send(request).await.map_err(|error| {
        let mut failed = DriverError::from(error);
        failed.effect = Effect::NotApplied;
        failed.message = format!("{doing}: {}", failed.message);
        failed
    })?;
    if response.is_success() {
        return Ok(response);
    }
    let kind = match response.status {
        429 => Kind::Throttled,
        500..=599 => Kind::Unavailable,
        _ => Kind::Unauthorized,
    };
    Err(DriverError::refused(kind, format!("{doing}: {}", response.status)))
}

fn text<'a>(doing: &str, response: &'a HttpResponse) -> Result<&'a str, DriverError> {
    std::str::from_utf8(&response.body.0)
        .ok()
        .map(str::trim)
        .filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()))
        .ok_or_else(|| unexpected(doing, response, Effect::NotApplied, "the answer is not one word"))
}

fn minted(doing: &str, response: &HttpResponse) -> Result<Credentials, DriverError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Verdict {
        /// Only instance metadata has it: `Success`, or what went wrong.
        code: Option<String>,
    }
    let verdict: Verdict = parse(doing, response, Effect::NotApplied)?;
    if verdict.code.is_some_and(|code| code != "Success") {
        return Err(DriverError::refused(Kind::Unauthorized, format!("{doing}: there are none for this role")));
    }
    let minted: Minted = parse(doing, response, Effect::NotApplied)?;
    Ok(Credentials {
        access_key_id: minted.access_key_id,
        secret_access_key: minted.secret_access_key.0,
        session_token: Some(minted.token.0),
        expires_at: Some(minted.expiration),
    })
}
