//! `keyrota secret pickup …`: a secret handed to a person by a one-time code, instead of in a message.
//!
//! The code is kept as a keyed hash alone: who reads the database can take nothing with it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use db::{Access, PickupLine, Word, WriteError};
use domain::{Duration, Fingerprint};
use secret::{Keyring, Secret, SecretMap};
use serde_json::json;
use zeroize::Zeroizing;

use super::{embedded, field_of, find, get, parse};
use crate::{
    cli::{PickupCommand, StoreArg, WordArgs},
    commands::{handed_in::line_from_person, relative, rfc3339},
    complaint::{Code, Complaint, Exit},
    config::parse_period,
    shell::{Ended, Shell},
    wiring::Opened,
};

/// Nobody guesses 160 bits in the time that a code lives.
const CODE_BYTES: usize = 20;
/// So that a code that was found by chance is one.
const CODE_PREFIX: &str = "kp_";
/// What nobody picked up in a week, nobody waits for.
const WITHIN_LONGEST: Duration = Duration::from_hours(7 * 24);

pub(super) async fn pickup(shell: &Shell, command: PickupCommand) -> Ended {
    match command {
        PickupCommand::Create { path, within, store, word } => create(shell, &path, &within, &store, &word).await,
        PickupCommand::Take { field, word } => take(shell, field.as_deref(), &word).await,
        PickupCommand::List => list(shell).await,
    }
}

async fn create(shell: &Shell, path: &str, within: &str, store: &StoreArg, word: &WordArgs) -> Ended {
    let path = parse(path)?;
    let period = parse_period(within).ok().filter(|period| *period > Duration::ZERO && *period <= WITHIN_LONGEST);
    let within = period.ok_or_else(|| {
        Complaint::new(Code::Input, format!("`--within {within}` is no period up to 7 days"))
            .state("nothing was changed")
            .hint("write `24h`")
    })?;
    let opened = Opened::open(shell, Access::Commands).await?;
    let reader = embedded(&opened, store)?;
    find(&reader, &path, None).await?;
    let mut bytes = Zeroizing::new([0; CODE_BYTES]);
    aws_lc_rs::rand::fill(bytes.as_mut_slice())
        .map_err(|_| Complaint::new(Code::Interrupted, "the system gives no randomness"))?;
    let code = Zeroizing::new(format!("{CODE_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes.as_slice())));
    let now = opened.now();
    let expires_at = now.saturating_add(within).unwrap_or(now);
    let by = word.by();
    let word = Word { by: &by, reason: &word.reason, at: now };
    opened.db.make_pickup(hashed(&opened.keyring, &code), (reader.store(), &path), expires_at, word).await?;
    if shell.json() {
        shell.object(&json!({ "path": path.as_str(), "code": *code, "expires_at": rfc3339(expires_at) }))?;
    } else {
        shell.text(&format!("{}\n", *code))?;
    }
    shell.voice.note(&format!(
        "whoever has this code takes {path} once, until {}: `keyrota secret pickup take` asks for it",
        rfc3339(expires_at)
    ));
    Ok(Exit::Done)
}

async fn take(shell: &Shell, field: Option<&str>, word: &WordArgs) -> Ended {
    let code = line_from_person("The code").await?;
    let opened = Opened::open(shell, Access::Commands).await?;
    let pickup = opened.db.pickup(hashed(&opened.keyring, code.trim())).await?.ok_or_else(|| {
        Complaint::new(Code::UnknownSecret, "nothing waits to be picked up with this code")
            .state("nothing was handed out")
            .hint("ask whoever sent it for another one")
    })?;
    let store = StoreArg { store: Some(pickup.store.clone()) };
    let reader = embedded(&opened, &store)?;
    let found = find(&reader, &pickup.path, None).await?;
    // A code is good once, and no slip of the fingers is to spend it.
    if let Some(field) = field {
        field_of(&pickup.path, &found, field)?;
    }
    // On record before it is shown: whatever happens between the two, nobody has it who is not named.
    match opened.db.take_pickup(&pickup, &word.by(), opened.now()).await {
        Ok(()) => get(shell, &pickup.path, &found, field),
        Err(WriteError::GuardMissed { .. }) => Err(too_late(&pickup)),
        Err(error) => Err(error.into()),
    }
}

fn too_late(pickup: &PickupLine) -> Complaint {
    let cause = match (&pickup.taken_by, pickup.taken_at) {
        (Some(by), Some(at)) => format!("{by} took it {}", rfc3339(at)),
        _ => format!("its time was over {}", rfc3339(pickup.expires_at)),
    };
    Complaint::new(Code::NotPossibleNow, format!("the secret at `{}` cannot be picked up with this code", pickup.path))
        .cause(cause)
        .state("nothing was handed out")
        .hint("where that was not you, run `keyrota credential compromised`; else ask for another code")
}

async fn list(shell: &Shell) -> Ended {
    let opened = Opened::open(shell, Access::ReadOnly).await?;
    let now = opened.now();
    let lines = opened.db.pickups().await?;
    let state = |line: &PickupLine| match &line.taken_by {
        Some(_) => "taken",
        None if line.expires_at <= now => "expired",
        None => "waiting",
    };
    if shell.json() {
        for line in &lines {
            shell.object(&json!({
                "path": line.path.as_str(),
                "store": line.store,
                "state": state(line),
                "made_by": line.made_by,
                "reason": line.reason,
                "made_at": rfc3339(line.made_at),
                "expires_at": rfc3339(line.expires_at),
                "taken_by": line.taken_by,
                "taken_at": line.taken_at.map(rfc3339),
            }))?;
        }
        return Ok(Exit::Done);
    }
    let rows = lines.iter().map(|line| {
        let taken = line.taken_at.map(|at| relative(at, now)).unwrap_or_default();
        let by = line.taken_by.clone().unwrap_or_default();
        [line.path.to_string(), state(line).to_owned(), line.made_by.clone(), rfc3339(line.expires_at), by, taken]
    });
    shell.table(["PATH", "STATE", "OFFERED BY", "UNTIL", "TAKEN BY", "TAKEN"], rows.collect())?;
    Ok(Exit::Done)
}

fn hashed(keyring: &Keyring, code: &str) -> Fingerprint {
    keyring.fingerprint(&SecretMap::new([("pickup code".to_owned(), Secret::from_text(code))]))
}
