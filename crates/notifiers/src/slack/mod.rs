//! A channel of Slack, through an incoming webhook.
//!
//! The address is the whole right to post there: it is a secret, and stands in no error and no log.

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::Notice;
use driver::{
    DriverError, Effect, HttpRequest, Kind, Message, Method, Notifier, NotifierFacts, Ports, SecretSource, Settings,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Configured, NotifierDriver, NotifierPorts, address, quoted,
    webhook::{kind_of, read},
    words,
};

pub const DRIVER: NotifierDriver = NotifierDriver {
    name: "slack",
    about: "a channel of Slack, through an incoming webhook",
    configure,
    schema: || schemars::schema_for!(SlackSettings),
};

const TIMEOUT: Duration = Duration::from_secs(10);
/// Slack takes 50 blocks in a message; a headline, a few titles and a last line are among them.
const NOTICES_MAX: usize = 35;
/// Slack takes 3,000 characters in a block and 150 in a headline.
const BLOCK_CHARACTERS_MAX: usize = 2_900;
const HEADLINE_CHARACTERS_MAX: usize = 150;

/// A channel of Slack.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SlackSettings {
    /// The address of the incoming webhook. Whoever knows it may post: keep it out of the file.
    url: SecretSource,
    /// What people call the channel. Only for messages of Keyrota's own. Default "Slack".
    #[serde(default = "default_channel")]
    channel: String,
}

fn default_channel() -> String {
    "Slack".to_owned()
}

#[derive(Debug)]
struct Slack {
    url: SecretSource,
    base_dir: PathBuf,
    channel: String,
    ports: Ports,
}

fn configure(settings: &Settings, ports: &NotifierPorts) -> Configured {
    let SlackSettings { url, channel } = settings.read()?;
    Ok(Arc::new(Slack { url, base_dir: settings.base_dir.clone(), channel, ports: ports.ports.clone() }))
}

impl Slack {
    async fn request(&self) -> Result<HttpRequest, DriverError> {
        let read = read(&self.url, &self.base_dir).await?;
        let url = address(read.expose_text().map(str::trim).unwrap_or_default())
            .map_err(|why| DriverError::refused(Kind::Unauthorized, format!("`url` {why}")))?;
        let mut request = HttpRequest::new(Method::Post, url);
        request.path_is_secret = true;
        request.timeout = TIMEOUT;
        Ok(request)
    }
}

#[async_trait]
impl Notifier for Slack {
    fn facts(&self) -> NotifierFacts {
        NotifierFacts { addresses_people: false, tells: vec![self.channel.clone()] }
    }

    async fn check(&self) -> Result<Vec<String>, DriverError> {
        let request = self.request().await?;
        let host = request.url.host_str().unwrap_or("it");
        Ok(vec![format!("posts to {host}; whether it listens shows with the first notice")])
    }

    async fn send(&self, message: &Message) -> Result<(), DriverError> {
        let request = self.request().await?.json(&body(message));
        let response = self.ports.http.send(request).await?;
        if response.is_success() {
            return Ok(());
        }
        // One word of Slack's, such as `no_service`.
        let said = quoted(&String::from_utf8_lossy(&response.body.0));
        let said = if said.len() < 40 { said } else { "something longer".to_owned() };
        let what = format!("Slack answered {}, \"{said}\"", response.status);
        let mut error = DriverError::new(kind_of(response.status), Effect::NotApplied, what);
        error.retry_after = response.retry_after();
        Err(error)
    }
}

fn body(message: &Message) -> Value {
    let headline = words::headline(message);
    let mut blocks = vec![json!({
        "type": "header",
        "text": { "type": "plain_text", "text": cut(&headline, HEADLINE_CHARACTERS_MAX) },
    })];
    let mut told = 0;
    for (kind, notices) in words::sections(message) {
        let shown = notices.len().min(NOTICES_MAX.saturating_sub(told));
        if shown > 0 {
            blocks.push(section(&format!("*{} ({})*", words::capital(kind.title()), notices.len())));
        }
        blocks.extend(notices.iter().take(shown).map(|notice| section(&described(notice))));
        told += shown;
    }
    let left_out = message.notices.len().saturating_sub(told) + message.left_out;
    if let Some(rest) = words::rest(&Message { left_out, notices: Vec::new(), ..message.clone() }) {
        blocks.push(json!({ "type": "context", "elements": [{ "type": "mrkdwn", "text": rest }] }));
    }
    // Slack drops no second copy; whoever sees two knows by this that they are one.
    blocks.push(json!({
        "type": "context",
        "elements": [{ "type": "plain_text", "text": format!("message {}", message.id) }],
    }));
    json!({ "text": escaped(&headline), "blocks": blocks })
}

fn described(notice: &Notice) -> String {
    let Notice { subject, at, what, state, advice, .. } = notice;
    let [subject, what, state, advice] = [subject, what, state, advice].map(|text| escaped(text));
    format!("*{subject}*\nWhat happened: {what} ({at:.0})\nWhat is true now: {state}\nWhat to do: {advice}")
}

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": { "type": "mrkdwn", "text": cut(text, BLOCK_CHARACTERS_MAX) } })
}

/// The three characters that Slack gives a meaning.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn cut(text: &str, characters_max: usize) -> String {
    if text.chars().count() <= characters_max {
        return text.to_owned();
    }
    text.chars().take(characters_max.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use domain::NoticeKind;

    use super::*;
    use crate::words::tests::message;

    #[test]
    fn two_hundred_fit_into_one_message() {
        let names: Vec<String> = (0..200).map(|number| format!("apic/acme/app-{number}/key")).collect();
        let notices: Vec<_> = names.iter().map(|name| (NoticeKind::Promoted, name.as_str())).collect();
        let body = body(&message(&notices));
        let blocks = body["blocks"].as_array().unwrap();
        assert!(blocks.len() <= 50);
        assert_eq!(body["text"], "Keyrota: 200 promoted");
        let last = blocks[blocks.len() - 2]["elements"][0]["text"].as_str().unwrap();
        assert!(last.starts_with("165 more"), "{last}");
    }

    #[test]
    fn what_slack_gives_a_meaning_is_escaped() {
        let body = body(&message(&[(NoticeKind::Failed, "apic/a")])).to_string();
        assert!(body.contains("it was &lt;tried&gt; &amp; failed"), "{body}");
    }
}
