//! What the contract does not ask of every platform: the other generation, and this platform's own ways to go wrong.

use contract::issuer::{IssuerCase, check_all};
use twin::Stages;

use super::DRIVER;

/// Edge in the public cloud, with a login endpoint. The list of drivers plays X, and variants of Edge beside it.
const EDGE: Stages = Stages {
    small: &[("generation", "edge"), ("developers", "3"), ("groups", "1"), ("apps", "2"), ("age", "95d")],
    // A hundred apps of one developer are a page.
    large: &[("generation", "edge"), ("developers", "2"), ("apps", "250"), ("age", "95d")],
    variants: &[
        &[("private-cloud", ""), ("basic-only", "")],
        &[("credentials", "2"), ("bounded", ""), ("unknown-fields", "")],
        &[("replication-lag", "30s"), ("action-200", ""), ("pending-products", "false")],
    ],
    no_usage: Some(&[("no-analytics", "")]),
    short_login: Some(&[("token-expires-in", "60")]),
    waived: &[],
};

#[test]
fn edge_keeps_the_contract_as_x_does() {
    check_all(&IssuerCase {
        driver: "apigee of the generation edge",
        levels: DRIVER.levels.len(),
        gateway: DRIVER.gateway,
        stages: EDGE,
        configure: DRIVER.configure,
        build_twin: DRIVER.twin.build,
        settings: DRIVER.twin.settings,
    });
}
