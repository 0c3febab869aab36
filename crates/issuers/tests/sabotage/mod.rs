//! A good driver with one defect.

mod kinds;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use contract::issuer::Configure;
use domain::{FactSheet, Handle, Timestamp, Usage};
use driver::{
    DriverError, Effect, InvalidSettings, IssueRequest, Issued, Issuer, IssuerCheck, Kind, Listing, ListingStream,
    Lookup, Ports, Renamer, Revoked, Scope, Settings, Subject, Ticket, Trial, UsageSource, Verifier,
};
use futures_util::{StreamExt, future::ready};
use secret::SecretMap;

const DROPS_A_VERSION: u8 = 0;
const SWALLOWS_ERRORS: u8 = 1;
const FORGETS_MARKERS: u8 = 2;
const TELLS_NO_TIME: u8 = 3;
const NEVER_IN_DOUBT: u8 = 4;
const REPEATS_WRITES: u8 = 5;
const HIDES_RETRY_AFTER: u8 = 6;
const ALWAYS_REVOKES: u8 = 7;
const ACCEPTS_ANYTHING: u8 = 8;
const RENAMES_NOTHING: u8 = 9;
const GUESSES_QUIET: u8 = 10;
const SHOWS_SECRETS: u8 = 11;
const TAKES_ERRORS_FOR_GONE: u8 = 12;
const MIXES_UP_SIBLINGS: u8 = 13;

pub(crate) struct Defect {
    /// What is wrong.
    pub(crate) what: &'static str,
    /// With which driver.
    pub(crate) driver: &'static str,
    pub(crate) configure: Configure,
    /// The check that is there for it.
    pub(crate) check: &'static str,
}

pub(crate) fn defects() -> impl Iterator<Item = &'static Defect> {
    OVERLAPPING.iter().chain(kinds::DEFECTS)
}

const fn defect(what: &'static str, configure: Configure, check: &'static str) -> Defect {
    Defect { what, driver: "ibm_apic", configure, check }
}

/// Of the usual platform.
const OVERLAPPING: &[Defect] = &[
    defect("a version left out", configure::<DROPS_A_VERSION>, "a large listing is complete"),
    defect("an error taken for the end", configure::<SWALLOWS_ERRORS>, "a listing that cannot be had fails"),
    defect("a marker not read", configure::<FORGETS_MARKERS>, "a listing shows the successor"),
    defect("the platform's time not told", configure::<TELLS_NO_TIME>, "the platform's own clock is told"),
    defect("doubt taken for failure", configure::<NEVER_IN_DOUBT>, "a lost answer to issue is found by its marker"),
    defect("a write sent twice", configure::<REPEATS_WRITES>, "an issue that never arrived is in doubt"),
    defect("a pause not passed on", configure::<HIDES_RETRY_AFTER>, "a throttled issue is reported"),
    defect("gone already taken for now", configure::<ALWAYS_REVOKES>, "the life of a credential"),
    defect("a trial that is none", configure::<ACCEPTS_ANYTHING>, "the life of a credential"),
    defect("a rename that is none", configure::<RENAMES_NOTHING>, "names are given and given back"),
    defect("a refusal taken for silence", configure::<GUESSES_QUIET>, "a right that lacks is not quiet"),
    defect("a secret in Debug", configure::<SHOWS_SECRETS>, "the life of a credential"),
    defect(
        "a failed login taken for gone",
        configure::<TAKES_ERRORS_FOR_GONE>,
        "a wrong login is told and tells nothing",
    ),
    defect("another version's use", configure::<MIXES_UP_SIBLINGS>, "use is told, of this version, since then"),
];

fn configure<const DEFECT: u8>(settings: &Settings, ports: &Ports) -> Result<Arc<dyn Issuer>, InvalidSettings> {
    let good = (issuers::find("ibm_apic").unwrap().configure)(settings, ports)?;
    Ok(Arc::new(Sabotaged::<DEFECT> { good, shown: Mutex::default() }))
}

#[derive(Debug)]
struct Sabotaged<const DEFECT: u8> {
    good: Arc<dyn Issuer>,
    shown: Mutex<String>,
}

impl<const DEFECT: u8> Sabotaged<DEFECT> {
    fn spoil(mut page: Listing) -> Listing {
        match DEFECT {
            DROPS_A_VERSION => drop(page.found.pop()),
            TELLS_NO_TIME => page.at = None,
            FORGETS_MARKERS => page.found.iter_mut().for_each(|found| found.marker = None),
            _ => {}
        }
        page
    }
}

#[async_trait]
impl<const DEFECT: u8> Issuer for Sabotaged<DEFECT> {
    fn facts(&self) -> FactSheet {
        self.good.facts()
    }

    async fn check(&self) -> Result<IssuerCheck, DriverError> {
        self.good.check().await
    }

    fn list(&self, scope: Scope) -> ListingStream<'_> {
        let pages = self.good.list(scope).map(|page| page.map(Self::spoil));
        if DEFECT == SWALLOWS_ERRORS { pages.filter(|page| ready(page.is_ok())).boxed() } else { pages.boxed() }
    }

    async fn look_up(&self, subject: &Subject, handle: &Handle) -> Result<Lookup, DriverError> {
        match self.good.look_up(subject, handle).await {
            Err(_) if DEFECT == TAKES_ERRORS_FOR_GONE => Ok(Lookup::Gone),
            other => other,
        }
    }

    async fn issue(&self, request: &IssueRequest<'_>, ticket: &Ticket) -> Result<Issued, DriverError> {
        let mut answer = self.good.issue(request, ticket).await;
        if DEFECT == REPEATS_WRITES && answer.is_err() {
            answer = self.good.issue(request, ticket).await;
        }
        match &mut answer {
            Ok(issued) if DEFECT == SHOWS_SECRETS => {
                let secret = issued.secret.get("client_secret").unwrap().expose_text().unwrap();
                self.shown.lock().unwrap().push_str(secret);
            }
            Err(error) if DEFECT == NEVER_IN_DOUBT => error.effect = Effect::NotApplied,
            Err(error) if DEFECT == HIDES_RETRY_AFTER => error.retry_after = None,
            _ => {}
        }
        answer
    }

    async fn revoke(&self, subject: &Subject, handle: &Handle, ticket: &Ticket) -> Result<Revoked, DriverError> {
        let revoked = self.good.revoke(subject, handle, ticket).await?;
        Ok(if DEFECT == ALWAYS_REVOKES { Revoked::Now } else { revoked })
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
impl<const DEFECT: u8> Verifier for Sabotaged<DEFECT> {
    async fn verify(&self, subject: &Subject, handle: &Handle, secret: &SecretMap) -> Result<Trial, DriverError> {
        let trial = self.good.verifier().unwrap().verify(subject, handle, secret).await?;
        Ok(if DEFECT == ACCEPTS_ANYTHING { Trial::Accepted } else { trial })
    }
}

#[async_trait]
impl<const DEFECT: u8> Renamer for Sabotaged<DEFECT> {
    async fn rename(
        &self,
        subject: &Subject,
        handle: &Handle,
        name: &str,
        title: &str,
        ticket: &Ticket,
    ) -> Result<(), DriverError> {
        let renamed = self.good.renamer().unwrap();
        match DEFECT {
            RENAMES_NOTHING => Ok(()),
            _ => renamed.rename(subject, handle, name, title, ticket).await,
        }
    }
}

#[async_trait]
impl<const DEFECT: u8> UsageSource for Sabotaged<DEFECT> {
    async fn usage(&self, subject: &Subject, handle: &Handle, since: Timestamp) -> Result<Usage, DriverError> {
        let good = self.good.usage().unwrap();
        let mut usage = match good.usage(subject, handle, since).await {
            Err(error) if DEFECT == GUESSES_QUIET && error.kind == Kind::Forbidden => Usage::default(),
            other => other?,
        };
        if DEFECT == MIXES_UP_SIBLINGS {
            usage.last_used = usage.known_through;
        }
        Ok(usage)
    }
}
