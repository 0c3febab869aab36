//! `keyrota policy …`: who may do what, in Vault's policy language.

mod ask;
mod check;
mod push;
mod texts;

use std::path::PathBuf;

use authority::access::{Capability, Where};
use clap::{
    Args, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser as _},
};

use crate::shell::{Ended, Shell};

pub(crate) use check::configured_findings;

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// List the access policies of the configuration
    List,
    /// Print the text of one
    Show { name: String },
    /// May somebody do something? Ends with 0 for yes and 1 for no
    Test(TestArgs),
    /// Find what in a policy means something else than it looks like
    Lint {
        /// Texts as HCL or JSON, `-` for standard input [default: those of the configuration]
        files: Vec<PathBuf>,
    },
    /// Print a ready-made policy
    Template(TemplateArgs),
    /// Write policies to the server of a store, and read them back
    Push(PushArgs),
}

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// A policy text that they carry, `-` for standard input; again for several
    #[arg(long, value_name = "FILE", required_unless_present = "carried")]
    pub(crate) policy: Vec<PathBuf>,
    /// An access policy of the configuration that they carry; again for several
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) carried: Vec<String>,
    /// A value for a template, for example `identity.entity.name=ada`; again for several
    #[arg(long, value_name = "WORD=VALUE", value_parser = word_and_value)]
    pub(crate) identity: Vec<(String, String)>,
    /// As it is called, for example `secret/data/apic/acme/token`
    pub(crate) path: String,
    /// Left out: everything that they may do
    #[arg(value_parser = capabilities())]
    pub(crate) capability: Option<Capability>,
}

#[derive(Debug, Args)]
pub(crate) struct TemplateArgs {
    /// organisation-admin, rotation-job or developer
    pub(crate) name: String,
    /// The KV v2 mount
    #[arg(long, default_value_t = Where::default().mount)]
    pub(crate) mount: String,
    /// Where the service account's password is kept
    #[arg(long, value_name = "PATH", default_value_t = Where::default().password)]
    pub(crate) password: String,
    /// Where the access token is kept; a pattern for several
    #[arg(long, value_name = "PATH", default_value_t = Where::default().token)]
    pub(crate) token: String,
}

#[derive(Debug, Args)]
pub(crate) struct PushArgs {
    /// Name of the store whose server keeps them
    #[arg(long, value_name = "NAME")]
    pub(crate) store: String,
    /// An access policy of the configuration; again for several
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) chosen: Vec<String>,
    /// Texts, named like their files [default: all access policies of the configuration]
    pub(crate) files: Vec<PathBuf>,
}

pub(crate) async fn policy(shell: &Shell, command: PolicyCommand) -> Ended {
    match command {
        PolicyCommand::List => texts::list(shell),
        PolicyCommand::Show { name } => texts::show(shell, &name),
        PolicyCommand::Test(args) => ask::ask(shell, args),
        PolicyCommand::Lint { files } => check::check(shell, &files),
        PolicyCommand::Template(args) => texts::template(shell, &args),
        PolicyCommand::Push(args) => push::push(shell, &args).await,
    }
}

/// Nobody asks for the right to be denied.
fn capabilities() -> impl clap::builder::TypedValueParser<Value = Capability> {
    let words = Capability::ALL.into_iter().filter(|capability| *capability != Capability::Deny);
    PossibleValuesParser::new(words.map(Capability::word))
        .try_map(|word| Capability::parse(&word).ok_or("it is no capability"))
}

fn word_and_value(text: &str) -> Result<(String, String), &'static str> {
    let (word, value) = text.split_once('=').ok_or("write WORD=VALUE")?;
    Ok((word.trim().to_owned(), value.to_owned()))
}
