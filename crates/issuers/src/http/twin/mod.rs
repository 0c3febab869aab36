//! A company's "do it yourself" portal, simulated: one logs in by name and password, creates a pair of keys for an
//! application, which is shown once, and calls delete with the old key. What creates or deletes only on its page is
//! done by `tamper`, as the person there.
//!
//! Its traps: a session ends after five minutes, and the only key of an application cannot be deleted.

mod api;
mod options;
mod page;

pub use options::Options;

use std::{collections::BTreeMap, fmt};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use twin::{Call, FaultKind, Random, Reply, Twin};

/// A change that shows late takes so long, within what the example's facts allow.
const LATE: SignedDuration = SignedDuration::from_secs(30);
/// A stale list is so old.
const STALE: SignedDuration = SignedDuration::from_secs(15);

const USERNAME: &str = "svc-keyrota";
/// What the one credential of an application is called, since the portal has no word for it.
const CREDENTIAL: &str = "key";

/// The simulated portal.
pub struct Portal {
    options: Options,
    password: String,
    apps: Vec<App>,
    keys: Vec<Key>,
    sessions: BTreeMap<String, Timestamp>,
    /// By idempotency key what it made.
    made: BTreeMap<String, usize>,
    random: Random,
}

struct App {
    name: String,
    owner: String,
}

struct Key {
    app: usize,
    client_id: String,
    client_secret: String,
    label: String,
    created_at: Timestamp,
    /// On record since then, by the twin's clock.
    recorded_at: Timestamp,
    removed_at: Option<Timestamp>,
    /// The gateway knows it from then on.
    accepted_from: Timestamp,
    /// And no more from then on.
    accepted_until: Option<Timestamp>,
    off: bool,
    /// It ends by itself then.
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
}

impl Key {
    fn is_there(&self, at: Timestamp) -> bool {
        let ended = [self.removed_at, self.expires_at].into_iter().flatten().min();
        self.recorded_at <= at && ended.is_none_or(|gone| gone > at)
    }

    fn is_accepted(&self, now: Timestamp) -> bool {
        let ended = [self.accepted_until, self.expires_at].into_iter().flatten().min();
        !self.off && self.accepted_from <= now && ended.is_none_or(|end| now < end)
    }
}

impl fmt::Debug for Portal {
    /// Counts, no secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Portal").field("apps", &self.apps.len()).field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}

impl Portal {
    /// As it stands at `start`, by the twin's clock.
    pub fn new(options: Options, start: Timestamp) -> Self {
        let mut random = Random::new(options.seed);
        let password = random.hex();
        let mut portal = Self {
            password,
            apps: Vec::new(),
            keys: Vec::new(),
            sessions: BTreeMap::new(),
            made: BTreeMap::new(),
            random,
            options,
        };
        for number in 1..=portal.options.apps {
            let owner = format!("owner-{:02}@example.com", number % 7);
            portal.apps.push(App { name: format!("app-{number:03}"), owner });
            for _ in 0..portal.options.keys {
                let at = start.saturating_sub(portal.options.age).unwrap_or(Timestamp::MIN);
                portal.add(number - 1, String::new(), at, SignedDuration::ZERO);
            }
        }
        portal
    }

    fn add(&mut self, app: usize, label: String, at: Timestamp, delay: SignedDuration) -> usize {
        let (client_id, client_secret) = (self.random.hex(), format!("ps_{}", self.random.hex()));
        self.add_pair(app, label, at, delay, (client_id, client_secret))
    }

    fn add_pair(
        &mut self,
        app: usize,
        label: String,
        at: Timestamp,
        delay: SignedDuration,
        (client_id, client_secret): (String, String),
    ) -> usize {
        if self.options.replaces {
            for old in self.keys.iter_mut().filter(|key| key.app == app && key.removed_at.is_none()) {
                old.removed_at = Some(at);
                old.accepted_until = Some(later(at, delay));
            }
        }
        self.keys.push(Key {
            app,
            client_id,
            client_secret,
            label,
            created_at: at,
            recorded_at: at,
            removed_at: None,
            accepted_from: later(at, delay),
            accepted_until: None,
            off: false,
            expires_at: self.options.key_life.map(|life| later(at, life)),
            last_used_at: None,
        });
        self.keys.len() - 1
    }

    fn app(&self, name: &str) -> Option<usize> {
        self.apps.iter().position(|app| app.name == name)
    }

    fn key(&self, app: usize, client_id: &str, now: Timestamp) -> Option<usize> {
        self.keys.iter().position(|key| key.app == app && key.client_id == client_id && key.is_there(now))
    }

    fn live_keys(&self, app: usize, now: Timestamp) -> impl Iterator<Item = &Key> {
        self.keys.iter().filter(move |key| key.app == app && key.is_there(now))
    }

    fn offers(&self) -> Vec<&'static str> {
        let it = &self.options;
        let all = [
            ("create", it.create && !it.chosen),
            ("delete", it.delete),
            ("labels", it.labels),
            ("repeats", it.repeats),
            ("chosen", it.chosen),
            ("switch", it.switch),
            ("checks", it.checks),
            ("replaces", it.replaces),
            ("expires", it.key_life.is_some()),
        ];
        all.into_iter().filter(|(_, offered)| *offered).map(|(what, _)| what).collect()
    }
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

fn refusal(status: u16, message: &str) -> Reply {
    Reply::json(status, &json!({ "error": { "message": message } }))
}

impl Twin for Portal {
    fn driver(&self) -> &'static str {
        "http"
    }

    fn base_path(&self) -> &'static str {
        "/api"
    }

    fn serve_at(&mut self, _base_url: &str, _gateway_url: &str) {}

    /// `offers` is what its handbook says that it can do.
    fn login(&self) -> Value {
        json!({ "username": USERNAME, "password": self.password, "offers": self.offers() })
    }

    fn route(&self, call: &Call) -> &'static str {
        api::route(call)
    }

    fn platform(&mut self, now: Timestamp, call: &Call, fault: Option<FaultKind>) -> Reply {
        self.answer(now, call, fault).unwrap_or_else(|reply| reply)
    }

    fn gateway(&mut self, now: Timestamp, call: &Call) -> Reply {
        let shown = |name: &str| call.header(name).unwrap_or_default();
        let (client_id, client_secret) = (shown("x-client-id"), shown("x-client-secret"));
        let found = self.keys.iter_mut().find(|key| key.client_id == client_id && key.client_secret == client_secret);
        match found.filter(|key| key.is_accepted(now)) {
            Some(key) => {
                key.last_used_at = Some(now);
                let app = key.app;
                Reply::json(200, &json!({ "application": self.apps.get(app).map(|app| &app.name) }))
            }
            None => refusal(401, "Unknown key."),
        }
    }

    fn error(&self, status: u16, message: &str) -> Reply {
        refusal(status, message)
    }

    fn state(&self, now: Timestamp) -> Value {
        let credentials = self.keys.iter().map(|key| {
            json!({
                "app": self.apps.get(key.app).map(|app| &app.name),
                "name": CREDENTIAL,
                "id": key.client_id,
                "client_id": key.client_id,
                "client_secret": key.client_secret,
                "label": key.label,
                "created_at": key.created_at.to_string(),
                "live": key.is_there(now),
                "accepted": key.is_accepted(now),
            })
        });
        json!({ "now": now.to_string(), "credentials": credentials.collect::<Vec<_>>() })
    }

    fn tamper(&mut self, now: Timestamp, action: &Value) -> Result<Value, String> {
        self.act(now, action)
    }
}
