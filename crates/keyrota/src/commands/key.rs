//! `keyrota key …`: what held keys can do without being handed out.

use db::Access;
use domain::{CredentialId, Duration, FactSheet, Timestamp};
use engine::sealed_as;
use serde_json::json;

use super::{credential, rfc3339, selector};
use crate::{
    cli::JwtArgs,
    complaint::{Code, Complaint, Exit},
    config::parse_period,
    shell::{Ended, Shell},
    wiring::Opened,
};

/// Signs with the version in use. The token goes to standard output and nowhere else; the key stays sealed here.
pub(crate) async fn jwt(shell: &Shell, args: &JwtArgs) -> Ended {
    let lifetime = lifetime(&args.lifetime)?;
    let opened = Opened::open(shell, Access::ReadOnly).await?;
    let (row, id) = one(&opened, &args.credential).await?;
    let not_now = |cause: String| {
        Complaint::new(Code::NotPossibleNow, format!("nothing can be signed with `{id}`"))
            .cause(cause)
            .state("nothing was changed")
    };
    let now = opened.now_at(id.issuer()).await?;
    let facts: Vec<(String, FactSheet)> = opened.facts()?;
    let views = facts.into_iter().map(|(name, facts)| (name, db::IssuerView { facts, now })).collect();
    let entry = opened.db.entry(row, &views).await?.ok_or_else(|| credential::not_configured(&id))?;
    let current = entry.observed.current().filter(|version| version.is_live());
    let current = current.ok_or_else(|| {
        not_now("no version of it is live".to_owned()).hint("`keyrota credential show` says what became of them")
    })?;
    let held = opened.db.sealed_secret(row, current.number).await?;
    let (sealed, _) = held.ok_or_else(|| {
        let hint = match entry.observed.protected {
            true => "it is protected, so Keyrota never holds it: sign where it is",
            false => "hand it over with `keyrota credential import`, or rotate it",
        };
        not_now("the secret of its current version is not held here".to_owned()).hint(hint)
    })?;
    let secret = opened.keyring.unseal(&sealed, sealed_as(&id, current.number))?;
    let issuer = opened.issuers()?.into_iter().find(|issuer| issuer.name == id.issuer());
    let issuer = issuer.ok_or_else(|| credential::not_configured(&id))?;
    let signer = issuer.driver.signer().ok_or_else(|| {
        not_now("keys of this platform sign nothing".to_owned())
            .hint("`keyrota secret get` hands the secret itself out")
    })?;
    let most = signer.lifetime_max();
    if lifetime <= Duration::ZERO || lifetime > most {
        return Err(no_lifetime(&args.lifetime, format!("the platform takes 1 to {} seconds", most.as_secs())));
    }
    let token = signer.sign(&secret, now, lifetime).map_err(|error| {
        not_now(error.message).hint("hand the right secret over with `keyrota credential import`, or rotate it")
    })?;
    let text = token.expose_text().unwrap_or_default();
    if shell.json() {
        let ends = now.saturating_add(lifetime).unwrap_or(Timestamp::MAX);
        shell.object(&json!({ "credential": id.as_str(), "token": text, "expires_at": rfc3339(ends) }))?;
    } else {
        shell.text(&format!("{text}\n"))?;
    }
    Ok(Exit::Done)
}

fn lifetime(text: &str) -> Result<Duration, Complaint> {
    parse_period(text).map_err(|why| no_lifetime(text, why))
}

fn no_lifetime(text: &str, why: impl Into<String>) -> Complaint {
    Complaint::new(Code::Usage, format!("a token cannot have `--lifetime {text}`"))
        .cause(why)
        .state("nothing was changed")
        .hint("write `300s`, `5m` or `1h`")
}

/// By its name, or by a glob that names it alone.
async fn one(opened: &Opened, text: &str) -> Result<(i64, CredentialId), Complaint> {
    if !text.contains('*') {
        return credential::find(opened, text).await;
    }
    let wanted = selector(Some(text))?;
    let matching: Vec<CredentialId> =
        opened.db.identifiers().await?.into_iter().filter(|id| wanted.matches(id.as_str())).collect();
    match matching.as_slice() {
        [one] => credential::find(opened, one.as_str()).await,
        several => {
            Err(Complaint::new(Code::UnknownCredential, format!("`{text}` names {} credentials", several.len()))
                .state("nothing was changed")
                .hint("a token is signed with one key: name it whole"))
        }
    }
}
