//! Consumers as the file names them, checked.

use std::{path::Path, sync::Arc};

use domain::{Consumer, Duration};
use driver::SecretSource;
use url::Url;

use super::{
    period::Period,
    tables::{ConsumerTable, TellTable},
    verify::is_safe,
};

/// How one consumer is told. The secret is fetched when it is used.
#[derive(Debug, Clone)]
pub(crate) enum TellConfig {
    Webhook { url: Url, secret: SecretSource },
    Command { program: String, arguments: Vec<String> },
    File(std::path::PathBuf),
}

/// The consumers of a policy, and how to tell those that are told.
#[derive(Debug, Default)]
pub(super) struct Consumers {
    pub(super) all: Vec<Consumer>,
    pub(super) told: Vec<(Arc<str>, TellConfig)>,
}

/// `delivers_to`: the environments of the policy's destinations, where each of them is known.
pub(super) fn check(
    tables: Vec<ConsumerTable>,
    delivers_to: Option<&[&str]>,
    base_dir: &Path,
) -> Result<Consumers, String> {
    let mut consumers = Consumers::default();
    for table in tables {
        let name: Arc<str> = table.name.as_str().into();
        if name.is_empty() || consumers.all.iter().any(|other| other.name == name) {
            return Err(format!("every consumer has a name of its own, and `{name}` is not one"));
        }
        if let (Some(reads_in), Some(delivers_to)) = (table.environment.as_deref(), delivers_to)
            && !delivers_to.contains(&reads_in)
        {
            return Err(format!(
                "the consumer `{name}` reads in `{reads_in}`, and the policy delivers to `{}`: it would go on with the \
                 old version",
                delivers_to.join("` and `")
            ));
        }
        let tell = table.tell.map(|tell| check_tell(tell, &name, base_dir)).transpose()?;
        consumers.all.push(Consumer {
            name: name.clone(),
            lag: table.polls.map_or(Duration::ZERO, Period::duration),
            told: tell.is_some(),
            acknowledges: table.acknowledges,
        });
        consumers.told.extend(tell.map(|tell| (name, tell)));
    }
    Ok(consumers)
}

fn check_tell(table: TellTable, name: &str, base_dir: &Path) -> Result<TellConfig, String> {
    match table {
        TellTable { webhook: Some(address), secret, command: None, file: None } => {
            let url =
                Url::parse(&address).map_err(|error| format!("the webhook of `{name}` is no address: {error}"))?;
            if !is_safe(&url) {
                return Err(format!("the webhook of `{name}` must be https; plain http is for loopback only"));
            }
            let secret = secret.ok_or_else(|| {
                format!("the webhook of `{name}` has no `secret`, so nobody could tell that a call comes from here")
            })?;
            Ok(TellConfig::Webhook { url, secret })
        }
        TellTable { webhook: None, secret: None, command: Some(words), file: None } => {
            let mut words = words.into_iter();
            let program = words.next().ok_or_else(|| format!("the command of `{name}` names no program"))?;
            Ok(TellConfig::Command { program, arguments: words.collect() })
        }
        TellTable { webhook: None, secret: None, command: None, file: Some(file) } => {
            Ok(TellConfig::File(base_dir.join(file)))
        }
        _ => Err(format!("`tell` of `{name}` takes one of `webhook` with `secret`, `command`, or `file`")),
    }
}
