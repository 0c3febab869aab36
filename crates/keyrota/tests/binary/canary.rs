//! Secrets stay secret: everything that is printed or written is searched for them.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::json;

use crate::world::World;

/// Shorter pieces would meet by chance; a secret that is cut or wrapped is still found.
const PIECE_BYTES: usize = 12;

/// What must be found nowhere, by what it is.
pub(crate) fn needles(world: &World) -> BTreeMap<String, Vec<u8>> {
    let login = &world.announced["login"];
    let mut secrets = vec![("root key".to_owned(), fs::read_to_string(world.folder().join("root.key")).unwrap())];
    for name in ["password", "client_secret", "api_key"] {
        secrets.push((name.to_owned(), login[name].as_str().unwrap().to_owned()));
    }
    for one in world.known() {
        secrets.push((format!("secret of {}", one.path()), one.client_secret));
    }
    // The head that all access tokens of the platform have.
    secrets.push(("access token".to_owned(), "eyJhbGciOiJSUzI1NiIs".to_owned()));
    let mut needles = BTreeMap::new();
    for (what, secret) in secrets {
        let secret = secret.trim().as_bytes();
        assert!(secret.len() >= PIECE_BYTES, "{what}");
        needles.insert(format!("{what}, its beginning"), secret[..PIECE_BYTES].to_vec());
        needles.insert(format!("{what}, its end"), secret[secret.len() - PIECE_BYTES..].to_vec());
    }
    needles
}

#[track_caller]
pub(crate) fn check_clean(needles: &BTreeMap<String, Vec<u8>>, place: &str, bytes: &[u8]) {
    for (what, needle) in needles {
        let at = bytes.windows(needle.len()).position(|window| window == needle);
        if let Some(at) = at {
            let around = &bytes[at.saturating_sub(200)..(at + 200).min(bytes.len())];
            panic!("{what} is in {place}: {}", String::from_utf8_lossy(around));
        }
    }
}

pub(crate) fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|file| (file.display().to_string(), fs::read(&file).unwrap())).collect()
}

#[test]
fn no_secret_is_printed_or_kept_in_clear() {
    let mut world = World::new("--consumer-orgs 2 --apps 3 --age 95d --leaky-reads --seed 3");
    world.log = Some("trace");
    let before = world.live();
    let path = before[0].path();
    let old = json!({ "client_id": before[0].client_id, "client_secret": before[0].client_secret }).to_string();
    let plan = world.folder().join("plan.json");

    for command in ["check", "discover", "status --output json", "credential list"] {
        world.keyrota(command).exits(0);
    }
    world.keyrota_reads(&format!("credential import {path}"), &old).exits(0);
    world.keyrota_reads(&format!("credential import {}", before[1].path()), &old).exits(1);
    world.keyrota_reads(&format!("credential import {}", before[1].path()), &before[1].client_secret).exits(2);
    world.keyrota(&format!("plan --out {}", plan.display())).exits(0);
    world.keyrota(&format!("run --once --plan {}", plan.display())).exits(0);
    world.keyrota(&format!("credential rotate {path}")).exits(0);
    world.keyrota(&format!("credential rollback {path} --output json")).exits(0);
    for fault in ["error:0.1", "timeout_after:0.1", "throttle:0.02", "conflict:0.2"] {
        world.fault(fault);
    }
    world.advance("6d");
    world.run_to_overlap();
    // Dead in the middle, so that the log of the database is there as a crash leaves it.
    let mut command = world.command(&format!("credential rotate {}", before[2].path()));
    command.env("KEYROTA_CRASH_AT", "write:effect");
    let died = world.perform("credential rotate", &mut command, "");
    assert_eq!(died.code, None, "{died:?}");
    let needles = needles(&world);
    assert!(world.data().join("keyrota.db-wal").exists());
    for (file, bytes) in files(&world.data()) {
        check_clean(&needles, &file, &bytes);
    }
    world.clear_faults();
    world.run();
    for command in ["credential show", "credential history", "secret versions"] {
        world.keyrota(&format!("{command} {path}")).exits(0);
        world.keyrota(&format!("{command} {path} --output json")).exits(0);
    }
    for command in ["secret list", "status", "plan --output json --until 90d"] {
        world.keyrota(command);
    }
    // What is wrong in the configuration is quoted, but not what may be a secret.
    let password = world.announced["login"]["password"].as_str().unwrap();
    let right = format!("password = \"{password}\"");
    for wrong in [
        format!("password = \"{password}"),
        format!("password = \"{password}\" x"),
        format!("pasword = \"{password}\""),
        format!("password = [\"{password}\"]"),
        format!("password = {{ env = \"NONE\", value = \"{password}\" }}"),
        format!("password = \"x{password}\""),
    ] {
        world.reconfigure(&right, &wrong);
        assert_ne!(world.keyrota("check").code, Some(0), "{wrong}");
        world.reconfigure(&wrong, &right);
    }
    world.keyrota("check").exits(0);

    check_clean(&needles, "what was printed", world.transcript.lock().unwrap().as_bytes());
    check_clean(&needles, "the plan", &fs::read(&plan).unwrap());
    for (file, bytes) in files(&world.data()) {
        check_clean(&needles, &file, &bytes);
    }
    // The search itself works: this is where secrets may be.
    let transcript = world.transcript.lock().unwrap().len();
    assert!(transcript > 100_000, "nothing was logged");
    let secret = world.keyrota(&format!("secret get {path} --output json")).exits(0);
    assert!(needles.values().any(|needle| secret.stdout.contains(std::str::from_utf8(needle).unwrap())));
}
