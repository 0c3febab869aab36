//! The estate at the start.

use jiff::{SignedDuration, Timestamp};
use twin::Random;

use super::{
    estate::{App, Estate, NewKey, Parent, Product, Reaches, Status, Who},
    options::Options,
    stats::ago,
    write::whole_millisecond,
};

const FIRST: [&str; 12] =
    ["Ada", "Jonas", "Mei", "Ravi", "Sofia", "Tunde", "Wanda", "Yusuf", "Zoe", "Omar", "Petra", "Luca"];
const LAST: [&str; 9] = ["Okafor", "Lindgren", "Moreau", "Tanaka", "Alvarez", "Novak", "Haddad", "Fischer", "Mbeki"];
const COMPANIES: [&str; 6] = ["alder", "birch", "cedar", "elm", "hazel", "rowan"];
const APPS: [&str; 10] = [
    "billing",
    "orders",
    "mobile-app",
    "reports",
    "checkout",
    "inventory",
    "partner portal",
    "payroll",
    "loyalty",
    "search",
];
/// Some of them need an approval for every new key.
const PRODUCTS: [(&str, bool); 4] =
    [("accounts-read", false), ("payments", true), ("reports", false), ("bulk export", true)];

pub(super) fn plant(estate: &mut Estate, options: &Options, start: Timestamp, random: &mut Random) {
    estate.products =
        PRODUCTS.iter().map(|(name, manual)| Product { name: (*name).to_owned(), manual: *manual }).collect();
    let owners = (0..options.developers).map(|number| developer(number, random)).collect::<Vec<_>>();
    let groups = (0..options.groups).map(|number| group(number, random)).collect::<Vec<_>>();
    for (at, (who, mut parent)) in owners.into_iter().chain(groups).enumerate() {
        parent.created_at = ago(start, SignedDuration::from_hours(3 * 365 * 24));
        estate.parents.insert(who.clone(), parent);
        for number in 0..options.apps {
            plant_app(estate, options, start, random, &who, at, number);
        }
    }
}

/// Combinations of names first, then with a number.
fn developer(number: u32, random: &mut Random) -> (Who, Parent) {
    let at = number as usize;
    let first = FIRST.get(at % FIRST.len()).copied().unwrap_or_default();
    let last = LAST.get(at % LAST.len()).copied().unwrap_or_default();
    let company = COMPANIES.get(at % COMPANIES.len()).copied().unwrap_or_default();
    let round = at / (FIRST.len() * LAST.len() / 3);
    let tail = if round == 0 { String::new() } else { round.to_string() };
    let email = format!("{}.{}{tail}@{company}.example", first.to_lowercase(), last.to_lowercase());
    (Who { group: false, name: email }, parent(first, last, random))
}

fn group(number: u32, random: &mut Random) -> (Who, Parent) {
    let company = COMPANIES.get(number as usize % COMPANIES.len()).copied().unwrap_or_default();
    let name = format!("{company}-{number}");
    let title = format!("{} number {number}", company.to_uppercase());
    (Who { group: true, name }, parent(&title, "", random))
}

fn parent(first: &str, last: &str, random: &mut Random) -> Parent {
    Parent {
        id: random.uuid(),
        first_name: first.to_owned(),
        last_name: last.to_owned(),
        active: true,
        created_at: Timestamp::UNIX_EPOCH,
        apps: Default::default(),
    }
}

fn plant_app(
    estate: &mut Estate,
    options: &Options,
    start: Timestamp,
    random: &mut Random,
    who: &Who,
    owner: usize,
    number: u32,
) {
    let at = number as usize;
    let name = APPS.get(at % APPS.len()).copied().unwrap_or_default();
    let round = at / APPS.len();
    let name = if round == 0 { name.to_owned() } else { format!("{name}-{round}") };
    let created_at = ago(start, options.age.saturating_add(SignedDuration::from_hours(24)));
    let app = App {
        id: random.uuid(),
        approved: true,
        attributes: vec![
            ("DisplayName".to_owned(), format!("{name} – „{owner}“")),
            ("Notes".to_owned(), "asked for by mail; do not touch\n\tticket 4711".to_owned()),
            ("cost-center".to_owned(), random.below(10_000).to_string()),
        ],
        callback_url: format!("https://apps.example.test/{owner}/callback?app={number}"),
        scopes: Vec::new(),
        created_at,
        modified_at: created_at,
        keys: Vec::new(),
    };
    if let Some(parent) = estate.parents.get_mut(who) {
        parent.apps.insert(name.clone(), app);
    }
    for _ in 0..options.credentials {
        let spread = options.age_spread.as_millis().try_into().unwrap_or(0_u64);
        let more = i64::try_from(random.below(spread)).unwrap_or_default();
        let age = options.age.saturating_add(SignedDuration::from_millis(more));
        let new = NewKey {
            consumer_key: generated_key(random),
            consumer_secret: random.hex(),
            issued_at: whole_millisecond(ago(start, age)),
            expires_at: None,
            products: products_of(owner + at),
            attributes: if at.is_multiple_of(2) { vec![("tier".to_owned(), "gold".to_owned())] } else { Vec::new() },
            scopes: if at.is_multiple_of(3) { vec!["READ".to_owned()] } else { Vec::new() },
        };
        estate.add_key(who, &name, new, Reaches::Now);
    }
}

/// Every other app has a product that needs an approval, long given.
fn products_of(number: usize) -> Vec<(String, Status)> {
    let chosen: &[usize] = match number % 4 {
        0 => &[0],
        1 => &[0, 1],
        2 => &[2],
        _ => &[1, 2, 3],
    };
    let name = |at: &usize| PRODUCTS.get(*at).map(|(name, _)| ((*name).to_owned(), Status::Approved));
    chosen.iter().filter_map(name).collect()
}

/// As the platform makes them: 48 letters and digits.
pub(super) fn generated_key(random: &mut Random) -> String {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let letter = |random: &mut Random| {
        let at = usize::try_from(random.below(LETTERS.len() as u64)).unwrap_or_default();
        LETTERS.get(at).copied().map_or('x', char::from)
    };
    (0..48).map(|_| letter(random)).collect()
}
