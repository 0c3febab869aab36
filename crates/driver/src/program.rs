//! A secret that a program prints, for example a password manager's client.

use std::{process::Stdio, thread, time::Duration};

use tokio::{io::AsyncReadExt as _, process::Command, time::timeout};
use zeroize::Zeroizing;

use crate::InvalidSettings;

/// A client that asks its server takes seconds. One that waits for a person, or hangs, must not hold up a run and all
/// that waits behind it.
const DEADLINE: Duration = Duration::from_secs(30);
/// More than any key file.
const OUTPUT_BYTES_MAX: usize = 64 * 1024;

/// What the program wrote to standard output. It gets no standard input, and its standard error is ours. Blocks the
/// thread until it has ended, or is ended.
pub(crate) fn output_of(words: &[String]) -> Result<Vec<u8>, InvalidSettings> {
    output_within(words, DEADLINE)
}

fn output_within(words: &[String], deadline: Duration) -> Result<Vec<u8>, InvalidSettings> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(InvalidSettings("the command is empty".to_owned()));
    };
    let failed = |what: String| InvalidSettings(format!("the command `{program}` {what}"));
    // The caller may be on a thread of a runtime, where no other one can be driven.
    let driven = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|error| format!("cannot be started: {error}"))?.block_on(output(program, arguments, deadline))
    };
    let output = thread::scope(|scope| scope.spawn(driven).join());
    output.unwrap_or_else(|_| Err("could not be followed".to_owned())).map_err(failed)
}

async fn output(program: &str, arguments: &[String], deadline: Duration) -> Result<Vec<u8>, String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("cannot be started: {error}"))?;
    // Large enough from the start: a growing buffer would leave copies behind that nobody wipes.
    let mut bytes = Zeroizing::new(Vec::with_capacity(OUTPUT_BYTES_MAX + 1));
    let stdout = child.stdout.take();
    let ended = timeout(deadline, async {
        if let Some(stdout) = stdout {
            stdout.take(OUTPUT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).await?;
        }
        child.wait().await
    });
    let status = match ended.await {
        Ok(status) => status.map_err(|error| format!("could not be followed: {error}"))?,
        Err(_) => {
            child.kill().await.ok();
            return Err(format!("did not end within {} s, and was ended", deadline.as_secs()));
        }
    };
    if bytes.len() > OUTPUT_BYTES_MAX {
        return Err(format!("printed more than {} KiB", OUTPUT_BYTES_MAX / 1024));
    }
    if !status.success() {
        return Err(format!("failed: {status}"));
    }
    Ok(std::mem::take(&mut *bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(str::to_owned).to_vec()
    }

    #[track_caller]
    fn check_fails(words: &[String], expected: &str) {
        assert_eq!(output_of(words).unwrap_err().0, expected);
    }

    #[test]
    fn a_program_is_heard_to_its_end_with_nothing_to_read() {
        assert_eq!(output_of(&shell("cat; echo one; printf two")).unwrap(), b"one\ntwo");
        check_fails(&[], "the command is empty");
        check_fails(&shell("echo canary; exit 3"), "the command `sh` failed: exit status: 3");
        check_fails(&shell("yes"), "the command `sh` printed more than 64 KiB");
        assert!(output_of(&["no-such-program".to_owned()]).unwrap_err().0.contains("cannot be started"));
    }

    /// Whether it keeps its output open or closes it: what does not end is ended.
    #[test]
    fn a_program_that_hangs_is_ended() {
        for script in ["echo $$ > PID; exec tail -f /dev/null", "echo $$ > PID; exec tail -f /dev/null > /dev/null"] {
            let folder = tempfile::tempdir().unwrap();
            let pid = folder.path().join("pid");
            let script = script.replace("PID", &format!("'{}'", pid.display()));
            let error = output_within(&shell(&script), Duration::from_millis(500)).unwrap_err();
            assert_eq!(error.0, "the command `sh` did not end within 0 s, and was ended");
            // Where it did not come so far, it is ended all the same.
            let Ok(pid) = std::fs::read_to_string(pid) else { continue };
            let alive = std::process::Command::new("kill").args(["-0", pid.trim()]).stderr(Stdio::null()).status();
            assert!(!alive.unwrap().success(), "process {pid} lives on");
        }
    }

    #[tokio::test]
    async fn it_runs_from_within_a_runtime_too() {
        assert_eq!(output_of(&shell("echo one")).unwrap(), b"one\n");
        let source: crate::SecretSource =
            serde_json::from_value(serde_json::json!({ "command": ["echo", "one"] })).unwrap();
        let fetched = source.fetch(std::path::Path::new("")).await.unwrap();
        assert_eq!(fetched.expose(), b"one");
    }
}
