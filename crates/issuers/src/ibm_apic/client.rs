//! Calls to one catalog: addresses, the token, and what becomes of a 401.

use std::{sync::Arc, time::Duration};

use driver::{Clock, DriverError, Effect, Http, HttpRequest, HttpResponse, Method, Ports};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use url::Url;

use super::{
    address::Base,
    answer::{Intent, parse, refusal},
    auth::{Login, Token},
    config::Checked,
    place::Locator,
};

/// A token can be refused directly after it was given out, until all nodes of the platform know it; IBM's own module
/// for Backstage waits as long before its first call.
const NEW_TOKEN_WAIT: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Client {
    http: Arc<dyn Http>,
    clock: Arc<dyn Clock>,
    login: Login,
    endpoint: Base,
    analytics: Base,
    provider_org: String,
    catalog: String,
    analytics_service: String,
}

impl Client {
    pub(super) fn new(checked: Checked, ports: &Ports) -> Result<Self, DriverError> {
        let analytics = Base::new(analytics_root(&checked.endpoint));
        let endpoint = Base::new(checked.endpoint);
        Ok(Self {
            http: ports.http.clone(),
            clock: ports.clock.clone(),
            login: Login::new(ports, endpoint.join(["token"])?, checked.account),
            endpoint,
            analytics,
            provider_org: checked.provider_org,
            catalog: checked.catalog,
            analytics_service: checked.analytics,
        })
    }

    pub(super) fn login(&self) -> &Login {
        &self.login
    }

    pub(super) fn catalog_name(&self) -> String {
        format!("{}/{}", self.provider_org, self.catalog)
    }

    pub(super) fn consumer_orgs(&self) -> Result<Url, DriverError> {
        self.endpoint.join(["catalogs", &self.provider_org, &self.catalog, "consumer-orgs"])
    }

    pub(super) fn consumer_org(&self, org_id: &str) -> Result<Url, DriverError> {
        self.endpoint.join(["consumer-orgs", &self.provider_org, &self.catalog, org_id])
    }

    pub(super) fn catalog_apps(&self) -> Result<Url, DriverError> {
        self.endpoint.join(["catalogs", &self.provider_org, &self.catalog, "apps"])
    }

    pub(super) fn apps(&self, org_id: &str) -> Result<Url, DriverError> {
        self.endpoint.join(["consumer-orgs", &self.provider_org, &self.catalog, org_id, "apps"])
    }

    pub(super) fn app(&self, at: &Locator) -> Result<Url, DriverError> {
        self.endpoint.join(["apps", &self.provider_org, &self.catalog, &at.org_id, &at.app_id])
    }

    pub(super) fn credentials(&self, at: &Locator) -> Result<Url, DriverError> {
        self.endpoint.join(["apps", &self.provider_org, &self.catalog, &at.org_id, &at.app_id, "credentials"])
    }

    pub(super) fn events(&self) -> Result<Url, DriverError> {
        self.analytics.join([&self.analytics_service, "catalogs", &self.provider_org, &self.catalog, "events"])
    }

    /// Sends a request with the token. Whatever the platform answers is `Ok`, a 401 too, but only after one retry with
    /// a fresh token, and one after a pause where the token had never been accepted.
    pub(super) async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, DriverError> {
        let (mut waited, mut renewed) = (false, false);
        loop {
            let (token, response) = self.send(request.clone()).await?;
            if response.status != 401 {
                return Ok(response);
            }
            if !waited && !token.was_accepted() {
                waited = true;
                self.clock.sleep(NEW_TOKEN_WAIT).await;
            } else if !renewed {
                renewed = true;
                self.login.forget(&token).await;
            } else {
                return Ok(response);
            }
        }
    }

    /// Sends a request once, for a route where a 401 need not be about the token.
    pub(super) async fn exchange_once(&self, request: HttpRequest) -> Result<HttpResponse, DriverError> {
        Ok(self.send(request).await?.1)
    }

    async fn send(&self, request: HttpRequest) -> Result<(Arc<Token>, HttpResponse), DriverError> {
        let reading = request.method == Method::Get;
        let token = self.login.token().await?;
        let bearer = token.bearer.expose_text().unwrap_or_default();
        let request = request
            .header("accept", "application/json")
            // Messages are shown, and one of them is matched.
            .header("accept-language", "en")
            .header("authorization", format!("Bearer {bearer}"));
        let response = self.http.send(request).await.map_err(|error| {
            let error = DriverError::from(error);
            if reading { DriverError { effect: Effect::NotApplied, ..error } } else { error }
        })?;
        if response.is_success() {
            token.accept();
        }
        Ok((token, response))
    }

    /// Reads one object or page.
    pub(super) async fn get<T: DeserializeOwned>(&self, doing: &str, url: Url) -> Result<Answered<T>, DriverError> {
        let response = self.exchange(HttpRequest::new(Method::Get, url)).await?;
        if !response.is_success() {
            return Err(refusal(doing, Intent::Read, &response, &[]));
        }
        Ok(Answered { value: parse(doing, &response, Effect::NotApplied)?, at: response.date() })
    }
}

/// A value with the platform's time of the answer.
#[derive(Debug)]
pub(super) struct Answered<T> {
    pub value: T,
    pub at: Option<Timestamp>,
}

/// Analytics stands beside the platform API, not below it: `https://host/analytics/...` next to `https://host/api`.
/// The documents show this form for the whole cloud only, so a different one would be changed here.
fn analytics_root(endpoint: &Url) -> Url {
    let mut url = endpoint.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty();
    }
    let above = url.path().strip_suffix("/api").map(str::to_owned);
    if let Some(above) = above {
        url.set_path(&above);
    }
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().push("analytics");
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn analytics_stands_beside_the_api() {
        for (endpoint, expected) in [
            ("https://apim.example.test/api", "https://apim.example.test/analytics"),
            ("https://apim.example.test/api/", "https://apim.example.test/analytics"),
            ("https://apim.example.test/x/api", "https://apim.example.test/x/analytics"),
            ("https://apim.example.test", "https://apim.example.test/analytics"),
        ] {
            assert_eq!(analytics_root(&Url::parse(endpoint).unwrap()).as_str(), expected);
        }
    }
}
