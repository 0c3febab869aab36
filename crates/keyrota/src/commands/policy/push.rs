//! `keyrota policy push`: the same rules in the server of a store, so that people meet them there too.

use authority::access::{Severity, lint};
use db::Access;
use driver::{DriverError, Effect, PolicyHost};
use serde_json::json;

use super::{
    PushArgs,
    texts::{Named, configured},
};
use crate::{
    complaint::{Code, Complaint, Exit},
    config::{Config, nearest},
    shell::{Ended, Shell},
    wiring::Opened,
};

pub(super) async fn push(shell: &Shell, args: &PushArgs) -> Ended {
    let opened = Opened::open(shell, Access::Commands).await?;
    let policies = chosen(&opened.config, args)?;
    refuse_traps(shell, &policies)?;
    let stores = opened.stores()?;
    let store = stores.get(&args.store).ok_or_else(|| unknown_store(&args.store, stores.keys().map(String::as_str)))?;
    let host = store.policy_host().ok_or_else(|| {
        Complaint::new(Code::NotPossibleNow, format!("the store `{}` keeps no access policies", args.store))
            .state("nothing was changed")
            .hint("name a store with `driver = \"vault_kv2\"`")
    })?;
    let mut rows = Vec::new();
    let mut ended = Ok(Exit::Done);
    for named in &policies {
        match write(host, named, &args.store).await {
            Ok(result) if shell.json() => {
                shell.object(&json!({ "policy": named.name, "store": args.store, "result": result }))?;
            }
            Ok(result) => rows.push([named.name.clone(), result.to_owned(), named.origin.clone()]),
            Err(complaint) => {
                ended = Err(complaint);
                break;
            }
        }
    }
    // What was done is said also where the rest failed.
    if !rows.is_empty() {
        shell.table(["POLICY", "RESULT", "FROM"], rows)?;
    }
    ended
}

fn chosen(config: &Config, args: &PushArgs) -> Result<Vec<Named>, Complaint> {
    let mut policies = args.files.iter().map(|file| Named::of_file(file)).collect::<Result<Vec<_>, _>>()?;
    policies.extend(configured(config, &args.chosen)?);
    if args.files.is_empty() && args.chosen.is_empty() {
        policies = config.access_policies.iter().map(Named::of_config).collect::<Result<_, _>>()?;
    }
    if policies.is_empty() {
        return Err(Complaint::new(Code::UnknownPolicy, "no policy was named, and none is configured")
            .hint("name files, or add `[[access_policy]]` to the configuration"));
    }
    for (index, named) in policies.iter().enumerate() {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if named.name == "root" || named.name.is_empty() || !named.name.bytes().all(plain) {
            return Err(Complaint::new(Code::Usage, format!("`{}` is no name for a policy", named.name))
                .state("nothing was changed")
                .hint(
                    "a policy is named like its file: letters, digits, `.`, `_` and `-`; `root` is the server's own",
                ));
        }
        if let Some(twin) = policies.iter().take(index).find(|other| other.name == named.name) {
            let what = format!("two policies would be `{}`: {} and {}", named.name, twin.origin, named.origin);
            return Err(Complaint::new(Code::Usage, what)
                .state("nothing was changed")
                .hint("servers keep names in lower case; rename one of them"));
        }
    }
    Ok(policies)
}

/// A server would take them without a word.
fn refuse_traps(shell: &Shell, policies: &[Named]) -> Result<(), Complaint> {
    for named in policies {
        for finding in lint(&named.policy) {
            let place = format!("{}:{}", named.origin, finding.at);
            match finding.severity {
                Severity::Doubtful => shell.voice.note(&format!("{place}: {}", finding.what)),
                Severity::Wrong => {
                    return Err(Complaint::new(Code::PolicyText, finding.what)
                        .cause(place)
                        .state("nothing was changed")
                        .hint(finding.advice));
                }
            }
        }
    }
    Ok(())
}

/// Writing the same text again changes nothing, so a lost answer needs no journal: the command is given again.
async fn write(host: &dyn PolicyHost, named: &Named, store: &str) -> Result<&'static str, Complaint> {
    let name = named.name.as_str();
    let failed = |what: &str, error: &DriverError| {
        Complaint::store(format!("`{store}` {what} the policy `{name}`"), error).state(match error.effect {
            Effect::NotApplied => format!("`{name}` was not changed, nor any policy after it"),
            Effect::Unknown => format!("`{name}` may be written; push again: repeating it does no harm"),
        })
    };
    let before = host.read_policy(name).await.map_err(|error| failed("does not show", &error))?;
    if before.as_deref() == Some(&named.text) {
        return Ok("unchanged");
    }
    host.write_policy(name, &named.text).await.map_err(|error| failed("did not take", &error))?;
    let after = host.read_policy(name).await.map_err(|error| failed("does not show", &error))?;
    if after.as_deref() != Some(&named.text) {
        return Err(Complaint::new(Code::PolicyDiffers, format!("`{store}` keeps another text as `{name}`"))
            .state("the policy was written; what stands there is not what was pushed")
            .hint("somebody else may write the same name; look at it, then push again"));
    }
    Ok(if before.is_some() { "replaced" } else { "written" })
}

fn unknown_store<'n>(name: &str, known: impl Iterator<Item = &'n str> + Clone) -> Complaint {
    let complaint =
        Complaint::new(Code::ConfigUnknownName, format!("no store is called `{name}`")).state("nothing was changed");
    match nearest(name, known.clone()) {
        Some(nearest) => complaint.hint(format!("did you mean `{nearest}`?")),
        None => complaint.hint(format!("configured are {}", known.collect::<Vec<_>>().join(", "))),
    }
}
