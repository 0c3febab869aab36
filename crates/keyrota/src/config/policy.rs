//! Policies as the commands use them: checked, defaults filled in.

use std::{collections::BTreeMap, sync::Arc};

use domain::{Consumer, CredentialId, Destination, Mode, Policy, RetireWhen, Selector};
use engine::{FormTemplate, Place};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use stores::Asked;

use super::{
    consumers::{self, TellConfig},
    error::{ConfigError, Problem},
    form::FormConfig,
    path_template::{PathTemplate, RenderError},
    period::Period,
    schedule::Schedule,
    tables::{DriftWord, ModeWord, PolicyTable, RetireWhenWord, ScheduleTable},
    verify::VerifyConfig,
    {Drivers, NotifierConfig, Places, StoreConfig, first_segment},
};

/// In `notify`: whoever answers for the credential.
pub(crate) const OWNER: &str = "owner";
const ROTATE_AFTER: Period = Period::days(90);
const OVERLAP: Period = Period::days(10);
const TASK_WITHIN: Period = Period::days(7);
const QUIET_FOR: Period = Period::days(1);

/// One `[[policy]]`.
#[derive(Debug)]
pub(crate) struct PolicyConfig {
    pub(crate) name: String,
    pub(crate) selector: Selector,
    pub(crate) mode: Mode,
    pub(crate) rotate_after: SignedDuration,
    pub(crate) overlap: SignedDuration,
    pub(crate) retire_when: RetireWhen,
    pub(crate) quiet_for: SignedDuration,
    pub(crate) retire_after: SignedDuration,
    pub(crate) task_within: SignedDuration,
    pub(crate) deliver: Vec<DeliverConfig>,
    /// How each destination is served, in the same order.
    pub(crate) places: Arc<[Place]>,
    pub(crate) consumers: Arc<[Consumer]>,
    /// How consumers are told, for those that are.
    pub(crate) told: Vec<(Arc<str>, TellConfig)>,
    pub(crate) repairs_drift: bool,
    /// A plan is carried out once somebody else than who made it approved it.
    pub(crate) four_eyes: bool,
    /// Who is told: "owner", or names of notifiers.
    pub(crate) notify: Vec<String>,
    pub(crate) escalate: Vec<String>,
    pub(crate) verify: Option<Arc<VerifyConfig>>,
    pub(crate) schedule: Option<Schedule>,
    /// What each issuer calls the parts of its credentials' paths.
    levels: Arc<IssuerLevels>,
}

/// Asked for every credential of an estate: among a few names, comparing is quicker than hashing.
pub(super) type IssuerLevels = BTreeMap<String, &'static [&'static str]>;

/// One destination, its path still a template.
#[derive(Debug, Clone)]
pub(crate) struct DeliverConfig {
    pub(crate) store: Arc<str>,
    pub(crate) path: PathTemplate,
}

impl PolicyConfig {
    /// The policy as it applies to one credential now.
    ///
    /// # Errors
    /// When a delivery path names a part that the credential's path does not have.
    pub(crate) fn applied(&self, credential: &CredentialId, now: Timestamp) -> Result<Policy, RenderError> {
        let levels = self.levels.get(credential.issuer()).copied().unwrap_or_default();
        let mut deliver = Vec::with_capacity(self.deliver.len());
        for destination in &self.deliver {
            let path = destination.path.render(credential, levels)?;
            deliver.push(Destination { store: destination.store.clone(), path });
        }
        Ok(Policy {
            name: self.name.clone(),
            mode: self.mode,
            rotate_after: self.rotate_after,
            overlap: self.overlap,
            retire_when: self.retire_when,
            quiet_for: self.quiet_for,
            retire_after: self.retire_after,
            deliver,
            consumers: self.consumers.clone(),
            task_within: self.task_within,
            begin_not_before: self.begin(credential, now).filter(|begin| *begin > now),
        })
    }

    fn begin(&self, credential: &CredentialId, now: Timestamp) -> Option<Timestamp> {
        Some(self.schedule.as_ref()?.opening(now)?.begin(credential))
    }
}

impl super::Config {
    /// What the policies ask of a store.
    pub(crate) fn asked_of(&self, store: &StoreConfig) -> Asked {
        let mut asked = Asked { environment: store.environment.clone(), ..Asked::default() };
        for (destination, place) in
            self.policies.iter().flat_map(|policy| policy.deliver.iter().zip(policy.places.iter()))
        {
            let Ok(path) = destination.path.with_names(Asked::NO_NAME) else { continue };
            if place.read_as.as_deref() == Some(&*store.name) {
                asked.read.push(path.clone());
            }
            if *destination.store == *store.name && !asked.written.contains(&path) {
                asked.written.push(path);
            }
        }
        asked
    }
}

/// What a policy may refer to.
pub(super) struct Configured<'a> {
    pub(super) drivers: &'a Drivers<'a>,
    pub(super) issuer_levels: Arc<IssuerLevels>,
    pub(super) stores: &'a [StoreConfig],
    pub(super) notifiers: &'a [NotifierConfig],
    pub(super) base_dir: &'a std::path::Path,
}

impl Configured<'_> {
    /// The placeholders that mean something for the issuers whose credentials the selector can match. While none of
    /// them is configured, which is worth a note and no error, every driver's.
    fn levels(&self, selector: &Selector) -> Vec<&'static str> {
        let text = selector.to_string();
        let first = first_segment(&text);
        let can_match = |issuer: &str| first.contains('*') || first == issuer;
        let matching = self.issuer_levels.iter().filter(|(issuer, _)| can_match(issuer));
        let mut levels: Vec<&str> = matching.flat_map(|(_, levels)| levels.iter()).copied().collect();
        if levels.is_empty() {
            levels.extend(self.drivers.issuers.iter().flat_map(|driver| driver.levels));
        }
        levels.sort_unstable();
        levels.dedup();
        levels
    }
}

/// Turns one table into a policy, or says what in it is wrong and where.
pub(super) fn check(
    table: PolicyTable,
    label: &str,
    places: &Places,
    configured: &Configured<'_>,
) -> Result<PolicyConfig, ConfigError> {
    let value = |key: &str, message: String| {
        places.of(key).says(Problem::Value { key: key.to_owned(), table: label.to_owned(), message })
    };
    let selector = Selector::parse(&table.selector).map_err(|error| value("match", error.to_string()))?;
    let periods = Periods::check(&table, label, places)?;
    check_notify("notify", &table.notify, label, places, configured)?;
    check_notify("escalate", &table.escalate, label, places, configured)?;
    let (deliver, served) = check_deliver(&table, &configured.levels(&selector), label, places, configured)?;
    let verify = table.verify.map(VerifyConfig::check).transpose().map_err(|message| value("verify", message))?;
    let environment = table.environment.as_deref();
    let known = environment.is_some().then_some(environment.as_slice());
    let consumers =
        consumers::check(table.consumers, known, configured.base_dir).map_err(|message| value("consumers", message))?;
    if table.four_eyes && !matches!(table.mode, ModeWord::Ask) {
        return Err(value(
            "four_eyes",
            "`four_eyes` is for `mode = \"ask\"`: in no other mode is a plan approved".into(),
        ));
    }
    let schedule = table.schedule.map(|schedule| check_schedule(schedule, label, places)).transpose()?;
    Ok(PolicyConfig {
        name: table.name,
        selector,
        mode: match table.mode {
            ModeWord::Automatic => Mode::Automatic,
            ModeWord::Ask => Mode::Ask,
            ModeWord::Notify => Mode::Notify,
            ModeWord::Observe => Mode::Observe,
        },
        rotate_after: periods.rotate_after.duration(),
        overlap: periods.overlap.duration(),
        retire_when: match table.retire_when {
            RetireWhenWord::Quiet => RetireWhen::Quiet,
            RetireWhenWord::OverlapOver => RetireWhen::OverlapOver,
        },
        quiet_for: periods.quiet_for.duration(),
        task_within: table.task_within.unwrap_or(TASK_WITHIN).duration(),
        retire_after: periods.retire_after.duration(),
        deliver,
        places: served.into(),
        consumers: consumers.all.into(),
        told: consumers.told,
        repairs_drift: table.drift == DriftWord::Repair,
        four_eyes: table.four_eyes,
        notify: table.notify,
        escalate: table.escalate,
        verify: verify.map(Arc::new),
        schedule,
        levels: configured.issuer_levels.clone(),
    })
}

struct Periods {
    rotate_after: Period,
    overlap: Period,
    quiet_for: Period,
    retire_after: Period,
}

impl Periods {
    fn check(table: &PolicyTable, label: &str, places: &Places) -> Result<Self, ConfigError> {
        let rotate_after = table.rotate_after.unwrap_or(ROTATE_AFTER);
        let overlap = table.overlap.unwrap_or(OVERLAP);
        let retire_after = table.retire_after.unwrap_or(rotate_after.plus(overlap));
        let wrong = |key: &str, message: String| {
            Err(places.of(key).says(Problem::Periods { table: label.to_owned(), message }))
        };
        if rotate_after.is_zero() {
            return wrong(
                "rotate_after",
                "`rotate_after` is zero, so a credential would be replaced for ever".to_owned(),
            );
        }
        if table.retire_after.is_some() && retire_after <= rotate_after {
            return wrong(
                "retire_after",
                format!(
                    "`retire_after` ({retire_after}) must be longer than `rotate_after` ({rotate_after}), or every old \
                     version is overdue before it has a successor"
                ),
            );
        }
        Ok(Self { rotate_after, overlap, quiet_for: table.quiet_for.unwrap_or(QUIET_FOR), retire_after })
    }
}

fn check_deliver(
    policy: &PolicyTable,
    levels: &[&str],
    label: &str,
    places: &Places,
    configured: &Configured<'_>,
) -> Result<(Vec<DeliverConfig>, Vec<Place>), ConfigError> {
    let mut deliver: Vec<DeliverConfig> = Vec::new();
    let mut served = Vec::new();
    let store_called = |name: &str| {
        configured.stores.iter().find(|store| store.name == name).ok_or_else(|| {
            let known = configured.stores.iter().map(|store| store.name.clone()).collect();
            places.of("deliver").says(unknown_name(label, "store", name, known))
        })
    };
    for table in &policy.deliver {
        let store = store_called(&table.store)?;
        let reader = table.read_as.as_deref().map(store_called).transpose()?;
        for place in [Some(store), reader].into_iter().flatten() {
            check_environment(policy, place, label, places)?;
        }
        if let Some(reader) = reader.filter(|reader| reader.driver != store.driver) {
            let message = format!(
                "`read_as` names `{}`, a store of the kind `{}`: what was written to `{}` cannot be read there, which is \
                 of the kind `{}`",
                reader.name, reader.driver, store.name, store.driver
            );
            let problem = Problem::Value { key: "deliver".to_owned(), table: label.to_owned(), message };
            return Err(places.of("deliver").says(problem));
        }
        let path = PathTemplate::parse(&table.path, levels)
            .map_err(|invalid| places.of("deliver").says(Problem::Path { table: label.to_owned(), invalid }))?;
        if deliver.iter().any(|other| *other.store == *store.name && other.path == path) {
            let message = format!("it names the same path of the store `{}` twice", store.name);
            let problem = Problem::Value { key: "deliver".to_owned(), table: label.to_owned(), message };
            return Err(places.of("deliver").says(problem));
        }
        deliver.push(DeliverConfig { store: store.name.as_str().into(), path });
        let form = FormConfig::check(table).map_err(|message| {
            places.of("deliver").says(Problem::Value { key: "deliver".to_owned(), table: label.to_owned(), message })
        })?;
        served.push(Place {
            form: form.map(|form| Arc::new(form) as Arc<dyn FormTemplate>),
            environment: policy.environment.as_deref().map(Into::into),
            read_as: reader.map(|reader| reader.name.as_str().into()),
        });
    }
    Ok((deliver, served))
}

/// A store that says to which environment it belongs takes nothing from a policy that says another, or nothing: a
/// policy copied from one environment to the next would deliver to the wrong one. A store that says nothing takes from
/// all, as the embedded one does.
fn check_environment(
    policy: &PolicyTable,
    store: &StoreConfig,
    label: &str,
    places: &Places,
) -> Result<(), ConfigError> {
    let Some(destination) = &store.environment else { return Ok(()) };
    let (table, store, destination) = (label.to_owned(), store.name.clone(), destination.clone());
    match &policy.environment {
        None => Err(places.of("deliver").says(Problem::NoEnvironment { table, store, destination })),
        Some(policy) if *policy != destination => {
            let policy = policy.clone();
            Err(places.of("environment").says(Problem::Environment { table, policy, store, destination }))
        }
        Some(_) => Ok(()),
    }
}

fn check_notify(
    key: &str,
    notify: &[String],
    label: &str,
    places: &Places,
    configured: &Configured<'_>,
) -> Result<(), ConfigError> {
    let names = || configured.notifiers.iter().map(|notifier| notifier.name.clone());
    let is_known = |name: &String| name == OWNER || names().any(|known| known == *name);
    match notify.iter().find(|name| !is_known(name)) {
        Some(name) => {
            let known = [OWNER.to_owned()].into_iter().chain(names()).collect();
            Err(places.of(key).says(unknown_name(label, "notifier", name, known)))
        }
        None => Ok(()),
    }
}

fn unknown_name(table: &str, kind: &'static str, name: &str, known: Vec<String>) -> Problem {
    let nearest = super::nearest::nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
    Problem::UnknownName { table: table.to_owned(), kind, name: name.to_owned(), nearest, known }
}

fn check_schedule(table: ScheduleTable, label: &str, places: &Places) -> Result<Schedule, ConfigError> {
    let place = places.of("schedule");
    let window = match table.window.parse() {
        Ok(window) => window,
        Err(invalid) => return Err(place.says(Problem::Window { table: label.to_owned(), invalid })),
    };
    let name = table.timezone.as_deref().unwrap_or("UTC");
    let zone = TimeZone::get(name).map_err(|_| {
        let message = format!("`{name}` is not a time zone of the IANA database, such as \"Europe/Berlin\"");
        place.says(Problem::Value { key: "schedule".to_owned(), table: label.to_owned(), message })
    })?;
    let jitter = table.jitter.map_or(SignedDuration::ZERO, Period::duration);
    Ok(Schedule::new(window, zone, jitter))
}
