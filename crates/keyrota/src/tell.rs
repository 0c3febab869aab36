//! Telling consumers of a new version: a signed call, a program, a file. Nothing that is told is secret.

use std::{process::Stdio, sync::Arc, time::Duration};

use async_trait::async_trait;
use driver::{Body, DriverError, Effect, Http, HttpRequest, Kind, Method, SecretSource};
use engine::{News, Teller};
use serde_json::{Value, json};
use url::Url;
use whole_file::Readers;

/// Longer than any reload takes; a program that hangs is ended, and tried again later.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);

/// Calls an address, signed by Standard Webhooks.
#[derive(Debug)]
pub(crate) struct Webhook {
    pub(crate) url: Url,
    pub(crate) secret: SecretSource,
    pub(crate) base_dir: std::path::PathBuf,
    pub(crate) http: Arc<dyn Http>,
}

/// Runs a program. It inherits no environment but where to find programs.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) program: String,
    pub(crate) arguments: Vec<String>,
}

/// Writes a file anew, as a whole: whoever watches it sees the old content or the new one. Its reader may well be
/// another user, and nothing in it is secret.
#[derive(Debug)]
pub(crate) struct File(pub(crate) std::path::PathBuf);

fn body(news: &News<'_>) -> Value {
    let destinations: Vec<String> = news.destinations.iter().map(ToString::to_string).collect();
    json!({
        "type": "keyrota.credential.promoted",
        "timestamp": news.at.to_string(),
        "data": {
            "credential": news.credential.as_str(),
            "consumer": news.consumer,
            "version": news.version.0,
            "rotation": news.rotation.as_str(),
            "destinations": destinations,
        }
    })
}

/// The signature is over `id.time.body`, so an identifier holds no full stop, and a header no line break.
fn in_an_id(name: &str) -> String {
    let escaped = |c: char| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => c.to_string(),
        other => format!("~{:x}", u32::from(other)),
    };
    name.chars().map(escaped).collect()
}

fn refused(message: String) -> DriverError {
    DriverError::refused(Kind::Unavailable, message)
}

#[async_trait]
impl Teller for Webhook {
    async fn tell(&self, news: &News<'_>) -> Result<(), DriverError> {
        let to = format!("telling `{}`", news.consumer);
        let key = self.secret.fetch(&self.base_dir).await;
        let key = key.map_err(|error| refused(format!("{to}: its secret: {error}")))?;
        // The same for every attempt at the same news, so that a receiver can drop a repetition.
        let id = format!("msg_{}_{}_{}", news.rotation.as_str(), news.version.0, in_an_id(news.consumer));
        let body = body(news).to_string().into_bytes();
        let signed = notifiers::webhook::signed(&key, &id, news.at.as_second(), &body)
            .map_err(|error| DriverError::refused(Kind::Invalid, format!("{to}: {error}")))?;
        let mut request = HttpRequest::new(Method::Post, self.url.clone()).header("content-type", "application/json");
        request.headers.extend(signed);
        request.body = Body(body.into());
        let response = self.http.send(request).await?;
        if response.is_success() {
            return Ok(());
        }
        Err(refused(format!("{to}: {} answered {}", self.url.host_str().unwrap_or("it"), response.status)))
    }
}

#[async_trait]
impl Teller for Command {
    async fn tell(&self, news: &News<'_>) -> Result<(), DriverError> {
        let to = format!("telling `{}` by `{}`", news.consumer, self.program);
        let mut command = tokio::process::Command::new(&self.program);
        command.args(&self.arguments).env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        for name in ["PATH", "HOME", "LANG", "TMPDIR"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command
            .env("KEYROTA_CREDENTIAL", news.credential.as_str())
            .env("KEYROTA_CONSUMER", news.consumer)
            .env("KEYROTA_VERSION", news.version.0.to_string())
            .env("KEYROTA_ROTATION", news.rotation.as_str())
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| refused(format!("{to}: {error}")))?;
        match tokio::time::timeout(COMMAND_TIMEOUT, child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(refused(format!("{to}: it ended with {status}"))),
            Ok(Err(error)) => Err(DriverError::new(Kind::Unavailable, Effect::Unknown, format!("{to}: {error}"))),
            Err(_) => Err(refused(format!("{to}: it did not end within {} s", COMMAND_TIMEOUT.as_secs()))),
        }
    }
}

#[async_trait]
impl Teller for File {
    async fn tell(&self, news: &News<'_>) -> Result<(), DriverError> {
        let line = format!("{}\n", body(news));
        whole_file::replace(&self.0, line.as_bytes(), Readers::Anybody)
            .map_err(|error| refused(format!("telling `{}` by {}: {}", news.consumer, self.0.display(), error.cause())))
    }
}

#[cfg(test)]
mod tests {
    use domain::{CredentialId, RotationId, VersionNumber};

    use super::*;

    #[tokio::test]
    async fn a_file_is_written_anew_and_no_planted_link_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (told, precious) = (folder.path().join("told.json"), folder.path().join("precious"));
        std::fs::write(&precious, "mine").unwrap();
        for planted in ["told.json", "told.json.new"] {
            std::os::unix::fs::symlink(&precious, folder.path().join(planted)).unwrap();
        }
        let news = News {
            credential: &CredentialId::parse("apic/acme/shop/key").unwrap(),
            consumer: "shop",
            rotation: &RotationId::new("r-1"),
            version: VersionNumber(2),
            destinations: &[],
            at: "2026-01-02T03:04:05Z".parse().unwrap(),
        };
        for _ in 0..2 {
            File(told.clone()).tell(&news).await.unwrap();
        }
        assert_eq!(std::fs::read_to_string(&precious).unwrap(), "mine");
        let content: Value = serde_json::from_slice(&std::fs::read(&told).unwrap()).unwrap();
        assert_eq!(content["data"]["version"], 2);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3, "nothing is left beside it");
    }

    #[test]
    fn a_name_neither_ends_an_identifier_nor_looks_like_another() {
        assert_eq!(in_an_id("billing-2_a"), "billing-2_a");
        assert_eq!(in_an_id("a.b c\n"), "a~2eb~20c~a");
        assert_ne!(in_an_id("a~2e"), in_an_id("a."));
    }
}
