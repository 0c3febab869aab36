//! A driver's own keys in the configuration: typed by the driver, read by one rule.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::program;

/// The keys of one `[[issuer]]` or `[[store]]` table that belong to its driver.
/// Debug prints the names of the keys alone: a value may be a secret that stands in the file itself.
#[derive(Clone)]
pub struct Settings {
    pub table: toml::Table,
    /// Relative paths in the configuration count from here.
    pub base_dir: PathBuf,
}

impl Settings {
    /// Reads the table into the driver's type. Unknown keys are refused.
    pub fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T, InvalidSettings> {
        self.table.clone().try_into().map_err(|error: toml::de::Error| InvalidSettings(located(&error)))
    }
}

/// The parser's words, with the dotted path of the key in front where it stands in a table within.
fn located(error: &toml::de::Error) -> String {
    let message = error.message();
    let whole = error.to_string();
    let around = whole.lines().rev().find_map(|line| line.strip_prefix("in `")?.strip_suffix('`'));
    let unknown = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
    match (around, unknown) {
        (Some(around), Some(key)) => format!("`{around}.{key}`: {message}"),
        (Some(around), None) => format!("`{around}`: {message}"),
        (None, _) => message.to_owned(),
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys: Vec<&String> = self.table.keys().collect();
        write!(f, "Settings({keys:?})")
    }
}

/// What is wrong with a driver's keys, naming the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidSettings(pub String);

/// Where a value that may be secret comes from. The value itself is read when the driver is built and kept in a
/// `Secret`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "it must be a text, { env = \"NAME\" }, { file = \"PATH\" } or { command = [\"prog\", \"arg\"] }"
)]
pub enum SecretSource {
    /// In the file itself: for what is not secret, and for tests.
    Plain(PlainText),
    From(SourceTable),
}

#[derive(Clone, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct PlainText(pub String);

impl std::fmt::Debug for PlainText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PlainText(..)")
    }
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceTable {
    /// The name of an environment variable.
    Env(String),
    /// A file whose content, without the final line break, is the value.
    File(PathBuf),
    /// A program with its arguments; its standard output, without the final line break, is the value.
    Command(Vec<String>),
}

impl SecretSource {
    /// Fetches the value now. Blocks the thread: a program has half a minute.
    pub fn read(&self, base_dir: &Path) -> Result<secret::Secret, InvalidSettings> {
        match self {
            Self::Plain(text) => Ok(secret::Secret::from_text(text.0.clone())),
            Self::From(SourceTable::Env(name)) => std::env::var(name)
                .map(secret::Secret::from_text)
                .map_err(|_| InvalidSettings(format!("the environment variable `{name}` is not set"))),
            Self::From(SourceTable::File(path)) => {
                let path = base_dir.join(path);
                let bytes = std::fs::read(&path)
                    .map_err(|error| InvalidSettings(format!("the file {} cannot be read: {error}", path.display())))?;
                Ok(without_line_break(bytes))
            }
            Self::From(SourceTable::Command(words)) => program::output_of(words).map(without_line_break),
        }
    }

    /// The same for where other work goes on meanwhile.
    ///
    /// # Errors
    /// Those of [`SecretSource::read`].
    pub async fn fetch(&self, base_dir: &Path) -> Result<secret::Secret, InvalidSettings> {
        let (source, base_dir) = (self.clone(), base_dir.to_owned());
        let fetched = tokio::task::spawn_blocking(move || source.read(&base_dir)).await;
        fetched.unwrap_or_else(|_| Err(InvalidSettings("it could not be fetched".to_owned())))
    }
}

fn without_line_break(mut bytes: Vec<u8>) -> secret::Secret {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    secret::Secret::new(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Keys {
        #[expect(dead_code, reason = "only its reading is of interest")]
        facts: Facts,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Facts {
        #[expect(dead_code, reason = "only its reading is of interest")]
        names: bool,
    }

    #[test]
    fn an_error_names_the_key_within() {
        let check = |text: &str, expected: &str| {
            let settings = Settings { table: text.parse().unwrap(), base_dir: "/".into() };
            let error = settings.read::<Keys>().unwrap_err().0;
            assert!(error.starts_with(expected), "{error}");
        };
        check("facts.names = 1", "`facts.names`: invalid type");
        check("facts.nams = true", "`facts.nams`: unknown field `nams`");
        check("fact.names = true", "unknown field `fact`");
        check("facts = {}", "`facts`: missing field `names`");
        check("", "missing field `facts`");
    }
}
