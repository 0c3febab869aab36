//! Google Apigee: the keys of developer apps in one organisation, on X and hybrid as well as on Edge.
//!
//! An app may hold several keys and any of them identifies it, so a successor lives beside the original until that is
//! quiet. Key and secret are ours to choose, so an answer that is lost is followed by the same call with the same
//! value. A key is first revoked, which can be undone, and deleted later, which cannot.
//!
//! What the documents leave open is marked in the README of this driver, each behind one function here.

mod account;
mod answer;
mod api;
mod client;
mod config;
mod groups;
mod key;
mod listing;
mod place;
mod service_account;
mod successor;
mod switch;
#[cfg(test)]
mod tests;
pub mod twin;
mod twin_options;
mod usage;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{Duration, FactSheet, Handle, IssuerFacts, Marker, Minting, Overlap, Timestamp, Usage};
use driver::{
    Disabler, DriverError, Entropy, InvalidSettings, IssueRequest, Issued, Issuer, IssuerCheck, ListingStream, Lookup,
    Method, Minter, NoEntropy, Ports, Revoked, Scope, Settings, Subject, Ticket, UsageSource,
};
use futures_util::stream;
use secret::{Secret, SecretMap};

use self::{
    answer::{Intent, from_platform, is_gone},
    client::{Client, InApp, about_key, is_refusal},
    config::Config,
    place::Locator,
    switch::{Switch, switch},
};
use crate::{IssuerDriver, TwinDriver};

/// The runtime remembers a key for 180 seconds, and no customer can change it; a minute on top for the way to other
/// regions, for which no bound is published.
const PROPAGATION: Duration = Duration::from_secs(240);

/// The published limit of keys in one app.
const KEYS_MAX: u32 = 10;

/// Random bytes of a key and of a secret: 192 bits, a whole number of Base64 letters.
const RANDOM_BYTES: usize = 24;

const CONSUMER_KEY: &str = "consumerKey";
const CONSUMER_SECRET: &str = "consumerSecret";

pub const DRIVER: IssuerDriver = IssuerDriver {
    name: "apigee",
    about: "Google Apigee, X and Edge: keys of developer apps",
    levels: &["developer", "app", "credential"],
    gateway: &[("x-api-key", CONSUMER_KEY)],
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
    Ok(Arc::new(Apigee { client: Arc::new(Client::new(checked, ports)) }))
}

fn facts() -> IssuerFacts {
    IssuerFacts {
        minting: Minting::ByUs,
        overlap: Overlap::Concurrent { live_max: Some(KEYS_MAX) },
        usage: true,
        disable: true,
        ..IssuerFacts::overlapping(PROPAGATION)
    }
}

fn schema() -> schemars::Schema {
    schemars::schema_for!(Config)
}

#[derive(Debug)]
struct Apigee {
    client: Arc<Client>,
}

#[async_trait]
impl Issuer for Apigee {
    fn facts(&self) -> FactSheet {
        facts().into()
    }

    async fn check(&self) -> Result<IssuerCheck, DriverError> {
        let client = &self.client;
        let mut check = IssuerCheck::default();
        client.login.token().await?;
        let emails = listing::emails(client).await?;
        check.passed.push(format!("logged in as {}", client.login.account().describe()));
        check.passed.push(format!(
            "the organisation `{}` is readable, developers: {}",
            client.organization,
            emails.len()
        ));
        listing::is_readable(client, &emails).await?;
        check.passed.push("apps are listed with their keys".to_owned());
        if client.groups {
            let word = groups::word(client.generation);
            let groups = groups::list(client).await.map_err(|error| groups::with_hint(client, error))?;
            check.passed.push(format!("the apps of every {word} are in the inventory, {word}: {}", groups.len()));
        }
        match usage::is_readable(client).await {
            Ok(0) => {
                check.reduced.push("no environment is shown: nothing tells whether an old key is quiet".to_owned())
            }
            Ok(count) => check.passed.push(format!("analytics tells the last use, environments: {count}")),
            Err(error) if is_refusal(error.kind) => check
                .reduced
                .push(format!("analytics is refused ({}): nothing tells whether an old key is quiet", error.message)),
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

    /// A revoked key is there: it can be approved again.
    async fn look_up(&self, subject: &Subject, handle: &Handle) -> Result<Lookup, DriverError> {
        let found = self.client.find(&Locator::of(subject)?, handle).await?;
        Ok(found.map_or(Lookup::Gone, |it| Lookup::There { title: it.name.clone(), name: it.name }))
    }

    async fn issue(&self, request: &IssueRequest<'_>, _ticket: &Ticket) -> Result<Issued, DriverError> {
        successor::issue(&self.client, request).await
    }

    async fn revoke(&self, subject: &Subject, handle: &Handle, _ticket: &Ticket) -> Result<Revoked, DriverError> {
        let at = Locator::of(subject)?;
        let Some(InApp { key, .. }) = self.client.find(&at, handle).await? else {
            return Ok(Revoked::GoneAlready);
        };
        let response = self.client.exchange(about_key(Method::Delete, self.client.key(&at, &key)?)).await?;
        if is_gone(&response) {
            return Ok(Revoked::GoneAlready);
        }
        if response.is_success() {
            return Ok(Revoked::Now);
        }
        Err(from_platform("deleting the key", Intent::Write, &response, &[key.secret()]))
    }

    fn usage(&self) -> Option<&dyn UsageSource> {
        Some(self)
    }

    fn minter(&self) -> Option<&dyn Minter> {
        Some(self)
    }

    fn disabler(&self) -> Option<&dyn Disabler> {
        Some(self)
    }
}

impl Minter for Apigee {
    fn choose(&self, _subject: &Subject, marker: &Marker, entropy: &dyn Entropy) -> Result<SecretMap, NoEntropy> {
        let key = key::marked(marker, &random(entropy)?);
        Ok(SecretMap::new([
            (CONSUMER_KEY.to_owned(), Secret::from_text(key)),
            (CONSUMER_SECRET.to_owned(), Secret::from_text(random(entropy)?)),
        ]))
    }
}

/// Letters, digits, `_` and `-`: what the platform takes.
fn random(entropy: &dyn Entropy) -> Result<String, NoEntropy> {
    let mut bytes = [0; RANDOM_BYTES];
    entropy.fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[async_trait]
impl Disabler for Apigee {
    async fn disable(&self, subject: &Subject, handle: &Handle, _ticket: &Ticket) -> Result<(), DriverError> {
        let at = Locator::of(subject)?;
        switch(&self.client, &at, &self.client.find_there(&at, handle).await?, Switch::Off).await
    }

    async fn enable(&self, subject: &Subject, handle: &Handle, _ticket: &Ticket) -> Result<(), DriverError> {
        let at = Locator::of(subject)?;
        switch(&self.client, &at, &self.client.find_there(&at, handle).await?, Switch::On).await
    }
}

#[async_trait]
impl UsageSource for Apigee {
    async fn usage(&self, subject: &Subject, handle: &Handle, since: Timestamp) -> Result<Usage, DriverError> {
        // Analytics knows no app, so a key that is not there looks like one that nobody uses.
        let key = self.client.find_there(&Locator::of(subject)?, handle).await?;
        usage::last_use(&self.client, &key, since).await
    }
}
