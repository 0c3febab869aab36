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

/// A world that delivers to a mount of OpenBao, with a login of these rights.
fn delivering(bao: &Bao, policy: &str) -> World {
    let world = World::new("--consumer-orgs 1 --apps 1 --credentials 1 --age 95d");
    call(bao, "PUT", "sys/policies/acl/tested", &json!({ "policy": policy }));
    let made = call(bao, "POST", "auth/token/create", &json!({ "policies": ["tested"] }));
    fs::write(world.folder().join("vault.token"), made["auth"]["client_token"].as_str().unwrap()).unwrap();
    let store = format!(
        "driver = \"vault_kv2\"\naddress = \"{}\"\nauth = {{ method = \"token\", token = {{ file = \"vault.token\" }} }}",
        bao.address()
    );
    world.reconfigure("driver = \"embedded\"", &store);
    world
}

#[test]
fn what_the_store_would_refuse_is_said_by_check_and_before_anything_is_issued() {
    let bao = bao();
    let world = delivering(&bao, &policy());
    let checked = world.keyrota("check").exits(1);
    assert!(checked.stderr.contains("`read` on `secret/data/apic/keyrota-preflight/"), "{}", checked.stderr);
    let run = world.run().exits(3);
    assert!(run.stderr.contains("set `readable = false`"), "{}", run.stderr);
    assert_eq!(world.live().len(), 1, "nothing was issued");

    let world = delivering(&bao, &policy().replace("\"create\", \"update\"]", "\"create\", \"update\", \"read\"]"));
    world.keyrota("check").exits(0);
    call(&bao, "POST", "secret/config", &json!({ "delete_version_after": "30m" }));
    // The login cannot read the mount's settings; what the mount gives to a secret, it sees.
    let one = world.live().remove(0);
    call(&bao, "POST", &format!("secret/metadata/{}", one.path()), &json!({ "delete_version_after": "30m" }));
    let run = world.run().exits(3);
    assert!(run.stderr.contains("set its `delete_version_after` to 0s"), "{}", run.stderr);
    assert_eq!(world.live().len(), 1, "nothing was issued");
}

#[test]
fn a_mount_of_another_environment_than_its_store_fails_the_check() {
    let bao = bao();
    let world = delivering(&bao, "path \"secret/*\" { capabilities = [\"create\", \"update\", \"read\", \"patch\"] }");
    call(&bao, "POST", "sys/mounts/secret/tune", &json!({ "description": "environment=staging" }));
    world.keyrota("check").exits(0);
    world.reconfigure("driver = \"vault_kv2\"", "driver = \"vault_kv2\"\nenvironment = \"production\"");
    world.reconfigure("[[policy]]", "[[policy]]\nenvironment = \"production\"");
    let checked = world.keyrota("check").exits(1);
    assert!(
        checked.stderr.contains("wrong place: `secret` belongs to the environment `staging`"),
        "{}",
        checked.stderr
    );
}
