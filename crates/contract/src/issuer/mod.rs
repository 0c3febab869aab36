//! What every issuer must do, played against its twin.

mod abilities;
mod faults;
mod kinds;
mod life;
mod login;
mod one;
mod stage;
mod taking_stock;

use std::{collections::BTreeSet, fmt, panic::AssertUnwindSafe, sync::Arc};

use domain::{Ending, Idempotency, IssuerFacts, Minting, Overlap, Performer};
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
    /// The headers in which the twin's gateway expects a secret: by header a field, or a text around one like
    /// `Bearer {token}`; `{signed}` is what the driver's signer makes of it. The last field is one that nobody can
    /// guess. A secret without these fields is one that consumers of its kind do not show there.
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

type Play = for<'a> fn(&'a Stage) -> LocalBoxFuture<'a, ()>;

/// One thing to hold a driver to. It plays once for each kind of credential of which `of` is true; facts that rule it
/// out are the only way around it, but for a waiver that gives a reason.
struct Check {
    name: &'static str,
    on: On,
    of: fn(&IssuerFacts) -> bool,
    play: Play,
}

const fn check(name: &'static str, on: On, of: fn(&IssuerFacts) -> bool, play: Play) -> Check {
    Check { name, on, of, play }
}

fn any(_: &IssuerFacts) -> bool {
    true
}

fn machine(facts: &IssuerFacts) -> bool {
    facts.issued_by == Performer::Machine
}

fn listed(facts: &IssuerFacts) -> bool {
    facts.lists_versions
}

fn overlaps(facts: &IssuerFacts) -> bool {
    matches!(facts.overlap, Overlap::Concurrent { .. })
}

/// Made and ended by calls, one beside the other.
fn beside(facts: &IssuerFacts) -> bool {
    machine(facts) && overlaps(facts) && facts.ending == Ending::Revoked
}

fn shown_beside(facts: &IssuerFacts) -> bool {
    listed(facts) && beside(facts)
}

fn named(facts: &IssuerFacts) -> bool {
    facts.names && shown_beside(facts)
}

fn usage(facts: &IssuerFacts) -> bool {
    facts.usage && beside(facts)
}

fn marked(facts: &IssuerFacts) -> bool {
    shown_beside(facts) && facts.idempotency == Idempotency::FindByMarker && !facts.repeats_itself()
}

fn repeats(facts: &IssuerFacts) -> bool {
    machine(facts) && facts.repeats_itself()
}

fn unmarked(facts: &IssuerFacts) -> bool {
    machine(facts) && facts.idempotency == Idempotency::None && !facts.repeats_itself()
}

fn chosen(facts: &IssuerFacts) -> bool {
    machine(facts) && facts.minting == Minting::ByUs
}

fn replaces(facts: &IssuerFacts) -> bool {
    machine(facts) && facts.overlap == Overlap::Replace
}

fn expires(facts: &IssuerFacts) -> bool {
    machine(facts) && facts.ending == Ending::Expires
}

fn switched(facts: &IssuerFacts) -> bool {
    facts.disable && beside(facts)
}

fn by_hand(facts: &IssuerFacts) -> bool {
    facts.issued_by == Performer::Person
}

fn removed_by_hand(facts: &IssuerFacts) -> bool {
    facts.ending == Ending::ByPerson
}

const CHECKS: &[Check] = &[
    check("facts and abilities agree", On::Variants, any, |it| Box::pin(abilities::agree_with_facts(it))),
    check("every kind is played", On::Variants, any, |it| Box::pin(abilities::every_kind_is_there(it))),
    check("the preflight passes and changes nothing", On::Variants, any, |it| {
        Box::pin(abilities::preflight_passes(it))
    }),
    check("use is told, of this version, since then", On::Variants, usage, |it| Box::pin(abilities::usage_is_told(it))),
    check(
        "a right that lacks is not quiet",
        On::NoUsage,
        |facts| facts.usage,
        |it| Box::pin(abilities::missing_right_is_not_quiet(it)),
    ),
    check("a large listing is complete", On::Large, listed, |it| Box::pin(taking_stock::is_complete(it))),
    check("a listing is complete on every installation", On::Variants, listed, |it| {
        Box::pin(taking_stock::is_complete(it))
    }),
    check("a listing tells what there is to know", On::Variants, any, |it| Box::pin(taking_stock::tells_all(it))),
    check("a listing shows the successor", On::Variants, shown_beside, |it| {
        Box::pin(taking_stock::shows_the_successor(it))
    }),
    check(
        "what no listing shows is named",
        On::Variants,
        |facts| !listed(facts),
        |it| Box::pin(taking_stock::names_what_it_cannot_show(it)),
    ),
    check("a listing rides out failing calls", On::Small, any, |it| Box::pin(taking_stock::rides_out_failures(it))),
    check("a listing waits as it is told", On::Small, any, |it| Box::pin(taking_stock::waits_when_throttled(it))),
    check("a listing that cannot be had fails", On::Small, any, |it| {
        Box::pin(taking_stock::fails_rather_than_lies(it))
    }),
    check("a stale listing does no harm", On::Small, shown_beside, |it| {
        Box::pin(taking_stock::bears_stale_answers(it))
    }),
    check("the platform's own clock is told", On::Small, any, |it| {
        Box::pin(taking_stock::tells_the_platforms_time(it))
    }),
    check("the life of a credential", On::Variants, beside, |it| Box::pin(life::from_issue_to_revoke(it))),
    check("names are given and given back", On::Variants, named, |it| Box::pin(life::names_are_given_back(it))),
    check("a taken name is a conflict", On::Variants, named, |it| Box::pin(life::taken_name_is_a_conflict(it))),
    check("a wrong handle removes nothing", On::Small, shown_beside, |it| {
        Box::pin(life::wrong_handle_removes_nothing(it))
    }),
    check("what we choose is taken", On::Variants, chosen, |it| Box::pin(kinds::chosen_is_taken(it))),
    check("the old one dies with the issue", On::Variants, replaces, |it| {
        Box::pin(kinds::old_one_dies_with_the_issue(it))
    }),
    check("it expires as told", On::Variants, expires, |it| Box::pin(kinds::expires_as_told(it))),
    check("it is switched off and on", On::Variants, switched, |it| Box::pin(kinds::is_switched_off_and_on(it))),
    check("a person is told what to do", On::Variants, by_hand, |it| Box::pin(kinds::person_is_asked(it))),
    check("removing is left to the person", On::Variants, removed_by_hand, |it| {
        Box::pin(kinds::removal_is_left_to_the_person(it))
    }),
    check("rubbish is refused and not quoted", On::Variants, by_hand, |it| Box::pin(kinds::rubbish_is_refused(it))),
    check("what a person hands over is taken", On::Variants, by_hand, |it| Box::pin(kinds::handed_over_is_taken(it))),
    check("a lost answer to issue is found by its marker", On::Small, marked, |it| {
        Box::pin(faults::lost_issue_is_found(it))
    }),
    check("a lost answer to issue is repeated", On::Variants, repeats, |it| {
        Box::pin(faults::lost_issue_is_repeated(it))
    }),
    check("a lost answer to issue is left behind", On::Small, unmarked, |it| Box::pin(faults::lost_issue_is_left(it))),
    check("an issue that never arrived is in doubt", On::Small, machine, |it| {
        Box::pin(faults::cut_issue_is_in_doubt(it))
    }),
    check("a server's error on issue is in doubt", On::Small, machine, |it| {
        Box::pin(faults::broken_issue_is_in_doubt(it))
    }),
    check("a throttled issue is reported", On::Small, machine, |it| Box::pin(faults::throttled_issue_is_reported(it))),
    check("a throttled revoke is reported", On::Small, beside, |it| Box::pin(faults::throttled_revoke_is_reported(it))),
    check("a conflict changes nothing", On::Small, machine, |it| Box::pin(faults::conflict_changes_nothing(it))),
    check("a lost answer to revoke is found out", On::Small, beside, |it| {
        Box::pin(faults::lost_revoke_is_found_out(it))
    }),
    check("a lost answer to rename is repeated", On::Small, named, |it| Box::pin(faults::lost_rename_is_repeated(it))),
    check(
        "a change that shows late",
        On::Small,
        |facts| machine(facts) && overlaps(facts),
        |it| Box::pin(faults::late_change_is_borne(it)),
    ),
    check("a revoke that is a lie is seen at the gateway", On::Small, beside, |it| Box::pin(faults::lie_is_seen(it))),
    check("many callers share one login", On::Small, listed, |it| Box::pin(login::is_shared(it))),
    check("a login that ended is renewed", On::ShortLogin, shown_beside, |it| Box::pin(login::is_renewed(it))),
    check("a login that ended early is renewed", On::ShortLogin, shown_beside, |it| {
        Box::pin(login::is_renewed_when_refused(it))
    }),
    check("a wrong login is told and tells nothing", On::Small, any, |it| Box::pin(login::wrong_one_is_told(it))),
    check("a login that fails in passing is repeated", On::Small, any, |it| Box::pin(login::rides_out_failures(it))),
    check("a login that cannot be had changes nothing", On::Small, machine, |it| {
        Box::pin(login::failure_changes_nothing(it))
    }),
];

/// Runs every check on every stage that it needs; panics at the end with all that failed.
pub fn check_all(case: &IssuerCase) {
    let broken = broken(case, |_| true);
    assert!(broken.is_empty(), "the contract is broken:\n  {}", broken.join("\n  "));
}

/// What a driver breaks, among the checks that are wanted.
pub fn broken(case: &IssuerCase, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, _) in case.stages.waived {
        if CHECKS.iter().all(|check| check.name != *name) {
            broken.push(format!("{}: a waiver for `{name}`, which is no check", case.driver));
        }
    }
    for check in CHECKS.iter().filter(|check| wanted(check.name)) {
        let waiver = case.stages.waived.iter().find(|(name, _)| *name == check.name);
        match (outcome(case, check), waiver) {
            (Outcome::Kept | Outcome::RuledOut, Some((_, reason))) => {
                broken.push(format!("{}: {}: needs no waiver ({reason})", case.driver, check.name));
            }
            (_, Some((_, reason))) => println!("{}: {}: waived: {reason}", case.driver, check.name),
            (Outcome::Kept, None) => {}
            (Outcome::RuledOut, None) => println!("{}: {}: ruled out by its facts", case.driver, check.name),
            (Outcome::NoStage, None) => {
                broken.push(format!("{}: {}: needs a stage, or a waiver with its reason", case.driver, check.name));
            }
            (Outcome::Broken(all), None) => broken.extend(all),
        }
    }
    broken
}

enum Outcome {
    Kept,
    /// No kind of credential on any stage has facts of which it speaks.
    RuledOut,
    NoStage,
    Broken(Vec<String>),
}

fn outcome(case: &IssuerCase, check: &Check) -> Outcome {
    let stages = check.on.stages(&case.stages);
    if stages.is_empty() {
        return if kinds(case, &[case.stages.small], check).is_empty() { Outcome::RuledOut } else { Outcome::NoStage };
    }
    let (mut played, mut broken) = (0, Vec::new());
    for options in stages {
        for kind in kinds(case, &options, check) {
            played += 1;
            let name = check.name;
            if std::panic::catch_unwind(AssertUnwindSafe(|| play(case, &options, kind, check.play))).is_err() {
                broken.push(format!("{}: {name}, of kind \"{kind}\", on {:?}", case.driver, options.last()));
            }
        }
    }
    match played {
        _ if !broken.is_empty() => Outcome::Broken(broken),
        0 => Outcome::RuledOut,
        _ => Outcome::Kept,
    }
}

/// The kinds on this stage of which the check speaks.
fn kinds(case: &IssuerCase, options: &[OptionSet], check: &Check) -> BTreeSet<&'static str> {
    runtime().block_on(async {
        let stage = Stage::set(case, options, "");
        let facts = stage.issuer.facts();
        let mut kinds = stage.kinds().await;
        kinds.retain(|kind| (check.of)(facts.of(kind)));
        kinds
    })
}

fn play(case: &IssuerCase, options: &[OptionSet], kind: &'static str, check: Play) {
    runtime().block_on(async {
        let stage = Stage::set(case, options, kind);
        check(&stage).await;
        stage.strike();
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}
