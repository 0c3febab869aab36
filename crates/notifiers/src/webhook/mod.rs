//! A call to a program: a CloudEvents 1.0 body, signed by Standard Webhooks.

mod signature;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use driver::{
    Body, DriverError, Effect, HttpRequest, InvalidSettings, Kind, Message, Method, Notifier, NotifierFacts, Ports,
    SecretSource, Settings,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

pub use signature::{InvalidKey, signed};

use crate::{Configured, NotifierDriver, NotifierPorts, address, words};

pub const DRIVER: NotifierDriver = NotifierDriver {
    name: "webhook",
    about: "a call to a program, with a CloudEvents body and a signature by Standard Webhooks",
    configure,
    schema: || schemars::schema_for!(WebhookSettings),
};

/// Longer than any receiver takes that only notes the event down, as it should.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A call to a program.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WebhookSettings {
    /// Where to call. Must be https, except for a loopback host.
    url: String,
    /// The key of the signature, `whsec_…`.
    secret: SecretSource,
    /// The `source` of the CloudEvents, to tell installations apart. Default "keyrota".
    #[serde(default = "default_source")]
    source: String,
}

fn default_source() -> String {
    "keyrota".to_owned()
}

#[derive(Debug)]
struct Webhook {
    url: Url,
    secret: SecretSource,
    base_dir: PathBuf,
    source: String,
    ports: Ports,
}

fn configure(settings: &Settings, ports: &NotifierPorts) -> Configured {
    let keys: WebhookSettings = settings.read()?;
    let url = address(&keys.url).map_err(|why| InvalidSettings(format!("`url` {why}")))?;
    Ok(Arc::new(Webhook {
        url,
        secret: keys.secret,
        base_dir: settings.base_dir.clone(),
        source: keys.source,
        ports: ports.ports.clone(),
    }))
}

impl Webhook {
    fn host(&self) -> &str {
        self.url.host_str().unwrap_or("it")
    }

    async fn headers(&self, id: &str, body: &[u8]) -> Result<[(&'static str, String); 3], DriverError> {
        let key = read(&self.secret, &self.base_dir).await?;
        signed(&key, id, self.ports.clock.now().as_second(), body)
            .map_err(|error| DriverError::refused(Kind::Unauthorized, error.to_string()))
    }

    fn body(&self, message: &Message) -> Value {
        let notices: Vec<Value> = message
            .notices
            .iter()
            .map(|notice| {
                json!({
                    "kind": notice.kind.word(),
                    "subject": notice.subject,
                    "about": notice.about,
                    "at": format!("{:.0}", notice.at),
                    "what": notice.what,
                    "state": notice.state,
                    "advice": notice.advice,
                })
            })
            .collect();
        json!({
            "specversion": "1.0",
            "id": message.id,
            "source": self.source,
            "type": "keyrota.notices",
            "time": format!("{:.0}", message.at),
            "datacontenttype": "application/json",
            "data": { "headline": words::headline(message), "notices": notices, "left_out": message.left_out },
        })
    }
}

#[async_trait]
impl Notifier for Webhook {
    fn facts(&self) -> NotifierFacts {
        NotifierFacts { addresses_people: false, tells: vec![self.host().to_owned()] }
    }

    async fn check(&self) -> Result<Vec<String>, DriverError> {
        self.headers("check", b"").await?;
        Ok(vec![format!("signs for {}; whether it listens shows with the first notice", self.host())])
    }

    async fn send(&self, message: &Message) -> Result<(), DriverError> {
        let body = self.body(message).to_string().into_bytes();
        let mut request = HttpRequest::new(Method::Post, self.url.clone())
            .header("content-type", "application/cloudevents+json; charset=utf-8");
        request.headers.extend(self.headers(&message.id, &body).await?);
        request.body = Body(body.into());
        request.timeout = TIMEOUT;
        let response = self.ports.http.send(request).await?;
        if response.is_success() {
            return Ok(());
        }
        let mut error = DriverError::new(
            kind_of(response.status),
            Effect::NotApplied,
            format!("{} answered {}", self.host(), response.status),
        );
        error.retry_after = response.retry_after();
        Err(error)
    }
}

/// What a receiver means by a status. The whole channel leads to it, so what it refuses is nobody else's to take.
pub(crate) fn kind_of(status: u16) -> Kind {
    match status {
        401 | 403 | 404 | 410 => Kind::Unauthorized,
        429 => Kind::Throttled,
        400..=499 => Kind::Invalid,
        500..=599 => Kind::Unavailable,
        _ => Kind::Protocol,
    }
}

/// Fetches a secret of a channel.
pub(crate) async fn read(from: &SecretSource, base_dir: &Path) -> Result<secret::Secret, DriverError> {
    let fetched = from.fetch(base_dir).await;
    fetched.map_err(|error| DriverError::refused(Kind::Unauthorized, format!("its secret: {error}")))
}
