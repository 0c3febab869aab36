//! A believable estate of any size.

use jiff::{SignedDuration, Timestamp};
use twin::Random;

use super::{
    Options,
    estate::{Estate, NewCredential},
};

const ORGS: [&str; 24] = [
    "northwind-bank",
    "alder-insurance",
    "bluefin-logistics",
    "cedar-energy",
    "delta-rail",
    "ember-foods",
    "fjord-shipping",
    "granite-retail",
    "harbour-health",
    "iris-telecom",
    "juniper-travel",
    "kestrel-mobility",
    "lumen-media",
    "meridian-pay",
    "nimbus-hotels",
    "orchard-pharma",
    "pioneer-motors",
    "quarry-build",
    "raven-security",
    "summit-wealth",
    "tidewater-utilities",
    "umbra-games",
    "vantage-estates",
    "willow-education",
];

const APPS: [&str; 16] = [
    "billing",
    "mobile-app",
    "partner-portal",
    "payments",
    "reporting",
    "onboarding",
    "risk-scoring",
    "claims",
    "loyalty",
    "invoicing",
    "field-service",
    "inventory",
    "notifications",
    "branch-terminal",
    "data-export",
    "web-shop",
];

/// What people call the further credentials of an application, which have nothing to do with each other.
const FURTHER: [&str; 8] = [
    "Batch jobs",
    "Partner gateway",
    "Disaster recovery",
    "Nightly export",
    "Call centre",
    "Data lake",
    "Legacy host",
    "Load tests",
];

const FIRST_NAMES: [&str; 10] =
    ["Maria", "Jonas", "Aisha", "Pedro", "Ingrid", "Kenji", "Chloe", "Tomasz", "Nadia", "Samuel"];
const LAST_NAMES: [&str; 11] =
    ["Lind", "Okafor", "Moreau", "Silva", "Berg", "Tanaka", "Novak", "Haddad", "Keller", "Rossi", "Doyle"];

/// Organisations exist before their applications do.
const ORG_OLDER_BY: SignedDuration = SignedDuration::from_hours(30 * 24);

pub(super) fn plant(estate: &mut Estate, options: &Options, start: Timestamp, random: &mut Random) {
    for org_number in 0..options.consumer_orgs as usize {
        let name = nth(&ORGS, org_number);
        let first = pick(&FIRST_NAMES, org_number);
        let last = pick(&LAST_NAMES, org_number);
        let email = format!("{}.{}@{name}.example", first.to_lowercase(), last.to_lowercase());
        let oldest = ago(start, options.age.saturating_add(options.age_spread).saturating_add(ORG_OLDER_BY));
        let Some(org) = estate.add_org(&name, &titled(&name), [first, last, &email], oldest) else { continue };
        for app_number in 0..options.apps as usize {
            let name = nth(&APPS, app_number);
            let title = titled(&name);
            let births: Vec<Timestamp> = (0..options.credentials).map(|_| birth(options, start, random)).collect();
            let app_birth = births.iter().min().copied().unwrap_or_else(|| ago(start, options.age));
            let Some(app) = estate.add_app(org, &name, &title, app_birth) else { continue };
            for (number, created_at) in births.into_iter().enumerate() {
                let title = credential_title(&title, number);
                let new = NewCredential {
                    name: name_from(&title),
                    title,
                    summary: String::new(),
                    client_id: None,
                    client_secret: None,
                    created_at,
                };
                estate.add_credential(start, app, new, SignedDuration::ZERO);
            }
        }
    }
}

fn birth(options: &Options, start: Timestamp, random: &mut Random) -> Timestamp {
    let spread = options.age_spread.as_millis().max(0) as f64 * random.share();
    ago(start, options.age.saturating_add(SignedDuration::from_millis(spread as i64)))
}

pub(super) fn ago(now: Timestamp, age: SignedDuration) -> Timestamp {
    now.saturating_sub(age).unwrap_or(Timestamp::MIN)
}

fn credential_title(app_title: &str, number: usize) -> String {
    match number.checked_sub(1) {
        None => first_credential_title(app_title),
        Some(further) => nth_title(&FURTHER, further),
    }
}

/// The credential that the platform makes with an application.
pub(super) fn first_credential_title(app_title: &str) -> String {
    format!("Credential for {app_title}")
}

/// The platform derives a name from a title: blanks become hyphens, the case is kept.
pub(super) fn name_from(title: &str) -> String {
    title.trim().replace(char::is_whitespace, "-")
}

pub(super) fn titled(name: &str) -> String {
    name.split('-').map(capitalised).collect::<Vec<_>>().join(" ")
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn pick<'a>(names: &[&'a str], number: usize) -> &'a str {
    number.checked_rem(names.len()).and_then(|at| names.get(at)).copied().unwrap_or_default()
}

/// Names in turn; when they are used up, again with a number: `billing`, `billing-2`.
fn nth(names: &[&str], number: usize) -> String {
    match number / names.len() {
        0 => pick(names, number).to_owned(),
        round => format!("{}-{}", pick(names, number), round + 1),
    }
}

fn nth_title(names: &[&str], number: usize) -> String {
    match number / names.len() {
        0 => pick(names, number).to_owned(),
        round => format!("{} {}", pick(names, number), round + 1),
    }
}
