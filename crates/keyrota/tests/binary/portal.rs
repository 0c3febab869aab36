//! A company's "do it yourself" portal, described in configuration alone, into AWS Secrets Manager: by calls where there
//! is an API, by tasks where there is none.

use std::{
    collections::BTreeMap,
    fs,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use components::{MailServer, MailTls, Server, moto};
use serde_json::{Value, json};

use crate::{
    http::Client,
    world::{Ran, World},
};

const BY_MACHINE: &str = include_str!("../../../issuers/src/http/portal.toml");
const BY_PERSON: &str = include_str!("../../../issuers/src/http/portal_by_person.toml");

const OPS: &str = "ops@example.test";
const LEAD: &str = "lead@example.test";

fn configuration(example: &str, announced: &Value, aws: &Server, mail: &MailServer) -> String {
    let endpoint = "endpoint = \"https://portal.example.com/api\"";
    assert!(example.contains(endpoint));
    let issuer = example.replace(endpoint, &format!("endpoint = {}", announced["base_url"]));
    let notifier = |name: &str, to: &str| {
        let (port, user, password) = (mail.port(), mail.user(), mail.password());
        let ca_file = mail.ca_file();
        format!(
            "[[notifier]]\nname = \"{name}\"\ndriver = \"smtp\"\nhost = \"localhost\"\nport = {port}\n\
             username = \"{user}\"\npassword = \"{password}\"\nfrom = \"Keyrota <keyrota@example.test>\"\n\
             to = [\"{to}\"]\nca_file = \"{}\"\n",
            ca_file.display()
        )
    };
    format!(
        r#"
data_dir = "data"
root_key = {{ file = "root.key" }}

{issuer}

[[store]]
name = "aws"
driver = "aws_secrets_manager"
region = "eu-central-1"
endpoint = "{aws}"
environment = "production"

{ops}
{lead}
[[policy]]
name = "portal"
match = "portal/**"
environment = "production"
rotate_after = "90d"
overlap = "5d"
quiet_for = "24h"
retire_after = "120d"
task_within = "3d"
notify = ["owner", "ops"]
escalate = ["lead"]
deliver = [{{ store = "aws", path = "portal/{{app}}" }}]

[policy.verify]
url = "{gateway}/ping"
headers = {{ X-Client-Id = "{{client_id}}", X-Client-Secret = "{{client_secret}}" }}
"#,
        aws = aws.address(),
        ops = notifier("ops", OPS),
        lead = notifier("lead", LEAD),
        gateway = announced["gateway_url"].as_str().unwrap(),
    )
}

struct Estate {
    world: World,
    aws: Server,
    mail: MailServer,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pair {
    client_id: String,
    client_secret: String,
}

fn pair(value: &Value) -> Pair {
    let text = |field: &str| value[field].as_str().unwrap_or_default().to_owned();
    Pair { client_id: text("client_id"), client_secret: text("client_secret") }
}

fn ping(gateway: &mut Client, pair: &Pair) -> u16 {
    gateway.get("/ping", &[("x-client-id", &pair.client_id), ("x-client-secret", &pair.client_secret)]).status
}

/// What consumers read. `None`: nothing was delivered there yet.
fn delivered(aws: &str, app: &str) -> Option<Pair> {
    let signed = "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20261123/eu-central-1/secretsmanager/aws4_request, \
                  SignedHeaders=host, Signature=0";
    let headers = [
        ("x-amz-target", "secretsmanager.GetSecretValue"),
        ("content-type", "application/x-amz-json-1.1"),
        ("authorization", signed),
    ];
    let body = json!({ "SecretId": format!("portal/{app}"), "VersionStage": "AWSCURRENT" });
    let answer = Client::new(aws).call("POST", "/", &headers, &body.to_string());
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    Some(pair(&serde_json::from_str(body["SecretString"].as_str()?).unwrap()))
}

impl Estate {
    fn new(twin: &str, example: &str) -> Self {
        let (aws, mail) = (moto(), MailServer::start(MailTls::Starttls));
        let world = World::of(&format!("http {twin}"), |announced| configuration(example, announced, &aws, &mail));
        Self { world, aws, mail }
    }

    fn keyrota(&self, arguments: &str) -> Ran {
        let mut command: Command = self.world.command(arguments);
        command.env("PORTAL_PASSWORD", self.world.announced["login"]["password"].as_str().unwrap());
        command.env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE").env("AWS_SECRET_ACCESS_KEY", "example");
        self.world.perform(arguments, &mut command, "")
    }

    fn keys(&self) -> Vec<Value> {
        self.world.control().get_json("/state")["credentials"].as_array().unwrap().clone()
    }

    /// The live keys by application, in the order in which they were made.
    fn live(&self) -> BTreeMap<String, Vec<Pair>> {
        let mut live: BTreeMap<String, Vec<Pair>> = BTreeMap::new();
        for key in self.keys().iter().filter(|key| key["live"] == true) {
            live.entry(key["app"].as_str().unwrap().to_owned()).or_default().push(pair(key));
        }
        live
    }

    fn delivered(&self, app: &str) -> Option<Pair> {
        delivered(&self.aws.address(), app)
    }

    fn accepts(&self, pair: &Pair) -> bool {
        ping(&mut self.world.gateway(), pair) == 200
    }

    fn told(&self, to: &str) -> String {
        let taken = self.mail.taken();
        let texts = taken.iter().filter(|mailed| mailed.to == [to]).map(|mailed| mailed.text());
        texts.collect::<Vec<_>>().join("\n----\n")
    }

    fn tasks(&self) -> Vec<Value> {
        self.keyrota("task list --output json").objects()
    }

    fn complete(&self, task: &Value, name: &str, content: &str) -> Ran {
        let file = self.world.folder().join(name);
        fs::write(&file, content).unwrap();
        self.keyrota(&format!("task complete {} --by vera --file {}", task["id"], file.display()))
    }
}

/// Every application: it calls with what it read a round ago, then reads anew and calls with that.
struct Consumers {
    stop: Arc<AtomicBool>,
    rounds: Arc<AtomicUsize>,
    thread: JoinHandle<(usize, Vec<String>)>,
}

impl Consumers {
    fn start(estate: &Estate) -> Self {
        let mut apps: Vec<(String, Pair)> =
            estate.live().into_iter().map(|(app, mut pairs)| (app, pairs.remove(0))).collect();
        let (aws, mut gateway) = (estate.aws.address(), estate.world.gateway());
        let (stop, rounds) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (stopped, counted) = (stop.clone(), rounds.clone());
        let thread = std::thread::spawn(move || {
            let (mut calls, mut failures) = (0, Vec::new());
            while !stopped.load(Ordering::Relaxed) {
                for (app, pair) in &mut apps {
                    for fresh in [false, true] {
                        if fresh && let Some(read) = delivered(&aws, app) {
                            *pair = read;
                        }
                        calls += 1;
                        let status = ping(&mut gateway, pair);
                        if status != 200 {
                            failures.push(format!("{app} with {}: {status}", pair.client_id));
                        }
                    }
                }
                counted.fetch_add(1, Ordering::Relaxed);
            }
            (calls, failures)
        });
        Self { stop, rounds, thread }
    }

    /// Returns when every application has read and used what is delivered now.
    fn catch_up(&self) {
        let wanted = self.rounds.load(Ordering::Relaxed) + 3;
        while self.rounds.load(Ordering::Relaxed) < wanted && !self.thread.is_finished() {
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    #[track_caller]
    fn were_served(self) {
        self.catch_up();
        self.stop.store(true, Ordering::Relaxed);
        let (calls, failures) = self.thread.join().unwrap();
        assert!(failures.is_empty(), "of {calls} calls: {failures:#?}");
        assert!(calls > 0);
    }
}

#[test]
fn twenty_applications_of_a_portal_are_replaced_unnoticed() {
    let estate = Estate::new("--apps 20 --seed 7", BY_MACHINE);
    let before = estate.live();
    assert_eq!(before.len(), 20);
    let checked = estate.keyrota("check").exits(0);
    assert!(checked.stdout.contains("the last use of a version is told"), "{}", checked.stdout);
    let consumers = Consumers::start(&estate);

    // Answers are lost on the way, and the session ends again and again.
    for fault in ["timeout_after:0.2@issue", "error:0.1", "throttle:0.05", "stale_list:0.1"] {
        estate.world.fault(fault);
    }
    for _ in 0..20 {
        estate.keyrota("run --once");
        estate.world.advance("6m");
    }
    estate.world.clear_faults();
    estate.keyrota("run --once").exits(0);
    let overlap = estate.live();
    for (app, old) in &before {
        let new = estate.delivered(app).unwrap();
        assert!(overlap[app].contains(&old[0]) && overlap[app].contains(&new) && old[0] != new, "{app}");
        assert_eq!(overlap[app].len(), 2, "{app}: what a lost answer left behind is gone again");
    }

    consumers.catch_up();
    estate.world.advance("6d");
    for _ in 0..3 {
        estate.keyrota("run --once").exits(0);
        estate.world.advance("10m");
    }
    let after = estate.live();
    for (app, old) in &before {
        assert_eq!(after[app], [estate.delivered(app).unwrap()], "{app}: the old one was deleted");
        assert!(!estate.accepts(&old[0]), "{app}");
    }
    consumers.were_served();
    let status = estate.keyrota("status --output json").exits(0).json();
    assert_eq!(status["credentials"], json!({ "current": 20 }));
    let told = estate.told(OPS);
    for words in ["portal/app-020/key", "promoted", "retired"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    for key in estate.keys() {
        assert!(!told.contains(&pair(&key).client_secret), "a secret was sent");
    }
}

#[test]
fn where_no_call_creates_a_person_does_and_is_never_hurried_past() {
    let estate = Estate::new("--apps 2 --no-create", BY_PERSON);
    let before = estate.live();
    let consumers = Consumers::start(&estate);
    let run = estate.keyrota("run --once").exits(3);
    assert!(run.stderr.contains("waits since"), "{}", run.stderr);
    let tasks = estate.tasks();
    let task_of = |app: &str| tasks.iter().find(|task| task["credential"] == format!("portal/{app}/key")).unwrap();
    let (task, silent) = (task_of("app-001"), task_of("app-002"));
    let old = before["app-001"][0].clone();

    let shown = estate.keyrota(&format!("task show {}", task["id"])).exits(0).stdout;
    for words in ["Open the application app-001", &old.client_id] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(estate.told(OPS).contains("portal/app-001/key"), "{}", estate.told(OPS));

    // Wrong pairs: of nothing, of another application, the old one, one that is dead already.
    let other = &before["app-002"][0];
    let made_up = format!("client_id={}\nclient_secret=canary-made-up\n", other.client_id);
    let by_hand = |app: &str| {
        let made = estate.world.tamper(&json!({ "action": "issue_by_hand", "names": [app, "key"] }));
        made["content"].as_str().unwrap().to_owned()
    };
    let dead = by_hand("app-001");
    estate.world.tamper(&json!({ "action": "remove_by_hand", "names": ["app-001", "key"], "content": dead }));
    let own = format!("client_id={}\nclient_secret={}\n", old.client_id, old.client_secret);
    // A good one, made just now in another application: no listing has shown it yet.
    let elsewhere = by_hand("app-002");
    let ran = estate.complete(task, "wrong.env", &elsewhere).exits(1);
    assert!(ran.stderr.contains("does not have") && ran.stderr.contains("portal/app-001/key"), "{}", ran.stderr);
    estate.world.tamper(&json!({ "action": "remove_by_hand", "names": ["app-002", "key"], "content": elsewhere }));
    for content in ["canary-rubbish", &made_up, &dead, &own] {
        let ran = estate.complete(task, "wrong.env", content).exits(1);
        assert!(ran.stderr.contains("error[KR0511]"), "{}", ran.stderr);
        assert!(ran.stderr.contains("state: nothing was changed") && !ran.stderr.contains("canary"), "{}", ran.stderr);
    }
    assert_eq!((estate.live(), estate.delivered("app-001")), (before.clone(), None), "nothing has moved");

    // The right one.
    let content = by_hand("app-001");
    let done = estate.complete(task, "right.env", &content);
    assert!(done.stderr.contains("it was tried, is accepted, and is sealed"), "{}", done.stderr);
    let new = estate.live()["app-001"][1].clone();
    estate.keyrota("run --once").exits(3);
    assert_eq!(estate.delivered("app-001"), Some(new.clone()));

    // The machine deletes the old one once it is quiet; nobody answers for the other application.
    consumers.catch_up();
    estate.world.advance("6d");
    for _ in 0..3 {
        let run = estate.keyrota("run --once").exits(3);
        assert!(run.stderr.contains("portal/app-002/key"), "{}", run.stderr);
        estate.world.advance("10m");
    }
    assert_eq!(estate.live()["app-001"], [new], "deleted by a call");
    assert!(!estate.accepts(&old));
    let history = estate.keyrota("credential history portal/app-001/key").exits(0).stdout;
    assert!(history.contains("proved dead: gone from the platform's record"), "{history}");

    assert_eq!(estate.live()["app-002"], before["app-002"], "silence removes nothing");
    assert_eq!(estate.delivered("app-002"), None);
    let overdue = estate.keyrota("task list --output json").exits(3).objects();
    assert_eq!((overdue.len(), &overdue[0]["id"], &overdue[0]["overdue"]), (1, &silent["id"], &Value::Bool(true)));
    let escalated = estate.told(LEAD);
    for words in ["portal/app-002/key", "overdue"] {
        assert!(escalated.contains(words), "{words}: {escalated}");
    }
    consumers.were_served();
}

#[test]
fn a_wrong_description_is_a_clear_error_with_its_line() {
    let estate = Estate::new("--apps 1", BY_MACHINE);
    // The last line of what is changed is the one that is wrong.
    let check = |from: &str, to: &str, expected: &str| {
        estate.world.reconfigure(from, to);
        let ran = estate.keyrota("check").exits(2);
        let text = fs::read_to_string(estate.world.config()).unwrap();
        let line = text.split(to).next().unwrap().matches('\n').count() + to.lines().count();
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
        assert!(ran.stderr.contains(&format!("keyrota.toml:{line}:")), "line {line}: {}", ran.stderr);
        estate.world.reconfigure(to, from);
    };
    check("keys/{id}/usage", "keys/{idd}/usage", "{idd}, which means nothing here");
    check("within = \"/keys\"", "within = \"keys\"", "is no JSON pointer");
    check("usage = true", "usage = true\noverlap = \"both\"", "unknown variant `both`");
    check("usage = true", "usage = true\nusge = true", "unknown field `usge`");
    check("usage = true", "usage = true\ndisable = true", "`facts.disable` is true");
    check("token = \"/session\"", "tokn = \"/session\"", "`login.tokn` means nothing");
    estate.keyrota("check").exits(0);
}
