//! HTTP over the network.

use std::{path::Path, time::Duration};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use driver::{Body, Http, HttpError, HttpRequest, HttpResponse};
use reqwest::{
    Client, Method,
    header::{HeaderMap, HeaderName, HeaderValue},
};

use url::{Host, Url};

use super::{
    failure,
    tls::{self, ClientConfigError},
};
use crate::config::is_loopback;

/// Long enough for a slow handshake across the world; a host that is away is noticed.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Shorter than the shortest usual keep-alive of servers (5 seconds in Apache and Node), so that we hang up first and
/// a request never meets a connection that is just being closed.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(4);
/// A whole-catalog listing of 100,000 credentials is near 50 MiB; nothing that we ask for is larger.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
const USER_AGENT: &str = concat!("keyrota/", env!("CARGO_PKG_VERSION"));

/// One client for one set of trusted authorities. Follows no redirects, keeps no cookies. Repeats a request only where
/// the protocol itself says that it was never processed.
#[derive(Debug)]
pub(crate) struct SystemHttp {
    client: Client,
    /// For what is nearby: a proxy in the environment is for the outside.
    direct: Client,
    answer_bytes_max: usize,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error(transparent)]
    Tls(#[from] ClientConfigError),
    #[error("the HTTP client cannot be set up")]
    Setup(#[source] reqwest::Error),
}

impl SystemHttp {
    pub(crate) fn new(ca_file: Option<&Path>) -> Result<Self, ClientError> {
        let tls = tls::client_config(ca_file)?;
        let builder = || {
            Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(CONNECT_TIMEOUT)
                .pool_idle_timeout(POOL_IDLE_TIMEOUT)
                .user_agent(USER_AGENT)
        };
        Ok(Self {
            client: builder().build().map_err(ClientError::Setup)?,
            direct: builder().no_proxy().build().map_err(ClientError::Setup)?,
            answer_bytes_max: ANSWER_BYTES_MAX,
        })
    }

    #[cfg(test)]
    pub(super) fn with_answer_limit(mut self, bytes_max: usize) -> Self {
        self.answer_bytes_max = bytes_max;
        self
    }

    fn request(&self, request: &HttpRequest) -> reqwest::RequestBuilder {
        let client = if is_nearby(&request.url) { &self.direct } else { &self.client };
        let method = match request.method {
            driver::Method::Get => Method::GET,
            driver::Method::Post => Method::POST,
            driver::Method::Put => Method::PUT,
            driver::Method::Patch => Method::PATCH,
            driver::Method::Delete => Method::DELETE,
        };
        let mut builder = client.request(method, request.url.clone()).timeout(request.timeout);
        let named = request.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let custom = request.custom_headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in named.chain(custom) {
            // Sensitive: not indexed by HTTP/2's compression, not printed by anybody's Debug.
            builder = match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                (Ok(name), Ok(mut value)) => {
                    value.set_sensitive(true);
                    builder.header(name, value)
                }
                // The builder keeps the error and answers it when sending.
                _ => builder.header(name, value),
            };
        }
        if request.body.0.is_empty() { builder } else { builder.body(request.body.0.clone()) }
    }
}

#[async_trait]
impl Http for SystemHttp {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let broken = |error: reqwest::Error| failure::of_exchange(&error, &request.url, request.timeout);
        let mut answer = self.request(&request).send().await.map_err(broken)?;
        let status = answer.status().as_u16();
        let headers = readable(answer.headers());
        let mut body = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(broken)? {
            if body.len().saturating_add(chunk.len()) > self.answer_bytes_max {
                return Err(failure::too_large(&request.url, self.answer_bytes_max));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(HttpResponse { status, headers, body: Body(Bytes::from(body)) })
    }
}

/// Names are lower-case already; a value that is not text is of no use to any driver.
fn readable(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |(name, value): (&HeaderName, &HeaderValue)| Some((name.to_string(), value.to_str().ok()?.to_owned()));
    headers.iter().filter_map(text).collect()
}

/// Loopback, and the addresses at which a machine asks its own cloud who it is. A proxy would answer for itself.
fn is_nearby(url: &Url) -> bool {
    is_loopback(url)
        || match url.host() {
            Some(Host::Ipv4(address)) => address.is_link_local(),
            Some(Host::Ipv6(address)) => {
                address.is_unicast_link_local() || address.segments().starts_with(&[0xfd00, 0xec2])
            }
            _ => false,
        }
}
