//! A server in a process of its own.

use std::{
    collections::hash_map::RandomState,
    fmt,
    hash::{BuildHasher as _, Hasher as _},
    io::{BufRead as _, BufReader, Read},
    net::{Ipv4Addr, TcpListener},
    ops::Range,
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
    sync::{Arc, Condvar, Mutex, PoisonError, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use tempfile::TempDir;

/// Between choosing a free port and listening on it, somebody else can be faster; eight times in a row nobody is.
const PORT_RACES_MAX: u32 = 8;
/// The slowest one is ready in half a second; a machine that builds at the same time takes longer.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// Runs the server and waits for standard input to end, which happens when we drop it and when we die. Whichever of
/// the two ends first takes the whole process group along.
const WARDEN: &str = r#"{ "$@" </dev/null 2>&1; kill -9 0; } & read -r _; kill -9 0"#;

/// How a server is started.
pub struct Start {
    program: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    hidden: Vec<String>,
    file: Option<(String, String)>,
    ready_when: &'static str,
}

impl Start {
    /// `program` is one of the installed components.
    pub fn new(program: &str) -> Self {
        Self {
            program: program.to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            hidden: Vec::new(),
            file: None,
            ready_when: "",
        }
    }

    #[must_use]
    pub fn arguments<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        self.arguments.extend(arguments.into_iter().map(str::to_owned));
        self
    }

    /// `{port}` stands for the chosen port.
    #[must_use]
    pub fn argument_with_port(self, argument: &str) -> Self {
        self.arguments([argument])
    }

    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Shown nowhere, not even in the output that a failure quotes.
    #[must_use]
    pub fn hide(mut self, secret: &str) -> Self {
        self.hidden.push(secret.to_owned());
        self
    }

    /// A file in the server's folder, which is also where it runs. `{port}` and `{next_port}` stand for the chosen port
    /// and the one after it.
    #[must_use]
    pub fn file(mut self, name: &str, text: &str) -> Self {
        self.file = Some((name.to_owned(), text.to_owned()));
        self
    }

    /// The server is ready when a line of its output holds this.
    #[must_use]
    pub fn ready_when(mut self, text: &'static str) -> Self {
        self.ready_when = text;
        self
    }

    /// Starts it at a free port and waits until it is ready.
    ///
    /// # Panics
    /// With the server's output, when it does not get ready.
    #[must_use]
    pub fn start(self) -> Server {
        let mut last = String::new();
        for _ in 0..PORT_RACES_MAX {
            match self.start_at(free_port()) {
                Ok(server) => return server,
                Err(output) if output.to_lowercase().contains("address already in use") => last = output,
                Err(output) => last_words(&self.program, &output),
            }
        }
        last_words(&self.program, &last)
    }

    fn start_at(&self, port: u16) -> Result<Server, String> {
        let home = tempfile::tempdir().unwrap();
        if let Some((name, text)) = &self.file {
            let ports = [("{port}", port), ("{next_port}", port + 1)];
            let text = ports.iter().fold(text.clone(), |text, (mark, port)| text.replace(mark, &port.to_string()));
            std::fs::write(home.path().join(name), text).unwrap();
        }
        let arguments = self.arguments.iter().map(|argument| argument.replace("{port}", &port.to_string()));
        let mut child = Command::new("/bin/sh")
            .args(["-c", WARDEN, "warden"])
            .arg(crate::program(&self.program))
            .args(arguments)
            // Nothing of whoever runs the tests reaches the server, and nothing of it reaches their home.
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", home.path())
            .env("TMPDIR", home.path())
            .env("PYTHONUNBUFFERED", "1")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("sh starts");
        let output = Output::default();
        let (ready, drained) = output.clone().drain(child.stdout.take().unwrap(), self.ready_when, self.hidden.clone());
        let server = Server { port, child, output, drained: Some(drained), _home: home };
        match ready.recv_timeout(START_TIMEOUT) {
            Ok(()) => Ok(server),
            // Disconnected: it has ended. Else it is late. Dropping it takes it down.
            Err(_) => Err(server.output()),
        }
    }
}

impl fmt::Debug for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Start({})", self.program)
    }
}

/// A running server. Dropping it kills it and everything it started.
pub struct Server {
    port: u16,
    child: Child,
    output: Output,
    /// Ends when the last process that could print has ended.
    drained: Option<JoinHandle<()>>,
    _home: TempDir,
}

impl Server {
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `http://127.0.0.1:PORT`, without a final slash.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Waits until its output holds these texts in this order, be they past or to come.
    ///
    /// # Panics
    /// With the output, when that takes too long.
    pub fn wait_for(&self, texts: &[&str]) {
        if !self.output.wait_for(texts) {
            panic!("the server never said {texts:?}; it said:\n{}", self.output());
        }
    }

    /// What it has printed so far, without what was to be hidden.
    pub fn output(&self) -> String {
        self.output.text()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.address())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // The warden has killed its group, itself included: there is only its end to take note of.
        let _ = self.child.wait();
        if let Some(drained) = self.drained.take() {
            let _ = drained.join();
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Output(Arc<(Mutex<String>, Condvar)>);

impl Output {
    /// Reads to the end in a thread, so that the server never waits for us. The answer hears once, when `ready_when`
    /// was printed, and is disconnected when the output ends.
    fn drain(
        self,
        from: impl Read + Send + 'static,
        ready_when: &'static str,
        hidden: Vec<String>,
    ) -> (Ready, JoinHandle<()>) {
        let (tell, ready) = mpsc::channel();
        let drained = std::thread::spawn(move || {
            let mut tell = Some(tell);
            for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
                let mut line = String::from_utf8_lossy(&line).into_owned();
                for secret in &hidden {
                    line = line.replace(secret, "(..)");
                }
                let is_ready = line.contains(ready_when);
                self.add(&line);
                if is_ready && let Some(tell) = tell.take() {
                    // Nobody listens any more when the start took too long.
                    let _ = tell.send(());
                }
            }
        });
        (ready, drained)
    }

    fn add(&self, line: &str) {
        let mut text = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        text.push_str(line);
        text.push('\n');
        self.0.1.notify_all();
    }

    fn wait_for(&self, wanted: &[&str]) -> bool {
        let text = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let after = |rest: &str, wanted: &str| rest.find(wanted).map(|start| rest[start + wanted.len()..].to_owned());
        let lacks =
            |text: &mut String| wanted.iter().try_fold(text.clone(), |rest, wanted| after(&rest, wanted)).is_none();
        let waited = self.0.1.wait_timeout_while(text, START_TIMEOUT, lacks).unwrap_or_else(PoisonError::into_inner);
        !waited.1.timed_out()
    }

    fn text(&self) -> String {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

type Ready = mpsc::Receiver<()>;

/// An even port of which the next one is free too: OpenBao speaks to its peers there, and takes it only later. Below
/// those that systems give to whoever asks for any port, so that only another server of ours could take them.
fn free_port() -> u16 {
    const PAIRS: Range<u16> = 10_000..16_000;
    loop {
        let chance = RandomState::new().build_hasher().finish() % u64::from(PAIRS.end - PAIRS.start);
        let port = 2 * (PAIRS.start + u16::try_from(chance).unwrap());
        let is_free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        if is_free(port) && is_free(port + 1) {
            return port;
        }
    }
}

/// Unguessable enough for a server that lives for one test.
pub(crate) fn random() -> String {
    let number = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", number(), number())
}

fn last_words(program: &str, output: &str) -> ! {
    panic!("{program} did not get ready; it said:\n{output}")
}
