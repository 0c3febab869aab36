//! Thirty days of tokens minted twice a day, with the account's password changed and the platform away in between.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{http::Client, world::World};

const ACCOUNT: &str = "apisec/Acme/svc-ci";
const TOKEN_PATH: &str = "apisec/svc-ci/token";
const PASSWORD_PATH: &str = "apisec/admin/svc-ci/password";
const DAYS: usize = 30;
const RUN_EVERY: usize = 6;

fn configuration(announced: &Value) -> String {
    let login = &announced["login"];
    // The twin says how its tenant changes passwords, as an operator would know.
    format!(
        r#"
data_dir = "data"
root_key = {{ file = "root.key" }}

[[issuer]]
name = "apisec"
driver = "apisec"
endpoint = {endpoint}
tenant = {tenant}
password_changed_by = {changed_by}
accounts = [{{ name = "svc-ci", username = {username}, password = {password} }}]

[[store]]
name = "local"
driver = "embedded"

[[policy]]
name = "passwords"
match = "apisec/*/*/password"
rotate_after = "90d"
deliver = [{{ store = "local", path = "apisec/admin/{{account}}/{{credential}}" }}]

[[policy]]
name = "tokens"
match = "apisec/*/*/token"
rotate_after = "11h"
deliver = [{{ store = "local", path = "apisec/{{account}}/{{credential}}" }}]
"#,
        endpoint = announced["base_url"],
        tenant = login["tenant"],
        changed_by = login["changed_by"],
        username = login["username"],
        password = login["password"],
    )
}

/// A consumer's view: what the store holds, tried where consumers use it.
struct Month {
    world: World,
    gateway: Client,
    clock: Client,
    hour: usize,
    token: String,
    minted: Vec<usize>,
}

impl Month {
    fn begin() -> Self {
        let world = World::of("apisec --accounts 1", configuration);
        let (gateway, clock) = (world.gateway(), world.control());
        Self { world, gateway, clock, hour: 0, token: String::new(), minted: vec![0; DAYS] }
    }

    fn read(&self, path: &str, field: &str) -> String {
        let told = self.world.keyrota(&format!("secret get {path} --field {field}")).exits(0).stdout;
        told.trim_end().to_owned()
    }

    fn run(&mut self) -> Value {
        let report = self.world.run().exits(0).json();
        if report["performed"]["promote"].is_u64() {
            let token = self.read(TOKEN_PATH, "token");
            self.minted[self.hour / 24] += usize::from(token != self.token);
            self.token = token;
        }
        self.try_token();
        report["performed"].clone()
    }

    fn try_token(&mut self) {
        let bearer = format!("Bearer {}", self.token);
        let status = self.gateway.get("/scan", &[("authorization", &bearer)]).status;
        assert_eq!(status, 200, "the token in the store is refused in hour {}", self.hour);
    }

    fn pass(&mut self, hours: usize) {
        for _ in 0..hours {
            self.clock.post("/clock", &json!({ "advance": "1h" }));
            self.hour += 1;
            self.try_token();
        }
    }

    fn signs_on(&self, password: &str) -> bool {
        let mut platform = Client::new(self.world.announced["base_url"].as_str().unwrap());
        let body = json!({ "username": self.world.announced["login"]["username"], "password": password });
        platform.post("/auth/login", &body)["token"].is_string()
    }

    fn did(&self, credential: &str, what: &str) -> usize {
        let history = self.world.keyrota(&format!("credential history {ACCOUNT}/{credential} --output json")).exits(0);
        history.objects().iter().filter(|line| line["what"] == what).count()
    }
}

#[test]
fn a_month_of_tokens_without_a_gap() {
    let mut month = Month::begin();
    let configured = month.world.announced["login"]["password"].as_str().unwrap().to_owned();
    let first_run = month.run();
    // One password and one token; one more token where a slow machine let seconds pass between them.
    assert!((2..=3).contains(&first_run["issue"].as_u64().unwrap()), "{first_run}");
    // The configured password was everybody's; the first thing that happens to it is its end.
    assert!(!month.signs_on(&configured));
    let first = month.read(PASSWORD_PATH, "password");
    assert!(month.signs_on(&first));

    while month.hour < DAYS * 24 {
        match month.hour / 24 {
            9 if month.hour.is_multiple_of(24) => {
                month.run();
                month.world.fault("error:1");
                month.pass(6);
                assert_eq!(month.world.run().code, Some(1), "the platform is away, which a scheduler must see");
                month.pass(2);
                month.world.clear_faults();
            }
            17 if month.minted[17] == 0 => {
                month.run();
                month.pass(1);
                let before = month.token.clone();
                month.world.keyrota(&format!("credential rotate {ACCOUNT}/password --reason audit")).exits(0);
                // The token may be looked at while its parent is still turning.
                month.run();
                month.run();
                assert_ne!(month.token, before, "the parent has turned, so the token is minted anew");
                month.pass(RUN_EVERY - 1);
            }
            _ => {
                month.run();
                month.pass(RUN_EVERY.min(DAYS * 24 - month.hour));
            }
        }
    }
    assert!(month.minted.iter().all(|minted| *minted >= 2), "minted on each day: {:?}", month.minted);

    let second = month.read(PASSWORD_PATH, "password");
    assert_ne!(second, first);
    assert!(month.signs_on(&second) && !month.signs_on(&first));
    assert_eq!((month.did("password", "issue"), month.did("password", "prove_dead")), (2, 1));
    // What has expired is tried once more, and forgotten only when it is refused.
    let minted = month.minted.iter().sum::<usize>();
    assert!(month.did("token", "prove_dead") >= minted - 4, "{minted} minted");
    assert!(month.did("token", "revoke") == 0, "no call ends a token");
    let known: BTreeSet<String> = [first, second, configured, month.token.clone()].into();
    let said = month.world.transcript.lock().unwrap();
    assert!(known.iter().all(|secret| !said.contains(secret)), "a secret was said");
}

/// What the console of the tenant is asked to do, and what a person there hands over.
fn hand_over(world: &World, credential: &str, wrong: &str) {
    let tasks = world.keyrota("task list --output json").exits(0).objects();
    let task = tasks.iter().find(|task| task["credential"] == format!("apisec/Acme/svc-ci/{credential}")).unwrap();
    let complete = format!("task complete {} --file -", task["id"]);
    let refused = world.keyrota_reads(&complete, wrong);
    assert_ne!(refused.code, Some(0));
    assert!(!refused.stderr.contains(wrong), "{}", refused.stderr);
    let made = world.tamper(&json!({ "action": "issue_by_hand", "names": ["Acme", "svc-ci", credential] }));
    let ran = world.keyrota_reads(&complete, made["content"].as_str().unwrap());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

/// Where only an administrator can change the password, the same happens by a task, and a wrong word moves nothing.
#[test]
fn a_password_that_a_person_changes() {
    let world = World::of("apisec --accounts 1 --password-by-person", configuration);
    world.run().exits(3);
    let read = |path: &str, field: &str| {
        world.keyrota(&format!("secret get {path} --field {field}")).exits(0).stdout.trim_end().to_owned()
    };
    let first = read(TOKEN_PATH, "token");
    world.advance("1h");
    world.run().exits(3);
    hand_over(&world, "password", "Never-Set-At-All-1");
    world.run();
    world.run().exits(0);
    assert!(read(PASSWORD_PATH, "password").starts_with("By-hand-"));
    assert_ne!(read(TOKEN_PATH, "token"), first, "the parent has turned, so the token is minted anew");
    the_same_password_is_no_new_one(&world, &read(PASSWORD_PATH, "password"));
    // The configured password is dead now, and the one that was handed over is used.
    world.advance("12h");
    let second = read(TOKEN_PATH, "token");
    world.run().exits(0);
    assert_ne!(read(TOKEN_PATH, "token"), second);
}

/// Whoever hands over what was to be replaced has changed nothing, and it would be called dead while it works.
fn the_same_password_is_no_new_one(world: &World, password: &str) {
    world.keyrota("credential rotate apisec/Acme/svc-ci/password").exits(3);
    let tasks = world.keyrota("task list --output json").exits(0).objects();
    let ran = world.keyrota_reads(&format!("task complete {} --file -", tasks[0]["id"]), password).exits(1);
    assert!(
        ran.stderr.contains("it is the secret of version 1: nothing new was made at the platform"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains(password), "{}", ran.stderr);
    hand_over(world, "password", "Never-Set-At-All-2");
    world.run();
}

/// In the next generation a person makes every token, and removes the one before.
#[test]
fn a_personal_token_that_a_person_makes() {
    let world = World::of("apisec --accounts 1 --generation ng", |announced| {
        format!(
            r#"
data_dir = "data"
root_key = {{ file = "root.key" }}

[[issuer]]
name = "apisec"
driver = "apisec"
generation = "ng"
endpoint = {endpoint}
tenant = {tenant}
accounts = [{{ name = "svc-ci" }}]

[[store]]
name = "local"
driver = "embedded"

[[policy]]
name = "tokens"
match = "apisec/*/*/pat"
rotate_after = "30d"
overlap = "1d"
retire_when = "overlap_over"
deliver = [{{ store = "local", path = "apisec/{{account}}/{{credential}}" }}]
"#,
            endpoint = announced["base_url"],
            tenant = announced["login"]["tenant"],
        )
    });
    let accepted = |token: &str| {
        let bearer = format!("Bearer {token}");
        world.gateway().get("/scan", &[("authorization", &bearer)]).status == 200
    };
    let read = || {
        let got = world.keyrota("secret get apisec/svc-ci/pat --field token").exits(0);
        got.stdout.trim_end().to_owned()
    };
    world.run().exits(3);
    hand_over(&world, "pat", "eyJhbGciOiJIUzI1NiJ9.e30.c2ln");
    world.run().exits(0);
    let first = read();
    assert!(accepted(&first));

    world.advance("31d");
    world.run().exits(3);
    hand_over(&world, "pat", &first);
    world.run().exits(0);
    let second = read();
    assert!(second != first && accepted(&first) && accepted(&second), "both live while the overlap runs");

    world.advance("2d");
    world.run().exits(3);
    let tasks = world.keyrota("task list --output json").exits(0).objects();
    assert_eq!(tasks[0]["what"], "revoke", "{tasks:?}");
    let complete = format!("task complete {}", tasks[0]["id"]);
    assert_ne!(world.keyrota(&complete).code, Some(0), "it is still accepted, whatever the person says");
    world.tamper(&json!({ "action": "remove_by_hand", "names": ["Acme", "svc-ci", "pat"], "content": first }));
    world.keyrota(&complete).exits(0);
    world.run().exits(0);
    assert!(!accepted(&first) && accepted(&second));
}
