//! Decisions by policies, over many rules.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use anyhow::ensure;
use authority::access::{Access, Capabilities, Capability, Identity, Pattern, Policy};
use domain::Timestamp;

use crate::{
    quickest,
    report::{Row, Table, count},
};

const TEAMS: usize = 250;
/// Four rules a team.
const RULES: usize = 4 * TEAMS;
const DECISIONS: usize = 1_000_000;
/// The walk over all rules is so much slower that fewer must do.
const WALKED: usize = 10_000;
const A_SECOND_MIN: f64 = 1e6;

pub(crate) fn table() -> anyhow::Result<Table> {
    let policy = Policy::parse(&text())?;
    ensure!(policy.rules.len() == RULES, "{} rules", policy.rules.len());
    let access = Access::compile([("teams", &policy)], &Identity::default(), Timestamp::UNIX_EPOCH)?;
    let paths: Vec<String> = (0..4_000).map(path).collect();
    let questions = || paths.iter().map(String::as_str).cycle().zip(Capability::ALL.into_iter().cycle());

    let walk = Walk::over(&policy);
    for (path, capability) in questions().take(WALKED) {
        ensure!(access.allowed(path, capability) == walk.allowed(path, capability), "{capability} on {path}");
    }
    let decide =
        || Ok(timed(|| questions().take(DECISIONS).filter(|(path, word)| access.allowed(path, *word)).count()));
    let (took, allowed) = quickest(decide, |(took, _)| *took)?;
    ensure!((DECISIONS / 100..DECISIONS).contains(&allowed), "{allowed} of {DECISIONS} allowed");
    let walked = || Ok(timed(|| questions().take(WALKED).filter(|(path, word)| walk.allowed(path, *word)).count()));
    let (walked, _) = quickest(walked, |(took, _)| *took)?;

    let a_second = |decisions: usize, took: Duration| decisions as f64 / took.as_secs_f64();
    let (rate, baseline) = (a_second(DECISIONS, took), a_second(WALKED, walked));
    let [measured, against] = [rate, baseline].map(|rate| format!("{} /s", count(rate as usize)));
    let row = Row::of(format!("decisions over {} rules, one core", count(RULES)), measured, against, rate / baseline)
        .bar("at least 1,000,000 /s", rate >= A_SECOND_MIN);
    Ok(Table {
        title: "Deciding by policies",
        meaning:
            "Whether a path may be read, written, listed and so on, over the rules of 250 teams: an exact path, one \
                  with a `+`, and two with a `*` each. The baseline asks every rule in turn and keeps the strongest \
                  that matches."
                .to_owned(),
        rows: vec![row],
    })
}

fn timed(measured: impl FnOnce() -> usize) -> (Duration, usize) {
    let started = Instant::now();
    let result = black_box(measured());
    (started.elapsed(), result)
}

fn text() -> String {
    let team = |team: usize| {
        format!(
            "path \"secret/data/team{team}/*\" {{ capabilities = [\"read\"] }}\n\
             path \"secret/data/team{team}/app{team}/token\" {{ capabilities = [\"read\", \"update\"] }}\n\
             path \"secret/data/+/app{team}/password\" {{ capabilities = [\"deny\"] }}\n\
             path \"secret/metadata/team{team}/app*\" {{ capabilities = [\"read\", \"list\"] }}\n"
        )
    };
    (0..TEAMS).map(team).collect()
}

/// Some of every kind, and some that nothing matches.
fn path(number: usize) -> String {
    let team = number * 7 % TEAMS;
    match number % 5 {
        0 => format!("secret/data/team{team}/app{team}/token"),
        1 => format!("secret/data/team{team}/app{team}/password"),
        2 => format!("secret/data/team{team}/deep/below/something"),
        3 => format!("secret/metadata/team{team}/app{number}/"),
        _ => format!("secret/metadata/nobody{team}/app"),
    }
}

/// The baseline.
struct Walk(Vec<(Pattern, Capabilities)>);

impl Walk {
    fn over(policy: &Policy) -> Self {
        Self(policy.rules.iter().map(|rule| (Pattern::new(&rule.pattern), rule.grants())).collect())
    }

    fn allowed(&self, path: &str, capability: Capability) -> bool {
        let lists = matches!(capability, Capability::List | Capability::Scan);
        let slash = if lists && !path.ends_with('/') { "/" } else { "" };
        let path = format!("{path}{slash}");
        let bare = path.strip_suffix('/').filter(|_| lists);
        let is_bare = |pattern: &Pattern| pattern.is_exact() && bare.is_some_and(|bare| pattern.matches(bare));
        let winner = self.strongest(|pattern| pattern.matches(&path) || is_bare(pattern));
        let winner = winner.or_else(|| self.strongest(|pattern| pattern.matches(bare.unwrap_or(&path))));
        winner.is_some_and(|grants| grants.granted().contains(capability))
    }

    fn strongest(&self, matches: impl Fn(&Pattern) -> bool) -> Option<Capabilities> {
        let matching = self.0.iter().filter(|(pattern, _)| matches(pattern));
        matching.max_by(|(one, _), (other, _)| one.cmp(other)).map(|(_, grants)| *grants)
    }
}
