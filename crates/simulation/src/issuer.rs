//! The model platform behind the trait that every driver implements.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use domain::{
    Ending, FactSheet, Handle, Idempotency, IssuerFacts, Marker, Minting, Parent, Performer, Timestamp, Usage,
};
use driver::{
    Assisted, Declared, Disabler, DriverError, Found, IssueRequest, Issued, Issuer, IssuerCheck, Kind, Listing,
    ListingStream, Lookup, Minter, Renamer, Revoked, Scope, Subject, Ticket, Trial, UsageSource, Verifier,
};
use futures_util::{StreamExt as _, stream};
use secret::{Secret, SecretMap};

use crate::{
    event::{Fault, Verb},
    kind::KINDS,
    platform::{Minted, Refusal, Wanted, Who},
    stage::{STALE, Stage, World},
};

/// Versions on one page of a listing.
const PAGE: usize = 4;

pub(crate) struct ModelIssuer {
    pub(crate) stage: Arc<Stage>,
    facts: FactSheet,
    tells_time: bool,
}

impl fmt::Debug for ModelIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ModelIssuer")
    }
}

impl ModelIssuer {
    pub(crate) fn new(stage: &Arc<Stage>) -> Self {
        let world = stage.world();
        Self { stage: stage.clone(), facts: world.platform.sheet(), tells_time: world.platform.tells_time }
    }

    async fn page(&self, scope: Scope, number: usize) -> Result<(Listing, bool), DriverError> {
        let words = || format!("list page {number} of {}", if scope == Scope::All { "all" } else { "siblings" });
        let scope_of = scope.clone();
        let tells_time = self.tells_time;
        let page = move |world: &mut World, fault: Option<Fault>| {
            let parent = match &scope_of {
                Scope::All => None,
                Scope::Siblings(subject) => Some(world.platform.parents[index(subject)]),
            };
            let age = if fault == Some(Fault::Stale) { STALE } else { domain::Duration::ZERO };
            let at = world.frozen_at().unwrap_or_else(|| world.now.saturating_sub(age).unwrap());
            let within = |credential: usize| parent.is_none_or(|parent| world.platform.parents[credential] == parent);
            let shown = world.platform.listed(at).filter(|one| within(one.credential));
            let all: Vec<Found> = shown.map(|one| found(world, one)).collect();
            let more = all.len() > (number + 1) * PAGE;
            let keep = |at: usize| fault != Some(Fault::Short) || at % 2 == 1;
            let found = all.into_iter().skip(number * PAGE).take(PAGE).enumerate();
            let found = found.filter(|(at, _)| keep(*at)).map(|(_, found)| found).collect();
            let declared = if number == 0 { declared(world, within) } else { Vec::new() };
            Ok((Listing { found, declared, total: None, at: tells_time.then_some(world.now) }, more))
        };
        self.stage.cross(Verb::List, words, None, page).await
    }
}

/// The scenario's number of a credential, which is also its locator.
pub(crate) fn index(subject: &Subject) -> usize {
    subject.locator.parse().unwrap()
}

fn names(world: &World, credential: usize, name: &str) -> Vec<String> {
    vec!["acme".to_owned(), format!("app{}", world.platform.parents[credential]), name.to_owned()]
}

fn minted_from(world: &World, credential: usize) -> Option<Vec<String>> {
    let parent = world.platform.kind(credential).minted_from?;
    Some(names(world, parent, &format!("key{parent}")))
}

/// What is to exist although a listing may show nothing of it.
fn declared(world: &World, within: impl Fn(usize) -> bool) -> Vec<Declared> {
    let all = (0..world.platform.parents.len()).filter(|credential| within(*credential));
    let unseen = |credential: &usize| {
        let kind = world.platform.kind(*credential);
        kind.expires() || !kind.facts.lists_versions
    };
    let declare = |credential: usize| Declared {
        names: names(world, credential, &format!("key{credential}")),
        title: "A key".to_owned(),
        locator: credential.to_string(),
        kind: KINDS[credential],
        owner: None,
        minted_from: minted_from(world, credential),
    };
    all.filter(unseen).map(declare).collect()
}

fn found(world: &World, one: &Minted) -> Found {
    let kind = world.platform.kind(one.credential);
    let off = world.platform.disabled.contains(&world.platform.parents[one.credential]);
    Found {
        names: names(world, one.credential, &one.name),
        title: one.title.clone(),
        handle: Handle::parse(&one.handle).unwrap(),
        locator: one.credential.to_string(),
        kind: KINDS[one.credential],
        marker: one.marker.as_ref().filter(|_| kind.shows_marks()).and_then(|marker| Marker::find(marker.as_str())),
        created_at: one.created_at,
        expires_at: one.expires_at,
        owner: None,
        parent: if off { Parent::Disabled } else { Parent::Enabled },
        protected: kind.protected,
        minted_from: minted_from(world, one.credential),
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
        self.facts.clone()
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
        let credential = index(subject);
        let words = format!("look up c{credential} {handle}");
        let handle = handle.to_string();
        let look = move |world: &mut World, _: Option<Fault>| {
            world.asked_at[credential] = Some(world.now);
            let one = world
                .platform
                .minted
                .iter()
                .find(|one| one.credential == credential && one.handle == handle && one.is_live(world.now));
            Ok(one.map_or(Lookup::Gone, |one| Lookup::There { name: one.name.clone(), title: one.title.clone() }))
        };
        self.stage.cross(Verb::LookUp, || words, None, look).await
    }

    async fn issue(&self, request: &IssueRequest<'_>, ticket: &Ticket) -> Result<Issued, DriverError> {
        let credential = index(&request.subject);
        let words = format!("issue c{credential} as {}", request.name);
        let wanted = wanted(self.facts.of(KINDS[credential]), request);
        let with = request.minted_from.map(secret_text);
        let issue = move |world: &mut World, _: Option<Fault>| {
            if world.platform.made_before(world.now, &wanted).is_none() {
                world.before_our_issue(credential);
            }
            let minted_with = world.parent_version(credential, with.as_deref())?;
            let wanted = Wanted { minted_with, ..wanted.clone() };
            let World { platform, random, now, .. } = world;
            let ours = wanted.chosen.is_some();
            let minted = platform.mint(*now, random, wanted).map_err(refused)?;
            world.after_our_issue(minted);
            let one = &world.platform.minted[minted];
            Ok(Issued {
                handle: Handle::parse(&one.handle).unwrap(),
                name: one.name.clone(),
                title: one.title.clone(),
                created_at: one.created_at,
                expires_at: one.expires_at,
                secret: if ours { chosen(&one.secret) } else { secret(&one.handle, &one.secret) },
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
        self.facts.all().any(|facts| facts.names).then_some(self)
    }

    fn usage(&self) -> Option<&dyn UsageSource> {
        self.facts.all().any(|facts| facts.usage).then_some(self)
    }

    fn minter(&self) -> Option<&dyn Minter> {
        self.facts.all().any(|facts| facts.minting == Minting::ByUs).then_some(self)
    }

    fn disabler(&self) -> Option<&dyn Disabler> {
        self.facts.all().any(|facts| facts.disable).then_some(self)
    }

    fn assisted(&self) -> Option<&dyn Assisted> {
        let by_person = |facts: &IssuerFacts| facts.issued_by == Performer::Person || facts.ending == Ending::ByPerson;
        self.facts.all().any(by_person).then_some(self)
    }
}

#[async_trait]
impl Verifier for ModelIssuer {
    async fn verify(&self, subject: &Subject, handle: &Handle, secret: &SecretMap) -> Result<Trial, DriverError> {
        let credential = index(subject);
        let words = format!("verify c{credential} {handle}");
        let secret = secret_text(secret);
        let verify = move |world: &mut World, _: Option<Fault>| {
            let own = |index: &usize| world.platform.minted[*index].credential == credential;
            let found = world.platform.by_secret(&secret).filter(own);
            if !found.is_some_and(|index| world.platform.accepts(index, world.now)) {
                return Ok(Trial::Refused("unknown credential".to_owned()));
            }
            world.step_in_the_gap(credential);
            Ok(Trial::Accepted)
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
            world.platform.rename(world.now, index, &name, &title, Who::Us).map_err(refused)
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
        let lag = self.facts.of(KINDS[index(subject)]).propagation / 2;
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

/// A value that we chose: the platform adds nothing to it.
pub(crate) fn chosen(secret: &str) -> SecretMap {
    SecretMap::new([("client_secret".to_owned(), Secret::from_text(secret))])
}

fn wanted(facts: &IssuerFacts, request: &IssueRequest<'_>) -> Wanted {
    let token = (facts.idempotency == Idempotency::ClientToken).then(|| request.token.0.clone());
    Wanted {
        credential: index(&request.subject),
        name: request.name.clone(),
        title: request.title.clone(),
        marker: Marker::find(request.marker.as_str()),
        token,
        chosen: request.chosen.map(secret_text),
        minted_with: None,
        by: Who::Us,
    }
}

/// What a person hands over.
pub(crate) fn text(secret: &Secret) -> String {
    secret.expose_text().unwrap_or_default().to_owned()
}

/// The part of a secret that the gateway of this world looks at.
pub(crate) fn secret_text(secret: &SecretMap) -> String {
    secret.get("client_secret").and_then(|secret| secret.expose_text()).unwrap_or_default().to_owned()
}
