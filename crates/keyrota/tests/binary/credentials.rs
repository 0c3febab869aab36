//! `credential …` and `secret …`: what a person looks at and decides.

use serde_json::{Value, json};

use crate::{
    consumer::{Consumer, Reader, pair},
    end_state::{check_at_rest, check_renewed},
    plans::keys,
    world::{Known, World},
};

fn secret_json(known: &Known) -> String {
    json!({ "client_id": known.client_id, "client_secret": known.client_secret }).to_string()
}

#[test]
fn lists_have_their_keys() {
    let world = World::new("--consumer-orgs 1 --apps 2 --age 95d");
    world.keyrota("discover").exits(0);
    let before = world.live();
    let due = world.keyrota("credential list --output json").exits(0).objects();
    assert_eq!(due.len(), 2);
    let line = due.iter().find(|line| line["credential"] == before[0].path()).unwrap();
    assert_eq!(
        keys(line),
        ["age_days", "attention", "credential", "current_version", "due_at", "issuer", "owner", "policy", "state"]
    );
    assert_eq!(line["age_days"], 95);
    assert_eq!(line["state"], "due");
    assert_eq!(line["policy"], "ninety");
    assert_eq!(line["owner"], "maria.lind@northwind-bank.example");
    world.run().exits(0);
    let line = &world.keyrota(&format!("credential list {} --output json", before[0].path())).exits(0).objects()[0];
    assert_eq!((&line["state"], &line["current_version"]), (&"overlap".into(), &2.into()));
    assert_eq!(world.keyrota("credential list apic/nobody/**  --output json").exits(3).stdout, "");
}

#[test]
fn a_secret_is_read_in_every_form() {
    let world = World::new("--consumer-orgs 1 --apps 1 --age 95d");
    let path = world.live()[0].path();
    world.run().exits(0);
    let current = world.live().into_iter().find(|one| one.name.ends_with("_new")).unwrap();

    let secret = world.keyrota(&format!("secret get {path} --output json")).exits(0).json();
    let expected = json!({
        "path": path, "version": 1, "labels": ["current"],
        "data": { "client_id": current.client_id, "client_secret": current.client_secret },
    });
    assert_eq!(secret, expected);
    let field = |name: &str| world.keyrota(&format!("secret get {path} --field {name}")).exits(0).stdout;
    assert_eq!(field("client_id"), format!("{}\n", current.client_id));
    assert_eq!(field("client_secret"), format!("{}\n", current.client_secret));
    let table = world.keyrota(&format!("secret get {path}")).exits(0).stdout;
    assert!(table.contains(&current.client_secret), "{table}");

    world.keyrota(&format!("credential rotate {path}")).code.unwrap();
    world.advance("6d");
    world.run_to_rest();
    world.keyrota(&format!("credential rotate {path}")).exits(0);
    let secret = world.keyrota(&format!("secret get {path} --output json")).exits(0).json();
    assert_eq!((&secret["version"], &secret["labels"]), (&2.into(), &json!(["current"])));
    let former = world.keyrota(&format!("secret get {path} --version 1 --output json")).exits(0).json();
    assert_eq!((&former["labels"], &former["data"]["client_id"]), (&json!(["previous"]), &current.client_id.into()));
    assert_eq!(world.keyrota(&format!("secret versions {path} --output json")).exits(0).objects().len(), 2);
    let listed = world.keyrota("secret list --output json").exits(0).objects();
    assert_eq!(listed, [json!({ "path": path, "current": 2, "pending": null, "previous": 1 })]);
}

#[test]
fn a_rotation_before_its_time_on_a_persons_word() {
    let world = World::new("--consumer-orgs 1 --apps 2 --age 30d");
    let before = world.live();
    world.keyrota("discover").exits(0);
    let consumer = Consumer::start(&world, &before);
    let mut command = world.command("credential rotate --by vera");
    command.arg(before[0].path()).args(["--reason", "a laptop was lost"]);
    world.perform("credential rotate", &mut command, "").exits(0);
    assert_eq!(world.live().len(), 3);
    consumer.catch_up();
    world.advance("6d");
    world.run_to_rest();
    let by_id = world.by_id();
    assert!(!by_id[&before[0].id].live && by_id[&before[1].id].live);
    let history = world.keyrota(&format!("credential history {} --output json", before[0].path())).exits(0).objects();
    let word = history.iter().find(|line| line["by"] == "vera").unwrap_or_else(|| panic!("{history:#?}"));
    assert_eq!((&word["what"], &word["why"]), (&"rotate".into(), &"a laptop was lost".into()), "{word}");
    let issued = history.iter().find(|line| line["what"] == "issue").unwrap();
    assert_eq!(issued["why"], "vera asked for it");
    check_at_rest(&world);
    consumer.was_served();
}

#[test]
fn no_way_back_to_a_secret_that_nobody_told_us() {
    let world = World::new("--consumer-orgs 1 --apps 1 --age 95d");
    let path = world.live()[0].path();
    world.keyrota("discover").exits(0);
    let nothing = world.keyrota(&format!("credential rollback {path}")).exits(1);
    assert!(nothing.stderr.contains("cause: no rotation is under way"), "{}", nothing.stderr);

    world.run().exits(0);
    let (writes, delivered) = (world.writes(), Reader::new(&world).read(&path));
    let refused = world.keyrota(&format!("credential rollback {path}")).exits(1);
    assert!(refused.stderr.contains("cause: the secret of the older version was never known"), "{}", refused.stderr);
    assert!(refused.stderr.contains("state: nothing was changed"), "{}", refused.stderr);
    assert_eq!(world.writes(), writes);
    assert_eq!(Reader::new(&world).read(&path), delivered);
}

#[test]
fn the_way_back_in_the_overlap() {
    let world = World::new("--consumer-orgs 1 --apps 2 --age 30d");
    let before = world.live();
    let old = &before[0];
    let path = old.path();
    world.keyrota("discover").exits(0);

    // A wrong secret is tried and refused; the right one becomes what readers get.
    let mut mixed = old.clone();
    mixed.client_secret = before[1].client_secret.clone();
    // That of its neighbour is a good one, but not its own.
    for wrong in [&mixed, &before[1]] {
        let refused = world.keyrota_reads(&format!("credential import {path}"), &secret_json(wrong)).exits(1);
        assert!(refused.stderr.contains("the platform refuses this secret"), "{}", refused.stderr);
    }
    assert_eq!(Reader::new(&world).read(&path), None);
    let garbage = world.keyrota_reads(&format!("credential import {path}"), &old.client_secret).exits(2);
    assert!(garbage.stderr.starts_with("error[KR0504]: "), "{}", garbage.stderr);
    world.keyrota_reads(&format!("credential import {path}"), &secret_json(old)).exits(0);
    assert_eq!(Reader::new(&world).read(&path), Some(pair(old)));
    assert!(world.writes().is_empty());

    let consumer = Consumer::start(&world, &before);
    world.keyrota(&format!("credential rotate {path}")).exits(0);
    let new = world.live().into_iter().find(|one| one.name.ends_with("_new")).unwrap();
    assert_eq!(Reader::new(&world).read(&path), Some(pair(&new)));

    let back = world.keyrota(&format!("credential rollback {path}")).exits(0);
    assert!(back.stderr.contains("the older version is delivered again"), "{}", back.stderr);
    assert_eq!(Reader::new(&world).read(&path), Some(pair(old)));
    assert_eq!(world.live().len(), 3);
    // The newer one is retired with the same care: only after an overlap of its own.
    world.advance("4d");
    world.run().exits(0);
    assert_eq!(world.live().len(), 3);
    consumer.catch_up();
    world.advance("2d");
    world.run_to_rest();
    assert_eq!(world.live(), before);
    assert_eq!(world.gateway().ping(&new.client_id, &new.client_secret), 401);
    check_at_rest(&world);
    consumer.was_served();

    // What is dead stays dead.
    let late = world.keyrota(&format!("credential rollback {path}")).exits(1);
    assert!(late.stderr.contains("error[KR0505]: "), "{}", late.stderr);
    // However old it grows, it stays as it is until the person lets it go; then the next rotation is an ordinary one.
    world.advance("90d");
    world.run().exits(0);
    assert_eq!(world.live().iter().filter(|one| one.app == old.app).count(), 1);
    world.keyrota(&format!("credential release {path}")).exits(0);
    world.run().exits(0);
    world.advance("6d");
    world.run_to_rest();
    check_renewed(&world, &before);
}

/// Cut short between issue and promotion, there is nothing to turn around: the successor goes, and readers keep what
/// they have.
#[test]
fn the_way_back_before_anybody_has_the_successor() {
    let world = World::new("--consumer-orgs 1 --apps 2 --age 30d");
    let before = world.live();
    let path = before[0].path();
    world.keyrota("discover").exits(0);
    let consumer = Consumer::start(&world, &before);
    let mut command = world.command(&format!("credential rotate {path}"));
    command.env("KEYROTA_CRASH_AT", "write:finished");
    assert_eq!(world.perform("credential rotate", &mut command, "").code, None);
    let new = world.live().into_iter().find(|one| one.name.ends_with("_new")).unwrap();

    let back = world.keyrota(&format!("credential rollback {path}")).exits(0);
    assert!(back.stderr.contains("the successor was never handed out; it is given up"), "{}", back.stderr);
    assert_eq!(world.live(), before);
    assert_eq!(Reader::new(&world).read(&path), None);
    assert_eq!(world.gateway().ping(&new.client_id, &new.client_secret), 401);
    check_at_rest(&world);
    consumer.was_served();
}

/// What is imported has nothing older, and nothing of it was revoked.
#[test]
fn no_way_back_where_there_is_no_older_version() {
    let world = World::new("--consumer-orgs 1 --apps 1 --age 10d");
    let known = world.live().remove(0);
    let path = known.path();
    world.keyrota("discover").exits(0);
    let mut command = world.command(&format!("credential import {path}"));
    command.env("KEYROTA_CRASH_AT", "write:finished").stdin(std::process::Stdio::piped());
    assert_eq!(world.perform("credential import", &mut command, &secret_json(&known)).code, None);
    let refused = world.keyrota(&format!("credential rollback {path}")).exits(1);
    assert!(refused.stderr.contains("cause: no older version takes part"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("revoked"), "{}", refused.stderr);
    world.run().exits(0);
    assert_eq!(Reader::new(&world).read(&path), Some(pair(&known)));
}

/// A request that nothing is done for now would come true long after everybody forgot it.
#[test]
fn what_cannot_be_replaced_now_is_not_asked_for() {
    let world = World::new("--consumer-orgs 1 --apps 1 --age 10d");
    let before = world.live();
    let path = before[0].path();
    world.keyrota("discover").exits(0);
    world.keyrota(&format!("credential hold {path} --by ada --reason freeze")).exits(0);
    for verb in ["rotate", "compromised"] {
        let refused = world.keyrota(&format!("credential {verb} {path}")).exits(1);
        for said in [
            "error[KR0505]: this cannot be done to `",
            "cause: it is held by ada: freeze",
            "state: nothing was changed; version 1 stays as it is",
            "hint: `keyrota credential release ",
        ] {
            assert!(refused.stderr.contains(said), "{}", refused.stderr);
        }
    }
    world.keyrota(&format!("credential release {path}")).exits(0);
    world.run().exits(0);
    assert_eq!(world.live(), before);

    world.reconfigure("match = \"apic/**\"", "match = \"other/**\"");
    let refused = world.keyrota(&format!("credential rotate {path}")).exits(1);
    assert!(refused.stderr.contains("cause: no policy applies to it"), "{}", refused.stderr);
    world.reconfigure("match = \"other/**\"", "match = \"apic/**\"");
    world.run().exits(0);
    assert_eq!(world.live(), before);
}

#[test]
fn what_is_shown_of_one() {
    let world = World::new("--consumer-orgs 1 --apps 1 --age 95d");
    let before = world.live();
    let path = before[0].path();
    world.run().exits(0);
    let shown = world.keyrota(&format!("credential show {path} --output json")).exits(0).json();
    assert_eq!(shown["state"], "overlap");
    assert_eq!(shown["versions"].as_array().unwrap().len(), 2);
    assert_eq!(shown["next"]["step"], "revoke");
    assert_eq!(shown["destinations"][0]["version"], 2);
    let text = world.keyrota(&format!("credential show {path}")).exits(0).stdout;
    assert!(text.contains("both versions live"), "{text}");
    let issuers = world.keyrota("status --output json").exits(0).json()["issuers"].clone();
    assert_eq!((&issuers[0]["issuer"], &issuers[0]["error"]), (&"apic".into(), &Value::Null));
}
