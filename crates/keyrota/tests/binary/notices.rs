//! People are told, once and together, by servers that may be away; and never a secret.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use components::{Heard, MailServer, MailTls, Mailed, Scripted};
use serde_json::{Value, json};

use crate::{
    canary::{check_clean, files, needles},
    world::World,
};

const OPS: &str = "ops@example.test";
const LEAD: &str = "lead@example.test";

fn table(mail: &MailServer, name: &str, to: &str) -> String {
    format!(
        r#"
[[notifier]]
name = "{name}"
driver = "smtp"
host = "localhost"
port = {}
username = "{}"
password = "{}"
from = "Keyrota <keyrota@example.test>"
to = ["{to}"]
ca_file = "{}"
"#,
        mail.port(),
        mail.user(),
        mail.password(),
        mail.ca_file().display(),
    )
}

/// An estate whose owners and operators are told by mail, and a lead of what is stuck.
fn told_by_mail(mail: &MailServer, twin: &str) -> World {
    let world = World::with_policy(twin, "notify = [\"owner\", \"ops\"]\nescalate = [\"lead\"]");
    let notifiers = table(mail, "ops", OPS) + &table(mail, "lead", LEAD);
    world.reconfigure("[[policy]]", &format!("{notifiers}\n[[policy]]"));
    world
}

fn by_recipient(taken: &[Mailed]) -> BTreeMap<String, Vec<&Mailed>> {
    let mut by_recipient: BTreeMap<String, Vec<&Mailed>> = BTreeMap::new();
    for mailed in taken {
        assert_eq!(mailed.to.len(), 1);
        by_recipient.entry(mailed.to[0].clone()).or_default().push(mailed);
    }
    by_recipient
}

#[track_caller]
fn subjects(taken: &[Mailed], to: &str) -> Vec<String> {
    by_recipient(taken).get(to).into_iter().flatten().map(|mailed| mailed.header("Subject")).collect()
}

/// How many messages were taken, after the command.
fn after(mail: &MailServer, world: &World, command: &str, exit: i32) -> usize {
    let before = mail.taken().len();
    world.keyrota(command).exits(exit);
    mail.taken().len() - before
}

#[test]
fn everybody_is_told_once_what_concerns_them() {
    let mail = MailServer::start(MailTls::Starttls);
    let world = told_by_mail(&mail, "--consumer-orgs 2 --apps 3 --age 95d");
    let paths: BTreeSet<String> = world.live().iter().map(|one| one.path()).collect();
    let checked = world.keyrota("check").exits(0);
    assert!(checked.stdout.contains("takes messages from keyrota"), "{}", checked.stdout);
    assert!(mail.taken().is_empty(), "a check tells nobody anything");

    let ran = world.keyrota("run --once --output json").exits(0).json();
    assert_eq!((&ran["notices"]["messages"], &ran["notices"]["waiting"]), (&json!(3), &json!(0)));
    let taken = mail.taken();
    let people = by_recipient(&taken);
    assert_eq!(people.len(), 3, "two owners and the operators: {:?}", people.keys());
    assert!(taken.iter().all(|mailed| mailed.encrypted));
    for (to, mails) in &people {
        assert_eq!(mails.len(), 1);
        let text = mails[0].text();
        let told: BTreeSet<&String> = paths.iter().filter(|path| text.contains(*path)).collect();
        assert_eq!(told.len(), if to == OPS { 6 } else { 3 }, "{to}");
        let subject = format!("Keyrota: {} promoted", told.len());
        assert_eq!(mails[0].header("Subject"), subject);
        assert!(text.contains("what is true now: consumers read version 2; version 1 still works"), "{text}");
        assert!(text.contains("what to do: whoever keeps a copy takes the new one"), "{text}");
    }
    assert_eq!(after(&mail, &world, "run --once", 0), 0, "nothing new");
    world.advance("6d");
    world.run_to_rest();
    let taken = mail.taken();
    assert_eq!(subjects(&taken, OPS), ["Keyrota: 6 promoted", "Keyrota: 6 retired"]);
    assert_eq!(taken.len(), 6);
    assert!(taken[5].text().contains("the platform was seen to refuse it"), "{}", taken[5].text());
    let ids: BTreeSet<String> = taken.iter().map(|mailed| mailed.header("Message-ID")).collect();
    assert_eq!(ids.len(), 6);
    world.advance("1h");
    assert_eq!(after(&mail, &world, "run --once", 0), 0);
}

#[test]
fn after_an_outage_of_three_hours_a_campaign_is_one_message_a_person() {
    let mut mail = MailServer::start(MailTls::Starttls);
    let world = told_by_mail(&mail, "--consumer-orgs 5 --apps 50 --age 95d");
    let paths: Vec<String> = world.live().iter().map(|one| one.path()).collect();
    assert_eq!(paths.len(), 250);
    let port = mail.port();
    mail.stop();
    let ran = world.keyrota("run --once").exits(3);
    assert!(ran.stderr.contains("error[KR0802]: the notifier `ops` took no message"), "{}", ran.stderr);
    assert!(ran.stderr.contains("nothing is lost"), "{}", ran.stderr);
    assert_eq!(world.live().len(), 500, "the work went on");
    for _ in 0..18 {
        world.advance("10m");
        world.keyrota("run --once").exits(3);
    }
    assert_eq!(world.keyrota("notice list --output json").exits(0).objects().len(), 500, "to owners and operators");
    mail.start_again();
    world.reconfigure(&format!("port = {port}"), &format!("port = {}", mail.port()));
    world.keyrota("run --once").exits(0);
    let taken = mail.taken();
    let people = by_recipient(&taken);
    assert_eq!((taken.len(), people.len()), (6, 6), "five owners and the operators, one message each");
    let text = people[OPS][0].text();
    for path in &paths {
        assert!(text.contains(path), "{path} is missing");
        let owners = people.iter().filter(|(to, mails)| *to != OPS && mails[0].text().contains(path));
        assert_eq!(owners.count(), 1, "{path} has one owner");
    }
    assert!(world.keyrota("notice list --output json").exits(0).objects().is_empty());
    assert_eq!(after(&mail, &world, "run --once", 0), 0);
}

#[test]
fn a_wrong_password_is_a_clear_finding_and_costs_no_notice() {
    let mail = MailServer::start(MailTls::Starttls);
    let world = told_by_mail(&mail, "--consumer-orgs 1 --apps 1 --age 95d");
    let right = format!("password = \"{}\"", mail.password());
    world.reconfigure(&right, "password = \"canary-wrong\"");
    let checked = world.keyrota("check").exits(1);
    for ran in [checked, world.keyrota("run --once").exits(3)] {
        assert!(ran.stderr.contains("error[KR0801]"), "{}", ran.stderr);
        assert!(ran.stderr.contains("535"), "{}", ran.stderr);
        assert!(ran.stderr.contains("check the login in its [[notifier]] table"), "{}", ran.stderr);
        assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("canary"), "{}", ran.stderr);
    }
    // After the third refusal it is left alone, because wrong passwords lock accounts.
    world.keyrota("run --once").exits(3);
    world.keyrota("run --once").exits(3);
    let paused = world.keyrota("run --once").exits(3);
    assert!(paused.stderr.contains("it is left alone until"), "{}", paused.stderr);
    assert!(mail.taken().is_empty());
    world.reconfigure("password = \"canary-wrong\"", &right);
    assert_eq!(after(&mail, &world, "notice send", 0), 2);
    assert_eq!(subjects(&mail.taken(), OPS).len(), 1);
}

#[test]
fn one_recipient_that_is_refused_keeps_nobody_else_waiting() {
    let mail = MailServer::start(MailTls::Starttls);
    let world = told_by_mail(&mail, "--consumer-orgs 1 --apps 1 --age 95d");
    world.reconfigure(OPS, "nobody@example.test");
    let ran = world.keyrota("run --once").exits(3);
    assert!(ran.stderr.contains("error[KR0804]"), "{}", ran.stderr);
    assert!(ran.stderr.contains("for `nobody@example.test`; waiting: 1 notice"), "{}", ran.stderr);
    assert_eq!(mail.taken().len(), 1, "the owner");
}

#[test]
fn what_is_overdue_escalates_and_is_told_again_each_day() {
    let mail = MailServer::start(MailTls::Starttls);
    let world = told_by_mail(&mail, "--consumer-orgs 1 --apps 1 --age 95d");
    let path = world.live()[0].path();
    world.keyrota("run --once").exits(0);
    assert_eq!(subjects(&mail.taken(), LEAD).len(), 0, "routine is not theirs");
    let by_hand = json!({ "client_id": "someone", "client_secret": "else's" }).to_string();
    world.keyrota_reads(&format!("secret put {path} --by mallory"), &by_hand).exits(0);
    world.advance("6d");
    assert_eq!(after(&mail, &world, "run --once", 3), 3, "owner, operators, lead");
    let taken = mail.taken();
    assert_eq!(subjects(&taken, LEAD), [format!("Keyrota: overdue: {path}")]);
    let text = by_recipient(&taken)[LEAD][0].text();
    assert!(text.contains("101 days old, past 100, and cannot be retired yet"), "{text}");
    let why = by_recipient(&taken)[OPS].iter().map(|mail| mail.text()).collect::<String>();
    assert!(why.contains("holds a value that was not delivered by Keyrota"), "{why}");
    for _ in 0..4 {
        world.advance("5h");
        assert_eq!(after(&mail, &world, "run --once", 3), 0, "they know");
    }
    world.advance("5h");
    assert_eq!(after(&mail, &world, "run --once", 3), 3, "a day has passed");
}

#[test]
fn an_owner_who_replaces_by_hand_is_told_to() {
    let mail = MailServer::start(MailTls::Starttls);
    let world = told_by_mail(&mail, "--consumer-orgs 1 --apps 2 --age 85d");
    world.reconfigure("quiet_for = \"24h\"", "quiet_for = \"24h\"\nmode = \"notify\"");
    assert_eq!(after(&mail, &world, "run --once", 0), 2);
    let soon = mail.taken().last().unwrap().clone();
    assert_eq!(soon.header("Subject"), "Keyrota: 2 due soon");
    assert!(soon.text().contains("replace it at the platform by"), "{}", soon.text());
    world.advance("6d");
    assert_eq!(after(&mail, &world, "run --once", 3), 2);
    let due = mail.taken().last().unwrap().clone();
    assert_eq!(due.header("Subject"), "Keyrota: 2 waiting for a person");
    assert_eq!(world.writes(), Vec::new());
}

#[test]
fn a_channel_that_is_not_set_up_tells_nobody_and_stops_nothing() {
    let world = World::with_policy("--consumer-orgs 1 --apps 1 --age 95d", "notify = [\"owner\", \"ops\"]");
    world.reconfigure("[[policy]]", "[[notifier]]\nname = \"ops\"\ndriver = \"smtp\"\n\n[[policy]]");
    let checked = world.keyrota("check").exits(0);
    assert!(checked.stdout.contains("is not set up"), "{}", checked.stdout);
    let ran = world.keyrota("run --once").exits(0);
    assert!(ran.stderr.contains("no notifier reaches people by mail"), "{}", ran.stderr);
    assert!(ran.stderr.contains("whose `to` names nobody"), "{}", ran.stderr);
    assert!(world.keyrota("notice list --output json").exits(0).stdout.is_empty());
}

#[test]
fn an_issuer_that_is_away_is_told_to_operators_alone() {
    let mail = MailServer::start(MailTls::Starttls);
    let world = told_by_mail(&mail, "--consumer-orgs 1 --apps 1 --age 5d");
    assert_eq!(after(&mail, &world, "run --once", 0), 0);
    let password = world.announced["login"]["password"].as_str().unwrap().to_owned();
    world.reconfigure(&password, &format!("x{password}"));
    assert_eq!(after(&mail, &world, "run --once", 1), 1);
    assert_eq!(subjects(&mail.taken(), OPS), ["Keyrota: failed: apic"]);
    assert_eq!(after(&mail, &world, "run --once", 1), 0, "they know");
}

#[test]
fn no_secret_is_in_any_message_nor_in_what_is_said_of_the_channels() {
    let heard: Arc<Mutex<Vec<Heard>>> = Arc::default();
    let note = heard.clone();
    let listener = Scripted::new(Box::new(move |one: &Heard| {
        note.lock().unwrap().push(one.clone());
        Some((if one.path.contains("services") { 404 } else { 200 }, "no_service".to_owned()))
    }));
    let mail = MailServer::start(MailTls::Starttls);
    let mut world = told_by_mail(&mail, "--consumer-orgs 1 --apps 2 --age 95d");
    world.log = Some("trace");
    let key = STANDARD.encode(b"needle-webhook-key");
    let others = format!(
        "[[notifier]]\nname = \"hook\"\ndriver = \"webhook\"\nurl = \"{0}/hook\"\nsecret = \"whsec_{key}\"\n\
         [[notifier]]\nname = \"chat\"\ndriver = \"slack\"\nurl = \"{0}/services/needle-slack-address\"\n",
        listener.address()
    );
    world.reconfigure("[[policy]]", &format!("{others}\n[[policy]]"));
    world.reconfigure("\"owner\", \"ops\"", "\"owner\", \"ops\", \"hook\", \"chat\"");
    world.keyrota("check").exits(0);
    world.keyrota("run --once").exits(3);
    world.advance("6d");
    world.keyrota("run --once").exits(3);
    world.keyrota("notice list").exits(0);
    world.keyrota("notice list --output json").exits(0);
    world.keyrota("notice send").exits(3);

    let mut needles = needles(&world);
    for secret in [mail.password(), "needle-webhook-key", &key, "needle-slack-address"] {
        needles.insert(secret[..10].to_owned(), secret.as_bytes().to_vec());
    }
    let said = world.transcript.lock().unwrap().clone();
    assert!(said.contains("no_service"), "{said}");
    assert!(said.len() > 10_000, "{}", said.len());
    check_clean(&needles, "what was printed", said.as_bytes());
    let heard = heard.lock().unwrap();
    let events: Vec<Value> =
        heard.iter().filter(|one| one.path == "/hook").map(|one| serde_json::from_slice(&one.body).unwrap()).collect();
    assert_eq!(events[0]["data"]["notices"][0]["kind"], "promoted");
    assert!(heard.iter().any(|one| one.path.starts_with("/services/")));
    for one in heard.iter() {
        check_clean(&needles, &one.path, &one.body);
    }
    for mailed in mail.taken() {
        check_clean(&needles, "a mail", mailed.data.as_bytes());
    }
    for (file, bytes) in files(&world.data()) {
        check_clean(&needles, &file, &bytes);
    }
}
