//! `keyrota check`: everything that can be known before the first effect. Changes nothing at any issuer or store,
//! and makes no database.

use std::os::unix::fs::PermissionsExt as _;

use db::OpenError;
use domain::Selector;
use driver::IssuerCheck;
use engine::ConfiguredIssuer;
use serde_json::json;

use super::clashes::Places;
use crate::{
    complaint::{Code, Complaint, Exit},
    config::{Config, SecretFile},
    shell::{Ended, Shell},
    wiring::{Opened, survey},
};

/// The bits of a file's mode for its group and for everybody.
const OTHERS: u32 = 0o077;

/// One line of the result.
struct Checked {
    on: String,
    result: Verdict,
    what: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Passed,
    /// Works, but less well.
    Reduced,
    Failed,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Passed => "ok",
            Self::Reduced => "reduced",
            Self::Failed => "failed",
        }
    }
}

pub(crate) async fn check(shell: &Shell) -> Ended {
    let (opened, without) = Opened::to_check(shell).await?;
    let mut lines = vec![Checked::passed("configuration", opened.config.file.display().to_string())];
    let mut complaints = Vec::new();
    match database_lines(&opened.config, without) {
        Ok(found) => lines.extend(found),
        Err(complaint) => {
            lines.push(Checked { on: "database".to_owned(), result: Verdict::Failed, what: complaint.what.clone() });
            complaints.push(complaint);
        }
    }
    lines.extend(opened.config.secret_files().iter().filter_map(file_line));
    for ConfiguredIssuer { name, driver, .. } in opened.issuers()? {
        match driver.check().await {
            Ok(check) => lines.extend(issuer_lines(&name, check)),
            Err(error) => {
                lines.push(Checked { on: format!("issuer {name}"), result: Verdict::Failed, what: error.to_string() });
                complaints.push(Complaint::issuer(format!("`{name}` cannot be worked with"), &error));
            }
        }
    }
    for (name, store) in opened.stores()? {
        match store.check().await {
            Ok(passed) => lines.extend(passed.into_iter().map(|what| Checked::passed(&format!("store {name}"), what))),
            Err(error) => {
                lines.push(Checked { on: format!("store {name}"), result: Verdict::Failed, what: error.to_string() });
                complaints.push(Complaint::store(format!("`{name}` cannot be written to"), &error));
            }
        }
    }
    for (name, notifier) in opened.notifiers()? {
        let on = format!("notifier {name}");
        match notifier.check().await {
            Ok(passed) => lines.extend(passed.into_iter().map(|what| Checked::passed(&on, what))),
            Err(error) => {
                lines.push(Checked { on, result: Verdict::Failed, what: error.to_string() });
                complaints.push(Complaint::notifier(format!("`{name}` can tell nobody"), &error));
            }
        }
    }
    for what in opened.untold()? {
        lines.push(Checked { on: "notices".to_owned(), result: Verdict::Reduced, what });
    }
    for policy in &opened.config.policies {
        lines.push(policy_line(policy));
    }
    lines.extend(clash_lines(&opened).await?);
    for (name, checked) in super::policy::configured_findings(&opened.config) {
        let on = format!("access policy {name}");
        lines.push(match checked {
            Ok(None) => Checked::passed(&on, "reads as it looks".to_owned()),
            Ok(Some(finding)) => Checked { on, result: Verdict::Reduced, what: finding },
            Err(complaint) => {
                let what = complaint.what.clone();
                complaints.push(complaint);
                Checked { on, result: Verdict::Failed, what }
            }
        });
    }
    print(shell, &lines)?;
    for complaint in &complaints {
        shell.voice.complain(complaint);
    }
    Ok(if complaints.is_empty() { Exit::Done } else { Exit::Failed })
}

impl Checked {
    fn passed(on: &str, what: String) -> Self {
        Self { on: on.to_owned(), result: Verdict::Passed, what }
    }
}

/// `without`: why there is no database to look into.
fn database_lines(config: &Config, without: Option<OpenError>) -> Result<Vec<Checked>, Complaint> {
    let folder = config.data_dir.display();
    let Some(without) = without else {
        return Ok(vec![Checked::passed("root key", "opens the database".to_owned())]);
    };
    let what = match without {
        OpenError::Missing { .. } => {
            whole_file::try_room(&config.data_dir).map_err(|error| {
                Complaint::new(Code::DatabaseFile, format!("no database can be made in {folder}"))
                    .because(&error)
                    .state("nothing was changed")
                    .hint("correct `data_dir` of the configuration, or the rights of the folder")
            })?;
            format!(
                "no database yet: the first run makes one in {folder}; where there should be one, correct `data_dir`"
            )
        }
        other => other.to_string(),
    };
    let root_key = "is one; whether it opens the database shows with the next run".to_owned();
    Ok(vec![
        Checked { on: "database".to_owned(), result: Verdict::Reduced, what },
        Checked::passed("root key", root_key),
    ])
}

/// A secret is its owner's alone. A file that is not there is complained of by whoever reads it.
fn file_line(secret: &SecretFile) -> Option<Checked> {
    let mode = std::fs::metadata(&secret.file).ok()?.permissions().mode() & 0o777;
    let file = secret.file.display();
    let what = format!("{file} is open to others than its owner (mode {mode:o}): `chmod 600` it");
    (mode & OTHERS != 0).then(|| Checked { on: secret.named_by.clone(), result: Verdict::Reduced, what })
}

fn issuer_lines(name: &str, check: IssuerCheck) -> impl Iterator<Item = Checked> {
    let on = format!("issuer {name}");
    let passed = check.passed.into_iter().map(|what| (Verdict::Passed, what));
    let reduced = check.reduced.into_iter().map(|what| (Verdict::Reduced, what));
    passed.chain(reduced).map(move |(result, what)| Checked { on: on.clone(), result, what })
}

fn policy_line(policy: &crate::config::PolicyConfig) -> Checked {
    let on = format!("policy {}", policy.name);
    if policy.deliver.is_empty() {
        let what = "names no destination: nothing that it matches is ever replaced".to_owned();
        return Checked { on, result: Verdict::Reduced, what };
    }
    let stores: Vec<&str> = policy.deliver.iter().map(|destination| &*destination.store).collect();
    Checked::passed(&on, format!("delivers {} to {}", policy.selector, stores.join(", ")))
}

/// Places that credentials of the last listing would fight for.
async fn clash_lines(opened: &Opened) -> Result<Vec<Checked>, Complaint> {
    let states = opened.db.issuer_states().await?;
    let mut places = Places::default();
    survey(opened, &states, |surveyed| places.take(&surveyed))?;
    let mut clashes = places.doubled();
    if clashes.is_suspected() {
        survey(opened, &states, |surveyed| clashes.take(&surveyed))?;
    }
    let line = |what| Checked { on: "delivery".to_owned(), result: Verdict::Reduced, what };
    Ok(clashes.sentences(&Selector::everything()).map(line).collect())
}

fn print(shell: &Shell, lines: &[Checked]) -> Result<(), Complaint> {
    if shell.json() {
        return lines.iter().try_for_each(|line| {
            shell.object(&json!({ "on": line.on, "result": line.result.word(), "what": line.what }))
        });
    }
    let rows = lines.iter().map(|line| [line.on.clone(), line.result.word().to_owned(), line.what.clone()]);
    shell.table(["ON", "RESULT", "WHAT"], rows.collect())
}
