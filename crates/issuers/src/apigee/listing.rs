//! Taking stock: all keys of the organisation, and those of one app.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    sync::Arc,
};

use async_stream::try_stream;
use driver::{DriverError, Effect, Kind, Listing, ListingStream, Subject};
use futures_util::future::try_join;
use tokio::task::JoinSet;
use url::Url;

use super::{
    api::{APPROVED, AppObject, AppPage, DeveloperObject, DeveloperPage, EmailPage, REVOKED},
    client::{Answered, Client},
    config::Generation,
    groups,
    place::{Locator, Owner, Place, found},
};

/// The most that one page may hold.
const APPS_A_PAGE: &str = "1000";
const DEVELOPERS_A_PAGE: usize = 1000;
const OWN_APPS_A_PAGE: usize = 100;
/// Developers or groups whose apps are read at the same time.
pub(super) const OWNERS_AT_ONCE: usize = 16;
/// The list of apps shows what is approved unless it is asked for the rest, of apps and of keys. Revoked keys come first:
/// where a credential has both, what is told last of it is that it can be used.
const STATUSES: [(&str, &str); 4] =
    [(APPROVED, REVOKED), (REVOKED, REVOKED), (APPROVED, APPROVED), (REVOKED, APPROVED)];

pub(super) fn everything(client: &Arc<Client>) -> ListingStream<'static> {
    match client.generation {
        Generation::X => organisation(client.clone()),
        Generation::Edge => developer_by_developer(client.clone()),
    }
}

/// X lists the apps of all developers in one paged call.
fn organisation(client: Arc<Client>) -> ListingStream<'static> {
    Box::pin(try_stream! {
        let developers = Developers::read(&client).await?;
        let mut told = Told::default();
        for (status, key_status) in STATUSES {
            let mut token = String::new();
            loop {
                let page = client.get::<AppPage>("listing apps", apps(&client, status, key_status, &token)?).await?;
                let mut listing = Listing { at: page.at, ..Listing::default() };
                for app in page.value.app {
                    let place = developers.place(&client, &app)?;
                    listing.found.extend(told.anew(found(&place, app)?));
                }
                yield listing;
                match next(page.value.next_page_token, &token)? {
                    Some(next) => token = next,
                    None => break,
                }
            }
        }
        if client.groups {
            for await listing in groups::everything(client.clone()) {
                let mut listing = listing?;
                listing.found = told.anew(listing.found);
                yield listing;
            }
        }
    })
}

/// Edge lists the apps of one developer at a time. The calls run in tasks of their own, so that they go on while the
/// consumer of the stream works, and so that a stream that nobody polls holds nothing that another call waits for.
fn developer_by_developer(client: Arc<Client>) -> ListingStream<'static> {
    Box::pin(try_stream! {
        let developers = Developers::read(&client).await?;
        let mut rest = developers.all.into_values();
        let mut tasks = JoinSet::new();
        loop {
            while tasks.len() < OWNERS_AT_ONCE && let Some(developer) = rest.next() {
                let client = client.clone();
                tasks.spawn(async move { apps_of(&client, &developer.owner, developer.details()).await });
            }
            let Some(listing) = tasks.join_next().await else { break };
            yield listing.map_err(ended)??;
        }
        if client.groups {
            for await listing in groups::everything(client.clone()) {
                yield listing?;
            }
        }
    })
}

/// Keys told so far: the same app comes under several statuses, with all of its keys or with those of the status.
#[derive(Default)]
struct Told(HashSet<String>);

impl Told {
    fn anew(&mut self, mut found: Vec<driver::Found>) -> Vec<driver::Found> {
        found.retain(|one| self.0.insert(one.handle.as_str().to_owned()));
        found
    }
}

fn apps(client: &Client, status: &str, key_status: &str, token: &str) -> Result<Url, DriverError> {
    let mut url = client.at(["apps"])?;
    url.query_pairs_mut()
        .append_pair("expand", "true")
        .append_pair("includeCred", "true")
        .append_pair("pageSize", APPS_A_PAGE)
        .append_pair("status", status)
        .append_pair("keyStatus", key_status);
    if !token.is_empty() {
        url.query_pairs_mut().append_pair("pageToken", token);
    }
    Ok(url)
}

/// The token of the next page. One that repeats would be read for ever.
pub(super) fn next(token: Option<String>, before: &str) -> Result<Option<String>, DriverError> {
    match token.filter(|token| !token.is_empty()) {
        Some(token) if token == before => Err(changed("a list repeats the token of its page")),
        token => Ok(token),
    }
}

pub(super) fn changed(why: &str) -> DriverError {
    DriverError::new(Kind::Conflict, Effect::NotApplied, why)
}

fn ended(error: tokio::task::JoinError) -> DriverError {
    DriverError::new(Kind::Unavailable, Effect::NotApplied, format!("listing apps: a task ended early: {error}"))
}

/// Who is asked when an app's keys are due, and whether the app works at all.
#[derive(Debug, Clone)]
pub(super) struct Details {
    pub contact: domain::Owner,
    pub enabled: bool,
}

struct Developer {
    owner: Owner,
    object: DeveloperObject,
}

impl Developer {
    fn details(&self) -> Details {
        let names = [&self.object.first_name, &self.object.last_name];
        let names: Vec<&str> =
            names.into_iter().flatten().map(|name| name.trim()).filter(|it| !it.is_empty()).collect();
        let email = self.object.email.clone();
        let name = if names.is_empty() { email.clone() } else { names.join(" ") };
        let enabled = self.object.status.as_deref() != Some("inactive");
        Details { contact: domain::Owner { name, email: Some(email) }, enabled }
    }
}

/// The developers of the organisation, by e-mail address and by id.
struct Developers {
    all: HashMap<String, Developer>,
    by_id: HashMap<String, String>,
}

impl Developers {
    /// The expanded list cannot be paged, so it may end early. The bare one is read whole, and whoever lacks in the
    /// expanded one is asked for alone.
    async fn read(client: &Client) -> Result<Self, DriverError> {
        let mut url = client.at(["developers"])?;
        url.set_query(Some("expand=true"));
        let expanded = client.get::<DeveloperPage>("listing developers", url);
        let (emails, expanded) = try_join(emails(client), expanded).await?;
        let mut objects: HashMap<String, DeveloperObject> =
            expanded.value.developer.into_iter().map(|object| (object.email.clone(), object)).collect();
        for email in emails {
            if let Entry::Vacant(entry) = objects.entry(email) {
                let url = client.at(["developers", entry.key()])?;
                let object = client.get::<DeveloperObject>("reading a developer", url).await?.value;
                entry.insert(object);
            }
        }
        let mut developers = Self { all: HashMap::new(), by_id: HashMap::new() };
        for (email, object) in objects {
            developers.by_id.extend(object.developer_id.clone().map(|id| (id, email.clone())));
            let owner = Owner::Developer(email.clone());
            developers.all.insert(email, Developer { owner, object });
        }
        Ok(developers)
    }

    fn place(&self, client: &Client, app: &AppObject) -> Result<Place, DriverError> {
        if let Some(group) = app.app_group.as_ref().filter(|group| !group.is_empty()) {
            let details = Details { contact: groups::contact(group), enabled: true };
            return Ok(place(client, Owner::Group(group.clone()), &app.name, Some(details)));
        }
        let email = app.developer_id.as_ref().and_then(|id| self.by_id.get(id));
        let developer = email.and_then(|email| self.all.get(email)).ok_or_else(|| {
            changed(&format!("the app `{}` belongs to a developer whom the list of developers does not show", app.name))
        })?;
        Ok(place(client, developer.owner.clone(), &app.name, Some(developer.details())))
    }
}

pub(super) fn place(client: &Client, owner: Owner, app: &str, details: Option<Details>) -> Place {
    let level = owner.level(groups::word(client.generation));
    let enabled = details.as_ref().is_none_or(|details| details.enabled);
    Place { locator: Locator { owner, app: app.to_owned() }, level, owner: details.map(|it| it.contact), enabled }
}

/// The addresses of all developers.
pub(super) async fn emails(client: &Client) -> Result<Vec<String>, DriverError> {
    let mut all = Keyed::new(DEVELOPERS_A_PAGE);
    loop {
        let url = all.page(client.at(["developers"])?);
        let page: Answered<EmailPage> = client.get("listing developers", url).await?;
        if !all.take(page.value.into_emails(), String::as_str) {
            return Ok(all.items);
        }
    }
}

/// The apps of one developer or company, with their keys.
pub(super) async fn apps_of(client: &Client, owner: &Owner, details: Details) -> Result<Listing, DriverError> {
    let owners = if matches!(owner, Owner::Developer(_)) { "developers" } else { "companies" };
    let mut all = Keyed::new(OWN_APPS_A_PAGE);
    let mut at = None;
    loop {
        let mut url = all.page(client.at([owners, owner.name(), "apps"])?);
        url.query_pairs_mut().append_pair("expand", "true");
        let page: Answered<AppPage> = client.get("listing apps", url).await?;
        at = at.or(page.at);
        if !all.take(page.value.app, |app: &AppObject| app.name.as_str()) {
            break;
        }
    }
    let mut listing = Listing { at, ..Listing::default() };
    for app in all.items {
        let place = place(client, owner.clone(), &app.name, Some(details.clone()));
        listing.found.extend(found(&place, app)?);
    }
    Ok(listing)
}

/// A list in pages that begin with the last entry of the page before. A private cloud knows no pages and sends all.
struct Keyed<T> {
    items: Vec<T>,
    names: HashSet<String>,
    last: Option<String>,
    count: usize,
}

impl<T> Keyed<T> {
    fn new(count: usize) -> Self {
        Self { items: Vec::new(), names: HashSet::new(), last: None, count }
    }

    fn page(&self, mut url: Url) -> Url {
        url.query_pairs_mut().append_pair("count", &self.count.to_string());
        if let Some(last) = &self.last {
            url.query_pairs_mut().append_pair("startKey", last);
        }
        url
    }

    /// Whether there may be more. What was met before is dropped, so that a list that ignores `startKey` ends too.
    fn take(&mut self, page: Vec<T>, name: impl Fn(&T) -> &str) -> bool {
        let (length, before) = (page.len(), self.items.len());
        for item in page {
            if self.names.insert(name(&item).to_owned()) {
                self.last = Some(name(&item).to_owned());
                self.items.push(item);
            }
        }
        length == self.count && self.items.len() > before
    }
}

/// The keys of the subject's app, and nothing else. An app that is gone has none.
pub(super) async fn siblings(client: &Client, subject: &Subject) -> Result<Listing, DriverError> {
    let locator = Locator::of(subject)?;
    match client.get::<AppObject>("reading the app", client.app(&locator)?).await {
        Ok(answered) => {
            let place = place(client, locator.owner, &locator.app, None);
            Ok(Listing { found: found(&place, answered.value)?, at: answered.at, ..Listing::default() })
        }
        Err(error) if error.kind == Kind::NotFound => Ok(Listing::default()),
        Err(error) => Err(error),
    }
}

/// Asks for the smallest list of apps, to see whether it may be had.
pub(super) async fn is_readable(client: &Client, emails: &[String]) -> Result<(), DriverError> {
    match (client.generation, emails.first()) {
        (Generation::X, _) => {
            client.get::<AppPage>("listing apps", apps(client, APPROVED, APPROVED, "")?).await.map(drop)
        }
        (Generation::Edge, Some(email)) => {
            let mut url = client.at(["developers", email, "apps"])?;
            url.set_query(Some("expand=true"));
            client.get::<AppPage>("listing apps", url).await.map(drop)
        }
        (Generation::Edge, None) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entry_that_a_page_repeats_counts_once() {
        let mut all = Keyed::new(3);
        let names = |text: &str| text.chars().map(String::from).collect::<Vec<_>>();
        assert!(all.take(names("abc"), String::as_str));
        assert!(all.page("https://x.test/".parse().unwrap()).as_str().ends_with("?count=3&startKey=c"));
        assert!(all.take(names("cde"), String::as_str));
        assert!(!all.take(names("e"), String::as_str));
        assert_eq!(all.items.concat(), "abcde");
    }

    #[test]
    fn a_list_without_pages_ends() {
        let names = || vec!["a".to_owned(), "b".to_owned()];
        let mut longer = Keyed::new(1);
        assert!(!longer.take(names(), String::as_str));
        let mut equal = Keyed::new(2);
        assert!(equal.take(names(), String::as_str));
        assert!(!equal.take(names(), String::as_str));
        assert_eq!(equal.items.len(), 2);
    }
}
