//! `keyrota task …`: steps that wait for a person.

mod complete;

use std::collections::BTreeMap;

use db::{Access, Issuers, TaskLine};
use domain::{Ask, Timestamp};
use driver::Subject;
use serde_json::{Value, json};

use super::{relative, rfc3339};
use crate::{
    cli::TaskCommand,
    complaint::{Code, Complaint, Exit},
    shell::{Ended, Shell},
    wiring::Opened,
};

pub(crate) async fn task(shell: &Shell, command: TaskCommand) -> Ended {
    match command {
        TaskCommand::List => list(shell).await,
        TaskCommand::Show { id } => show(shell, id).await,
        TaskCommand::Complete(args) => complete::complete(shell, &args).await,
    }
}

/// One task with what a person wants to know of it.
pub(crate) struct Waiting {
    task: TaskLine,
    now: Timestamp,
    /// The handle of the version that it is about.
    handle: Option<String>,
    owner: Option<String>,
}

impl Waiting {
    fn is_overdue(&self) -> bool {
        self.task.ended_at.is_none() && self.now >= self.task.due_at
    }

    fn what(&self) -> String {
        match (&self.task.ask, &self.handle) {
            (Ask::Issue { from: None }, _) => "make the first version".to_owned(),
            (Ask::Issue { .. }, Some(handle)) => format!("make a successor of {handle}"),
            (Ask::Issue { from: Some(from) }, None) => format!("make a successor of version {from}"),
            (Ask::Revoke { .. }, Some(handle)) => format!("remove {handle}"),
            (Ask::Revoke { version }, None) => format!("remove version {version}"),
        }
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "id": self.task.id,
            "credential": self.task.credential.as_str(),
            "what": self.task.ask.word(),
            "version": self.task.ask.version().map(|version| version.0),
            "handle": self.handle,
            "owner": self.owner,
            "since": rfc3339(self.task.asked_at),
            "due": rfc3339(self.task.due_at),
            "overdue": self.is_overdue(),
        })
    }
}

/// Every task that is open, the longest waiting first.
pub(crate) async fn waiting(opened: &Opened) -> Result<Vec<Waiting>, Complaint> {
    let mut waiting = Vec::new();
    for task in opened.db.open_tasks().await? {
        waiting.push(describe(opened, task).await?);
    }
    Ok(waiting)
}

pub(crate) fn table(shell: &Shell, waiting: &[Waiting]) -> Result<(), Complaint> {
    let rows = waiting.iter().map(|one| {
        let due = relative(one.task.due_at, one.now);
        let due = if one.is_overdue() { format!("overdue, {due}") } else { due };
        let since = relative(one.task.asked_at, one.now);
        [one.task.id.to_string(), one.task.credential.to_string(), one.what(), since, due]
    });
    shell.table(["TASK", "CREDENTIAL", "WHAT", "SINCE", "DUE"], rows.collect())
}

async fn list(shell: &Shell) -> Ended {
    let opened = Opened::open(shell, Access::ReadOnly).await?;
    let waiting = waiting(&opened).await?;
    if shell.json() {
        for one in &waiting {
            shell.object(&one.json())?;
        }
    } else {
        table(shell, &waiting)?;
    }
    let overdue: Vec<&Waiting> = waiting.iter().filter(|one| one.is_overdue()).collect();
    for one in &overdue {
        let owner = one.owner.as_ref().map(|owner| format!(" (owner: {owner})")).unwrap_or_default();
        let (id, due) = (one.task.id, rfc3339(one.task.due_at));
        shell.voice.warn(&format!(
            "{}{owner}: task {id} was due {due} and is not done; `keyrota task show {id}` says what to do",
            one.task.credential
        ));
    }
    Ok(if overdue.is_empty() { Exit::Done } else { Exit::Attention })
}

async fn show(shell: &Shell, id: i64) -> Ended {
    let opened = Opened::open(shell, Access::ReadOnly).await?;
    let task = find(&opened, id).await?;
    let one = describe(&opened, task).await?;
    let lines = instructions(&opened, &one.task).await?;
    if shell.json() {
        let mut object = one.json();
        if let Some(object) = object.as_object_mut() {
            object.insert("instructions".to_owned(), lines.into());
            object.insert("ended_at".to_owned(), one.task.ended_at.map_or(Value::Null, |at| rfc3339(at).into()));
            object.insert("ended_by".to_owned(), one.task.ended_by.clone().into());
            object.insert("outcome".to_owned(), one.task.outcome.clone().into());
        }
        shell.object(&object)?;
        return Ok(Exit::Done);
    }
    let mut text = format!("Task {id}: {}\n{}\n", one.task.credential, one.what());
    match (&one.task.ended_at, one.is_overdue()) {
        (Some(at), _) => {
            let outcome = one.task.outcome.clone().unwrap_or_default();
            let by = one.task.ended_by.clone().map(|by| format!(" by {by}")).unwrap_or_default();
            text.push_str(&format!("ended {}{by}: {outcome}\n", rfc3339(*at)));
        }
        (None, true) => text.push_str(&format!("was due {}\n", rfc3339(one.task.due_at))),
        (None, false) => text.push_str(&format!("due {}\n", rfc3339(one.task.due_at))),
    }
    if one.task.ended_at.is_none() {
        text.push('\n');
        for (number, line) in (1..).zip(&lines) {
            text.push_str(&format!("{number:>3}. {line}\n"));
        }
    }
    shell.text(&text)?;
    Ok(Exit::Done)
}

async fn find(opened: &Opened, id: i64) -> Result<TaskLine, Complaint> {
    opened.db.task(id).await?.ok_or_else(|| {
        Complaint::new(Code::UnknownTask, format!("there is no task {id}"))
            .state("nothing was changed")
            .hint("`keyrota task list` names those that wait")
    })
}

async fn describe(opened: &Opened, task: TaskLine) -> Result<Waiting, Complaint> {
    let now = opened.now_at(task.credential.issuer()).await?;
    let entry = opened.db.entry(task.credential_id, &views(opened, now)?).await?;
    let observed = entry.as_ref().map(|entry| &entry.observed);
    let version = task.ask.version().and_then(|version| observed?.version(version));
    let owner = observed.and_then(|observed| observed.owner.as_ref());
    Ok(Waiting {
        now,
        handle: version.map(|version| version.handle.to_string()),
        owner: owner.map(|owner| owner.email.clone().unwrap_or_else(|| owner.name.clone())),
        task,
    })
}

fn views(opened: &Opened, now: Timestamp) -> Result<Issuers, Complaint> {
    let facts = opened.facts()?;
    Ok(facts.into_iter().map(|(name, facts)| (name, db::IssuerView { facts, now })).collect())
}

/// What the driver says is to be done, with the number of the task where it says how to go on.
async fn instructions(opened: &Opened, task: &TaskLine) -> Result<Vec<String>, Complaint> {
    let now = opened.now_at(task.credential.issuer()).await?;
    let Some(entry) = opened.db.entry(task.credential_id, &views(opened, now)?).await? else { return Ok(Vec::new()) };
    let issuers: BTreeMap<String, _> =
        opened.issuers()?.into_iter().map(|issuer| (issuer.name.clone(), issuer)).collect();
    let driver = issuers.get(task.credential.issuer()).map(|issuer| &issuer.driver);
    let Some(assisted) = driver.and_then(|driver| driver.assisted()) else { return Ok(Vec::new()) };
    let handle = task.ask.version().and_then(|version| entry.observed.version(version)).map(|one| &one.handle);
    let subject = Subject { credential: task.credential.clone(), locator: entry.locator.clone() };
    let lines = assisted.instructions(&subject, &task.ask, handle);
    let numbered = format!("task complete {}", task.id);
    Ok(lines.into_iter().map(|line| line.replace("task complete ID", &numbered)).collect())
}
