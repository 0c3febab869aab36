//! `keyrota init`: a configuration to fill in, and a root key.

use std::path::Path;

use crate::{
    complaint::Exit,
    init,
    shell::{Ended, Shell},
};

pub(crate) fn init(shell: &Shell, dir: &Path) -> Ended {
    let written = init::init(dir)?;
    shell.voice.note(&format!("wrote {} and {}", written.config.display(), written.root_key.display()));
    shell.voice.warn(&written.warning());
    shell.voice.note(&written.next_step());
    Ok(Exit::Done)
}
