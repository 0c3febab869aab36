//! An issuer: one configured account at a platform that mints credentials.

use std::fmt::Debug;

use async_trait::async_trait;
use domain::{CredentialId, Handle, IssuerFacts, Marker, Owner, Parent, Timestamp, Usage};
use futures_util::stream::BoxStream;
use secret::SecretMap;

use crate::{DriverError, Ticket};

/// Pages of a listing, in any order, each credential in exactly one page. The stream ends after the last page; an
/// error ends it early, and then nothing of the listing may be believed to be complete.
pub type ListingStream<'a> = BoxStream<'a, Result<Listing, DriverError>>;

/// The verbs that every platform has. Further abilities are accessors: what is not there cannot fail.
#[async_trait]
pub trait Issuer: Send + Sync + Debug {
    /// Declared once; the same for the life of the value.
    fn facts(&self) -> IssuerFacts;

    /// Login, rights and names, without changing anything. For `keyrota check`.
    async fn check(&self) -> Result<IssuerCheck, DriverError>;

    /// Everything in scope. MUST page to the end and MUST fail rather than leave something out silently.
    fn list(&self, scope: Scope) -> ListingStream<'_>;

    /// Asks for one version by its id; what it answers is the platform's own record now.
    async fn look_up(&self, subject: &Subject, handle: &Handle) -> Result<Lookup, DriverError>;

    /// Mints one version that carries the request's marker. A lost answer is `Effect::Unknown`.
    async fn issue(&self, request: &IssueRequest, ticket: &Ticket) -> Result<Issued, DriverError>;

    /// Ends one version by its id. Gone already is `Ok(Revoked::GoneAlready)`.
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
    /// How many the platform says there are in all, where it says so.
    pub total: Option<u64>,
    /// The platform's clock at the answer, where it shows one.
    pub at: Option<Timestamp>,
}

/// One version in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The platform's names from the outermost to the credential's own: organisation, application, credential.
    pub names: Vec<String>,
    pub title: String,
    pub handle: Handle,
    pub locator: String,
    /// Our mark, when it carries one.
    pub marker: Option<Marker>,
    pub created_at: Timestamp,
    pub owner: Option<Owner>,
    pub parent: Parent,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    There { name: String, title: String },
    Gone,
}

#[derive(Debug, Clone)]
pub struct IssueRequest {
    pub subject: Subject,
    /// Name and title of the successor while both live.
    pub name: String,
    pub title: String,
    pub marker: Marker,
}

#[derive(Debug)]
pub struct Issued {
    pub handle: Handle,
    pub name: String,
    pub title: String,
    pub created_at: Timestamp,
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
}

/// What `check` found out, as sentences for a person.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IssuerCheck {
    pub passed: Vec<String>,
    /// Works, but less well: for example a listing that has to be walked.
    pub reduced: Vec<String>,
}
