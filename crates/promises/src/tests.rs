//! One good life of a credential, and each way in which it would break a promise.

use domain::{Duration, Phase, Timestamp};

use super::*;

const PLACE: &str = "local/web";
const CREDENTIAL: &str = "apic/acme/web/main";

fn at(hours: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH.saturating_add(Duration::from_hours(hours)).unwrap()
}

fn call(hours: i64, version: &str, fresh: bool) -> Use {
    let (consumer, place, credential) = ("web".to_owned(), PLACE.to_owned(), CREDENTIAL.to_owned());
    Use { at: at(hours), consumer, place, credential, version: Some(version.to_owned()), accepted: true, fresh }
}

fn line(entry: i64, step: &str, version: u32, phase: Phase) -> Line {
    Line { entry, credential: CREDENTIAL.to_owned(), step: step.to_owned(), version: Some(version), phase }
}

fn record(number: u32, handle: &str) -> Record {
    let old = number == 1;
    let (credential, handle) = (CREDENTIAL.to_owned(), handle.to_owned());
    Record { credential, number, handle, orphan: false, secret_held: !old, revoked: old, dead: old }
}

/// `old` is replaced by `new` in hour 1, and revoked in hour 140.
fn good() -> Account {
    let policy = Policy {
        name: "ninety".to_owned(),
        parent: "acme/web".to_owned(),
        live_max: Some(2),
        overlap: Duration::from_hours(120),
        quiet_for: Some(Duration::from_hours(24)),
        unseen: Duration::ZERO,
    };
    let version = |handle: &str, made, ended, accepted| Version {
        handle: handle.to_owned(),
        credential: CREDENTIAL.to_owned(),
        made,
        ended,
        accepted,
        untouchable: false,
    };
    let effect = |hours, verb, version: Option<&str>| Effect {
        at: at(hours),
        verb,
        version: version.map(str::to_owned),
        refused: false,
    };
    let mut journal = vec![line(1, "issue", 1, Phase::Done), line(2, "promote", 2, Phase::Done)];
    journal.push(line(3, "revoke", 1, Phase::Done));
    Account {
        policies: [(CREDENTIAL.to_owned(), policy)].into(),
        versions: vec![
            version("old", (at(-2000), Who::Person), Some((at(140), Who::Us)), false),
            version("new", (at(1), Who::Us), None, true),
        ],
        effects: vec![effect(1, Verb::Issue, None), effect(140, Verb::Revoke, Some("old"))],
        uses: vec![call(0, "old", false), call(2, "old", false), call(2, "new", true), call(139, "new", true)],
        served: vec![Served {
            place: PLACE.to_owned(),
            credential: CREDENTIAL.to_owned(),
            version: Some("new".to_owned()),
        }],
        journal,
        records: vec![record(1, "old"), record(2, "new")],
        words: Vec::new(),
        texts: vec![("the log".to_owned(), "nothing of note".to_owned())],
        secrets: vec!["hunter2".to_owned()],
    }
}

#[track_caller]
fn check_breaks(promise: Promise, spoil: impl FnOnce(&mut Account)) {
    let mut account = good();
    spoil(&mut account);
    let found = at_rest(&account);
    assert!(found.iter().any(|breach| breach.promise == promise), "{promise:?} is not among {found:#?}");
}

#[test]
fn a_good_life_breaks_nothing() {
    assert_eq!(at_rest(&good()), []);
}

#[test]
fn without_a_working_credential() {
    check_breaks(Promise::NeverWithoutAWorkingCredential, |it| it.uses[3].accepted = false);
    check_breaks(Promise::NeverWithoutAWorkingCredential, |it| it.versions[1].accepted = false);
}

#[test]
fn what_others_ended_is_theirs() {
    let mut account = good();
    account.uses[3].accepted = false;
    account.versions[1].accepted = false;
    account.versions[1].ended = Some((at(138), Who::Person));
    let found = always(&account);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn lost() {
    // An orphan: made by us, alive, read by nobody.
    check_breaks(Promise::NothingLost, |it| {
        let orphan = Version { handle: "orphan".to_owned(), ..it.versions[1].clone() };
        it.versions.push(orphan);
    });
    check_breaks(Promise::NothingLost, |it| it.records.truncate(1));
    check_breaks(Promise::NothingLost, |it| it.records[1].secret_held = false);
}

#[test]
fn the_wrong_place() {
    check_breaks(Promise::NeverTheWrongPlace, |it| it.served[0].version = None);
    check_breaks(Promise::NeverTheWrongPlace, |it| it.versions[1].credential = "apic/acme/other/main".to_owned());
    check_breaks(Promise::NeverTheWrongPlace, |it| it.uses.retain(|one| one.version.as_deref() == Some("old")));
}

#[test]
fn removed_in_use() {
    // Before the overlap was over, before it was silent, and while somebody had it.
    check_breaks(Promise::NeverRemovedInUse, |it| it.versions[0].ended = Some((at(100), Who::Us)));
    check_breaks(Promise::NeverRemovedInUse, |it| it.uses.insert(3, call(130, "old", false)));
    check_breaks(Promise::NeverRemovedInUse, |it| it.uses.push(call(139, "old", false)));
}

#[test]
fn a_waiver_stands_for_the_silence_and_not_for_the_successor() {
    let mut account = good();
    account.versions[0].ended = Some((at(100), Who::Us));
    account.words.push(Word::Waived { credential: CREDENTIAL.to_owned() });
    assert_eq!(always(&account), []);
    account.uses.retain(|one| one.version.as_deref() == Some("old"));
    assert!(always(&account).iter().any(|breach| breach.promise == Promise::NeverTheWrongPlace));
}

#[test]
fn touched() {
    check_breaks(Promise::NeverTouched, |it| it.versions[0].untouchable = true);
    check_breaks(Promise::NeverTouched, |it| it.policies.clear());
    let credential = || CREDENTIAL.to_owned();
    check_breaks(Promise::NeverTouched, |it| {
        it.words.push(Word::Held { credential: credential(), since: at(130), until: None });
    });
    let mut account = good();
    account.words.push(Word::Held { credential: credential(), since: at(120), until: Some(at(130)) });
    assert_eq!(at_rest(&account), []);
}

#[test]
fn more_than_the_issuer_allows() {
    check_breaks(Promise::NeverMoreThanTheIssuerAllows, |it| {
        it.policies.get_mut(CREDENTIAL).unwrap().live_max = Some(1);
    });
}

#[test]
fn dead_and_alive() {
    check_breaks(Promise::DeadMeansProvedDead, |it| it.versions[0].ended = None);
    check_breaks(Promise::DeadMeansProvedDead, |it| it.records[0].dead = false);
}

#[test]
fn everybody_at_once() {
    check_breaks(Promise::SmallBlastRadius, |it| {
        let other = "apic/acme/other/main".to_owned();
        let policy = it.policies[CREDENTIAL].clone();
        it.policies.insert(other.clone(), policy);
        it.journal.insert(1, Line { credential: other, ..line(1, "issue", 1, Phase::Done) });
    });
}

#[test]
fn unwritten() {
    check_breaks(Promise::Evidence, |it| it.journal.retain(|line| line.step != "issue"));
    check_breaks(Promise::Evidence, |it| it.journal[0].phase = Phase::Failed);
    check_breaks(Promise::Evidence, |it| it.journal.retain(|line| line.step != "revoke"));
    check_breaks(Promise::Evidence, |it| it.journal[2].phase = Phase::InDoubt);
}

#[test]
fn shown() {
    check_breaks(Promise::SecretsStaySecret, |it| it.texts[0].1 = "the password is hunter2".to_owned());
    let mut account = good();
    account.texts[0].1 = "the password is hunter2".to_owned();
    assert!(always(&account).iter().all(|breach| !breach.words.contains("hunter2")));
}

#[test]
fn short_of_the_goal_and_restless() {
    check_breaks(Promise::Liveness, |it| it.served[0].version = Some("old".to_owned()));
    let (before, mut after) = (good(), good());
    assert_eq!(quiet_at_rest(&before, &after), []);
    after.effects.push(Effect { at: at(200), verb: Verb::Rename, version: Some("new".to_owned()), refused: false });
    assert_eq!(quiet_at_rest(&before, &after)[0].promise, Promise::QuietAtRest);
}

#[test]
fn what_a_twin_tells() {
    let state = serde_json::json!({ "now": "2026-01-10T00:00:00Z", "credentials": [
        { "id": "a", "client_id": "pa", "secret": "sa", "created_at": "2025-01-01T00:00:00Z", "live": false,
          "accepted": false, "name": "main" },
        { "id": "b", "client_id": "pb", "secret": "sb", "created_at": "2026-01-01T00:00:00Z", "live": true,
          "accepted": true, "name": "main" },
    ]});
    let (gateway, platform) = ("gateway", "platform");
    let entry = |at: &str, side: &str, route: &str, path: &str, query: &str, status: Option<u16>| serde_json::json!({ "at": at, "side": side, "route": route, "path": path, "query": query, "status": status });
    let path = use_path("web", "local/web", "pb", true);
    let (path, query) = path.split_once('?').unwrap();
    let calls = serde_json::Value::from(vec![
        entry("2026-01-01T00:00:00Z", platform, "issue", "/apps/x/credentials", "", Some(201)),
        entry("2026-01-02T00:00:00Z", gateway, "gateway", path, query, Some(200)),
        entry("2026-01-03T00:00:00Z", platform, "revoke", "/apps/x/credentials/a", "", Some(500)),
        entry("2026-01-04T00:00:00Z", platform, "revoke", "/apps/x/credentials/a", "", None),
        entry("2026-01-04T00:00:00Z", platform, "list", "/apps", "", Some(200)),
    ]);
    let before = ["a".to_owned()].into();
    let credential = |entry: &serde_json::Value| entry["name"].as_str().unwrap().to_owned();
    let reading = Reading { public: "client_id", secret: "secret", credential, before: &before };
    let mut account = Account::default();
    account.told_by_twin(&state, &calls, &reading, |_| "main".to_owned());
    let moment = |text: &str| text.parse::<Timestamp>().unwrap();
    assert_eq!(account.versions[0].ended, Some((moment("2026-01-04T00:00:00Z"), Who::Us)), "an error does nothing");
    assert_eq!(account.versions[0].made.1, Who::Person);
    assert_eq!(account.versions[1].made.1, Who::Us);
    assert_eq!(account.effects.len(), 3);
    let [used] = &account.uses[..] else { panic!("{:?}", account.uses) };
    assert_eq!((used.version.as_deref(), &*used.place, used.fresh, used.accepted), (Some("b"), PLACE, true, true));
    assert_eq!(account.secrets, ["sa", "sb"]);
}
