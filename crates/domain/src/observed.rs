//! What is known about one credential at the moment of planning.

use std::sync::Arc;

use jiff::Timestamp;

use crate::{CredentialId, Destination, Handle, IssuerFacts, RotationId, VersionNumber};

/// Everything the planner reads about one credential. Times are the issuer's own, see `docs/adr/0003`.
#[derive(Debug, Clone)]
pub struct Observed {
    pub credential: CredentialId,
    pub facts: Arc<IssuerFacts>,
    /// The name and title that people know, given back to the successor at the end.
    pub name: String,
    pub title: String,
    pub owner: Option<Owner>,
    pub parent: Parent,
    /// Name at the platform that a successor would carry, if something that is not ours already has it.
    pub name_taken: Option<String>,
    pub slots: Slots,
    /// A version that carries a successor's name but was not made by Keyrota. Never adopted, never removed.
    pub stray: bool,
    /// Never replaced and never removed: an integration of the platform's own depends on it.
    pub protected: bool,
    pub hold: Option<Hold>,
    /// A person asked for a replacement now.
    pub requested: Option<Cause>,
    /// In ascending order of number. Dead versions may be left out, but never all: none at all means that none was
    /// ever issued.
    pub versions: Vec<Version>,
    pub rotation: Option<Rotation>,
    /// What a person was asked to do in the rotation under way, and has not done.
    pub task: Option<Task>,
    /// For a credential that is minted from another one: since when that other one has been what it is.
    pub parent_turned_at: Option<Timestamp>,
    /// What consumers say that they run, one entry for each at most.
    pub acknowledged: Vec<Acknowledgement>,
    /// Evidence that a person has taken upon themselves to do without.
    pub waivers: Vec<Waiver>,
    /// Consumers that were told of the successor in the rotation under way.
    pub told: Vec<Arc<str>>,
    /// What the last inspection found at destinations that is not what we delivered.
    pub drift: Vec<Drift>,
    pub trouble: Trouble,
}

impl Observed {
    pub fn version(&self, number: VersionNumber) -> Option<&Version> {
        self.versions.iter().find(|version| version.number == number)
    }

    /// Somebody said that others know it, and it is still to be replaced.
    pub fn is_compromised(&self) -> bool {
        let under_way = self.rotation.as_ref().map(|rotation| &rotation.cause);
        let causes = [under_way, self.requested.as_ref()];
        causes.into_iter().flatten().any(|cause| matches!(cause, Cause::Compromised { .. }))
    }

    /// What consumers are meant to use. In a rotation, its successor from the first promotion on, also while it is delivered
    /// once more to a place that has lost it. When none is under way, what we delivered last, while it lives; else the
    /// newest version, see [`Observed::newest`].
    pub fn current(&self) -> Option<&Version> {
        if let Some(rotation) = &self.rotation {
            let serves = |to: &&Version| rotation.serves() || to.delivered_at >= Some(rotation.started_at);
            let to = rotation.to.and_then(|to| self.version(to)).filter(serves);
            return to.or_else(|| rotation.from.and_then(|from| self.version(from)));
        }
        let delivered = self.versions.iter().filter(|version| version.is_known() && version.delivered_at.is_some());
        let last = delivered.max_by_key(|version| (version.delivered_at, version.number));
        last.filter(|version| version.is_live()).or_else(|| self.newest())
    }

    /// The newest version that lives and is neither an orphan nor given up. It may have expired. Nothing, once a newer one
    /// was removed by somebody else: what is older and lives is not what consumers read.
    pub fn newest(&self) -> Option<&Version> {
        self.versions.iter().rev().find(|version| version.is_known()).filter(|version| version.is_live())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    pub name: String,
    pub email: Option<String>,
}

/// The thing at the platform to which the credential belongs, for example an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parent {
    Enabled,
    Disabled,
}

/// Versions alive under the same parent, counted against the platform's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Slots {
    pub used: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    pub by: String,
    pub reason: String,
    pub since: Timestamp,
}

/// One minted instance. Immutable at the platform but for its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub number: VersionNumber,
    pub handle: Handle,
    /// Name and title at the platform as last seen.
    pub name: String,
    pub title: String,
    pub origin: Origin,
    /// Whether we hold its secret, sealed.
    pub secret_held: bool,
    /// The platform's time of creation: the age of the secret counts from here.
    pub created_at: Timestamp,
    pub presence: Presence,
    /// The platform ends it by itself then.
    pub expires_at: Option<Timestamp>,
    /// Switched off by us, reversibly.
    pub disabled_at: Option<Timestamp>,
    /// The answer to our last switch was lost: since then nobody knows whether it is off or on, until it is switched again.
    pub switch_in_doubt: Option<Timestamp>,
    /// When readers of any destination last came to get it through us.
    pub delivered_at: Option<Timestamp>,
    /// When the platform last accepted it in a trial of ours.
    pub verified_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    /// When it was proved that the platform refuses it.
    pub dead_at: Option<Timestamp>,
    pub usage: Usage,
}

impl Version {
    /// At the platform, as far as we know: neither revoked by us, nor proved dead, nor known to be gone, nor still to be
    /// issued. What has expired is live until it is proved dead.
    pub fn is_live(&self) -> bool {
        let there = !matches!(self.presence, Presence::Gone | Presence::Prepared);
        there && self.revoked_at.is_none() && self.dead_at.is_none()
    }

    /// Issued by us and never to be handed out again: its secret is forgotten. It may go on living where nothing ends a
    /// version early.
    pub fn is_given_up(&self) -> bool {
        self.origin == Origin::Issued && !self.secret_held
    }

    /// Consumers may read it, or did until somebody else ended it.
    fn is_known(&self) -> bool {
        let meant = self.origin != Origin::Orphan && !self.is_given_up();
        meant && (self.is_live() || self.was_taken())
    }

    /// Issued by us, in our hands, and ended by somebody else.
    fn was_taken(&self) -> bool {
        let delivered = self.origin == Origin::Issued && self.secret_held;
        delivered && self.presence == Presence::Gone && self.revoked_at.is_none()
    }

    /// The platform ends it by itself, and that moment has come.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// Its value is chosen and sealed, and the platform is still to be told.
    pub fn is_prepared(&self) -> bool {
        self.presence == Presence::Prepared && self.revoked_at.is_none()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Met at the platform; made by a person or a script.
    Found,
    /// Issued by us, its secret sealed on arrival.
    Issued,
    /// Carries our marker, but its secret never reached us: the answer was lost.
    Orphan,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Chosen by us and sealed; the platform is still to be told, or its answer was lost.
    Prepared,
    Listed,
    /// The last believed listing did not show it; not yet confirmed by asking for it by id.
    Missing,
    /// The platform said that it does not know this id.
    Gone,
}

/// Who used a version, as far as the issuer tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    pub last_used: Option<Timestamp>,
    /// Use up to this moment would be known. `None`: the issuer has not told.
    pub known_through: Option<Timestamp>,
    /// When the issuer was last asked. Asked and not told means that it refuses to tell.
    pub asked_at: Option<Timestamp>,
}

/// A replacement under way. From the intent to issue until the successor carries the original's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    pub id: RotationId,
    pub cause: Cause,
    pub started_at: Timestamp,
    /// What is to be retired.
    pub from: Option<VersionNumber>,
    /// What takes its place; `None` until it is issued.
    pub to: Option<VersionNumber>,
    /// One entry for each destination of the policy that `to` has reached so far.
    pub deliveries: Vec<Delivery>,
}

impl Rotation {
    /// Promoted somewhere: consumers may already read the successor.
    pub fn promoted(&self) -> bool {
        self.deliveries.iter().any(|delivery| delivery.promoted_at.is_some())
    }

    /// Whether `to` goes out to consumers. When a successor is abandoned before its promotion, they have never read
    /// anything but the older version, and nothing is delivered.
    pub fn hands_out(&self) -> bool {
        !(matches!(self.cause, Cause::Abandon { .. }) && self.to < self.from)
    }

    /// Whether consumers may already read `to`: promoted, or in use before this rotation began.
    pub fn serves(&self) -> bool {
        self.promoted() || !self.hands_out() || matches!(self.cause, Cause::Import { .. } | Cause::Repair)
    }

    /// The cause of a rotation that goes back from this one. Giving a successor up needs that consumers have never
    /// read it; where this rotation itself goes back, they did, although it may have promoted nothing yet.
    pub fn way_back(&self, by: String, reason: String) -> Cause {
        if self.promoted() || matches!(self.cause, Cause::Rollback { .. }) {
            Cause::Rollback { by, reason }
        } else {
            Cause::Abandon { by, reason }
        }
    }

    pub fn delivery(&self, destination: &Destination) -> Option<&Delivery> {
        self.deliveries.iter().find(|delivery| &delivery.destination == destination)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    Age,
    Requested {
        by: String,
        reason: String,
    },
    /// Back to the older version, although the newer one was promoted.
    Rollback {
        by: String,
        reason: String,
    },
    /// The newer version was never promoted anywhere and is given up.
    Abandon {
        by: String,
        reason: String,
    },
    /// Known to others: replaced in front of every queue, and the old one goes as soon as the new one is everywhere.
    Compromised {
        by: String,
        reason: String,
    },
    /// What it is minted from has turned.
    ParentTurned,
    /// A person handed over the secret of a version that was met without one.
    Import {
        by: String,
    },
    /// A destination did not hold, or not yet, what consumers are to read, and the policy has it put right.
    Repair,
}

/// How far the successor has come at one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub destination: Destination,
    pub written_at: Option<Timestamp>,
    pub promoted_at: Option<Timestamp>,
    /// Read back by the consumer's path and found equal.
    pub confirmed_at: Option<Timestamp>,
    /// First confirmation: the overlap and the silence count from here, however often it is proved again.
    pub first_confirmed_at: Option<Timestamp>,
}

/// A consumer's word for the version that it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    pub consumer: Arc<str>,
    pub version: VersionNumber,
    pub at: Timestamp,
}

/// A named person's word in place of evidence, for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiver {
    /// The consumer whose acknowledgement is done without. `None`: the silence of the old version is.
    pub consumer: Option<Arc<str>>,
    pub by: String,
    pub reason: String,
    pub until: Timestamp,
}

/// A destination that no longer holds what we delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    pub destination: Destination,
    pub what: Drifted,
    pub seen_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drifted {
    /// Readers get a value that is not ours.
    ValueChanged,
    /// Our value is there, and readers get an older one.
    LabelMoved,
    /// Readers get nothing.
    Gone,
    /// The policy has come to name the place since the last delivery.
    Undelivered,
}

/// A step that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    pub ask: crate::Ask,
    pub asked_at: Timestamp,
    /// Past it the task escalates.
    pub due_at: Timestamp,
}

/// Failed attempts at the next step.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trouble {
    pub attempts: u32,
    pub retry_at: Option<Timestamp>,
    pub last_error: Option<String>,
    /// Too many attempts: nothing more is tried until a person asks for it.
    pub parked: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(cause: fn(String, String) -> Cause) -> Cause {
        cause("ada".to_owned(), "a test".to_owned())
    }

    fn rotation(cause: Cause, from: u32, to: u32) -> Rotation {
        Rotation {
            id: RotationId::new("r1"),
            cause,
            started_at: Timestamp::UNIX_EPOCH,
            from: Some(VersionNumber(from)),
            to: Some(VersionNumber(to)),
            deliveries: Vec::new(),
        }
    }

    #[test]
    fn a_successor_serves_from_its_promotion_on() {
        let rollback = said(|by, reason| Cause::Rollback { by, reason });
        let abandon = said(|by, reason| Cause::Abandon { by, reason });
        assert!(!rotation(Cause::Age, 1, 2).serves());
        assert!(!rotation(rollback, 2, 1).serves());
        // What is abandoned was never read, so the older version is what consumers use; an imported one is in use too.
        assert!(rotation(abandon.clone(), 2, 1).serves());
        assert!(!rotation(abandon, 1, 2).serves());
        assert!(rotation(Cause::Import { by: "ada".to_owned() }, 1, 1).serves());
    }

    fn issued(number: u32) -> Version {
        Version {
            number: VersionNumber(number),
            handle: Handle::parse(&format!("h{number}")).unwrap(),
            name: "web".to_owned(),
            title: String::new(),
            origin: Origin::Issued,
            secret_held: true,
            created_at: Timestamp::UNIX_EPOCH,
            presence: Presence::Listed,
            expires_at: None,
            disabled_at: None,
            switch_in_doubt: None,
            delivered_at: None,
            verified_at: None,
            revoked_at: None,
            dead_at: None,
            usage: Usage::default(),
        }
    }

    fn observed(versions: Vec<Version>) -> Observed {
        let facts = IssuerFacts::overlapping(jiff::SignedDuration::ZERO);
        Observed {
            credential: CredentialId::new("apic", ["acme", "shop", "web"]).unwrap(),
            facts: Arc::new(facts),
            name: "web".to_owned(),
            title: String::new(),
            owner: None,
            parent: Parent::Enabled,
            name_taken: None,
            slots: Slots::default(),
            stray: false,
            protected: false,
            hold: None,
            requested: None,
            versions,
            rotation: None,
            task: None,
            parent_turned_at: None,
            acknowledged: Vec::new(),
            waivers: Vec::new(),
            told: Vec::new(),
            drift: Vec::new(),
            trouble: Trouble::default(),
        }
    }

    #[test]
    fn what_consumers_read_is_the_newest_that_was_not_given_up_nor_taken_away() {
        let mut observed = observed(vec![issued(1), issued(2)]);
        let current = |observed: &Observed| observed.current().map(|version| version.number.0);
        assert_eq!(current(&observed), Some(2));
        observed.versions[1].secret_held = false;
        assert_eq!(current(&observed), Some(1), "it was given up");
        observed.versions[1].secret_held = true;
        observed.versions[1].dead_at = Some(Timestamp::UNIX_EPOCH);
        assert_eq!(current(&observed), Some(1), "it is over");
        observed.versions[1].dead_at = None;
        observed.versions[1].presence = Presence::Gone;
        assert_eq!(current(&observed), None, "it was taken away, and nobody reads the older one");
        observed.versions[1].revoked_at = Some(Timestamp::UNIX_EPOCH);
        assert_eq!(current(&observed), Some(1), "we revoked it, and went back");
    }

    #[test]
    fn what_consumers_read_is_what_was_delivered_last_whatever_else_is_made() {
        let at = |second| Some(Timestamp::from_second(second).unwrap());
        let mut observed = observed(vec![issued(1), issued(2), issued(3)]);
        (observed.versions[0].delivered_at, observed.versions[1].delivered_at) = (at(1), at(2));
        observed.versions[2].origin = Origin::Found;
        let current = |observed: &Observed| observed.current().map(|version| version.number.0);
        assert_eq!(current(&observed), Some(2), "the third was made by somebody and delivered by nobody");
        assert_eq!(observed.newest().map(|version| version.number.0), Some(3));
        observed.versions[0].delivered_at = at(3);
        assert_eq!(current(&observed), Some(1), "readers were brought back to the first");
        observed.versions[0].presence = Presence::Gone;
        assert_eq!(current(&observed), Some(3), "ours is gone, and they helped themselves");
        observed.versions[2].dead_at = at(4);
        observed.versions[1].presence = Presence::Gone;
        assert_eq!(current(&observed), None);
    }

    #[test]
    fn what_was_handed_out_is_never_simply_given_up() {
        let back = |rotation: &Rotation| rotation.way_back("ada".to_owned(), "a test".to_owned());
        assert!(matches!(back(&rotation(Cause::Age, 1, 2)), Cause::Abandon { .. }));
        let mut promoted = rotation(Cause::Age, 1, 2);
        promoted.deliveries.push(Delivery {
            destination: Destination { store: "local".into(), path: crate::SecretPath::parse("web").unwrap() },
            written_at: None,
            promoted_at: Some(Timestamp::UNIX_EPOCH),
            confirmed_at: None,
            first_confirmed_at: None,
        });
        assert!(matches!(back(&promoted), Cause::Rollback { .. }));
        // Back, and back again before the first step: consumers still read what the first rotation promoted.
        let again = rotation(back(&promoted), 2, 1);
        assert!(matches!(back(&again), Cause::Rollback { .. }));
    }
}
