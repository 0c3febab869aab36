//! HTTP to loopback, as the binary's own port does it, without its proxies and authorities.

use std::{error::Error, sync::Arc};

use async_trait::async_trait;
use driver::{Body, Effect, Http, HttpError, HttpFailure, HttpRequest, HttpResponse, Method};
use reqwest::Client;
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};

/// Plain HTTP. Follows no redirects and repeats nothing.
#[derive(Debug, Clone)]
pub struct LoopbackHttp {
    client: Client,
}

impl LoopbackHttp {
    pub fn new() -> Self {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self { client }
    }
}

impl Default for LoopbackHttp {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Http for LoopbackHttp {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Patch => reqwest::Method::PATCH,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut builder = self.client.request(method, request.url).timeout(request.timeout).body(request.body.0);
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        for (name, value) in request.custom_headers {
            builder = builder.header(name, value);
        }
        let answer = builder.send().await.map_err(|error| failed(&error))?;
        let status = answer.status().as_u16();
        let text = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
            Some((name.to_string(), value.to_str().ok()?.to_owned()))
        };
        let headers = answer.headers().iter().filter_map(text).collect();
        let body = answer.bytes().await.map_err(|error| failed(&error))?;
        Ok(HttpResponse { status, headers, body: Body(body) })
    }
}

/// What never left is certain; anything later is in doubt.
fn failed(error: &reqwest::Error) -> HttpError {
    let (failure, effect) = match error {
        error if error.is_connect() || error.is_builder() => (HttpFailure::Unreachable, Effect::NotApplied),
        error if error.is_timeout() => (HttpFailure::Timeout, Effect::Unknown),
        _ => (HttpFailure::Broken, Effect::Unknown),
    };
    let detail = error.source().map_or_else(|| "no more is known".to_owned(), ToString::to_string);
    HttpError { failure, effect, detail }
}
