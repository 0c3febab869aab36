//! Thirty days of tokens minted twice a day, with the account's password changed and the platform away in between.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::world::World;

const ACCOUNT: &str = "apisec/Acme/svc-ci";
const TOKEN_PATH: &str = "apisec/svc-ci/token";
const PASSWORD_PATH: &str = "apisec/admin/svc-ci/password";
const DAYS: usize = 30;
const RUN_EVERY: usize = 6;

fn configuration(announced: &Value) -> String {
    let login = &announced["login"];
    format!(
        r#"
data_dir = "data"
root_key = {{ file = "root.key" }}

[[issuer]]
name = "apisec"
driver = "apisec"
endpoint = {endpoint}
tenant = {tenant}
password_changed_by = "api"
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
        username = login["username"],
        password = login["password"],
    )
}

/// A consumer's view: what the store holds, tried where consumers use it.
struct Month {
    world: World,
    hour: usize,
    token: String,
    minted: Vec<usize>,
}

impl Month {
    fn begin() -> Self {
        let world = World::of("apisec --accounts 1", configuration);
        Self { world, hour: 0, token: String::new(), minted: vec![0; DAYS] }
    }

    fn read(&self, path: &str, field: &str) -> String {
        let told = self.world.keyrota(&format!("secret get {path} --field {field}")).exits(0).stdout;
        told.trim_end().to_owned()
    }

    fn run(&mut self) {
        let report = self.world.run().exits(0).json();
        if report["performed"]["promote"].is_u64() {
            let token = self.read(TOKEN_PATH, "token");
            self.minted[self.hour / 24] += usize::from(token != self.token);
            self.token = token;
        }
        self.try_token();
    }

    fn try_token(&self) {
        let bearer = format!("Bearer {}", self.token);
        let status = self.world.gateway().get("/scan", &[("authorization", &bearer)]).status;
        assert_eq!(status, 200, "the token in the store is refused in hour {}", self.hour);
    }

    fn pass(&mut self, hours: usize) {
        for _ in 0..hours {
            self.world.advance("1h");
            self.hour += 1;
            self.try_token();
        }
    }

    fn signs_on(&self, password: &str) -> bool {
        let mut platform = crate::http::Client::new(self.world.announced["base_url"].as_str().unwrap());
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
    month.run();
    // The configured password was everybody's; the first thing that happens to it is its end.
    assert!(!month.signs_on(&configured));
    let first = month.read(PASSWORD_PATH, "password");
    assert!(month.signs_on(&first));

    while month.hour < DAYS * 24 {
        match month.hour / 24 {
            9 if month.hour % 24 == 0 => {
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
