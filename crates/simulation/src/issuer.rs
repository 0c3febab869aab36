//! The model platform behind the trait that every driver implements.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use domain::{FactSheet, Handle, IssuerFacts, Marker, Overlap, Parent, Timestamp, Usage};
use driver::{
    DriverError, Found, IssueRequest, Issued, Issuer, IssuerCheck, Kind, Listing, ListingStream, Lookup, Renamer,
    Revoked, Scope, Subject, Ticket, Trial, UsageSource, Verifier,
};
use futures_util::{StreamExt as _, stream};
use secret::{Secret, SecretMap};

use crate::{
    event::{Fault, Verb},
    platform::{Minted, PlatformFacts, Refusal, Who},
    stage::{STALE, Stage, World},
};

/// Versions on one page of a listing.
const PAGE: usize = 4;

pub(crate) struct ModelIssuer {
    stage: Arc<Stage>,
    facts: PlatformFacts,
}

impl fmt::Debug for ModelIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ModelIssuer")
    }
}

impl ModelIssuer {
    pub(crate) fn new(stage: &Arc<Stage>) -> Self {
        Self { stage: stage.clone(), facts: stage.world().platform.facts }
    }

    async fn page(&self, scope: Scope, number: usize) -> Result<(Listing, bool), DriverError> {
        let words = || format!("list page {number} of {}", if scope == Scope::All { "all" } else { "siblings" });
        let scope_of = scope.clone();
        let tells_time = self.facts.tells_time;
        let page = move |world: &mut World, fault: Option<Fault>| {
            let parent = match &scope_of {
                Scope::All => None,
                Scope::Siblings(subject) => Some(world.platform.parents[index(subject)]),
            };
            let age = if fault == Some(Fault::Stale) { STALE } else { domain::Duration::ZERO };
            let at = world.now.saturating_sub(age).unwrap();
            let shown = world.platform.listed(at);
            let shown =
                shown.filter(|one| parent.is_none_or(|parent| world.platform.parents[one.credential] == parent));
            let all: Vec<Found> = shown.map(|one| found(world, one)).collect();
            let more = all.len() > (number + 1) * PAGE;
            let keep = |at: usize| fault != Some(Fault::Short) || at % 2 == 1;
            let found = all.into_iter().skip(number * PAGE).take(PAGE).enumerate();
            let found = found.filter(|(at, _)| keep(*at)).map(|(_, found)| found).collect();
            Ok((Listing { found, declared: Vec::new(), total: None, at: tells_time.then_some(world.now) }, more))
        };
        self.stage.cross(Verb::List, words, None, page).await
    }
}

/// The scenario's number of a credential, which is also its locator.
fn index(subject: &Subject) -> usize {
    subject.locator.parse().unwrap()
}

fn found(world: &World, one: &Minted) -> Found {
    let parent = world.platform.parents[one.credential];
    Found {
        names: vec!["acme".to_owned(), format!("app{parent}"), one.name.clone()],
        title: one.title.clone(),
        handle: Handle::parse(&one.handle).unwrap(),
        locator: one.credential.to_string(),
        kind: "",
        marker: one.marker.as_ref().and_then(|marker| Marker::find(marker.as_str())),
        created_at: one.created_at,
        expires_at: None,
        owner: None,
        parent: Parent::Enabled,
        protected: false,
        minted_from: None,
    }
}

fn refused(refusal: Refusal) -> DriverError {
    match refusal {
        Refusal::NameTaken => DriverError::refused(Kind::Conflict, "the name is taken"),
        Refusal::NoSlot => DriverError::refused(Kind::Conflict, "no slot is free"),
        Refusal::NotFound => DriverError::refused(Kind::NotFound, "there is no such version"),
    }
}

#[async_trait]
impl Issuer for ModelIssuer {
    fn facts(&self) -> FactSheet {
        IssuerFacts {
            overlap: Overlap::Concurrent { live_max: self.facts.live_max },
            names: self.facts.names,
            usage: self.facts.usage,
            ..IssuerFacts::overlapping(self.facts.propagation)
        }
        .into()
    }

    async fn check(&self) -> Result<IssuerCheck, DriverError> {
        Ok(IssuerCheck::default())
    }

    fn list(&self, scope: Scope) -> ListingStream<'_> {
        let pages = stream::unfold(Some(0), move |number| {
            let scope = scope.clone();
            async move {
                let number = number?;
                match self.page(scope, number).await {
                    Ok((page, more)) => Some((Ok(page), more.then_some(number + 1))),
                    Err(error) => Some((Err(error), None)),
                }
            }
        });
        pages.boxed()
    }

    async fn look_up(&self, subject: &Subject, handle: &Handle) -> Result<Lookup, DriverError> {
        let words = format!("look up c{} {handle}", index(subject));
        let handle = handle.to_string();
        let look = move |world: &mut World, _: Option<Fault>| {
            let one = world.platform.minted.iter().find(|one| one.handle == handle && one.is_live());
            Ok(one.map_or(Lookup::Gone, |one| Lookup::There { name: one.name.clone(), title: one.title.clone() }))
        };
        self.stage.cross(Verb::LookUp, || words, None, look).await
    }

    async fn issue(&self, request: &IssueRequest<'_>, ticket: &Ticket) -> Result<Issued, DriverError> {
        let credential = index(&request.subject);
        let (name, title) = (request.name.clone(), request.title.clone());
        let words = format!("issue c{credential} as {name}");
        let marker = Marker::find(request.marker.as_str());
        let issue = move |world: &mut World, _: Option<Fault>| {
            world.before_our_issue(credential);
            let World { platform, random, now, .. } = world;
            let minted = platform.mint(*now, random, credential, &name, &title, marker.clone(), Who::Us);
            let one = &platform.minted[minted.map_err(refused)?];
            Ok(Issued {
                handle: Handle::parse(&one.handle).unwrap(),
                name: name.clone(),
                title: title.clone(),
                created_at: one.created_at,
                expires_at: None,
                secret: secret(&one.handle, &one.secret),
            })
        };
        self.stage.cross(Verb::Issue, || words, Some((credential, ticket)), issue).await
    }

    async fn revoke(&self, subject: &Subject, handle: &Handle, ticket: &Ticket) -> Result<Revoked, DriverError> {
        let credential = index(subject);
        let handle = handle.to_string();
        let words = format!("revoke c{credential} {handle}");
        let revoke = move |world: &mut World, fault: Option<Fault>| {
            let Some(index) = world.platform.by_handle(&handle) else { return Ok(Revoked::GoneAlready) };
            world.before_our_revoke(credential, index);
            if fault == Some(Fault::Lies) {
                return Ok(Revoked::Now);
            }
            let World { platform, random, now, .. } = world;
            let removed = platform.remove(*now, random, index, Who::Us);
            Ok(if removed { Revoked::Now } else { Revoked::GoneAlready })
        };
        self.stage.cross(Verb::Revoke, || words, Some((credential, ticket)), revoke).await
    }

    fn verifier(&self) -> Option<&dyn Verifier> {
        Some(self)
    }

    fn renamer(&self) -> Option<&dyn Renamer> {
        if self.facts.names { Some(self) } else { None }
    }

    fn usage(&self) -> Option<&dyn UsageSource> {
        if self.facts.usage { Some(self) } else { None }
    }
}

#[async_trait]
impl Verifier for ModelIssuer {
    async fn verify(&self, subject: &Subject, handle: &Handle, secret: &SecretMap) -> Result<Trial, DriverError> {
        let words = format!("verify c{} {handle}", index(subject));
        let secret = secret_text(secret);
        let verify = move |world: &mut World, _: Option<Fault>| {
            let found = world.platform.by_secret(&secret).map(|index| &world.platform.minted[index]);
            let accepted = found.is_some_and(|one| one.is_accepted(world.now));
            Ok(if accepted { Trial::Accepted } else { Trial::Refused("unknown credential".to_owned()) })
        };
        self.stage.cross(Verb::Verify, || words, None, verify).await
    }
}

#[async_trait]
impl Renamer for ModelIssuer {
    async fn rename(
        &self,
        subject: &Subject,
        handle: &Handle,
        name: &str,
        title: &str,
        ticket: &Ticket,
    ) -> Result<(), DriverError> {
        let credential = index(subject);
        let words = format!("rename c{credential} {handle} to {name}");
        let (handle, name, title) = (handle.to_string(), name.to_owned(), title.to_owned());
        let rename = move |world: &mut World, _: Option<Fault>| {
            let index = world.platform.by_handle(&handle).ok_or(Refusal::NotFound).map_err(refused)?;
            world.platform.rename(index, &name, &title, Who::Us).map_err(refused)
        };
        self.stage.cross(Verb::Rename, || words, Some((credential, ticket)), rename).await
    }
}

#[async_trait]
impl UsageSource for ModelIssuer {
    async fn usage(&self, subject: &Subject, handle: &Handle, since: Timestamp) -> Result<Usage, DriverError> {
        let words = format!("usage of c{} {handle}", index(subject));
        let handle = handle.to_string();
        // Records lag, as the rest of the platform does.
        let lag = self.facts.propagation / 2;
        let usage = move |world: &mut World, _: Option<Fault>| {
            world.consumers_call();
            let through = world.now.saturating_sub(lag).unwrap();
            let one = world.platform.by_handle(&handle).map(|index| &world.platform.minted[index]);
            let last_used = one.and_then(|one| one.last_used(through)).filter(|at| *at >= since);
            Ok(Usage { last_used, known_through: Some(through), asked_at: None })
        };
        self.stage.cross(Verb::Usage, || words, None, usage).await
    }
}

pub(crate) fn secret(handle: &str, secret: &str) -> SecretMap {
    SecretMap::new([
        ("client_id".to_owned(), Secret::from_text(handle)),
        ("client_secret".to_owned(), Secret::from_text(secret)),
    ])
}

/// The part of a secret that the gateway of this world looks at.
pub(crate) fn secret_text(secret: &SecretMap) -> String {
    secret.get("client_secret").and_then(|secret| secret.expose_text()).unwrap_or_default().to_owned()
}
