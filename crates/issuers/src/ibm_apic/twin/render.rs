//! Objects as the platform writes them: absolute addresses of ids alone, times in UTC.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Options,
    arena::Key,
    estate::{App, ConsumerOrg, Credential, Estate, Revision},
    query::{Object, Shape},
};

/// Versions of the last years write milliseconds that are always zero.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

/// The estate in one of its states, as one installation shows it.
pub(super) struct View<'a> {
    pub estate: &'a Estate,
    pub options: &'a Options,
    pub base_url: &'a str,
    pub revision: Revision,
}

macro_rules! object {
    ($($name:literal: $value:expr),* $(,)?) => {{
        let mut object = Object::new();
        $(object.insert($name.to_owned(), json!($value));)*
        object
    }};
}

impl View<'_> {
    fn org_url(&self) -> String {
        format!("{}/orgs/{}", self.base_url, self.estate.provider.id)
    }

    fn below_catalog(&self, collection: &str) -> String {
        let provider = &self.estate.provider;
        format!("{}/{collection}/{}/{}", self.base_url, provider.id, provider.catalog_id)
    }

    fn catalog_url(&self) -> String {
        self.below_catalog("catalogs")
    }

    fn consumer_org_url(&self, org: &ConsumerOrg) -> String {
        format!("{}/{}", self.below_catalog("consumer-orgs"), org.id)
    }

    fn registry_url(&self) -> String {
        let provider = &self.estate.provider;
        format!("{}/user-registries/{}/{}", self.base_url, provider.id, provider.registry_id)
    }

    fn owner_url(&self, org: &ConsumerOrg) -> String {
        format!("{}/users/{}", self.registry_url(), org.owner.id)
    }

    fn app_url(&self, app: &App) -> String {
        format!("{}/{}/{}", self.below_catalog("apps"), self.estate.orgs[app.org].id, app.id)
    }

    fn credential_url(&self, credential: &Credential) -> String {
        format!("{}/credentials/{}", self.app_url(&self.estate.apps[credential.app]), credential.id)
    }

    /// What a newer release might add, to see whether clients mind.
    fn with_unknown(&self, mut object: Object) -> Object {
        if self.options.unknown_fields {
            object.insert("x_governance".to_owned(), json!({ "tier": 3, "labels": [null, {}, "späte Größe"] }));
            object.insert("scope_state".to_owned(), Value::Null);
        }
        object
    }

    pub(super) fn provider_org(&self, shape: &Shape) -> Value {
        let provider = &self.estate.provider;
        shape.cut(self.with_unknown(object! {
            "type": "org", "api_version": "2.0.0", "org_type": "provider",
            "id": provider.id, "name": provider.name, "title": provider.title, "summary": "", "state": "enabled",
            "created_at": time(provider.created_at), "updated_at": time(provider.created_at),
            "url": self.org_url(),
        }))
    }

    pub(super) fn catalog(&self, shape: &Shape) -> Value {
        let provider = &self.estate.provider;
        shape.cut(self.with_unknown(object! {
            "type": "catalog", "api_version": "2.0.0",
            "id": provider.catalog_id, "name": provider.catalog_name, "title": provider.catalog_title, "summary": "",
            "created_at": time(provider.created_at), "updated_at": time(provider.created_at),
            "org_url": self.org_url(), "url": self.catalog_url(),
        }))
    }

    pub(super) fn settings(&self, shape: &Shape) -> Value {
        let provider = &self.estate.provider;
        shape.cut(self.with_unknown(object! {
            "type": "catalog_setting", "api_version": "2.0.0",
            "hash_client_secret": self.options.hashed, "application_lifecycle": json!({ "enabled": false }),
            "created_at": time(provider.created_at), "updated_at": time(provider.created_at),
            "org_url": self.org_url(), "catalog_url": self.catalog_url(),
            "url": format!("{}/settings", self.catalog_url()),
        }))
    }

    pub(super) fn user_registry(&self, shape: &Shape) -> Value {
        let provider = &self.estate.provider;
        shape.cut(self.with_unknown(object! {
            "type": "user_registry", "api_version": "2.0.0",
            "id": provider.registry_id, "name": "sandbox-idp", "title": "Sandbox user registry",
            "registry_type": "lur", "user_managed": true,
            "created_at": time(provider.created_at), "updated_at": time(provider.created_at),
            "org_url": self.org_url(), "url": self.registry_url(),
        }))
    }

    pub(super) fn owner(&self, org: &ConsumerOrg, shape: &Shape) -> Value {
        let owner = &org.owner;
        shape.cut(self.with_unknown(object! {
            "type": "user", "api_version": "2.0.0",
            "id": owner.id, "name": owner.username, "title": owner.username, "state": "enabled",
            "identity_provider": "sandbox-idp", "username": owner.username, "email": owner.email,
            "first_name": owner.first_name, "last_name": owner.last_name,
            "created_at": time(org.created_at), "updated_at": time(org.created_at),
            "org_url": self.org_url(), "user_registry_url": self.registry_url(), "url": self.owner_url(org),
        }))
    }

    fn consumer_org_object(&self, org: &ConsumerOrg) -> Object {
        self.with_unknown(object! {
            "type": "consumer_org", "api_version": "2.0.0",
            "id": org.id, "name": org.name, "title": org.title, "summary": "",
            "state": if org.enabled { "enabled" } else { "disabled" },
            "owner_url": self.owner_url(org),
            "created_at": time(org.created_at), "updated_at": time(org.created_at),
            "org_url": self.org_url(), "catalog_url": self.catalog_url(), "url": self.consumer_org_url(org),
        })
    }

    pub(super) fn consumer_org(&self, org: Key<ConsumerOrg>, shape: &Shape) -> Value {
        let org = &self.estate.orgs[org];
        let mut object = self.consumer_org_object(org);
        if shape.expands("owner") {
            object.insert("owner".to_owned(), self.owner(org, &Shape::whole()));
        }
        shape.cut(object)
    }

    /// The credentials of an application in this state.
    pub(super) fn credentials_of(&self, app: &App) -> Vec<Key<Credential>> {
        let there = |key: &Key<Credential>| self.estate.credentials[*key].is_there(self.revision);
        app.credentials.iter().copied().filter(there).collect()
    }

    pub(super) fn app_object(&self, app: &App) -> Object {
        let credentials = self.credentials_of(app);
        let urls: Vec<_> = credentials.iter().map(|key| self.credential_url(&self.estate.credentials[*key])).collect();
        self.with_unknown(object! {
            "type": "app", "api_version": "2.0.0",
            "id": app.id, "name": app.name, "title": app.title, "summary": "",
            "state": if app.enabled { "enabled" } else { "disabled" }, "lifecycle_state": "production",
            "redirect_endpoints": Value::Array(Vec::new()), "app_credential_urls": urls,
            "created_at": time(app.created_at), "updated_at": time(app.updated_at),
            "org_url": self.org_url(), "catalog_url": self.catalog_url(),
            "consumer_org_url": self.consumer_org_url(&self.estate.orgs[app.org]), "url": self.app_url(app),
        })
    }

    pub(super) fn app(&self, app: Key<App>, shape: &Shape) -> Value {
        let app = &self.estate.apps[app];
        let mut object = self.app_object(app);
        if shape.expands("consumer_org") {
            let org = self.consumer_org_object(&self.estate.orgs[app.org]);
            object.insert("consumer_org".to_owned(), self.embedded(org));
        }
        if shape.expands("credentials") {
            let credentials =
                self.credentials_of(app).into_iter().map(|key| self.embedded(self.credential_object(key)));
            object.insert("credentials".to_owned(), credentials.collect());
        }
        shape.cut(object)
    }

    fn embedded(&self, mut object: Object) -> Value {
        if self.options.embedded_summaries {
            object.retain(|name, _| matches!(name.as_str(), "id" | "name" | "title" | "client_id"));
        }
        Value::Object(object)
    }

    /// As a read shows it: without the secret, unless this is an installation that leaks.
    pub(super) fn credential_object(&self, key: Key<Credential>) -> Object {
        let credential = &self.estate.credentials[key];
        let app = &self.estate.apps[credential.app];
        let names = credential.names(self.revision);
        let mut object = self.with_unknown(object! {
            "type": "credential", "api_version": "2.0.0",
            "id": credential.id, "name": names.name, "title": names.title, "summary": credential.summary,
            "client_id": credential.client_id,
            "created_at": time(credential.created_at), "updated_at": time(credential.updated_at),
            "org_url": self.org_url(), "catalog_url": self.catalog_url(),
            "consumer_org_url": self.consumer_org_url(&self.estate.orgs[app.org]), "app_url": self.app_url(app),
            "url": self.credential_url(credential),
        });
        if self.options.hashed {
            object.insert("client_secret_hashed".to_owned(), json!(pretended_hash(&credential.client_secret)));
        }
        if self.options.leaky_reads {
            object.insert("client_secret".to_owned(), json!(credential.client_secret));
        }
        object
    }

    pub(super) fn credential(&self, key: Key<Credential>, shape: &Shape) -> Value {
        shape.cut(self.credential_object(key))
    }

    pub(super) fn gateway_service(&self, now: Timestamp, shape: &Shape) -> Value {
        let provider = &self.estate.provider;
        let mut object = self.with_unknown(object! {
            "type": "configured_gateway_service", "api_version": "2.0.0",
            "id": provider.gateway_service_id, "name": "api-gateway", "title": "API gateway",
            "gateway_service_type": "datapower-api-gateway", "service_version": "10.0.8.0", "service_state": "online",
            "created_at": time(provider.created_at), "updated_at": time(provider.created_at),
            "org_url": self.org_url(), "catalog_url": self.catalog_url(),
            "url": format!("{}/{}", self.below_catalog("configured-gateway-services"), provider.gateway_service_id),
        });
        let (sent, queued) = self.estate.outstanding_at(now);
        if shape.adds("gateway_processing_status") {
            let status = json!({
                "service_up_to_date": sent + queued == 0,
                "number_of_outstanding_sent_events": sent,
                "number_of_outstanding_queued_events": queued,
            });
            object.insert("gateway_processing_status".to_owned(), status);
        }
        if shape.adds("events") {
            let event = |state: &str| json!({ "state": state });
            let events = std::iter::repeat_n("sent", sent).chain(std::iter::repeat_n("queued", queued)).map(event);
            object.insert("events".to_owned(), events.collect());
        }
        shape.cut(object)
    }
}

/// Something of a hash's looks that differs for different secrets. It protects nothing: the secrets are made up.
fn pretended_hash(secret: &str) -> String {
    let seed = secret.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(131).wrapping_add(u64::from(byte)));
    let mut random = twin::Random::new(seed);
    format!("{}{}", random.hex(), random.hex())
}
