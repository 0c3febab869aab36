//! Owners of apps that are no developers: AppGroups on X, companies on Edge.

use std::{collections::VecDeque, sync::Arc};

use async_stream::try_stream;
use driver::{DriverError, Effect, Kind, Listing, ListingStream};
use tokio::task::JoinSet;

use super::{
    api::{AppObject, AppPage, CompanyPage, GroupObject, GroupPage},
    client::{Answered, Client, is_refusal},
    config::Generation,
    listing::{Details, OWNERS_AT_ONCE, apps_of, next, place},
    place::{Owner, found},
};

const PAGE: &str = "1000";
const DOING: &str = "listing groups of apps";

/// What stands before a group's name in a path, the platform's own noun.
pub(super) fn word(generation: Generation) -> &'static str {
    match generation {
        Generation::X => "appgroup",
        Generation::Edge => "company",
    }
}

/// A group has no address of its own that the list shows.
pub(super) fn contact(name: &str) -> domain::Owner {
    domain::Owner { name: name.to_owned(), email: None }
}

/// The keys of all apps of all groups.
pub(super) fn everything(client: Arc<Client>) -> ListingStream<'static> {
    Box::pin(try_stream! {
        let mut rest = VecDeque::from(list(&client).await.map_err(|error| with_hint(&client, error))?);
        let mut tasks = JoinSet::new();
        loop {
            while tasks.len() < OWNERS_AT_ONCE && let Some(group) = rest.pop_front() {
                let client = client.clone();
                tasks.spawn(async move { keys_of(&client, group).await });
            }
            let Some(listing) = tasks.join_next().await else { break };
            yield listing.map_err(|error| {
                DriverError::new(Kind::Unavailable, Effect::NotApplied, format!("{DOING}: a task ended early: {error}"))
            })??;
        }
    })
}

/// A group that is not seen must not look like one that is gone: whoever has none says so.
pub(super) fn with_hint(client: &Client, mut error: DriverError) -> DriverError {
    if is_refusal(error.kind) {
        let what = word(client.generation);
        error.message = format!("{}; where there is no {what}, say `groups = false`", error.message);
    }
    error
}

pub(super) async fn list(client: &Client) -> Result<Vec<GroupObject>, DriverError> {
    if client.generation == Generation::Edge {
        let mut url = client.at(["companies"])?;
        url.set_query(Some("expand=true"));
        return Ok(client.get::<CompanyPage>(DOING, url).await?.value.company);
    }
    let (mut all, mut token) = (Vec::new(), String::new());
    loop {
        let mut url = client.at(["appgroups"])?;
        url.query_pairs_mut().append_pair("pageSize", PAGE);
        if !token.is_empty() {
            url.query_pairs_mut().append_pair("pageToken", &token);
        }
        let page = client.get::<GroupPage>(DOING, url).await?.value;
        all.extend(page.app_groups);
        match next(page.next_page_token, &token)? {
            Some(next) => token = next,
            None => return Ok(all),
        }
    }
}

async fn keys_of(client: &Client, group: GroupObject) -> Result<Listing, DriverError> {
    let name = group.display_name.as_deref().filter(|name| !name.trim().is_empty()).unwrap_or(&group.name);
    let details = Details { contact: contact(name), enabled: group.status.as_deref() != Some("inactive") };
    let owner = Owner::Group(group.name.clone());
    if client.generation == Generation::Edge {
        return apps_of(client, &owner, details).await;
    }
    let (mut listing, mut token) = (Listing::default(), String::new());
    loop {
        let mut url = client.at(["appgroups", &group.name, "apps"])?;
        url.query_pairs_mut().append_pair("pageSize", PAGE);
        if !token.is_empty() {
            url.query_pairs_mut().append_pair("pageToken", &token);
        }
        let page: Answered<AppPage> = client.get("listing apps", url).await?;
        listing.at = listing.at.or(page.at);
        for app in page.value.app {
            let place = place(client, owner.clone(), &app.name, Some(details.clone()));
            // The documents do not promise that this list shows keys.
            let app = match app.credentials {
                Some(_) => app,
                None => client.get::<AppObject>("reading the app", client.app(&place.locator)?).await?.value,
            };
            listing.found.extend(found(&place, app)?);
        }
        match next(page.value.next_page_token, &token)? {
            Some(next) => token = next,
            None => return Ok(listing),
        }
    }
}
