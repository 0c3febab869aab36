//! A real mail server (aiosmtpd) that keeps what it takes.

use std::{fs, path::PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::{Server, Start, server::random};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/smtp.py");
const USER: &str = "keyrota";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailTls {
    Starttls,
    Implicit,
    None,
}

/// One message that the server has taken.
#[derive(Debug, Clone)]
pub struct Mailed {
    pub to: Vec<String>,
    /// The connection was encrypted when it came.
    pub encrypted: bool,
    /// As it came, with its headers.
    pub data: String,
}

impl Mailed {
    /// The value of a header, unfolded.
    pub fn header(&self, name: &str) -> String {
        let unfolded = self.data.replace("\r\n ", " ");
        let line = unfolded.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_default().to_owned()
    }

    /// Without the soft line breaks of its encoding.
    pub fn text(&self) -> String {
        self.data.replace("=\r\n", "").replace("\r\n", "\n").replace("=20\n", " \n").replace("=3D", "=")
    }
}

/// Takes messages for everybody but `nobody@…`, from whoever logs in. What it has taken outlives a stop.
pub struct MailServer {
    folder: TempDir,
    tls: MailTls,
    password: String,
    server: Option<Server>,
}

impl MailServer {
    /// With a certificate for `localhost`, made for it alone.
    pub fn start(tls: MailTls) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
        fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        let mut mail = Self { folder, tls, password: format!("canary-{}", random()), server: None };
        mail.start_again();
        mail
    }

    /// At another port than before.
    pub fn start_again(&mut self) {
        let tls = match self.tls {
            MailTls::Starttls => "starttls",
            MailTls::Implicit => "implicit",
            MailTls::None => "none",
        };
        let start = Start::new("python")
            .arguments([SCRIPT, "{port}", tls, self.folder.path().to_str().unwrap()])
            .environment("SMTP_USER", USER)
            .environment("SMTP_PASSWORD", &self.password)
            .hide(&self.password)
            .ready_when("listening");
        self.server = Some(start.start());
    }

    pub fn stop(&mut self) {
        self.server = None;
    }

    /// # Panics
    /// While it is stopped.
    pub fn port(&self) -> u16 {
        self.server.as_ref().unwrap().port()
    }

    pub fn user(&self) -> &'static str {
        USER
    }

    pub fn password(&self) -> &str {
        &self.password
    }

    /// What signs its certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    /// Everything that it has taken, in order.
    pub fn taken(&self) -> Vec<Mailed> {
        let entries = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<PathBuf> =
            entries.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
        files.sort();
        let mailed = |path: &PathBuf| {
            let kept: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
            Mailed {
                to: kept["to"].as_array().unwrap().iter().map(|to| to.as_str().unwrap().to_owned()).collect(),
                encrypted: kept["encrypted"].as_bool().unwrap(),
                data: kept["data"].as_str().unwrap().to_owned(),
            }
        };
        files.iter().map(mailed).collect()
    }
}

impl std::fmt::Debug for MailServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MailServer({:?})", self.server)
    }
}
