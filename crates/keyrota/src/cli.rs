//! The command line: names that others rely on.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    commands::{policy::PolicyCommand, twin::TwinCommand},
    shell::Output,
};

/// Owns the whole life of API credentials: proves, then acts.
#[derive(Debug, Parser)]
#[command(name = "keyrota", version, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Configuration file [default: ./keyrota.toml, then $XDG_CONFIG_HOME/keyrota/, then /etc/keyrota/]
    #[arg(long, global = true, value_name = "FILE", env = "KEYROTA_CONFIG", hide_env_values = true)]
    pub(crate) config: Option<PathBuf>,
    /// Tables for people, or JSON for programs
    #[arg(long, global = true, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
    /// Say nothing but errors and what wants attention
    #[arg(long, global = true)]
    pub(crate) quiet: bool,
    /// Colours off
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show a whole estate on a simulated platform, from scan to retirement
    Demo(DemoArgs),
    /// Write a commented keyrota.toml and a root key
    Init {
        /// Folder for both files
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Check configuration, issuers, stores, rights and paths; changes nothing
    Check,
    /// Look at the issuers now
    Discover {
        /// Only this issuer
        #[arg(long, value_name = "NAME")]
        issuer: Option<String>,
    },
    /// Show what is due or under way, and why
    Plan(PlanArgs),
    /// Observe, plan, perform every step that is due, and exit
    Run(RunArgs),
    /// What leaks exposed, and where each of it stands
    #[command(subcommand)]
    Campaign(CampaignCommand),
    /// Ages, owners, use and trouble of the whole estate, for those who ask
    Report(ReportArgs),
    /// One screen: due, in flight, waiting, in trouble
    Status,
    /// The credentials of the estate
    #[command(subcommand)]
    Credential(CredentialCommand),
    /// Steps that wait for a person
    #[command(subcommand)]
    Task(TaskCommand),
    /// What held keys can do without being handed out
    #[command(subcommand)]
    Key(KeyCommand),
    /// What people are told, and what waits to be
    #[command(subcommand)]
    Notice(NoticeCommand),
    /// The embedded secret store
    #[command(subcommand)]
    Secret(SecretCommand),
    /// Who may do what, in Vault's policy language
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Serve a simulated platform
    #[command(subcommand)]
    Twin(TwinCommand),
    /// The configuration file
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print a completion script for a shell
    Completions { shell: clap_complete::Shell },
    /// Print a generated page of the reference
    #[command(hide = true)]
    Reference { page: Page },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Page {
    /// Every command with its options
    Commands,
    /// Every error code
    Errors,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// End after the account instead of keeping the estate up to look at
    #[arg(long)]
    pub(crate) once: bool,
    /// Where the simulated platform listens
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub(crate) listen: std::net::SocketAddr,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Glob over identifiers
    pub(crate) selector: Option<String>,
    /// How it is written [default: a table, or JSON with --output json]
    #[arg(long, value_enum)]
    pub(crate) format: Option<ReportFormat>,
    /// Write it to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    Table,
    Json,
    Csv,
    /// One page with charts, without scripts
    Html,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// Glob over identifiers, for example `apic-prod/acme/*/*`
    pub(crate) selector: Option<String>,
    /// Look this far ahead, for example `90d`
    #[arg(long, value_name = "DURATION")]
    pub(crate) until: Option<String>,
    /// Write a signed plan for `run --plan`
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Rest on the last observation instead of looking now
    #[arg(long)]
    pub(crate) stored: bool,
    /// Approve this plan, where a policy wants four eyes; plans nothing
    #[arg(long, value_name = "FILE", conflicts_with_all = ["selector", "until", "out", "stored"])]
    pub(crate) approve: Option<PathBuf>,
    /// Who makes or approves it [default: the user's name on this machine]
    #[arg(long, value_parser = something)]
    pub(crate) by: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// One pass, for cron and CI schedulers
    #[arg(long, required = true)]
    pub(crate) once: bool,
    /// Glob over identifiers
    pub(crate) selector: Option<String>,
    /// Carry out this plan and nothing else; refused when the estate has moved
    #[arg(long, value_name = "FILE", conflicts_with = "selector")]
    pub(crate) plan: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CredentialCommand {
    /// One line a credential
    List {
        /// Glob over identifiers
        selector: Option<String>,
        /// Only what wants attention
        #[arg(long)]
        attention: bool,
    },
    /// Everything that is known of one
    Show { credential: String },
    /// Everything that was done to one, and said about it
    History { credential: String },
    /// Replace it now; tries a parked one again
    Rotate {
        credential: String,
        #[command(flatten)]
        word: WordArgs,
    },
    /// Go back to the older version, until it is revoked
    Rollback {
        credential: String,
        #[command(flatten)]
        word: WordArgs,
    },
    /// Leave it exactly as it is until it is released
    Hold {
        credential: String,
        #[command(flatten)]
        word: WordArgs,
    },
    /// End a hold
    Release {
        credential: String,
        #[command(flatten)]
        word: WordArgs,
    },
    /// Others know it: replace it at once, in front of everything, and end the old one as soon as readers have the new
    Compromised(CompromisedArgs),
    /// A consumer runs the version that was delivered last
    Acknowledge {
        credential: String,
        /// Its name in the policy
        #[arg(long, value_name = "NAME")]
        consumer: String,
        /// Another version than the one delivered last
        #[arg(long, value_name = "NUMBER")]
        version: Option<u32>,
        #[command(flatten)]
        word: WordArgs,
    },
    /// Answer for it that the old version is not needed, in place of evidence, for a time
    Waive {
        credential: String,
        /// The consumer whose acknowledgement is done without [default: the silence of the old version is]
        #[arg(long, value_name = "NAME")]
        consumer: Option<String>,
        /// For how long, such as "7d"
        #[arg(long, value_name = "PERIOD")]
        within: String,
        #[command(flatten)]
        answer: AnswerArgs,
    },
    /// Take over the known secret of its current version, as JSON on standard input
    Import {
        credential: String,
        #[command(flatten)]
        word: WordArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CompromisedArgs {
    /// One credential, or a glob over identifiers for a campaign
    #[arg(required_unless_present_any = ["store", "since"])]
    pub(crate) credential: Option<String>,
    /// A campaign over everything that was delivered to this store
    #[arg(long, value_name = "NAME")]
    pub(crate) store: Option<String>,
    /// A campaign over everything that lived at this time or later, such as 2026-11-01
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    #[command(flatten)]
    pub(crate) word: WordArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CampaignCommand {
    /// All campaigns
    List,
    /// The account of one: found, replaced, proved dead, kept alive by whom
    Show { id: i64 },
}

/// Who decides, and why: kept in the history.
#[derive(Debug, Args)]
pub(crate) struct WordArgs {
    /// Why
    #[arg(long, default_value = "no reason given", value_parser = something)]
    pub(crate) reason: String,
    /// Who [default: the user's name on this machine]
    #[arg(long, value_parser = something)]
    pub(crate) by: Option<String>,
}

/// Who answers for it, and why: kept in the history, and never guessed.
#[derive(Debug, Args)]
pub(crate) struct AnswerArgs {
    /// Why it can be answered for
    #[arg(long, value_parser = something)]
    pub(crate) reason: String,
    /// Who answers for it
    #[arg(long, value_parser = something)]
    pub(crate) by: String,
}

/// Blanks are no name and no reason.
fn something(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() { Err("it is empty".to_owned()) } else { Ok(text.to_owned()) }
}

impl WordArgs {
    pub(crate) fn by(&self) -> String {
        who(self.by.as_deref())
    }
}

/// The one who says so, or the user's name on this machine.
pub(crate) fn who(by: Option<&str>) -> String {
    let user = || std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).ok();
    by.map(str::to_owned).or_else(user).unwrap_or_else(|| "somebody".to_owned())
}

#[derive(Debug, Subcommand)]
pub(crate) enum TaskCommand {
    /// One line a task that waits
    List,
    /// What is to be done, click by click
    Show { id: i64 },
    /// Say that it is done, and hand over what was made; it is tried before it is believed
    Complete(CompleteArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CompleteArgs {
    pub(crate) id: i64,
    /// The file that was made; `-` is standard input [default: asks for it, showing nothing, or reads standard input]
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// A removal that nothing can prove counts on your word, which is kept
    #[arg(long)]
    pub(crate) on_my_word: bool,
    #[command(flatten)]
    pub(crate) word: WordArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Sign a short token for a client with the key that is held; the key itself stays here
    Jwt(JwtArgs),
}

#[derive(Debug, Args)]
pub(crate) struct JwtArgs {
    /// The credential, or a glob that names one
    pub(crate) credential: String,
    /// How long it is good, an hour at most
    #[arg(long, value_name = "DURATION", default_value = "300s")]
    pub(crate) lifetime: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum NoticeCommand {
    /// What waits to be sent
    List,
    /// Send what waits now, also where an earlier failure makes runs wait
    Send,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PickupCommand {
    /// Print a code that takes the secret at this path once
    Create {
        path: String,
        /// How long the code is good for, up to `7d`
        #[arg(long, value_name = "PERIOD", default_value = "24h")]
        within: String,
        #[command(flatten)]
        store: StoreArg,
        #[command(flatten)]
        word: WordArgs,
    },
    /// Print the secret that a code takes, which is asked for, showing nothing, or read on standard input; who took it
    /// is on record
    Take {
        /// Print this field bare
        #[arg(long)]
        field: Option<String>,
        #[command(flatten)]
        word: WordArgs,
    },
    /// Every code that was made: who offered what, who took it
    List,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Write one secret, as JSON on standard input; readers get it at once
    Put {
        path: String,
        #[command(flatten)]
        store: StoreArg,
        #[command(flatten)]
        word: WordArgs,
    },
    /// Print one secret
    Get {
        path: String,
        /// Print this field bare
        #[arg(long)]
        field: Option<String>,
        /// Another version than the current one
        #[arg(long)]
        version: Option<u32>,
        /// The consumer that reads, by its name in the policy: on record as having it, without a word of its own
        #[arg(long, value_name = "NAME")]
        consumer: Option<String>,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Hand a secret to a person by a one-time code, instead of in a message
    #[command(subcommand)]
    Pickup(PickupCommand),
    /// List paths
    List {
        #[command(flatten)]
        store: StoreArg,
    },
    /// List the versions of one path
    Versions {
        path: String,
        #[command(flatten)]
        store: StoreArg,
    },
}

#[derive(Debug, Args)]
pub(crate) struct StoreArg {
    /// Name of the store [default: the first embedded one]
    #[arg(long, value_name = "NAME")]
    pub(crate) store: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the JSON Schema of keyrota.toml
    Schema,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
