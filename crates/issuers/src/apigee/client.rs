//! Addresses at the platform, and calls to them.

use std::sync::Arc;

use driver::{DriverError, Effect, HttpRequest, HttpResponse, Kind, Method, Ports};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use url::Url;

use super::{
    account::Login,
    answer::{Intent, from_platform, parse},
    config::{Checked, Generation},
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
        {
            let mut path = url
                .path_segments_mut()
                .map_err(|()| DriverError::refused(Kind::Invalid, "the endpoint cannot have a path"))?;
            path.pop_if_empty().extend(["v1", "organizations"]);
            for segment in [self.organization.as_str()].into_iter().chain(segments) {
                if matches!(segment, "" | "." | "..") || segment.chars().any(char::is_control) {
                    let message = format!("`{}` is no segment of an address", segment.escape_default());
                    return Err(DriverError::refused(Kind::Invalid, message));
                }
                path.push(segment);
            }
        }
        Ok(url)
    }

    pub(super) fn app<'a>(&'a self, at: &'a Locator) -> Result<Url, DriverError> {
        self.at([self.owners(&at.owner), at.owner.name(), "apps", at.app.as_str()])
    }

    pub(super) fn keys<'a>(&'a self, at: &'a Locator) -> Result<Url, DriverError> {
        self.at([self.owners(&at.owner), at.owner.name(), "apps", at.app.as_str(), "keys"])
    }

    pub(super) fn key<'a>(&'a self, at: &'a Locator, key: &'a str) -> Result<Url, DriverError> {
        self.at([self.owners(&at.owner), at.owner.name(), "apps", at.app.as_str(), "keys", key])
    }

    pub(super) fn product<'a>(&'a self, at: &'a Locator, key: &'a str, product: &'a str) -> Result<Url, DriverError> {
        let owners = self.owners(&at.owner);
        self.at([owners, at.owner.name(), "apps", at.app.as_str(), "keys", key, "apiproducts", product])
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
        let response = self.exchange(HttpRequest::new(Method::Get, url)).await?;
        if !response.is_success() {
            return Err(from_platform(doing, Intent::Read, &response));
        }
        Ok(Answered { value: parse(doing, &response, Effect::NotApplied)?, at: response.date() })
    }
}

/// The platform knows us and refuses this call, now and next time.
pub(super) fn is_refusal(kind: Kind) -> bool {
    matches!(kind, Kind::Forbidden | Kind::NotFound | Kind::Invalid)
}
