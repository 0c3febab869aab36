//! Taking stock: the whole catalog in a few large pages where the platform allows it, and one application's credentials.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use async_stream::try_stream;
use domain::CredentialId;
use driver::{DriverError, Effect, Kind, Listing, ListingStream, Subject};
use futures_util::future::{join, try_join3};
use tokio::task::JoinSet;

use super::{
    address::uuid_bits,
    api::{AppObject, ConsumerOrgObject, CredentialObject, Embedded, Page},
    client::{Answered, Client},
    paging::{self, List, PAGES_AT_ONCE},
    place::{Locator, Org, Place, ids_of_app},
    walk,
};

type Orgs = HashMap<String, Arc<Org>>;

/// Every credential of the catalog. The calls run in tasks of their own, so that they go on while the consumer of
/// the stream works on a page, and so that a stream that nobody polls holds nothing that another call waits for.
pub(super) fn everything(client: &Arc<Client>) -> ListingStream<'static> {
    let client = client.clone();
    Box::pin(try_stream! {
        let (orgs, first) = join(consumer_orgs(&client), first_page(&client)).await;
        match first? {
            None => {
                for await listing in walk::everything(client.clone(), orgs?) {
                    yield listing?;
                }
            }
            Some(first) => {
                let orgs = match orgs {
                    Ok(orgs) => orgs,
                    // The applications carry their organisation; only its owner stays unknown.
                    Err(error) if is_refusal(error.kind) => Vec::new(),
                    Err(error) => Err(error)?,
                };
                let orgs: Orgs = orgs.into_iter().map(|org| (org.id.clone(), org)).collect();
                for await listing in pages(client.clone(), orgs, first) {
                    yield listing?;
                }
            }
        }
    })
}

/// Organisations with their owners. The list of applications embeds the organisation, but not its owner.
pub(super) async fn consumer_orgs(client: &Client) -> Result<Vec<Arc<Org>>, DriverError> {
    let objects = paging::consumer_orgs(client)?.whole::<ConsumerOrgObject>(client).await?.value;
    objects.into_iter().map(|object| Org::read(object).map(Arc::new)).collect()
}

/// The first page of the whole catalog; `None` where the account may not list it, or where the platform embeds less
/// than a stocktaking needs, which it does without an error.
pub(super) async fn first_page(client: &Client) -> Result<Option<Answered<Page<AppObject>>>, DriverError> {
    match paging::catalog_apps(client)?.first::<AppObject>(client).await {
        Ok(page) => Ok(Some(page).filter(|page| embeds_whole_credentials(&page.value.results))),
        Err(error) if is_refusal(error.kind) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether every application brought its credentials, and each of them its age and, if it has one, our marker. A
/// platform that leaves out empty summaries is told from one that embeds none by a credential that has one.
fn embeds_whole_credentials(apps: &[AppObject]) -> bool {
    let mut credentials = apps.iter().filter_map(|app| app.credentials.as_ref()).flat_map(Embedded::results).peekable();
    let none_at_all = credentials.peek().is_none();
    let (mut dated, mut summary_seen) = (true, none_at_all);
    for credential in credentials {
        dated &= credential.created_at.is_some();
        summary_seen |= credential.summary.is_some();
    }
    apps.iter().all(|app| app.credentials.is_some()) && dated && summary_seen
}

/// The platform knows us and refuses this call, now and next time.
pub(super) fn is_refusal(kind: Kind) -> bool {
    matches!(kind, Kind::Forbidden | Kind::NotFound | Kind::Invalid)
}

fn pages(client: Arc<Client>, orgs: Orgs, first: Answered<Page<AppObject>>) -> ListingStream<'static> {
    Box::pin(try_stream! {
        let list = paging::catalog_apps(&client)?;
        let orgs = Arc::new(orgs);
        let mut seen = Seen::default();
        let mut rest = paging::later_pages(first.value.results.len() as u64, first.value.total_results);
        seen.add(&list, &first.value.results)?;
        yield listing(&client, &orgs, first).await?;

        let mut tasks = JoinSet::new();
        loop {
            while tasks.len() < PAGES_AT_ONCE && let Some(at) = rest.next() {
                let (client, list) = (client.clone(), list.clone());
                tasks.spawn(async move { list.later_settled::<AppObject>(&client, at).await });
            }
            let Some(page) = tasks.join_next().await else { break };
            let page = page.map_err(ended)??;
            seen.add(&list, &page.value.results)?;
            yield listing(&client, &orgs, page).await?;
        }
    })
}

/// Applications met so far. One that comes twice shows that the list moved under us, and another was skipped.
#[derive(Default)]
struct Seen(HashSet<u128>);

impl Seen {
    fn add(&mut self, list: &List, apps: &[AppObject]) -> Result<(), DriverError> {
        for app in apps {
            let id = app.id.as_deref().or_else(|| ids_of_app(app).map(|[_, id]| id)).and_then(uuid_bits);
            if id.is_some_and(|id| !self.0.insert(id)) {
                let message = format!("{}: the list moved while it was read, `{}` came twice", list.doing, app.name);
                return Err(DriverError::new(Kind::Conflict, Effect::NotApplied, message));
            }
        }
        Ok(())
    }
}

async fn listing(client: &Client, orgs: &Orgs, page: Answered<Page<AppObject>>) -> Result<Listing, DriverError> {
    let mut found = Vec::with_capacity(page.value.results.len());
    for mut app in page.value.results {
        let credentials = app.credentials.take();
        let place = place(orgs, &mut app)?;
        for credential in complete(client, &place, &app, credentials.map(|list| list.into_results())).await? {
            found.push(place.found(credential)?);
        }
    }
    Ok(Listing { found, declared: Vec::new(), total: None, at: page.at })
}

fn place(orgs: &Orgs, app: &mut AppObject) -> Result<Place, DriverError> {
    let embedded = app.consumer_org.take();
    let org_id =
        embedded.as_ref().and_then(|org| org.id.as_deref()).or_else(|| ids_of_app(app).map(|[org_id, _]| org_id));
    let org = match (org_id.and_then(|id| orgs.get(id)), embedded) {
        (Some(org), _) => org.clone(),
        (None, Some(embedded)) => Arc::new(Org::read(embedded)?),
        (None, None) => {
            let message = format!("the application `{}` came without its consumer organisation", app.name);
            return Err(DriverError::refused(Kind::Protocol, message));
        }
    };
    Place::read(org, app)
}

/// The embedded credentials, if they are as many as the application says it has; otherwise the list of their own.
async fn complete(
    client: &Client,
    place: &Place,
    app: &AppObject,
    embedded: Option<Vec<CredentialObject>>,
) -> Result<Vec<CredentialObject>, DriverError> {
    match (embedded, &app.app_credential_urls) {
        (Some(embedded), None) => Ok(embedded),
        (Some(embedded), Some(urls)) if urls.len() == embedded.len() => Ok(embedded),
        _ => Ok(paging::credentials(client, &place.locator())?.whole(client).await?.value),
    }
}

/// All credentials of the subject's application. The organisation is asked for its state, which decides whether silence
/// means anything. Its owner is not told, as it does not change within a rotation.
pub(super) async fn siblings(client: &Client, subject: &Subject) -> Result<Listing, DriverError> {
    let at = Locator::of(subject)?;
    let list = paging::credentials(client, &at)?;
    let app = client.get::<AppObject>("reading the application", client.app(&at)?);
    let (org, app, credentials) =
        try_join3(org_is_enabled(client, &at), app, list.whole::<CredentialObject>(client)).await?;
    // The name is the identifier's, so that one that was changed does not make another credential of this one.
    let name = name_of_org(&subject.credential).unwrap_or_default();
    let org_at = org.at;
    let org = Org { id: at.org_id, name, owner: None, enabled: org.value };
    let place = Place::read(Arc::new(org), &app.value)?;
    let found = credentials.value.into_iter().map(|credential| place.found(credential)).collect::<Result<_, _>>()?;
    Ok(Listing {
        found,
        declared: Vec::new(),
        total: None,
        at: paging::earlier(org_at, paging::earlier(app.at, credentials.at)),
    })
}

/// Whether the organisation is enabled. An account that may not read organisations finds it embedded in the list of
/// their applications, as a listing of the whole catalog does.
async fn org_is_enabled(client: &Client, at: &Locator) -> Result<Answered<bool>, DriverError> {
    let asked = client.get::<ConsumerOrgObject>("reading the consumer organisation", client.consumer_org(&at.org_id)?);
    match asked.await {
        Ok(org) => Ok(Answered { value: Org::read(org.value)?.enabled, at: org.at }),
        Err(error) if error.kind == Kind::Forbidden => {
            let apps = paging::apps_with_org(client, &at.org_id)?.whole::<AppObject>(client).await?;
            let embedded = apps.value.into_iter().find_map(|app| app.consumer_org);
            // Without it nothing tells the state, and the refusal names the right that is missing.
            let org = embedded.ok_or(error)?;
            Ok(Answered { value: Org::read(org)?.enabled, at: apps.at })
        }
        Err(error) => Err(error),
    }
}

/// The organisation's name from the identifier, with the escapes of [`CredentialId`] taken back.
fn name_of_org(id: &CredentialId) -> Option<String> {
    let name = id.path().split('/').next()?;
    Some(name.replace("%2F", "/").replace("%25", "%"))
}

/// A task that was aborted or panicked: the listing is not complete.
pub(super) fn ended(error: tokio::task::JoinError) -> DriverError {
    DriverError::new(Kind::Protocol, Effect::NotApplied, format!("a part of the listing ended early: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_organisation_survives_the_identifier() {
        for name in ["acme", "a/b", "a%2Fb", "100%"] {
            let id = CredentialId::new("apic", [name, "app", "key"]).unwrap();
            assert_eq!(name_of_org(&id).as_deref(), Some(name));
        }
    }
}
