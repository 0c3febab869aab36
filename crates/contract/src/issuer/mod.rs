//! What every issuer must do, played against its twin.

mod abilities;
mod faults;
mod life;
mod login;
mod stage;
mod taking_stock;

use std::{fmt, panic::AssertUnwindSafe, sync::Arc};

use driver::{InvalidSettings, Issuer, Ports, Settings};
use futures_util::future::LocalBoxFuture;
use jiff::Timestamp;
use serde_json::Value;
use twin::{OptionSet, Stages, Twin};

use self::stage::Stage;

pub type Configure = fn(&Settings, &Ports) -> Result<Arc<dyn Issuer>, InvalidSettings>;
pub type BuildTwin = fn(&[(String, String)], u64, Timestamp) -> Result<Box<dyn Twin>, String>;

/// A driver with its twin.
#[derive(Clone, Copy)]
pub struct IssuerCase {
    pub driver: &'static str,
    /// How many names a credential's path has.
    pub levels: usize,
    /// The headers in which the twin's gateway expects the fields of a secret. The last field is one that nobody
    /// can guess.
    pub gateway: &'static [(&'static str, &'static str)],
    pub stages: Stages,
    pub configure: Configure,
    pub build_twin: BuildTwin,
    /// The driver's keys for a twin at this address with this login.
    pub settings: fn(&str, &Value) -> toml::Table,
}

impl fmt::Debug for IssuerCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IssuerCase({})", self.driver)
    }
}

/// On which stages a check plays.
#[derive(Debug, Clone, Copy)]
enum On {
    Small,
    Large,
    /// Small, and each variant of it.
    Variants,
    NoUsage,
    ShortLogin,
}

impl On {
    fn stages(self, stages: &Stages) -> Vec<Vec<OptionSet>> {
        match self {
            Self::Small => vec![vec![stages.small]],
            Self::Large => vec![vec![stages.large]],
            Self::Variants => {
                let variants = stages.variants.iter().map(|variant| vec![stages.small, variant]);
                std::iter::once(vec![stages.small]).chain(variants).collect()
            }
            Self::NoUsage => stages.no_usage.iter().map(|more| vec![stages.small, more]).collect(),
            Self::ShortLogin => stages.short_login.iter().map(|more| vec![stages.small, more]).collect(),
        }
    }
}

type Check = for<'a> fn(&'a Stage) -> LocalBoxFuture<'a, ()>;

const CHECKS: &[(&str, On, Check)] = &[
    ("facts and abilities agree", On::Small, |it| Box::pin(abilities::agree_with_facts(it))),
    ("the preflight passes and changes nothing", On::Variants, |it| Box::pin(abilities::preflight_passes(it))),
    ("use is told, of this version, since then", On::Variants, |it| Box::pin(abilities::usage_is_told(it))),
    ("a right that lacks is not quiet", On::NoUsage, |it| Box::pin(abilities::missing_right_is_not_quiet(it))),
    ("a large listing is complete", On::Large, |it| Box::pin(taking_stock::is_complete(it))),
    ("a listing is complete on every installation", On::Variants, |it| Box::pin(taking_stock::is_complete(it))),
    ("a listing tells what there is to know", On::Variants, |it| Box::pin(taking_stock::tells_all(it))),
    ("a listing rides out failing calls", On::Small, |it| Box::pin(taking_stock::rides_out_failures(it))),
    ("a listing waits as it is told", On::Small, |it| Box::pin(taking_stock::waits_when_throttled(it))),
    ("a listing that cannot be had fails", On::Small, |it| Box::pin(taking_stock::fails_rather_than_lies(it))),
    ("a stale listing does no harm", On::Small, |it| Box::pin(taking_stock::bears_stale_answers(it))),
    ("the platform's own clock is told", On::Small, |it| Box::pin(taking_stock::tells_the_platforms_time(it))),
    ("the life of a credential", On::Variants, |it| Box::pin(life::from_issue_to_revoke(it))),
    ("names are given and given back", On::Variants, |it| Box::pin(life::names_are_given_back(it))),
    ("a taken name is a conflict", On::Variants, |it| Box::pin(life::taken_name_is_a_conflict(it))),
    ("a wrong handle removes nothing", On::Small, |it| Box::pin(life::wrong_handle_removes_nothing(it))),
    ("a lost answer to issue is found by its marker", On::Small, |it| Box::pin(faults::lost_issue_is_found(it))),
    ("an issue that never arrived is in doubt", On::Small, |it| Box::pin(faults::cut_issue_is_in_doubt(it))),
    ("a server's error on issue is in doubt", On::Small, |it| Box::pin(faults::broken_issue_is_in_doubt(it))),
    ("a throttled write is reported", On::Small, |it| Box::pin(faults::throttled_write_is_reported(it))),
    ("a conflict changes nothing", On::Small, |it| Box::pin(faults::conflict_changes_nothing(it))),
    ("a lost answer to revoke is found out", On::Small, |it| Box::pin(faults::lost_revoke_is_found_out(it))),
    ("a lost answer to rename is repeated", On::Small, |it| Box::pin(faults::lost_rename_is_repeated(it))),
    ("a change that shows late", On::Small, |it| Box::pin(faults::late_change_is_borne(it))),
    ("a revoke that is a lie is seen at the gateway", On::Small, |it| Box::pin(faults::lie_is_seen(it))),
    ("many callers share one login", On::Small, |it| Box::pin(login::is_shared(it))),
    ("a login that ended is renewed", On::ShortLogin, |it| Box::pin(login::is_renewed(it))),
    ("a login that ended early is renewed", On::ShortLogin, |it| Box::pin(login::is_renewed_when_refused(it))),
    ("a wrong login is told and tells nothing", On::Small, |it| Box::pin(login::wrong_one_is_told(it))),
    ("a login that fails in passing is repeated", On::Small, |it| Box::pin(login::rides_out_failures(it))),
    ("a login that cannot be had changes nothing", On::Small, |it| Box::pin(login::failure_changes_nothing(it))),
];

/// Runs every check on every stage that it needs; panics at the end with all that failed.
pub fn check_all(case: &IssuerCase) {
    let broken = broken(case, |_| true);
    assert!(broken.is_empty(), "the contract is broken:\n  {}", broken.join("\n  "));
}

/// What a driver breaks, among the checks that are wanted.
pub fn broken(case: &IssuerCase, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, on, check) in CHECKS.iter().filter(|(name, ..)| wanted(name)) {
        let stages = on.stages(&case.stages);
        if stages.is_empty() {
            println!("{}: {name}: skipped, the platform has no such thing", case.driver);
        }
        for options in stages {
            if std::panic::catch_unwind(AssertUnwindSafe(|| play(case, &options, *check))).is_err() {
                broken.push(format!("{}: {name}, on {:?}", case.driver, options.last()));
            }
        }
    }
    broken
}

fn play(case: &IssuerCase, options: &[OptionSet], check: Check) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let stage = Stage::set(case, options);
        check(&stage).await;
        stage.strike();
    });
}
