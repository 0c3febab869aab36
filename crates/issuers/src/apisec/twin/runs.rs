//! The one project of the tenant, and its scans: as much of them as a CI job that holds a token goes through.

use jiff::Timestamp;
use serde_json::{Value, json};
use twin::Reply;

use super::ApiSec;

const PROJECT: &str = "Payments";
const PROJECT_ID: &str = "8a80000000000000000000000000ef01";
/// A scan waits so many seconds, and is done after so many; CI scripts ask every five.
const WAITS_SECONDS: i64 = 5;
const DONE_AFTER_SECONDS: i64 = 20;
const TESTS: u32 = 120;

pub(super) struct Run {
    id: String,
    started_at: Timestamp,
}

impl ApiSec {
    /// A call with a good token.
    pub(super) fn project_call(&mut self, now: Timestamp, method: &str, path: &str) -> Reply {
        let below: Vec<&str> = path.trim_start_matches("/api/v1/").split('/').collect();
        match (method, below.as_slice()) {
            ("GET", ["projects"] | ["projects", "myProjects"]) => self.envelope(json!([project()])),
            ("GET", ["projects", "find-by-name", name]) if is_ours(name) => self.envelope(project()),
            ("GET", ["projects", "find-by-name", _]) => self.failed("Project not found"),
            ("POST", ["runs", "project" | "projectName", name]) if is_ours(name) => self.start_run(now),
            ("POST", ["runs", "project" | "projectName", _]) => self.failed("Project not found"),
            ("GET", ["runs", id]) => match self.runs.iter().position(|run| run.id == *id) {
                Some(at) => self.run(now, at),
                None => self.failed("Run not found"),
            },
            _ => self.spring(404, "Not Found", path),
        }
    }

    fn start_run(&mut self, now: Timestamp) -> Reply {
        self.runs.push(Run { id: self.random.hex(), started_at: now });
        self.run(now, self.runs.len() - 1)
    }

    fn run(&self, now: Timestamp, at: usize) -> Reply {
        let Some(run) = self.runs.get(at) else { return self.failed("Run not found") };
        let state = match now.duration_since(run.started_at).as_secs() {
            ..WAITS_SECONDS => "WAITING:0",
            WAITS_SECONDS..DONE_AFTER_SECONDS => "PROCESSING:50",
            _ => "COMPLETED:100",
        };
        let number = at + 1;
        self.envelope(json!({
            "id": run.id,
            "ciCdStatus": format!("{state}:{TESTS}:0:x:x:{number}:/#/app/runs/{number}"),
            "task": { "totalTests": TESTS },
            "job": { "project": { "id": PROJECT_ID } },
        }))
    }
}

fn project() -> Value {
    json!({ "id": PROJECT_ID, "name": PROJECT })
}

fn is_ours(name: &str) -> bool {
    name.eq_ignore_ascii_case(PROJECT)
}
