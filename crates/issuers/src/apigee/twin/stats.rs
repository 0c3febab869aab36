//! Analytics: what it remembers of the calls.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};
use serde_json::{Value, json};
use twin::Reply;

use super::{Apigee, ENVIRONMENTS, Outcome, Refusal, Request};

/// Calls of each key, by the second.
#[derive(Default)]
pub(super) struct Traffic(HashMap<String, BTreeMap<i64, u64>>);

impl Traffic {
    pub(super) fn record(&mut self, key: &str, at: Timestamp) {
        *self.0.entry(key.to_owned()).or_default().entry(at.as_second()).or_default() += 1;
    }
}

/// Seconds from one of these to the next.
fn unit_seconds(unit: &str) -> Option<i64> {
    Some(match unit {
        "second" => 1,
        "minute" => 60,
        "hour" => 3600,
        "day" => 86_400,
        _ => return None,
    })
}

impl Apigee {
    pub(super) fn stats(&self, now: Timestamp, environment: &str, request: &Request<'_>) -> Outcome {
        if self.options.no_analytics {
            return Err(Refusal::forbidden("apigee.environments.getStats"));
        }
        if !ENVIRONMENTS.contains(&environment) {
            let message = format!("Environment {environment} does not exist");
            return Err(Refusal::new(404, "messaging.config.beans.EnvironmentDoesNotExist", message));
        }
        let wrong = |what: &str| Refusal::new(400, "analytics.InvalidParameters", format!("{what} is not valid"));
        if request.get("select") != Some("sum(message_count)") {
            return Err(wrong("select"));
        }
        let (from, to) = request.get("timeRange").and_then(time_range).ok_or_else(|| wrong("timeRange"))?;
        let unit = request.get("timeUnit").map(|unit| unit_seconds(unit).ok_or_else(|| wrong("timeUnit")));
        let unit = unit.transpose()?;
        let wanted = request.get("filter").map(|text| filter(text).ok_or_else(|| wrong("filter"))).transpose()?;
        let indexed = now.saturating_sub(self.options.analytics_lag).unwrap_or(Timestamp::MIN).as_second();
        let mut dimensions = Vec::new();
        // The gateway serves the first environment alone.
        let keys = self.traffic.0.iter().filter(|_| Some(&environment) == ENVIRONMENTS.first());
        for (key, calls) in keys.filter(|(key, _)| wanted.is_none_or(|wanted| wanted == *key)) {
            let end = to.min(indexed.saturating_add(1));
            if from >= end {
                continue;
            }
            let mut buckets: BTreeMap<i64, u64> = BTreeMap::new();
            for (second, count) in calls.range(from..end) {
                let bucket = unit.map_or(0, |unit| second - second.rem_euclid(unit));
                *buckets.entry(bucket).or_default() += count;
            }
            if buckets.is_empty() {
                continue;
            }
            let values: Vec<Value> = buckets
                .iter()
                .rev()
                .map(|(second, count)| match unit {
                    Some(_) => json!({ "timestamp": second * 1000, "value": format!("{count}.0") }),
                    None => json!(format!("{count}.0")),
                })
                .collect();
            let metrics = json!([{ "name": "sum(message_count)", "values": values }]);
            dimensions.push(json!({ "name": key, "metrics": metrics }));
        }
        let mut shown = json!({ "name": environment });
        if let (false, Some(shown)) = (dimensions.is_empty(), shown.as_object_mut()) {
            shown.insert("dimensions".to_owned(), json!(dimensions));
        }
        let meta = json!({ "errors": [], "notices": ["Source:Postgres", "query served by:twin"] });
        Ok(Reply::json(200, &json!({ "environments": [shown], "metaData": meta })))
    }
}

/// `MM/DD/YYYY HH:MM~MM/DD/YYYY HH:MM`, in seconds.
fn time_range(text: &str) -> Option<(i64, i64)> {
    let (from, to) = text.split_once('~')?;
    let moment = |text: &str| {
        let time = DateTime::strptime("%m/%d/%Y %H:%M", text).ok()?;
        Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
    };
    let (from, to) = (moment(from)?, moment(to)?);
    (from <= to).then_some((from, to))
}

/// `(client_id eq 'KEY')`.
fn filter(text: &str) -> Option<&str> {
    text.strip_prefix("(client_id eq '")?.strip_suffix("')")
}

/// A time before this one, for those who plant something old.
pub(super) fn ago(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.saturating_sub(by).unwrap_or(Timestamp::MIN)
}
