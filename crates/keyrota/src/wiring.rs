//! From a configuration to running parts. The only place that brings drivers, database and engine together.

use std::{collections::BTreeMap, sync::Arc};

use db::{Access, Db, IssuerView, Issuers, Journal, OpenError};
use domain::{CredentialId, Duration, FactSheet, Policy, Timestamp};
use driver::{Calls, Notifier, Ports, SecretStore};
use engine::{
    Applied, Audience, Circle, ConfiguredIssuer, Engine, Outbox, Parts, Policies, ProbeTemplate, Teller, Tellers,
};
use notifiers::NotifierPorts;
use secret::{Keyring, RootKey, SecretMap};
use stores::{StoreDriver, StorePorts};

use crate::{
    complaint::{Code, Complaint},
    config::{Config, DriverWords, Drivers, OWNER, PolicyConfig, TellConfig, VerifyConfig, locate},
    ports::{ClientError, system_ports},
    shell::Shell,
    tell,
};

/// Every store driver of this build.
pub(crate) fn store_drivers() -> Vec<StoreDriver> {
    let mut drivers = stores::all().to_vec();
    #[cfg(feature = "age-file")]
    drivers.push(store_age_file::DRIVER);
    drivers.sort_by_key(|driver| driver.name);
    drivers
}

/// Names and keys of all drivers, as the configuration needs them.
pub(crate) fn with_drivers<T>(then: impl FnOnce(&Drivers<'_>) -> T) -> T {
    let words = |name, levels, schema: fn() -> schemars::Schema| DriverWords { name, levels, schema: schema() };
    let issuers: Vec<_> =
        issuers::all().iter().map(|driver| words(driver.name, driver.levels, driver.schema)).collect();
    let stores: Vec<_> = store_drivers().iter().map(|driver| words(driver.name, &[], driver.schema)).collect();
    let notifiers: Vec<_> = notifiers::all().iter().map(|driver| words(driver.name, &[], driver.schema)).collect();
    then(&Drivers { issuers: &issuers, stores: &stores, notifiers: &notifiers })
}

/// Channels to people, by their names.
pub(crate) type Channels = Vec<(String, Arc<dyn Notifier>)>;

/// A configuration with its database and keys.
#[derive(Debug, Clone)]
pub(crate) struct Opened {
    pub(crate) config: Arc<Config>,
    pub(crate) db: Arc<Db>,
    pub(crate) keyring: Arc<Keyring>,
}

pub(crate) fn load_config(shell: &Shell) -> Result<Arc<Config>, Complaint> {
    let file = locate(shell.config.as_deref(), |name| std::env::var_os(name))?;
    let config = with_drivers(|drivers| Config::load(&file, drivers))?;
    for note in &config.notes {
        shell.voice.note(note);
    }
    Ok(Arc::new(config))
}

impl Opened {
    /// Opens the database with the root key. The first opening for writing makes the data key, and says so: where one
    /// was expected, `data_dir` is wrong.
    pub(crate) async fn open(shell: &Shell, access: Access) -> Result<Self, Complaint> {
        let config = load_config(shell)?;
        let root = config.read_root_key()?;
        let db = Db::open(&config.data_dir, access)?;
        let is_new = db.wrapped_key().await?.is_none();
        let opened = Self::with(config, &root, db).await?;
        if is_new {
            let folder = opened.config.data_dir.display();
            shell.voice.note(&format!("there was no database in {folder}; a new one was made"));
        }
        Ok(opened)
    }

    pub(crate) async fn of(config: Arc<Config>, access: Access) -> Result<Self, Complaint> {
        let root = config.read_root_key()?;
        let db = Db::open(&config.data_dir, access)?;
        Self::with(config, &root, db).await
    }

    /// For `keyrota check`, which makes no database and updates none. Where there is none of this release, why, with a
    /// stand-in that is forgotten.
    pub(crate) async fn to_check(shell: &Shell) -> Result<(Self, Option<OpenError>), Complaint> {
        let config = load_config(shell)?;
        let root = config.read_root_key()?;
        match Db::open(&config.data_dir, Access::ReadOnly) {
            // Its making was cut short, and the next run finishes it.
            Ok(db) if db.wrapped_key().await?.is_none() => {
                let why = OpenError::Missing { path: config.data_dir.clone() };
                Ok((Self::with(config, &root, Db::in_memory()?).await?, Some(why)))
            }
            Ok(db) => {
                drop(db);
                // It is there and of this release, so that this neither makes nor updates it.
                let db = Db::open(&config.data_dir, Access::Commands)?;
                Ok((Self::with(config, &root, db).await?, None))
            }
            Err(why @ (OpenError::Missing { .. } | OpenError::Older { .. })) => {
                Ok((Self::with(config, &root, Db::in_memory()?).await?, Some(why)))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn with(config: Arc<Config>, root: &RootKey, db: Db) -> Result<Self, Complaint> {
        let keyring = match db.wrapped_key().await? {
            Some(wrapped) => Keyring::open(root, &wrapped)?,
            None => {
                let sealing = |error: secret::SealError| {
                    Complaint::new(Code::Database, "no data key could be made").because(&error)
                };
                let (keyring, wrapped) = Keyring::create(root).map_err(sealing)?;
                db.store_wrapped_key(&wrapped).await?;
                keyring
            }
        };
        Ok(Self { config, db: Arc::new(db), keyring: Arc::new(keyring) })
    }

    /// Every configured issuer, ready to be called within its budget.
    pub(crate) fn issuers(&self) -> Result<Vec<ConfiguredIssuer>, Complaint> {
        self.config
            .issuers
            .iter()
            .map(|issuer| {
                let ports = ports_of(issuer.ca_file.as_deref())?;
                let ports = Calls::ports(&ports, issuer.budget);
                let driver = issuers::find(&issuer.driver).ok_or_else(|| unknown_driver(&issuer.driver))?;
                let built = (driver.configure)(&issuer.keys.settings, &ports)
                    .map_err(|invalid| Complaint::from(issuer.keys.complaint(&invalid)))?;
                let facts = overridden(built.facts(), issuer.propagation);
                Ok(ConfiguredIssuer { name: issuer.name.clone(), driver: built, facts })
            })
            .collect()
    }

    pub(crate) fn stores(&self) -> Result<BTreeMap<String, Arc<dyn SecretStore>>, Complaint> {
        let drivers = store_drivers();
        self.config
            .stores
            .iter()
            .map(|store| {
                let driver = drivers.iter().find(|driver| driver.name == store.driver);
                let driver = driver.ok_or_else(|| unknown_driver(&store.driver))?;
                let ports = StorePorts {
                    db: self.db.clone(),
                    keyring: self.keyring.clone(),
                    ports: ports_of(store.ca_file.as_deref())?,
                    asked: self.config.asked_of(store),
                };
                let built = (driver.configure)(&store.name, &store.keys.settings, &ports)
                    .map_err(|invalid| Complaint::from(store.keys.complaint(&invalid)))?;
                Ok((store.name.clone(), built))
            })
            .collect()
    }

    /// Every configured channel to people, in the order of the file.
    pub(crate) fn notifiers(&self) -> Result<Channels, Complaint> {
        self.config
            .notifiers
            .iter()
            .map(|notifier| {
                let driver = notifiers::find(&notifier.driver).ok_or_else(|| unknown_driver(&notifier.driver))?;
                let ports =
                    NotifierPorts { ports: ports_of(notifier.ca_file.as_deref())?, ca_file: notifier.ca_file.clone() };
                let built = (driver.configure)(&notifier.keys.settings, &ports)
                    .map_err(|invalid| Complaint::from(notifier.keys.complaint(&invalid)))?;
                Ok((notifier.name.clone(), built))
            })
            .collect()
    }

    /// The outbox with its channels. Only for the process that holds the engine's lock: two would send everything twice.
    pub(crate) fn outbox(&self) -> Result<Outbox, Complaint> {
        let notifiers = self.notifiers()?.into_iter().collect();
        Ok(Outbox { db: self.db.clone(), ports: ports_of(None)?, notifiers })
    }

    /// Facts of every configured issuer, without its secrets: for commands that only read.
    pub(crate) fn facts(&self) -> Result<Vec<(String, FactSheet)>, Complaint> {
        self.config
            .issuers
            .iter()
            .map(|issuer| {
                let driver = issuers::find(&issuer.driver).ok_or_else(|| unknown_driver(&issuer.driver))?;
                let facts = (driver.facts)(&issuer.keys.settings)
                    .map_err(|invalid| Complaint::from(issuer.keys.complaint(&invalid)))?;
                Ok((issuer.name.clone(), overridden(facts, issuer.propagation)))
            })
            .collect()
    }

    pub(crate) fn now(&self) -> Timestamp {
        crate::ports::now()
    }

    /// The time by an issuer's own clock, as last seen: the one that stands in a credential's history.
    pub(crate) async fn now_at(&self, issuer: &str) -> Result<Timestamp, Complaint> {
        let states = self.db.issuer_states().await?;
        let offset = states.iter().find(|state| state.issuer == issuer).map(|state| state.clock_offset);
        let now = self.now();
        Ok(now.saturating_add(offset.unwrap_or_default()).unwrap_or(now))
    }

    /// The engine. Takes the journal over: only for the process that holds the engine's lock.
    pub(crate) async fn engine(&self) -> Result<Engine, Complaint> {
        let journal = Journal::open(self.db.clone())
            .await
            .map_err(|error| Complaint::new(Code::Database, "the journal cannot be taken over").because(&error))?;
        let parts = Parts {
            db: self.db.clone(),
            journal,
            keyring: self.keyring.clone(),
            ports: ports_of(None)?,
            issuers: self.issuers()?,
            stores: self.stores()?,
            policies: Arc::new(self.policies_that_tell()?),
        };
        Ok(Engine::new(parts).await?)
    }

    pub(crate) fn policies(&self) -> ConfiguredPolicies {
        ConfiguredPolicies { config: self.config.clone(), tellers: Vec::new(), audiences: Vec::new() }
    }

    /// For an engine, which tells consumers; commands that only read need nobody to be called.
    fn policies_that_tell(&self) -> Result<ConfiguredPolicies, Complaint> {
        let ports = ports_of(None)?;
        let teller = |told: &TellConfig| -> Arc<dyn Teller> {
            match told.clone() {
                TellConfig::Webhook { url, secret } => {
                    let base_dir = self.config.base_dir.clone();
                    Arc::new(tell::Webhook { url, secret, base_dir, http: ports.http.clone() })
                }
                TellConfig::Command { program, arguments } => Arc::new(tell::Command { program, arguments }),
                TellConfig::File(file) => Arc::new(tell::File(file)),
            }
        };
        let tellers = self.config.policies.iter().map(|policy| {
            policy.told.iter().map(|(consumer, told)| (consumer.clone(), teller(told))).collect::<Arc<[_]>>()
        });
        let audiences = self.audiences()?;
        Ok(ConfiguredPolicies { config: self.config.clone(), tellers: tellers.collect(), audiences })
    }
}

impl Opened {
    /// What keeps policies from telling whom they name.
    pub(crate) fn untold(&self) -> Result<Vec<String>, Complaint> {
        let notifiers = self.notifiers()?;
        let reaches_people = notifiers.iter().any(|(_, notifier)| notifier.facts().addresses_people);
        let nobody = |name: &String| {
            let told = notifiers.iter().find(|(known, _)| known == name);
            told.is_some_and(|(_, notifier)| notifier.facts().tells.is_empty())
        };
        let mut untold = Vec::new();
        for policy in &self.config.policies {
            let names = || policy.notify.iter().chain(&policy.escalate);
            if !reaches_people && names().any(|name| name == OWNER) {
                untold.push(format!("policy `{}` tells owners, and no notifier reaches people by mail", policy.name));
            }
            untold.extend(
                names().filter(|name| nobody(name)).map(|name| {
                    format!("policy `{}` tells the notifier `{name}`, whose `to` names nobody", policy.name)
                }),
            );
        }
        Ok(untold)
    }

    /// Who is told, for each policy. Owners are told through the first channel that reaches people by their addresses.
    fn audiences(&self) -> Result<Vec<Arc<Audience>>, Complaint> {
        let notifiers = self.notifiers()?;
        let people = notifiers.iter().find(|(_, notifier)| notifier.facts().addresses_people);
        let circle = |names: &[String]| {
            let named = notifiers.iter().filter(|(name, _)| names.contains(name));
            let places = named.flat_map(|(name, notifier)| {
                let name: Arc<str> = name.as_str().into();
                notifier.facts().tells.into_iter().map(move |to| (name.clone(), to))
            });
            let owner = names.iter().any(|name| name == OWNER);
            Circle {
                places: places.collect(),
                owner_through: people.filter(|_| owner).map(|(name, _)| name.as_str().into()),
            }
        };
        let audience = |policy: &PolicyConfig| {
            Arc::new(Audience { told: circle(&policy.notify), escalated_to: circle(&policy.escalate) })
        };
        Ok(self.config.policies.iter().map(audience).collect())
    }
}

fn overridden(facts: FactSheet, propagation: Option<Duration>) -> FactSheet {
    match propagation {
        Some(propagation) => facts.with_propagation(propagation),
        None => facts,
    }
}

fn ports_of(ca_file: Option<&std::path::Path>) -> Result<Ports, Complaint> {
    system_ports(ca_file).map_err(|error: ClientError| {
        Complaint::new(Code::ConfigAuthority, "the HTTP client cannot be set up")
            .because(&error)
            .state("nothing was changed")
    })
}

/// The configuration was checked against the same lists, so this is not met.
fn unknown_driver(name: &str) -> Complaint {
    Complaint::new(Code::ConfigUnknownDriver, format!("no driver is called `{name}`"))
}

/// The configured policies, as the engine asks for them.
#[derive(Debug, Clone)]
pub(crate) struct ConfiguredPolicies {
    config: Arc<Config>,
    /// Of each policy, in the order of the file; none for those who tell nobody.
    tellers: Vec<Tellers>,
    /// The same for who is told what happens.
    audiences: Vec<Arc<Audience>>,
}

impl Policies for ConfiguredPolicies {
    fn applied(&self, credential: &CredentialId, now: Timestamp) -> Option<Applied> {
        let index = self.config.policy_index(credential)?;
        let configured = self.config.policies.get(index)?;
        let probe = configured.verify.clone().map(|verify| verify as Arc<dyn ProbeTemplate>);
        let policy = configured.applied(credential, now).unwrap_or_else(|_| Policy {
            // A path that cannot be spelled out is no destination: nothing begins, and the plan says so.
            name: configured.name.clone(),
            mode: configured.mode,
            rotate_after: configured.rotate_after,
            overlap: configured.overlap,
            retire_when: configured.retire_when,
            quiet_for: configured.quiet_for,
            retire_after: configured.retire_after,
            deliver: Vec::new(),
            consumers: configured.consumers.clone(),
            task_within: configured.task_within,
            begin_not_before: None,
        });
        Some(Applied {
            policy,
            probe,
            places: configured.places.clone(),
            tellers: self.tellers.get(index).cloned().unwrap_or_default(),
            repairs_drift: configured.repairs_drift,
            four_eyes: configured.four_eyes,
            audience: self.audiences.get(index).cloned().unwrap_or_default(),
        })
    }

    fn tells_anybody(&self) -> bool {
        self.audiences.iter().any(|audience| !audience.is_empty())
    }
}

impl ProbeTemplate for VerifyConfig {
    fn request(&self, secret: &SecretMap) -> Result<driver::HttpRequest, String> {
        Self::request(self, secret).map_err(|error| error.to_string())
    }

    fn in_full(&self) -> String {
        Self::in_full(self)
    }

    fn expect(&self) -> u16 {
        self.expect
    }
}

/// Plans the stored inventory for a command that only reads. Each issuer's facts come from its driver, its time from
/// the last observation.
pub(crate) fn survey(
    opened: &Opened,
    states: &[db::IssuerState],
    each: impl FnMut(engine::Surveyed),
) -> Result<(), Complaint> {
    let now = opened.now();
    let mut issuers = Issuers::new();
    for (name, facts) in opened.facts()? {
        let offset = states.iter().find(|state| state.issuer == name).map(|state| state.clock_offset);
        let theirs = now.saturating_add(offset.unwrap_or_default()).unwrap_or(now);
        issuers.insert(name, IssuerView { facts, now: theirs });
    }
    Ok(engine::survey(&opened.db, &opened.policies(), &issuers, each)?)
}
