//! The facts as they are declared, held against what is described: a fact that no request bears out is refused.

use domain::{Ending, Idempotency, IssuerFacts, Minting, Overlap, Performer};

use super::{
    config::{EndingWord, FactsTable, IdempotencyWord, MintingWord, OverlapWord, PerformerWord},
    period::period,
};

/// What the configuration describes, as far as facts depend on it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Given {
    pub list: bool,
    pub credentials: bool,
    pub issue: bool,
    pub revoke: bool,
    pub rename: bool,
    pub disable: bool,
    pub enable: bool,
    pub usage: bool,
    pub secret: bool,
    pub handed_over: bool,
    pub told_to_issue: bool,
    pub told_to_revoke: bool,
    pub marker_left: bool,
    pub marker_listed: bool,
    pub attempt_sent: bool,
    pub expiry_told: bool,
    pub name_given: bool,
    pub name_looked_up: bool,
}

/// The error names the key that is to be changed.
pub(super) fn facts(table: &FactsTable, given: Given) -> Result<IssuerFacts, String> {
    who_issues(table, given)?;
    how_it_ends(table, given)?;
    abilities(table, given)?;
    Ok(IssuerFacts {
        minting: match table.minting {
            MintingWord::Issuer => Minting::ByIssuer,
            MintingWord::Us => Minting::ByUs,
        },
        overlap: overlap(table)?,
        idempotency: idempotency(table, given)?,
        issued_by: match table.issued_by {
            PerformerWord::Machine => Performer::Machine,
            PerformerWord::Person => Performer::Person,
        },
        ending: match table.ending {
            EndingWord::Revoked => Ending::Revoked,
            EndingWord::Person => Ending::ByPerson,
            EndingWord::Expires => Ending::Expires,
        },
        propagation: period("facts.propagation", &table.propagation)?,
        names: table.names,
        usage: table.usage,
        disable: table.disable,
        lists_versions: given.list,
    })
}

fn overlap(table: &FactsTable) -> Result<Overlap, String> {
    match (table.overlap, table.live_max) {
        (OverlapWord::Concurrent, Some(0 | 1)) => {
            Err("`facts.live_max` leaves no room for a second version; then `overlap` is \"replace\"".to_owned())
        }
        (OverlapWord::Concurrent, live_max) => Ok(Overlap::Concurrent { live_max }),
        (OverlapWord::Replace, None) => Ok(Overlap::Replace),
        (OverlapWord::Replace, Some(_)) => {
            Err("`facts.live_max` means nothing where a new version replaces the old one".to_owned())
        }
    }
}

fn who_issues(table: &FactsTable, given: Given) -> Result<(), String> {
    let by_us = table.minting == MintingWord::Us;
    if given.list == given.credentials {
        return Err("`list` or `credentials` says which credentials there are: one of the two".to_owned());
    }
    match table.issued_by {
        PerformerWord::Machine => {
            must(given.issue, "`issue` is missing: `facts.issued_by` says that a machine issues")?;
            must(!given.told_to_issue, "`instructions.issue` is for a person, and `facts.issued_by` says machine")?;
            must(!given.handed_over, "`handed_over` is for a person, and `facts.issued_by` says machine")?;
        }
        PerformerWord::Person => {
            must(!given.issue, "`issue` is a call, and `facts.issued_by` says that a person issues")?;
            must(!by_us, "`facts.minting` is \"us\": a person cannot be given a secret to type")?;
            must(given.told_to_issue, "`instructions` lacks `issue`: what the person is to do")?;
            must(given.handed_over, "`handed_over` is missing: what the person hands over")?;
        }
    }
    must(!by_us || given.secret, "`secret` is missing: how a secret is chosen, since `facts.minting` is \"us\"")?;
    must(by_us || !given.secret, "`secret` is how we choose one, and `facts.minting` says that the platform does")
}

fn how_it_ends(table: &FactsTable, given: Given) -> Result<(), String> {
    let replaces = table.overlap == OverlapWord::Replace;
    let revoked = table.ending == EndingWord::Revoked && !replaces;
    must(given.revoke || !revoked, "`revoke` is missing: `facts.ending` says that a call ends a version")?;
    must(revoked || !given.revoke, "`revoke` would never be called: by `facts`, no call ends a version")?;
    let by_person = table.ending == EndingWord::Person;
    must(!(by_person && replaces), "`facts.ending` is \"person\", but the old version dies with the issue")?;
    must(
        given.told_to_revoke || !by_person,
        "`instructions` lacks `revoke`: `facts.ending` says that a person removes",
    )?;
    must(
        by_person || !given.told_to_revoke,
        "`instructions.revoke` is for a person, and `facts.ending` says otherwise",
    )?;
    if table.ending == EndingWord::Expires {
        must(
            table.issued_by == PerformerWord::Machine,
            "`facts.ending` is \"expires\", but nothing tells when what a person made expires",
        )?;
        must(
            given.expiry_told,
            "`issue` lacks `expires_at` or `expires_in`: `facts.ending` says that versions expire",
        )?;
    }
    Ok(())
}

fn abilities(table: &FactsTable, given: Given) -> Result<(), String> {
    let both = given.disable && given.enable;
    must(both || !table.disable, "`facts.disable` is true, but `disable` and `enable` are not both described")?;
    must(
        table.disable || !(given.disable || given.enable),
        "`disable` or `enable` is described, but `facts.disable` is not true",
    )?;
    must(
        !(table.disable && table.overlap == OverlapWord::Replace),
        "`facts.disable` is true, but the old version dies with the issue",
    )?;
    must(given.usage || !table.usage, "`facts.usage` is true, but `usage` is not described")?;
    must(table.usage || !given.usage, "`usage` is described, but `facts.usage` is not true")?;
    must(given.rename || !table.names, "`facts.names` is true, but `rename` is not described")?;
    must(table.names || !given.rename, "`rename` is described, but `facts.names` is not true")?;
    let names = table.names && table.issued_by == PerformerWord::Machine;
    must(given.name_given || !names, "`facts.names` is true, but `issue` sends no {name}")?;
    must(given.name_looked_up || !table.names, "`facts.names` is true, but `look_up` does not say where the `name` is")
}

fn idempotency(table: &FactsTable, given: Given) -> Result<Idempotency, String> {
    let by_platform = table.issued_by == PerformerWord::Machine && table.minting == MintingWord::Issuer;
    let Some(word) = table.idempotency else {
        must(
            !by_platform,
            "`facts` lacks `idempotency`: what settles an issue whose answer was lost, \"marker\", \"token\" or \"none\"",
        )?;
        return Ok(Idempotency::None);
    };
    must(
        by_platform || word == IdempotencyWord::None,
        "`facts.idempotency` means nothing where a person issues, or where we choose the secret",
    )?;
    match word {
        IdempotencyWord::None => Ok(Idempotency::None),
        IdempotencyWord::Token => {
            must(given.attempt_sent, "`facts.idempotency` is \"token\", but `issue` sends no {attempt}")?;
            Ok(Idempotency::ClientToken)
        }
        IdempotencyWord::Marker => {
            must(given.marker_left, "`facts.idempotency` is \"marker\", but `issue` leaves no {marker}")?;
            must(
                given.marker_listed,
                "`facts.idempotency` is \"marker\", but `list` does not say where the `marker` is",
            )?;
            Ok(Idempotency::FindByMarker)
        }
    }
}

fn must(holds: bool, otherwise: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise.to_owned()) }
}
