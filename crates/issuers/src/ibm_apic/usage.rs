//! The last use of a credential, from the catalog's analytics.

use domain::{Handle, Timestamp, Usage};
use driver::{DriverError, Effect, Kind, Subject};
use jiff::SignedDuration;
use url::Url;

use super::{
    api::{CredentialClient, Event, EventPage},
    client::{Answered, Client},
    place::Locator,
};

/// Analytics answers the newest event first, says its documentation. That is not believed: a wrong order would make a
/// busy credential look quiet. So we ask once more for anything newer than the newest told. Someone who calls several
/// times a second keeps us asking, and after so many rounds "used just now" is close enough.
const ROUNDS_MAX: u32 = 8;
const DOING: &str = "asking analytics for the last use";

/// Use since `since`, told by the catalog's analytics. Filtered by `client_id`: two credentials of one application are
/// told apart in no other way.
pub(super) async fn last_use(
    client: &Client,
    subject: &Subject,
    handle: &Handle,
    since: Timestamp,
) -> Result<Usage, DriverError> {
    let client_id = client_id(client, subject, handle).await?;
    let mut last_used = None;
    let mut start = whole_millisecond(since);
    let mut known_through = None;
    for _ in 0..ROUNDS_MAX {
        let answered = newest(client, &client_id, start).await?;
        known_through = answered.at;
        let Some(newest) = answered.value else { return Ok(told(last_used, known_through)) };
        last_used = last_used.max(Some(newest));
        start = newest.saturating_add(SignedDuration::from_millis(1)).unwrap_or(newest);
    }
    Ok(told(last_used.max(known_through), known_through))
}

/// When it was asked is for the caller to note, by the clock that it plans with.
fn told(last_used: Option<Timestamp>, known_through: Option<Timestamp>) -> Usage {
    Usage { last_used, known_through, asked_at: None }
}

/// Whether this account may read analytics at all.
pub(super) async fn is_readable(client: &Client) -> Result<(), DriverError> {
    let mut url = client.events()?;
    url.query_pairs_mut().append_pair("limit", "1").append_pair("fields", "datetime,client_id");
    events(client, url).await.map(drop)
}

async fn client_id(client: &Client, subject: &Subject, handle: &Handle) -> Result<String, DriverError> {
    let mut url = super::credential(client, &Locator::of(subject)?, handle)?;
    url.set_query(Some("fields=client_id"));
    Ok(client.get::<CredentialClient>("reading the credential's client id", url).await?.value.client_id)
}

/// The newest event that analytics shows at or after `start`.
async fn newest(
    client: &Client,
    client_id: &str,
    start: Timestamp,
) -> Result<Answered<Option<Timestamp>>, DriverError> {
    let answered = events(client, query(client.events()?, client_id, start)).await?;
    let wrong = |event: &Event| event.datetime < start || event.client_id.as_deref().is_some_and(|id| id != client_id);
    if answered.value.events.iter().any(wrong) {
        let message = format!("{DOING}: the answer holds events that were not asked for, the filter was not applied");
        return Err(DriverError::new(Kind::Protocol, Effect::NotApplied, message));
    }
    let newest = answered.value.events.iter().map(|event| event.datetime).max();
    Ok(Answered { value: newest, at: answered.at })
}

/// A 404 here is an analytics service that does not exist for this account: a right that lacks, not a credential.
async fn events(client: &Client, url: Url) -> Result<Answered<EventPage>, DriverError> {
    client.get(DOING, url).await.map_err(|error| match error.kind {
        Kind::NotFound => DriverError { kind: Kind::Forbidden, ..error },
        _ => error,
    })
}

/// The millisecond in which a moment lies: the precision of the platform.
fn whole_millisecond(time: Timestamp) -> Timestamp {
    let milliseconds = i64::try_from(time.as_nanosecond().div_euclid(1_000_000));
    milliseconds.ok().and_then(|it| Timestamp::from_millisecond(it).ok()).unwrap_or(time)
}

fn query(mut url: Url, client_id: &str, start: Timestamp) -> Url {
    url.query_pairs_mut()
        .append_pair("client_id", client_id)
        .append_pair("start", &format!("{start:.3}"))
        .append_pair("fields", "datetime,client_id")
        .append_pair("limit", "1");
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_asks_for_one_client_since_a_moment() {
        let url = Url::parse("https://apim.example.test/analytics/a/catalogs/o/c/events").unwrap();
        let start: Timestamp = "2026-01-05T09:00:00.1234Z".parse().unwrap();
        let expected = "client_id=a%26b&start=2026-01-05T09%3A00%3A00.123Z&fields=datetime%2Cclient_id&limit=1";
        assert_eq!(query(url, "a&b", start).query(), Some(expected));
    }
}
