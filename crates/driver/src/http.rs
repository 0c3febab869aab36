//! HTTP as a driver sees it: whole requests and whole answers, no redirects followed, TLS always verified.

use std::{
    fmt::{self, Debug},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use url::Url;

use crate::Effect;

#[async_trait]
pub trait Http: Send + Sync + Debug {
    /// Sends one request and reads the whole answer. MUST NOT retry, follow redirects or store cookies.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// Bytes that may carry a secret. Debug prints only their number.
#[derive(Clone, Default)]
pub struct Body(pub Bytes);

impl Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.0.len())
    }
}

#[derive(Clone)]
pub struct HttpRequest {
    pub method: Method,
    pub url: Url,
    /// Lower-case names. Values may be secret.
    pub headers: Vec<(&'static str, String)>,
    /// Headers whose names come from configuration, as in a verify probe.
    pub custom_headers: Vec<(String, String)>,
    pub body: Body,
    pub timeout: Duration,
    /// The path is a secret, as where an address alone gives the right to post: Debug leaves it out.
    pub path_is_secret: bool,
}

impl HttpRequest {
    /// Half a minute: longer than any healthy platform takes, short enough that a stuck one is noticed.
    pub const TIMEOUT: Duration = Duration::from_secs(30);

    pub fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: Vec::new(),
            custom_headers: Vec::new(),
            body: Body::default(),
            timeout: Self::TIMEOUT,
            path_is_secret: false,
        }
    }

    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sets a JSON body with its content type.
    #[must_use]
    pub fn json(mut self, value: &impl serde::Serialize) -> Self {
        // Serializing our own request structs into memory has no way to fail.
        self.body = Body(serde_json::to_vec(value).unwrap_or_default().into());
        self.header("content-type", "application/json")
    }
}

impl Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path_is_secret { "/(..)" } else { self.url.path() };
        write!(f, "{} {}{path} {:?}", self.method.as_str(), self.url.authority(), self.body)
    }
}

#[derive(Clone)]
pub struct HttpResponse {
    pub status: u16,
    /// Lower-case names, in the order of arrival.
    pub headers: Vec<(String, String)>,
    pub body: Body,
}

impl HttpResponse {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// `Retry-After` in seconds, when it is given as a number.
    pub fn retry_after(&self) -> Option<Duration> {
        self.header("retry-after")?.trim().parse().ok().map(Duration::from_secs)
    }

    /// The answering server's own clock, to the second.
    pub fn date(&self) -> Option<jiff::Timestamp> {
        let parsed = jiff::fmt::rfc2822::parse(self.header("date")?).ok()?;
        Some(parsed.timestamp())
    }
}

impl Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.status, self.body)
    }
}

/// No answer, or none that could be read to its end.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{failure}: {detail}")]
pub struct HttpError {
    pub failure: HttpFailure,
    /// Whether the request may have taken effect.
    pub effect: Effect,
    /// In words of the transport; never a part of the request or of the answer.
    pub detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HttpFailure {
    #[error("the host could not be reached")]
    Unreachable,
    #[error("the server's certificate is not trusted")]
    Certificate,
    #[error("no answer within the deadline")]
    Timeout,
    #[error("the connection broke before the answer was complete")]
    Broken,
    #[error("the answer is larger than the limit")]
    TooLarge,
}
