//! `keyrota demo`: a whole estate on a simulated platform, from the first look to the last retirement.
//!
//! Everything is real but the platform: the configuration file, the database, the engine, and HTTP on loopback
//! between them. Only the platform's clock is walked forward, and Keyrota follows it, as it follows every issuer's.

mod account;
mod consumer;
mod estate;

use std::{sync::Arc, time::Duration};

use db::{Access, Word};
use domain::SecretPath;
use engine::{Engine, RunRequest, Silent};
use secret::{Secret, SecretMap};
use stores::embedded::EmbeddedReader;
use tempfile::TempDir;
use twin::{Serving, World};

use super::twin::{start, stopped};
use crate::{
    cli::DemoArgs,
    complaint::{Code, Complaint, Exit},
    config::Config,
    ports::{now, system_ports},
    shell::{Ended, Shell},
    wiring::{Opened, with_drivers},
};
use account::Account;
use consumer::{Consumer, Source};

/// The platform's clock goes on by half a day at a time, as if a scheduler ran Keyrota twice a day.
const STRIDE: jiff::SignedDuration = jiff::SignedDuration::from_hours(12);
const STRIDES: u32 = 18;
/// Calls that each consumer makes between two runs, so that every phase of a rotation sees traffic.
const CALLS_PER_STRIDE: u64 = 40;

pub(crate) async fn demo(shell: &Shell, args: &DemoArgs) -> Ended {
    let began = now();
    let folder = TempDir::with_prefix("keyrota-demo-").map_err(|error| cannot("make a folder", &error))?;
    let platform = estate::platform(now())
        .map_err(|why| Complaint::new(Code::Interrupted, "the demo cannot set up the platform").cause(why))?;
    let pairs = estate::known_pairs(&platform);
    let serving = start(World::new(Box::new(platform), estate::SEED), args.listen, Duration::ZERO).await?;
    let file =
        estate::write_configuration(folder.path(), &serving).map_err(|error| cannot("write its files", &error))?;
    let config = with_drivers(|drivers| Config::load(&file, drivers))?;
    let opened = Opened::of(Arc::new(config), Access::Engine).await?;
    let engine = opened.engine().await?;

    let mut story = Story { shell, account: Account::default(), strides: 0 };
    story.meet(&opened, &engine, pairs.busy).await?;
    let gateway = serving.gateway_url();
    let http = system_ports(None).map_err(|error| cannot("make a client", &error))?.http;
    let busy_path = SecretPath::parse(estate::BUSY).map_err(|error| cannot("name a path", &error))?;
    let reader = EmbeddedReader::new("local", opened.db.clone(), opened.keyring.clone());
    let consumers = [
        Consumer::start(&gateway, http.clone(), Source::Store { reader, path: busy_path }),
        Consumer::start(&gateway, http, Source::Remembered(pairs.forgetful)),
    ];
    story.live_through(&engine, &serving, &consumers).await?;

    let (mut calls, mut failures) = (0, 0);
    for consumer in consumers {
        let (made, failed) = consumer.stop().await;
        calls += made;
        failures += failed;
    }
    story.account.close(&engine, calls, failures, now().duration_since(began))?;
    story.account.print(shell)?;
    drop(engine);
    drop(opened);
    if !args.once {
        stay(shell, &file).await;
    }
    Ok(Exit::Done)
}

/// What is told on the way, and what is counted.
struct Story<'a> {
    shell: &'a Shell,
    account: Account,
    strides: u32,
}

impl Story<'_> {
    fn tell(&self, text: &str) {
        let day = f64::from(self.strides) / 2.0;
        if !self.shell.json() {
            self.shell.voice.note(&format!("day {day:>4}  {text}"));
        }
    }

    /// The first look, one hold, and the one secret that is known from before.
    async fn meet(&mut self, opened: &Opened, engine: &Engine, busy: SecretMap) -> Result<(), Complaint> {
        let mut looked = engine::RunReport::default();
        engine.observe_all(&mut looked, &Silent).await;
        let listed: usize = looked.observations.iter().map(|observation| observation.listed).sum();
        self.tell(&format!("found {listed} credentials at a simulated IBM API Connect; policy: replace at 90 days"));

        let held = self.row(opened, estate::HELD).await?;
        let word = Word { by: "ops", reason: "migration weekend, do not touch", at: now() };
        opened.db.hold(held, word).await?;
        self.tell(&format!("ops holds {}", estate::HELD));

        let row = self.row(opened, estate::BUSY).await?;
        let entry = engine.entry(row).await?.ok_or_else(|| missing(estate::BUSY))?;
        engine
            .import(&entry, &busy, "demo", "known from before")
            .await
            .map_err(|error| cannot("take over a secret", &error))?;
        self.run(engine).await?;
        Ok(())
    }

    async fn row(&self, opened: &Opened, credential: &str) -> Result<i64, Complaint> {
        let id = domain::CredentialId::parse(credential).map_err(|error| cannot("name a credential", &error))?;
        opened.db.entry_id(&id).await?.ok_or_else(|| missing(credential))
    }

    async fn live_through(
        &mut self,
        engine: &Engine,
        serving: &Serving,
        consumers: &[Consumer; 2],
    ) -> Result<(), Complaint> {
        self.tell("one consumer reads the store before every call, another remembers its first secret for ever");
        for _ in 0..STRIDES {
            for consumer in consumers {
                consumer.calls_more(CALLS_PER_STRIDE).await;
            }
            self.strides += 1;
            serving.lock().advance(STRIDE);
            self.run(engine).await?;
        }
        Ok(())
    }

    async fn run(&mut self, engine: &Engine) -> Result<(), Complaint> {
        let report = engine.run_once(&RunRequest::everything(), &Silent).await?;
        if let Some(told) = Account::sentence(&report) {
            self.tell(&told);
        }
        Ok(())
    }
}

/// Keeps the platform up, so that every command can be tried on the estate.
async fn stay(shell: &Shell, config: &std::path::Path) {
    let config = config.display();
    shell.voice.note("the estate stays up until Ctrl-C; look at it from another terminal:");
    for command in ["status", "credential list", "plan", &format!("credential show {}", estate::BUSY)] {
        shell.voice.note(&format!("    keyrota --config {config} {command}"));
    }
    stopped().await;
}

fn cannot(what: &str, error: &(dyn std::error::Error + 'static)) -> Complaint {
    Complaint::new(Code::Interrupted, format!("the demo cannot {what}")).because(error)
}

fn missing(credential: &str) -> Complaint {
    Complaint::new(Code::UnknownCredential, format!("the demo's estate lacks {credential}"))
}

/// A client pair as the platform's fields.
pub(super) fn pair(client_id: String, client_secret: String) -> SecretMap {
    SecretMap::new([
        ("client_id".to_owned(), Secret::from_text(client_id)),
        ("client_secret".to_owned(), Secret::from_text(client_secret)),
    ])
}
