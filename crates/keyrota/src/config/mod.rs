//! The configuration file: typed, unknown keys refused with the nearest known name, every complaint with its line.
//!
//! Names no driver: which drivers exist, and which keys each of them has, comes in as [`Drivers`]. Does not build
//! drivers and reads no secret; a driver reads its own keys from [`driver::Settings`] when it is built.

mod consumers;
mod document;
mod error;
mod field_template;
mod form;
mod locate;
mod nearest;
mod path_template;
mod period;
mod policy;
mod schedule;
mod schema;
mod secret_files;
mod tables;
mod verify;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use domain::CredentialId;
use driver::{Budget, InvalidSettings, SecretSource, Settings};
use jiff::SignedDuration;
use secret::{InvalidRootKey, RootKey};

pub(crate) use consumers::TellConfig;
pub(crate) use document::Places;
pub(crate) use error::{ConfigError, Problem};
pub(crate) use locate::locate;
pub(crate) use nearest::nearest;
pub(crate) use path_template::RenderError;
pub(crate) use period::parse_period;
pub(crate) use policy::{OWNER, PolicyConfig};
pub(crate) use schema::{DriverWords, Drivers, schema};
pub(crate) use secret_files::SecretFile;
pub(crate) use verify::{VerifyConfig, is_loopback};

use document::{Document, TableAt};
use tables::{AccessPolicyTable, BudgetTable, IssuerTable, NotifierTable, PolicyTable, StoreTable, TopLevel};

const DATA_DIR: &str = "keyrota-data";
const ROOT_KEY: &str = "root.key";
/// The lists of tables.
const KINDS: [&str; 5] = ["issuer", "store", "policy", "notifier", "access_policy"];

/// One whole configuration, checked.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) file: PathBuf,
    /// Relative paths in the file count from here.
    pub(crate) base_dir: PathBuf,
    /// Where the embedded database lives, made absolute by `base_dir`.
    pub(crate) data_dir: PathBuf,
    pub(crate) root_key: SecretSource,
    pub(crate) issuers: Vec<IssuerConfig>,
    pub(crate) stores: Vec<StoreConfig>,
    pub(crate) notifiers: Vec<NotifierConfig>,
    pub(crate) policies: Vec<PolicyConfig>,
    pub(crate) access_policies: Vec<AccessPolicyConfig>,
    /// True and worth a line to a person, once, on standard error; nothing is wrong.
    pub(crate) notes: Vec<String>,
    /// Policies that can match under an issuer, in the order of the file.
    candidates: BTreeMap<String, Vec<usize>>,
}

/// One `[[issuer]]`.
#[derive(Debug)]
pub(crate) struct IssuerConfig {
    pub(crate) name: String,
    pub(crate) driver: String,
    /// What the driver calls the parts of a credential's path.
    pub(crate) levels: &'static [&'static str],
    pub(crate) budget: Budget,
    /// Overrides the driver's fact.
    pub(crate) propagation: Option<SignedDuration>,
    /// A private authority, trusted beside those of the system.
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) keys: DriverKeys,
}

/// One `[[store]]`.
#[derive(Debug)]
pub(crate) struct StoreConfig {
    pub(crate) name: String,
    pub(crate) driver: String,
    pub(crate) environment: Option<String>,
    /// A private authority, trusted beside those of the system.
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) keys: DriverKeys,
}

/// One `[[notifier]]`.
#[derive(Debug)]
pub(crate) struct NotifierConfig {
    pub(crate) name: String,
    pub(crate) driver: String,
    /// A private authority, trusted beside those of the system.
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) keys: DriverKeys,
}

/// One `[[access_policy]]`. The text is read by whoever needs it.
#[derive(Debug)]
pub(crate) struct AccessPolicyConfig {
    pub(crate) name: String,
    pub(crate) file: PathBuf,
}

/// The driver's own keys of one table, and where they stand. Debug prints the names of the keys alone.
pub(crate) struct DriverKeys {
    pub(crate) settings: Settings,
    label: String,
    places: Places,
}

/// Why there is no root key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RootKeyError {
    #[error("the root key cannot be read")]
    Unreadable(#[source] InvalidSettings),
    #[error("the root key is malformed")]
    Malformed(#[source] InvalidRootKey),
}

impl Config {
    pub(crate) fn load(file: &Path, drivers: &Drivers<'_>) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file)
            .map_err(|source| ConfigError::Unreadable { file: file.to_owned(), source })?;
        Self::parse(file, &text, drivers)
    }

    /// Reads a text as if it stood in `file`.
    pub(crate) fn parse(file: &Path, text: &str, drivers: &Drivers<'_>) -> Result<Self, ConfigError> {
        let base_dir = file.parent().unwrap_or(Path::new("")).to_owned();
        let document = Document { file, text };
        let mut root = document.parse()?;
        let mut lists = Vec::new();
        for kind in KINDS {
            lists.push(document.take_list(&mut root, kind)?);
        }
        let [issuers, stores, policies, notifiers, access] = <[_; 5]>::try_from(lists).unwrap_or_default();
        for list in [&issuers, &stores, &policies, &notifiers, &access] {
            check_names(list)?;
        }
        let top = read_top(&document, root)?;
        let issuers = issuers
            .into_iter()
            .map(|table| read_issuer(&document, table, &base_dir, drivers))
            .collect::<Result<Vec<_>, _>>()?;
        let stores = stores
            .into_iter()
            .map(|table| read_store(&document, table, &base_dir, drivers))
            .collect::<Result<Vec<_>, _>>()?;
        let notifiers = notifiers
            .into_iter()
            .map(|table| read_notifier(&document, table, &base_dir, drivers))
            .collect::<Result<Vec<_>, _>>()?;
        let issuer_levels = Arc::new(issuers.iter().map(|issuer| (issuer.name.clone(), issuer.levels)).collect());
        let access_policies = access
            .into_iter()
            .map(|table| {
                let AccessPolicyTable { name, file } = document.read(table, &[])?;
                Ok(AccessPolicyConfig { name, file: base_dir.join(file) })
            })
            .collect::<Result<Vec<_>, ConfigError>>()?;
        let configured =
            policy::Configured { drivers, issuer_levels, stores: &stores, notifiers: &notifiers, base_dir: &base_dir };
        let policies = policies
            .into_iter()
            .map(|table| {
                let (label, places) = (table.label.clone(), table.places.clone());
                policy::check(document.read::<PolicyTable>(table, &[])?, &label, &places, &configured)
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            data_dir: base_dir.join(top.data_dir.unwrap_or_else(|| DATA_DIR.into())),
            root_key: top.root_key.unwrap_or_else(|| SecretSource::From(driver::SourceTable::File(ROOT_KEY.into()))),
            notes: notes(&issuers, &policies),
            candidates: candidates(&issuers, &policies),
            file: file.to_owned(),
            base_dir,
            issuers,
            stores,
            notifiers,
            policies,
            access_policies,
        })
    }

    /// The position of the first policy whose `match` fits. Called once for every credential of an estate.
    pub(crate) fn policy_index(&self, credential: &CredentialId) -> Option<usize> {
        let fits = |policy: &PolicyConfig| policy.selector.matches(credential.as_str());
        match self.candidates.get(credential.issuer()) {
            Some(indices) => indices.iter().copied().find(|index| self.policies.get(*index).is_some_and(fits)),
            // An issuer that is no longer configured.
            None => self.policies.iter().position(fits),
        }
    }

    /// Fetches the root key from where the configuration says it is.
    pub(crate) fn read_root_key(&self) -> Result<RootKey, RootKeyError> {
        let text = self.root_key.read(&self.base_dir).map_err(RootKeyError::Unreadable)?;
        RootKey::parse(&text).map_err(RootKeyError::Malformed)
    }
}

impl DriverKeys {
    /// A driver's complaint about its keys, with the table and, when it names one of the keys, its line.
    pub(crate) fn complaint(&self, invalid: &InvalidSettings) -> ConfigError {
        let message = document::without_values(&invalid.0);
        let table = self.label.clone();
        if let Some((key, known)) = document::unknown_field(&message) {
            return self.places.of(&key).says(document::unknown_key(key, table, known));
        }
        match message.split('`').skip(1).step_by(2).find_map(|word| self.places.named(word)) {
            Some((key, place)) => place.says(Problem::Value { key, table, message }),
            None => {
                let message = message.replacen("missing field", "it lacks the key", 1);
                self.places.table().says(Problem::Table { table, message })
            }
        }
    }
}

impl fmt::Debug for DriverKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&String> = self.settings.table.keys().collect();
        write!(f, "DriverKeys({} {keys:?})", self.label)
    }
}

fn read_top(document: &Document<'_>, root: TableAt<'_>) -> Result<TopLevel, ConfigError> {
    let places = root.places.clone();
    let top: TopLevel = document.read(root, &KINDS)?;
    match &top.database {
        Some(_) => Err(places.of("database").says(Problem::NotYet {
            key: "database".to_owned(),
            instead: "leave it out: the embedded database in `data_dir` is used",
        })),
        None => Ok(top),
    }
}

fn read_issuer(
    document: &Document<'_>,
    table: TableAt<'_>,
    base_dir: &Path,
    drivers: &Drivers<'_>,
) -> Result<IssuerConfig, ConfigError> {
    let common_keys = schema::property_names(&schemars::schema_for!(IssuerTable));
    let (common, own) = table.split(&common_keys);
    let (label, places) = (common.label.clone(), common.places.clone());
    let common: IssuerTable = document.read(common, &[])?;
    let (words, keys) = read_driver_keys(document, own, base_dir, &common.driver, drivers.issuers, &common_keys)?;
    let levels = words.levels;
    let budget = match common.budget {
        Some(budget) => check_budget(&budget).map_err(|message| {
            places.of("budget").says(Problem::Value { key: "budget".to_owned(), table: label, message })
        })?,
        None => Budget::default(),
    };
    Ok(IssuerConfig {
        name: common.name,
        driver: common.driver,
        levels,
        budget,
        propagation: common.propagation.map(period::Period::duration),
        ca_file: common.ca_file.map(|file| base_dir.join(file)),
        keys,
    })
}

fn check_budget(table: &BudgetTable) -> Result<Budget, String> {
    let in_flight = table.in_flight.unwrap_or(Budget::default().in_flight);
    if in_flight == 0 {
        return Err("`in_flight` is 0, so nothing could ever be called".to_owned());
    }
    match table.per_second {
        Some(rate) if !rate.is_finite() || rate <= 0.0 => {
            Err(format!("`per_second` is {rate}; leave it out for no limit"))
        }
        per_second => Ok(Budget { in_flight, per_second }),
    }
}

fn read_store(
    document: &Document<'_>,
    table: TableAt<'_>,
    base_dir: &Path,
    drivers: &Drivers<'_>,
) -> Result<StoreConfig, ConfigError> {
    let common_keys = schema::property_names(&schemars::schema_for!(StoreTable));
    let (common, own) = table.split(&common_keys);
    let common: StoreTable = document.read(common, &[])?;
    let (_, keys) = read_driver_keys(document, own, base_dir, &common.driver, drivers.stores, &common_keys)?;
    Ok(StoreConfig {
        name: common.name,
        driver: common.driver,
        environment: common.environment,
        ca_file: common.ca_file.map(|file| base_dir.join(file)),
        keys,
    })
}

/// Checks the driver's name and the names of its keys; what the values must be, the driver knows.
fn read_driver_keys<'d>(
    document: &Document<'_>,
    own: TableAt<'_>,
    base_dir: &Path,
    driver: &str,
    known: &'d [DriverWords],
    common_keys: &[String],
) -> Result<(&'d DriverWords, DriverKeys), ConfigError> {
    let (label, places) = (own.label.clone(), own.places.clone());
    let Some(words) = known.iter().find(|words| words.name == driver) else {
        let nearest = nearest(driver, known.iter().map(|words| words.name)).map(str::to_owned);
        let known = known.iter().map(|words| words.name.to_owned()).collect();
        let problem = Problem::UnknownDriver { table: label, driver: driver.to_owned(), nearest, known };
        return Err(places.of("driver").says(problem));
    };
    let mut known_keys = schema::property_names(&words.schema);
    if let Some(key) = own.keys().find(|key| !known_keys.iter().any(|known| known == key)) {
        known_keys.extend(common_keys.iter().cloned());
        let key = key.to_owned();
        return Err(places.of(&key).says(document::unknown_key(key, label, known_keys)));
    }
    let table: toml::Table = document.read(own, &[])?;
    Ok((words, DriverKeys { settings: Settings { table, base_dir: base_dir.to_owned() }, label, places }))
}

fn read_notifier(
    document: &Document<'_>,
    table: TableAt<'_>,
    base_dir: &Path,
    drivers: &Drivers<'_>,
) -> Result<NotifierConfig, ConfigError> {
    let common_keys = schema::property_names(&schemars::schema_for!(NotifierTable));
    let (common, own) = table.split(&common_keys);
    let common: NotifierTable = document.read(common, &[])?;
    let (_, keys) = read_driver_keys(document, own, base_dir, &common.driver, drivers.notifiers, &common_keys)?;
    Ok(NotifierConfig {
        name: common.name,
        driver: common.driver,
        ca_file: common.ca_file.map(|file| base_dir.join(file)),
        keys,
    })
}

/// Names are unique in their kind and fit into identifiers, file names and labels as they are.
fn check_names(tables: &[TableAt<'_>]) -> Result<(), ConfigError> {
    let mut first_lines: HashMap<String, usize> = HashMap::new();
    for table in tables {
        // A missing name is the typed reader's to refuse.
        let Some(name) = table.name() else { continue };
        let place = table.places.of("name");
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let is_plain = !name.is_empty() && name.bytes().all(allowed) && name != "." && name != "..";
        if !is_plain {
            return Err(place.says(Problem::Value {
                key: "name".to_owned(),
                table: table.label.clone(),
                message: "it may hold letters, digits, `.`, `_` and `-`".to_owned(),
            }));
        }
        if let Some(first_line) = first_lines.insert(name.to_owned(), place.line) {
            return Err(place.says(Problem::DuplicateName { table: table.label.clone(), first_line }));
        }
    }
    Ok(())
}

fn notes(issuers: &[IssuerConfig], policies: &[PolicyConfig]) -> Vec<String> {
    let mut notes = Vec::new();
    for policy in policies {
        let text = policy.selector.to_string();
        let issuer = first_segment(&text);
        if !issuer.contains('*') && !issuers.iter().any(|known| known.name == issuer) {
            notes.push(format!("policy `{}` is for the issuer `{issuer}`, which is not configured", policy.name));
        }
    }
    notes
}

fn first_segment(selector: &str) -> &str {
    selector.split_once('/').map_or(selector, |(first, _)| first)
}

fn candidates(issuers: &[IssuerConfig], policies: &[PolicyConfig]) -> BTreeMap<String, Vec<usize>> {
    let can_match = |policy: &PolicyConfig, issuer: &str| {
        let text = policy.selector.to_string();
        let first = first_segment(&text);
        first.contains('*') || first == issuer
    };
    let of_issuer = |issuer: &IssuerConfig| {
        let indices = policies.iter().enumerate().filter(|(_, policy)| can_match(policy, &issuer.name));
        (issuer.name.clone(), indices.map(|(index, _)| index).collect())
    };
    issuers.iter().map(of_issuer).collect()
}
