//! A folder with a configuration and a root key, and a twin in a process of its own.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::Mutex,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::Client;

const BINARY: &str = env!("CARGO_BIN_EXE_keyrota");

/// One credential as the platform knows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Known {
    pub(crate) consumer_org: String,
    pub(crate) app: String,
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) id: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) live: bool,
}

impl Known {
    /// Its path in the embedded store, before and after a rotation.
    pub(crate) fn path(&self) -> String {
        format!("apic/{}/{}/{}", self.consumer_org, self.app, self.name)
    }

    pub(crate) fn names(&self) -> [&str; 4] {
        [&self.consumer_org, &self.app, &self.name, &self.title]
    }
}

/// How a process of ours ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ran {
    what: String,
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    fn new(what: String, output: Output) -> Self {
        use std::os::unix::process::ExitStatusExt as _;
        Self {
            what,
            code: output.status.code(),
            signal: output.status.signal(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        let Self { what, stdout, stderr, .. } = &self;
        assert_eq!(self.code, Some(code), "{what}\nstdout: {stdout}\nstderr: {stderr}");
        assert!(!stderr.contains("panicked"), "{what}\n{stderr}");
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{}: {error}\n{}", self.what, self.stdout))
    }

    /// A stream: one object a line.
    #[track_caller]
    pub(crate) fn objects(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

pub(crate) struct World {
    folder: TempDir,
    twin: Child,
    pub(crate) announced: Value,
    /// `KEYROTA_LOG` of every command.
    pub(crate) log: Option<&'static str>,
    /// Everything that was printed, without what `secret get` is asked for.
    pub(crate) transcript: Mutex<String>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.twin.kill().ok();
        self.twin.wait().ok();
    }
}

impl World {
    /// The twin's own options, for example `--apps 4`, as one text.
    pub(crate) fn new(twin: &str) -> Self {
        Self::with_policy(twin, "")
    }

    /// With further keys in the policy.
    pub(crate) fn with_policy(twin: &str, policy: &str) -> Self {
        Self::of(&format!("ibm_apic {twin}"), |announced| Self::configuration(announced, policy))
    }

    /// On a twin of any platform, with a configuration made from what it announces.
    pub(crate) fn of(twin: &str, configuration: impl FnOnce(&Value) -> String) -> Self {
        let mut twin = Command::new(BINARY)
            .arg("twin")
            .args(twin.split_whitespace())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(twin.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let announced: Value = serde_json::from_str(&line).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new(BINARY).arg("init").arg(folder.path()).output().unwrap();
        assert!(made.status.success());
        let world = Self { folder, twin, announced, log: None, transcript: Mutex::default() };
        fs::write(world.config(), configuration(&world.announced)).unwrap();
        world
    }

    fn configuration(announced: &Value, policy: &str) -> String {
        let login = &announced["login"];
        let keys = ["provider_org", "catalog", "realm", "username", "password", "client_id", "client_secret"];
        let login: String = keys.iter().map(|key| format!("{key} = {}\n", login[key])).collect();
        format!(
            r#"
data_dir = "data"
root_key = {{ file = "root.key" }}

[[issuer]]
name = "apic"
driver = "ibm_apic"
endpoint = {base_url}
{login}
[[store]]
name = "local"
driver = "embedded"

[[policy]]
name = "ninety"
match = "apic/**"
rotate_after = "90d"
overlap = "5d"
quiet_for = "24h"
retire_after = "100d"
{policy}
deliver = [{{ store = "local", path = "apic/{{consumer_org}}/{{app}}/{{credential}}" }}]

[policy.verify]
url = "{gateway}/ping"
headers = {{ X-IBM-Client-Id = "{{client_id}}", X-IBM-Client-Secret = "{{client_secret}}" }}
expect = 200
"#,
            base_url = announced["base_url"],
            gateway = announced["gateway_url"].as_str().unwrap(),
        )
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder().join("keyrota.toml")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder().join("data")
    }

    /// Changes a text of the configuration, which must be there.
    #[track_caller]
    pub(crate) fn reconfigure(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.config()).unwrap();
        assert!(text.contains(from), "the configuration has no `{from}`");
        fs::write(self.config(), text.replace(from, to)).unwrap();
    }

    /// The command with this world's configuration, arguments as one text.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(BINARY);
        command.arg("--config").arg(self.config()).args(arguments.split_whitespace()).current_dir(self.folder());
        command.env_clear().stdin(Stdio::null());
        if let Some(log) = self.log {
            command.env("KEYROTA_LOG", log);
        }
        command
    }

    pub(crate) fn keyrota(&self, arguments: &str) -> Ran {
        self.perform(arguments, &mut self.command(arguments), "")
    }

    /// With this text on standard input.
    pub(crate) fn keyrota_reads(&self, arguments: &str, stdin: &str) -> Ran {
        self.perform(arguments, self.command(arguments).stdin(Stdio::piped()), stdin)
    }

    pub(crate) fn perform(&self, what: &str, command: &mut Command, stdin: &str) -> Ran {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        if let Some(mut pipe) = child.stdin.take() {
            pipe.write_all(stdin.as_bytes()).unwrap();
        }
        let ran = Ran::new(format!("keyrota {what}"), child.wait_with_output().unwrap());
        let mut transcript = self.transcript.lock().unwrap();
        if !what.starts_with("secret get") {
            transcript.push_str(&ran.stdout);
        }
        transcript.push_str(&ran.stderr);
        ran
    }

    pub(crate) fn control(&self) -> Client {
        Client::new(self.announced["control_url"].as_str().unwrap())
    }

    pub(crate) fn gateway(&self) -> Client {
        Client::new(self.announced["gateway_url"].as_str().unwrap())
    }

    pub(crate) fn advance(&self, by: &str) {
        self.control().post("/clock", &json!({ "advance": by }));
    }

    pub(crate) fn fault(&self, fault: &str) {
        self.control().post("/fault", &json!({ "fault": fault }));
    }

    pub(crate) fn clear_faults(&self) {
        self.control().post("/fault", &json!({ "clear": true }));
    }

    /// Acts as a person at the platform's console.
    pub(crate) fn tamper(&self, action: &Value) -> Value {
        self.control().post("/tamper", action)
    }

    /// Every credential that the platform has or had, in the order in which they were made.
    pub(crate) fn known(&self) -> Vec<Known> {
        let state = self.control().get_json("/state");
        let text = |object: &Value, key: &str| object[key].as_str().unwrap().to_owned();
        let known = |one: &Value| Known {
            consumer_org: text(one, "consumer_org"),
            app: text(one, "app"),
            name: text(one, "name"),
            title: text(one, "title"),
            id: text(one, "id"),
            client_id: text(one, "client_id"),
            client_secret: text(one, "client_secret"),
            live: one["live"].as_bool().unwrap(),
        };
        state["credentials"].as_array().unwrap().iter().map(known).collect()
    }

    pub(crate) fn live(&self) -> Vec<Known> {
        self.known().into_iter().filter(|one| one.live).collect()
    }

    pub(crate) fn by_id(&self) -> BTreeMap<String, Known> {
        self.known().into_iter().map(|one| (one.id.clone(), one)).collect()
    }

    pub(crate) fn calls(&self) -> Vec<Value> {
        self.control().get_json("/calls").as_array().unwrap().clone()
    }

    /// Method and path of every call so far that could change something at the platform.
    pub(crate) fn writes(&self) -> Vec<(String, String)> {
        let is_write = |call: &&Value| {
            let only_asks = call["method"] == "GET" || call["route"] == "login" || call["route"] == "verify";
            call["side"] == "platform" && !only_asks
        };
        let line =
            |call: &Value| (call["method"].as_str().unwrap().to_owned(), call["path"].as_str().unwrap().to_owned());
        self.calls().iter().filter(is_write).map(line).collect()
    }
}

/// A command at a terminal of its own. What stands on it is what a person sees.
#[cfg(target_os = "linux")]
pub(crate) struct Terminal {
    process: Child,
    screen: std::process::ChildStdout,
    shown: String,
}

#[cfg(target_os = "linux")]
impl Terminal {
    /// Arguments as one text. The terminal is that of `script`, which every Linux has.
    pub(crate) fn open(world: &World, arguments: &str) -> Self {
        let command = format!("'{BINARY}' --config '{}' {arguments}", world.config().display());
        let mut process = Command::new("script")
            .args(["--quiet", "--return", "--flush", "--command", &command, "/dev/null"])
            .current_dir(world.folder())
            .env("SHELL", "/bin/sh")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let screen = process.stdout.take().unwrap();
        Self { process, screen, shown: String::new() }
    }

    #[track_caller]
    pub(crate) fn read_until(&mut self, text: &str) {
        while !self.shown.contains(text) {
            let mut bytes = [0; 256];
            let read = std::io::Read::read(&mut self.screen, &mut bytes).unwrap();
            assert!(read > 0, "it ended with: {}", self.shown);
            self.shown.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
    }

    pub(crate) fn types(&mut self, text: &str) {
        self.process.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Everything that was shown.
    #[track_caller]
    pub(crate) fn ends_with(mut self, code: i32) -> String {
        std::io::Read::read_to_string(&mut self.screen, &mut self.shown).unwrap();
        assert_eq!(self.process.wait().unwrap().code(), Some(code), "{}", self.shown);
        self.shown
    }
}
