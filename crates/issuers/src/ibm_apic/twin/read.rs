//! Lists and objects.

use jiff::Timestamp;
use serde_json::Value;
use twin::{FaultKind, Reply};

use super::{
    ApiConnect, Outcome, Refusal, Request,
    address::Target,
    arena::Key,
    estate::{App, ConsumerOrg, Credential, Revision},
    render::View,
};

/// A stale list answers the state of up to this many changes ago.
const STALE_CHANGES_MAX: u64 = 6;

impl ApiConnect {
    pub(super) fn view(&self, revision: Revision) -> View<'_> {
        View { estate: &self.estate, options: &self.options, base_url: &self.base_url, revision }
    }

    pub(super) fn current_view(&self) -> View<'_> {
        self.view(self.estate.revision())
    }

    /// The state that a list shows: the present one, or an older one when the fault says so.
    fn revision_to_list(&mut self, fault: Option<FaultKind>) -> Revision {
        let back = match fault {
            Some(FaultKind::StaleList) => 1 + self.random.below(STALE_CHANGES_MAX),
            _ => 0,
        };
        self.estate.revision().saturating_sub(back).max(self.planted)
    }

    pub(super) fn read(&mut self, now: Timestamp, target: &Target, request: &Request<'_>) -> Outcome {
        let shape = request.query.shape();
        let revision = self.revision_to_list(request.fault);
        let view = self.view(revision);
        let query = &request.query;
        let body = match target {
            Target::Orgs => query.page(&[()], |()| view.provider_org(&shape))?,
            Target::Org => view.provider_org(&shape),
            Target::Catalogs => query.page(&[()], |()| view.catalog(&shape))?,
            Target::Catalog => view.catalog(&shape),
            Target::Settings => view.settings(&shape),
            Target::ConsumerOrgs => {
                let orgs: Vec<_> =
                    self.estate.orgs.keys().filter(|org| self.estate.orgs[*org].created <= revision).collect();
                query.page(&orgs, |org| view.consumer_org(*org, &shape))?
            }
            Target::CatalogApps if self.options.no_catalog_listing => {
                return Err(Refusal::new(403, "You are not authorized to list the applications of this catalog."));
            }
            Target::CatalogApps => {
                let apps = self.there(self.estate.apps.keys(), revision);
                query.page(&apps, |app| view.app(*app, &shape))?
            }
            Target::OrgApps(org) => {
                let org = self.find_org(org)?;
                let apps = self.there(self.estate.orgs[org].apps.iter().copied(), revision);
                query.page(&apps, |app| view.app(*app, &shape))?
            }
            Target::Credentials { org, app } => {
                let app = self.find_app(org, app)?;
                query.page(&view.credentials_of(&self.estate.apps[app]), |key| view.credential(*key, &shape))?
            }
            Target::GatewayServices => query.page(&[()], |()| view.gateway_service(now, &shape))?,
            _ => self.read_one(now, target, request)?,
        };
        Ok(Reply::json(200, &body))
    }

    fn read_one(&self, now: Timestamp, target: &Target, request: &Request<'_>) -> Result<Value, Refusal> {
        let view = self.current_view();
        let shape = request.query.shape();
        let provider = &self.estate.provider;
        match target {
            Target::GatewayService(id) if *id == provider.gateway_service_id => Ok(view.gateway_service(now, &shape)),
            Target::UserRegistry(id) if *id == provider.registry_id => Ok(view.user_registry(&shape)),
            Target::User { registry, user } if *registry == provider.registry_id => {
                let org = self.estate.owned_by(user).ok_or_else(|| not_found("user", user))?;
                Ok(view.owner(&self.estate.orgs[org], &shape))
            }
            Target::ConsumerOrg(org) => Ok(view.consumer_org(self.find_org(org)?, &shape)),
            Target::App { org, app } => Ok(view.app(self.find_app(org, app)?, &shape)),
            Target::Credential { org, app, credential } => {
                Ok(view.credential(self.find_credential(org, app, credential)?, &shape))
            }
            Target::GatewayService(id) => Err(not_found("configured gateway service", id)),
            Target::UserRegistry(id) => Err(not_found("user registry", id)),
            Target::User { user, .. } => Err(not_found("user", user)),
            _ => Err(Refusal::new(405, "The method is not allowed here.")),
        }
    }

    fn there(&self, apps: impl Iterator<Item = Key<App>>, revision: Revision) -> Vec<Key<App>> {
        apps.filter(|app| self.estate.apps[*app].is_there(revision)).collect()
    }

    pub(super) fn find_org(&self, org: &str) -> Result<Key<ConsumerOrg>, Refusal> {
        self.estate.org(org).ok_or_else(|| not_found("consumer organization", org))
    }

    pub(super) fn find_app(&self, org: &str, app: &str) -> Result<Key<App>, Refusal> {
        let org = self.find_org(org)?;
        self.estate.orgs[org].app(app).ok_or_else(|| not_found("application", app))
    }

    pub(super) fn find_credential(&self, org: &str, app: &str, credential: &str) -> Result<Key<Credential>, Refusal> {
        let app = self.find_app(org, app)?;
        self.estate.apps[app].credential(credential).ok_or_else(|| not_found("credential", credential))
    }
}

fn not_found(kind: &str, name: &str) -> Refusal {
    Refusal::new(404, format!("The {kind} '{name}' was not found."))
}
