//! Taking stock call by call, organisation, application, credential, where the whole-catalog listing is refused.

use std::{collections::VecDeque, sync::Arc};

use async_stream::try_stream;
use driver::{DriverError, Effect, Kind, Listing, ListingStream};
use tokio::task::JoinSet;
use url::Url;

use super::{
    api::{AppObject, CredentialObject},
    client::Client,
    listing::ended,
    paging,
    place::{Org, Place},
};

/// Tasks of a walk at the same time. The budget below decides how many calls are in flight; this only has to be well
/// above it, so that a call waits for every slot, and bounds the memory: applications that wait for their turn
/// are those of at most so many organisations.
const TASKS_MAX: usize = 256;
/// Credentials told at a time. Small enough to be told early, large enough that the listener's own work for each
/// page (a unit in a database, say) is not done for every application.
const FOUND_AT_A_TIME: usize = 500;

/// What one call of the walk brought.
enum Brought {
    Apps(Vec<Place>),
    Credentials(Listing),
}

pub(super) fn everything(client: Arc<Client>, orgs: Vec<Arc<Org>>) -> ListingStream<'static> {
    Box::pin(try_stream! {
        let mut orgs = orgs.into_iter();
        let mut places = VecDeque::new();
        let mut tasks: JoinSet<Result<Brought, DriverError>> = JoinSet::new();
        let mut told = Listing::default();
        loop {
            // Applications first: their number in waiting then shrinks before the next organisation adds to it.
            while tasks.len() < TASKS_MAX {
                let client = client.clone();
                if let Some(place) = places.pop_front() {
                    tasks.spawn(async move { credentials(&client, &place).await });
                } else if let Some(org) = orgs.next() {
                    tasks.spawn(async move { apps(&client, org).await });
                } else {
                    break;
                }
            }
            let Some(brought) = tasks.join_next().await else { break };
            match brought.map_err(ended)?? {
                Brought::Apps(more) => places.extend(more),
                Brought::Credentials(listing) => {
                    told.at = paging::earlier(told.at, listing.at);
                    told.found.extend(listing.found);
                    if told.found.len() >= FOUND_AT_A_TIME {
                        yield std::mem::take(&mut told);
                    }
                }
            }
        }
        yield told;
    })
}

async fn apps(client: &Client, org: Arc<Org>) -> Result<Brought, DriverError> {
    let list = paging::apps(client, &org.id)?;
    let apps = match list.whole::<AppObject>(client).await {
        Ok(apps) => apps.value,
        Err(error) => {
            unless_gone(client, error, client.consumer_org(&org.id)?).await?;
            Vec::new()
        }
    };
    apps.iter().map(|app| Place::read(org.clone(), app)).collect::<Result<_, _>>().map(Brought::Apps)
}

async fn credentials(client: &Client, place: &Place) -> Result<Brought, DriverError> {
    let at = place.locator();
    match paging::credentials(client, &at)?.whole::<CredentialObject>(client).await {
        Ok(list) => {
            let found = list.value.into_iter().map(|object| place.found(object)).collect::<Result<_, _>>()?;
            Ok(Brought::Credentials(Listing { found, declared: Vec::new(), total: None, at: list.at }))
        }
        Err(error) => {
            unless_gone(client, error, client.app(&at)?).await?;
            Ok(Brought::Credentials(Listing::default()))
        }
    }
}

/// Whatever is removed while we walk takes its credentials along, so a 404 is no error if the platform does not know
/// the parent any more. If it does, the walk has failed.
async fn unless_gone(client: &Client, error: DriverError, parent: Url) -> Result<(), DriverError> {
    if error.kind != Kind::NotFound {
        return Err(error);
    }
    match client.get::<serde::de::IgnoredAny>("asking for what was not found", parent).await {
        Err(gone) if gone.kind == Kind::NotFound => Ok(()),
        Err(other) => Err(other),
        Ok(_) => Err(DriverError::new(
            Kind::Protocol,
            Effect::NotApplied,
            format!("{}, although what it belongs to is there", error.message),
        )),
    }
}
