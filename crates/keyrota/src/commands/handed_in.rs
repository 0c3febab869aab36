//! Secrets that a person hands in: from a file, from standard input, or typed at a terminal that shows nothing. Never
//! as an argument, which everybody on the machine could read.

use std::{
    io::{self, BufRead as _, IsTerminal as _, Read, StdinLock, Take},
    path::Path,
    process::{Command, Stdio},
};

use secret::{Secret, SecretMap};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::complaint::{Code, Complaint};

/// More than any key file or secret document; a larger one is a mistake.
const BYTES_MAX: usize = 64 * 1024;

/// Standard input, up to one byte more than is taken.
type Input = Take<StdinLock<'static>>;

fn unusable(cause: String) -> Complaint {
    Complaint::new(Code::Input, "what was to be handed over cannot be read")
        .cause(cause)
        .state("nothing was changed")
        .hint("give it on standard input, or type it at a terminal")
}

/// A whole file; `-` is standard input.
pub(super) fn from_file(file: &Path) -> Result<Secret, Complaint> {
    if file == Path::new("-") {
        return whole(io::stdin().lock()).map(secret);
    }
    let open = std::fs::File::open(file);
    whole(open.map_err(|error| unusable(format!("the file {}: {error}", file.display())))?).map(secret)
}

/// A text of any number of lines. From a terminal, asks; from anything else, reads to the end.
pub(super) async fn from_person() -> Result<Secret, Complaint> {
    document().await.map(secret)
}

/// One line, for example a one-time code. From a terminal, asks; from anything else, reads the first line.
pub(super) async fn line_from_person(what: &str) -> Result<Zeroizing<String>, Complaint> {
    let mut bytes = if io::stdin().is_terminal() {
        asked(&format!("{what}, then Enter. Nothing is shown."), first_line).await?
    } else {
        first_line(input())?
    };
    let line = String::from_utf8(std::mem::take(&mut *bytes)).map_err(|error| {
        drop(Zeroizing::new(error.into_bytes()));
        unusable("it is no text".to_owned())
    })?;
    Ok(Zeroizing::new(line))
}

/// One JSON object of text fields, for example `{"client_id": "…", "client_secret": "…"}`. From a terminal, asks; from
/// anything else, reads to the end.
pub(super) async fn secret_from_person() -> Result<SecretMap, Complaint> {
    let unusable = |cause: String| {
        Complaint::new(Code::Input, "standard input holds no secret that could be taken over")
            .cause(cause)
            .state("nothing was changed")
            .hint("give one JSON object with the platform's field names, for example client_id and client_secret")
    };
    let bytes = document().await?;
    // The parser's own message may quote what it read.
    let fields: std::collections::BTreeMap<String, Zeroizing<String>> =
        serde_json::from_slice(&bytes).map_err(|_| unusable("it is not one JSON object of texts".to_owned()))?;
    if fields.is_empty() {
        return Err(unusable("the object is empty".to_owned()));
    }
    Ok(SecretMap::new(fields.into_iter().map(|(name, value)| (name, Secret::from_text(value.as_str())))))
}

async fn document() -> Result<Zeroizing<Vec<u8>>, Complaint> {
    if io::stdin().is_terminal() {
        asked("Paste it, then an empty line. Nothing is shown.", pasted_lines).await
    } else {
        whole(io::stdin().lock())
    }
}

/// Reads from a terminal that shows nothing meanwhile.
async fn asked(
    prompt: &str,
    read: fn(Input) -> Result<Zeroizing<Vec<u8>>, Complaint>,
) -> Result<Zeroizing<Vec<u8>>, Complaint> {
    let silence = Silence::begin()?;
    eprintln!("{prompt}");
    let (done, typed) = oneshot::channel();
    // Not a task of the runtime: it may never end, and nobody waits for it then.
    std::thread::spawn(move || done.send(read(input())));
    let outcome = tokio::select! {
        typed = typed => typed.unwrap_or_else(|_| Err(unusable("the terminal is gone".to_owned()))),
        _ = tokio::signal::ctrl_c() => {
            Err(Complaint::new(Code::Interrupted, "interrupted").state("nothing was changed"))
        }
    };
    drop(silence);
    outcome
}

fn secret(mut bytes: Zeroizing<Vec<u8>>) -> Secret {
    Secret::new(std::mem::take(&mut *bytes))
}

fn input() -> Input {
    io::stdin().lock().take(BYTES_MAX as u64 + 1)
}

/// Large enough from the start: a growing buffer would leave copies behind that nobody wipes.
fn room() -> Zeroizing<Vec<u8>> {
    Zeroizing::new(Vec::with_capacity(BYTES_MAX + 1))
}

fn fitting(bytes: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, Complaint> {
    if bytes.len() > BYTES_MAX {
        return Err(unusable(format!("it is larger than {} KiB", BYTES_MAX / 1024)));
    }
    Ok(bytes)
}

fn whole(from: impl Read) -> Result<Zeroizing<Vec<u8>>, Complaint> {
    let mut bytes = room();
    from.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(|error| unusable(error.to_string()))?;
    fitting(bytes)
}

fn first_line(mut input: Input) -> Result<Zeroizing<Vec<u8>>, Complaint> {
    let mut bytes = room();
    input.read_until(b'\n', &mut bytes).map_err(|error| unusable(error.to_string()))?;
    fitting(bytes)
}

fn pasted_lines(mut input: Input) -> Result<Zeroizing<Vec<u8>>, Complaint> {
    let mut bytes = room();
    loop {
        let before = bytes.len();
        let read = input.read_until(b'\n', &mut bytes).map_err(|error| unusable(error.to_string()))?;
        let empty = bytes.get(before..).unwrap_or_default().trim_ascii().is_empty();
        if read == 0 || empty && before > 0 {
            return fitting(bytes);
        }
    }
}

/// While it lives, the terminal shows nothing of what is typed.
struct Silence;

impl Silence {
    fn begin() -> Result<Self, Complaint> {
        if stty("-echo") {
            return Ok(Self);
        }
        Err(unusable("this terminal cannot be kept from showing what is typed".to_owned()))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        stty("echo");
    }
}

fn stty(word: &str) -> bool {
    let status = Command::new("stty").arg(word).stdin(Stdio::inherit()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
