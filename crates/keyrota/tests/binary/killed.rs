//! The process dies, by its own hand at every named point and by kill -9 at any moment. The next run goes on, and
//! consumers never notice.

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader},
    os::unix::process::ExitStatusExt as _,
    process::Stdio,
    time::Duration,
};

use promises::Promise;
use serde_json::json;

use crate::{
    account::{check_promises, check_promises_at_rest, promises_broken},
    consumer::{Consumer, Reader, pair},
    end_state::{check_at_rest, check_renewed},
    http::Client,
    world::{Known, World},
};

const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;

/// What has to happen in a small estate before a step comes.
#[derive(Clone, Copy)]
enum Before {
    Nothing,
    /// The overlap is over.
    Overlap,
    /// A whole rotation, so that the old version's secret is ours, and another overlap.
    RotationAndOverlap,
}

impl Before {
    fn happens_in(self, world: &World) {
        match self {
            Self::Nothing => {}
            Self::Overlap => {
                world.run_to_overlap();
                world.advance("6d");
            }
            Self::RotationAndOverlap => {
                Self::Overlap.happens_in(world);
                world.run_to_rest();
                world.advance("90d");
                Self::Overlap.happens_in(world);
            }
        }
    }
}

/// What consumers read at this moment is accepted.
#[track_caller]
fn check_served(world: &World, before: &[Known], point: &str) {
    let (mut reader, mut gateway) = (Reader::new(world), world.gateway());
    for one in before {
        let read = reader.read(&one.path()).unwrap_or_else(|| pair(one));
        assert_eq!(gateway.ping(&read.client_id, &read.client_secret), 200, "{} after {point}", one.path());
    }
}

/// Dies in the third credential that comes to the point, so that others are further and others behind.
#[track_caller]
fn check_dying_at(step: &str, happens: Before) {
    for moment in ["begun", "effect", "finished"] {
        let world = World::new("--consumer-orgs 2 --apps 2 --age 95d");
        let oldest = world.live();
        happens.happens_in(&world);
        let point = format!("{step}:{moment}");
        let mut command = world.command("run --once");
        command.env("KEYROTA_CRASH_AT", format!("{point}:3"));
        let died = world.perform("run --once", &mut command, "");
        assert_eq!(died.signal, Some(SIGABRT), "{point} was not passed: {died:?}");
        check_served(&world, &oldest, &point);

        world.run_to_overlap();
        check_served(&world, &oldest, &point);
        world.advance("6d");
        world.run_to_rest();
        check_renewed(&world, &oldest);
        check_at_rest(&world);
    }
}

#[test]
fn dying_while_it_issues() {
    check_dying_at("issue", Before::Nothing);
}

#[test]
fn dying_while_it_delivers() {
    for step in ["write", "verify", "promote", "confirm"] {
        check_dying_at(step, Before::Nothing);
    }
}

#[test]
fn dying_while_it_proves_once_more() {
    for step in ["watch", "verify", "confirm"] {
        check_dying_at(step, Before::Overlap);
    }
}

#[test]
fn dying_while_it_revokes() {
    for step in ["revoke", "prove_dead"] {
        check_dying_at(step, Before::Overlap);
    }
}

#[test]
fn dying_while_it_tidies_up() {
    for step in ["rename", "complete"] {
        check_dying_at(step, Before::Overlap);
    }
    check_dying_at("purge", Before::RotationAndOverlap);
}

/// Runs, and kills the process when it has told so many lines of what it does. Whether it was killed: it may have
/// ended before.
fn killed_after(world: &World, lines: u64) -> bool {
    let mut command = world.command("run --once");
    command.env("KEYROTA_LOG", "trace").stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let told = BufReader::new(child.stderr.take().unwrap()).lines();
    let enough = told.map(Result::unwrap).nth(usize::try_from(lines).unwrap());
    child.kill().unwrap();
    let status = child.wait().unwrap();
    // The platform was in trouble, or something waits for a person: both are said by the end.
    assert!(enough.is_some() || matches!(status.code(), Some(0 | 1 | 3)), "{status}");
    status.signal() == Some(SIGKILL)
}

/// A small generator: the same moments in every run of the test.
struct Moments(u64);

impl Moments {
    /// Small numbers more often than large ones: the beginning of a run, where what was in doubt is settled, is as
    /// worth dying in as the rest.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (range, place) = (self.0 >> 61, (self.0 >> 33) & 0xfff_ffff);
        place % (8 << range)
    }
}

/// What the platform does to one call in twenty, each. It asks to wait for a whole second, so that is rarer.
const FAULTS: [&str; 5] = ["timeout_after:0.05", "error:0.05", "throttle:0.005", "stale_list:0.05", "lag:0.05"];

/// The gateway's log holds every call of the consumers, and each check reads all of it.
const PACE: Duration = Duration::from_millis(4);

#[test]
fn killed_three_hundred_times_on_the_way() {
    const KILLS: usize = 300;
    let world = World::new("--consumer-orgs 50 --apps 4 --age 95d");
    let oldest = world.live();
    assert_eq!(oldest.len(), 200);
    let consumer = Consumer::paced(&world, &oldest, PACE);
    let mut moments = Moments(17);
    let mut kills = 0;
    // The end of a season is the end of an overlap, then of a version's life.
    for season in ["6d", "90d", "6d", "90d"] {
        FAULTS.iter().for_each(|fault| world.fault(fault));
        let until = kills + KILLS / 4;
        while kills < until && killed_after(&world, moments.next()) {
            kills += 1;
        }
        // What is left of the kills, where a run came to its end before its moment.
        while kills < until {
            kills += usize::from(killed_after(&world, moments.next() % 24));
        }
        world.run();
        world.clear_faults();
        world.run_to_overlap();
        consumer.catch_up();
        check_promises(&world, &oldest);
        world.advance(season);
    }
    assert_eq!(kills, KILLS);
    world.run_to_overlap();
    consumer.catch_up();
    world.advance("6d");
    world.run_to_rest();
    check_renewed(&world, &oldest);
    check_at_rest(&world);
    consumer.was_served();
    check_promises_at_rest(&world, &oldest);
}

/// What is checked above can be broken: somebody with our login revokes an old version in its overlap.
#[test]
fn a_version_that_goes_too_soon_is_seen() {
    let world = World::new("--consumer-orgs 1 --apps 1 --age 95d");
    let oldest = world.live();
    let consumer = Consumer::start(&world, &oldest);
    world.run().exits(0);
    consumer.catch_up();
    assert_eq!(promises_broken(&world, &oldest), []);

    let (method, path) = world.writes().pop().unwrap();
    assert!(method == "POST" && path.ends_with("/credentials"), "{method} {path}");
    let mut platform = Client::new(world.announced["base_url"].as_str().unwrap().strip_suffix("/api").unwrap());
    let login = &world.announced["login"];
    let mut wanted = json!({ "grant_type": "password" });
    for key in ["username", "password", "realm", "client_id", "client_secret"] {
        wanted[key] = login[key].clone();
    }
    let token = platform.post("/api/token", &wanted)["access_token"].as_str().unwrap().to_owned();
    let headers = [("authorization", &*format!("Bearer {token}")), ("accept", "application/json")];
    let gone = platform.call("DELETE", &format!("{path}/{}", oldest[0].id), &headers, "");
    assert_eq!(gone.status, 200);

    consumer.was_served();
    let broken: BTreeSet<Promise> = promises_broken(&world, &oldest).into_iter().map(|it| it.promise).collect();
    assert_eq!(broken, BTreeSet::from([Promise::NeverRemovedInUse, Promise::Evidence]));
}
