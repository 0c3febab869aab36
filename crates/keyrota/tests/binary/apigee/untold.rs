//! A key opens whatever asks for nothing else, so it is a secret like its companion: everything that is printed or
//! written is searched for both.

use std::{collections::BTreeMap, fs};

use serde_json::json;

use super::{keys, live, world};
use crate::{
    canary::{check_clean, files},
    world::World,
};

/// Shorter pieces would meet by chance; what is cut or wrapped is still found.
const PIECE_BYTES: usize = 12;
/// What a key of ours begins with is our mark, which is no secret.
const OURS: &str = "keyrota_";

fn needles(world: &World) -> BTreeMap<String, Vec<u8>> {
    let mut secrets = Vec::new();
    for one in keys(world) {
        let what = format!("{} that is {}", one.path(), one.name);
        secrets.push((format!("the key of {what}"), one.key));
        secrets.push((format!("the secret of {what}"), one.secret));
    }
    for name in ["password", "refresh_token"] {
        let login = world.announced["login"][name].as_str();
        secrets.extend(login.map(|login| (name.to_owned(), login.to_owned())));
    }
    let mut needles = BTreeMap::new();
    for (what, secret) in secrets {
        let bytes = secret.as_bytes();
        assert!(bytes.len() >= PIECE_BYTES, "{what}");
        needles.insert(format!("{what}, its end"), bytes[bytes.len() - PIECE_BYTES..].to_vec());
        if !secret.starts_with(OURS) {
            needles.insert(format!("{what}, its beginning"), bytes[..PIECE_BYTES].to_vec());
        }
    }
    needles
}

fn no_key_is_told(generation: &str) {
    let mut world = world(generation, "--developers 2 --groups 1 --apps 2 --age 95d --seed 5");
    world.log = Some("trace");
    let before = live(&world);
    let name = before[0].credential();
    let plan = world.folder().join("plan.json");
    for command in ["check", "discover", "status --output json", "credential list", "credential list --output json"] {
        world.keyrota(command).exits(0);
    }
    let held = json!({ "consumerKey": before[0].key, "consumerSecret": before[0].secret }).to_string();
    world.keyrota_reads(&format!("credential import {name}"), &held);
    world.keyrota(&format!("plan --out {}", plan.display())).exits(0);
    world.keyrota(&format!("run --once --plan {}", plan.display())).exits(0);
    for fault in ["error:0.15", "timeout_after:0.1", "conflict:0.2"] {
        world.fault(fault);
    }
    for _ in 0..4 {
        world.run();
        world.advance("1m");
    }
    world.advance("6d");
    for _ in 0..4 {
        world.run();
        world.advance("20m");
    }
    world.clear_faults();
    world.run_to_rest();
    // A key of ours is replaced as well, and the process dies in the middle: the database is left as a crash leaves it.
    let mut command = world.command(&format!("credential rotate {name} --reason tried"));
    command.env("KEYROTA_CRASH_AT", "write:effect");
    let died = world.perform("credential rotate", &mut command, "");
    assert_eq!(died.code, None, "{died:?}");
    assert!(world.data().join("keyrota.db-wal").exists());
    check_all_clean(&world, &plan);
    world.run();
    world.keyrota(&format!("credential rollback {name}"));
    // A key that is not there any more is spoken of, too.
    let gone = live(&world).remove(0);
    world.tamper(&json!({
        "action": "delete_credential", "developer": gone.developer, "app": gone.app, "name": gone.key,
    }));
    world.run();
    let path = before[0].path();
    for command in [("credential show", &name), ("credential history", &name), ("secret versions", &path)] {
        let (command, of) = command;
        world.keyrota(&format!("{command} {of}")).exits(0);
        world.keyrota(&format!("{command} {of} --output json")).exits(0);
    }
    for command in ["status", "secret list", "report", "plan --output json --until 90d"] {
        world.keyrota(command);
    }
    check_all_clean(&world, &plan);
    // The search itself works: this is where keys may be.
    let secret = world.keyrota(&format!("secret get {} --output json", before[1].path())).exits(0);
    let found = needles(&world).values().any(|needle| secret.stdout.contains(std::str::from_utf8(needle).unwrap()));
    assert!(found, "{generation}");
}

#[track_caller]
fn check_all_clean(world: &World, plan: &std::path::Path) {
    let needles = needles(world);
    let transcript = world.transcript.lock().unwrap();
    assert!(transcript.len() > 100_000, "nothing was logged");
    check_clean(&needles, "what was printed", transcript.as_bytes());
    check_clean(&needles, "the plan", &fs::read(plan).unwrap());
    for (file, bytes) in files(&world.data()) {
        check_clean(&needles, &file, &bytes);
    }
}

#[test]
fn no_key_of_x_is_told() {
    no_key_is_told("x");
}

#[test]
fn no_key_of_edge_is_told() {
    no_key_is_told("edge");
}
