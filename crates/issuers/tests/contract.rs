//! Every driver in the list keeps the contract. There is no way to leave one out.

#![allow(clippy::unwrap_used, reason = "everything here is a test")]

mod sabotage;

use contract::issuer::{IssuerCase, broken, check_all};
use issuers::IssuerDriver;
use twin::Stages;

#[test]
fn every_driver_keeps_the_contract() {
    assert!(!issuers::all().is_empty());
    for driver in issuers::all() {
        check_all(&case(driver));
    }
}

/// A suite that nothing fails proves nothing: each defect is caught by the check that is there for it.
#[test]
fn every_defect_is_caught() {
    for defect in sabotage::defects() {
        let driver = issuers::find(defect.driver).unwrap();
        let case = IssuerCase { configure: defect.configure, ..case(driver) };
        let noticed = !broken(&case, |name| name == defect.check).is_empty();
        assert!(noticed, "`{}` did not notice {}, in {}", defect.check, defect.what, defect.driver);
    }
}

/// What is not played is ruled out by facts, or waived with a reason; and a waiver is for what is broken.
#[test]
fn a_waiver_is_needed_and_is_for_something() {
    const NAMES: &str = "names are given and given back";
    let good = case(issuers::find("ibm_apic").unwrap());
    let with = |change: fn(&mut Stages)| {
        let mut case = good;
        change(&mut case.stages);
        case
    };
    let told = |case: &IssuerCase, name: &str| broken(case, |check| check == name).join("; ");
    assert_eq!(told(&good, NAMES), "");
    assert!(told(&with(|it| it.waived = &[("no such check", "why not")]), NAMES).contains("which is no check"));
    assert!(told(&with(|it| it.waived = &[(NAMES, "we were in a hurry")]), NAMES).contains("needs no waiver"));
    let login = "a login that ended is renewed";
    assert!(told(&with(|it| it.short_login = None), login).contains("needs a stage"));
    let waived = with(|it| {
        it.short_login = None;
        it.waived = &[("a login that ended is renewed", "its logins never end")];
    });
    assert_eq!(told(&waived, login), "");
}

fn case(driver: &IssuerDriver) -> IssuerCase {
    IssuerCase {
        driver: driver.name,
        levels: driver.levels.len(),
        gateway: driver.gateway,
        stages: driver.twin.stages,
        configure: driver.configure,
        build_twin: driver.twin.build,
        settings: driver.twin.settings,
    }
}
