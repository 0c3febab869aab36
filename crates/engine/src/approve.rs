//! A plan that a person has read: what it says, and whether the estate still is what it was made for.

use std::fmt::Write as _;

use domain::{Observed, Timestamp};
use secret::Keyring;

use crate::Applied;

/// One line of a plan: the next step of one credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedLine {
    pub credential: String,
    pub step: &'static str,
    pub reason: &'static str,
    pub message: String,
    pub not_before: Timestamp,
    /// Of everything that the step rests on.
    pub digest: String,
}

/// A digest of what a plan for this credential rests on. Two are equal as long as nothing that matters has moved;
/// mere looking (usage asked, proofs renewed, time passed) does not count.
pub fn estate_digest(keyring: &Keyring, applied: &Applied, observed: &Observed) -> String {
    let policy = &applied.policy;
    let mut text = format!("{}\n{:?}\n", observed.credential, (&observed.name, &observed.title, observed.parent));
    let wanted = (&policy.name, policy.mode, policy.retire_when, &policy.deliver);
    let durations = (policy.rotate_after, policy.overlap, policy.quiet_for, policy.retire_after);
    // Writing into a string cannot fail.
    let _ = writeln!(text, "{wanted:?} {durations:?} {:?}", policy.consumers);
    let _ = writeln!(text, "{:?}", applied.probe.as_ref().map(|probe| probe.in_full()));
    for place in applied.places.iter() {
        let form = place.form.as_ref().map(|form| form.in_full());
        let _ = writeln!(text, "{:?}", (form, &place.environment, &place.read_as));
    }
    let _ = writeln!(text, "{:?} {:?} {}", observed.hold, observed.name_taken, observed.stray);
    for version in &observed.versions {
        let names = (version.number, &version.handle, &version.name, &version.title);
        let state = (version.origin, version.presence, version.revoked_at, version.dead_at, version.secret_held);
        let _ = writeln!(text, "{names:?} {state:?}");
    }
    if let Some(rotation) = &observed.rotation {
        let _ = writeln!(text, "{:?}", (&rotation.id, rotation.from, rotation.to));
        for delivery in &rotation.deliveries {
            let _ = writeln!(text, "{:?}", (&delivery.destination, delivery.written_at, delivery.promoted_at));
        }
    }
    keyring.sign_plan(text.as_bytes()).iter().take(16).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
