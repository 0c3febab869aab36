//! A plan in a file: signed by this installation, so that what was read is what is carried out.

use std::{collections::HashMap, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use engine::{Engine, PlannedLine, estate_digest};
use secret::Keyring;
use serde::{Deserialize, Serialize};
use whole_file::Readers;

use super::rfc3339;
use crate::{
    cli::who,
    complaint::{Code, Complaint},
    config::{Config, PolicyConfig},
};

/// A plan that was written to a file, signed by this installation.
#[derive(Debug)]
pub(crate) struct PlanFile {
    lines: Vec<FileLine>,
    made_by: String,
    approved_by: Option<String>,
}

/// The file: the body as text, so that the signature is over exactly what is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    keyrota_plan: u32,
    made_by: String,
    approved_by: Option<String>,
    steps: Vec<FileLine>,
    signature: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileLine {
    credential: String,
    step: String,
    reason: String,
    message: String,
    not_before: String,
    digest: String,
}

const FORMAT: u32 = 3;

pub(crate) fn read_plan(file: &Path, keyring: &Keyring) -> Result<PlanFile, Complaint> {
    let unreadable = |cause: String| {
        Complaint::new(Code::PlanUnreadable, format!("{} is not a plan", file.display()))
            .cause(cause)
            .state("nothing was changed")
            .hint("make one with `keyrota plan --out FILE`")
    };
    let text = std::fs::read_to_string(file).map_err(|error| unreadable(error.to_string()))?;
    let envelope: Envelope = serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
    if envelope.keyrota_plan != FORMAT {
        return Err(unreadable(format!("its format is {}, this release reads {FORMAT}", envelope.keyrota_plan)));
    }
    let signature = STANDARD.decode(&envelope.signature).unwrap_or_default();
    let Envelope { made_by, approved_by, steps, .. } = envelope;
    let plan = PlanFile { lines: steps, made_by, approved_by };
    if !keyring.plan_is_ours(plan.signed_text()?.as_bytes(), &signature) {
        return Err(Complaint::new(Code::PlanForged, format!("the signature of {} is not ours", file.display()))
            .cause("it was altered, or made by an installation with another root key")
            .state("nothing was changed")
            .hint("make it again with `keyrota plan --out FILE`"));
    }
    Ok(plan)
}

impl PlanFile {
    pub(super) fn of(lines: &[PlannedLine], made_by: &str) -> Self {
        let line = |line: &PlannedLine| FileLine {
            credential: line.credential.clone(),
            step: line.step.to_owned(),
            reason: line.reason.to_owned(),
            message: line.message.clone(),
            not_before: rfc3339(line.not_before),
            digest: line.digest.clone(),
        };
        Self { lines: lines.iter().map(line).collect(), made_by: made_by.to_owned(), approved_by: None }
    }

    /// With a second name under it. Whoever made it cannot be that second one, however the name is written.
    pub(super) fn approved_by(self, by: &str, file: &Path) -> Result<Self, Complaint> {
        let cannot = |what: String| Complaint::new(Code::PlanStopped, what).state("nothing was changed");
        if !names_somebody(&self.made_by) {
            return Err(cannot(format!("{} cannot be approved", file.display()))
                .cause("it does not say who made it, so nobody can be told from them")
                .hint("make it again with `keyrota plan --out FILE --by NAME`"));
        }
        if !names_somebody(by) {
            return Err(cannot(format!("{} cannot be approved by {by}", file.display()))
                .cause("nobody is named, and four eyes are two people's")
                .hint("say who approves it: `keyrota plan --approve FILE --by NAME`"));
        }
        if one_person(by, &self.made_by) {
            return Err(cannot(format!("{} cannot be approved by {by}", file.display()))
                .cause(format!("{} made it, and four eyes are two people's", self.made_by))
                .hint("have somebody else run `keyrota plan --approve FILE --by NAME`"));
        }
        Ok(Self { approved_by: Some(by.to_owned()), ..self })
    }

    /// Whether two people stand under it. A file of an earlier build may carry a name that is none.
    fn has_four_eyes(&self) -> bool {
        let second = self.approved_by.as_deref().filter(|by| names_somebody(by));
        names_somebody(&self.made_by) && second.is_some_and(|by| !one_person(by, &self.made_by))
    }

    /// The first credential in it whose policy wants two people, with that policy.
    fn wants_four_eyes<'a>(&'a self, config: &'a Config) -> Option<(&'a str, &'a PolicyConfig)> {
        self.lines.iter().find_map(|line| {
            let credential = domain::CredentialId::parse(&line.credential).ok()?;
            let policy = config.policies.get(config.policy_index(&credential)?)?;
            policy.four_eyes.then_some((line.credential.as_str(), policy))
        })
    }

    /// What is still missing before the plan in `file` is carried out, as a sentence.
    pub(super) fn next(&self, config: &Config, file: &Path) -> String {
        let file = file.display();
        let run = format!("`keyrota run --once --plan {file}` carries it out");
        match self.wants_four_eyes(config) {
            Some((_, policy)) if !self.has_four_eyes() => format!(
                "the policy `{}` wants four eyes: somebody else reads it and runs `keyrota plan --approve {file} --by \
                 NAME`, then {run}",
                policy.name
            ),
            _ => run,
        }
    }

    pub(super) fn write(self, file: &Path, keyring: &Keyring) -> Result<(), Complaint> {
        let signature = STANDARD.encode(keyring.sign_plan(self.signed_text()?.as_bytes()));
        let Self { lines, made_by, approved_by } = self;
        let envelope = Envelope { keyrota_plan: FORMAT, made_by, approved_by, steps: lines, signature };
        let text = serde_json::to_string_pretty(&envelope).map_err(|error| unworded(&error))?;
        // Whoever approves it may be another user, and a disk that is full leaves the plan that was there.
        whole_file::replace(file, (text + "\n").as_bytes(), Readers::Anybody).map_err(|error| {
            Complaint::new(Code::FileUnwritable, format!("the plan cannot be written to {}", file.display()))
                .because(&error)
                .state("nothing was changed at any issuer or store")
                .hint("name a file in a folder that is there and that you may write to")
        })
    }

    fn signed_text(&self) -> Result<String, Complaint> {
        serde_json::to_string(&(FORMAT, &self.made_by, &self.approved_by, &self.lines))
            .map_err(|error| unworded(&error))
    }

    /// Refuses a plan of one person where a policy wants two.
    pub(crate) fn check_four_eyes(&self, config: &Config) -> Result<(), Complaint> {
        if self.has_four_eyes() {
            return Ok(());
        }
        let Some((credential, policy)) = self.wants_four_eyes(config) else { return Ok(()) };
        Err(Complaint::new(Code::PlanStopped, "the plan is approved by nobody but who made it")
            .cause(format!(
                "{} made it, and the policy `{}` of {credential} wants four eyes",
                self.made_by, policy.name
            ))
            .state("nothing was changed")
            .hint("have somebody else read it and run `keyrota plan --approve FILE --by NAME`"))
    }

    pub(crate) fn credentials(&self) -> impl Iterator<Item = String> {
        self.lines.iter().map(|line| line.credential.clone())
    }

    /// Refuses the plan when anything that it names is not as it was.
    pub(crate) fn check_unmoved(&self, engine: &Engine, keyring: &Keyring) -> Result<(), Complaint> {
        let mut now: HashMap<String, String> = HashMap::new();
        engine.survey(|surveyed| {
            let observed = &surveyed.entry.observed;
            if let Some((_, applied)) = &surveyed.planned {
                now.insert(observed.credential.to_string(), estate_digest(keyring, applied, observed));
            }
        })?;
        let moved: Vec<&str> = self
            .lines
            .iter()
            .filter(|line| now.get(&line.credential) != Some(&line.digest))
            .map(|line| line.credential.as_str())
            .collect();
        if moved.is_empty() {
            return Ok(());
        }
        let named = moved.iter().take(5).copied().collect::<Vec<_>>().join(", ");
        let more = moved.len().saturating_sub(5);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        Err(Complaint::new(Code::PlanMoved, "the estate has moved since the plan was made")
            .cause(format!("not as planned any more: {named}{more}"))
            .state("nothing was changed")
            .hint("make the plan again with `keyrota plan --out FILE`, and read it again"))
    }
}

/// The one who makes or approves a plan. What is said must be a name.
pub(super) fn named(by: Option<&str>) -> Result<String, Complaint> {
    let by = who(by);
    if by.chars().any(char::is_alphanumeric) {
        return Ok(by.trim().to_owned());
    }
    Err(Complaint::new(Code::Usage, format!("`{by}` is nobody's name"))
        .cause("a name has a letter or a digit")
        .state("nothing was changed")
        .hint("write `--by NAME`; without it, the user's name on this machine is taken"))
}

/// Whether it tells who it is; a machine without users leaves a word that could be anybody's.
fn names_somebody(name: &str) -> bool {
    name.chars().any(char::is_alphanumeric) && !one_person(name, "somebody")
}

/// Whether two names are one person's. Letters and digits alone count, of either case: being asked for another name too
/// often does no harm, and approving one's own plan does.
fn one_person(one: &str, other: &str) -> bool {
    let bare = |name: &str| -> String {
        name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    bare(one) == bare(other)
}

fn unworded(error: &serde_json::Error) -> Complaint {
    Complaint::new(Code::PlanUnreadable, "the plan cannot be put into words").because(error)
}
