//! Ctrl-C, and the signal of service managers and CI servers, while steps are performed.

use std::{process::exit, time::Duration};

use engine::Stop;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

use crate::{
    complaint::{Code, Complaint, Voice},
    shell::Shell,
};

/// Steps that are open when the signal comes have this long: as long as one call waits for its answer. Whoever sent the
/// signal kills after a while anyway.
const FINISH_WITHIN: Duration = Duration::from_secs(30);

/// From now on, the first signal lets nothing further begin, and the second one ends the process at once. What a cut
/// leaves open is in doubt, and the next run looks at it first.
pub(super) fn stop_on_signal(shell: &Shell) -> Stop {
    let (ask, asked) = watch::channel(false);
    // Without a handler, a signal's own effect ends the process.
    let (Ok(interrupted), Ok(terminated)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
        return Stop::never();
    };
    tokio::spawn(listen(shell.voice, Signals { interrupted, terminated }, ask));
    Stop::when(asked)
}

async fn listen(voice: Voice, mut signals: Signals, ask: watch::Sender<bool>) {
    let (name, _) = signals.next().await;
    voice.warn(&format!(
        "{name}: no further step begins, and those that are open are finished, within {} s; once more ends it at once",
        FINISH_WITHIN.as_secs()
    ));
    ask.send_replace(true);
    tokio::select! {
        (_, number) = signals.next() => exit(128 + number),
        () = tokio::time::sleep(FINISH_WITHIN) => {
            let late = Complaint::new(Code::Interrupted, "steps were still open when the time to finish them was over")
                .state("every step begun is in the journal; what is in doubt is looked at first in the next run")
                .hint("run it again: it goes on where it stopped");
            voice.complain(&late);
            exit(1);
        }
    }
}

struct Signals {
    interrupted: Signal,
    terminated: Signal,
}

impl Signals {
    /// Its name and number.
    async fn next(&mut self) -> (&'static str, i32) {
        tokio::select! {
            _ = self.interrupted.recv() => ("SIGINT", SignalKind::interrupt().as_raw_value()),
            _ = self.terminated.recv() => ("SIGTERM", SignalKind::terminate().as_raw_value()),
        }
    }
}
