//! The binary: commands, configuration, wiring. The only crate that names drivers.

mod cli;
mod commands;
mod complaint;
mod config;
mod init;
mod ports;
mod progress;
mod shell;
mod tell;
mod wiring;

use std::process::ExitCode;

use clap::Parser as _;
use cli::{Cli, Command, ConfigCommand, KeyCommand};
use complaint::{Code, Complaint};
use shell::{Ended, Shell};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let global = cli.global;
    let shell = Shell::new(global.config, global.output, global.quiet, global.no_color);
    log_to_stderr(shell.voice.colour());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(perform(&shell, cli.command)),
        Err(error) => Err(Complaint::new(Code::Interrupted, "the program cannot start").cause(error.to_string())),
    };
    match ended {
        Ok(exit) => exit.into(),
        Err(complaint) => {
            shell.voice.complain(&complaint);
            complaint.exit.into()
        }
    }
}

async fn perform(shell: &Shell, command: Command) -> Ended {
    match command {
        Command::Demo(args) => commands::demo::demo(shell, &args).await,
        Command::Init { dir } => commands::init::init(shell, &dir),
        Command::Check => commands::check::check(shell).await,
        Command::Discover { issuer } => commands::discover::discover(shell, issuer.as_deref()).await,
        Command::Plan(args) => commands::plan::plan(shell, &args).await,
        Command::Run(args) => commands::run::run(shell, &args).await,
        Command::Status => commands::status::status(shell).await,
        Command::Credential(command) => commands::credential::credential(shell, command).await,
        Command::Task(command) => commands::task::task(shell, command).await,
        Command::Key(KeyCommand::Jwt(args)) => commands::key::jwt(shell, &args).await,
        Command::Notice(command) => commands::notice::notice(shell, command).await,
        Command::Secret(command) => commands::secret::secret(shell, command).await,
        Command::Campaign(command) => commands::campaign::campaign(shell, command).await,
        Command::Report(args) => commands::report::report(shell, &args).await,
        Command::Policy(command) => commands::policy::policy(shell, command).await,
        Command::Twin(command) => commands::twin::twin(shell, command).await,
        Command::Config(ConfigCommand::Schema) => commands::reference::schema(shell),
        Command::Completions { shell: wanted } => commands::reference::completions(shell, wanted),
        Command::Reference { page } => commands::reference::page(shell, page),
    }
}

/// Logs are for finding out what went wrong: off unless `KEYROTA_LOG` asks, for example `KEYROTA_LOG=debug`.
fn log_to_stderr(colour: bool) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("KEYROTA_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colour).with_writer(std::io::stderr).init();
}
