//! A key of our choosing that may do what the one before it may do.
//!
//! The platform takes the value first and the products after it, and some of them wait for an approval. On Edge a key
//! without products may open everything, and a gateway that meets a key half made remembers it so for minutes. So a new
//! key is switched off by the very next call, made complete, read back, and switched on last: what gateways hear of it
//! is one change. The app itself is never written: creating a key *there* would replace its attributes and callback.

use std::{collections::BTreeSet, sync::Arc};

use domain::Timestamp;
use driver::{DriverError, Effect, HttpRequest, HttpResponse, IssueRequest, Issued, Kind, Method};
use secret::{Secret, SecretMap};
use url::Url;

use super::{
    CONSUMER_KEY, CONSUMER_SECRET,
    answer::{Intent, is_gone, parse, refusal},
    api::{AppObject, KeyContent, KeyMore, KeyObject, NewKey, ProductObject},
    client::{Client, about_key, child},
    config::Generation,
    key::ConsumerKey,
    place::Locator,
    switch::{Switch, action, switch},
};

pub(super) async fn issue(client: &Arc<Client>, request: &IssueRequest<'_>) -> Result<Issued, DriverError> {
    let (key, secret) = chosen(request)?;
    let key = &key;
    let at = Locator::of(&request.subject)?;
    let app: AppObject = client.get("reading the app", client.app(&at)?).await?.value;
    let keys = app.credentials.unwrap_or_default();
    let there = keys.iter().find(|it| it.consumer_key.handle() == key.handle());
    let model = model(&at, &keys, request)?;
    let successor = Successor { client, at: &at, key, model: &model };
    let state = match there {
        Some(there) => State::of(there),
        None => successor.create(secret).await?,
    };
    let done = successor.complete(state).await?;
    let created_at = done.issued_at.and_then(|time| time.0).ok_or_else(|| {
        DriverError::new(Kind::Protocol, Effect::Unknown, "reading the key back: it has no time of issue")
    })?;
    let name = key.name(keys.iter().map(|it| &it.consumer_key));
    Ok(Issued {
        handle: key.handle().clone(),
        title: name.clone(),
        name,
        created_at,
        expires_at: done.expires_at.and_then(|time| time.0),
        secret: SecretMap::new([
            (CONSUMER_KEY.to_owned(), key.secret().duplicate()),
            (CONSUMER_SECRET.to_owned(), secret.duplicate()),
        ]),
    })
}

fn chosen<'a>(request: &'a IssueRequest<'_>) -> Result<(ConsumerKey, &'a Secret), DriverError> {
    let fields = request.chosen.map(|chosen| (chosen.get(CONSUMER_KEY), chosen.get(CONSUMER_SECRET)));
    let Some((Some(key), Some(secret))) = fields else {
        return Err(DriverError::refused(Kind::Invalid, "no key and secret were chosen"));
    };
    match ConsumerKey::new(key.duplicate()) {
        Some(key) if secret.expose_text().is_some() => Ok((key, secret)),
        _ => Err(DriverError::refused(Kind::Invalid, "the chosen key and secret are no text")),
    }
}

/// The key that is replaced, by the platform's own record of its app: a list may be old.
fn model(at: &Locator, keys: &[KeyObject], request: &IssueRequest<'_>) -> Result<Model, DriverError> {
    let Some(replaced) = &request.replaces else {
        let message = "no key is replaced, so nothing tells which products the new one is to have";
        return Err(DriverError::refused(Kind::Invalid, message));
    };
    keys.iter().find(|it| it.consumer_key.handle() == replaced).map(Model::of).ok_or_else(|| {
        let message = format!("the app `{}` has no such key as the one that is replaced", at.app);
        DriverError::refused(Kind::NotFound, message)
    })
}

/// What the key that is replaced may do.
struct Model {
    key: KeyObject,
}

impl Model {
    fn of(key: &KeyObject) -> Self {
        Self { key: key.clone() }
    }

    /// The successor must have these, approved.
    fn approved(&self) -> impl Iterator<Item = &str> {
        self.key.api_products.iter().filter(|it| it.is_approved()).map(|it| it.apiproduct.as_str())
    }

    /// The successor asks for these. What was revoked from the old key is not given to the new one.
    fn wanted(&self) -> Vec<&str> {
        let revoked = |it: &ProductObject| it.status.as_deref() == Some(super::api::REVOKED);
        self.key.api_products.iter().filter(|it| !revoked(it)).map(|it| it.apiproduct.as_str()).collect()
    }

    /// As long as the old one was to live, in seconds.
    fn life(&self) -> Option<i64> {
        let time = |time: Option<super::api::Time>| time.and_then(|time| time.0).map(Timestamp::as_second);
        Some(time(self.key.expires_at)? - time(self.key.issued_at)?).filter(|life| *life > 0)
    }
}

/// How far the new key has come.
struct State {
    on: bool,
    /// Products by name, with whether they are approved.
    products: Vec<(String, bool)>,
}

impl State {
    /// As the platform makes it.
    fn new() -> Self {
        Self { on: true, products: Vec::new() }
    }

    fn of(key: &KeyObject) -> Self {
        let products = key.api_products.iter().map(|it| (it.apiproduct.clone(), it.is_approved())).collect();
        Self { on: !key.is_revoked(), products }
    }

    fn has(&self, product: &str) -> bool {
        self.products.iter().any(|(name, _)| name == product)
    }

    fn approves(&self, product: &str) -> bool {
        self.products.iter().any(|(name, approved)| name == product && *approved)
    }
}

struct Successor<'a> {
    client: &'a Client,
    at: &'a Locator,
    key: &'a ConsumerKey,
    model: &'a Model,
}

impl Successor<'_> {
    /// Has the platform take our value. That it exists already means one of two things: it is what an answer that was
    /// lost has made, or somebody else's.
    async fn create(&self, secret: &Secret) -> Result<State, DriverError> {
        const DOING: &str = "creating the key";
        let mut url = self.client.keys(self.at)?;
        if self.client.generation == Generation::Edge {
            url = child(url.clone(), "create").unwrap_or(url);
        }
        let life = self.model.life().filter(|_| self.client.generation == Generation::X);
        let body = NewKey {
            consumer_key: self.key.expose_text(),
            consumer_secret: secret.expose_text().unwrap_or_default(),
            expires_in_seconds: life.map(|seconds| seconds.to_string()),
        };
        let response = self.client.exchange(HttpRequest::new(Method::Post, url).json(&body)).await?;
        if response.is_success() {
            return Ok(State::new());
        }
        let error = refusal(DOING, Intent::Write, &response, &[secret, self.key.secret()]);
        if response.status != 409 {
            return Err(error);
        }
        let there = self.client.exchange(about_key(Method::Get, self.url()?)).await.map_err(left_behind)?;
        if there.is_success() {
            return Ok(State::of(&parse::<KeyObject>(DOING, &there, Effect::Unknown)?));
        }
        if is_gone(&there) {
            return Err(error);
        }
        Err(left_behind(self.refusal("reading the key that exists already", Intent::Read, &there)))
    }

    /// Brings a key that is there to what it is to be, from wherever an earlier attempt has left it.
    async fn complete(&self, mut state: State) -> Result<KeyObject, DriverError> {
        let lacks = |state: &State| {
            self.model.wanted().iter().any(|product| !state.has(product))
                || self.model.approved().any(|product| !state.approves(product))
        };
        if state.on && lacks(&state) {
            switch(self.client, self.at, self.key, Switch::Off).await.map_err(left_behind)?;
            state.on = false;
        }
        let missing: Vec<&str> = self.model.wanted().into_iter().filter(|product| !state.has(product)).collect();
        if !missing.is_empty() || !self.model.key.attributes.is_empty() || !self.model.key.scopes.is_empty() {
            state.products = self.add(missing).await?.products;
        }
        let waiting: BTreeSet<&str> = self.model.approved().filter(|product| !state.approves(product)).collect();
        let mut refused = None;
        for product in waiting {
            if let Err(error) = self.approve(product).await {
                refused = Some(error);
                break;
            }
        }
        let key = self.read_back(refused).await.map_err(left_behind)?;
        if key.is_revoked() {
            switch(self.client, self.at, self.key, Switch::On).await.map_err(left_behind)?;
        }
        Ok(key)
    }

    /// Adds products, and gives the key the attributes and scopes of the one before it.
    async fn add(&self, products: Vec<&str>) -> Result<State, DriverError> {
        const DOING: &str = "giving the key its products";
        let model = &self.model.key;
        let more = KeyMore { attributes: &model.attributes, scopes: &model.scopes };
        let more = Some(more).filter(|more| !more.attributes.is_empty() || !more.scopes.is_empty());
        let (more, app_group_app_key) = if self.client.in_app_group(self.at) { (None, more) } else { (more, None) };
        let body = KeyContent { api_products: products, more, app_group_app_key, action: None };
        let request = about_key(Method::Post, self.url()?).json(&body);
        let response = self.client.exchange(request).await.map_err(left_behind)?;
        if response.is_success() {
            return Ok(State::of(&parse::<KeyObject>(DOING, &response, Effect::Unknown)?));
        }
        let error = self.refusal(DOING, Intent::Write, &response);
        match error.kind {
            Kind::Invalid | Kind::Forbidden | Kind::NotFound | Kind::Conflict => Err(self.take_away(error).await),
            _ => Err(left_behind(error)),
        }
    }

    /// The platform will not give it what it needs, now or later: a key without products must not stay.
    async fn take_away(&self, error: DriverError) -> DriverError {
        let removed = match self.url() {
            Ok(url) => self.client.exchange(about_key(Method::Delete, url)).await,
            Err(error) => Err(error),
        };
        let removed = removed.is_ok_and(|response| response.is_success() || is_gone(&response));
        let what = if removed { "the key was removed again" } else { "a key without products may be left" };
        let effect = if removed { Effect::NotApplied } else { Effect::Unknown };
        DriverError { effect, message: format!("{}; {what}", error.message), ..error }
    }

    async fn approve(&self, product: &str) -> Result<(), DriverError> {
        let mut url = self.client.product(self.at, self.key, product)?;
        url.set_query(Some("action=approve"));
        let response = self.client.exchange(action(url)).await?;
        if response.is_success() { Ok(()) } else { Err(self.refusal("approving a product", Intent::Write, &response)) }
    }

    /// A key with a product that waits for approval looks well and fails at the gateway: it is no success.
    async fn read_back(&self, refused: Option<DriverError>) -> Result<KeyObject, DriverError> {
        let key: KeyObject = self.client.get_of_key("reading the key back", self.url()?, self.key).await?.value;
        let state = State::of(&key);
        let waiting: Vec<String> =
            self.model.approved().filter(|it| !state.approves(it)).map(|it| format!("`{it}`")).collect();
        if waiting.is_empty() {
            return Ok(key);
        }
        if let Some(error) = refused.filter(|error| error.kind.is_transient() || error.kind.is_systemic()) {
            return Err(error);
        }
        // Whoever approves wants to know of all of them: the next try would name the next one only.
        let (products, wait, them) = match waiting.len() {
            1 => ("product", "waits", "it"),
            _ => ("products", "wait", "them"),
        };
        let message = format!(
            "the new key is made, but its {products} {} {wait} for approval; approve {them} at the platform for the app \
             `{}`",
            waiting.join(", "),
            self.at.app
        );
        Err(DriverError::refused(Kind::Invalid, message))
    }

    fn url(&self) -> Result<Url, DriverError> {
        self.client.key(self.at, self.key)
    }

    fn refusal(&self, doing: &str, intent: Intent, response: &HttpResponse) -> DriverError {
        refusal(doing, intent, response, &[self.key.secret()])
    }
}

/// There is a key by now, so whatever fails leaves something behind.
fn left_behind(error: DriverError) -> DriverError {
    DriverError { effect: Effect::Unknown, ..error }
}
