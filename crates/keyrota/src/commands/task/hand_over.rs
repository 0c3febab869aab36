//! How a secret reaches us: from a file, from standard input, or typed at a terminal that shows nothing. Never as an
//! argument, which everybody on the machine could read.

use std::{
    io::{self, BufRead as _, IsTerminal as _, Read},
    path::Path,
    process::{Command, Stdio},
};

use secret::Secret;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::complaint::{Code, Complaint};

/// More than any key file; a larger one is a mistake.
const BYTES_MAX: u64 = 64 * 1024;

fn unusable(cause: String) -> Complaint {
    Complaint::new(Code::Input, "what was to be handed over cannot be read")
        .cause(cause)
        .state("nothing was changed; the task waits")
        .hint("name its file with `--file FILE`, or give it on standard input")
}

pub(super) fn from_file(file: &Path) -> Result<Secret, Complaint> {
    if file == Path::new("-") {
        return read(io::stdin().lock());
    }
    let open = std::fs::File::open(file);
    read(open.map_err(|error| unusable(format!("the file {}: {error}", file.display())))?)
}

/// From a terminal, asks; from anything else, reads to the end.
pub(super) async fn from_person() -> Result<Secret, Complaint> {
    if !io::stdin().is_terminal() {
        return read(io::stdin().lock());
    }
    let silence = Silence::begin()?;
    eprintln!("Paste it, then an empty line. Nothing is shown.");
    let (done, pasted) = oneshot::channel();
    // Not a task of the runtime: it may never end, and nobody waits for it then.
    std::thread::spawn(move || done.send(pasted_lines()));
    let outcome = tokio::select! {
        pasted = pasted => pasted.unwrap_or_else(|_| Err(unusable("the terminal is gone".to_owned()))),
        _ = tokio::signal::ctrl_c() => {
            Err(Complaint::new(Code::Interrupted, "interrupted").state("nothing was changed; the task waits"))
        }
    };
    drop(silence);
    outcome
}

fn read(from: impl Read) -> Result<Secret, Complaint> {
    let mut bytes = Zeroizing::new(Vec::new());
    from.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| unusable(error.to_string()))?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(unusable(format!("it is larger than {} KiB", BYTES_MAX / 1024)));
    }
    Ok(Secret::new(std::mem::take(&mut *bytes)))
}

fn pasted_lines() -> Result<Secret, Complaint> {
    let mut bytes = Zeroizing::new(Vec::new());
    let mut input = io::stdin().lock().take(BYTES_MAX);
    loop {
        let before = bytes.len();
        let read = input.read_until(b'\n', &mut bytes).map_err(|error| unusable(error.to_string()))?;
        let empty = bytes.get(before..).unwrap_or_default().trim_ascii().is_empty();
        if read == 0 || empty && before > 0 {
            return Ok(Secret::new(std::mem::take(&mut *bytes)));
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
