//! A platform on which people act: asked by tasks, tried before they are believed, and never hurried past.

use std::fs;

use serde_json::{Value, json};

use crate::world::{Ran, World};

/// A tenant with these keys, all of them declared, as its owner would write it.
fn tenant(options: &str, policy: &str) -> World {
    World::of(&format!("securid {options}"), |announced| configuration(announced, policy))
}

fn configuration(announced: &Value, policy: &str) -> String {
    let login = &announced["login"];
    let key = |key: &Value| {
        let [name, id, role, added] = ["name", "access_id", "role", "added"].map(|field| &key[field]);
        let protected = key["protected"].as_bool().unwrap();
        format!(
            "    {{ name = {name}, access_id = {id}, role = {role}, added = {added}, protected = {protected}, \
             owner = \"vera@acme.example\" }},\n"
        )
    };
    let keys: String = login["keys"].as_array().unwrap().iter().map(key).collect();
    format!(
        r#"
data_dir = "data"
root_key = {{ file = "root.key" }}

[[issuer]]
name = "secid"
driver = "securid"
endpoint = {endpoint}
tenant = {tenant}
auth_url = {auth_url}
keys = [
{keys}]

[[store]]
name = "local"
driver = "embedded"

[[policy]]
name = "ninety"
match = "secid/**"
rotate_after = "90d"
overlap = "5d"
quiet_for = "1h"
retire_after = "120d"
retire_when = "overlap_over"
task_within = "3d"
{policy}
deliver = [{{ store = "local", path = "{{tenant}}/{{key}}" }}]
"#,
        endpoint = login["admin_rest_api_url"],
        tenant = login["tenant"],
        auth_url = login["auth_url"],
    )
}

impl World {
    fn tasks(&self) -> Vec<Value> {
        let ran = self.keyrota("task list --output json");
        assert!(matches!(ran.code, Some(0 | 3)), "{ran:?}");
        ran.objects()
    }

    #[track_caller]
    fn one_task(&self, what: &str) -> Value {
        let tasks = self.tasks();
        assert_eq!(tasks.len(), 1, "{tasks:?}");
        assert_eq!(tasks[0]["what"], what, "{tasks:?}");
        tasks[0].clone()
    }

    fn keys(&self) -> Vec<Value> {
        self.control().get_json("/state")["credentials"].as_array().unwrap().clone()
    }

    fn live_ids(&self) -> Vec<String> {
        let live = self.keys().into_iter().filter(|key| key["live"] == true);
        live.map(|key| key["id"].as_str().unwrap().to_owned()).collect()
    }

    /// The key file with which the estate began.
    fn key_file(&self, name: &str) -> Value {
        let keys = self.announced["login"]["keys"].as_array().unwrap();
        keys.iter().find(|key| key["name"] == name).unwrap()["key_file"].clone()
    }

    fn save(&self, name: &str, content: &str) -> String {
        let file = self.folder().join(name);
        fs::write(&file, content).unwrap();
        file.display().to_string()
    }

    fn complete(&self, task: &Value, rest: &str) -> Ran {
        self.keyrota(&format!("task complete {} --by vera {rest}", task["id"]))
    }

    /// What consumers read.
    fn read(&self, name: &str) -> Value {
        self.keyrota(&format!("secret get acme/{name} --output json")).exits(0).json()["data"].clone()
    }

    fn gateway_takes(&self, token: &str) -> u16 {
        self.gateway().get("/", &[("authorization", &format!("Bearer {}", token.trim()))]).status
    }

    /// The version in use is known from the start, as where somebody hands the files in.
    fn import(&self, name: &str) {
        let import = format!("credential import secid/acme/legacy/{name}");
        let ran = self.keyrota_reads(&import, &self.key_file(name).to_string());
        assert!(matches!(ran.code, Some(0 | 3)), "{ran:?}");
    }
}

#[track_caller]
fn check_refused(ran: &Ran, expected: &str) {
    assert!(ran.stderr.contains("error[KR0511]"), "{}", ran.stderr);
    assert!(ran.stderr.contains(expected), "{}", ran.stderr);
    assert!(ran.stderr.contains("state: nothing was changed"), "{}", ran.stderr);
}

/// Nine of ten slots are used, one of them by the key that is never to be touched.
#[test]
fn a_key_is_replaced_within_the_slots_by_a_person_who_is_checked() {
    let mut world = tenant("--keys 9 --protected 1 --age 95d", "");
    world.log = Some("trace");
    let before = world.live_ids();
    let protected = world.keys()[0].clone();
    assert_eq!((before.len(), &protected["protected"]), (9, &Value::Bool(true)));

    world.keyrota("check").exits(0);
    world.keyrota("discover").exits(0);
    world.import("key-1");
    let ran = world.run().exits(3);
    assert!(ran.stderr.contains("waits since"), "{}", ran.stderr);

    // One slot is free, so one person is asked for one key.
    let task = world.one_task("issue");
    let credential = task["credential"].as_str().unwrap().to_owned();
    let name = credential.rsplit('/').next().unwrap().to_owned();
    let shown = world.keyrota(&format!("task show {}", task["id"])).exits(0).stdout;
    for words in ["Super Administrator", "Never click Regenerate", &name, "Help Desk Administrator"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(shown.contains(&format!("keyrota task complete {} --file FILE", task["id"])), "{shown}");
    let status = world.keyrota("status --output json").exits(3).json();
    assert_eq!((&status["tasks"][0]["id"], &status["credentials"]["protected"]), (&task["id"], &Value::from(1)));
    assert!(world.keyrota("status").stdout.contains("TASK  CREDENTIAL"));

    // Wrong files: of another key, of nothing, a key with too much right, and one that is dead already.
    let other = if name == "key-2" { "key-3" } else { "key-2" };
    let wrong = world.save("wrong.key", &world.key_file(other).to_string());
    check_refused(&world.complete(&task, &format!("--file {wrong}")), "belongs to secid/acme/legacy/");
    let own = world.save("own.key", &world.key_file(&name).to_string());
    check_refused(&world.complete(&task, &format!("--file {own}")), "an older version");
    let rubbish = world.save("rubbish.key", "canary-5f1e-not-a-key");
    check_refused(&world.complete(&task, &format!("--file {rubbish}")), "it is no JSON (line 1, column 1)");
    let made = world.tamper(&json!({ "action": "add_key", "name": "wrong role", "role": "super" }));
    let file = world.save("role.key", &made.to_string());
    check_refused(&world.complete(&task, &format!("--file {file}")), "Help Desk Administrator is wanted");
    world.tamper(&json!({ "action": "delete_key", "access_id": made["accessID"] }));
    check_refused(&world.complete(&task, &format!("--file {file}")), "the platform refuses it: 403");
    assert_eq!(world.live_ids(), before, "nothing has moved");
    assert_eq!(world.one_task("issue")["id"], task["id"]);

    // The right one, pasted as a SIEM stores it: on standard input, with \n in letters.
    let made = world.tamper(&json!({ "action": "add_key", "name": name, "role": "help_desk" }));
    let new = made["accessID"].as_str().unwrap().to_owned();
    let mut pasted = made.clone();
    pasted["accessKey"] = made["accessKey"].as_str().unwrap().replace('\n', "\\n").into();
    let done = world.keyrota_reads(&format!("task complete {} --by vera", task["id"]), &pasted.to_string());
    assert!(matches!(done.code, Some(0 | 3)), "{done:?}");
    assert!(done.stderr.contains("it was tried, is accepted, and is sealed"), "{}", done.stderr);
    assert_eq!(world.live_ids().len(), 10, "ten is all that there can be");
    let served = world.read(&name);
    assert_eq!((&served["accessID"], &served["accessKey"]), (&made["accessID"], &made["accessKey"]));

    // Clients need not hold the key: a short token is signed for them.
    let jwt = world.perform("secret get of a token", &mut world.command(&format!("key jwt {credential}")), "").exits(0);
    assert_eq!(world.gateway_takes(&jwt.stdout), 200);
    assert_eq!(world.keyrota(&format!("key jwt {credential} --lifetime 2h")).code, Some(2));

    // No slot is left, so nobody else is asked while both live.
    let ran = world.run();
    assert!(world.tasks().is_empty(), "{:?}", world.tasks());
    assert!(matches!(ran.code, Some(0 | 3)), "{ran:?}");
    world.advance("6d");
    world.run().exits(3);
    let removal = world.tasks().into_iter().find(|task| task["what"] == "revoke").unwrap();
    assert_eq!(removal["credential"], credential.as_str());
    let old = removal["handle"].as_str().unwrap().to_owned();
    let shown = world.keyrota(&format!("task show {}", removal["id"])).exits(0).stdout;
    assert!(shown.contains(&format!("Delete for the key with the access ID {old}")), "{shown}");

    // A claim is no proof.
    if name == "key-1" {
        check_refused(&world.complete(&removal, ""), "it is still accepted by the platform");
    } else {
        check_refused(&world.complete(&removal, ""), "never held here");
        check_refused(&world.complete(&removal, &format!("--file {own}")), "it is still accepted by the platform");
    }
    world.tamper(&json!({ "action": "delete_key", "access_id": old }));
    let ran = world.complete(&removal, &format!("--file {own}"));
    assert!(matches!(ran.code, Some(0 | 3)), "{ran:?}");
    let history = world.keyrota(&format!("credential history {credential}")).exits(0).stdout;
    assert!(history.contains("proved dead: refused"), "{history}");
    let live = world.live_ids();
    assert!(live.contains(&new) && !live.contains(&old) && live.len() == 9, "{live:?}");

    // The slot is free again, so the next one is asked for, and no more than one.
    world.run().exits(3);
    assert_ne!(world.one_task("issue")["credential"], credential.as_str());

    // The one that is never to be touched was not touched, and nobody was asked to.
    let now = world.keys()[0].clone();
    assert_eq!(
        (&now["id"], &now["secret"], &now["live"]),
        (&protected["id"], &protected["secret"], &protected["live"])
    );
    for verb in ["rotate", "compromised"] {
        let refused = world.keyrota(&format!("credential {verb} secid/acme/legacy/authentication-manager-1")).exits(1);
        assert!(refused.stderr.contains("cause: it is protected: the platform's own"), "{}", refused.stderr);
    }
    // A rotation that delivers it could never end.
    let secret = world.key_file("authentication-manager-1").to_string();
    let import = "credential import secid/acme/legacy/authentication-manager-1";
    let refused = world.keyrota_reads(import, &secret).exits(1);
    assert!(refused.stderr.contains("cause: it is protected at the platform"), "{}", refused.stderr);
    assert!(!world.tasks().iter().any(|task| task["credential"].as_str().unwrap().contains("authentication")));
    check_no_key_came_out(&world);
}

/// Every private key that there ever was is in no output and in no page of the database.
fn check_no_key_came_out(world: &World) {
    let transcript = world.transcript.lock().unwrap().clone();
    assert!(transcript.len() > 20_000, "nothing was logged");
    let mut files: Vec<(String, Vec<u8>)> = vec![("what was printed".to_owned(), transcript.into_bytes())];
    let entries = fs::read_dir(world.data()).unwrap().map(|entry| entry.unwrap().path());
    files.extend(entries.map(|file| (file.display().to_string(), fs::read(&file).unwrap())));
    let keys: Vec<String> = world.keys().iter().map(|key| key["secret"].as_str().unwrap().to_owned()).collect();
    assert!(keys.len() > 9);
    for secret in &keys {
        let lines: Vec<&str> = secret.lines().filter(|line| line.len() == 64).collect();
        for needle in [lines[3], lines[lines.len() / 2], lines[lines.len() - 1]].map(|line| &line.as_bytes()[8..32]) {
            for (place, bytes) in &files {
                assert!(!bytes.windows(needle.len()).any(|window| window == needle), "a private key is in {place}");
            }
        }
    }
}

/// Silence escalates, and never proceeds.
#[test]
fn a_person_who_never_answers_is_told_of_and_nothing_is_removed() {
    let world = tenant("--keys 2 --protected 1 --age 95d", "");
    let before = world.live_ids();
    world.run().exits(3);
    let task = world.one_task("issue");
    assert_eq!(task["overdue"], false);
    check_golden(&world, &task);
    for _ in 0..4 {
        world.advance("2d");
        let ran = world.run().exits(3);
        assert!(ran.json()["performed"].as_object().unwrap().is_empty(), "{}", ran.stdout);
    }
    let late = world.keyrota("task list --output json").exits(3);
    assert_eq!((&late.objects()[0]["overdue"], &late.objects()[0]["id"]), (&Value::Bool(true), &task["id"]));
    assert!(late.stderr.contains("owner: vera@acme.example") && late.stderr.contains("is not done"), "{}", late.stderr);
    let status = world.keyrota("status").exits(3);
    assert!(status.stderr.contains("a person's step was due"), "{}", status.stderr);
    let ran = world.run().exits(3);
    assert!(ran.json()["attention"].to_string().contains("task_overdue"), "{}", ran.stdout);
    assert_eq!(world.live_ids(), before);

    // Late is not too late. Then the one who is to remove the old one does not answer either.
    let made = world.tamper(&json!({ "action": "add_key", "name": "key-1", "role": "super" }));
    let file = world.save("new.key", &made.to_string());
    let ran = world.complete(&task, &format!("--file {file}"));
    assert!(matches!(ran.code, Some(0 | 3)), "{ran:?}");
    world.advance("6d");
    world.run().exits(3);
    let removal = world.one_task("revoke");
    for _ in 0..6 {
        world.advance("30d");
        world.run().exits(3);
    }
    assert_eq!(world.one_task("revoke")["id"], removal["id"]);
    assert_eq!(world.live_ids().len(), 3, "nothing was removed");
    assert_eq!(world.read("key-1")["accessID"], made["accessID"]);
}

/// What a person reads, letter by letter.
#[track_caller]
fn check_golden(world: &World, task: &Value) {
    let told = |command: &str| {
        let text = world.keyrota(command).exits(0).stdout;
        // A column is as wide as its widest cell.
        let text = text.replace("WHAT                                                      SINCE", "WHAT  SINCE");
        let text = text.replace(task["handle"].as_str().unwrap(), "ACCESS-ID");
        text.replace(task["due"].as_str().unwrap(), "DUE")
    };
    assert_eq!(
        told("task list"),
        "TASK  CREDENTIAL               WHAT  SINCE  DUE\n\
         1     secid/acme/legacy/key-1  make a successor of ACCESS-ID  now    in 2 d\n"
    );
    assert_eq!(
        told("task show 1"),
        "Task 1: secid/acme/legacy/key-1\n\
         make a successor of ACCESS-ID\n\
         due DUE\n\n  \
         1. Sign in to the Cloud Administration Console of `acme` as a Super Administrator.\n  \
         2. Open Platform > API Access Management > Legacy API Keys (in older consoles: Platform > API Key \
         Management).\n  \
         3. Count the Administration keys. A tenant can have ten: where there are ten, stop here and tell who asked \
         you.\n  \
         4. Never click Regenerate: it ends the key in use in the same moment, and every consumer of it fails.\n  \
         5. Leave the key with the access ID ACCESS-ID as it is: it is in use until the new one works.\n  \
         6. Click Add, type `key-1` as the description, and choose the role Super Administrator.\n  \
         7. Save, and download the key file, named after its access ID.\n  \
         8. Hand the file over as it is: `keyrota task complete 1 --file FILE`. Then remove your copy.\n"
    );
}

/// A tenant at which a person made the successor of `key-1` and is asked to remove the old one; the task.
fn asked_to_remove() -> (World, Value) {
    let world = tenant("--keys 2 --protected 1 --age 95d", "");
    world.run().exits(3);
    let made = world.tamper(&json!({ "action": "add_key", "name": "key-1", "role": "super" }));
    let file = world.save("new.key", &made.to_string());
    world.complete(&world.one_task("issue"), &format!("--file {file}"));
    world.advance("6d");
    world.run().exits(3);
    let removal = world.one_task("revoke");
    (world, removal)
}

/// What nothing can prove is somebody's word, by name.
#[test]
fn a_removal_that_nothing_can_prove_is_somebodys_word() {
    let (world, removal) = asked_to_remove();
    world.tamper(&json!({ "action": "delete_key", "access_id": removal["handle"] }));
    check_refused(&world.complete(&removal, ""), "never held here");
    let said = world.complete(&removal, "--on-my-word").exits(0);
    assert!(said.stderr.contains("on the word of vera"), "{}", said.stderr);
    let history = world.keyrota("credential history secid/acme/legacy/key-1").exits(0).stdout;
    assert!(history.contains("on a person's word alone") && history.contains("vera"), "{history}");
    assert!(world.tasks().is_empty());
}

/// An old file that still works proves that nothing was removed, and no word stands against that later.
#[test]
fn a_word_does_not_stand_against_a_trial() {
    let (world, removal) = asked_to_remove();
    let old = world.save("old.key", &world.key_file("key-1").to_string());
    check_refused(&world.complete(&removal, &format!("--file {old}")), "still accepted");
    check_refused(&world.complete(&removal, "--on-my-word"), "still accepted");
    world.tamper(&json!({ "action": "delete_key", "access_id": removal["handle"] }));
    world.complete(&removal, "").exits(0);
    let history = world.keyrota("credential history secid/acme/legacy/key-1").exits(0).stdout;
    assert!(history.contains("proved dead: refused"), "{history}");
}

/// Keys that are still to be made: an OAuth client, the successor of the key files, and a key that is wanted as a file.
#[test]
fn what_is_declared_is_asked_for_and_made() {
    let world = tenant("--keys 1 --protected 1", "");
    let issuer = world.announced["login"]["oauth_issuer"].clone();
    world.reconfigure(
        "keys = [",
        &format!(
            "oauth_issuer = {issuer}\nkeys = [\n    {{ name = \"export\", client_type = \"oauth\", permissions = \
             [\"rsa.audit.admin\"] }},\n    {{ name = \"siem\", form = \"file\" }},"
        ),
    );
    world.run();
    let mut made = 0;
    while let Some(task) = world.tasks().first() {
        let credential = task["credential"].as_str().unwrap();
        assert_eq!((&task["what"], &task["version"]), (&Value::from("issue"), &Value::Null));
        let (client, file) = if credential == "secid/acme/oauth/export" {
            let poor = json!({ "action": "add_client", "name": "export", "permissions": ["rsa.user.read"] });
            let poor = world.save("poor.json", &world.tamper(&poor).to_string());
            check_refused(&world.complete(task, &format!("--file {poor}")), "lacks a permission");
            let client = json!({
                "action": "add_client", "name": "export", "key_type": "EC", "permissions": ["rsa.audit.admin"],
            });
            (true, world.tamper(&client))
        } else {
            (false, world.tamper(&json!({ "action": "add_key", "name": "siem" })))
        };
        let path = world.save("made.json", &file.to_string());
        let ran = world.complete(task, &format!("--file {path}"));
        assert!(matches!(ran.code, Some(0 | 3)), "{ran:?}");
        if client {
            let served = world.read("export");
            assert_eq!((&served["client_id"], &served["issuer"]), (&file["client_id"], &file["issuer"]));
        } else {
            let served: Value = serde_json::from_str(world.read("siem")["key_file"].as_str().unwrap()).unwrap();
            assert_eq!((&served["accessID"], &served["accessKey"]), (&file["accessID"], &file["accessKey"]));
        }
        let token = world.keyrota(&format!("key jwt {credential} --lifetime 1h")).exits(0).stdout;
        assert_eq!(world.gateway_takes(&token), 200, "{credential}");
        made += 1;
        world.run();
    }
    assert_eq!(made, 2);
    world.run().exits(0);
}

#[test]
fn tasks_that_are_not_there_are_said_so() {
    let world = tenant("--keys 2 --protected 1 --age 10d", "");
    world.run().exits(0);
    assert!(world.tasks().is_empty());
    for command in ["task show 7", "task complete 7"] {
        let ran = world.keyrota(command).exits(2);
        assert!(ran.stderr.starts_with("error[KR0510]: there is no task 7"), "{}", ran.stderr);
    }
    let ran = world.keyrota("key jwt secid/acme/legacy/key-1").exits(1);
    assert!(ran.stderr.contains("is not held here"), "{}", ran.stderr);
    assert!(ran.stderr.contains("credential import"), "{}", ran.stderr);
    let ran = world.keyrota("key jwt secid/acme/legacy/authentication-manager-1").exits(1);
    assert!(ran.stderr.contains("never holds it") && !ran.stderr.contains("or rotate it"), "{}", ran.stderr);
    let ran = world.keyrota("key jwt secid/**").exits(2);
    assert!(ran.stderr.contains("names 2 credentials"), "{}", ran.stderr);
}
