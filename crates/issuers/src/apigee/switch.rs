//! Switching a key off and on again, which leaves all else as it is.

use driver::{DriverError, HttpRequest, Method};
use url::Url;

use super::{
    answer::{Intent, from_platform},
    api::KeyContent,
    client::{Client, about_key},
    key::ConsumerKey,
    place::Locator,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Switch {
    Off,
    On,
}

/// Repeating it changes nothing.
pub(super) async fn switch(client: &Client, at: &Locator, key: &ConsumerKey, to: Switch) -> Result<(), DriverError> {
    let (doing, verb) = match to {
        Switch::Off => ("revoking the key", "revoke"),
        Switch::On => ("approving the key", "approve"),
    };
    let mut url = client.key(at, key)?;
    let request = if client.in_app_group(at) {
        let content = KeyContent { api_products: Vec::new(), more: None, app_group_app_key: None, action: Some(verb) };
        about_key(Method::Post, url).json(&content)
    } else {
        url.set_query(Some(&format!("action={verb}")));
        action(url)
    };
    let response = client.exchange(request).await?;
    if response.is_success() { Ok(()) } else { Err(from_platform(doing, Intent::Write, &response, &[key.secret()])) }
}

/// A call about a key, whose whole content is its query.
pub(super) fn action(url: Url) -> HttpRequest {
    about_key(Method::Post, url).header("content-type", "application/octet-stream")
}
