//! Looking at destinations, whether a rotation is under way or not: do readers still get what was delivered?

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use db::Holding;
use domain::{Cause, Destination, Drifted, Mode, planted};
use driver::{DriverError, Label, SecretStore, StoreState, StoreVersion};
use futures_util::{StreamExt, future, stream};

use crate::{Engine, RunRequest};

/// Stores that did not answer in this run. Those behind it are not asked again: an estate waits for one of them once, and
/// not once for each place.
type Away = Mutex<HashSet<String>>;

/// Inspections in flight at once. A store answers in milliseconds, and what is inspected is in nobody's way.
const INSPECTIONS_AT_ONCE: usize = 32;

impl Engine {
    /// Compares every destination of the policies with what was confirmed there, as its consumers see it, and writes down
    /// what differs. A store that does not answer tells nothing. What is wrong is put right only where the policy says so: by
    /// delivering once more what consumers are to read, with the same care as in any rotation.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn inspect_destinations(&self, request: &RunRequest) -> Result<(), InspectError> {
        let mut holdings = self.db.holdings().await?;
        holdings.retain(|holding| request.covers(holding.credential.as_str()));
        if planted("stale_proof_accepted") || planted("confirm_compares_nothing") {
            holdings.retain(|holding| holding.rotation.is_none());
        }
        let away = &Away::default();
        let mut inspected = self.undelivered(&holdings);
        let looked_at: Vec<(Holding, Option<Drifted>)> = stream::iter(holdings)
            .map(|holding| async move {
                let found = self.inspect_one(&holding, away).await?;
                Some((holding, found))
            })
            .buffered(INSPECTIONS_AT_ONCE)
            .filter_map(future::ready)
            .collect()
            .await;
        inspected.extend(looked_at);
        for (holding, found) in &inspected {
            let Some(issuer) = self.issuers.get(holding.credential.issuer()) else { continue };
            if found.is_some() || holding.drifted {
                self.db.record_drift(holding, *found, self.now(issuer)).await?;
            }
        }
        // What puts one place of a credential right puts every one right: all of them are on record before the first.
        for (holding, _) in inspected.iter().filter(|(_, found)| found.is_some()) {
            self.repair(holding).await?;
        }
        Ok(())
    }

    /// Places that a policy has come to name since the last delivery. In a rotation under way, its own course reaches them.
    fn undelivered(&self, holdings: &[Holding]) -> Vec<(Holding, Option<Drifted>)> {
        let mut found = Vec::new();
        for of_one in holdings.chunk_by(|one, next| one.credential_id == next.credential_id) {
            let Some(any) = of_one.first().filter(|any| any.rotation.is_none()) else { continue };
            let Some(issuer) = self.issuers.get(any.credential.issuer()) else { continue };
            let Some(applied) = self.policies.applied(&any.credential, self.now(issuer)) else { continue };
            let reached = |destination: &&Destination| of_one.iter().any(|one| one.destination == **destination);
            let missing = applied.policy.deliver.iter().filter(|destination| !reached(destination)).cloned();
            found.extend(
                missing.map(|destination| (Holding { destination, ..any.clone() }, Some(Drifted::Undelivered))),
            );
        }
        found
    }

    /// `None`: the store did not tell.
    async fn inspect_one(&self, holding: &Holding, away: &Away) -> Option<Option<Drifted>> {
        let issuer = self.issuers.get(holding.credential.issuer())?;
        let applied = self.policies.applied(&holding.credential, self.now(issuer))?;
        let place = applied.place(&holding.destination);
        if place.is_none() && !applied.policy.deliver.contains(&holding.destination) {
            return None;
        }
        let name = place.and_then(|place| place.read_as.as_deref()).unwrap_or(&holding.destination.store);
        let store = self.stores.get(name)?;
        let state = look((name, &**store), &holding.destination, away).await?;
        // What a person was left to pick up may be gone, and nobody reads from such a place.
        let taken_away = store.facts().taken_away && state.labelled(Label::Current).is_none();
        Some(if taken_away { None } else { drifted(&state, holding) })
    }

    async fn repair(&self, holding: &Holding) -> Result<(), InspectError> {
        let Some(issuer) = self.issuers.get(holding.credential.issuer()) else { return Ok(()) };
        let now = self.now(issuer);
        let Some(applied) = self.policies.applied(&holding.credential, now) else { return Ok(()) };
        let wanted = applied.policy.deliver.contains(&holding.destination);
        let repairs = applied.repairs_drift && applied.policy.mode == Mode::Automatic;
        if !wanted || !(repairs || holding.compromised && holding.rotation.is_some()) {
            return Ok(());
        }
        let id = holding.credential_id;
        let begun = match &holding.rotation {
            Some(rotation) => self.db.deliver_again(id, rotation, now).await,
            None => self.db.open_repair(id, (&self.new_rotation(), &Cause::Repair), holding.version, now).await,
        };
        match begun {
            // Held, parked, moved on by now or put right too often: its own course goes on, and the finding stays.
            Err(db::WriteError::GuardMissed { .. }) | Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// What a place holds, unless the store does not answer.
async fn look((name, store): (&str, &dyn SecretStore), destination: &Destination, away: &Away) -> Option<StoreState> {
    let gone = || away.lock().unwrap_or_else(PoisonError::into_inner);
    if gone().contains(name) {
        return None;
    }
    let looked = store.inspect(&destination.path).await;
    looked
        .inspect_err(|error| {
            tracing::warn!(%destination, %error, "not inspected");
            if is_of_the_store(error) {
                gone().insert(name.to_owned());
            }
        })
        .ok()
}

/// It would be the same at every other place.
fn is_of_the_store(error: &DriverError) -> bool {
    error.kind.is_systemic() || error.kind.is_transient()
}

fn drifted(state: &StoreState, holding: &Holding) -> Option<Drifted> {
    let ours = StoreVersion(holding.store_version.clone());
    let Some(read) = state.labelled(Label::Current) else { return Some(Drifted::Gone) };
    let same_value = read.fingerprint == Some(holding.fingerprint);
    if same_value || (read.version == ours && read.fingerprint.is_none()) {
        return None;
    }
    let older = holding.replaced.as_ref() == Some(&read.version.0);
    Some(if older { Drifted::LabelMoved } else { Drifted::ValueChanged })
}

#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    #[error("the inventory could not be read")]
    Read(#[from] db::ReadError),
    #[error("the inventory could not be written")]
    Write(#[from] db::WriteError),
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;
    use domain::SecretPath;
    use driver::{Delivery, Discarded, Kind, StoreFacts, Ticket};

    use super::*;

    /// Answers with one error, and counts how often it was asked.
    #[derive(Debug)]
    struct Closed(Kind, AtomicUsize);

    #[async_trait]
    impl SecretStore for Closed {
        fn facts(&self) -> StoreFacts {
            StoreFacts::default()
        }

        async fn check(&self) -> Result<Vec<String>, DriverError> {
            Ok(Vec::new())
        }

        async fn write(&self, _: &Delivery<'_>, _: &Ticket) -> Result<StoreVersion, DriverError> {
            Err(DriverError::refused(self.0, "closed"))
        }

        async fn inspect(&self, _: &SecretPath) -> Result<StoreState, DriverError> {
            self.1.fetch_add(1, Ordering::Relaxed);
            Err(DriverError::refused(self.0, "closed"))
        }

        async fn discard(&self, _: &SecretPath, _: &StoreVersion, _: &Ticket) -> Result<Discarded, DriverError> {
            Err(DriverError::refused(self.0, "closed"))
        }
    }

    fn asked_for_three_places(kind: Kind) -> usize {
        let (store, away) = (Closed(kind, AtomicUsize::new(0)), Away::default());
        futures_util::FutureExt::now_or_never(async {
            for path in ["a", "b", "c"] {
                let destination = Destination { store: "bao".into(), path: SecretPath::parse(path).unwrap() };
                assert_eq!(look(("bao", &store), &destination, &away).await, None, "nothing is concluded");
            }
        })
        .unwrap();
        store.1.into_inner()
    }

    #[test]
    fn a_store_that_is_away_is_waited_for_once() {
        assert_eq!(asked_for_three_places(Kind::Unavailable), 1);
        assert_eq!(asked_for_three_places(Kind::Unauthorized), 1);
        assert_eq!(asked_for_three_places(Kind::Forbidden), 3, "the others may be open");
    }
}
