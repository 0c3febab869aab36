//! `keyrota secret …`: the embedded secret store. The only place, with `init`, where a secret is printed.

mod pickup;

use db::{Access, Word};
use domain::{CredentialId, SecretPath};
use driver::Label;
use secret::Secret;
use serde_json::{Map, Value, json};
use stores::embedded::{EmbeddedReader, ReadSecret};

use super::rfc3339;
use crate::{
    cli::{SecretCommand, StoreArg, WordArgs},
    commands::handed_in::secret_from_person,
    complaint::{Code, Complaint, Exit, chain},
    shell::{Ended, Shell},
    wiring::Opened,
};

pub(crate) async fn secret(shell: &Shell, command: SecretCommand) -> Ended {
    match command {
        SecretCommand::Put { path, store, word } => put(shell, &parse(&path)?, &store, &word).await,
        SecretCommand::Get { path, field, version, consumer, store } => {
            let access = if consumer.is_some() { Access::Commands } else { Access::ReadOnly };
            let opened = Opened::open(shell, access).await?;
            let (reader, path) = (embedded(&opened, &store)?, parse(&path)?);
            let found = find(&reader, &path, version).await?;
            if let Some(consumer) = consumer {
                record_read(shell, &opened, (&reader, &path, found.version), &consumer).await?;
            }
            get(shell, &path, &found, field.as_deref())
        }
        SecretCommand::Pickup(command) => pickup::pickup(shell, command).await,
        SecretCommand::List { store } => list(shell, &reader(shell, &store).await?),
        SecretCommand::Versions { path, store } => versions(shell, &reader(shell, &store).await?, &parse(&path)?),
    }
}

async fn reader(shell: &Shell, store: &StoreArg) -> Result<EmbeddedReader, Complaint> {
    embedded(&Opened::open(shell, Access::ReadOnly).await?, store)
}

fn embedded(opened: &Opened, store: &StoreArg) -> Result<EmbeddedReader, Complaint> {
    let mut embedded = opened.config.stores.iter().filter(|store| store.driver == stores::embedded::DRIVER.name);
    let found = match &store.store {
        None => embedded.next(),
        Some(name) => embedded.find(|store| store.name == *name),
    };
    let found = found.ok_or_else(|| {
        let what = store.store.as_ref().map_or_else(
            || "no embedded store is configured".to_owned(),
            |name| format!("no embedded store is called `{name}`"),
        );
        Complaint::new(Code::UnknownSecret, what).hint("add a `[[store]]` with `driver = \"embedded\"`")
    })?;
    Ok(EmbeddedReader::new(&found.name, opened.db.clone(), opened.keyring.clone()))
}

/// A person's own write. Where a credential is delivered, the next run sees that somebody else wrote.
async fn put(shell: &Shell, path: &SecretPath, store: &StoreArg, word: &WordArgs) -> Ended {
    let value = secret_from_person().await?;
    let opened = Opened::open(shell, Access::Commands).await?;
    let store = embedded(&opened, store)?;
    let number = store.put_by_hand(path, &value, &word.by(), opened.now()).await.map_err(|error| {
        Complaint::new(Code::Database, format!("nothing was written to `{path}`"))
            .cause(chain(&error))
            .state("readers get what they got before")
            .hint("try again")
    })?;
    shell.voice.note(&format!("version {number} of {path} is current"));
    Ok(Exit::Done)
}

fn parse(path: &str) -> Result<SecretPath, Complaint> {
    SecretPath::parse(path)
        .map_err(|error| Complaint::new(Code::Usage, format!("`{path}` is no path")).cause(error.to_string()))
}

async fn find(reader: &EmbeddedReader, path: &SecretPath, version: Option<u32>) -> Result<ReadSecret, Complaint> {
    let found = reader.get(path, version).await.map_err(|error| {
        Complaint::new(Code::SealedAltered, format!("the secret at `{path}` cannot be read")).cause(chain(&error))
    })?;
    found.ok_or_else(|| unknown(path, version))
}

/// The read log: evidence that a consumer has a version, which its own word may take the place of.
async fn record_read(
    shell: &Shell,
    opened: &Opened,
    (reader, path, version): (&EmbeddedReader, &SecretPath, u32),
    consumer: &str,
) -> Result<(), Complaint> {
    // Evidence is weighed against what the issuer says of its versions, so it is dated by the issuer's clock.
    let now = match delivered_for(reader, path, version)? {
        Some(credential) => opened.now_at(credential.issuer()).await?,
        None => opened.now(),
    };
    let word = Word { by: consumer, reason: "read it", at: now };
    let read = opened.db.record_read((reader.store(), path), &version.to_string(), word).await.map_err(|error| {
        Complaint::new(Code::Database, format!("the read of `{path}` could not be recorded"))
            .because(&error)
            .state("nothing was printed")
            .hint("try again, or leave `--consumer` out")
    })?;
    if let Some(credential) = read {
        let applied = engine::Policies::applied(&opened.policies(), &credential, now);
        let named = applied.is_some_and(|one| one.policy.consumers.iter().any(|known| &*known.name == consumer));
        if !named {
            let what = format!("no consumer of {credential} is called `{consumer}`: nothing waits for its word");
            shell.voice.warn(&what);
        }
    }
    Ok(())
}

/// The credential of which this is a version; `None`: a person's own write.
fn delivered_for(reader: &EmbeddedReader, path: &SecretPath, version: u32) -> Result<Option<CredentialId>, Complaint> {
    let line = reader.versions(path)?.into_iter().find(|line| line.version == version);
    Ok(line.and_then(|line| CredentialId::parse(&line.credential).ok()))
}

fn get(shell: &Shell, path: &SecretPath, found: &ReadSecret, field: Option<&str>) -> Ended {
    if let Some(field) = field {
        let value = field_of(path, found, field)?;
        let text = String::from_utf8_lossy(value.expose());
        shell.as_it_is(&format!("{text}\n"))?;
        return Ok(Exit::Done);
    }
    if shell.json() {
        shell.object(&secret_json(path, found))?;
        return Ok(Exit::Done);
    }
    let rows =
        found.data.iter().map(|(name, value)| [name.to_owned(), String::from_utf8_lossy(value.expose()).into_owned()]);
    shell.table_as_it_is(["FIELD", "VALUE"], rows.collect())?;
    Ok(Exit::Done)
}

fn field_of<'a>(path: &SecretPath, found: &'a ReadSecret, field: &str) -> Result<&'a Secret, Complaint> {
    found.data.get(field).ok_or_else(|| {
        let known: Vec<String> = found.data.iter().map(|(name, _)| format!("`{name}`")).collect();
        Complaint::new(Code::UnknownSecret, format!("the secret at `{path}` has no field `{field}`"))
            .state("nothing was handed out")
            .hint(format!("it has {}", known.join(", ")))
    })
}

fn unknown(path: &SecretPath, version: Option<u32>) -> Complaint {
    let what = match version {
        None => format!("nothing is current at `{path}`"),
        Some(version) => format!("there is no version {version} at `{path}`, or not any more"),
    };
    Complaint::new(Code::UnknownSecret, what).hint("`keyrota secret list` names every path")
}

fn secret_json(path: &SecretPath, found: &ReadSecret) -> Value {
    let data: Map<String, Value> = found
        .data
        .iter()
        .map(|(name, value)| (name.to_owned(), String::from_utf8_lossy(value.expose()).into_owned().into()))
        .collect();
    json!({ "path": path.as_str(), "version": found.version, "labels": labels(&found.labels), "data": data })
}

fn labels(labels: &[Label]) -> Vec<&'static str> {
    labels
        .iter()
        .map(|label| match label {
            Label::Pending => "pending",
            Label::Current => "current",
            Label::Previous => "previous",
        })
        .collect()
}

fn list(shell: &Shell, reader: &EmbeddedReader) -> Ended {
    let mut lines = Vec::new();
    reader.list(|line| lines.push(line))?;
    if shell.json() {
        for line in &lines {
            shell.object(&json!({
                "path": line.path.as_str(),
                "current": line.current,
                "pending": line.pending,
                "previous": line.previous,
            }))?;
        }
        return Ok(Exit::Done);
    }
    let number = |version: Option<u32>| version.map_or_else(String::new, |version| version.to_string());
    let rows = lines
        .iter()
        .map(|line| [line.path.to_string(), number(line.current), number(line.pending), number(line.previous)]);
    shell.table(["PATH", "CURRENT", "PENDING", "PREVIOUS"], rows.collect())?;
    Ok(Exit::Done)
}

fn versions(shell: &Shell, reader: &EmbeddedReader, path: &SecretPath) -> Ended {
    let lines = reader.versions(path)?;
    if lines.is_empty() {
        return Err(unknown(path, None));
    }
    if shell.json() {
        for line in &lines {
            shell.object(&json!({
                "version": line.version,
                "labels": labels(&line.labels),
                "credential": line.credential,
                "created_at": rfc3339(line.created_at),
                "discarded": line.discarded,
            }))?;
        }
        return Ok(Exit::Done);
    }
    let rows = lines.iter().map(|line| {
        let state = if line.discarded { "discarded".to_owned() } else { labels(&line.labels).join(", ") };
        [line.version.to_string(), state, rfc3339(line.created_at), line.credential.clone()]
    });
    shell.table(["VERSION", "LABELS", "WRITTEN", "CREDENTIAL"], rows.collect())?;
    Ok(Exit::Done)
}
