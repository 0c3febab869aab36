//! A rotation into a real OpenBao over TLS, from the first look to the death of the old credential.

use std::fs;

use components::{Bao, bao};
use serde_json::{Value, json};

use crate::{
    http::Client,
    tls::{self, Certificate},
    world::{Known, World},
};

/// The policy that the guide shows, for the place to which this world delivers.
fn policy() -> String {
    include_str!("../../../stores/src/vault_kv2/policy.hcl")
        .replace("secret/data/app", "secret/data/apic")
        .replace("secret/metadata/app", "secret/metadata/apic")
        .replace("secret/destroy/app", "secret/destroy/apic")
}

fn call(bao: &Bao, method: &str, path: &str, body: &Value) -> Value {
    let token = [("x-vault-token", bao.root_token())];
    let answer = Client::new(&bao.address()).call(method, &format!("/v1/{path}"), &token, &body.to_string());
    assert!((200..300).contains(&answer.status), "{path}: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

fn token(bao: &Bao) -> String {
    call(bao, "PUT", "sys/policies/acl/keyrota", &json!({ "policy": policy() }));
    let wanted = json!({ "policies": ["keyrota"], "no_default_policy": true });
    let made = call(bao, "POST", "auth/token/create", &wanted);
    made["auth"]["client_token"].as_str().unwrap().to_owned()
}

/// Whether the gateway accepts what an application reads there.
fn is_served(world: &World, bao: &Bao, one: &Known) -> bool {
    let read = call(bao, "GET", &format!("secret/data/{}", one.path()), &Value::Null);
    let field = |name: &str| read["data"]["data"][name].as_str().unwrap().to_owned();
    world.gateway().ping(&field("client_id"), &field("client_secret")) == 200
}

#[test]
fn a_rotation_into_openbao_over_tls() {
    let world = World::new("--consumer-orgs 2 --apps 2 --credentials 1 --age 95d");
    let before = world.live();
    let bao = bao();
    let proxy = tls::before(&bao.address(), Certificate::OfAuthority);
    fs::write(world.folder().join("vault.token"), token(&bao)).unwrap();
    let store = format!(
        "driver = \"vault_kv2\"\naddress = \"{}\"\nreadable = false\ncheck_path = \"apic\"\n\
         auth = {{ method = \"token\", token = {{ file = \"vault.token\" }} }}",
        proxy.url
    );
    world.reconfigure("driver = \"embedded\"", &store);
    let checked = world.keyrota("check").exits(1);
    assert!(checked.stdout.contains("certificate not trusted"), "{}", checked.stdout);
    assert!(checked.stderr.contains("`ca_file` in the [[store]] table"), "{}", checked.stderr);

    fs::write(world.folder().join("ca.pem"), &proxy.authority).unwrap();
    world.reconfigure("driver = \"vault_kv2\"", "driver = \"vault_kv2\"\nca_file = \"ca.pem\"");
    let checked = world.keyrota("check").exits(0);
    assert!(checked.stdout.contains("writes are compared before they are made"), "{}", checked.stdout);

    let report = world.run().exits(0).json();
    assert_eq!(report["performed"]["confirm"], 4, "{report}");
    assert!(before.iter().all(|one| is_served(&world, &bao, one)));

    world.advance("6d");
    world.run_to_rest();
    assert_eq!(world.live().len(), 4, "the old ones are dead");
    assert!(before.iter().all(|one| is_served(&world, &bao, one)), "and nobody reads them");
    let transcript = world.transcript.lock().unwrap();
    for one in world.known() {
        assert!(!transcript.contains(&one.client_secret), "a secret was printed");
    }
}
