//! `keyrota campaign …`: what a leak exposed, and where each of it stands. `credential compromised` opens one.

use std::collections::BTreeMap;

use db::{Access, Campaign, Member, MemberFate};
use serde_json::{Map, Value, json};

use super::rfc3339;
use crate::{
    cli::CampaignCommand,
    complaint::{Code, Complaint, Exit},
    shell::{Ended, Shell},
    wiring::Opened,
};

pub(crate) async fn campaign(shell: &Shell, command: CampaignCommand) -> Ended {
    let opened = Opened::open(shell, Access::ReadOnly).await?;
    match command {
        CampaignCommand::List => list(shell, &opened).await,
        CampaignCommand::Show { id } => {
            let campaigns = opened.db.campaigns().await?;
            let found = campaigns.into_iter().find(|campaign| campaign.id == id);
            let campaign = found.ok_or_else(|| {
                Complaint::new(Code::Input, format!("there is no campaign {id}"))
                    .state("nothing was changed")
                    .hint("`keyrota campaign list` names them all")
            })?;
            account(shell, &opened, &campaign).await
        }
    }
}

async fn list(shell: &Shell, opened: &Opened) -> Ended {
    let campaigns = opened.db.campaigns().await?;
    if shell.json() {
        for campaign in &campaigns {
            shell.object(&campaign_json(campaign))?;
        }
        return Ok(Exit::Done);
    }
    let rows = campaigns.iter().map(|campaign| {
        let store = campaign.store.clone().unwrap_or_else(|| "any".to_owned());
        [campaign.id.to_string(), rfc3339(campaign.started_at), campaign.by.clone(), store, campaign.reason.clone()]
    });
    shell.table(["ID", "STARTED", "BY", "STORE", "WHY"], rows.collect())?;
    Ok(Exit::Done)
}

/// Prints the account and says on standard error what is still open.
pub(crate) async fn account(shell: &Shell, opened: &Opened, campaign: &Campaign) -> Ended {
    let members = opened.db.campaign_members(campaign.id).await?;
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    for member in &members {
        *counts.entry(word(&member.fate)).or_default() += 1;
    }
    if shell.json() {
        let counts: Map<String, Value> =
            counts.iter().map(|(word, count)| ((*word).to_owned(), (*count).into())).collect();
        let open: Vec<Value> = members.iter().filter(|member| !is_proved(&member.fate)).map(line).collect();
        let mut account = campaign_json(campaign);
        if let Some(account) = account.as_object_mut() {
            account.insert("found".to_owned(), members.len().into());
            account.insert("account".to_owned(), counts.into());
            let tried =
                |wanted| members.iter().filter(|one| one.fate == MemberFate::ProvedDead { tried: wanted }).count();
            account.insert("proved_by".to_owned(), json!({ "trial": tried(true), "record": tried(false) }));
            account.insert("open".to_owned(), open.into());
        }
        shell.object(&account)?;
    } else {
        let rows = counts.iter().map(|(word, count)| [count.to_string(), (*word).to_owned()]);
        let all = [members.len().to_string(), "found".to_owned()];
        shell.table(["VERSIONS", "STATE"], rows.chain([all]).collect())?;
    }
    let mut wanting = false;
    for member in members.iter().filter(|member| !is_proved(&member.fate)) {
        let sentence = sentence(&member.fate);
        let wants = !matches!(
            member.fate,
            MemberFate::Gone | MemberFate::OnWord { .. } | MemberFate::Held { .. } | MemberFate::Protected
        );
        wanting |= wants;
        shell.voice.warn(&format!("{} version {}: {sentence}", member.credential, member.version));
    }
    Ok(if wanting { Exit::Attention } else { Exit::Done })
}

fn campaign_json(campaign: &Campaign) -> Value {
    json!({
        "campaign": campaign.id,
        "by": campaign.by,
        "reason": campaign.reason,
        "started_at": rfc3339(campaign.started_at),
        "store": campaign.store,
        "since": campaign.since.map(rfc3339),
    })
}

fn line(member: &Member) -> Value {
    json!({
        "credential": member.credential.as_str(),
        "version": member.version.0,
        "state": word(&member.fate),
        "message": sentence(&member.fate),
    })
}

fn is_proved(fate: &MemberFate) -> bool {
    matches!(fate, MemberFate::ProvedDead { .. })
}

fn word(fate: &MemberFate) -> &'static str {
    match fate {
        MemberFate::ProvedDead { .. } => "proved_dead",
        MemberFate::Revoked => "revoked",
        MemberFate::Gone => "gone",
        MemberFate::Replaced => "replaced",
        MemberFate::Held { .. } | MemberFate::OnWord { .. } => "waived",
        MemberFate::Protected => "protected",
        MemberFate::Untouched => "untouched",
        MemberFate::Parked { .. } => "parked",
        MemberFate::Waiting => "waiting",
    }
}

fn sentence(fate: &MemberFate) -> String {
    match fate {
        MemberFate::ProvedDead { tried: true } => "proved dead".to_owned(),
        MemberFate::ProvedDead { tried: false } => "gone from the platform's record, and never tried".to_owned(),
        MemberFate::OnWord { by } => format!("removed as {by} says; nothing here could try it"),
        MemberFate::Revoked => "ended, and still to be proved dead".to_owned(),
        MemberFate::Gone => "removed at the platform by somebody else; there is nothing to try".to_owned(),
        MemberFate::Replaced => "consumers read a successor; it is still alive".to_owned(),
        MemberFate::Held { by, reason } => format!("kept alive by {by}: {reason}"),
        MemberFate::Protected => "protected at the platform; nothing ends it".to_owned(),
        MemberFate::Untouched => "no policy lets Keyrota replace it; end it at the platform".to_owned(),
        MemberFate::Parked { error } => format!("parked: {error}"),
        MemberFate::Waiting => "its replacement is not there yet".to_owned(),
    }
}
