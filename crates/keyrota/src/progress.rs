//! What a person sees while a run works: one line on a terminal, nothing elsewhere.

use std::{
    io::IsTerminal as _,
    sync::atomic::{AtomicUsize, Ordering},
};

use domain::{CredentialId, Step};
use engine::{Progress, Silent};
use indicatif::{ProgressBar, ProgressStyle};

use crate::shell::Shell;

/// For this shell: a line on a terminal unless quiet or JSON, silence otherwise.
pub(crate) fn progress(shell: &Shell) -> Box<dyn Progress> {
    if shell.quiet || shell.json() || !std::io::stderr().is_terminal() {
        return Box::new(Silent);
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        bar.set_style(style);
    }
    Box::new(Line { bar, walks: AtomicUsize::new(0), walked: AtomicUsize::new(0) })
}

#[derive(Debug)]
struct Line {
    bar: ProgressBar,
    walks: AtomicUsize,
    walked: AtomicUsize,
}

impl Progress for Line {
    fn observing(&self, issuer: &str, found: usize, total: Option<u64>) {
        let total = total.map(|total| format!(" of {total}")).unwrap_or_default();
        self.bar.set_message(format!("looking at {issuer}: {found}{total}"));
        self.bar.tick();
    }

    fn begin(&self, walks: usize) {
        self.walks.store(walks, Ordering::Relaxed);
    }

    fn performed(&self, credential: &CredentialId, step: &Step) {
        let (walked, walks) = (self.walked.load(Ordering::Relaxed), self.walks.load(Ordering::Relaxed));
        self.bar.set_message(format!("{walked} of {walks}: {} {credential}", step.word()));
        self.bar.tick();
    }

    fn walked(&self) {
        self.walked.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
