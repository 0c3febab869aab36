//! The files of the repository in memory.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

/// Folders that hold nothing we wrote.
const SKIPPED: [&str; 5] = [".git", "target", "keyrota-data", "node_modules", "proptest-regressions"];
/// Larger files are data.
const FILE_BYTES_MAX: u64 = 2 * 1024 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Repository {
    pub(crate) files: Vec<SourceFile>,
}

/// A text file, its path relative to the root with `/` between segments.
#[derive(Debug)]
pub(crate) struct SourceFile {
    pub(crate) path: String,
    pub(crate) text: String,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) path: String,
    /// Counted from 1; 0 for the whole file.
    pub(crate) line: usize,
    pub(crate) what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line.max(1), self.what)
    }
}

impl Repository {
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        let mut repository = Self::default();
        let mut folders: Vec<PathBuf> = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            let entries = fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
            for entry in entries {
                let entry = entry?;
                let kind = entry.file_type()?;
                let is_skipped = SKIPPED.iter().any(|name| entry.file_name() == *name);
                if kind.is_dir() && !is_skipped {
                    folders.push(entry.path());
                } else if kind.is_file() && !is_skipped && entry.metadata()?.len() <= FILE_BYTES_MAX {
                    repository.files.extend(read_text(root, &entry.path()));
                }
            }
        }
        repository.files.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(repository)
    }

    pub(crate) fn get(&self, path: &str) -> Option<&SourceFile> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Rust files, without those of this program.
    pub(crate) fn rust(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter().filter(|file| file.path.ends_with(".rs") && !file.path.starts_with("xtask/"))
    }
}

/// `None` for what is not text, and for what vanished meanwhile.
fn read_text(root: &Path, path: &Path) -> Option<SourceFile> {
    let text = fs::read_to_string(path).ok()?;
    let relative = path.strip_prefix(root).ok()?;
    let segments: Vec<String> = relative.iter().map(|segment| segment.to_string_lossy().into_owned()).collect();
    Some(SourceFile { path: segments.join("/"), text })
}

impl SourceFile {
    /// The crate's folder name, for files under `crates/`.
    pub(crate) fn crate_name(&self) -> Option<&str> {
        self.path.strip_prefix("crates/")?.split('/').next()
    }

    /// Whole files that are not shipped.
    pub(crate) fn is_test(&self) -> bool {
        let crate_of_tests = matches!(self.crate_name(), Some("components" | "contract" | "simulation" | "bench"));
        let in_folder = ["/tests/", "/benches/"].iter().any(|folder| self.path.contains(folder));
        crate_of_tests || in_folder || self.path.ends_with("/tests.rs") || self.path.starts_with("xtask/")
    }

    /// Numbered lines that are shipped: without `#[cfg(test)]` items and without comments.
    pub(crate) fn shipped_lines(&self) -> Vec<(usize, &str)> {
        if self.is_test() {
            return Vec::new();
        }
        let mut lines = Vec::new();
        let mut all = self.text.lines().enumerate().peekable();
        while let Some((index, line)) = all.next() {
            if line.trim() == "#[cfg(test)]" {
                skip_item(&mut all);
            } else if !line.trim_start().starts_with("//") {
                lines.push((index + 1, line));
            }
        }
        lines
    }

    pub(crate) fn finding(&self, line: usize, what: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line, what: what.into() }
    }
}

/// Passes over one item as rustfmt lays it out: further attributes, then one line, or a block that ends at the same
/// indentation.
fn skip_item<'t>(lines: &mut impl Iterator<Item = (usize, &'t str)>) {
    let mut indentation = None;
    for (_, line) in lines {
        let content = line.trim_start();
        let depth = line.len() - content.len();
        match indentation {
            None if content.starts_with('#') => {}
            None if content.ends_with([';', ',']) || content.ends_with('}') => return,
            None => indentation = Some(depth),
            Some(outer) if depth == outer && (content.starts_with('}') || content.ends_with(';')) => return,
            Some(_) => {}
        }
    }
}

/// A repository of made-up files, for the tests of rules.
#[cfg(test)]
pub(crate) fn made_of(files: &[(&str, &str)]) -> Repository {
    let file = |(path, text): &(&str, &str)| SourceFile { path: (*path).to_owned(), text: (*text).to_owned() };
    Repository { files: files.iter().map(file).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_and_comments_are_not_shipped() {
        let text = "\
use a;
#[cfg(test)]
use b;
// use c;
#[cfg(test)]
#[allow(x)]
pub(super) fn d() {
    e();
}
use f;
#[cfg(test)]
mod tests {
    use g;
}
use h;
";
        let repository = made_of(&[("crates/domain/src/lib.rs", text)]);
        let shipped: Vec<_> = repository.files.first().unwrap().shipped_lines();
        assert_eq!(shipped, [(1, "use a;"), (10, "use f;"), (15, "use h;")]);
    }
}
