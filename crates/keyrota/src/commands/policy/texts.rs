//! Where policy texts come from: files, the configuration, what is ready-made.

use std::{io::Read as _, path::Path};

use authority::access::{InvalidPolicy, Policy, ReadyMade, Where};
use serde_json::json;

use super::TemplateArgs;
use crate::{
    complaint::{Code, Complaint, Exit, chain},
    config::{AccessPolicyConfig, Config, nearest},
    shell::{Ended, Shell},
    wiring::load_config,
};

/// A policy with its name and where it was read.
#[derive(Debug)]
pub(super) struct Named {
    /// In lower case, as servers keep it.
    pub(super) name: String,
    pub(super) origin: String,
    pub(super) text: String,
    pub(super) policy: Policy,
}

impl Named {
    fn parse(name: &str, origin: String, text: String) -> Result<Self, Complaint> {
        let policy = Policy::parse(&text).map_err(|invalid| malformed(&invalid, &origin))?;
        Ok(Self { name: name.to_lowercase(), origin, text, policy })
    }

    /// Named like the file; `-` is standard input.
    pub(super) fn of_file(file: &Path) -> Result<Self, Complaint> {
        if file == Path::new("-") {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map_err(|error| unreadable("standard input", &error))?;
            return Self::parse("stdin", "standard input".to_owned(), text);
        }
        let origin = file.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|error| unreadable(&format!("`{origin}`"), &error))?;
        let name = file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        Self::parse(&name.unwrap_or_default(), origin, text)
    }

    pub(super) fn of_config(configured: &AccessPolicyConfig) -> Result<Self, Complaint> {
        Ok(Self { name: configured.name.to_lowercase(), ..Self::of_file(&configured.file)? })
    }
}

/// Access policies of the configuration by their names.
pub(super) fn configured(config: &Config, names: &[String]) -> Result<Vec<Named>, Complaint> {
    names.iter().map(|name| Named::of_config(find(config, name)?)).collect()
}

fn find<'c>(config: &'c Config, name: &str) -> Result<&'c AccessPolicyConfig, Complaint> {
    let known = || config.access_policies.iter().map(|policy| policy.name.as_str());
    let found = config.access_policies.iter().find(|policy| policy.name.eq_ignore_ascii_case(name));
    found.ok_or_else(|| {
        let complaint = Complaint::new(Code::UnknownPolicy, format!("no access policy is called `{name}`"));
        match nearest(name, known()) {
            Some(nearest) => complaint.hint(format!("did you mean `{nearest}`?")),
            None if config.access_policies.is_empty() => {
                complaint.hint("add an `[[access_policy]]` with `name` and `file` to the configuration")
            }
            None => complaint.hint(format!("known are {}", known().collect::<Vec<_>>().join(", "))),
        }
    })
}

pub(super) fn list(shell: &Shell) -> Ended {
    let config = load_config(shell)?;
    let policies = config.access_policies.iter().map(Named::of_config).collect::<Result<Vec<_>, _>>()?;
    if shell.json() {
        for Named { name, origin, policy, .. } in &policies {
            shell.object(&json!({ "name": name, "file": origin, "rules": policy.rules.len() }))?;
        }
        return Ok(Exit::Done);
    }
    let rows = policies.into_iter().map(|named| [named.name, named.policy.rules.len().to_string(), named.origin]);
    shell.table(["NAME", "RULES", "FILE"], rows.collect())?;
    Ok(Exit::Done)
}

pub(super) fn show(shell: &Shell, name: &str) -> Ended {
    let config = load_config(shell)?;
    let Named { name, origin, text, .. } = Named::of_config(find(&config, name)?)?;
    if shell.json() {
        shell.object(&json!({ "name": name, "file": origin, "policy": text }))?;
    } else {
        shell.text(&text)?;
    }
    Ok(Exit::Done)
}

pub(super) fn template(shell: &Shell, args: &TemplateArgs) -> Ended {
    let ready_made = ReadyMade::find(&args.name).ok_or_else(|| {
        let complaint = Complaint::new(Code::UnknownPolicy, format!("no ready-made policy is called `{}`", args.name));
        match nearest(&args.name, ReadyMade::ALL.map(|policy| policy.name)) {
            Some(nearest) => complaint.hint(format!("did you mean `{nearest}`?")),
            None => {
                let names = ReadyMade::ALL.map(|policy| format!("{} ({})", policy.name, policy.meaning));
                complaint.hint(format!("there are {}", names.join(", ")))
            }
        }
    })?;
    let places = Where { mount: args.mount.clone(), password: args.password.clone(), token: args.token.clone() };
    let text = ready_made.text(&places).map_err(|invalid| {
        Complaint::new(Code::Usage, "the policy cannot be made").because(&invalid).state("nothing was printed")
    })?;
    if shell.json() {
        shell.object(&json!({ "name": ready_made.name, "policy": text }))?;
    } else {
        shell.text(&text)?;
    }
    Ok(Exit::Done)
}

fn malformed(invalid: &InvalidPolicy, origin: &str) -> Complaint {
    let complaint =
        Complaint::new(Code::PolicyText, invalid.problem.to_string()).cause(format!("{origin}:{}", invalid.at));
    match invalid.problem.hint() {
        Some(hint) => complaint.hint(hint),
        None => complaint,
    }
}

fn unreadable(what: &str, error: &std::io::Error) -> Complaint {
    Complaint::new(Code::Input, format!("the policy cannot be read from {what}")).cause(chain(error))
}
