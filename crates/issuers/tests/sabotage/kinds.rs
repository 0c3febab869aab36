//! Defects of platforms that choose, replace, expire, switch off or leave things to people.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use domain::{Ask, FactSheet, Handle, Marker};
use driver::{
    Assisted, Disabler, DriverError, Effect, Entropy, HandedOver, InvalidSettings, IssueRequest, Issued, Issuer,
    IssuerCheck, Kind, Listing, ListingStream, Lookup, Minter, NoEntropy, Ports, Revoked, Scope, Settings, Signer,
    Subject, Ticket, Trial, UsageSource, Verifier,
};
use futures_util::StreamExt;
use secret::{Secret, SecretMap};

use super::Defect;

const TAKES_ITS_OWN: u8 = 0;
const COUNTS_REPETITIONS: u8 = 1;
const FORGETS_ITS_LOGIN: u8 = 2;
const ACCEPTS_ANYTHING: u8 = 3;
const TELLS_NO_END: u8 = 4;
const PRETENDS_TO_REVOKE: u8 = 5;
const HIDES_SIBLINGS: u8 = 6;
const FORGETS_KINDS: u8 = 7;
const INVENTS_PARENTS: u8 = 8;
const NEVER_IN_DOUBT: u8 = 9;
const SAYS_NOTHING: u8 = 10;
const ACTS_FOR_THE_PERSON: u8 = 11;
const QUOTES_RUBBISH: u8 = 12;
const BELIEVES_ANYTHING: u8 = 13;
const MIXES_UP_HANDED_OVER: u8 = 14;
const REMOVES_FOR_THE_PERSON: u8 = 15;
const DISABLES_NOTHING: u8 = 16;
const ENABLES_NOTHING: u8 = 17;
const REMOVES_WHEN_DISABLING: u8 = 18;
const PROTECTS_NOTHING: u8 = 19;
const CHOOSES_ONE_FOR_ALL: u8 = 20;

const PERSON: &str = "securid";

pub(crate) const DEFECTS: &[Defect] = &[
    defect::<TAKES_ITS_OWN>("a value of its own in place of ours", "apisec", "what we choose is taken"),
    defect::<CHOOSES_ONE_FOR_ALL>("the same value chosen twice", "apisec", "what we choose is taken"),
    defect::<COUNTS_REPETITIONS>("a repetition taken for another", "apisec", "a lost answer to issue is repeated"),
    defect::<FORGETS_ITS_LOGIN>("a login with what died", "apisec", "the old one dies with the issue"),
    defect::<ACCEPTS_ANYTHING>("a trial that is none", "apisec", "the old one dies with the issue"),
    defect::<ACCEPTS_ANYTHING>("an end that is not seen", "apisec", "it expires as told"),
    defect::<TELLS_NO_END>("an end not told", "apisec", "it expires as told"),
    defect::<PRETENDS_TO_REVOKE>("an end that was not made", "apisec", "it expires as told"),
    defect::<HIDES_SIBLINGS>("a sibling left out", "apisec", "what no listing shows is named"),
    defect::<FORGETS_KINDS>("kinds not told", "apisec", "every kind is played"),
    defect::<INVENTS_PARENTS>("a parent that is none", "apisec", "a listing tells what there is to know"),
    defect::<NEVER_IN_DOUBT>("doubt taken for failure", "apisec", "a lost answer to issue is left behind"),
    defect::<SAYS_NOTHING>("no word of what to do", PERSON, "a person is told what to do"),
    defect::<ACTS_FOR_THE_PERSON>("a step that was not its own", PERSON, "a person is told what to do"),
    defect::<QUOTES_RUBBISH>("a quoted secret", PERSON, "rubbish is refused and not quoted"),
    defect::<BELIEVES_ANYTHING>("rubbish taken", PERSON, "rubbish is refused and not quoted"),
    defect::<MIXES_UP_HANDED_OVER>("an older one for a newer one", "apisec", "what a person hands over is taken"),
    defect::<REMOVES_FOR_THE_PERSON>("a removal that was not made", PERSON, "removing is left to the person"),
    defect::<DISABLES_NOTHING>("a switch that does nothing", "apigee", "it is switched off and on"),
    defect::<ENABLES_NOTHING>("a switch that is stuck", "apigee", "it is switched off and on"),
    defect::<REMOVES_WHEN_DISABLING>("a removal for a switch", "apigee", "it is switched off and on"),
    defect::<PROTECTS_NOTHING>("a protection not told", PERSON, "a listing tells what there is to know"),
];

const fn defect<const DEFECT: u8>(what: &'static str, driver: &'static str, check: &'static str) -> Defect {
    let configure = match driver.as_bytes() {
        b"apigee" => configure_apigee::<DEFECT>,
        b"apisec" => configure_apisec::<DEFECT>,
        _ => configure_securid::<DEFECT>,
    };
    Defect { what, driver, configure, check }
}

type Configured = Result<Arc<dyn Issuer>, InvalidSettings>;

fn configure_apigee<const DEFECT: u8>(settings: &Settings, ports: &Ports) -> Configured {
    spoil::<DEFECT>("apigee", settings, ports)
}

fn configure_apisec<const DEFECT: u8>(settings: &Settings, ports: &Ports) -> Configured {
    spoil::<DEFECT>("apisec", settings, ports)
}

fn configure_securid<const DEFECT: u8>(settings: &Settings, ports: &Ports) -> Configured {
    spoil::<DEFECT>("securid", settings, ports)
}

fn spoil<const DEFECT: u8>(driver: &str, settings: &Settings, ports: &Ports) -> Configured {
    let good = (issuers::find(driver).unwrap().configure)(settings, ports)?;
    Ok(Arc::new(Spoiled::<DEFECT> { good, entropy: ports.entropy.clone(), count: AtomicU64::new(0) }))
}

#[derive(Debug)]
struct Spoiled<const DEFECT: u8> {
    good: Arc<dyn Issuer>,
    entropy: Arc<dyn Entropy>,
    count: AtomicU64,
}

impl<const DEFECT: u8> Spoiled<DEFECT> {
    fn page(mut page: Listing, all: bool) -> Listing {
        for declared in &mut page.declared {
            match DEFECT {
                FORGETS_KINDS => declared.kind = "",
                INVENTS_PARENTS => {
                    declared.minted_from.iter_mut().for_each(|names| names.push("of-nobody".to_owned()));
                }
                _ => {}
            }
        }
        match DEFECT {
            HIDES_SIBLINGS if !all => drop(page.declared.pop()),
            PROTECTS_NOTHING => page.found.iter_mut().for_each(|found| found.protected = false),
            _ => {}
        }
        page
    }
}

#[async_trait]
impl<const DEFECT: u8> Issuer for Spoiled<DEFECT> {
    fn facts(&self) -> FactSheet {
        self.good.facts()
    }

    async fn check(&self) -> Result<IssuerCheck, DriverError> {
        self.good.check().await
    }

    fn list(&self, scope: Scope) -> ListingStream<'_> {
        let all = scope == Scope::All;
        self.good.list(scope).map(move |page| page.map(|page| Self::page(page, all))).boxed()
    }

    async fn look_up(&self, subject: &Subject, handle: &Handle) -> Result<Lookup, DriverError> {
        self.good.look_up(subject, handle).await
    }

    async fn issue(&self, request: &IssueRequest<'_>, ticket: &Ticket) -> Result<Issued, DriverError> {
        let mut request = request.clone();
        let own = match self.good.minter().filter(|_| DEFECT == TAKES_ITS_OWN && request.chosen.is_some()) {
            Some(minter) => Some(minter.choose(&request.subject, &request.marker, &*self.entropy).unwrap()),
            None => None,
        };
        request.chosen = own.as_ref().or(request.chosen);
        match DEFECT {
            FORGETS_ITS_LOGIN => request.current = None,
            ACTS_FOR_THE_PERSON => return Err(DriverError::new(Kind::Unavailable, Effect::Unknown, "tried it")),
            _ => {}
        }
        let mut answer = self.good.issue(&request, ticket).await;
        match &mut answer {
            Ok(issued) if DEFECT == TELLS_NO_END => issued.expires_at = None,
            Ok(issued) if DEFECT == COUNTS_REPETITIONS => {
                let count = self.count.fetch_add(1, Ordering::Relaxed);
                issued.handle = Handle::parse(&format!("{}-{count}", issued.handle)).unwrap();
            }
            Err(error) if DEFECT == NEVER_IN_DOUBT => error.effect = Effect::NotApplied,
            _ => {}
        }
        answer
    }

    async fn revoke(&self, subject: &Subject, handle: &Handle, ticket: &Ticket) -> Result<Revoked, DriverError> {
        match DEFECT {
            PRETENDS_TO_REVOKE | REMOVES_FOR_THE_PERSON => Ok(Revoked::Now),
            _ => self.good.revoke(subject, handle, ticket).await,
        }
    }

    fn verifier(&self) -> Option<&dyn Verifier> {
        Some(self)
    }

    fn usage(&self) -> Option<&dyn UsageSource> {
        self.good.usage()
    }

    fn minter(&self) -> Option<&dyn Minter> {
        self.good.minter().map(|_| self as &dyn Minter)
    }

    fn disabler(&self) -> Option<&dyn Disabler> {
        self.good.disabler().map(|_| self as &dyn Disabler)
    }

    fn assisted(&self) -> Option<&dyn Assisted> {
        self.good.assisted().map(|_| self as &dyn Assisted)
    }

    fn signer(&self) -> Option<&dyn Signer> {
        self.good.signer()
    }
}

#[async_trait]
impl<const DEFECT: u8> Verifier for Spoiled<DEFECT> {
    async fn verify(&self, subject: &Subject, handle: &Handle, secret: &SecretMap) -> Result<Trial, DriverError> {
        let trial = self.good.verifier().unwrap().verify(subject, handle, secret).await?;
        Ok(if DEFECT == ACCEPTS_ANYTHING { Trial::Accepted } else { trial })
    }
}

impl<const DEFECT: u8> Minter for Spoiled<DEFECT> {
    fn choose(&self, subject: &Subject, marker: &Marker, entropy: &dyn Entropy) -> Result<SecretMap, NoEntropy> {
        let good = self.good.minter().unwrap();
        if DEFECT == CHOOSES_ONE_FOR_ALL {
            return good.choose(subject, marker, &contract::SeededEntropy::new(1));
        }
        good.choose(subject, marker, entropy)
    }
}

#[async_trait]
impl<const DEFECT: u8> Disabler for Spoiled<DEFECT> {
    async fn disable(&self, subject: &Subject, handle: &Handle, ticket: &Ticket) -> Result<(), DriverError> {
        match DEFECT {
            DISABLES_NOTHING => Ok(()),
            REMOVES_WHEN_DISABLING => self.good.revoke(subject, handle, ticket).await.map(drop),
            _ => self.good.disabler().unwrap().disable(subject, handle, ticket).await,
        }
    }

    async fn enable(&self, subject: &Subject, handle: &Handle, ticket: &Ticket) -> Result<(), DriverError> {
        match DEFECT {
            ENABLES_NOTHING => Ok(()),
            _ => self.good.disabler().unwrap().enable(subject, handle, ticket).await,
        }
    }
}

impl<const DEFECT: u8> Assisted for Spoiled<DEFECT> {
    fn instructions(&self, subject: &Subject, ask: &Ask, handle: Option<&Handle>) -> Vec<String> {
        match DEFECT {
            SAYS_NOTHING => Vec::new(),
            _ => self.good.assisted().unwrap().instructions(subject, ask, handle),
        }
    }

    fn read(&self, subject: &Subject, content: &Secret) -> Result<HandedOver, DriverError> {
        let read = self.good.assisted().unwrap().read(subject, content);
        let text = content.expose_text().unwrap_or_default();
        match (DEFECT, read) {
            (QUOTES_RUBBISH, Err(error)) => Err(DriverError { message: format!("no secret: {text}"), ..error }),
            (BELIEVES_ANYTHING, Err(_)) => Ok(HandedOver {
                handle: Handle::parse("any").unwrap(),
                secret: SecretMap::new([("any".to_owned(), content.duplicate())]),
                expires_at: None,
            }),
            (MIXES_UP_HANDED_OVER, Ok(handed)) => {
                let older = |(field, _): (&str, &Secret)| (field.to_owned(), Secret::from_text("an-older-one-1"));
                Ok(HandedOver { secret: SecretMap::new(handed.secret.iter().map(older)), ..handed })
            }
            (_, read) => read,
        }
    }
}
