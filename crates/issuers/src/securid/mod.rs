//! RSA SecurID, ID Plus: the Cloud Administration REST API keys of one tenant.
//!
//! No call adds, lists or deletes a key: a Super Administrator does at the console, and what they claim is checked by
//! calling the API. Configuration says which keys there are. A key is added beside the old one, never regenerated: that
//! would end the old one in the same moment.

mod base;
mod client;
mod config;
mod instructions;
mod jwt;
mod key_file;
mod secret_text;
#[cfg(test)]
mod tests;
mod trial;
pub mod twin;
mod twin_options;

use std::sync::Arc;

use async_trait::async_trait;
use domain::{
    Ask, CredentialId, Duration, Ending, FactSheet, Handle, Idempotency, IssuerFacts, Overlap, Owner, Parent,
    Performer, Timestamp,
};
use driver::{
    Assisted, Declared, DriverError, Found, HandedOver, InvalidSettings, IssueRequest, Issued, Issuer, IssuerCheck,
    Kind, Listing, ListingStream, Lookup, Ports, Revoked, Scope, Settings, Signer, Subject, Ticket, Trial, Verifier,
};
use futures_util::stream;
use secret::{Secret, SecretMap};

use self::{
    client::{Client, own_words, unclear},
    config::{ClientType, Config, Form, Key},
    key_file::{CLIENT_ID, ClientFile, KeyFile},
};
use crate::{IssuerDriver, TwinDriver};

/// Adding and deleting work at once, by RSA's own words; this is the skew that the platform allows between clocks.
const PROPAGATION: Duration = Duration::from_mins(1);

/// "A tenant can have up to ten Administration keys", those that Authentication Manager made for itself included.
const KEYS_MAX: u32 = 10;

pub const DRIVER: IssuerDriver = IssuerDriver {
    name: "securid",
    about: "RSA SecurID (ID Plus): keys of the Cloud Administration API",
    levels: &["tenant", "client_type", "key"],
    // The key itself is never sent.
    gateway: &[("Authorization", "Bearer {signed}")],
    configure,
    facts: |settings| settings.read::<Config>()?.check().map(|_| facts()),
    schema,
    twin: TwinDriver {
        options: twin_options::OPTIONS,
        build: twin_options::build,
        settings: twin_options::settings,
        stages: twin_options::STAGES,
    },
};

fn configure(settings: &Settings, ports: &Ports) -> Result<Arc<dyn Issuer>, InvalidSettings> {
    let checked = settings.read::<Config>()?.check()?;
    Ok(Arc::new(SecurId { client: Client::new(checked, ports) }))
}

fn facts() -> FactSheet {
    let key = IssuerFacts {
        overlap: Overlap::Concurrent { live_max: Some(KEYS_MAX) },
        idempotency: Idempotency::None,
        issued_by: Performer::Person,
        ending: Ending::ByPerson,
        lists_versions: false,
        ..IssuerFacts::overlapping(PROPAGATION)
    };
    // No limit of OAuth clients is published.
    let client = IssuerFacts { overlap: Overlap::Concurrent { live_max: None }, ..key.clone() };
    FactSheet::new(key, [(ClientType::Oauth.word(), client)])
}

fn schema() -> schemars::Schema {
    schemars::schema_for!(Config)
}

#[derive(Debug)]
struct SecurId {
    client: Client,
}

impl SecurId {
    /// The declaration of a credential, as long as it is declared.
    fn key(&self, credential: &CredentialId) -> Option<&Key> {
        let mut names = credential.as_str().rsplit('/');
        let (name, client_type) = (names.next()?, names.next()?);
        self.client.at.keys.iter().find(|key| key.name == name && key.client_type.word() == client_type)
    }

    fn listing(&self, at: Option<Timestamp>) -> Listing {
        let tenant = &self.client.at.tenant;
        let now = at.unwrap_or_else(|| self.client.now());
        let mut listing = Listing { at, ..Listing::default() };
        for key in &self.client.at.keys {
            let names = vec![tenant.clone(), key.client_type.word().to_owned(), key.name.clone()];
            let kind = match key.client_type {
                ClientType::Legacy => "",
                ClientType::Oauth => ClientType::Oauth.word(),
            };
            let (title, locator, owner) = (key.name.clone(), tenant.clone(), owner(key));
            match key.handle.clone() {
                Some(handle) => listing.found.push(Found {
                    names,
                    title,
                    handle,
                    locator,
                    kind,
                    marker: None,
                    created_at: key.added.unwrap_or(now),
                    expires_at: None,
                    owner,
                    parent: Parent::Enabled,
                    protected: key.protected,
                    minted_from: None,
                }),
                None => {
                    listing.declared.push(Declared { names, title, locator, kind, owner, minted_from: None });
                }
            }
        }
        listing
    }

    /// Whether the platform is up, and what time it is there.
    async fn healthy(&self) -> Result<Option<Timestamp>, DriverError> {
        const DOING: &str = "asking for the platform's health";
        let Some(auth_url) = &self.client.at.auth_url else { return Ok(None) };
        let mut url = auth_url.clone();
        url.set_path("/AdminInterface/healthcheck");
        let (response, _) = self.client.get(url, None).await?;
        if response.is_success() { Ok(response.date()) } else { Err(unclear(DOING, &response)) }
    }
}

fn owner(key: &Key) -> Option<Owner> {
    let name = key.owner.clone()?;
    let email = name.contains('@').then(|| name.clone());
    Some(Owner { name, email })
}

fn only_people() -> DriverError {
    DriverError::refused(Kind::Invalid, "no call does that: a Super Administrator does it at the console")
}

#[async_trait]
impl Issuer for SecurId {
    fn facts(&self) -> FactSheet {
        facts()
    }

    async fn check(&self) -> Result<IssuerCheck, DriverError> {
        let mut check = IssuerCheck::default();
        match self.healthy().await? {
            Some(_) => check.passed.push("the platform is up, and tells its time".to_owned()),
            None => check.reduced.push(
                "`auth_url` is not set: whether the platform is up, and what time it is there, shows only when a key \
                 is tried"
                    .to_owned(),
            ),
        }
        // Without a key the API refuses, which is enough to see that it is the API.
        let url = self.client.at.endpoint.join("v1/adminlog/exportlogs")?;
        let (response, _) = self.client.get(url, None).await?;
        if response.status != 403 || own_words(&response).is_none() {
            return Err(unclear("looking for the Administration API at `endpoint`", &response));
        }
        check.passed.push("the Administration API is there, and refuses calls without a key".to_owned());
        let keys = &self.client.at.keys;
        let legacy = keys.iter().filter(|key| key.client_type == ClientType::Legacy && key.handle.is_some()).count();
        check.passed.push(format!("keys declared: {}, of {KEYS_MAX} slots used: {legacy}", keys.len()));
        check.reduced.push("no call lists keys: one that nobody declares is not seen".to_owned());
        Ok(check)
    }

    /// What configuration declares, with the time that the platform tells.
    fn list(&self, _scope: Scope) -> ListingStream<'_> {
        Box::pin(stream::once(async move { self.healthy().await.map(|at| self.listing(at)) }))
    }

    async fn look_up(&self, _subject: &Subject, _handle: &Handle) -> Result<Lookup, DriverError> {
        Ok(Lookup::Untold)
    }

    async fn issue(&self, _request: &IssueRequest<'_>, _ticket: &Ticket) -> Result<Issued, DriverError> {
        Err(only_people())
    }

    async fn revoke(&self, _subject: &Subject, _handle: &Handle, _ticket: &Ticket) -> Result<Revoked, DriverError> {
        Err(only_people())
    }

    fn verifier(&self) -> Option<&dyn Verifier> {
        Some(self)
    }

    fn assisted(&self) -> Option<&dyn Assisted> {
        Some(self)
    }

    fn signer(&self) -> Option<&dyn Signer> {
        Some(self)
    }
}

fn unusable(why: String) -> DriverError {
    DriverError::refused(Kind::Invalid, why)
}

#[async_trait]
impl Verifier for SecurId {
    async fn verify(&self, subject: &Subject, handle: &Handle, secret: &SecretMap) -> Result<Trial, DriverError> {
        let key = self.key(&subject.credential);
        if is_client(secret) {
            let file = ClientFile::of_map(secret, &self.client.at).map_err(unusable)?;
            if file.handle != *handle {
                return Ok(Trial::Refused(format!("it is of the client {}, not of {handle}", file.handle)));
            }
            if self.client.at.oauth_issuer.as_ref() != Some(&file.issuer) {
                return Err(unusable("its `issuer` is not the configured `oauth_issuer`".to_owned()));
            }
            return trial::try_client(&self.client, &file, key).await;
        }
        let file = KeyFile::of_map(secret).map_err(unusable)?;
        file.belongs_to(&self.client.at).map_err(unusable)?;
        if file.handle != *handle {
            return Ok(Trial::Refused(format!("it is of the access ID {}, not of {handle}", file.handle)));
        }
        trial::try_key(&self.client, &file, key).await
    }
}

fn is_client(secret: &SecretMap) -> bool {
    secret.get(CLIENT_ID).is_some()
}

impl Assisted for SecurId {
    fn instructions(&self, subject: &Subject, ask: &Ask, handle: Option<&Handle>) -> Vec<String> {
        let tenant = &self.client.at.tenant;
        self.key(&subject.credential).map_or_else(
            || vec!["The configuration declares this key no longer: nothing is to be done.".to_owned()],
            |key| instructions::instructions(tenant, key, ask, handle),
        )
    }

    fn read(&self, subject: &Subject, content: &Secret) -> Result<HandedOver, DriverError> {
        let at = &self.client.at;
        let key = self.key(&subject.credential);
        if key.is_some_and(|key| key.client_type == ClientType::Oauth) {
            let file = ClientFile::read(content, at).map_err(unusable)?;
            return Ok(HandedOver { secret: file.to_map(), handle: file.handle, expires_at: None });
        }
        let file = KeyFile::read(content, at).map_err(unusable)?;
        let form = key.map_or(Form::Fields, |key| key.form);
        Ok(HandedOver { secret: file.to_map(form), handle: file.handle, expires_at: None })
    }
}

impl Signer for SecurId {
    fn sign(&self, secret: &SecretMap, now: Timestamp, lifetime: Duration) -> Result<Secret, DriverError> {
        let most = trial::LIFETIME_MAX;
        if lifetime <= Duration::ZERO || lifetime > most {
            let seconds = lifetime.as_secs();
            let why = format!("a lifetime of {seconds} s: the platform takes 1 to {} s", most.as_secs());
            return Err(unusable(why));
        }
        let signed = if is_client(secret) {
            let file = ClientFile::of_map(secret, &self.client.at).map_err(unusable)?;
            let audience = trial::audience(&self.client, &file);
            let claims = trial::client_claims(&file, &audience, self.client.nonce(), now, lifetime);
            file.key.sign(Some(&file.kid), &claims)
        } else {
            let file = KeyFile::of_map(secret).map_err(unusable)?;
            file.key.sign(None, &trial::key_claims(&file, now, lifetime))
        };
        signed.map_err(|why| unusable(why.to_owned()))
    }

    fn lifetime_max(&self) -> Duration {
        trial::LIFETIME_MAX
    }
}
