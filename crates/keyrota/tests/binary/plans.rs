//! `plan`, the file of it, and `run --plan`.

use std::{collections::BTreeSet, fs, path::PathBuf};

use serde_json::{Value, json};

use crate::{
    end_state::check_renewed,
    world::{Ran, World},
};

/// The keys of an object, in order.
pub(crate) fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

fn plan_out(world: &World, arguments: &str) -> (Ran, PathBuf) {
    let file = world.folder().join("plan.json");
    (world.keyrota(&format!("plan {arguments} --out {}", file.display())), file)
}

fn carry_out(world: &World, file: &std::path::Path) -> Ran {
    world.keyrota(&format!("run --once --plan {}", file.display()))
}

/// Refused with this code, and nothing was changed at the platform.
#[track_caller]
fn check_refused(world: &World, file: &std::path::Path, exit: i32, code: &str) {
    let writes = world.writes();
    let ran = carry_out(world, file).exits(exit);
    assert!(ran.stderr.contains(&format!("error[{code}]: ")), "{}", ran.stderr);
    assert_eq!(ran.stdout, "");
    assert_eq!(world.writes(), writes);
}

#[test]
fn a_plan_names_what_is_due_and_changes_nothing() {
    let world = World::new("--consumer-orgs 2 --apps 2 --age 95d");
    let before = world.live();
    let lines = world.keyrota("plan --output json").exits(0).objects();
    let paths: BTreeSet<String> = before.iter().map(|one| one.path()).collect();
    assert_eq!(
        lines.iter().map(|line| line["credential"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>(),
        paths
    );
    for line in &lines {
        assert_eq!(keys(line), ["credential", "message", "not_before", "reason", "step"]);
        assert_eq!((&line["step"], &line["reason"]), (&"issue".into(), &"age_reached".into()));
        assert_eq!(line["message"], "it is 95 days old, the policy replaces at 90");
    }
    let table = world.keyrota("plan apic/northwind-bank/billing/*").exits(0);
    assert_eq!(table.stdout.lines().count(), 2, "{}", table.stdout);
    assert!(table.stdout.lines().nth(1).unwrap().contains("Credential-for-Billing  issue"), "{}", table.stdout);
    assert!(world.writes().is_empty());

    world.run().exits(0);
    let under_way = world.keyrota("plan --output json").exits(0).objects();
    assert_eq!(under_way.len(), 4);
    for line in &under_way {
        assert_eq!((&line["step"], &line["reason"]), (&"revoke".into(), &"overlap_runs".into()));
    }
}

#[test]
fn nothing_due_is_no_line_and_until_looks_ahead() {
    let world = World::new("--consumer-orgs 1 --apps 2 --age 30d");
    world.keyrota("discover").exits(0);
    let plan = world.keyrota("plan").exits(0);
    assert_eq!((plan.stdout.as_str(), plan.stderr.as_str()), ("", "note: nothing is due or under way\n"));
    let plan = world.keyrota("plan --output json").exits(0);
    assert_eq!((plan.stdout.as_str(), plan.stderr.as_str()), ("", ""));
    assert_eq!(world.keyrota("plan --until 59d --output json").exits(0).stdout, "");
    let ahead = world.keyrota("plan --until 90d --output json").exits(0).objects();
    assert_eq!(ahead.len(), 2);
    let made = world.keyrota("credential list --output json").exits(0).objects();
    for line in ahead {
        assert_eq!(line["step"], "issue");
        let credential = made.iter().find(|one| one["credential"] == line["credential"]).unwrap();
        assert_eq!(line["not_before"], credential["due_at"]);
    }
    let wrong = world.keyrota("plan --until soon").exits(2);
    assert!(wrong.stderr.starts_with("error[KR0501]: `--until soon` is no duration"), "{}", wrong.stderr);
}

#[test]
fn a_plan_is_carried_out_exactly() {
    let world = World::new("--consumer-orgs 3 --apps 2 --age 95d");
    let before = world.live();
    let org = &before[2].consumer_org;
    let (_, file) = plan_out(&world, &format!("apic/{org}/*/*"));
    carry_out(&world, &file).exits(0);
    let made: Vec<_> = world.live().into_iter().skip(before.len()).collect();
    assert_eq!(made.len(), 2);
    assert!(made.iter().all(|one| one.consumer_org == *org), "{made:?}");

    // It is spent: what it names has moved by its own doing.
    check_refused(&world, &file, 1, "KR0603");
    world.run().exits(0);
    world.advance("6d");
    world.run_to_rest();
    check_renewed(&world, &before);
}

#[test]
fn a_plan_is_refused_when_the_estate_has_moved() {
    type Move = fn(&World, &Value);
    let moves: [(&str, Move); 4] = [
        ("a person deleted one", |world, place| {
            let mut action = place.clone();
            action["action"] = "delete_credential".into();
            world.tamper(&action);
        }),
        ("a person renamed one", |world, place| {
            let mut action = place.clone();
            action["action"] = "rename_credential".into();
            action["new_name"] = "Other".into();
            world.tamper(&action);
        }),
        ("a colleague held one", |world, place| {
            let path = format!("apic/{}/{}/{}", place["consumer_org"], place["app"], place["name"]).replace('"', "");
            world.keyrota(&format!("credential hold {path}")).exits(0);
        }),
        ("the policy was changed", |world, _| world.reconfigure("overlap = \"5d\"", "overlap = \"4d\"")),
    ];
    for (what, happens) in moves {
        let world = World::new("--consumer-orgs 1 --apps 2 --age 95d");
        let one = &world.live()[0];
        let (_, file) = plan_out(&world, "");
        happens(&world, &json!({ "consumer_org": one.consumer_org, "app": one.app, "name": one.name }));
        eprintln!("{what}");
        check_refused(&world, &file, 1, "KR0603");
        let (_, file) = plan_out(&world, "");
        carry_out(&world, &file).exits(0);
    }
}

/// Who approved where it goes and how it is tried did not approve another place or another trial.
#[test]
fn a_plan_is_refused_when_what_it_rests_on_was_configured_anew() {
    let world = World::new("--consumer-orgs 1 --apps 1 --age 95d");
    let (_, file) = plan_out(&world, "");
    let deliver = r#"deliver = [{ store = "local", path = "apic/{consumer_org}/{app}/{credential}""#;
    for (from, to) in [
        ("expect = 200", "expect = 204"),
        ("/ping\"", "/ping?all\""),
        ("\"{client_secret}\"", "\"x{client_secret}\""),
        (deliver, &format!("{deliver}, fields = {{ ID = \"{{client_id}}\" }}")),
        (deliver, &format!("{deliver}, read_as = \"local\"")),
        (deliver, &format!("consumers = [{{ name = \"shop\" }}]\n{deliver}")),
        ("quiet_for = \"24h\"", "quiet_for = \"24h\"\nenvironment = \"prod\""),
    ] {
        world.reconfigure(from, to);
        eprintln!("{to}");
        check_refused(&world, &file, 1, "KR0603");
        world.reconfigure(to, from);
    }
    carry_out(&world, &file).exits(0);

    let (_, file) = plan_out(&world, "");
    let earlier = fs::read_to_string(&file).unwrap().replace("\"keyrota_plan\": 3", "\"keyrota_plan\": 2");
    fs::write(&file, earlier).unwrap();
    let refused = carry_out(&world, &file).exits(2);
    assert!(refused.stderr.contains("its format is 2, this release reads 3"), "{}", refused.stderr);
}

/// A plan that cannot be compared with the estate is not carried out on the word of an old listing.
#[test]
fn a_plan_is_refused_while_nobody_can_look() {
    let world = World::new("--consumer-orgs 1 --apps 2 --age 95d");
    let (_, file) = plan_out(&world, "");
    world.reconfigure("password = \"", "password = \"x");
    check_refused(&world, &file, 1, "KR0201");
    check_refused(&world, &file, 1, "KR0604");
    world.reconfigure("password = \"x", "password = \"");
    carry_out(&world, &file).exits(0);
    assert_eq!(world.live().len(), 4);
}

#[test]
fn a_plan_that_is_not_ours_is_refused() {
    let world = World::new("--consumer-orgs 1 --apps 2 --age 95d");
    let (_, file) = plan_out(&world, "");
    let text = fs::read_to_string(&file).unwrap();
    for (from, to) in [("Credential-for-Billing", "Credential-for-Claims"), ("\"issue\"", "\"revoke\"")] {
        assert!(text.contains(from));
        fs::write(&file, text.replace(from, to)).unwrap();
        check_refused(&world, &file, 1, "KR0602");
    }
    let mut forged: Value = serde_json::from_str(&text).unwrap();
    forged["signature"] = "".into();
    fs::write(&file, forged.to_string()).unwrap();
    check_refused(&world, &file, 1, "KR0602");
    fs::write(&file, &text[..text.len() / 2]).unwrap();
    check_refused(&world, &file, 2, "KR0601");
    check_refused(&world, &world.folder().join("none.json"), 2, "KR0601");

    // Made by another installation of the same estate: its root key is not ours.
    let other = World::new("--consumer-orgs 1 --apps 2 --age 95d");
    let (_, others) = plan_out(&other, "");
    check_refused(&world, &others, 1, "KR0602");

    fs::write(&file, &text).unwrap();
    carry_out(&world, &file).exits(0);
}

#[test]
fn a_policy_that_asks_waits_for_the_plan() {
    let world = World::with_policy("--consumer-orgs 2 --apps 2 --age 95d", "mode = \"ask\"");
    let before = world.live();
    let run = world.keyrota("run --once").exits(3);
    assert!(run.stdout.starts_with("nothing was due; nothing was changed\n"), "{}", run.stdout);
    assert_eq!(run.stderr.matches("due, and waits for a person to approve the plan").count(), 4, "{}", run.stderr);
    assert!(world.writes().is_empty());

    let (plan, file) = plan_out(&world, &before[0].path());
    plan.exits(3);
    // The others still wait; what was approved is done.
    carry_out(&world, &file).exits(0);
    assert_eq!(world.live().len(), 5);
    let (_, file) = plan_out(&world, "");
    carry_out(&world, &file).exits(0);
    assert_eq!(world.live().len(), 8);
    // What has begun goes on without being asked for again.
    world.advance("6d");
    world.run_to_rest();
    check_renewed(&world, &before);
}

#[test]
fn a_policy_that_leaves_it_to_others_begins_nothing() {
    for (mode, exit, said) in [("notify", 3, "due, and its owner replaces it"), ("observe", 0, "error")] {
        let world = World::with_policy("--consumer-orgs 1 --apps 2 --age 95d", &format!("mode = \"{mode}\""));
        let before = world.live();
        world.keyrota("discover").exits(0);
        let run = world.keyrota("run --once").exits(exit);
        assert_eq!(run.stderr.lines().filter(|line| line.contains(said)).count(), run.stderr.lines().count());
        assert!(world.writes().is_empty());
        // A person's own request overrides it, for this one.
        world.keyrota(&format!("credential rotate {}", before[1].path()));
        world.advance("6d");
        world.run_to_rest();
        let by_id = world.by_id();
        assert!(by_id[&before[0].id].live && !by_id[&before[1].id].live, "{mode}");
        assert_eq!(world.live().len(), 2);
    }
}

#[test]
fn four_eyes_are_two_peoples() {
    let world = World::with_policy("--consumer-orgs 1 --apps 1 --age 95d", "mode = \"ask\"\nfour_eyes = true");
    let path = world.live()[0].path();
    world.run().exits(3);
    let made = world.keyrota("plan --out the.plan --by vera").exits(3);
    assert!(made.stderr.contains("wants four eyes"), "{}", made.stderr);
    assert!(made.stderr.contains("`keyrota plan --approve the.plan --by NAME`, then `keyrota run"), "{}", made.stderr);
    let alone = world.keyrota("run --once --plan the.plan").exits(1);
    assert!(alone.stderr.contains("vera made it"), "{}", alone.stderr);
    let herself = world.keyrota("plan --approve the.plan --by vera").exits(1);
    assert!(herself.stderr.contains("four eyes are two people's"), "{}", herself.stderr);
    for (by, exit) in [("Vera", 1), (" vera ", 1), ("VERA\u{200b}", 1), ("somebody", 1), ("", 2), (" ", 2), ("--", 2)] {
        let mut approve = world.command("plan --approve the.plan --by");
        world.perform("plan --approve", approve.arg(by), "").exits(exit);
        world.keyrota("run --once --plan the.plan").exits(1);
    }
    for nobody in ["", "  "] {
        world.perform("plan --out", world.command("plan --out nobodys.plan --by").arg(nobody), "").exits(2);
    }
    assert!(!world.folder().join("nobodys.plan").exists());
    world.keyrota("plan --out unknown.plan --by somebody").exits(3);
    world.keyrota("plan --approve unknown.plan --by ada").exits(1);
    assert_eq!(world.live().len(), 1);

    // A request of one person is not an approval either.
    world.keyrota(&format!("credential rotate {path} --by vera")).exits(3);
    world.run();
    assert_eq!(world.live().len(), 1);

    world.keyrota("plan --out the.plan --by vera");
    let made = fs::read_to_string(world.folder().join("the.plan")).unwrap();
    fs::hard_link(world.folder().join("the.plan"), world.folder().join("as.made")).unwrap();
    let approved = world.keyrota("plan --approve the.plan --by ada").exits(0);
    assert!(approved.stderr.contains("ada approved the.plan; `keyrota run --once --plan the.plan` carries it out"));
    // Approving writes it anew: no moment at which a full disk could leave half a plan.
    assert_eq!(fs::read_to_string(world.folder().join("as.made")).unwrap(), made);
    let text = std::fs::read_to_string(world.folder().join("the.plan")).unwrap();
    std::fs::write(world.folder().join("forged.plan"), text.replace("\"ada\"", "\"eve\"")).unwrap();
    world.keyrota("run --once --plan forged.plan").exits(1);
    world.keyrota("run --once --plan the.plan").exits(0);
    assert_eq!(world.live().len(), 2);
}

#[test]
fn a_command_about_something_else_approves_nothing() {
    let world = World::with_policy("--consumer-orgs 1 --apps 1 --age 95d", "mode = \"ask\"");
    let known = world.live().remove(0);
    world.keyrota("discover").exits(0);
    let secret = serde_json::json!({ "client_id": known.client_id, "client_secret": known.client_secret });
    let imported = world.keyrota_reads(&format!("credential import {} --by ada", known.path()), &secret.to_string());
    imported.exits(3);
    assert_eq!(world.live(), [known], "its replacement is due, and waits for a plan");
}
