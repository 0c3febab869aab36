//! An issuer: one configured account at a platform that mints credentials.

use std::fmt::Debug;

use async_trait::async_trait;
use domain::{Ask, CredentialId, Duration, FactSheet, Handle, Marker, Owner, Parent, Timestamp, Usage};
use futures_util::stream::BoxStream;
use secret::{Secret, SecretMap};

use crate::{AttemptKey, DriverError, Entropy, NoEntropy, Ticket};

/// Pages of a listing, in any order, each credential in exactly one page. The stream ends after the last page; an
/// error ends it early, and then nothing of the listing may be believed to be complete.
pub type ListingStream<'a> = BoxStream<'a, Result<Listing, DriverError>>;

/// The verbs that every platform has. Further abilities are accessors: what is not there cannot fail.
#[async_trait]
pub trait Issuer: Send + Sync + Debug {
    /// Declared once; the same for the life of the value.
    fn facts(&self) -> FactSheet;

    /// Login, rights and names, without changing anything. For `keyrota check`.
    async fn check(&self) -> Result<IssuerCheck, DriverError>;

    /// Everything in scope. MUST page to the end and MUST fail rather than leave something out silently.
    fn list(&self, scope: Scope) -> ListingStream<'_>;

    /// Asks for one version by its id; what it answers is the platform's own record now, where there is one to ask.
    async fn look_up(&self, subject: &Subject, handle: &Handle) -> Result<Lookup, DriverError>;

    /// Mints one version that carries the request's marker, or has the platform take `chosen`. A lost answer is
    /// `Effect::Unknown`. Where we choose, or where the platform honours `token`, repeating the request MUST answer
    /// the same version. Where facts say that a person issues, it is never called and refuses.
    async fn issue(&self, request: &IssueRequest<'_>, ticket: &Ticket) -> Result<Issued, DriverError>;

    /// Ends one version by its id. Gone already is `Ok(Revoked::GoneAlready)`. Never called where facts say that
    /// nothing or nobody but a person ends it early.
    async fn revoke(&self, subject: &Subject, handle: &Handle, ticket: &Ticket) -> Result<Revoked, DriverError>;

    fn verifier(&self) -> Option<&dyn Verifier> {
        None
    }

    fn renamer(&self) -> Option<&dyn Renamer> {
        None
    }

    fn usage(&self) -> Option<&dyn UsageSource> {
        None
    }

    /// There if and only if some facts say `Minting::ByUs`.
    fn minter(&self) -> Option<&dyn Minter> {
        None
    }

    /// There if and only if some facts say `disable`.
    fn disabler(&self) -> Option<&dyn Disabler> {
        None
    }

    /// There if and only if some facts leave a step to a person.
    fn assisted(&self) -> Option<&dyn Assisted> {
        None
    }

    /// For a secret that need not be handed out: what it signs is enough for a client, for a while.
    fn signer(&self) -> Option<&dyn Signer> {
        None
    }
}

/// Signs what a client logs in with, so that the key itself stays where it is.
pub trait Signer: Send + Sync {
    /// No call. What is signed is good from `now` on, by the platform's clock, and for `lifetime`.
    ///
    /// # Errors
    /// `Kind::Invalid` when the secret cannot sign or the platform takes nothing that lives so long.
    fn sign(&self, secret: &SecretMap, now: Timestamp, lifetime: Duration) -> Result<Secret, DriverError>;

    /// The longest life that the platform takes.
    fn lifetime_max(&self) -> Duration;
}

/// Chooses a successor's secret in the form that the platform takes.
pub trait Minter: Send + Sync {
    /// No call, and no state: everything random comes from `entropy`. `marker` is the one that the issue will carry:
    /// where the platform knows a version by a part of the value, the value itself can bear the mark.
    fn choose(&self, subject: &Subject, marker: &Marker, entropy: &dyn Entropy) -> Result<SecretMap, NoEntropy>;
}

/// Switches a version off and on again. Repeating either changes nothing.
#[async_trait]
pub trait Disabler: Send + Sync {
    async fn disable(&self, subject: &Subject, handle: &Handle, ticket: &Ticket) -> Result<(), DriverError>;

    async fn enable(&self, subject: &Subject, handle: &Handle, ticket: &Ticket) -> Result<(), DriverError>;
}

/// A platform on which a person does what no call does.
pub trait Assisted: Send + Sync {
    /// What the person is to do, exactly: what to click and to type, a sentence a line. `handle` is the version to
    /// remove or to replace, where it is known.
    fn instructions(&self, subject: &Subject, ask: &Ask, handle: Option<&Handle>) -> Vec<String>;

    /// Reads what the person hands over: a file's content, or what was pasted. No call.
    ///
    /// # Errors
    /// `Kind::Invalid` with what is wrong with it, never with its content.
    fn read(&self, subject: &Subject, content: &Secret) -> Result<HandedOver, DriverError>;
}

/// A version that a person made.
#[derive(Debug)]
pub struct HandedOver {
    pub handle: Handle,
    /// In the platform's own field names, ready for delivery.
    pub secret: SecretMap,
    pub expires_at: Option<Timestamp>,
}

/// Tries a version against the platform itself.
#[async_trait]
pub trait Verifier: Send + Sync {
    async fn verify(&self, subject: &Subject, handle: &Handle, secret: &SecretMap) -> Result<Trial, DriverError>;
}

/// Gives a version the names that people know. Repeating it with the same names changes nothing.
#[async_trait]
pub trait Renamer: Send + Sync {
    async fn rename(
        &self,
        subject: &Subject,
        handle: &Handle,
        name: &str,
        title: &str,
        ticket: &Ticket,
    ) -> Result<(), DriverError>;
}

/// Tells who used which version.
#[async_trait]
pub trait UsageSource: Send + Sync {
    /// Use of one version since `since`. `Usage::known_through` is the moment up to which use would be known, by the
    /// platform's clock; an ability that the account lacks is `Kind::Forbidden`, never "no use".
    async fn usage(&self, subject: &Subject, handle: &Handle, since: Timestamp) -> Result<Usage, DriverError>;
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// The whole account.
    All,
    /// All credentials under the subject's parent: enough to see our successor and its siblings.
    Siblings(Subject),
}

/// A credential as the driver finds it again: the identifier for messages, the locator for addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    pub credential: CredentialId,
    /// The driver's own words for where it lives, for example the ids of organisation and application. Opaque to all
    /// others; never a secret.
    pub locator: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    pub found: Vec<Found>,
    /// Credentials that are to exist although no version of them is shown: tokens still to be minted, keys that no
    /// call lists. In exactly one page of the listing.
    pub declared: Vec<Declared>,
    /// How many the platform says there are in all, where it says so.
    pub total: Option<u64>,
    /// The platform's clock at the answer, where it shows one.
    pub at: Option<Timestamp>,
}

/// A credential that the platform or the configuration names, without a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// As in [`Found::names`].
    pub names: Vec<String>,
    pub title: String,
    pub locator: String,
    pub kind: &'static str,
    pub owner: Option<Owner>,
    /// As in [`Found::minted_from`].
    pub minted_from: Option<Vec<String>>,
}

/// One version in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The platform's names from the outermost to the credential's own: organisation, application, credential.
    pub names: Vec<String>,
    pub title: String,
    pub handle: Handle,
    pub locator: String,
    /// Which of the issuer's facts hold for it: a word of [`FactSheet::kinds`], or empty.
    pub kind: &'static str,
    /// Our mark, when it carries one.
    pub marker: Option<Marker>,
    pub created_at: Timestamp,
    /// The platform ends it by itself then.
    pub expires_at: Option<Timestamp>,
    pub owner: Option<Owner>,
    pub parent: Parent,
    /// Must never be replaced nor removed.
    pub protected: bool,
    /// The credential with which this one is minted: its names, as in `names`.
    pub minted_from: Option<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    There {
        name: String,
        title: String,
    },
    Gone,
    /// The platform keeps no record that could be asked: only a trial of the version tells. Neither there nor gone.
    Untold,
}

#[derive(Debug, Clone)]
pub struct IssueRequest<'a> {
    pub subject: Subject,
    /// Name and title of the successor while both live.
    pub name: String,
    pub title: String,
    pub marker: Marker,
    /// The version whose place it takes, where there is one: what that may do, the successor is to be able to do.
    pub replaces: Option<Handle>,
    /// The same for every repetition of one attempt, for a platform that takes idempotency keys.
    pub token: AttemptKey,
    /// The secret that the platform is to take, where we choose.
    pub chosen: Option<&'a SecretMap>,
    /// The current secret of the credential that this one is minted from, where we hold it.
    pub minted_from: Option<&'a SecretMap>,
    /// The secret of the version that dies with this issue, where we hold it: where it is what the driver itself logs in
    /// with, the one in the configuration is dead since our first issue.
    pub current: Option<&'a SecretMap>,
}

#[derive(Debug)]
pub struct Issued {
    pub handle: Handle,
    pub name: String,
    pub title: String,
    pub created_at: Timestamp,
    /// The platform ends it by itself then.
    pub expires_at: Option<Timestamp>,
    /// In the platform's own field names, ready for delivery.
    pub secret: SecretMap,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoked {
    Now,
    GoneAlready,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trial {
    Accepted,
    /// Refused, with the platform's word for it.
    Refused(String),
    /// Accepted, but not what is wanted, for example with other rights: no successor, and by no means dead.
    Unfit(String),
}

/// What `check` found out, as sentences for a person.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IssuerCheck {
    pub passed: Vec<String>,
    /// Works, but less well: for example a listing that has to be walked.
    pub reduced: Vec<String>,
}
