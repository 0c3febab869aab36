//! IBM API Connect v10: the client credentials of the applications in one catalog.
//!
//! An application may hold several pairs and any of them identifies it, so a successor lives beside the original until
//! that is quiet. The secret is shown once, in the answer to the create. The driver creates and removes; it never calls
//! `reset` or `reset-client-secret`, which change a pair in place and cut its consumer off at once, and never the
//! collection's own DELETE, which removes all pairs.
//!
//! What the documents leave open is marked in the crate's README for this driver, each behind one function here.

mod address;
mod answer;
mod api;
mod auth;
mod client;
mod config;
mod listing;
mod paging;
mod place;
#[cfg(test)]
mod tests;
pub mod twin;
mod twin_options;
mod usage;
mod walk;

use std::sync::Arc;

use async_trait::async_trait;
use domain::{Duration, FactSheet, Handle, IssuerFacts, Timestamp, Usage};
use driver::{
    DriverError, Effect, HttpRequest, HttpResponse, InvalidSettings, IssueRequest, Issued, Issuer, IssuerCheck, Kind,
    ListingStream, Lookup, Method, Ports, Renamer, Revoked, Scope, Settings, Subject, Ticket, Trial, UsageSource,
    Verifier,
};
use futures_util::stream;
use secret::{Secret, SecretMap};
use serde::de::IgnoredAny;
use url::Url;

use self::{
    address::is_uuid,
    answer::{Intent, is_envelope, parse, refusal, unexpected},
    api::{CreatedCredential, CredentialNames, NewCredential, NewNames, Pair, Renamed},
    client::Client,
    config::Config,
    place::Locator,
};
use crate::{IssuerDriver, TwinDriver};

/// Changes reach the gateways in seconds while all is well; a gateway that was away catches up when it is back. IBM
/// publishes no bound, so this is ten minutes: longer than the restart of a gateway, and short beside any overlap.
const PROPAGATION: Duration = Duration::from_mins(10);

const CLIENT_ID: &str = "client_id";
const CLIENT_SECRET: &str = "client_secret";

pub const DRIVER: IssuerDriver = IssuerDriver {
    name: "ibm_apic",
    about: "IBM API Connect v10: client credentials of applications",
    levels: &["consumer_org", "app", "credential"],
    gateway: &[("X-IBM-Client-Id", CLIENT_ID), ("X-IBM-Client-Secret", CLIENT_SECRET)],
    configure,
    facts: |_| Ok(facts().into()),
    schema,
    twin: TwinDriver {
        options: twin_options::OPTIONS,
        build: twin_options::build,
        settings: twin_options::settings,
        stages: twin_options::STAGES,
    },
};

fn configure(settings: &Settings, ports: &Ports) -> Result<Arc<dyn Issuer>, InvalidSettings> {
    let checked = settings.read::<Config>()?.check(&settings.base_dir)?;
    let client = Client::new(checked, ports).map_err(|error| InvalidSettings(error.message))?;
    Ok(Arc::new(IbmApic { client: Arc::new(client) }))
}

fn facts() -> IssuerFacts {
    // No limit of pairs is published.
    IssuerFacts { names: true, usage: true, ..IssuerFacts::overlapping(PROPAGATION) }
}

fn schema() -> schemars::Schema {
    schemars::schema_for!(Config)
}

#[derive(Debug)]
struct IbmApic {
    client: Arc<Client>,
}

#[async_trait]
impl Issuer for IbmApic {
    fn facts(&self) -> FactSheet {
        facts().into()
    }

    async fn check(&self) -> Result<IssuerCheck, DriverError> {
        let client = &self.client;
        let mut check = IssuerCheck::default();
        client.login().token().await?;
        check.passed.push(format!("logged in as {}", client.login().account().describe()));
        let orgs = listing::consumer_orgs(client).await?;
        let count = orgs.len();
        check
            .passed
            .push(format!("the catalog `{}` is readable, consumer organisations: {count}", client.catalog_name()));
        if orgs.iter().any(|org| org.owner.is_none()) {
            check.reduced.push("the platform does not show the owner of every consumer organisation".to_owned());
        }
        match listing::first_page(client).await? {
            Some(_) => check.passed.push("the whole catalog is listed in one paged call".to_owned()),
            None => check.reduced.push(
                "the listing of the whole catalog is refused: every scan walks from organisation to application, \
                 one call for each"
                    .to_owned(),
            ),
        }
        match usage::is_readable(client).await {
            Ok(()) => check.passed.push("analytics tells the last use".to_owned()),
            Err(error) if listing::is_refusal(error.kind) => check.reduced.push(format!(
                "analytics is refused ({}): nothing tells whether an old credential is quiet",
                error.message
            )),
            Err(error) => return Err(error),
        }
        Ok(check)
    }

    fn list(&self, scope: Scope) -> ListingStream<'_> {
        match scope {
            Scope::All => listing::everything(&self.client),
            Scope::Siblings(subject) => {
                Box::pin(stream::once(async move { listing::siblings(&self.client, &subject).await }))
            }
        }
    }

    async fn look_up(&self, subject: &Subject, handle: &Handle) -> Result<Lookup, DriverError> {
        const DOING: &str = "reading the credential";
        let mut url = credential(&self.client, &Locator::of(subject)?, handle)?;
        url.set_query(Some("fields=name,title"));
        let response = self.client.exchange(HttpRequest::new(Method::Get, url)).await?;
        if is_gone(&response) {
            return Ok(Lookup::Gone);
        }
        if !response.is_success() {
            return Err(from_platform(DOING, Intent::Read, &response));
        }
        let names: CredentialNames = parse(DOING, &response, Effect::NotApplied)?;
        Ok(Lookup::There { title: names.title.unwrap_or_else(|| names.name.clone()), name: names.name })
    }

    async fn issue(&self, request: &IssueRequest<'_>, _ticket: &Ticket) -> Result<Issued, DriverError> {
        const DOING: &str = "creating the credential";
        let url = self.client.credentials(&Locator::of(&request.subject)?)?;
        let body = NewCredential { name: &request.name, title: &request.title, summary: request.marker.as_str() };
        let response = self.client.exchange(HttpRequest::new(Method::Post, url).json(&body)).await?;
        if !response.is_success() {
            return Err(refusal(DOING, Intent::Write, &response, &[]));
        }
        let created: CreatedCredential = parse(DOING, &response, Effect::Unknown)?;
        let handle = place::handle(&created.name, created.id.as_deref(), created.url.as_deref())
            .map_err(|error| unexpected(DOING, &response, Effect::Unknown, &error.message))?;
        Ok(Issued {
            handle,
            title: created.title.unwrap_or_else(|| created.name.clone()),
            name: created.name,
            created_at: created.created_at,
            expires_at: None,
            secret: SecretMap::new([
                (CLIENT_ID.to_owned(), created.client_id.0),
                (CLIENT_SECRET.to_owned(), created.client_secret.0),
            ]),
        })
    }

    async fn revoke(&self, subject: &Subject, handle: &Handle, _ticket: &Ticket) -> Result<Revoked, DriverError> {
        let url = credential(&self.client, &Locator::of(subject)?, handle)?;
        let response = self.client.exchange(HttpRequest::new(Method::Delete, url)).await?;
        if response.is_success() {
            Ok(Revoked::Now)
        } else if is_gone(&response) {
            Ok(Revoked::GoneAlready)
        } else {
            Err(from_platform("removing the credential", Intent::Write, &response))
        }
    }

    fn verifier(&self) -> Option<&dyn Verifier> {
        Some(self)
    }

    fn renamer(&self) -> Option<&dyn Renamer> {
        Some(self)
    }

    fn usage(&self) -> Option<&dyn UsageSource> {
        Some(self)
    }
}

#[async_trait]
impl Verifier for IbmApic {
    async fn verify(&self, subject: &Subject, handle: &Handle, secret: &SecretMap) -> Result<Trial, DriverError> {
        const DOING: &str = "verifying the credential";
        let at = credential(&self.client, &Locator::of(subject)?, handle)?;
        let fields = [CLIENT_ID, CLIENT_SECRET].map(|name| secret.get(name));
        let [Some(client_id), Some(client_secret)] = fields else {
            return Err(DriverError::refused(Kind::Invalid, "the secret has no `client_id` and `client_secret`"));
        };
        let request = verification(at.clone(), client_id, client_secret)?;
        let mut response = self.client.exchange_once(request.clone()).await.map_err(nothing_changed)?;
        if response.status == 401 {
            // Of the pair, or of our token? Reading the credential renews the token if that was it, without spending
            // a login for each pair that is refused.
            let read = self.client.get::<IgnoredAny>(DOING, at).await;
            if let Err(error) = read.map(drop)
                && error.kind != Kind::NotFound
            {
                return Err(error);
            }
            response = self.client.exchange_once(request).await.map_err(nothing_changed)?;
        }
        if response.is_success() {
            return Ok(Trial::Accepted);
        }
        // Nothing is changed by a trial, so its failure is that of a read.
        let error = refusal(DOING, Intent::Read, &response, &[client_id, client_secret]);
        match response.status {
            400 | 401 | 404 if is_envelope(&response) => Ok(Trial::Refused(error.message)),
            // Our token is good and the path too: somebody in between speaks.
            401 | 404 => Err(DriverError { kind: Kind::Protocol, ..error }),
            _ => Err(error),
        }
    }
}

#[async_trait]
impl Renamer for IbmApic {
    /// The summary stays: our marker is still what tells ours from strays.
    async fn rename(
        &self,
        subject: &Subject,
        handle: &Handle,
        name: &str,
        title: &str,
        _ticket: &Ticket,
    ) -> Result<(), DriverError> {
        const DOING: &str = "renaming the credential";
        let url = credential(&self.client, &Locator::of(subject)?, handle)?;
        let request = HttpRequest::new(Method::Patch, url).json(&NewNames { name, title });
        let response = self.client.exchange(request).await?;
        if !response.is_success() {
            return Err(refusal(DOING, Intent::Write, &response, &[]));
        }
        // The documents do not say for sure that a PATCH can change the name, so the answer is asked, where it says.
        let renamed: Option<Renamed> = serde_json::from_slice(&response.body.0).ok();
        match renamed.filter(|renamed| renamed.name != name) {
            Some(kept) => {
                let why = format!("the platform keeps the name `{}`", kept.name);
                let error = unexpected(DOING, &response, Effect::NotApplied, &why);
                Err(DriverError { kind: Kind::Invalid, ..error })
            }
            None => Ok(()),
        }
    }
}

#[async_trait]
impl UsageSource for IbmApic {
    async fn usage(&self, subject: &Subject, handle: &Handle, since: Timestamp) -> Result<Usage, DriverError> {
        usage::last_use(&self.client, subject, handle, since).await
    }
}

/// The address of one credential. MUST be the only way to one: a handle that is no UUID could name the collection.
fn credential(client: &Client, at: &Locator, handle: &Handle) -> Result<Url, DriverError> {
    if !is_uuid(handle.as_str()) {
        let message = format!("`{}` is no id of a credential", handle.as_str().escape_default());
        return Err(DriverError::refused(Kind::Invalid, message));
    }
    let mut url = client.credentials(at)?;
    if let Ok(mut path) = url.path_segments_mut() {
        path.push(handle.as_str());
    }
    Ok(url)
}

fn verification(mut url: Url, client_id: &Secret, client_secret: &Secret) -> Result<HttpRequest, DriverError> {
    let (Some(client_id), Some(client_secret)) = (client_id.expose_text(), client_secret.expose_text()) else {
        return Err(DriverError::refused(Kind::Invalid, "the secret is not text, which no pair of this platform is"));
    };
    if let Ok(mut path) = url.path_segments_mut() {
        path.push("verify-client-secret");
    }
    Ok(HttpRequest::new(Method::Post, url).json(&Pair { client_id, client_secret }))
}

/// A trial is a POST, but changes as little as a read.
fn nothing_changed(error: DriverError) -> DriverError {
    DriverError { effect: Effect::NotApplied, ..error }
}

/// The platform itself says that it does not know the id. A 404 in other words than the platform's comes from
/// something in between, and proves nothing.
fn is_gone(response: &HttpResponse) -> bool {
    response.status == 404 && is_envelope(response)
}

/// A 404 that is not the platform's own is an answer that nobody documents.
fn from_platform(doing: &str, intent: Intent, response: &HttpResponse) -> DriverError {
    let error = refusal(doing, intent, response, &[]);
    match error.kind {
        Kind::NotFound => DriverError { kind: Kind::Protocol, ..error },
        _ => error,
    }
}
