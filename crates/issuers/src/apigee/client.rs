//! Addresses at the platform, and calls to them.

use std::sync::Arc;

use domain::Handle;
use driver::{DriverError, Effect, HttpRequest, HttpResponse, Kind, Method, Ports};
use jiff::Timestamp;
use secret::Secret;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use url::Url;

use super::{
    account::Login,
    answer::{Intent, from_platform, parse},
    api::AppObject,
    config::{Checked, Generation},
    key::ConsumerKey,
    place::{Locator, Owner},
    wire::Wire,
};

#[derive(Debug)]
pub(super) struct Client {
    pub wire: Arc<Wire>,
    pub login: Login,
    pub generation: Generation,
    pub organization: String,
    /// Those that the configuration names.
    pub environments: Vec<String>,
    /// Those that the organisation has, and when it said so.
    pub known_environments: Mutex<Option<(Timestamp, Vec<String>)>>,
    pub groups: bool,
    root: Url,
}

/// A value with the platform's time of the answer.
#[derive(Debug)]
pub(super) struct Answered<T> {
    pub value: T,
    pub at: Option<Timestamp>,
}

/// A key with what it is called.
#[derive(Debug)]
pub(super) struct InApp {
    pub key: ConsumerKey,
    pub name: String,
}

impl Client {
    pub(super) fn new(checked: Checked, ports: &Ports) -> Self {
        let wire = Arc::new(Wire::new(ports));
        Self {
            login: Login::new(wire.clone(), checked.account),
            wire,
            generation: checked.generation,
            organization: checked.organization,
            environments: checked.environments,
            known_environments: Mutex::default(),
            groups: checked.groups,
            root: checked.endpoint,
        }
    }

    /// An address in the organisation. MUST refuse an empty segment: the address of a key without the key is that of
    /// all keys of the app. Dots are refused because URL parsers on the way take them for "here" and "one up".
    pub(super) fn at<'a>(&'a self, segments: impl IntoIterator<Item = &'a str>) -> Result<Url, DriverError> {
        let mut url = self.root.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["v1", "organizations"]);
        }
        for segment in [self.organization.as_str()].into_iter().chain(segments) {
            let message = || format!("`{}` is no segment of an address", segment.escape_default());
            url = child(url, segment).ok_or_else(|| DriverError::refused(Kind::Invalid, message()))?;
        }
        Ok(url)
    }

    pub(super) fn app<'a>(&'a self, at: &'a Locator) -> Result<Url, DriverError> {
        self.at([self.owners(&at.owner), at.owner.name(), "apps", at.app.as_str()])
    }

    pub(super) fn keys<'a>(&'a self, at: &'a Locator) -> Result<Url, DriverError> {
        self.at([self.owners(&at.owner), at.owner.name(), "apps", at.app.as_str(), "keys"])
    }

    /// What is sent there is [`about_key`].
    pub(super) fn key(&self, at: &Locator, key: &ConsumerKey) -> Result<Url, DriverError> {
        child(self.keys(at)?, key.expose_text()).ok_or_else(|| {
            let message = format!("a key of the app `{}` is no segment of an address", at.app);
            DriverError::refused(Kind::Invalid, message)
        })
    }

    pub(super) fn product(&self, at: &Locator, key: &ConsumerKey, product: &str) -> Result<Url, DriverError> {
        let url = child(self.key(at, key)?, "apiproducts").and_then(|url| child(url, product));
        url.ok_or_else(|| DriverError::refused(Kind::Invalid, "the name of a product is no segment of an address"))
    }

    /// The key with this handle, and all keys of its app beside it: they come with one read. Where there is no app, there
    /// is no key.
    pub(super) async fn find(&self, at: &Locator, handle: &Handle) -> Result<Option<InApp>, DriverError> {
        let app = match self.get::<AppObject>("reading the app", self.app(at)?).await {
            Ok(answered) => answered.value,
            Err(error) if error.kind == Kind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let keys = app.credentials.unwrap_or_default();
        let key = keys.iter().map(|it| &it.consumer_key).find(|key| key.handle() == handle).cloned();
        let name = |key: &ConsumerKey| key.name(keys.iter().map(|it| &it.consumer_key));
        Ok(key.map(|key| InApp { name: name(&key), key }))
    }

    /// The same where nothing can be done without it.
    pub(super) async fn find_there(&self, at: &Locator, handle: &Handle) -> Result<ConsumerKey, DriverError> {
        let found = self.find(at, handle).await?;
        let missing = || DriverError::refused(Kind::NotFound, format!("the app `{}` has no such key", at.app));
        found.map(|it| it.key).ok_or_else(missing)
    }

    fn owners(&self, owner: &Owner) -> &'static str {
        match (owner, self.generation) {
            (Owner::Developer(_), _) => "developers",
            (Owner::Group(_), Generation::X) => "appgroups",
            (Owner::Group(_), Generation::Edge) => "companies",
        }
    }

    /// There some calls have another shape.
    pub(super) fn in_app_group(&self, at: &Locator) -> bool {
        self.generation == Generation::X && matches!(at.owner, Owner::Group(_))
    }

    /// Sends a request with the login. Whatever the platform answers is `Ok`, a 401 too, but only after one retry
    /// with a fresh token.
    pub(super) async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, DriverError> {
        let reading = request.method == Method::Get;
        let mut renewed = false;
        loop {
            let token = self.login.token().await?;
            let header = token.header.expose_text().unwrap_or_default();
            let attempt = request.clone().header("accept", "application/json").header("authorization", header);
            let response = self.wire.send(attempt).await.map_err(|error| {
                let error = DriverError::from(error);
                if reading { DriverError { effect: Effect::NotApplied, ..error } } else { error }
            })?;
            if response.status != 401 || renewed || !self.login.forget(&token).await {
                return Ok(response);
            }
            renewed = true;
        }
    }

    /// Reads one object or page.
    pub(super) async fn get<T: DeserializeOwned>(&self, doing: &str, url: Url) -> Result<Answered<T>, DriverError> {
        self.read(doing, HttpRequest::new(Method::Get, url), &[]).await
    }

    /// The same where the question holds a key, which the platform may quote.
    pub(super) async fn get_of_key<T: DeserializeOwned>(
        &self,
        doing: &str,
        url: Url,
        key: &ConsumerKey,
    ) -> Result<Answered<T>, DriverError> {
        self.read(doing, about_key(Method::Get, url), &[key.secret()]).await
    }

    async fn read<T: DeserializeOwned>(
        &self,
        doing: &str,
        request: HttpRequest,
        hide: &[&Secret],
    ) -> Result<Answered<T>, DriverError> {
        let response = self.exchange(request).await?;
        if !response.is_success() {
            return Err(from_platform(doing, Intent::Read, &response, hide));
        }
        Ok(Answered { value: parse(doing, &response, Effect::NotApplied)?, at: response.date() })
    }
}

/// A call whose address holds a key.
pub(super) fn about_key(method: Method, url: Url) -> HttpRequest {
    HttpRequest { path_is_secret: true, ..HttpRequest::new(method, url) }
}

/// `None`: it is no segment of an address.
pub(super) fn child(mut url: Url, segment: &str) -> Option<Url> {
    if matches!(segment, "" | "." | "..") || segment.chars().any(char::is_control) {
        return None;
    }
    url.path_segments_mut().ok()?.push(segment);
    Some(url)
}

/// The platform knows us and refuses this call, now and next time.
pub(super) fn is_refusal(kind: Kind) -> bool {
    matches!(kind, Kind::Forbidden | Kind::NotFound | Kind::Invalid)
}
