//! Planning the whole inventory, from the database alone: a pass over rows, no network.

use db::{Db, Entry, Issuers, ReadError};
use domain::{Plan, Timestamp};

use crate::{Applied, Policies};

/// One credential with its plan.
#[derive(Debug)]
pub struct Surveyed {
    pub entry: Entry,
    /// The time by which it was planned: its issuer's.
    pub now: Timestamp,
    /// `None`: no policy applies, and nothing is planned.
    pub planned: Option<(Plan, Applied)>,
}

/// Plans every credential of the given issuers and hands each over, in the order of the inventory. `issuers` gives
/// each one's facts and its time now. Memory stays flat; a million credentials take a few seconds.
///
/// # Errors
/// Those of the database.
pub fn survey(
    db: &Db,
    policies: &dyn Policies,
    issuers: &Issuers,
    mut each: impl FnMut(Surveyed),
) -> Result<(), ReadError> {
    db.scan_entries(issuers, |entry| {
        let now = entry.now;
        let planned = policies
            .applied(&entry.observed.credential, now)
            .map(|applied| (planner::plan(now, &applied.policy, &entry.observed), applied));
        each(Surveyed { entry, now, planned });
    })
}
