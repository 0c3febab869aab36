//! `keyrota task complete`: a person says that it is done. What they hand over is tried before it is believed.

use db::{Access, TaskLine};
use domain::Ask;
use engine::{Engine, TaskError};
use secret::Secret;

use super::find;
use crate::{
    cli::CompleteArgs,
    commands::{credential::go_on, handed_in},
    complaint::{Code, Complaint},
    shell::{Ended, Shell},
    wiring::Opened,
};

pub(crate) async fn complete(shell: &Shell, args: &CompleteArgs) -> Ended {
    // What is handed over is read before the database is locked: a person takes their time.
    let task = find(&Opened::open(shell, Access::ReadOnly).await?, args.id).await?;
    if task.ended_at.is_some() {
        return Err(refused(&task, &TaskError::Ended));
    }
    let content = match (&args.file, &task.ask) {
        (Some(file), _) => Some(handed_in::from_file(file).map_err(unreadable)?),
        (None, Ask::Issue { .. }) => Some(handed_in::from_person().await.map_err(unreadable)?),
        (None, Ask::Revoke { .. }) => None,
    };
    let opened = Opened::open(shell, Access::Engine).await?;
    let engine = opened.engine().await?;
    let task = find(&opened, args.id).await?;
    prove_removal(shell, &engine, &task, content.as_ref(), args).await?;
    let done = engine.complete_task(&task, content.as_ref(), &args.word.by(), &args.word.reason).await;
    done.map_err(|error| refused(&task, &error))?;
    shell.voice.note(match task.ask {
        Ask::Issue { .. } => "it was tried, is accepted, and is sealed; what you have of it can go now",
        Ask::Revoke { .. } => "it counts as removed, and is still to be proved dead",
    });
    go_on(shell, &engine, &task.credential).await
}

fn unreadable(complaint: Complaint) -> Complaint {
    let complaint = complaint.state("nothing was changed; the task waits");
    match complaint.code {
        Code::Input => complaint.hint("name its file with `--file FILE`, or give it on standard input"),
        _ => complaint,
    }
}

/// Where nothing here could prove a removal, somebody has to answer for it by name.
async fn prove_removal(
    shell: &Shell,
    engine: &Engine,
    task: &TaskLine,
    content: Option<&Secret>,
    args: &CompleteArgs,
) -> Result<(), Complaint> {
    if content.is_some() || !engine.wants_proof_of_removal(task).await? {
        return Ok(());
    }
    if args.on_my_word {
        let by = args.word.by();
        shell.voice.warn(&format!("nothing can try what was removed; it counts as dead on the word of {by}"));
        return Ok(());
    }
    Err(Complaint::new(Code::HandedOver, format!("the removal for task {} cannot be proved", task.id))
        .cause("the platform keeps no record that could be asked, and the secret of this version was never held here")
        .state("nothing was changed; the task waits")
        .hint(format!(
            "hand over what is left of it, `keyrota task complete {} --file FILE`, so that it can be tried; or answer \
             for it with `--on-my-word`",
            task.id
        )))
}

fn refused(task: &TaskLine, error: &TaskError) -> Complaint {
    let id = task.id;
    let what = match task.ask {
        Ask::Issue { .. } => format!("what was handed over for task {id} is not taken"),
        Ask::Revoke { .. } => format!("task {id} is not done"),
    };
    let waits = "nothing was changed; the task waits, and the version in use stays in use";
    match error {
        TaskError::Ended => Complaint::new(Code::UnknownTask, format!("task {id} has ended already"))
            .state("nothing was changed")
            .hint("`keyrota task list` names those that wait"),
        TaskError::Trial(source) => Complaint::issuer(what, source).state(waits),
        TaskError::Read(error) => Complaint::from(error),
        TaskError::Moved(error) => {
            Complaint::from(error).hint("it moved in this very moment: look at `keyrota task list` and try again")
        }
        TaskError::SecretWanted
        | TaskError::Unreadable(_)
        | TaskError::KnownAlready(_)
        | TaskError::Unchanged(_)
        | TaskError::Elsewhere { .. }
        | TaskError::OfAnother { .. }
        | TaskError::AnotherOne { .. } => Complaint::new(Code::HandedOver, what)
            .cause(error.to_string())
            .state(waits)
            .hint(format!("`keyrota task show {id}` says what is to be made and handed over")),
        TaskError::Refused(_) | TaskError::Unfit(_) => Complaint::new(Code::HandedOver, what)
            .cause(error.to_string())
            .state(waits)
            .hint(format!("make another one as `keyrota task show {id}` says, and hand that over")),
        TaskError::StillAccepted | TaskError::StillThere => Complaint::new(Code::HandedOver, what)
            .cause(error.to_string())
            .state("nothing was changed; the task waits, and it counts as alive")
            .hint(format!("`keyrota task show {id}` says which one is to be removed; perhaps another one was")),
        _ => Complaint::new(Code::NotPossibleNow, what).cause(error.to_string()).state(waits),
    }
}
