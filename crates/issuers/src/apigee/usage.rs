//! The last use of a key, from the organisation's analytics.

use domain::{Timestamp, Usage};
use driver::{DriverError, Effect, Kind};
use jiff::{SignedDuration, tz::TimeZone};
use url::Url;

use super::{
    api::Stats,
    client::{Answered, Client},
    key::ConsumerKey,
};

const DOING: &str = "asking analytics for the last use";
/// Data arrive with up to ten minutes of delay, says the vendor; half of that on top, since "up to" is no promise.
const LAG: SignedDuration = SignedDuration::from_mins(15);
/// So long is kept. What is older is not known to be quiet, nor asked for.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 180);
const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// How long a list of environments is good. A new one serves nobody before its proxies are deployed.
const ENVIRONMENTS_GOOD: SignedDuration = SignedDuration::from_mins(10);

/// Use since `since`, in any environment. Told by the key itself: `developer_app` would not tell two keys of one app
/// apart.
pub(super) async fn last_use(client: &Client, key: &ConsumerKey, since: Timestamp) -> Result<Usage, DriverError> {
    if key.expose_text().contains('\'') {
        let message = format!("{DOING}: a quote in a key cannot stand in the question");
        return Err(DriverError::refused(Kind::Invalid, message));
    }
    let mut told = Vec::new();
    for environment in environments(client).await? {
        told.push(in_environment(client, &environment, key, since).await?);
    }
    Ok(in_all(&told))
}

/// What all environments tell together, each the last use and until when it knows of use.
fn in_all(told: &[(Option<Timestamp>, Option<Timestamp>)]) -> Usage {
    let last_used = told.iter().filter_map(|(used, _)| *used).max();
    // What one environment does not know yet is not known: no time at all comes before every time.
    let known_through = told.iter().map(|(_, through)| *through).min().flatten();
    Usage { last_used, known_through, asked_at: None }
}

/// Whether this account may read analytics at all.
pub(super) async fn is_readable(client: &Client) -> Result<usize, DriverError> {
    let environments = environments(client).await?;
    let now = client.wire.platform_now();
    for environment in &environments {
        let url = address(client, environment)?;
        client.get::<Stats>(DOING, query(url, "none", "hour", earlier(now, HOUR), now)).await.map_err(no_right)?;
    }
    Ok(environments.len())
}

/// First by the hour, over all the time; then by the minute, within the last hour that shows use. The end of a minute
/// stands for the use in it: a use that is told too late delays, one told too early could cut somebody off.
async fn in_environment(
    client: &Client,
    environment: &str,
    key: &ConsumerKey,
    since: Timestamp,
) -> Result<(Option<Timestamp>, Option<Timestamp>), DriverError> {
    let now = client.wire.platform_now();
    let since = since.max(earlier(now, KEPT));
    let end = later(now, MINUTE);
    let by_hour = stats(client, environment, key, "hour", since, end).await?;
    // Beside a clock that no answer shows, nothing is known.
    let known_through = by_hour.at.map(|at| earlier(at, LAG));
    let Some(hour) = latest(&by_hour.value, key.expose_text(), since, HOUR)? else { return Ok((None, known_through)) };
    let by_minute = stats(client, environment, key, "minute", hour.max(since), later(hour, HOUR).min(end)).await?;
    let minute = latest(&by_minute.value, key.expose_text(), since, MINUTE)?.map(|minute| later(minute, MINUTE));
    let last_used = minute.unwrap_or(later(hour, HOUR)).min(now.max(since));
    Ok((Some(last_used), known_through))
}

/// The beginning of the last stretch of time with use in it.
fn latest(
    stats: &Stats,
    key: &str,
    since: Timestamp,
    stretch: SignedDuration,
) -> Result<Option<Timestamp>, DriverError> {
    let mut latest = None;
    for dimension in stats.environments.iter().flat_map(|environment| &environment.dimensions) {
        if dimension.name != key {
            let message = format!("{DOING}: the answer tells of others, the filter was not applied");
            return Err(DriverError::new(Kind::Protocol, Effect::NotApplied, message));
        }
        let values = dimension.metrics.iter().flat_map(|metric| &metric.values);
        let times = values.filter(|value| value.is_use()).filter_map(|value| value.timestamp.0);
        latest = times.filter(|time| later(*time, stretch) > since).max().max(latest);
    }
    Ok(latest)
}

async fn stats(
    client: &Client,
    environment: &str,
    key: &ConsumerKey,
    unit: &str,
    from: Timestamp,
    to: Timestamp,
) -> Result<Answered<Stats>, DriverError> {
    let url = query(address(client, environment)?, key.expose_text(), unit, from, to);
    client.get_of_key(DOING, url, key).await.map_err(no_right)
}

fn address(client: &Client, environment: &str) -> Result<Url, DriverError> {
    client.at(["environments", environment, "stats", "client_id"])
}

fn query(mut url: Url, key: &str, unit: &str, from: Timestamp, to: Timestamp) -> Url {
    url.query_pairs_mut()
        .append_pair("select", "sum(message_count)")
        .append_pair("timeRange", &format!("{}~{}", minute(from), minute(later(to, MINUTE))))
        .append_pair("timeUnit", unit)
        .append_pair("filter", &format!("(client_id eq '{key}')"));
    url
}

/// The whole minute in which a moment lies: the precision of the platform.
fn minute(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC).strftime("%m/%d/%Y %H:%M").to_string()
}

/// What is not there for this account is a right that lacks, not a key that nobody uses.
fn no_right(error: DriverError) -> DriverError {
    match error.kind {
        Kind::NotFound => DriverError { kind: Kind::Forbidden, ..error },
        _ => error,
    }
}

/// All environments: a key may be in use in one of which nobody has thought.
async fn environments(client: &Client) -> Result<Vec<String>, DriverError> {
    if !client.environments.is_empty() {
        return Ok(client.environments.clone());
    }
    let mut known = client.known_environments.lock().await;
    let now = client.wire.platform_now();
    if let Some((at, names)) = known.as_ref()
        && now.duration_since(*at).abs() < ENVIRONMENTS_GOOD
    {
        return Ok(names.clone());
    }
    let url = client.at(["environments"])?;
    let names: Vec<String> = client.get("listing environments", url).await.map_err(no_right)?.value;
    *known = Some((now, names.clone()));
    Ok(names)
}

fn earlier(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.saturating_sub(by).unwrap_or(Timestamp::MIN)
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_question_names_whole_minutes_around_the_time() {
        let url = Url::parse("https://x.test/stats/client_id").unwrap();
        let url = query(url, "k-1", "hour", at("2026-11-23T09:59:59Z"), at("2026-11-24T10:00:30Z"));
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        assert_eq!(pairs[1].1, "11/23/2026 09:59~11/24/2026 10:01");
        assert_eq!(pairs[3].1, "(client_id eq 'k-1')");
    }

    #[test]
    fn what_one_environment_does_not_know_is_not_known() {
        let [early, late] = [at("2026-11-23T10:00:00Z"), at("2026-11-23T11:00:00Z")];
        for (told, last_used, known_through) in [
            (&[][..], None, None),
            (&[(None, Some(late)), (Some(early), Some(early))], Some(early), Some(early)),
            (&[(None, Some(late)), (Some(late), None)], Some(late), None),
            (&[(Some(late), None), (Some(early), Some(late))], Some(late), None),
        ] {
            assert_eq!(in_all(told), Usage { last_used, known_through, asked_at: None }, "{told:?}");
        }
    }

    fn stats(name: &str) -> Stats {
        let text = format!(
            r#"{{"environments":[{{"name":"prod","dimensions":[{{"name":"{name}","metrics":[{{"name":"sum",
            "values":[{{"timestamp":1769911200000,"value":"12.0"}},{{"timestamp":1769914800000,"value":"1"}},
            {{"timestamp":1769918400000,"value":"0.0"}}]}}]}}]}},{{"name":"test"}}]}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn the_last_stretch_with_use_counts() {
        let of = |milliseconds| Timestamp::from_millisecond(milliseconds).unwrap();
        let latest = |since| super::latest(&stats("k"), "k", since, HOUR).unwrap();
        assert_eq!(latest(of(0)), Some(of(1_769_914_800_000)));
        assert_eq!(latest(of(1_769_918_399_999)), Some(of(1_769_914_800_000)));
        assert_eq!(latest(of(1_769_918_400_000)), None);
    }

    #[test]
    fn what_was_not_asked_for_proves_nothing() {
        let error = latest(&stats("other"), "k", Timestamp::UNIX_EPOCH, HOUR).unwrap_err();
        assert_eq!(error.kind, Kind::Protocol);
    }
}
