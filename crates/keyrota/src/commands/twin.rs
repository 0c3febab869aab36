//! `keyrota twin DRIVER`: a simulated platform, for trying things out and for tests.

use std::{net::SocketAddr, time::Duration};

use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches, Subcommand, value_parser};
use issuers::{IssuerDriver, TwinOption};
use twin::{Addresses, Fault, Serving, World, serve};

use crate::{
    complaint::{Code, Complaint, Exit},
    ports::now,
    shell::{Ended, Shell},
};

/// One subcommand for each driver, with the twin's own options beside the common ones.
#[derive(Debug)]
pub(crate) struct TwinCommand {
    driver: &'static IssuerDriver,
    listen: SocketAddr,
    seed: u64,
    latency: Duration,
    faults: Vec<Fault>,
    options: Vec<(String, String)>,
}

impl Subcommand for TwinCommand {
    fn augment_subcommands(command: Command) -> Command {
        let command = command.subcommand_required(true).arg_required_else_help(true);
        issuers::all().iter().fold(command, |command, driver| command.subcommand(subcommand(driver)))
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        issuers::find(name).is_some()
    }
}

fn subcommand(driver: &'static IssuerDriver) -> Command {
    let common = Command::new(driver.name)
        .about(driver.about)
        .arg(
            Arg::new("listen")
                .long("listen")
                .value_name("ADDR")
                .default_value("127.0.0.1:0")
                .value_parser(value_parser!(SocketAddr))
                .help("Where the platform listens; gateway and control take free ports beside it"),
        )
        .arg(
            Arg::new("seed")
                .long("seed")
                .value_name("N")
                .default_value("1")
                .value_parser(value_parser!(u64))
                .help("Decides every generated name, id, secret and fault"),
        )
        .arg(
            Arg::new("latency")
                .long("latency")
                .value_name("MS")
                .default_value("0")
                .value_parser(value_parser!(u64))
                .help("Milliseconds before every answer of the platform"),
        )
        .arg(
            Arg::new("fault")
                .long("fault")
                .value_name("KIND[:RATE][@ROUTE]")
                .action(ArgAction::Append)
                .value_parser(|text: &str| text.parse::<Fault>())
                .help("Something that goes wrong, for example `timeout_after:0.05@issue`; may be repeated"),
        );
    driver.twin.options.iter().fold(common, |command, option| command.arg(own(option)))
}

fn own(option: &TwinOption) -> Arg {
    let arg = Arg::new(option.name).long(option.name).help(option.about);
    if option.value.is_empty() { arg.action(ArgAction::SetTrue) } else { arg.value_name(option.value) }
}

impl FromArgMatches for TwinCommand {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let missing = || clap::Error::raw(clap::error::ErrorKind::MissingSubcommand, "which driver?\n");
        let (name, matches) = matches.subcommand().ok_or_else(missing)?;
        let driver = issuers::find(name).ok_or_else(missing)?;
        let own = driver.twin.options.iter().filter_map(|option| {
            let value = if option.value.is_empty() {
                matches.get_flag(option.name).then(String::new)
            } else {
                matches.get_one::<String>(option.name).cloned()
            };
            Some((option.name.to_owned(), value?))
        });
        Ok(Self {
            driver,
            listen: *matches.get_one("listen").ok_or_else(missing)?,
            seed: *matches.get_one("seed").ok_or_else(missing)?,
            latency: Duration::from_millis(*matches.get_one::<u64>("latency").ok_or_else(missing)?),
            faults: matches.get_many::<Fault>("fault").into_iter().flatten().cloned().collect(),
            options: own.collect(),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Serves until the process is told to stop. The first line on standard output is all that a client needs.
pub(crate) async fn twin(shell: &Shell, command: TwinCommand) -> Ended {
    let platform = (command.driver.twin.build)(&command.options, command.seed, now()).map_err(|why| {
        Complaint::new(Code::Usage, format!("the twin of {} cannot be set up so", command.driver.name)).cause(why)
    })?;
    let mut world = World::new(platform, command.seed);
    for fault in command.faults {
        world.add_fault(fault);
    }
    let serving = start(world, command.listen, command.latency).await?;
    shell.object(serving.announcement())?;
    stopped().await;
    Ok(Exit::Done)
}

pub(crate) async fn start(world: World, listen: SocketAddr, latency: Duration) -> Result<Serving, Complaint> {
    serve(world, Addresses::beside(listen), latency, now).await.map_err(|error| {
        Complaint::new(Code::Address, format!("the twin cannot listen at {listen}"))
            .cause(error.to_string())
            .hint("end what listens there, or name another address with `--listen`; port 0 is any that is free")
    })
}

/// Ctrl-C, or the signal that service managers send.
pub(crate) async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};

    match signal(SignalKind::terminate()) {
        Ok(mut terminated) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminated.recv() => {}
            }
        }
        // Without a handler, the signal's own effect ends the process.
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}
