//! What others know is replaced at once, one by one or in a campaign whose account adds up; and the report.

use serde_json::Value;

use crate::world::World;

#[test]
fn a_compromised_credential_turns_without_an_overlap() {
    let world = World::new("--consumer-orgs 1 --apps 2 --age 10d");
    let before = world.live();
    world.keyrota("discover").exits(0);
    world.keyrota(&format!("credential compromised {} --by vera", before[0].path())).exits(0);
    let live = world.live();
    assert_eq!(live.len(), 2, "the old one is gone, no clock has moved");
    assert!(!live.iter().any(|one| one.id == before[0].id));
    assert!(live.iter().any(|one| one.id == before[1].id), "the other one was not touched");
    assert_eq!(world.gateway().ping(&before[0].client_id, &before[0].client_secret), 401);
    let history = world.keyrota(&format!("credential history {} --output json", before[0].path())).exits(0).objects();
    assert!(history.iter().any(|line| line["what"] == "compromised" && line["by"] == "vera"));
}

#[test]
fn a_compromise_in_the_middle_of_an_overlap_ends_it() {
    let world = World::new("--consumer-orgs 1 --apps 1 --age 95d");
    let old = world.live().remove(0);
    world.run().exits(0);
    let known = world.live();
    assert_eq!(known.len(), 2);
    world.keyrota(&format!("credential compromised {}", old.path())).exits(0);
    let live = world.live();
    assert_eq!(live.len(), 1);
    assert!(!known.iter().any(|one| one.id == live[0].id), "what was delivered by then is as known as the old one");
    assert_eq!(world.gateway().ping(&old.client_id, &old.client_secret), 401);
}

#[test]
fn a_leak_in_the_future_is_mistyped_and_changes_nothing() {
    let world = World::new("--consumer-orgs 1 --apps 2 --age 95d");
    let before = world.live();
    world.keyrota("discover").exits(0);
    for (since, said) in
        [("2199-01-01", "now it is 20"), ("1969-12-31", "is before everything"), ("yesterday", "is no time")]
    {
        let refused = world.keyrota(&format!("credential compromised --since {since} --by vera")).exits(2);
        assert!(refused.stderr.contains(said) && refused.stderr.contains("hint:"), "{}", refused.stderr);
    }
    assert_eq!(world.live(), before);
    assert!(world.writes().is_empty());
    // The platform's clock may be ahead of ours, and what it has dated is past.
    world.advance("40d");
    world.keyrota("discover").exits(0);
    let tomorrow = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24);
    world.keyrota(&format!("credential compromised nothing/** --since {tomorrow}")).exits(0);
}

fn sum(account: &Value) -> u64 {
    account["account"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum()
}

#[test]
fn the_account_of_a_campaign_adds_up() {
    let world = World::new("--consumer-orgs 10 --apps 4 --age 10d");
    let before = world.live();
    world.keyrota("discover").exits(0);
    let held = &before[3];
    world.keyrota(&format!("credential hold {} --by ada --reason freeze", held.path())).exits(0);
    let ran = world.keyrota("credential compromised --since 2020-01-01 --reason leak --output json");
    let account = ran.exits(0).json();
    assert_eq!((account["found"].as_u64(), sum(&account)), (Some(40), 40));
    assert_eq!((&account["account"]["proved_dead"], &account["account"]["waived"]), (&39.into(), &1.into()));
    assert_eq!(account["open"][0]["message"], "kept alive by ada: freeze");
    assert_eq!(world.live().len(), 40);
    assert_eq!(world.live().iter().filter(|one| before.iter().any(|old| old.id == one.id)).count(), 1);
    let shown = world.keyrota("campaign show 1 --output json").exits(0).json();
    assert_eq!(shown["account"], account["account"]);
    assert_eq!(world.keyrota("campaign list --output json").exits(0).objects().len(), 1);
    world.keyrota("campaign show 9").exits(2);
}

#[test]
fn a_leaked_store_exposes_what_was_delivered_to_it() {
    let world = World::new("--consumer-orgs 2 --apps 2 --age 95d");
    let wrong = world.keyrota("credential compromised --store locl");
    assert!(wrong.stderr.contains("did you mean `local`?"), "{}", wrong.stderr);
    let nothing = world.keyrota("credential compromised --store local").exits(0);
    assert!(nothing.stderr.contains("nothing was exposed"), "{}", nothing.stderr);
    world.run().exits(0);
    world.advance("6d");
    world.run_to_rest();
    let exposed = world.live();
    let account = world.keyrota("credential compromised --store local --output json").exits(0).json();
    assert_eq!((account["found"].as_u64(), sum(&account)), (Some(4), 4));
    assert!(world.live().iter().all(|one| !exposed.iter().any(|old| old.id == one.id)));
}

#[test]
fn the_report_answers_an_auditor() {
    let world = World::new("--consumer-orgs 2 --apps 2 --age 95d");
    world.keyrota("discover").exits(0);
    let path = world.live()[0].path();
    world.keyrota(&format!("credential hold {path} --by ada --reason freeze")).exits(0);
    let report = world.keyrota("report --output json").exits(0).json();
    assert_eq!(report["summary"]["credentials"], 4);
    assert_eq!(report["summary"]["marks"]["held"], 1);
    assert_eq!(report["summary"]["ages"]["91 to 100 days"], 4);
    let csv = world.keyrota("report --format csv").exits(0).stdout;
    assert_eq!(csv.lines().count(), 5);
    assert!(csv.lines().next().unwrap().starts_with("credential,issuer,owner,policy,state,age_days"));
    world.keyrota("report --format html --out report.html").exits(0);
    let html = std::fs::read_to_string(world.folder().join("report.html")).unwrap();
    assert!(html.contains("<svg role=\"img\"") && html.contains(&path) && !html.contains("<script"), "{html}");
    assert!(world.keyrota("report").exits(0).stdout.contains("held"));
}

#[test]
fn what_others_know_stays_so_whatever_else_is_asked() {
    let world = World::new("--consumer-orgs 1 --apps 1 --age 10d");
    let old = world.live().remove(0);
    world.keyrota("discover").exits(0);
    world.keyrota(&format!("credential hold {} --by ada --reason freeze", old.path())).exits(0);
    world.keyrota("credential compromised apic/** --reason leak").exits(0);
    world.keyrota(&format!("credential rotate {}", old.path()));
    world.keyrota(&format!("credential release {}", old.path())).exits(0);
    world.run().exits(0);
    let live = world.live();
    assert_eq!(live.len(), 1, "no overlap for what others know");
    assert_ne!(live[0].id, old.id);
}

#[test]
fn what_no_policy_covers_is_not_said_to_be_replaced() {
    let world = World::new("--consumer-orgs 1 --apps 1 --age 10d");
    let path = world.live()[0].path();
    world.reconfigure("match = \"apic/**\"", "match = \"other/**\"");
    world.keyrota("discover").exits(0);
    let refused = world.keyrota(&format!("credential compromised {path}")).exits(1);
    assert!(refused.stderr.contains("no policy applies to it"), "{}", refused.stderr);
}

#[test]
fn what_somebody_else_ended_leaves_no_campaign_open() {
    let world = World::new("--consumer-orgs 1 --apps 2 --age 10d");
    world.keyrota("discover").exits(0);
    let gone = world.live().remove(0);
    world.tamper(&serde_json::json!({
        "action": "delete_credential", "consumer_org": gone.consumer_org, "app": gone.app, "name": gone.name,
    }));
    world.keyrota("discover");
    world.keyrota("discover");
    let account = world.keyrota("credential compromised apic/** --reason leak --output json").exits(0).json();
    assert_eq!((account["found"].as_u64(), sum(&account)), (Some(2), 2));
    assert_eq!((&account["account"]["gone"], &account["account"]["proved_dead"]), (&1.into(), &1.into()));
}
