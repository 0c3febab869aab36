//! Real servers for tests, installed by `cargo xtask setup`: [`bao`] (OpenBao, which speaks the Vault API) and
//! [`moto`] (an emulator of AWS), [`MailServer`]; [`LoopbackHttp`], the HTTP port that reaches them, and
//! [`BadRoad`], on which things get lost. Tests only.
//!
//! Every server has its own folder, its own free port of loopback and a life that ends with its value, also when the
//! test panics or its process is killed. A server is not for a `static`: those are never dropped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "everything here is for tests")]

mod bad_road;
mod cluster;
mod http;
mod mail;
mod scripted;
mod server;

pub use bad_road::BadRoad;
pub use cluster::{BaoCluster, bao_cluster};
pub use http::LoopbackHttp;
pub use mail::{MailServer, MailTls, Mailed};
pub use scripted::{Heard, Script, Scripted};
pub use server::{Server, Start};

use std::{fmt, path::PathBuf};

/// A fresh OpenBao in development mode: unsealed, in memory, KV v2 at `secret/`.
pub fn bao() -> Bao {
    let root_token = format!("root-{}", server::random());
    let server = Start::new("bao")
        .arguments(["server", "-dev", "-dev-no-store-token"])
        .argument_with_port("-dev-listen-address=127.0.0.1:{port}")
        // Not as an argument: those show in the list of processes.
        .environment("BAO_DEV_ROOT_TOKEN_ID", &root_token)
        .hide(&root_token)
        .ready_when("server started!")
        .start();
    Bao { server, root_token }
}

/// A running OpenBao.
pub struct Bao {
    server: Server,
    root_token: String,
}

impl Bao {
    /// `http://127.0.0.1:PORT`, without a final slash.
    pub fn address(&self) -> String {
        self.server.address()
    }

    pub fn root_token(&self) -> &str {
        &self.root_token
    }

    pub fn server(&self) -> &Server {
        &self.server
    }
}

impl fmt::Debug for Bao {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bao({})", self.address())
    }
}

/// A fresh emulator of AWS that accepts any signature. `POST /moto-api/reset-auth` makes it check them.
pub fn moto() -> Server {
    Start::new("moto_server")
        .arguments(["-H", "127.0.0.1", "-p"])
        .argument_with_port("{port}")
        .ready_when("Running on http://127.0.0.1")
        .start()
}

/// A program of the installed components, for tests that need more than a server, such as `bao agent`.
///
/// # Panics
/// When `cargo xtask setup` has not installed it.
pub fn program(name: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let program = root.join("target/components/venv/bin").join(name);
    assert!(program.is_file(), "{name}, a server that tests talk to, is not installed: run `cargo xtask setup`");
    program
}
