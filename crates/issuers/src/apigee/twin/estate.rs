//! What is in the organisation, what was in it, and what the gateway has heard of it.
//!
//! A deleted key keeps its record, so that an older state can be told again and a test can see what became of it.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

/// The number of a state of the estate. Every change makes a new one.
pub(super) type Revision = u64;

/// A developer by e-mail address, or a group by name. Developers come first in every order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Who {
    pub group: bool,
    pub name: String,
}

pub(super) struct Parent {
    pub id: String,
    pub first_name: String,
    pub last_name: String,
    pub active: bool,
    pub created_at: Timestamp,
    pub apps: BTreeMap<String, App>,
}

pub(super) struct App {
    pub id: String,
    pub approved: bool,
    pub attributes: Vec<(String, String)>,
    pub callback_url: String,
    pub scopes: Vec<String>,
    pub created_at: Timestamp,
    pub modified_at: Timestamp,
    pub keys: Vec<Key>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Approved,
    Pending,
    Revoked,
}

impl Status {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Pending => "pending",
            Self::Revoked => "revoked",
        }
    }
}

pub(super) struct Key {
    pub consumer_key: String,
    pub consumer_secret: String,
    pub status: Status,
    pub issued_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub products: Vec<(String, Status)>,
    pub attributes: Vec<(String, String)>,
    pub scopes: Vec<String>,
    pub created: Revision,
    pub removed: Option<Revision>,
    /// What the gateway was told of it, and from when on it knows.
    told: Vec<(Timestamp, AtGateway)>,
}

/// A key as the gateway knows it.
#[derive(Debug, Clone)]
pub(super) struct AtGateway {
    pub there: bool,
    pub status: Status,
    pub expires_at: Option<Timestamp>,
    pub products: Vec<(String, Status)>,
}

/// When the gateway hears of a change.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reaches {
    Now,
    At(Timestamp),
    Never,
}

impl Key {
    pub(super) fn is_there(&self, at: Revision) -> bool {
        self.created <= at && self.removed.is_none_or(|removed| at < removed)
    }

    /// After every change. What it knows at once it knows whatever its clock shows: a clock that is turned back does
    /// not take back what had arrived.
    fn tell(&mut self, reaches: Reaches) {
        let from = match reaches {
            Reaches::Now => Timestamp::MIN,
            Reaches::At(at) => at,
            Reaches::Never => return,
        };
        let view = AtGateway {
            there: self.removed.is_none(),
            status: self.status,
            expires_at: self.expires_at,
            products: self.products.clone(),
        };
        self.told.push((from, view));
    }

    fn at_gateway(&self, now: Timestamp) -> Option<&AtGateway> {
        self.told.iter().rev().find(|(from, _)| *from <= now).map(|(_, view)| view).filter(|view| view.there)
    }
}

pub(super) struct Product {
    pub name: String,
    /// Somebody has to approve it for each key.
    pub manual: bool,
}

#[derive(Default)]
pub(super) struct Estate {
    pub parents: BTreeMap<Who, Parent>,
    pub products: Vec<Product>,
    /// Where each key is, or was last.
    by_key: HashMap<String, (Who, String)>,
    revision: Revision,
}

impl Estate {
    pub(super) fn revision(&self) -> Revision {
        self.revision
    }

    pub(super) fn changed(&mut self) -> Revision {
        self.revision += 1;
        self.revision
    }

    pub(super) fn app(&self, who: &Who, app: &str) -> Option<&App> {
        self.parents.get(who)?.apps.get(app)
    }

    pub(super) fn app_mut(&mut self, who: &Who, app: &str) -> Option<&mut App> {
        self.parents.get_mut(who)?.apps.get_mut(app)
    }

    pub(super) fn key(&self, who: &Who, app: &str, key: &str) -> Option<&Key> {
        let now = self.revision;
        self.app(who, app)?.keys.iter().find(|it| it.consumer_key == key && it.is_there(now))
    }

    /// Changes a key that is there, and lets the gateway know.
    pub(super) fn change_key(
        &mut self,
        who: &Who,
        app: &str,
        key: &str,
        reaches: Reaches,
        change: impl FnOnce(&mut Key),
    ) -> Option<&Key> {
        let now = self.changed();
        let keys = &mut self.app_mut(who, app)?.keys;
        let key = keys.iter_mut().find(|it| it.consumer_key == key && it.is_there(now))?;
        change(key);
        key.tell(reaches);
        Some(key)
    }

    pub(super) fn remove_key(&mut self, who: &Who, app: &str, key: &str, reaches: Reaches) -> Option<&Key> {
        let removed = self.revision + 1;
        self.change_key(who, app, key, reaches, |key| key.removed = Some(removed))
    }

    /// The value is free: nobody in the organisation has it.
    pub(super) fn is_free(&self, key: &str) -> bool {
        self.by_key.get(key).is_none_or(|(who, app)| self.key(who, app, key).is_none())
    }

    /// The caller has made sure that the value is free and the app is there.
    pub(super) fn add_key(&mut self, who: &Who, app: &str, new: NewKey, reaches: Reaches) -> Option<&Key> {
        let created = self.changed();
        self.by_key.insert(new.consumer_key.clone(), (who.clone(), app.to_owned()));
        let keys = &mut self.app_mut(who, app)?.keys;
        let mut key = Key {
            consumer_key: new.consumer_key,
            consumer_secret: new.consumer_secret,
            status: Status::Approved,
            issued_at: new.issued_at,
            expires_at: new.expires_at,
            products: new.products,
            attributes: new.attributes,
            scopes: new.scopes,
            created,
            removed: None,
            told: Vec::new(),
        };
        key.tell(reaches);
        keys.push(key);
        keys.last()
    }

    /// What a new key gets of a product.
    pub(super) fn status_of_new(&self, product: &str, pending: bool) -> Option<Status> {
        let product = self.products.iter().find(|it| it.name == product)?;
        Some(if product.manual && pending { Status::Pending } else { Status::Approved })
    }

    /// Where the key is, or was last: the app's owner and its name.
    pub(super) fn place_of(&self, key: &str) -> Option<(&Who, &str)> {
        self.by_key.get(key).map(|(who, app)| (who, app.as_str()))
    }

    /// The key as the gateway knows it now, with its app.
    pub(super) fn at_gateway(&self, now: Timestamp, key: &str) -> Option<(&Parent, &str, &App, &AtGateway)> {
        let (who, name) = self.by_key.get(key)?;
        let parent = self.parents.get(who)?;
        let app = parent.apps.get(name)?;
        let records = app.keys.iter().rev().filter(|it| it.consumer_key == key);
        let known = records.filter_map(|it| it.at_gateway(now)).next()?;
        Some((parent, name, app, known))
    }

    /// Every app with its owner, developers first.
    pub(super) fn apps(&self) -> impl Iterator<Item = (&Who, &Parent, &String, &App)> {
        self.parents
            .iter()
            .flat_map(|(who, parent)| parent.apps.iter().map(move |(name, app)| (who, parent, name, app)))
    }
}

/// What a created key is to be.
pub(super) struct NewKey {
    pub consumer_key: String,
    pub consumer_secret: String,
    pub issued_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub products: Vec<(String, Status)>,
    pub attributes: Vec<(String, String)>,
    pub scopes: Vec<String>,
}
