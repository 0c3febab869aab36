//! Looking at destinations while no rotation is under way: do readers still get what was delivered?

use db::Holding;
use domain::{Cause, Drifted, Mode};
use driver::{Label, StoreState, StoreVersion};
use futures_util::{StreamExt, future, stream};

use crate::{Engine, RunRequest};

/// Inspections in flight at once. A store answers in milliseconds, and what is inspected is in nobody's way.
const INSPECTIONS_AT_ONCE: usize = 32;

impl Engine {
    /// Compares every destination with what was confirmed there, and writes down what differs. A store that does not
    /// answer tells nothing. What is wrong is put right only where the policy says so: by delivering once more what
    /// consumers are to read, with the same care as in any rotation.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn inspect_destinations(&self, request: &RunRequest) -> Result<(), InspectError> {
        let holdings = self.db.holdings().await?;
        let inspected: Vec<(Holding, Option<Drifted>)> =
            stream::iter(holdings.into_iter().filter(|holding| request.covers(holding.credential.as_str())))
                .map(|holding| async move {
                    let found = self.inspect_one(&holding).await?;
                    Some((holding, found))
                })
                .buffered(INSPECTIONS_AT_ONCE)
                .filter_map(future::ready)
                .collect()
                .await;
        for (holding, found) in inspected {
            let Some(issuer) = self.issuers.get(holding.credential.issuer()) else { continue };
            if found.is_some() || holding.drifted {
                self.db.record_drift(&holding, found, self.now(issuer)).await?;
            }
            if found.is_some() {
                self.repair(&holding).await?;
            }
        }
        Ok(())
    }

    /// `None`: the store did not tell.
    async fn inspect_one(&self, holding: &Holding) -> Option<Option<Drifted>> {
        let store = self.stores.get(&*holding.destination.store)?;
        let state = store.inspect(&holding.destination.path).await.ok()?;
        // What a person was left to pick up may be gone, and nobody reads from such a place.
        let taken_away = !store.facts().readable && state.labelled(Label::Current).is_none();
        Some(if taken_away { None } else { drifted(&state, holding) })
    }

    async fn repair(&self, holding: &Holding) -> Result<(), InspectError> {
        let Some(issuer) = self.issuers.get(holding.credential.issuer()) else { return Ok(()) };
        let now = self.now(issuer);
        let Some(applied) = self.policies.applied(&holding.credential, now) else { return Ok(()) };
        let wanted = applied.policy.deliver.contains(&holding.destination);
        if !applied.repairs_drift || !wanted || applied.policy.mode != Mode::Automatic {
            return Ok(());
        }
        let rotation = self.new_rotation();
        let opened =
            self.db.open_repair(holding.credential_id, (&rotation, &Cause::Repair), holding.version, now).await;
        match opened {
            // Held, parked or in rotation by now: its own course goes on, and the finding stays.
            Err(db::WriteError::GuardMissed { .. }) | Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
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
