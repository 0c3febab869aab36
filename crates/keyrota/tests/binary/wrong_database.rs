//! What can be wrong where Keyrota keeps its own: keys, the database, the disk.

use std::{
    fs,
    process::{Command, Stdio},
};

use crate::{
    consumer::Consumer,
    end_state::{check_at_rest, check_overlap, check_renewed},
    world::World,
    wrong_input::{check_said, said, small},
};

#[test]
fn the_root_key_of_another_installation() {
    let world = small();
    let before = world.live();
    world.run().exits(0);
    let key = world.folder().join("root.key");
    let right = fs::read(&key).unwrap();
    fs::copy(small().folder().join("root.key"), &key).unwrap();
    let writes = world.writes();
    for command in ["run --once", "status", &format!("secret get {}", before[0].path())] {
        let ran = world.keyrota(command);
        insta::allow_duplicates! { insta::assert_snapshot!(said(&world, &ran), @r#"
        exit 1
        error[KR0406]: the root key does not open this database
          state: nothing was changed
          hint: point `root_key` of the configuration at the key that this database was made with
        "#); }
        assert_eq!(ran.stdout, "");
    }
    assert_eq!(world.writes(), writes);
    fs::write(&key, right).unwrap();
    check_overlap(&world, &before);
}

#[test]
fn no_root_key() {
    let world = small();
    fs::remove_file(world.folder().join("root.key")).unwrap();
    check_said!(world, world.keyrota("run --once"), @r#"
    exit 2
    error[KR0404]: the root key cannot be read
      cause: the file [folder]/root.key cannot be read: No such file or directory (os error 2)
      state: nothing was changed
      hint: put the root key where `root_key` of the configuration says; `keyrota init` makes one for a new database
    "#);
    fs::write(world.folder().join("root.key"), "open sesame\n").unwrap();
    check_said!(world, world.keyrota("run --once"), @r#"
    exit 2
    error[KR0405]: the root key is malformed
      cause: it does not start with `keyrota-root-key-1:`
      state: nothing was changed
      hint: restore the one line that `keyrota init` wrote; without it no sealed secret opens
    "#);
}

#[test]
fn no_database_yet() {
    let world = small();
    check_said!(world, world.keyrota("status"), @r#"
    exit 1
    error[KR0409]: there is no database at [folder]/data/keyrota.db
      state: nothing was changed
      hint: `keyrota discover` makes it; or correct `data_dir` of the configuration
    "#);
    check_said!(world, world.keyrota("credential list"), @r#"
    exit 1
    error[KR0409]: there is no database at [folder]/data/keyrota.db
      state: nothing was changed
      hint: `keyrota discover` makes it; or correct `data_dir` of the configuration
    "#);
}

/// Bytes in the middle of the file are overwritten, the file is cut, or it is not a database at all.
#[test]
fn a_damaged_database() {
    let world = small();
    let before = world.live();
    world.run().exits(0);
    let file = world.data().join("keyrota.db");
    let right = fs::read(&file).unwrap();
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 4] = [
        ("pages overwritten", |bytes| bytes[4096..40_960].fill(0xa5)),
        ("cut off", |bytes| bytes.truncate(bytes.len() / 2 + 100)),
        ("not a database", |bytes| *bytes = b"hello, I am a text file\n".repeat(500)),
        ("empty", Vec::clear),
    ];
    let writes = world.writes();
    for (what, damage) in damages {
        let mut bytes = right.clone();
        damage(&mut bytes);
        fs::write(&file, &bytes).unwrap();
        let ran = world.keyrota("run --once");
        eprintln!("{what}: {}", said(&world, &ran));
        assert_eq!(ran.code, Some(1), "{what}: {ran:?}");
        assert!(ran.stderr.starts_with("error[KR0402]: "), "{what}: {}", ran.stderr);
        assert!(ran.stderr.contains("\n  hint: keep the file, and restore"), "{what}: {}", ran.stderr);
        assert_eq!(world.writes(), writes, "{what}");
        assert_eq!(fs::read(&file).unwrap(), bytes, "{what}: what is left of it was written to");
    }
    // Restored, everything goes on.
    fs::write(&file, &right).unwrap();
    check_overlap(&world, &before);
    world.advance("6d");
    world.run_to_rest();
    check_renewed(&world, &before);
}

/// A whole-catalog listing that takes a second keeps the first process at work while the second one comes.
#[test]
fn a_second_process_at_work() {
    let world = World::new("--consumer-orgs 1 --apps 2 --age 95d --latency 500");
    let mut first = world.command("run --once").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // It holds the lock from before its first call.
    while world.calls().is_empty() {
        assert!(first.try_wait().unwrap().is_none());
    }
    for command in ["run --once", "plan", "discover"] {
        let ran = world.keyrota(command).exits(1);
        let text = said(&world, &ran).replace(&first.id().to_string(), "[pid]");
        insta::allow_duplicates! { insta::assert_snapshot!(text, @r#"
        exit 1
        error[KR0401]: another keyrota process ([pid]) is at work on this database
          state: nothing was changed
          hint: wait until it has ended, or end it
        "#); }
    }
    // What only reads, and a person's word, do not have to wait.
    world.keyrota("status").exits(0);
    assert!(first.try_wait().unwrap().is_none(), "the first process was too quick for this test");
    assert!(first.wait().unwrap().success());
    assert_eq!(world.live().len(), 4);
}

/// Runs a script as the only user of a disk of sixteen megabytes at `data`, which vanishes with it.
fn on_a_small_disk(world: &World, script: &str) -> Option<(String, String)> {
    let mount = "mount -t tmpfs -o size=16m tmpfs data";
    fs::create_dir(world.data()).unwrap();
    let possible = Command::new("unshare").args(["-rm", "sh", "-c", mount]).current_dir(world.folder()).output();
    if !possible.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no disk of a given size can be had here (`unshare -rm` and `mount -t tmpfs`)");
        return None;
    }
    let binary = env!("CARGO_BIN_EXE_keyrota");
    let script = format!("set -e\n{mount}\nkeyrota() {{ '{binary}' --config keyrota.toml \"$@\"; }}\n{script}");
    let output =
        Command::new("unshare").args(["-rm", "sh", "-c", &script]).current_dir(world.folder()).output().unwrap();
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{stdout}\n{stderr}");
    Some((stdout, stderr))
}

/// The disk is full from the start, or fills up on the way; nothing that was told to the platform is forgotten.
#[test]
fn a_full_disk() {
    for left_kb in [0, 150, 600, 1200] {
        let world = World::new("--consumer-orgs 10 --apps 8 --age 95d");
        let before = world.live();
        let consumer = Consumer::start(&world, &before);
        let script = format!(
            "dd if=/dev/zero of=data/filler bs=1k count=$((16384 - {left_kb})) 2>/dev/null || true
             code=0; keyrota run --once || code=$?
             echo \"exit $code\"
             rm data/filler
             keyrota run --once >&2
             cp -a data kept"
        );
        let Some((stdout, stderr)) = on_a_small_disk(&world, &script) else { return };
        eprintln!("{left_kb}: {stdout}{stderr}");
        assert!(stdout.ends_with("exit 1\n"), "{left_kb} kB left: {stdout}{stderr}");
        assert!(stderr.contains("error[KR0403]: "), "{left_kb} kB left: {stderr}");
        assert!(stderr.contains("\n  hint: make room on the disk"), "{left_kb} kB left: {stderr}");
        fs::remove_dir(world.data()).unwrap();
        fs::rename(world.folder().join("kept"), world.data()).unwrap();
        check_overlap(&world, &before);
        consumer.catch_up();
        world.advance("6d");
        world.run_to_rest();
        check_renewed(&world, &before);
        check_at_rest(&world);
        consumer.was_served();
    }
}

/// A database is made on a disk that has room for a part of it only.
#[test]
fn a_disk_too_small_for_a_new_database() {
    let world = small();
    let script = "for left in 0 40 80 120 160 200 240 280 320 360 400 440 480; do
         rm -rf data/*
         dd if=/dev/zero of=data/filler bs=1k count=$((16384 - left)) 2>/dev/null || true
         code=0; keyrota discover >/dev/null 2>&1 || code=$?
         echo $code
         rm data/filler
         keyrota discover >/dev/null
         keyrota plan >&2
     done";
    let Some((stdout, stderr)) = on_a_small_disk(&world, script) else { return };
    let mut codes: Vec<&str> = stdout.lines().collect();
    codes.dedup();
    assert_eq!(codes, ["1", "0"], "{stdout}{stderr}");
}

/// What is there can be read when nothing more can be written, and who writes hears why it cannot be.
#[test]
fn a_full_disk_is_read_from() {
    let world = small();
    let path = world.live()[0].path();
    let script = format!(
        "keyrota run --once >&2
         dd if=/dev/zero of=data/filler bs=1k 2>/dev/null || true
         keyrota status >/dev/null
         keyrota credential list >/dev/null
         keyrota secret get {path} --field client_id
         for command in 'run --once' 'discover' 'check' 'secret put a/b'; do
             code=0; echo '{{\"a\":\"b\"}}' | keyrota $command 2>said || code=$?
             echo \"exit $code\"
             head -2 said
         done
         rm data/filler
         keyrota run --once >&2"
    );
    let Some((stdout, stderr)) = on_a_small_disk(&world, &script) else { return };
    let (client_id, rest) = stdout.split_once('\n').unwrap();
    assert!(world.live().iter().any(|one| one.client_id == client_id), "{stdout}{stderr}");
    let refused = "exit 1\nerror[KR0403]: the database cannot be opened\n  cause: the disk is full\n";
    assert_eq!(rest, refused.repeat(4), "{stderr}");
}

/// As a backup that is mounted to be looked into: there is no log, and none can be made.
#[test]
fn a_disk_that_is_read_only_is_read_from() {
    let world = small();
    let path = world.live()[0].path();
    let script = format!(
        "keyrota run --once >&2
         ls data
         mount -o remount,ro data
         keyrota status >/dev/null
         keyrota secret get {path} --field client_id
         code=0; keyrota check >/dev/null || code=$?
         echo \"exit $code\"
         ls data"
    );
    let Some((stdout, stderr)) = on_a_small_disk(&world, &script) else { return };
    let lines: Vec<&str> = stdout.lines().collect();
    let ["engine.lock", "keyrota.db", client_id, "exit 1", "engine.lock", "keyrota.db"] = lines[..] else {
        panic!("{stdout}{stderr}")
    };
    assert!(world.live().iter().any(|one| one.client_id == client_id), "{stdout}{stderr}");
}

/// Under a limit on the size of files, which needs no disk of its own: at whatever point there is no more room, what is
/// there stays whole, is read, and goes on when there is room again.
#[test]
fn no_room_at_any_point() {
    let world = small();
    let limited = |blocks: u32, arguments: &str| {
        let mut command = Command::new("sh");
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
        command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_keyrota"), "--config", "keyrota.toml"]);
        command.args(arguments.split_whitespace()).current_dir(world.folder()).env_clear().stdin(Stdio::piped());
        world.perform(arguments, &mut command, r#"{"key": "new"}"#)
    };
    let (mut refused, mut done) = (0, 0);
    for blocks in (0..800).step_by(50) {
        fs::remove_dir_all(world.data()).ok();
        match limited(blocks, "secret put acme/key").code {
            Some(0) => done += 1,
            Some(1) => refused += 1,
            other => panic!("{blocks}: {other:?}"),
        }
        world.keyrota_reads("secret put acme/key", r#"{"key": "old"}"#).exits(0);
        let put = limited(blocks, "secret put acme/key");
        let get = limited(blocks, "secret get acme/key --field key").exits(0).stdout;
        let expected = if put.code == Some(0) { "new\n" } else { "old\n" };
        assert_eq!(get, expected, "{blocks}: {}", put.stderr);
        assert_eq!(world.keyrota("secret get acme/key --field key").exits(0).stdout, expected, "{blocks}");
    }
    assert!(refused > 2 && done > 2, "refused: {refused}, done: {done}");
}
