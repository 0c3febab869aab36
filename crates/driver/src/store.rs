//! A secret store: one configured place from which applications read.

use std::fmt::Debug;

use async_trait::async_trait;
use domain::{CredentialId, Fingerprint, SecretPath};
use secret::SecretMap;

use crate::{DriverError, Ticket};

#[async_trait]
pub trait SecretStore: Send + Sync + Debug {
    fn facts(&self) -> StoreFacts;

    /// Reachable, with the rights to write. Changes nothing.
    async fn check(&self) -> Result<Vec<String>, DriverError>;

    /// Adds a version. Repeating it with the same key adds nothing and answers the same version. Where the store has
    /// labels, the new version is `pending` and readers do not see it; where it has none, they do, at once.
    async fn write(&self, request: &Delivery<'_>, ticket: &Ticket) -> Result<StoreVersion, DriverError>;

    async fn inspect(&self, at: &SecretPath) -> Result<StoreState, DriverError>;

    /// Removes the content of one version. Absent already is `Ok(Discarded::GoneAlready)`.
    async fn discard(&self, at: &SecretPath, version: &StoreVersion, ticket: &Ticket)
    -> Result<Discarded, DriverError>;

    fn labels(&self) -> Option<&dyn Labels> {
        None
    }

    /// How this credential is named in a [`Mark`] of this store. A store that cannot keep every identifier as it is MUST
    /// keep any two apart.
    fn mark_of(&self, credential: &CredentialId) -> String {
        credential.to_string()
    }

    fn policy_host(&self) -> Option<&dyn PolicyHost> {
        None
    }
}

/// The server of the store keeps access policies for people, in Vault's policy language.
///
/// Writing takes no ticket: it is no step of a rotation, and repeating it changes nothing.
#[async_trait]
pub trait PolicyHost: Send + Sync {
    /// The text under a name in lower case; `None`: there is no such policy.
    async fn read_policy(&self, name: &str) -> Result<Option<String>, DriverError>;

    /// Replaces the whole text. What was there before is not compared.
    async fn write_policy(&self, name: &str, text: &str) -> Result<(), DriverError>;
}

/// Compare-and-set promotion.
#[async_trait]
pub trait Labels: Send + Sync {
    /// Moves `current` to `version` if it is on `expected` now; what was current becomes `previous`. A mismatch is
    /// `Kind::Conflict` and changes nothing; already promoted is `Ok`.
    async fn promote(
        &self,
        at: &SecretPath,
        version: &StoreVersion,
        expected: Option<&StoreVersion>,
        ticket: &Ticket,
    ) -> Result<(), DriverError>;
}

/// One write: what goes where, for whom.
#[derive(Debug)]
pub struct Delivery<'a> {
    pub at: &'a SecretPath,
    pub credential: &'a CredentialId,
    pub value: &'a SecretMap,
    pub form: Form,
    pub fingerprint: Fingerprint,
    pub key: AttemptKey,
    /// What was current when the set was written: a store without labels that [compares](StoreFacts::compares) MUST
    /// refuse with `Kind::Conflict` when something else is current by now. `None`: nothing was there.
    pub replaces: Option<&'a StoreVersion>,
    /// Recorded with a place that says nothing of its environment yet, where the store can record it.
    pub environment: Option<&'a str>,
}

/// How a store that can tell the two apart keeps the value. A store of fields keeps a document as the one field that
/// it comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// Field by field, or as one JSON object of them.
    #[default]
    Fields,
    /// The only field's bytes, bare: a rendered document, or a single value.
    Document,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreFacts {
    /// A value can be read back and compared; otherwise the store proves itself by what it says of its versions.
    pub readable: bool,
    /// Without labels: a write is refused when something else than what it `replaces` is current by now.
    pub compares: bool,
    /// With labels: the first version of a place is `current` at once, as its maker decided; from the second on they are
    /// `pending`.
    pub first_is_current: bool,
    /// A place is for handing over to people, who may take away what they find: that nothing is there any more says
    /// nothing.
    pub taken_away: bool,
}

/// The same for every repetition of one write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptKey(pub String);

/// The store's own id of a version.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoreVersion(pub String);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    Pending,
    Current,
    Previous,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoreState {
    pub versions: Vec<StoredVersion>,
    /// The store's own word for the environment that this place belongs to: a tag, metadata, the account. `None`: it
    /// says nothing.
    pub environment: Option<String>,
    /// Whose the place is, as the last write of ours has noted there, this installation's or another's. `None`: nothing is
    /// noted, or the store has no room for it.
    pub mark: Option<Mark>,
}

/// A note at a place: which credential is delivered there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// As [`SecretStore::mark_of`] names it.
    pub credential: String,
    /// What a person has to take away there to free the place.
    pub kept_as: &'static str,
}

impl StoreState {
    pub fn labelled(&self, label: Label) -> Option<&StoredVersion> {
        self.versions.iter().find(|version| version.labels.contains(&label))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredVersion {
    pub version: StoreVersion,
    pub labels: Vec<Label>,
    /// Of the content as it stands, where it is readable; what was recorded at the write otherwise.
    pub fingerprint: Option<Fingerprint>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discarded {
    Now,
    GoneAlready,
}
