//! Looking at an issuer and writing down what changed.

use std::collections::HashMap;

use db::{Change, Entry, IssuerState, KnownCredential};
use domain::{Handle, Marker, Presence, RotationId, VersionNumber, planted};
use driver::{DriverError, Found, Lookup, Scope, Subject};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{
    Engine, IssuerHandle, Progress,
    reconcile::{Known, Listed, Reconciled, Shrunk, reconcile},
};

/// Look-ups by id in flight at once after a listing; the issuer's own budget limits further.
const LOOKUPS_IN_FLIGHT: usize = 32;

/// An answer that takes longer says little of the platform's clock: by its length more, a gate could open too early.
const ANSWER_TELLS_TIME_WITHIN: domain::Duration = domain::Duration::from_mins(1);

/// A believed listing, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observation {
    pub issuer: String,
    /// Versions listed.
    pub listed: usize,
    /// Differences written to the inventory.
    pub changed: usize,
    /// Found ones that cannot be managed, with the reason.
    pub unusable: Vec<String>,
    /// The listing lost so many that nothing was concluded from what it left out.
    pub shrunk: Option<Shrunk>,
    /// The issuer's clock less ours.
    pub clock_offset: domain::Duration,
}

#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    #[error("{issuer} could not be listed")]
    Listing { issuer: String, source: DriverError },
    #[error("the inventory could not be read")]
    Read(#[from] db::ReadError),
    #[error("the inventory could not be written")]
    Write(#[from] db::WriteError),
}

impl From<crate::InspectError> for ObserveError {
    fn from(error: crate::InspectError) -> Self {
        match error {
            crate::InspectError::Read(error) => error.into(),
            crate::InspectError::Write(error) => error.into(),
        }
    }
}

impl Engine {
    /// Lists everything at one issuer and brings the inventory up to date. A listing that fails changes nothing.
    ///
    /// # Errors
    /// When the listing failed, or the database.
    pub async fn observe(&self, issuer: &IssuerHandle, progress: &dyn Progress) -> Result<Observation, ObserveError> {
        let listed = match self.list(issuer, Scope::All, progress).await {
            Ok(listed) => listed,
            Err(source) => {
                self.record_failure(issuer, &source).await?;
                return Err(ObserveError::Listing { issuer: issuer.name.clone(), source });
            }
        };
        let known = self.db.known(&issuer.name, None)?;
        let reconciled = self.record(issuer, &known, &listed).await?;
        let found = listed.found.len();
        let state = IssuerState {
            issuer: issuer.name.clone(),
            observed_at: Some(self.now(issuer)),
            clock_offset: issuer.offset(),
            listed: u32::try_from(found).unwrap_or(u32::MAX),
            error: None,
        };
        self.db.record_issuer(&state).await?;
        Ok(Observation {
            issuer: issuer.name.clone(),
            listed: found,
            changed: reconciled.changes.len(),
            unusable: reconciled.unusable.iter().map(|(names, why)| format!("{names}: {why}")).collect(),
            shrunk: reconciled.shrunk,
            clock_offset: issuer.offset(),
        })
    }

    /// Looks at one credential and its siblings, and settles what was in doubt about it.
    ///
    /// # Errors
    /// As [`Engine::observe`]; then everything is as it was, in doubt included.
    pub(crate) async fn look_again(&self, entry: &Entry) -> Result<(), ObserveError> {
        let Some(issuer) = self.issuers.get(entry.observed.credential.issuer()) else { return Ok(()) };
        if planted("in_doubt_repeated") {
            return Ok(self.journal.settle(entry.id, "not looked", self.now(issuer)).await?);
        }
        let subject = subject_of(entry);
        let listed = self
            .list(issuer, Scope::Siblings(subject), &crate::Silent)
            .await
            .map_err(|source| ObserveError::Listing { issuer: issuer.name.clone(), source })?;
        let parent = entry.observed.credential.as_str().rsplit_once('/').map_or("", |(parent, _)| parent);
        let known = self.db.known(&issuer.name, Some(parent))?;
        let reconciled = self.record(issuer, &known, &listed).await?;
        let orphan = reconciled.changes.iter().any(
            |change| matches!(change, Change::Appeared { version, .. } if version.origin == domain::Origin::Orphan),
        );
        let words = if orphan { "looked: it took effect and its secret is lost" } else { "looked" };
        self.journal.settle(entry.id, words, self.now(issuer)).await?;
        Ok(())
    }

    /// Before anything goes on record at the issuer's time that does not follow a look at it: our clock may have been moved
    /// since it was last heard, and a record from the future stops everything until that time has come.
    pub(crate) async fn hear(&self, issuer: &IssuerHandle, entry: &Entry) -> Result<(), DriverError> {
        if issuer.was_heard(self.ports.clock.now()) {
            return Ok(());
        }
        let asked_at = self.ports.clock.now();
        self.list(issuer, Scope::Siblings(subject_of(entry)), &crate::Silent).await?;
        if self.ports.clock.now().duration_since(asked_at) > ANSWER_TELLS_TIME_WITHIN {
            // It has told the time to no more than how long it took; a failure leaves us with that.
            drop(self.list(issuer, Scope::Siblings(subject_of(entry)), &crate::Silent).await);
        }
        Ok(())
    }

    async fn list(&self, issuer: &IssuerHandle, scope: Scope, progress: &dyn Progress) -> Result<Listed, DriverError> {
        let mut pages = issuer.driver.list(scope);
        let mut listed = Listed::default();
        let mut asked_at = self.ports.clock.now();
        while let Some(page) = pages.try_next().await? {
            let told_at = self.ports.clock.now();
            if let Some(theirs) = page.at {
                issuer.set_clock(theirs, (asked_at, told_at));
            }
            issuer.heard((asked_at, told_at));
            asked_at = told_at;
            listed.found.extend(page.found);
            listed.declared.extend(page.declared);
            progress.observing(&issuer.name, listed.found.len(), page.total);
        }
        Ok(listed)
    }

    async fn record(
        &self,
        issuer: &IssuerHandle,
        known: &[KnownCredential],
        listed: &Listed,
    ) -> Result<Reconciled, ObserveError> {
        let markers = self.resolve_markers(known, &listed.found).await?;
        let of = Known { issuer: &issuer.name, facts: &issuer.facts, credentials: known, markers: &markers };
        let reconciled = reconcile(of, listed);
        self.db.record(&issuer.name, &reconciled.changes, self.now(issuer)).await?;
        let confirmed = self.ask_for_missing(issuer, known, &reconciled).await;
        self.db.record(&issuer.name, &confirmed, self.now(issuer)).await?;
        Ok(reconciled)
    }

    /// Our marks on versions that we do not know: which credential's rotation left them?
    async fn resolve_markers(
        &self,
        known: &[KnownCredential],
        found: &[Found],
    ) -> Result<HashMap<RotationId, i64>, db::ReadError> {
        let handles: std::collections::HashSet<&Handle> =
            known.iter().flat_map(|credential| credential.versions.iter().map(|version| &version.handle)).collect();
        let unknown = found.iter().filter(|one| !handles.contains(&one.handle));
        let mut resolved = HashMap::new();
        for rotation in unknown.filter_map(|one| one.marker.as_ref().map(Marker::rotation)) {
            if let Some(id) = self.db.credential_of_rotation(&rotation).await? {
                resolved.insert(rotation, id);
            }
        }
        Ok(resolved)
    }

    /// What a listing left out is asked for by id: only the platform's own "not found" makes it gone.
    async fn ask_for_missing(
        &self,
        issuer: &IssuerHandle,
        known: &[KnownCredential],
        reconciled: &Reconciled,
    ) -> Vec<Change> {
        let by_row: HashMap<i64, &KnownCredential> =
            known.iter().map(|credential| (credential.id, credential)).collect();
        stream::iter(&reconciled.missing)
            .map(|(id, number)| {
                let credential = by_row.get(id).copied();
                async move { self.ask_for(issuer, credential?, *number).await }
            })
            .buffer_unordered(LOOKUPS_IN_FLIGHT)
            .filter_map(|change| async { change })
            .collect()
            .await
    }

    async fn ask_for(
        &self,
        issuer: &IssuerHandle,
        credential: &KnownCredential,
        number: VersionNumber,
    ) -> Option<Change> {
        let version = credential.versions.iter().find(|version| version.number == number)?;
        let subject = Subject { credential: credential.credential.clone(), locator: credential.locator.clone() };
        if planted("short_listing_believed") {
            return Some(Change::Absent { id: credential.id, number, presence: Presence::Gone });
        }
        // A look-up that fails leaves the version missing: the next listing tells more.
        let answer = issuer.driver.look_up(&subject, &version.handle).await.ok()?;
        let id = credential.id;
        Some(match answer {
            Lookup::Untold => return None,
            Lookup::Gone => Change::Absent { id, number, presence: Presence::Gone },
            Lookup::There { name, title } => Change::Seen { id, number, name, title },
        })
    }

    async fn record_failure(&self, issuer: &IssuerHandle, error: &DriverError) -> Result<(), db::WriteError> {
        let state = IssuerState {
            issuer: issuer.name.clone(),
            observed_at: None,
            clock_offset: issuer.offset(),
            listed: 0,
            error: Some(error.to_string()),
        };
        self.db.record_issuer(&state).await
    }
}

pub(crate) fn subject_of(entry: &Entry) -> Subject {
    Subject { credential: entry.observed.credential.clone(), locator: entry.locator.clone() }
}
