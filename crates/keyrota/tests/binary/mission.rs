//! A service account's password that only the organisation's admin reads, and a token minted from it that developers
//! read and cannot change, in a vault, by a scheduled job that stores no secret.

use std::process::Command;

use aws_lc_rs::{
    encoding::{AsDer as _, PublicKeyX509Der},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use components::{Bao, bao};
use serde_json::{Value, json};

use crate::{
    http::Client,
    world::{Ran, World},
};

const PASSWORD: &str = "apisec/svc-ci/service-account";
const TOKEN: &str = "apisec/svc-ci/token";
const POLICIES: [&str; 3] = ["organisation-admin", "rotation-job", "developer"];

fn configuration(announced: &Value) -> String {
    let login = &announced["login"];
    format!(
        r#"
data_dir = "data"
root_key = {{ file = "root.key" }}

[[issuer]]
name = "apisec"
driver = "apisec"
endpoint = {}
tenant = {}
password_changed_by = "api"
accounts = [{{ name = "svc-ci", username = {}, password = {{ env = "APISEC_PASSWORD" }} }}]

[[store]]
name = "bao"
driver = "vault_kv2"
address = "BAO_ADDRESS"
environment = "production"
readable = false
auth = {{ method = "jwt", role = "keyrota", jwt = {{ env = "VAULT_ID_TOKEN" }} }}

[[policy]]
name = "passwords"
match = "apisec/*/*/password"
environment = "production"
deliver = [{{ store = "bao", path = "apisec/{{account}}/service-account" }}]

[[policy]]
name = "tokens"
match = "apisec/*/*/token"
environment = "production"
rotate_after = "11h"
deliver = [{{ store = "bao", path = "apisec/{{account}}/token" }}]
"#,
        announced["base_url"], login["tenant"], login["username"],
    )
}

struct Mission {
    world: World,
    bao: Bao,
    /// The scheduler's own identity token.
    identity: String,
}

impl Mission {
    fn new() -> Self {
        let bao = bao();
        let world = World::of("apisec --accounts 1", configuration);
        world.reconfigure("BAO_ADDRESS", &bao.address());
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let mission = Self { world, bao, identity: job_token(&key) };
        for name in POLICIES {
            let template = format!("policy template {name} --mount secret --password {PASSWORD} --token {TOKEN}");
            let text = mission.world.keyrota(&template).exits(0).stdout;
            mission.as_root("PUT", &format!("sys/policies/acl/{name}"), &json!({ "policy": text }));
        }
        mission.as_root("POST", "sys/auth/jwt", &json!({ "type": "jwt" }));
        mission.as_root("POST", "auth/jwt/config", &json!({ "jwt_validation_pubkeys": [public_pem(&key)] }));
        let role = json!({
            "role_type": "jwt", "user_claim": "sub", "bound_audiences": ["https://vault.example.com"],
            "bound_claims": { "project_path": "ops/keyrota" }, "token_policies": ["rotation-job"], "token_ttl": "1h",
        });
        mission.as_root("POST", "auth/jwt/role/keyrota", &role);
        mission
    }

    fn as_root(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.call(self.bao.root_token(), method, path, body);
        assert!(status < 300, "{path}: {status} {answer}");
        answer
    }

    fn call(&self, token: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let headers = [("x-vault-token", token), ("content-type", "application/json")];
        let answer = Client::new(&self.bao.address()).call(method, &format!("/v1/{path}"), &headers, &body.to_string());
        (answer.status, serde_json::from_slice(&answer.body).unwrap_or_default())
    }

    fn token_with(&self, policy: &str) -> String {
        let made = self.as_root("POST", "auth/token/create", &json!({ "policies": [policy] }));
        made["auth"]["client_token"].as_str().unwrap().to_owned()
    }

    /// One run as the scheduler starts it: all that it has is its own identity and the platform's first password.
    fn job(&self) -> Ran {
        let mut command: Command = self.world.command("run --once --output json");
        command.env("VAULT_ID_TOKEN", &self.identity);
        command.env("APISEC_PASSWORD", self.world.announced["login"]["password"].as_str().unwrap());
        self.world.perform("run", &mut command, "")
    }

    fn is_accepted(&self, token: &str) -> bool {
        let bearer = format!("Bearer {token}");
        self.world.gateway().get("/scan", &[("authorization", &bearer)]).status == 200
    }
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn job_token(key: &EcdsaKeyPair) -> String {
    let claims = json!({
        "sub": "project_path:ops/keyrota:ref_type:branch:ref:main", "aud": "https://vault.example.com",
        "project_path": "ops/keyrota", "exp": 4_000_000_000_u64, "iat": 1_700_000_000, "nbf": 1_700_000_000,
    });
    let text = format!("{}.{}", part(&json!({ "alg": "ES256", "typ": "JWT" })), part(&claims));
    let signature = key.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn public_pem(key: &EcdsaKeyPair) -> String {
    let der: PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der.as_ref()))
}

#[test]
fn only_the_admin_reads_the_password_and_developers_read_the_token() {
    let mission = Mission::new();
    mission.job().exits(0);
    let [admin, job, developer] = POLICIES.map(|name| mission.token_with(name));
    let value = |path: &str| format!("secret/data/{path}");
    let nothing = Value::Null;
    let by_hand = json!({ "data": { "token": "by hand" } });

    let (status, read) = mission.call(&developer, "GET", &value(TOKEN), &nothing);
    assert_eq!(status, 200);
    let first = read["data"]["data"]["token"].as_str().unwrap().to_owned();
    assert!(mission.is_accepted(&first));
    assert_eq!(mission.call(&developer, "GET", &value(PASSWORD), &nothing).0, 403);
    assert_eq!(mission.call(&developer, "POST", &value(TOKEN), &by_hand).0, 403);
    assert_eq!(mission.call(&developer, "DELETE", &value(TOKEN), &nothing).0, 403);
    assert_eq!(mission.call(&developer, "DELETE", &format!("secret/metadata/{TOKEN}"), &nothing).0, 403);
    assert_eq!(mission.call(&job, "GET", &value(PASSWORD), &nothing).0, 403);
    assert_eq!(mission.call(&job, "GET", &value(TOKEN), &nothing).0, 403);
    let (status, password) = mission.call(&admin, "GET", &value(PASSWORD), &nothing);
    assert_eq!(status, 200);
    let delivered = password["data"]["data"]["password"].as_str().unwrap().to_owned();
    assert_ne!(delivered, mission.world.announced["login"]["password"].as_str().unwrap(), "others knew that one");

    // Two days on a schedule of twice a day: each time developers find a token that works.
    let mut seen = vec![first];
    for _ in 0..4 {
        mission.world.advance("12h");
        mission.job().exits(0);
        let (_, read) = mission.call(&developer, "GET", &value(TOKEN), &nothing);
        let token = read["data"]["data"]["token"].as_str().unwrap().to_owned();
        assert!(mission.is_accepted(&token));
        assert!(!seen.contains(&token), "minted twice a day");
        seen.push(token);
    }
    let transcript = mission.world.transcript.lock().unwrap();
    assert!(
        seen.iter().chain([&delivered]).all(|secret| !transcript.contains(secret.as_str())),
        "a secret was printed"
    );
}
