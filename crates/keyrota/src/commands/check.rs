//! `keyrota check`: everything that can be known before the first effect. Changes nothing at any issuer or store.

use db::Access;
use driver::IssuerCheck;
use serde_json::json;

use engine::ConfiguredIssuer;

use crate::{
    complaint::{Complaint, Exit},
    shell::{Ended, Shell},
    wiring::Opened,
};

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
    let opened = Opened::open(shell, Access::Commands).await?;
    let mut lines = vec![
        Checked::passed("configuration", opened.config.file.display().to_string()),
        Checked::passed("root key", "opens the database".to_owned()),
    ];
    let mut complaints = Vec::new();
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

fn print(shell: &Shell, lines: &[Checked]) -> Result<(), Complaint> {
    if shell.json() {
        return lines.iter().try_for_each(|line| {
            shell.object(&json!({ "on": line.on, "result": line.result.word(), "what": line.what }))
        });
    }
    let rows = lines.iter().map(|line| [line.on.clone(), line.result.word().to_owned(), line.what.clone()]);
    shell.table(["ON", "RESULT", "WHAT"], rows.collect())
}
