//! The gateway, and analytics: what it remembers of the calls.

use std::collections::{HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use twin::{Call, Reply};

use super::{ApiConnect, Outcome, Refusal, Request, arena::Key, estate::App};

/// "A catalog query returns at most 10,000 events": more of one client is not worth keeping.
const EVENTS_PER_CLIENT_MAX: usize = 10_000;
const LIMIT_MAX: usize = 500;
const LIMIT_DEFAULT: usize = 50;

/// Every call that reached the gateway, by the client id that it named.
#[derive(Default)]
pub(super) struct Traffic {
    by_client_id: HashMap<String, VecDeque<Event>>,
    count: u64,
}

struct Event {
    number: u64,
    at: Timestamp,
    /// `None` for a pair that is not accepted, even when it once was.
    app: Option<Key<App>>,
    method: String,
    path: String,
}

impl Event {
    fn status_code(&self) -> &'static str {
        if self.app.is_some() { "200 OK" } else { "401 Unauthorized" }
    }
}

impl Traffic {
    fn record(&mut self, client_id: &str, at: Timestamp, app: Option<Key<App>>, call: &Call) {
        self.count += 1;
        let events = self.by_client_id.entry(client_id.to_owned()).or_default();
        if events.len() >= EVENTS_PER_CLIENT_MAX {
            events.pop_front();
        }
        let (method, path) = (call.method.clone(), call.path.clone());
        // Filters and answers must mean the same moment, and answers have milliseconds.
        let at = Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at);
        events.push_back(Event { number: self.count, at, app, method, path });
    }
}

/// A refusal in the gateway's own words, which are not those of the platform.
pub(super) fn refusal(status: u16, message: &str, more: &str) -> Reply {
    Reply::json(status, &json!({ "httpCode": status.to_string(), "httpMessage": message, "moreInformation": more }))
}

impl ApiConnect {
    /// Any path: a protected API whose answer names the application that the pair identifies.
    pub(super) fn call_gateway(&mut self, now: Timestamp, call: &Call) -> Reply {
        let client_id = call.header("x-ibm-client-id").unwrap_or_default();
        let client_secret = call.header("x-ibm-client-secret").unwrap_or_default();
        let app = self.estate.accepted_for(now, client_id, client_secret);
        self.traffic.record(client_id, now, app, call);
        match app {
            Some(app) => {
                let app = &self.estate.apps[app];
                let org = &self.estate.orgs[app.org];
                Reply::json(200, &json!({ "application": app.name, "consumer_org": org.name, "client_id": client_id }))
            }
            None => refusal(401, "Unauthorized", "Invalid client id or secret."),
        }
    }

    /// Newest first, unless `sort` asks for `asc`.
    pub(super) fn events(&self, now: Timestamp, request: &Request<'_>) -> Outcome {
        if self.options.no_analytics {
            return Err(Refusal::new(403, "You are not authorized to view analytics."));
        }
        let query = &request.query;
        let limit = query.number("limit")?.unwrap_or(LIMIT_DEFAULT);
        if limit > LIMIT_MAX {
            return Err(Refusal::new(400, format!("The limit {limit} is greater than {LIMIT_MAX}.")));
        }
        let offset = query.number("offset")?.unwrap_or(0);
        let filter = Filter::of(self, now, request)?;
        let mut found: Vec<(&str, &Event)> = match query.get("client_id") {
            Some(client_id) => {
                self.traffic.by_client_id.get_key_value(client_id).into_iter().flat_map(with_client).collect()
            }
            None => self.traffic.by_client_id.iter().flat_map(with_client).collect(),
        };
        found.retain(|(_, event)| filter.keeps(self, event));
        found.sort_by_key(|(_, event)| (event.at, event.number));
        if !query.get("sort").is_some_and(|sort| sort.contains("asc")) {
            found.reverse();
        }
        let shape = query.shape();
        let events: Vec<Value> = found
            .iter()
            .skip(offset)
            .take(limit.min(EVENTS_PER_CLIENT_MAX.saturating_sub(offset)))
            .map(|(client_id, event)| shape.cut(self.event(client_id, event)))
            .collect();
        Ok(Reply::json(200, &json!({ "total": found.len(), "search_time": 7, "events": events })))
    }

    fn event(&self, client_id: &str, event: &Event) -> Map<String, Value> {
        let provider = &self.estate.provider;
        let mut object = Map::new();
        let mut set = |name: &str, value: &str| object.insert(name.to_owned(), json!(value));
        set("event_id", &format!("{:032x}", event.number));
        set("datetime", &event.at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string());
        set("org_id", &provider.id);
        set("org_name", &provider.name);
        set("catalog_id", &provider.catalog_id);
        set("catalog_name", &provider.catalog_name);
        set("client_id", client_id);
        set("request_method", &event.method);
        set("uri_path", &event.path);
        set("status_code", event.status_code());
        // Without a valid pair the gateway does not know the application, and these members are absent.
        if let Some(app) = event.app {
            let app = &self.estate.apps[app];
            let org = &self.estate.orgs[app.org];
            set("app_id", &app.id);
            set("app_name", &app.name);
            set("developer_org_id", &org.id);
            set("developer_org_name", &org.name);
        }
        object
    }
}

fn with_client<'a>(
    (client_id, events): (&'a String, &'a VecDeque<Event>),
) -> impl Iterator<Item = (&'a str, &'a Event)> {
    events.iter().map(move |event| (client_id.as_str(), event))
}

struct Filter<'a> {
    start: Timestamp,
    end: Timestamp,
    app_id: Option<&'a str>,
    app_name: Option<&'a str>,
    status_code: Option<&'a str>,
}

impl<'a> Filter<'a> {
    fn of(twin: &ApiConnect, now: Timestamp, request: &'a Request<'_>) -> Result<Self, Refusal> {
        let query = &request.query;
        let moment = |name: &str, otherwise: Timestamp| match query.get(name) {
            None => Ok(otherwise),
            Some(text) => text
                .parse::<Timestamp>()
                .map_err(|_| Refusal::new(400, format!("The value '{text}' of '{name}' is not a date-time."))),
        };
        let since = match query.get("timeframe") {
            None => Timestamp::MIN,
            Some(text) => {
                let length = timeframe(text)
                    .ok_or_else(|| Refusal::new(400, format!("The timeframe '{text}' is not valid.")))?;
                super::seed::ago(now, length)
            }
        };
        let indexed = super::seed::ago(now, twin.options.analytics_lag);
        Ok(Self {
            start: moment("start", since)?,
            end: moment("end", Timestamp::MAX)?.min(indexed),
            app_id: query.get("app_id"),
            app_name: query.get("app_name"),
            status_code: query.get("status_code"),
        })
    }

    fn keeps(&self, twin: &ApiConnect, event: &Event) -> bool {
        let of_app = |wanted: Option<&str>, own: fn(&App) -> &str| {
            wanted.is_none_or(|wanted| event.app.is_some_and(|app| own(&twin.estate.apps[app]) == wanted))
        };
        (self.start..=self.end).contains(&event.at)
            && self.status_code.is_none_or(|wanted| event.status_code().starts_with(wanted))
            && of_app(self.app_id, |app| &app.id)
            && of_app(self.app_name, |app| &app.name)
    }
}

/// `last15minutes`, `last12hours`, `last7days`.
fn timeframe(text: &str) -> Option<SignedDuration> {
    let rest = text.strip_prefix("last")?;
    let (number, unit) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
    let number: i64 = number.parse().ok().filter(|number| *number <= 1000)?;
    match unit.trim_end_matches('s') {
        "minute" => Some(SignedDuration::from_mins(number)),
        "hour" => Some(SignedDuration::from_hours(number)),
        "day" => Some(SignedDuration::from_hours(24 * number)),
        _ => None,
    }
}
