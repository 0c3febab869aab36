//! `keyrota policy test`: may somebody do something, and by which rule.

use authority::access::{Access, Capabilities, Capability, Decision, Identity, InvalidAccess, Winner};
use serde_json::{Value, json};

use super::{
    TestArgs,
    texts::{Named, configured},
};
use crate::{
    complaint::{Code, Complaint, Exit},
    ports::now,
    shell::{Ended, Shell},
    wiring::load_config,
};

pub(super) fn ask(shell: &Shell, args: TestArgs) -> Ended {
    let mut policies = args.policy.iter().map(|file| Named::of_file(file)).collect::<Result<Vec<_>, _>>()?;
    if !args.carried.is_empty() {
        policies.extend(configured(&*load_config(shell)?, &args.carried)?);
    }
    let identity = Identity(args.identity.into_iter().collect());
    let carried = policies.iter().map(|named| (named.name.as_str(), &named.policy));
    let access = Access::compile(carried, &identity, now()).map_err(unusable)?;
    match args.capability {
        Some(capability) => one(shell, &access, &args.path, capability),
        None => all(shell, &access, &args.path),
    }
}

fn one(shell: &Shell, access: &Access, path: &str, capability: Capability) -> Ended {
    let decision = access.decide(path, capability);
    if shell.json() {
        let rule = decision.winner.as_ref().map(rule_json);
        let word = capability.word();
        shell.object(&json!({ "path": path, "capability": word, "allowed": decision.allowed, "rule": rule }))?;
    } else {
        shell.text(&format!("{}\n", sentence(&decision)))?;
    }
    let conditions = decision.winner.map_or(&[][..], |winner| winner.conditions);
    if decision.allowed && !conditions.is_empty() {
        let keys = conditions.join(", ");
        shell.voice.note(&format!("a server looks at each call's parameters as well: the rule has {keys}"));
    }
    Ok(if decision.allowed { Exit::Done } else { Exit::Failed })
}

fn all(shell: &Shell, access: &Access, path: &str) -> Ended {
    let capabilities = access.capabilities(path);
    if shell.json() {
        shell.object(&json!({ "path": path, "capabilities": words(capabilities) }))?;
    } else {
        // As `vault token capabilities` says it.
        let words = if capabilities.is_empty() { "deny".to_owned() } else { capabilities.to_string() };
        shell.text(&format!("{words}\n"))?;
    }
    Ok(if capabilities.is_empty() { Exit::Failed } else { Exit::Done })
}

fn sentence(decision: &Decision<'_>) -> String {
    let answer = if decision.allowed { "yes" } else { "no" };
    let Some(Winner { pattern, grants, sources, .. }) = decision.winner else {
        return format!("{answer}: no rule matches");
    };
    let sources: Vec<String> =
        sources.iter().map(|source| format!("{}, line {}", source.policy, source.line)).collect();
    let sources = sources.join("; ");
    match grants.is_deny() {
        true => format!("{answer}: path \"{pattern}\" denies ({sources})"),
        false => format!("{answer}: path \"{pattern}\" grants {grants} ({sources})"),
    }
}

fn rule_json(winner: &Winner<'_>) -> Value {
    let from: Vec<Value> =
        winner.sources.iter().map(|source| json!({ "policy": source.policy, "line": source.line })).collect();
    json!({
        "pattern": winner.pattern,
        "grants": words(winner.grants),
        "from": from,
        "conditions": winner.conditions,
    })
}

fn words(capabilities: Capabilities) -> Vec<&'static str> {
    capabilities.iter().map(Capability::word).collect()
}

fn unusable(invalid: InvalidAccess) -> Complaint {
    let complaint = Complaint::new(Code::PolicyText, invalid.to_string());
    match invalid {
        InvalidAccess::NoValue { word, .. } => complaint.hint(format!("give it one with `--identity {word}=VALUE`")),
        InvalidAccess::WideValue { .. } => complaint.hint("a server leaves such a rule out"),
        InvalidAccess::Reserved { .. } => complaint.hint("rename the file or the policy"),
    }
}
