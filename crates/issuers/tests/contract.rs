//! Every driver in the list keeps the contract. There is no way to leave one out.

use contract::issuer::{IssuerCase, check_all};
use issuers::IssuerDriver;

#[test]
fn every_driver_keeps_the_contract() {
    assert!(!issuers::all().is_empty());
    for driver in issuers::all() {
        check_all(&case(driver));
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
