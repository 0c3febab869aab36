//! A run that is told to stop begins nothing further, finishes what is open, and says so; told once more, it ends at once.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::TcpListener,
    process::{Child, ChildStderr, Command, Stdio},
};

use crate::{
    end_state::{check_at_rest, check_renewed},
    world::World,
};

const SIGTERM: i32 = 15;

fn terminate(child: &Child) {
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
}

/// Begins a run that tells of everything it does.
fn begin(world: &World) -> (Child, BufReader<ChildStderr>) {
    let mut command = world.command("run --once --output json");
    command.env("KEYROTA_LOG", "engine=debug").stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let told = BufReader::new(child.stderr.take().unwrap());
    (child, told)
}

/// Steps of every credential that are not done, as they stand in the histories.
fn open_steps(world: &World) -> Vec<String> {
    let credentials = world.keyrota("credential list --output json").exits(0).objects();
    let histories = credentials.iter().map(|one| {
        let history = format!("credential history {} --output json", one["credential"].as_str().unwrap());
        world.keyrota(&history).exits(0).objects()
    });
    let open = |line: &serde_json::Value| line["phase"] != "done" && !line["phase"].is_null();
    histories.flatten().filter(open).map(|line| line.to_string()).collect()
}

#[test]
fn a_run_that_is_told_to_stop_leaves_no_step_open() {
    let world = World::new("--consumer-orgs 3 --apps 4 --age 95d --latency 40");
    let before = world.live();
    let (mut child, mut told) = begin(&world);
    // The canary is through, and the others are in the middle of it.
    let issued = told.by_ref().lines().map(Result::unwrap).filter(|line| line.contains("step=\"issue\"")).nth(2);
    assert!(issued.is_some());
    terminate(&child);
    let (mut said, mut out) = (String::new(), String::new());
    told.read_to_string(&mut said).unwrap();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{said}");
    let stopping: Vec<&str> = said.lines().filter(|line| line.contains("SIGTERM")).collect();
    assert_eq!(stopping.len(), 1, "{said}");
    assert!(stopping[0].starts_with("warning: SIGTERM: no further step begins"), "{said}");
    assert!(said.contains("error[KR0508]: a signal stopped the run before it was done"), "{said}");
    assert!(!said.contains("has come through yet"), "what was stopped waits for no proof: {said}");

    // What it tells is what it did, and it was not done.
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["stopped"], true);
    let issued = report["performed"]["issue"].as_u64().unwrap();
    assert_eq!(issued, world.known().len() as u64 - 12);
    assert!(report["performed"]["confirm"].as_u64().unwrap() < 12, "{report}");
    assert_eq!(open_steps(&world), Vec::<String>::new());

    let next = world.run().exits(0).json();
    assert_eq!(next["stopped"], false);
    assert_eq!(next["performed"]["issue"].as_u64().unwrap_or_default() + issued, 12, "each once: {next}");
    world.advance("6d");
    world.run_to_rest();
    check_renewed(&world, &before);
    check_at_rest(&world);
}

#[test]
fn told_twice_it_ends_at_once() {
    let world = World::new("--consumer-orgs 1 --apps 1 --age 95d");
    // The verify address takes the call and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let gateway = world.announced["gateway_url"].as_str().unwrap().to_owned();
    let address = format!("http://{}", silent.local_addr().unwrap());
    world.reconfigure(&gateway, &address);
    let (mut child, mut told) = begin(&world);
    let open = silent.accept().unwrap();
    terminate(&child);
    let warned = told.by_ref().lines().map(Result::unwrap).find(|line| line.contains("once more ends it at once"));
    assert!(warned.is_some(), "it waits for the open step");
    assert!(child.try_wait().unwrap().is_none());
    terminate(&child);
    assert_eq!(child.wait().unwrap().code(), Some(128 + SIGTERM));
    drop(open);

    world.reconfigure(&address, &gateway);
    world.run().exits(0);
    world.advance("6d");
    world.run_to_rest();
    check_at_rest(&world);
}

/// What is tried again by a later run is shown until then, with those that wait for it.
#[test]
fn what_a_run_called_out_is_shown_afterwards() {
    let world = World::new("--consumer-orgs 1 --apps 3 --age 95d");
    let first = world.live()[0].path();
    world.fault("error@issue");
    let (child, mut told) = begin(&world);
    assert!(told.by_ref().lines().map(Result::unwrap).any(|line| line.contains("step=\"issue\"")));
    terminate(&child);
    let mut said = String::new();
    told.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(1));
    let called_out = said.lines().find(|line| line.starts_with("warning: apic/")).unwrap();
    assert!(called_out.contains(&first) && called_out.contains("failed, trying again"), "{said}");

    let status = world.keyrota("status").exits(3);
    assert!(status.stderr.lines().any(|line| line == called_out), "{}", status.stderr);
    let halted = format!("warning: policy `ninety` is halted by {first}: ");
    assert!(status.stderr.contains(&halted), "{}", status.stderr);
    let status = world.keyrota("status --output json").exits(3).json();
    assert_eq!(status["halted_policies"], serde_json::json!(["ninety"]));
    assert_eq!(status["attention"][0]["finding"], "retrying");
    let listed = world.keyrota("credential list --attention --output json").exits(0).objects();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["credential"], first.as_str());

    world.clear_faults();
    world.run().exits(0);
    assert_eq!(world.live().len(), 6, "the others begin in the very run in which the first one comes through");
    let status = world.keyrota("status --output json").exits(0).json();
    assert_eq!((&status["halted_policies"], &status["attention"]), (&serde_json::json!([]), &serde_json::json!([])));
}
