//! Every driver in the list keeps the contract. There is no way to leave one out.

#![allow(clippy::unwrap_used, reason = "everything here is a test")]

mod sabotage;

use contract::issuer::{IssuerCase, broken, check_all};
use issuers::IssuerDriver;

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
    let driver = issuers::find("ibm_apic").unwrap();
    for (defect, configure, check) in sabotage::DEFECTS {
        let case = IssuerCase { configure: *configure, ..case(driver) };
        assert!(!broken(&case, |name| name == *check).is_empty(), "`{check}` did not notice {defect}");
    }
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
