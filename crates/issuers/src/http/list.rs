//! Listing: one call that pages, and what stands where in its items.

use std::collections::HashSet;

use async_stream::try_stream;
use domain::{Handle, Marker, Owner, Parent};
use driver::{Declared, DriverError, Effect, Found, Kind, Listing, ListingStream, Method, Scope, Subject};
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use serde_json::Value;
use url::Url;

use super::{
    answer::{Answered, Intent},
    calls::pointer,
    client::{Client, names},
    config::{ListAnswer, RequestTable},
    described::Known,
    pointer::{self, Item, Pointer},
    request::Request,
    template::{self, Fillings},
    together::Together,
};

/// What a credential is called where the platform has no word for it.
const USUAL_NAME: &str = "key";
/// A listing of more pages goes in circles.
const PAGES_MAX: u32 = 100_000;
/// Calls for single applications at once; the issuer's own budget limits further.
const EACH_AT_ONCE: usize = 8;

#[derive(Debug)]
pub(super) struct List {
    request: Request,
    items: Pointer,
    within: Option<Pointer>,
    each: Option<(Request, Pointer)>,
    app: Pointer,
    app_id: Option<Pointer>,
    credential: Name,
    title: Option<Pointer>,
    id: Pointer,
    created_at: Pointer,
    expires_at: Option<Pointer>,
    marker: Option<Pointer>,
    owner: Option<Pointer>,
    owner_email: Option<Pointer>,
    only: Vec<(Pointer, Vec<Value>)>,
    next: Option<Pointer>,
    first_page: u32,
    /// Narrow looks where only the whole list tells.
    looks: Together<Listing>,
}

#[derive(Debug)]
enum Name {
    At(Pointer),
    All(String),
}

impl List {
    pub(super) fn check(request: RequestTable, answer: ListAnswer, base: template::Scope) -> Result<Self, String> {
        let request = Request::check("list", request, Method::Get, &base.public(["page"]))?;
        if answer.next.is_some() && request.names("page") {
            return Err("`list.next` and {page} are two ways to page; it is one of them".to_owned());
        }
        if answer.first_page.is_some() && !request.names("page") {
            return Err("`list.first_page` is what {page} begins with, which the request does not name".to_owned());
        }
        let credential = match answer.credential {
            Some(text) if text.starts_with(['/', '.']) => Name::At(item_pointer("list.credential", &text)?),
            Some(text) if text.is_empty() => return Err("`list.credential` is empty".to_owned()),
            Some(text) => Name::All(text),
            None => Name::All(USUAL_NAME.to_owned()),
        };
        let only =
            answer.only.into_iter().map(|(text, values)| Ok::<_, String>((item_pointer("list.only", &text)?, values)));
        Ok(Self {
            request,
            items: pointer("list.items", &answer.items)?,
            within: answer.within.map(|text| pointer("list.within", &text)).transpose()?,
            each: None,
            app: item_pointer("list.app", &answer.app)?,
            app_id: optional("list.app_id", answer.app_id)?,
            credential,
            title: optional("list.title", answer.title)?,
            id: item_pointer("list.id", &answer.id)?,
            created_at: item_pointer("list.created_at", &answer.created_at)?,
            expires_at: optional("list.expires_at", answer.expires_at)?,
            marker: optional("list.marker", answer.marker)?,
            owner: optional("list.owner", answer.owner)?,
            owner_email: optional("list.owner_email", answer.owner_email)?,
            only: only.collect::<Result<_, _>>()?,
            next: answer.next.map(|text| pointer("list.next", &text)).transpose()?,
            first_page: answer.first_page.unwrap_or(1),
            looks: Together::default(),
        })
    }

    /// Where the versions are shown by a call of their own, the application is known before it.
    pub(super) fn with_each(mut self, each: Option<(Request, Pointer)>) -> Result<Self, String> {
        if each.is_some() && self.within.is_some() {
            return Err(
                "`each` and `list.within` are two ways to the versions of an application; it is one of them".to_owned()
            );
        }
        let known_before = self.app.looks_outside() && self.app_id.as_ref().is_none_or(Pointer::looks_outside);
        if each.is_some() && !known_before {
            return Err(
                "`list.app` and `list.app_id` must look at the application, `../name`, since `each` needs them"
                    .to_owned(),
            );
        }
        let alone = each.is_none() && self.within.is_none();
        if alone && let Some(outside) = self.pointers().find(|pointer| pointer.looks_outside()) {
            return Err(format!("`list` has \"{outside}\", but without `within` or `each` there is no item around"));
        }
        self.each = each;
        Ok(self)
    }

    fn pointers(&self) -> impl Iterator<Item = &Pointer> {
        let name = match &self.credential {
            Name::At(pointer) => Some(pointer),
            Name::All(_) => None,
        };
        let optional = [&self.app_id, &self.title, &self.expires_at, &self.marker, &self.owner, &self.owner_email];
        let optional = optional.into_iter().filter_map(Option::as_ref).chain(name);
        [&self.app, &self.id, &self.created_at].into_iter().chain(optional).chain(self.only.iter().map(|(at, _)| at))
    }

    pub(super) fn shows_markers(&self) -> bool {
        self.marker.is_some()
    }

    /// Everything, page by page; or what belongs to one application.
    pub(super) fn list<'a>(&'a self, client: &'a Client, scope: Scope) -> ListingStream<'a> {
        match scope {
            Scope::All => self.pages(client),
            Scope::Siblings(subject) => Box::pin(stream::once(async move { self.siblings(client, &subject).await })),
        }
    }

    async fn siblings(&self, client: &Client, subject: &Subject) -> Result<Listing, DriverError> {
        if self.each.is_some() {
            let [app, _] = names(subject);
            let place = Place { app, app_id: subject.locator.clone() };
            let (found, at) = self.of_app(client, &Value::Null, &place).await?;
            return Ok(Listing { found, at, ..Listing::default() });
        }
        let whole = self.looks.read(|| self.whole(client)).await?;
        let found = whole.found.iter().filter(|found| found.locator == subject.locator).cloned().collect();
        Ok(Listing { found, at: whole.at, ..Listing::default() })
    }

    async fn whole(&self, client: &Client) -> Result<Listing, DriverError> {
        let mut all = Listing::default();
        let mut pages = self.pages(client);
        while let Some(page) = pages.try_next().await? {
            all.at = all.at.or(page.at);
            all.found.extend(page.found);
        }
        Ok(all)
    }

    fn pages<'a>(&'a self, client: &'a Client) -> ListingStream<'a> {
        Box::pin(try_stream! {
            let mut seen = HashSet::new();
            let mut turn = Turn::First;
            for page in 0..PAGES_MAX {
                let number = self.first_page.saturating_add(page).to_string();
                let answered = self.page(client, &number, turn).await?;
                let items = self.items_of(&answered)?;
                let at = answered.at;
                let found = self.found_in(client, items).await?;
                for one in &found {
                    if !seen.insert(one.handle.clone()) {
                        Err(moved(&one.handle))?;
                    }
                }
                let is_empty = items.is_empty();
                turn = match (&self.next, self.request.names("page")) {
                    (Some(next), _) => next_page(client, &answered, next)?,
                    (None, true) if !is_empty => Turn::First,
                    (None, _) => Turn::Over,
                };
                yield Listing { found, at, ..Listing::default() };
                if matches!(turn, Turn::Over) {
                    return;
                }
            }
            Err(DriverError::refused(Kind::Protocol, format!("the list has not ended after {PAGES_MAX} pages")))?;
        })
    }

    async fn page(&self, client: &Client, number: &str, turn: Turn) -> Result<Answered, DriverError> {
        let fillings = client.base().public("page", number);
        let asked = match turn {
            Turn::At(url) => client.ask_at(&self.request, url, &fillings).await?,
            Turn::First | Turn::Over => client.ask(&self.request, &fillings, Intent::Read).await?,
        };
        asked.map_err(|refusal| refusal.error)
    }

    fn items_of<'v>(&self, answered: &'v Answered) -> Result<&'v Vec<Value>, DriverError> {
        array(answered, &self.items)
    }

    async fn found_in(&self, client: &Client, items: &[Value]) -> Result<Vec<Found>, DriverError> {
        if self.each.is_some() {
            let calls: Vec<_> = items.iter().map(|outer| self.of_one(client, outer).boxed()).collect();
            let found: Vec<Vec<Found>> = stream::iter(calls).buffered(EACH_AT_ONCE).try_collect().await?;
            return Ok(found.into_iter().flatten().collect());
        }
        let mut found = Vec::with_capacity(items.len());
        for outer in items {
            let inner = match &self.within {
                None => std::slice::from_ref(outer),
                // An application without a version may well lack the list.
                Some(within) => within.of(outer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default(),
            };
            for inner in inner {
                let item = Item { inner, outer };
                if self.is_wanted(item) {
                    found.push(self.found(item, self.place(item)?)?);
                }
            }
        }
        Ok(found)
    }

    async fn of_one(&self, client: &Client, outer: &Value) -> Result<Vec<Found>, DriverError> {
        let place = self.place(Item { inner: outer, outer })?;
        Ok(self.of_app(client, outer, &place).await?.0)
    }

    async fn of_app(
        &self,
        client: &Client,
        outer: &Value,
        place: &Place,
    ) -> Result<(Vec<Found>, Option<domain::Timestamp>), DriverError> {
        let Some((request, items)) = &self.each else { return Ok((Vec::new(), None)) };
        let fillings: Fillings<'_> =
            client.base().public("app", place.app.as_str()).public("app_id", place.app_id.as_str());
        let answered = client.ask(request, &fillings, Intent::Read).await?.map_err(|refusal| refusal.error)?;
        let wanted =
            array(&answered, items)?.iter().map(|inner| Item { inner, outer }).filter(|item| self.is_wanted(*item));
        let found = wanted.map(|item| self.found(item, place.clone())).collect::<Result<_, _>>()?;
        Ok((found, answered.at))
    }

    fn is_wanted(&self, item: Item<'_>) -> bool {
        self.only.iter().all(|(at, values)| at.in_item(item).is_some_and(|value| values.contains(value)))
    }

    fn place(&self, item: Item<'_>) -> Result<Place, DriverError> {
        let app = want("app", &self.app, item, pointer::text)?;
        let app_id = match &self.app_id {
            Some(at) => want("app_id", at, item, pointer::text)?,
            None => app.clone(),
        };
        Ok(Place { app, app_id })
    }

    fn found(&self, item: Item<'_>, place: Place) -> Result<Found, DriverError> {
        let text = |at: &Option<Pointer>| at.as_ref().and_then(|at| pointer::text(at.in_item(item)?));
        let id = want("id", &self.id, item, pointer::text)?;
        let handle = Handle::parse(&id).map_err(|error| {
            DriverError::refused(Kind::Protocol, format!("an id in the list cannot be used: {error}"))
        })?;
        let (credential, title) = match &self.credential {
            Name::At(at) => {
                let name = want("credential", at, item, pointer::text)?;
                (name.clone(), name)
            }
            Name::All(name) => (name.clone(), place.app.clone()),
        };
        let owner = text(&self.owner).or_else(|| text(&self.owner_email));
        Ok(Found {
            names: vec![place.app, credential],
            title: text(&self.title).unwrap_or(title),
            handle,
            locator: place.app_id,
            kind: "",
            marker: text(&self.marker).as_deref().and_then(Marker::find),
            created_at: want("created_at", &self.created_at, item, pointer::time)?,
            expires_at: self.expires_at.as_ref().and_then(|at| pointer::time(at.in_item(item)?)),
            owner: owner.map(|name| Owner { name, email: text(&self.owner_email) }),
            parent: Parent::Enabled,
            protected: false,
            minted_from: None,
        })
    }
}

/// Application, by name and as addresses call it.
#[derive(Debug, Clone)]
struct Place {
    app: String,
    app_id: String,
}

/// How the next page is asked for.
enum Turn {
    /// As the request says.
    First,
    At(Url),
    Over,
}

/// The address of the next page. Our login goes there, so it must be the platform's own.
fn next_page(client: &Client, answered: &Answered, next: &Pointer) -> Result<Turn, DriverError> {
    let Some(link) = answered.at(next).and_then(pointer::text) else { return Ok(Turn::Over) };
    let url =
        client.at.endpoint.join(&link).map_err(|_| answered.unexpected("the link to the next page is no address"))?;
    if url.origin() != client.at.endpoint.origin() {
        return Err(answered.unexpected("the link to the next page leads to another host"));
    }
    Ok(Turn::At(url))
}

fn array<'v>(answered: &'v Answered, at: &Pointer) -> Result<&'v Vec<Value>, DriverError> {
    let list = answered.at(at).and_then(Value::as_array);
    list.ok_or_else(|| answered.unexpected(&format!("there is no list at \"{at}\"")))
}

fn want<T>(key: &str, at: &Pointer, item: Item<'_>, read: impl Fn(&Value) -> Option<T>) -> Result<T, DriverError> {
    at.in_item(item).and_then(read).ok_or_else(|| {
        let message = format!("an item of the list has no usable `{key}` at \"{at}\"");
        DriverError::refused(Kind::Protocol, message)
    })
}

/// One that comes twice shows that the list moved while it was read, and that another may have been passed over.
fn moved(handle: &Handle) -> DriverError {
    let message = format!("the list moved while it was read: `{handle}` came twice");
    DriverError::new(Kind::Conflict, Effect::NotApplied, message)
}

fn item_pointer(key: &str, text: &str) -> Result<Pointer, String> {
    Pointer::parse(text).map_err(|why| format!("`{key}` is \"{}\", which {why}", text.escape_debug()))
}

fn optional(key: &str, text: Option<String>) -> Result<Option<Pointer>, String> {
    text.map(|text| item_pointer(key, &text)).transpose()
}

/// What configuration names, where no call lists. A version that it knows is shown, and the rest is declared.
pub(super) fn configured(known: &[Known]) -> Listing {
    let mut listing = Listing::default();
    for Known { table, version } in known {
        let names = vec![table.app.clone(), table.credential.clone().unwrap_or_else(|| USUAL_NAME.to_owned())];
        let title = table.title.clone().unwrap_or_else(|| table.app.clone());
        let locator = table.app_id.clone().unwrap_or_else(|| table.app.clone());
        let name = table.owner.clone().or_else(|| table.owner_email.clone());
        let owner = name.map(|name| Owner { name, email: table.owner_email.clone() });
        match version {
            Some((handle, created_at)) => listing.found.push(Found {
                names,
                title,
                handle: handle.clone(),
                locator,
                kind: "",
                marker: None,
                created_at: *created_at,
                expires_at: None,
                owner,
                parent: Parent::Enabled,
                protected: false,
                minted_from: None,
            }),
            None => listing.declared.push(Declared { names, title, locator, kind: "", owner, minted_from: None }),
        }
    }
    listing
}
