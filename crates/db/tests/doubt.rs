//! What the record says when an answer was lost, when something that was gone is back, and when something moved between
//! a look and a word.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use db::{
    Change, CredentialFacts, Db, Entry, Intent, IssuerView, Issuers, Journal, NewVersion, Outcome, Rows, Unit, Word,
    values,
};
use domain::{
    Ask, Cause, CredentialId, Duration, FactSheet, Fingerprint, Handle, IssuerFacts, Origin, Presence, Reason,
    RotationId, Step, Timestamp, Usage, VersionNumber,
};
use futures_util::FutureExt as _;
use secret::Sealed;

const OLD: VersionNumber = VersionNumber(1);
const NEW: VersionNumber = VersionNumber(2);
const ROTATION: &str = "r1";

struct Record {
    db: Arc<Db>,
    journal: Journal,
    row: i64,
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + 60 * minute).unwrap()
}

/// It happens in memory: nothing has to be waited for.
fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().unwrap()
}

fn version(number: VersionNumber) -> NewVersion {
    NewVersion {
        number,
        handle: Handle::parse(&format!("h{number}")).unwrap(),
        name: "web".to_owned(),
        title: String::new(),
        origin: Origin::Found,
        marker: None,
        created_at: at(0),
        expires_at: None,
    }
}

impl Record {
    /// A rotation from the first version to the second.
    fn new() -> Self {
        let db = Arc::new(Db::in_memory().unwrap());
        let credential = CredentialId::new("sim", ["web"]).unwrap();
        let facts = CredentialFacts {
            name: "web".to_owned(),
            title: String::new(),
            locator: String::new(),
            owner: None,
            parent_enabled: true,
            stray: false,
            name_taken: None,
            kind: String::new(),
            minted_from: None,
            protected: false,
        };
        let met = Change::Met {
            credential: credential.clone(),
            parent: "sim".to_owned(),
            facts,
            version: Some(version(OLD)),
        };
        now(db.record("sim", &[met], at(0))).unwrap();
        let row = now(db.entry_id(&credential)).unwrap().unwrap();
        now(db.record("sim", &[Change::Appeared { id: row, version: version(NEW) }], at(0))).unwrap();
        let begun = "UPDATE credential SET rotation_id = $2, rotation_cause = 'age', rotation_started_at = $3,
            rotation_from = $4, rotation_to = $5 WHERE id = $1";
        let values = values![row, ROTATION, at(0), OLD.0, NEW.0];
        now(db.write(Unit::new().run(begun, values, Rows::Exactly(1)))).unwrap();
        let journal = now(Journal::open(db.clone())).unwrap();
        Self { db, journal, row }
    }

    fn entry(&self) -> Entry {
        let facts = FactSheet::new(IssuerFacts::overlapping(Duration::ZERO), []);
        let issuers = Issuers::from([("sim".to_owned(), IssuerView { facts, now: at(100) })]);
        now(self.db.entry(self.row, &issuers)).unwrap().unwrap()
    }

    fn perform(&self, step: &Step, outcome: &Outcome) {
        self.perform_for(&Reason::NeededAgain, step, outcome);
    }

    fn perform_for(&self, reason: &Reason, step: &Step, outcome: &Outcome) {
        let rotation = RotationId::new(ROTATION);
        let intent = Intent {
            credential_id: self.row,
            rotation: Some(&rotation),
            step,
            reason,
            now: at(1),
            opens: None,
            reserves: &[],
            live_max: None,
        };
        let ticket = now(self.journal.begin(&intent)).unwrap();
        now(self.journal.finish(&ticket, &intent, &rotation, outcome, at(2))).unwrap();
    }

    fn switch_in_doubt(&self) -> bool {
        self.entry().observed.version(OLD).unwrap().switch_in_doubt.is_some()
    }

    fn attempts(&self) -> (u32, bool) {
        let trouble = self.entry().observed.trouble;
        assert_eq!(trouble.attempts > 0, trouble.last_error.is_some());
        (trouble.attempts, trouble.retry_at.is_some())
    }

    fn shown(&self, number: VersionNumber) {
        let seen = Change::Seen { id: self.row, number, name: "web".to_owned(), title: String::new() };
        now(self.db.record("sim", &[seen], at(4))).unwrap();
    }

    fn waits_for_a_person(&self) -> bool {
        !now(self.db.open_tasks()).unwrap().is_empty()
    }
}

fn failed(unknown: bool) -> Outcome {
    Outcome::Failed { error: "no answer".to_owned(), unknown, retry_at: at(3), park: false }
}

#[test]
fn a_switch_is_in_doubt_until_one_is_done() {
    let (off, on) = (Step::Disable { version: OLD }, Step::Enable { version: OLD });
    for lost in [&off, &on] {
        let record = Record::new();
        record.perform(&off, &Outcome::Disabled { version: OLD });
        assert!(!record.switch_in_doubt());
        record.perform(lost, &failed(true));
        now(record.journal.settle(record.row, "looked", at(3))).unwrap();
        assert!(record.switch_in_doubt(), "{lost:?}");
        record.perform(&on, &failed(false));
        assert!(record.switch_in_doubt(), "what was refused tells nothing of the one before");
        record.perform(&on, &Outcome::Enabled { version: OLD });
        assert!(!record.switch_in_doubt());
    }
}

#[test]
fn a_person_need_not_make_what_is_back() {
    for (shown, presence, waits) in
        [(NEW, Presence::Gone, false), (NEW, Presence::Listed, true), (OLD, Presence::Gone, true)]
    {
        let record = Record::new();
        let ask = Ask::Issue { from: Some(OLD) };
        record.perform(&Step::AskPerson { ask }, &Outcome::Asked { ask, due_at: at(90) });
        now(record.db.record("sim", &[Change::Absent { id: record.row, number: NEW, presence }], at(3))).unwrap();
        assert!(record.waits_for_a_person());
        record.shown(shown);
        assert_eq!(record.waits_for_a_person(), waits, "version {shown} is shown and was {presence:?}");
    }
}

#[test]
fn a_person_still_removes_what_is_back() {
    let record = Record::new();
    let ask = Ask::Revoke { version: OLD };
    record.perform(&Step::AskPerson { ask }, &Outcome::Asked { ask, due_at: at(90) });
    let gone = Change::Absent { id: record.row, number: NEW, presence: Presence::Gone };
    now(record.db.record("sim", &[gone], at(3))).unwrap();
    record.shown(NEW);
    assert!(record.waits_for_a_person());
}

#[test]
fn no_secret_is_taken_over_for_what_is_not_to_be_touched() {
    let fingerprint = Fingerprint([7; 32]);
    for (untouchable, taken) in [("protected = 0", true), ("protected = 1", false), ("stray = 1", false)] {
        let record = Record::new();
        let sql = format!("UPDATE credential SET rotation_id = NULL, {untouchable} WHERE id = $1");
        now(record.db.write(Unit::new().run(sql, values![record.row], Rows::Exactly(1)))).unwrap();
        let rotation = (&RotationId::new("r2"), &Cause::Import { by: "ada".to_owned() });
        let word = Word { by: "ada", reason: "it is hers", at: at(1) };
        let secret = (&Sealed(vec![1]), fingerprint);
        let done = now(record.db.import_secret(record.row, rotation, OLD, secret, word));
        assert_eq!(done.is_ok(), taken, "{untouchable}: {done:?}");
        assert_eq!(record.entry().observed.version(OLD).unwrap().secret_held, taken, "{untouchable}");
    }
}

/// A proof is renewed before each attempt, once the last one is half an hour old: what it is for is parked all the same.
#[test]
fn a_proof_that_is_renewed_forgets_no_failure_of_what_it_is_for() {
    let record = Record::new();
    let (revoke, verify) = (Step::Revoke { version: OLD }, Step::Verify { version: NEW });
    let verified = Outcome::Verified { version: NEW };
    for attempt in 1..=12 {
        record.perform(&revoke, &failed(false));
        assert_eq!(record.attempts(), (attempt, true));
        record.perform_for(&Reason::ProofTooOld, &verify, &verified);
        assert_eq!(record.attempts(), (attempt, false), "it is due at once");
        let usage = Usage { last_used: None, known_through: Some(at(2)), asked_at: None };
        let watched = Outcome::Watched { version: OLD, usage };
        record.perform_for(&Reason::ProofTooOld, &Step::Watch { version: OLD }, &watched);
        assert_eq!(record.attempts(), (attempt, false));
    }
    record.perform(&revoke, &Outcome::Revoked { version: OLD, gone_already: false });
    assert_eq!(record.attempts(), (0, false));
}

#[test]
fn a_step_that_came_through_forgets_its_own_failures() {
    let record = Record::new();
    let verify = Step::Verify { version: NEW };
    record.perform_for(&Reason::ProofTooOld, &verify, &failed(false));
    record.perform_for(&Reason::ProofTooOld, &verify, &Outcome::Verified { version: NEW });
    assert_eq!(record.attempts(), (0, false));
    // Silence is waited for, for days: what failed before that is over.
    record.perform(&Step::Revoke { version: OLD }, &failed(false));
    let watched = Outcome::Watched { version: OLD, usage: Usage::default() };
    record.perform_for(&Reason::SilenceAwaited, &Step::Watch { version: OLD }, &watched);
    assert_eq!(record.attempts(), (0, false));
}
