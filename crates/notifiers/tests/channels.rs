//! The channels against real servers, and against ones that misbehave.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "everything here is a test")]

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use components::{Heard, LoopbackHttp, MailServer, MailTls, Scripted};
use domain::{Notice, NoticeKind};
use driver::{Clock, Effect, Entropy, Kind, Message, NoEntropy, Notifier, Ports, Settings};
use notifiers::NotifierPorts;
use serde_json::Value;

#[derive(Debug)]
struct World;

#[async_trait::async_trait]
impl Clock for World {
    fn now(&self) -> jiff::Timestamp {
        "2026-11-22T08:00:00Z".parse().unwrap()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

impl Entropy for World {
    fn next(&self) -> u64 {
        7
    }

    fn fill(&self, _bytes: &mut [u8]) -> Result<(), NoEntropy> {
        Err(NoEntropy)
    }
}

fn channel(driver: &str, keys: &str, ca_file: Option<PathBuf>) -> Arc<dyn Notifier> {
    let ports = Ports { http: Arc::new(LoopbackHttp::new()), clock: Arc::new(World), entropy: Arc::new(World) };
    let settings = Settings { table: toml::from_str(keys).unwrap(), base_dir: "/".into() };
    let driver = notifiers::find(driver).unwrap();
    (driver.configure)(&settings, &NotifierPorts { ports, ca_file }).unwrap()
}

fn message(to: &str) -> Message {
    let notice = |subject: &str, kind| Notice {
        kind,
        subject: subject.to_owned(),
        about: format!("stuck/{subject}"),
        at: World.now(),
        what: "parked after 8 attempts: 503 <unavailable>".to_owned(),
        state: "version 1 is current".to_owned(),
        advice: "mend the cause".to_owned(),
    };
    let notices =
        vec![notice("apic/acme/shop/key", NoticeKind::Stuck), notice("apic/acme/pay/key", NoticeKind::Promoted)];
    Message { id: "k7-1".to_owned(), to: to.to_owned(), at: World.now(), notices, left_out: 0 }
}

fn mail(server: &MailServer, tls: &str, password: &str) -> String {
    format!(
        "host = 'localhost'\nport = {}\ntls = '{tls}'\nusername = '{}'\npassword = '{password}'\n\
         from = 'Keyrota <keyrota@example.test>'\nto = ['ops@example.test']",
        server.port(),
        server.user(),
    )
}

#[tokio::test]
async fn mail_arrives_once_encrypted_and_in_both_forms() {
    for (tls, word) in [(MailTls::Starttls, "starttls"), (MailTls::Implicit, "implicit"), (MailTls::None, "none")] {
        let server = MailServer::start(tls);
        let channel = channel("smtp", &mail(&server, word, server.password()), Some(server.ca_file()));
        channel.check().await.unwrap();
        channel.send(&message("ada@example.test")).await.unwrap();
        channel.send(&message("bob@example.test")).await.unwrap();
        let taken = server.taken();
        assert_eq!(taken.len(), 2, "{word}");
        assert_eq!(taken[0].to, ["ada@example.test"]);
        assert_eq!(taken[0].encrypted, tls != MailTls::None, "{word}");
        assert_eq!(taken[0].header("Subject"), "Keyrota: 1 stuck, 1 promoted");
        assert_eq!(taken[0].header("Message-ID"), "<k7-1@example.test>");
        let text = taken[0].text();
        assert!(text.contains("503 <unavailable>") && text.contains("503 &lt;unavailable&gt;"), "{text}");
        assert!(!format!("{channel:?} {text}").contains(server.password()));
    }
}

#[track_caller]
fn check_failure(error: &driver::DriverError, kind: Kind, effect: Effect, words: &str) {
    assert_eq!((error.kind, error.effect), (kind, effect), "{error}");
    assert!(error.to_string().contains(words), "{error}");
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
}

#[tokio::test]
async fn what_a_mail_server_refuses_is_told_apart() {
    let mut server = MailServer::start(MailTls::Starttls);
    let keys = mail(&server, "starttls", "canary-wrong");
    let wrong = channel("smtp", &keys, Some(server.ca_file()));
    let to = message("ada@example.test");
    check_failure(&wrong.check().await.unwrap_err(), Kind::Unauthorized, Effect::NotApplied, "535");
    check_failure(&wrong.send(&to).await.unwrap_err(), Kind::Unauthorized, Effect::NotApplied, "535");

    let right = mail(&server, "starttls", server.password());
    let stranger = channel("smtp", &right, None).send(&to).await.unwrap_err();
    check_failure(&stranger, Kind::Certificate, Effect::NotApplied, "certificate");

    let good = channel("smtp", &right, Some(server.ca_file()));
    let nobody = good.send(&message("nobody@example.test")).await.unwrap_err();
    check_failure(&nobody, Kind::Invalid, Effect::NotApplied, "550");
    good.send(&to).await.unwrap();

    let clear = good.check().await.and(channel("smtp", &right.replace("starttls", "implicit"), None).check().await);
    assert!(clear.is_err());
    server.stop();
    let away = channel("smtp", &right, Some(server.ca_file())).send(&to).await.unwrap_err();
    check_failure(&away, Kind::Unavailable, Effect::NotApplied, "efused");
    assert_eq!(server.taken().len(), 1);
}

#[tokio::test]
async fn a_server_without_starttls_gets_neither_login_nor_message() {
    let server = MailServer::start(MailTls::None);
    let channel = channel("smtp", &mail(&server, "starttls", server.password()), Some(server.ca_file()));
    let error = channel.send(&message("ada@example.test")).await.unwrap_err();
    check_failure(&error, Kind::Unauthorized, Effect::NotApplied, "STARTTLS");
    assert!(server.taken().is_empty());
}

/// A server that notes what it hears and answers with this status.
fn listener(status: u16, body: &'static str) -> (Scripted, Arc<Mutex<Vec<Heard>>>) {
    let heard: Arc<Mutex<Vec<Heard>>> = Arc::default();
    let note = heard.clone();
    let server = Scripted::new(Box::new(move |one: &Heard| {
        note.lock().unwrap().push(one.clone());
        Some((status, body.to_owned()))
    }));
    (server, heard)
}

#[tokio::test]
async fn a_webhook_is_a_signed_cloud_event() {
    let (server, heard) = listener(200, "{}");
    let key = STANDARD.encode(b"canary-key-of-24-bytes--");
    let keys = format!("url = '{}/hook'\nsecret = 'whsec_{key}'\nsource = 'keyrota/prod'", server.address());
    let channel = channel("webhook", &keys, None);
    channel.check().await.unwrap();
    assert!(heard.lock().unwrap().is_empty(), "a check tells nobody anything");
    channel.send(&message("127.0.0.1")).await.unwrap();
    let heard = heard.lock().unwrap().remove(0);
    assert!(heard.header("content-type").unwrap().starts_with("application/cloudevents+json"));
    let event: Value = serde_json::from_slice(&heard.body).unwrap();
    assert_eq!(
        (&event["specversion"], &event["id"], &event["source"]),
        (&"1.0".into(), &"k7-1".into(), &"keyrota/prod".into())
    );
    assert_eq!(event["data"]["notices"][0]["kind"], "stuck");
    let [id, at, signature] =
        ["webhook-id", "webhook-timestamp", "webhook-signature"].map(|name| heard.header(name).unwrap());
    let mut signed = format!("{id}.{at}.").into_bytes();
    signed.extend(&heard.body);
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"canary-key-of-24-bytes--");
    assert_eq!(signature, format!("v1,{}", STANDARD.encode(hmac::sign(&key, &signed))));
    assert_eq!(id, "k7-1", "the same for every attempt");
}

#[tokio::test]
async fn slack_gets_blocks_and_its_address_is_told_nobody() {
    let (server, heard) = listener(200, "ok");
    let keys = format!("url = '{}/services/T0/B0/canary-address'", server.address());
    let slack = channel("slack", &keys, None);
    slack.send(&message("Slack")).await.unwrap();
    let heard = heard.lock().unwrap().remove(0);
    let body: Value = serde_json::from_slice(&heard.body).unwrap();
    assert_eq!(body["blocks"][0]["type"], "header");
    assert!(body.to_string().contains("503 &lt;unavailable&gt;"));

    for (status, kind) in [(404, Kind::Unauthorized), (429, Kind::Throttled), (500, Kind::Unavailable)] {
        let (server, _) = listener(status, "no_service");
        let keys = format!("url = '{}/services/T0/B0/canary-address'", server.address());
        let channel = channel("slack", &keys, None);
        check_failure(&channel.send(&message("Slack")).await.unwrap_err(), kind, Effect::NotApplied, "no_service");
        assert!(!format!("{channel:?}").contains("canary"));
    }
    drop(server);
    check_failure(&slack.send(&message("Slack")).await.unwrap_err(), Kind::Unavailable, Effect::NotApplied, "");
}

/// A place on the other side of a channel, and how to read there what was taken.
struct OtherSide {
    keys: String,
    ca_file: Option<PathBuf>,
    taken: Box<dyn Fn() -> Vec<String>>,
    /// The whole of it; dropping it takes it away.
    server: Box<dyn std::any::Any>,
}

/// A channel without one here is a channel without tests.
fn other_side(driver: &str) -> OtherSide {
    let over_http = |keys: fn(&str) -> String| {
        let (server, heard) = listener(200, "ok");
        let taken =
            move || heard.lock().unwrap().iter().map(|one| String::from_utf8(one.body.clone()).unwrap()).collect();
        OtherSide { keys: keys(&server.address()), ca_file: None, taken: Box::new(taken), server: Box::new(server) }
    };
    match driver {
        "slack" => over_http(|address| format!("url = '{address}/canary'")),
        "webhook" => over_http(|address| format!("url = '{address}'\nsecret = 'whsec_Y2FuYXJ5'")),
        "smtp" => {
            let server = Arc::new(Mutex::new(MailServer::start(MailTls::Starttls)));
            let (keys, ca_file) = {
                let server = server.lock().unwrap();
                (mail(&server, "starttls", server.password()), server.ca_file())
            };
            let (shared, stopped) = (server.clone(), Stopped(server));
            let taken = move || shared.lock().unwrap().taken().iter().map(|one| one.text()).collect();
            OtherSide { keys, ca_file: Some(ca_file), taken: Box::new(taken), server: Box::new(stopped) }
        }
        other => panic!("`{other}` has no other side to be tried against"),
    }
}

struct Stopped(Arc<Mutex<MailServer>>);

impl Drop for Stopped {
    fn drop(&mut self) {
        self.0.lock().unwrap().stop();
    }
}

#[tokio::test]
async fn every_channel_keeps_the_contract() {
    for driver in notifiers::all() {
        let OtherSide { keys, ca_file, taken, server } = other_side(driver.name);
        let channel = channel(driver.name, &keys, ca_file);
        let name = driver.name;
        assert!(!channel.check().await.unwrap().is_empty(), "{name}");
        assert!(taken().is_empty(), "{name}: a check tells nobody anything");
        let facts = channel.facts();
        assert!(!facts.tells.is_empty(), "{name}");
        channel.send(&message(if facts.addresses_people { "ada@example.test" } else { "there" })).await.unwrap();
        let told = taken();
        assert_eq!(told.len(), 1, "{name}: once");
        assert!(told[0].contains("k7-1"), "{name}: no id by which a second copy is known");
        for words in
            ["apic/acme/shop/key", "parked after 8 attempts", "version 1 is current", "mend the cause", "pay/key"]
        {
            assert!(told[0].contains(words), "{name}: {words} is not told: {}", told[0]);
        }
        drop(server);
        let away = channel.send(&message("ada@example.test")).await.unwrap_err();
        assert_eq!(away.kind, Kind::Unavailable, "{name}: {away}");
        assert!(!format!("{channel:?} {away:?}").contains("canary"), "{name}");
        assert_eq!(taken().len(), 1, "{name}");
    }
}

#[test]
fn the_list_is_in_order_and_every_channel_has_its_page() {
    let names: Vec<&str> = notifiers::all().iter().map(|driver| driver.name).collect();
    assert!(names.is_sorted());
    for name in names {
        let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src").join(name).join("README.md");
        assert!(page.is_file(), "{name}");
    }
}

#[tokio::test]
async fn an_answer_that_never_came_leaves_it_in_doubt() {
    let server = Scripted::new(Box::new(|_: &Heard| None));
    let keys = format!("url = '{}'\nsecret = 'whsec_{}'", server.address(), STANDARD.encode(b"k"));
    let error = channel("webhook", &keys, None).send(&message("127.0.0.1")).await.unwrap_err();
    check_failure(&error, Kind::Unavailable, Effect::Unknown, "");
}
