//! OpenBao and the emulator of AWS themselves, as the two destinations of every credential.

use std::{collections::BTreeMap, process::Command, thread};

use components::{BadRoad, Bao, Server, bao, moto, program};
use serde_json::{Value, json};

use crate::{
    http::Client,
    world::{Known, Ran, World},
};

const RUNS_MAX: usize = 60;

/// An estate whose credentials go to both stores, over roads on which one request in `one_in` meets something.
struct Estate {
    world: World,
    bao: Bao,
    aws: Server,
    roads: [BadRoad; 2],
}

impl Estate {
    fn new(twin: &str, one_in: usize) -> Self {
        let (bao, aws) = (bao(), moto());
        let roads = [BadRoad::to(&bao.address(), one_in, 7), BadRoad::to(&aws.address(), one_in, 8)];
        let estate = Self { world: World::new(twin), bao, aws, roads };
        estate.serve(&estate.world);
        estate
    }

    /// Both stores are where this installation delivers.
    fn serve(&self, world: &World) {
        world.reconfigure(
            "[[policy]]",
            &format!(
                r#"[[store]]
name = "bao"
driver = "vault_kv2"
address = "{}"
environment = "production"
auth = {{ method = "token", token = {{ env = "BAO_TOKEN" }} }}

[[store]]
name = "aws"
driver = "aws_secrets_manager"
region = "eu-central-1"
endpoint = "{}"
environment = "production"

[[policy]]"#,
                self.roads[0].address(),
                self.roads[1].address()
            ),
        );
        world.reconfigure(
            r#"deliver = [{ store = "local", path = "apic/{consumer_org}/{app}/{credential}" }]"#,
            r#"environment = "production"
deliver = [
    { store = "bao", path = "apic/{consumer_org}/{app}" },
    { store = "aws", path = "apic/{consumer_org}/{app}" },
]"#,
        );
    }

    fn keyrota(&self, arguments: &str) -> Ran {
        self.keyrota_of(&self.world, arguments)
    }

    fn keyrota_of(&self, world: &World, arguments: &str) -> Ran {
        let mut command = world.command(arguments);
        self.with_logins(&mut command);
        world.perform(arguments, &mut command, "")
    }

    fn with_logins(&self, command: &mut Command) {
        command.env("BAO_TOKEN", self.bao.root_token());
        command.env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE").env("AWS_SECRET_ACCESS_KEY", "example");
    }

    /// Until a run has nothing left to do now.
    #[track_caller]
    fn run_to_rest(&self) {
        for _ in 0..RUNS_MAX {
            let run = self.keyrota("run --once --output json");
            if run.code != Some(1) && run.json()["performed"].as_object().unwrap().is_empty() {
                let waits = run.json()["retrying"].as_u64();
                if waits == Some(0) {
                    return;
                }
                self.world.advance("1m");
            }
        }
        panic!("no rest: {}", self.keyrota("status").stderr);
    }

    fn in_bao(&self, path: &str) -> Value {
        let mut client = Client::new(&self.bao.address());
        let token = [("x-vault-token", self.bao.root_token())];
        let answer = client.get(&format!("/v1/secret/data/{path}"), &token);
        serde_json::from_slice::<Value>(&answer.body).unwrap()["data"].clone()
    }

    fn put_into_bao(&self, path: &str, body: &Value) {
        self.call_bao("POST", path, body);
    }

    fn call_bao(&self, method: &str, path: &str, body: &Value) {
        let mut client = Client::new(&self.bao.address());
        let token = [("x-vault-token", self.bao.root_token()), ("content-type", "application/json")];
        let answer = client.call(method, &format!("/v1/secret/{path}"), &token, &body.to_string());
        assert!(answer.status < 300, "{path}: {}", answer.status);
    }

    fn aws(&self, operation: &str, body: &Value) -> Value {
        let headers = [
            ("x-amz-target", format!("secretsmanager.{operation}")),
            ("content-type", "application/x-amz-json-1.1".to_owned()),
            ("authorization", "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20261123/eu-central-1/secretsmanager/aws4_request, SignedHeaders=host, Signature=0".to_owned()),
        ];
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = Client::new(&self.aws.address()).call("POST", "/", &headers, &body.to_string());
        serde_json::from_slice(&answer.body).unwrap()
    }

    fn in_aws(&self, path: &str) -> Value {
        let body = self.aws("GetSecretValue", &json!({ "SecretId": path, "VersionStage": "AWSCURRENT" }));
        serde_json::from_str(body["SecretString"].as_str().unwrap_or_else(|| panic!("{path}: {body}"))).unwrap()
    }
}

fn place(known: &Known) -> String {
    let [org, app, ..] = known.names();
    format!("apic/{}/{}", org.replace(' ', "-"), app)
}

fn pair(known: &Known) -> Value {
    json!({ "client_id": known.client_id, "client_secret": known.client_secret })
}

/// Both stores hold the successor of every credential, in one version, with every label in its place.
#[track_caller]
fn check_both_hold_the_new(estate: &Estate, versions: u64) {
    let newest: BTreeMap<String, Known> = estate
        .world
        .live()
        .into_iter()
        .filter(|one| one.name.ends_with("_new"))
        .map(|one| (place(&one), one))
        .collect();
    assert!(!newest.is_empty());
    for (path, known) in &newest {
        let kept = estate.in_bao(path);
        assert_eq!((&kept["data"], &kept["metadata"]["version"]), (&pair(known), &versions.into()), "{path}");
        assert_eq!(estate.in_aws(path), pair(known), "{path}");
        let described = estate.aws("DescribeSecret", &json!({ "SecretId": path }));
        let stages: Vec<&Value> = described["VersionIdsToStages"]
            .as_object()
            .unwrap()
            .values()
            .flat_map(|one| one.as_array().unwrap())
            .collect();
        assert_eq!(stages, ["AWSCURRENT"], "{path}");
    }
}

#[test]
fn two_hundred_rotations_over_bad_roads_leave_both_stores_equal() {
    let estate = Estate::new("--consumer-orgs 50 --apps 4 --credentials 1 --age 95d", 12);
    estate.run_to_rest();
    let met: usize = estate.roads.iter().map(BadRoad::mend).sum();
    assert!(met > 50, "the roads were bad: {met}");
    assert_eq!(estate.world.live().len(), 400);
    check_both_hold_the_new(&estate, 1);
    estate.world.advance("6d");
    estate.run_to_rest();
    assert_eq!(estate.world.live().len(), 200);
    let status = estate.keyrota("status --output json").exits(0).json();
    assert_eq!(status["credentials"], json!({ "current": 200 }));
    let transcript = estate.world.transcript.lock().unwrap();
    let printed = |secret: &str| transcript.contains(secret);
    assert!(!estate.world.known().iter().any(|one| printed(&one.client_secret)), "a secret was printed");
    assert!(!printed(estate.bao.root_token()), "a login was printed");
}

#[test]
fn the_stores_own_word_stops_a_delivery_to_another_environment() {
    let estate = Estate::new("--consumer-orgs 1 --apps 1 --age 95d", 0);
    let old = estate.world.live().remove(0);
    let path = place(&old);
    estate.put_into_bao(&format!("metadata/{path}"), &json!({ "custom_metadata": { "environment": "staging" } }));
    let run = estate.keyrota("run --once").exits(3);
    assert!(run.stderr.contains("belongs to the environment `staging`"), "{}", run.stderr);
    assert_eq!(estate.world.live().len(), 1, "refused before the first effect");
    assert_eq!(estate.world.writes().len(), 0);
    let status = estate.keyrota("status").exits(3);
    assert!(status.stderr.contains("wrong place"), "{}", status.stderr);

    // Put right, it goes through; and if the mistake is made afterwards, the old one stays.
    estate.put_into_bao(&format!("metadata/{path}"), &json!({ "custom_metadata": { "environment": "production" } }));
    let arguments = format!("credential rotate {}", old.path());
    estate.keyrota(&arguments).exits(0);
    check_both_hold_the_new(&estate, 1);
}

#[test]
fn an_environment_that_changes_before_the_end_keeps_the_old_credential() {
    let estate = Estate::new("--consumer-orgs 1 --apps 1 --age 95d", 0);
    let old = estate.world.live().remove(0);
    let path = place(&old);
    estate.keyrota("run --once").exits(0);
    let bao_says = |environment: &str| {
        let notes = json!({ "custom_metadata": { "environment": environment } });
        estate.put_into_bao(&format!("metadata/{path}"), &notes);
    };
    let aws_says = |environment: &str| {
        let tag = json!({ "SecretId": path, "Tags": [{ "Key": "environment", "Value": environment }] });
        estate.aws("TagResource", &tag);
    };
    bao_says("staging");
    estate.world.advance("6d");
    let run = estate.keyrota("run --once").exits(3);
    assert!(run.stderr.contains("bao:") && run.stderr.contains("environment `staging`"), "{}", run.stderr);
    assert_eq!(estate.world.live().len(), 2, "nobody knows what reads there now");
    bao_says("production");
    aws_says("staging");
    let run = estate.keyrota(&format!("credential rotate {}", old.path())).exits(3);
    assert!(run.stderr.contains("aws:") && run.stderr.contains("environment `staging`"), "{}", run.stderr);
    assert_eq!(estate.world.live().len(), 2);
    aws_says("production");
    estate.keyrota(&format!("credential rotate {}", old.path())).exits(0);
    assert_eq!(estate.world.live().len(), 1);
}

#[test]
fn what_another_installation_delivers_is_never_overwritten() {
    let twin = "--consumer-orgs 1 --apps 1 --age 95d";
    let estate = Estate::new(twin, 0);
    let path = place(&estate.world.live().remove(0));
    let first = estate.keyrota("run --once").exits(0);
    assert!(!first.stderr.contains("taken over"), "nothing was there: {}", first.stderr);
    let other = World::new(twin);
    estate.serve(&other);
    other.reconfigure("name = \"apic\"", "name = \"other\"");
    other.reconfigure("match = \"apic/**\"", "match = \"other/**\"");
    let theirs = other.live()[0].path().replace("apic/", "other/");
    let run = estate.keyrota_of(&other, "run --once").exits(3);
    assert!(
        run.stderr.contains("bears the mark of `apic/") && run.stderr.contains("keyrota-credential"),
        "{}",
        run.stderr
    );
    assert_eq!(other.live().len(), 1, "refused before the first effect");
    check_both_hold_the_new(&estate, 1);

    // The other store says so too, until a person takes the mark away: then it is a value like any other.
    other.reconfigure("    { store = \"bao\", path = \"apic/{consumer_org}/{app}\" },\n", "");
    let rotate = format!("credential rotate {theirs}");
    let run = estate.keyrota_of(&other, &rotate).exits(3);
    assert!(run.stderr.contains("keyrota:credential"), "{}", run.stderr);
    check_both_hold_the_new(&estate, 1);
    estate.aws("UntagResource", &json!({ "SecretId": path, "TagKeys": ["keyrota:credential"] }));
    let run = estate.keyrota_of(&other, &rotate).exits(0);
    assert!(run.stderr.contains("note: taken over"), "{}", run.stderr);
}

#[test]
fn a_value_overwritten_by_hand_in_vault_is_refused_before_retirement() {
    let estate = Estate::new("--consumer-orgs 1 --apps 1 --age 95d", 0);
    let old = estate.world.live().remove(0);
    estate.keyrota("run --once").exits(0);
    let by_hand = json!({ "data": { "client_id": "by", "client_secret": "hand" } });
    estate.put_into_bao(&format!("data/{}", place(&old)), &by_hand);
    let told = "holds a value that was not delivered by Keyrota";
    let run = estate.keyrota("run --once").exits(3);
    assert!(run.stderr.contains(told), "said while the overlap runs: {}", run.stderr);
    estate.world.advance("6d");
    let run = estate.keyrota("run --once").exits(3);
    assert!(run.stderr.contains(told), "{}", run.stderr);
    assert_eq!(estate.world.gateway().ping(&old.client_id, &old.client_secret), 200, "still accepted");
    assert_eq!(estate.in_bao(&place(&old))["data"], by_hand["data"], "and nobody covered it");

    let new = estate.world.live().into_iter().find(|one| one.name.ends_with("_new")).unwrap();
    estate.put_into_bao(&format!("data/{}", place(&old)), &json!({ "data": pair(&new) }));
    estate.world.advance("2d");
    estate.run_to_rest();
    assert_eq!(estate.world.live().len(), 1, "put right by hand, it goes on");
}

/// Nobody issues another one for it: the successor is held, and goes out once more.
#[test]
fn what_is_gone_in_the_overlap_is_delivered_again() {
    let estate = Estate::new("--consumer-orgs 1 --apps 1 --age 95d", 0);
    let old = estate.world.live().remove(0);
    let path = place(&old);
    estate.keyrota("run --once").exits(0);
    let take_away: [&dyn Fn(); 3] = [
        &|| estate.call_bao("DELETE", &format!("metadata/{path}"), &Value::Null),
        &|| estate.call_bao("POST", &format!("destroy/{path}"), &json!({ "versions": [1] })),
        &|| {
            let gone = json!({ "SecretId": path, "ForceDeleteWithoutRecovery": true });
            estate.aws("DeleteSecret", &gone);
        },
    ];
    for gone in take_away {
        gone();
        estate.world.advance("6d");
        let run = estate.keyrota("run --once").exits(3);
        assert!(run.stderr.contains("get nothing: the secret is gone"), "{}", run.stderr);
        assert_eq!(estate.world.live().len(), 2, "the old one waits");
        let run = estate.keyrota(&format!("credential rotate {}", old.path())).exits(0);
        assert!(run.stdout.contains("1 confirm, 1 promote, 1 write"), "{}", run.stdout);
    }
    estate.world.advance("4d");
    estate.keyrota("run --once").exits(0);
    assert_eq!(estate.world.live().len(), 2, "the overlap began anew");
    let new = estate.world.live().into_iter().find(|one| one.name.ends_with("_new")).unwrap();
    assert_eq!((&estate.in_bao(&path)["data"], &estate.in_aws(&path)), (&pair(&new), &pair(&new)));

    // What others know waits for nobody.
    estate.call_bao("DELETE", &format!("data/{path}"), &Value::Null);
    let run = estate.keyrota(&format!("credential compromised {} --reason leaked", old.path()));
    assert_eq!(estate.in_bao(&path)["data"]["client_id"], new_id(&estate), "{}", run.stderr);
}

/// Of the one that was made last.
fn new_id(estate: &Estate) -> Value {
    estate.world.live().pop().unwrap().client_id.into()
}

#[test]
fn a_policy_that_repairs_does_so_in_the_overlap_too() {
    let estate = Estate::new("--consumer-orgs 1 --apps 1 --age 95d", 0);
    // Also where values cannot be read, that one is gone is seen.
    estate.world.reconfigure("auth = {", "readable = false\nauth = {");
    estate.world.reconfigure("quiet_for = \"24h\"", "quiet_for = \"24h\"\ndrift = \"repair\"");
    let old = estate.world.live().remove(0);
    let path = place(&old);
    estate.keyrota("run --once").exits(0);
    for _ in 0..3 {
        estate.call_bao("DELETE", &format!("metadata/{path}"), &Value::Null);
        estate.keyrota("run --once").exits(0);
        assert_eq!(estate.in_bao(&path)["data"]["client_id"], new_id(&estate));
    }
    estate.call_bao("DELETE", &format!("metadata/{path}"), &Value::Null);
    let run = estate.keyrota("run --once").exits(3);
    assert!(run.stderr.contains("get nothing: the secret is gone"), "three times a day: {}", run.stderr);
    let history = estate.keyrota(&format!("credential history {}", old.path())).exits(0);
    assert_eq!(history.stdout.matches("a destination did not hold what consumers are to read").count(), 3);
    estate.world.advance("25h");
    estate.keyrota("run --once").exits(0);
    estate.world.advance("6d");
    estate.run_to_rest();
    assert_eq!(estate.world.live().len(), 1);
}

#[test]
fn applications_that_poll_never_fail_a_call() {
    let estate = Estate::new("--consumer-orgs 1 --apps 1 --age 95d", 0);
    let old = estate.world.live().remove(0);
    let path = place(&old);
    // What the application read before Keyrota came.
    estate.put_into_bao(&format!("data/{path}"), &json!({ "data": pair(&old) }));
    estate.aws("CreateSecret", &json!({ "Name": path, "SecretString": pair(&old).to_string() }));
    let mut calls = Calls {
        agent: Agent::start(&estate, &path),
        gateway: estate.world.gateway(),
        estate: &estate,
        path: &path,
        made: 0,
        failed: 0,
    };
    calls.until_read(&old.client_id);
    estate.keyrota("run --once").exits(0);
    let new = estate.world.live().into_iter().find(|one| one.name.ends_with("_new")).unwrap();
    calls.until_read(&new.client_id);
    estate.world.advance("6d");
    estate.run_to_rest();
    assert_eq!(estate.world.live().len(), 1);
    calls.some(50);
    assert_eq!(calls.failed, 0, "of {}", calls.made);
    assert_eq!(estate.in_bao(&path)["metadata"]["version"], 2);
}

/// `bao agent`, which renders what it reads into a file, as many applications have it.
struct Agent {
    child: std::process::Child,
    file: std::path::PathBuf,
}

impl Agent {
    fn start(estate: &Estate, path: &str) -> Self {
        let folder = estate.world.folder();
        let (file, token) = (folder.join("pair.json"), folder.join("token"));
        std::fs::write(&token, estate.bao.root_token()).unwrap();
        let config = format!(
            r#"vault {{ address = "{}" }}
auto_auth {{
  method "token_file" {{ config = {{ token_file_path = "{}" }} }}
}}
template_config {{ static_secret_render_interval = "1s" }}
template {{
  destination = "{}"
  contents = "{{{{ with secret \"secret/data/{path}\" }}}}{{{{ .Data.data | toJSON }}}}{{{{ end }}}}"
}}
"#,
            estate.bao.address(),
            token.display(),
            file.display()
        );
        let written = folder.join("agent.hcl");
        std::fs::write(&written, config).unwrap();
        let child = Command::new(program("bao"))
            .args(["agent", "-config"])
            .arg(&written)
            .env("HOME", folder)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        Self { child, file }
    }

    fn read(&self) -> Option<Value> {
        serde_json::from_slice(&std::fs::read(&self.file).ok()?).ok()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Two applications, again and again: one calls with what the agent rendered, one with what AWS has at that moment.
struct Calls<'a> {
    estate: &'a Estate,
    path: &'a str,
    agent: Agent,
    gateway: Client,
    made: usize,
    failed: usize,
}

impl Calls<'_> {
    fn one(&mut self) -> Option<String> {
        let from_aws = self.estate.in_aws(self.path);
        self.call(&from_aws);
        let rendered = self.agent.read()?;
        Some(self.call(&rendered))
    }

    fn call(&mut self, pair: &Value) -> String {
        let field = |name: &str| pair[name].as_str().unwrap_or_default().to_owned();
        let status = self.gateway.ping(&field("client_id"), &field("client_secret"));
        self.made += 1;
        self.failed += usize::from(status != 200);
        field("client_id")
    }

    fn some(&mut self, count: usize) {
        for _ in 0..count {
            self.one();
        }
    }

    /// Calls on until the agent has picked this one up. The test's own limit ends a wait in vain.
    fn until_read(&mut self, client_id: &str) {
        while self.one().is_none_or(|read| read != client_id) {
            thread::yield_now();
        }
    }
}

#[test]
fn nobody_reads_a_first_version_before_the_platform_accepted_it() {
    let estate = Estate::new("--consumer-orgs 1 --apps 1 --age 95d", 0);
    let path = place(&estate.world.live().remove(0));
    let mut command = estate.world.command("run --once");
    estate.with_logins(&mut command);
    command.env("KEYROTA_CRASH_AT", "verify:begun");
    estate.world.perform("run --once", &mut command, "");
    assert_eq!(estate.world.live().len(), 2, "it is issued, and was not tried before the process died");
    let described = estate.aws("DescribeSecret", &json!({ "SecretId": path }));
    assert_eq!(described["VersionIdsToStages"], Value::Null, "{described}");
    estate.run_to_rest();
    check_both_hold_the_new(&estate, 1);
}
