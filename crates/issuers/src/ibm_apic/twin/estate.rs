//! What is in the catalog, what was in it, and what the gateways have heard of it.
//!
//! Nothing is ever taken out: a removed thing keeps its record, so that an older state can be told again and a test
//! can see what became of it.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use twin::Random;

use super::arena::{Arena, Key};

/// The number of a state of the estate. Every change makes a new one.
pub(super) type Revision = u64;

pub(super) struct Provider {
    pub id: String,
    pub name: String,
    pub title: String,
    pub catalog_id: String,
    pub catalog_name: String,
    pub catalog_title: String,
    pub registry_id: String,
    pub gateway_service_id: String,
    pub created_at: Timestamp,
}

pub(super) struct ConsumerOrg {
    pub id: String,
    pub name: String,
    pub title: String,
    pub owner: User,
    pub enabled: bool,
    pub created: Revision,
    pub created_at: Timestamp,
    pub apps: Vec<Key<App>>,
    apps_by: HashMap<String, Key<App>>,
}

pub(super) struct User {
    pub id: String,
    pub username: String,
    pub email: String,
    pub first_name: String,
    pub last_name: String,
}

pub(super) struct App {
    pub id: String,
    pub name: String,
    pub title: String,
    pub org: Key<ConsumerOrg>,
    pub enabled: bool,
    pub created: Revision,
    pub removed: Option<Revision>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub credentials: Vec<Key<Credential>>,
    /// By id and by name; only those that are there now.
    credentials_by: HashMap<String, Key<Credential>>,
}

pub(super) struct Credential {
    pub id: String,
    pub app: Key<App>,
    pub summary: String,
    pub client_id: String,
    pub client_secret: String,
    pub created: Revision,
    pub removed: Option<Revision>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Oldest first, never empty.
    names: Vec<Names>,
    /// Every pair that the gateways were ever told for it, the present one last.
    pairs: Vec<Pair>,
}

#[derive(Clone)]
pub(super) struct Names {
    since: Revision,
    pub name: String,
    pub title: String,
}

/// A pair as the gateways see it.
struct Pair {
    client_id: String,
    client_secret: String,
    /// `None`: they have it already.
    from: Option<Timestamp>,
    until: Until,
}

enum Until {
    Open,
    /// They have heard of its end already.
    Ended,
    At(Timestamp),
}

/// When the gateways hear of a change.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reaches {
    After(SignedDuration),
    Never,
}

/// What a created credential is to be.
pub(super) struct NewCredential {
    pub name: String,
    pub title: String,
    pub summary: String,
    /// Generated where it is not chosen.
    pub client_id: Option<String>,
    pub client_secret: Option<String>,
    pub created_at: Timestamp,
}

/// A change on its way to the gateways: queued until halfway, then sent, then done.
struct Outstanding {
    queued_until: Timestamp,
    done_at: Timestamp,
}

pub(super) struct Estate {
    pub provider: Provider,
    pub orgs: Arena<ConsumerOrg>,
    pub apps: Arena<App>,
    pub credentials: Arena<Credential>,
    orgs_by: HashMap<String, Key<ConsumerOrg>>,
    users_by: HashMap<String, Key<ConsumerOrg>>,
    /// By every client id that the gateways were ever told.
    by_client_id: HashMap<String, Vec<Key<Credential>>>,
    outstanding: Vec<Outstanding>,
    revision: Revision,
    random: Random,
}

impl Pair {
    fn accepted(&self, now: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= now)
            && match self.until {
                Until::Open => true,
                Until::Ended => false,
                Until::At(until) => now < until,
            }
    }
}

impl ConsumerOrg {
    pub(super) fn app(&self, name_or_id: &str) -> Option<Key<App>> {
        self.apps_by.get(name_or_id).copied()
    }
}

impl App {
    pub(super) fn credential(&self, name_or_id: &str) -> Option<Key<Credential>> {
        self.credentials_by.get(name_or_id).copied()
    }

    pub(super) fn is_there(&self, at: Revision) -> bool {
        self.created <= at && self.removed.is_none_or(|removed| at < removed)
    }
}

impl Credential {
    pub(super) fn is_there(&self, at: Revision) -> bool {
        self.created <= at && self.removed.is_none_or(|removed| at < removed)
    }

    /// The names that it bore in that state.
    pub(super) fn names(&self, at: Revision) -> Names {
        let borne = self.names.iter().rev().find(|names| names.since <= at).or(self.names.first());
        borne.cloned().unwrap_or(Names { since: 0, name: String::new(), title: String::new() })
    }

    /// Whether the gateways accept its present pair; whether its application is enabled is another question.
    pub(super) fn is_accepted(&self, now: Timestamp) -> bool {
        self.pairs.last().is_some_and(|pair| pair.accepted(now))
    }

    fn end_pairs(&mut self, now: Timestamp, reaches: Reaches) {
        for pair in &mut self.pairs {
            if let (Until::Open, Reaches::After(delay)) = (&pair.until, reaches) {
                pair.until = match moment(now, delay) {
                    Some(at) => Until::At(at),
                    None => Until::Ended,
                };
            }
        }
    }
}

/// `None` when the change is there at once. A moment is kept only where there is a delay: a clock that is turned back
/// must not take back what had arrived.
fn moment(now: Timestamp, delay: SignedDuration) -> Option<Timestamp> {
    delay.is_positive().then(|| now.saturating_add(delay).unwrap_or(Timestamp::MAX))
}

impl Estate {
    pub(super) fn new(mut random: Random, created_at: Timestamp) -> Self {
        let provider = Provider {
            id: random.uuid(),
            name: "acme".to_owned(),
            title: "Acme".to_owned(),
            catalog_id: random.uuid(),
            catalog_name: "production".to_owned(),
            catalog_title: "Production".to_owned(),
            registry_id: random.uuid(),
            gateway_service_id: random.uuid(),
            created_at,
        };
        Self {
            provider,
            orgs: Arena::new(),
            apps: Arena::new(),
            credentials: Arena::new(),
            orgs_by: HashMap::new(),
            users_by: HashMap::new(),
            by_client_id: HashMap::new(),
            outstanding: Vec::new(),
            revision: 0,
            random,
        }
    }

    pub(super) fn revision(&self) -> Revision {
        self.revision
    }

    pub(super) fn org(&self, name_or_id: &str) -> Option<Key<ConsumerOrg>> {
        self.orgs_by.get(name_or_id).copied()
    }

    /// The organisation whose owner this is.
    pub(super) fn owned_by(&self, user_id: &str) -> Option<Key<ConsumerOrg>> {
        self.users_by.get(user_id).copied()
    }

    /// `None` when the name is taken.
    pub(super) fn add_org(
        &mut self,
        name: &str,
        title: &str,
        owner: [&str; 3],
        created_at: Timestamp,
    ) -> Option<Key<ConsumerOrg>> {
        if self.orgs_by.contains_key(name) {
            return None;
        }
        self.revision += 1;
        let [first_name, last_name, email] = owner.map(str::to_owned);
        let username = email.split('@').next().filter(|local| !local.is_empty()).unwrap_or(name).to_owned();
        let (id, user_id) = (self.random.uuid(), self.random.uuid());
        let key = self.orgs.push(ConsumerOrg {
            id: id.clone(),
            name: name.to_owned(),
            title: title.to_owned(),
            owner: User { id: user_id.clone(), username, email, first_name, last_name },
            enabled: true,
            created: self.revision,
            created_at,
            apps: Vec::new(),
            apps_by: HashMap::new(),
        });
        self.orgs_by.insert(id, key);
        self.orgs_by.insert(name.to_owned(), key);
        self.users_by.insert(user_id, key);
        Some(key)
    }

    /// Without a credential. `None` when the name is taken.
    pub(super) fn add_app(
        &mut self,
        org: Key<ConsumerOrg>,
        name: &str,
        title: &str,
        created_at: Timestamp,
    ) -> Option<Key<App>> {
        if self.orgs[org].apps_by.contains_key(name) {
            return None;
        }
        self.revision += 1;
        let id = self.random.uuid();
        let key = self.apps.push(App {
            id: id.clone(),
            name: name.to_owned(),
            title: title.to_owned(),
            org,
            enabled: true,
            created: self.revision,
            removed: None,
            created_at,
            updated_at: created_at,
            credentials: Vec::new(),
            credentials_by: HashMap::new(),
        });
        let org = &mut self.orgs[org];
        org.apps.push(key);
        org.apps_by.insert(id, key);
        org.apps_by.insert(name.to_owned(), key);
        Some(key)
    }

    /// The caller has made sure that name and client id are free.
    pub(super) fn add_credential(
        &mut self,
        now: Timestamp,
        app: Key<App>,
        new: NewCredential,
        delay: SignedDuration,
    ) -> Key<Credential> {
        self.revision += 1;
        let id = self.random.uuid();
        let client_id = new.client_id.unwrap_or_else(|| self.random.hex());
        let client_secret = new.client_secret.unwrap_or_else(|| self.random.hex());
        let key = self.credentials.push(Credential {
            id: id.clone(),
            app,
            summary: new.summary,
            client_id,
            client_secret,
            created: self.revision,
            removed: None,
            created_at: new.created_at,
            updated_at: new.created_at,
            names: vec![Names { since: self.revision, name: new.name.clone(), title: new.title }],
            pairs: Vec::new(),
        });
        self.tell_gateways(now, key, delay);
        let app = &mut self.apps[app];
        // Nothing is older than what it belongs to.
        app.created_at = app.created_at.min(new.created_at);
        let org = &mut self.orgs[app.org];
        org.created_at = org.created_at.min(new.created_at);
        app.credentials.push(key);
        app.credentials_by.insert(id, key);
        app.credentials_by.insert(new.name, key);
        key
    }

    /// The present pair becomes one that the gateways accept, and all before it end.
    fn tell_gateways(&mut self, now: Timestamp, key: Key<Credential>, delay: SignedDuration) {
        self.outstanding(now, Reaches::After(delay));
        let credential = &mut self.credentials[key];
        credential.end_pairs(now, Reaches::After(delay));
        credential.pairs.push(Pair {
            client_id: credential.client_id.clone(),
            client_secret: credential.client_secret.clone(),
            from: moment(now, delay),
            until: Until::Open,
        });
        self.by_client_id.entry(credential.client_id.clone()).or_default().push(key);
    }

    /// Takes it out of every read. The gateways hear of it as told.
    pub(super) fn remove_credential(&mut self, now: Timestamp, key: Key<Credential>, reaches: Reaches) {
        self.revision += 1;
        self.outstanding(now, reaches);
        let credential = &mut self.credentials[key];
        credential.removed = Some(self.revision);
        credential.end_pairs(now, reaches);
        let app = &mut self.apps[credential.app];
        app.credentials_by.retain(|_, there| *there != key);
    }

    /// The caller has made sure that the name is free.
    pub(super) fn rename_credential(&mut self, now: Timestamp, key: Key<Credential>, name: &str, title: &str) {
        self.revision += 1;
        let credential = &mut self.credentials[key];
        let old = credential.names(self.revision);
        credential.names.push(Names { since: self.revision, name: name.to_owned(), title: title.to_owned() });
        credential.updated_at = now;
        let app = &mut self.apps[credential.app];
        app.credentials_by.remove(&old.name);
        app.credentials_by.insert(name.to_owned(), key);
    }

    /// Marks an update, which there is even when nothing else of it changes.
    pub(super) fn set_summary(&mut self, now: Timestamp, key: Key<Credential>, summary: Option<&str>) {
        let credential = &mut self.credentials[key];
        if let Some(summary) = summary {
            summary.clone_into(&mut credential.summary);
        }
        credential.updated_at = now;
    }

    /// Replaces the pair in place, as `reset` does: the old one ends when the gateways hear of the new one.
    pub(super) fn change_pair(
        &mut self,
        now: Timestamp,
        key: Key<Credential>,
        client_id: Option<String>,
        client_secret: Option<String>,
        delay: SignedDuration,
    ) {
        self.revision += 1;
        let credential = &mut self.credentials[key];
        credential.client_id = client_id.unwrap_or_else(|| credential.client_id.clone());
        credential.client_secret = client_secret.unwrap_or_else(|| credential.client_secret.clone());
        credential.updated_at = now;
        self.tell_gateways(now, key, delay);
    }

    pub(super) fn generated(&mut self) -> String {
        self.random.hex()
    }

    pub(super) fn set_enabled(&mut self, now: Timestamp, key: Key<App>, enabled: bool) {
        self.revision += 1;
        let app = &mut self.apps[key];
        app.enabled = enabled;
        app.updated_at = now;
    }

    pub(super) fn set_org_enabled(&mut self, key: Key<ConsumerOrg>, enabled: bool) {
        self.revision += 1;
        self.orgs[key].enabled = enabled;
    }

    /// What belongs to a disabled organisation is refused like what belongs to a disabled application.
    pub(super) fn is_enabled(&self, app: &App) -> bool {
        app.enabled && self.orgs[app.org].enabled
    }

    pub(super) fn remove_app(&mut self, now: Timestamp, key: Key<App>, delay: SignedDuration) {
        let there: Vec<_> = self.apps[key].credentials.clone();
        for credential in there {
            if self.credentials[credential].removed.is_none() {
                self.remove_credential(now, credential, Reaches::After(delay));
            }
        }
        self.revision += 1;
        let app = &mut self.apps[key];
        app.removed = Some(self.revision);
        self.orgs[app.org].apps_by.retain(|_, there| *there != key);
    }

    /// A client id is unique among the credentials of the catalog that are there.
    pub(super) fn client_id_is_taken(&self, client_id: &str, but: Option<Key<Credential>>) -> bool {
        self.by_client_id.get(client_id).is_some_and(|keys| {
            keys.iter().any(|key| {
                let credential = &self.credentials[*key];
                credential.removed.is_none() && credential.client_id == client_id && Some(*key) != but
            })
        })
    }

    /// The application for which the gateways accept this pair now.
    pub(super) fn accepted_for(&self, now: Timestamp, client_id: &str, client_secret: &str) -> Option<Key<App>> {
        let keys = self.by_client_id.get(client_id)?;
        keys.iter().find_map(|key| {
            let credential = &self.credentials[*key];
            let accepted = credential
                .pairs
                .iter()
                .any(|pair| pair.client_id == client_id && pair.client_secret == client_secret && pair.accepted(now));
            (accepted && self.is_enabled(&self.apps[credential.app])).then_some(credential.app)
        })
    }

    fn outstanding(&mut self, now: Timestamp, reaches: Reaches) {
        self.outstanding.retain(|change| now < change.done_at);
        if let Reaches::After(delay) = reaches
            && let (Some(queued_until), Some(done_at)) = (moment(now, delay / 2), moment(now, delay))
        {
            self.outstanding.push(Outstanding { queued_until, done_at });
        }
    }

    /// How many changes are sent to the gateways but not confirmed, and how many wait to be sent.
    pub(super) fn outstanding_at(&self, now: Timestamp) -> (usize, usize) {
        let queued = self.outstanding.iter().filter(|change| now < change.queued_until).count();
        let open = self.outstanding.iter().filter(|change| now < change.done_at).count();
        (open - queued, queued)
    }
}
