//! The platform's objects, in both spellings.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    Apigee,
    estate::{App, Key, Parent, Revision, Status, Who},
    options::Generation,
};

impl Apigee {
    fn is_x(&self) -> bool {
        self.options.generation == Generation::X
    }

    /// Milliseconds: a text on X, a number on Edge.
    fn time(&self, time: Option<Timestamp>) -> Value {
        let milliseconds = time.map_or(-1, Timestamp::as_millisecond);
        if self.is_x() { json!(milliseconds.to_string()) } else { json!(milliseconds) }
    }

    fn finished(&self, mut object: Map<String, Value>) -> Value {
        if self.options.unknown_fields {
            object.insert("x-internal".to_owned(), json!({ "shard": 7, "notes": [null] }));
        }
        Value::Object(object)
    }

    pub(super) fn key_object(&self, key: &Key) -> Value {
        let mut object = Map::new();
        object.insert("consumerKey".to_owned(), json!(key.consumer_key));
        object.insert("consumerSecret".to_owned(), json!(key.consumer_secret));
        object.insert("status".to_owned(), json!(key.status.word()));
        object.insert("issuedAt".to_owned(), self.time(Some(key.issued_at)));
        // An imported key of Edge says nothing of its end.
        if self.is_x() || key.expires_at.is_some() {
            object.insert("expiresAt".to_owned(), self.time(key.expires_at));
        }
        let products: Vec<Value> =
            key.products.iter().map(|(name, status)| json!({ "apiproduct": name, "status": status.word() })).collect();
        object.insert("apiProducts".to_owned(), json!(products));
        object.insert("attributes".to_owned(), attributes(&key.attributes));
        object.insert("scopes".to_owned(), json!(key.scopes));
        self.finished(object)
    }

    /// With those of its keys that are there and have this status, whichever it is.
    pub(super) fn app_object(
        &self,
        who: &Who,
        parent: &Parent,
        name: &str,
        app: &App,
        revision: Revision,
        status: Option<Status>,
    ) -> Value {
        let mut object = Map::new();
        object.insert("appId".to_owned(), json!(app.id));
        object.insert("name".to_owned(), json!(name));
        let (owner, value) = match (who.group, self.is_x()) {
            (false, _) => ("developerId", &parent.id),
            (true, true) => ("appGroup", &who.name),
            (true, false) => ("companyName", &who.name),
        };
        object.insert(owner.to_owned(), json!(value));
        object.insert("status".to_owned(), json!(if app.approved { "approved" } else { "revoked" }));
        object.insert("attributes".to_owned(), attributes(&app.attributes));
        object.insert("callbackUrl".to_owned(), json!(app.callback_url));
        object.insert("scopes".to_owned(), json!(app.scopes));
        object.insert("appFamily".to_owned(), json!("default"));
        object.insert("createdAt".to_owned(), self.time(Some(app.created_at)));
        object.insert("lastModifiedAt".to_owned(), self.time(Some(app.modified_at)));
        if !self.is_x() {
            object.insert("createdBy".to_owned(), json!("admin@acme.example"));
            object.insert("lastModifiedBy".to_owned(), json!("admin@acme.example"));
        }
        let keys = app.keys.iter().filter(|key| key.is_there(revision));
        let keys = keys.filter(|key| status.is_none_or(|status| key.status == status));
        object.insert("credentials".to_owned(), keys.map(|key| self.key_object(key)).collect());
        self.finished(object)
    }

    pub(super) fn developer_object(&self, email: &str, parent: &Parent) -> Value {
        let mut object = Map::new();
        object.insert("email".to_owned(), json!(email));
        object.insert("developerId".to_owned(), json!(parent.id));
        object.insert("firstName".to_owned(), json!(parent.first_name));
        object.insert("lastName".to_owned(), json!(parent.last_name));
        object.insert("userName".to_owned(), json!(email.split('@').next()));
        object.insert("organizationName".to_owned(), json!(super::ORGANIZATION));
        object.insert("status".to_owned(), json!(if parent.active { "active" } else { "inactive" }));
        object.insert("apps".to_owned(), parent.apps.keys().take(100).cloned().collect());
        object.insert("companies".to_owned(), json!([]));
        object.insert("attributes".to_owned(), json!([]));
        object.insert("createdAt".to_owned(), self.time(Some(parent.created_at)));
        self.finished(object)
    }

    pub(super) fn group_object(&self, name: &str, parent: &Parent) -> Value {
        let id = if self.is_x() { "appGroupId" } else { "organization" };
        let mut object = Map::new();
        object.insert("name".to_owned(), json!(name));
        object.insert(id.to_owned(), json!(parent.id));
        object.insert("displayName".to_owned(), json!(parent.first_name));
        object.insert("status".to_owned(), json!(if parent.active { "active" } else { "inactive" }));
        object.insert("attributes".to_owned(), json!([]));
        object.insert("createdAt".to_owned(), self.time(Some(parent.created_at)));
        self.finished(object)
    }
}

pub(super) fn attributes(attributes: &[(String, String)]) -> Value {
    attributes.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}
