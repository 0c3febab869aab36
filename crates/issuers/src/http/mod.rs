//! Any platform over HTTP, described in configuration alone: which calls there are, where an answer holds what, and
//! what is true of it. A platform without a call for something says that a person does it, and what they are told.
//!
//! Nothing here knows a platform. A description whose facts are not borne out by its calls is refused when the
//! configuration is read; what it says truly is all that the rest of Keyrota learns.

mod answer;
mod calls;
mod client;
mod config;
mod described;
mod endpoint;
mod facts;
mod list;
mod people;
mod period;
mod pointer;
mod request;
mod scopes;
mod secrets;
mod session;
mod template;
#[cfg(test)]
mod tests;
mod together;
pub mod twin;
mod twin_options;

use std::sync::Arc;

use async_trait::async_trait;
use domain::{Ask, Duration, Ending, FactSheet, Handle, IssuerFacts, Marker, Minting, Performer, Timestamp, Usage};
use driver::{
    Assisted, Disabler, DriverError, Effect, Entropy, HandedOver, InvalidSettings, IssueRequest, Issued, Issuer,
    IssuerCheck, Kind, ListingStream, Lookup, Minter, NoEntropy, Ports, Renamer, Revoked, Scope, Settings, Subject,
    Ticket, Trial, UsageSource, Verifier,
};
use futures_util::{StreamExt, stream};
use secret::{Secret, SecretMap};

use self::{
    answer::{Answered, Intent},
    calls::{Issue, IssuedId, LookUp},
    client::Client,
    config::Config,
    request::Request,
    session::seconds,
    template::Fillings,
};
use crate::{IssuerDriver, TwinDriver};

pub const DRIVER: IssuerDriver = IssuerDriver {
    name: "http",
    about: "Any platform over HTTP, described in the configuration",
    levels: &["app", "credential"],
    gateway: &[("X-Client-Id", "client_id"), ("X-Client-Secret", "client_secret")],
    configure,
    facts: |settings| Ok(settings.read::<Config>()?.describe()?.facts.into()),
    schema: || schemars::schema_for!(Config),
    twin: TwinDriver {
        options: twin_options::OPTIONS,
        build: twin_options::build,
        settings: twin_options::settings,
        stages: twin_options::STAGES,
    },
};

fn configure(settings: &Settings, ports: &Ports) -> Result<Arc<dyn Issuer>, InvalidSettings> {
    let config = settings.read::<Config>()?;
    let keys = config.fetch(&settings.base_dir)?;
    Ok(Arc::new(Described { client: Client::new(config.describe()?, keys, ports) }))
}

#[derive(Debug)]
struct Described {
    client: Client,
}

impl Described {
    fn facts(&self) -> &IssuerFacts {
        &self.client.at.facts
    }

    /// What every call about one version names.
    fn version<'a>(&'a self, subject: &'a Subject, handle: &'a Handle) -> Fillings<'a> {
        self.client.of(subject).public("id", handle.as_str())
    }

    /// A write that answers nothing of interest.
    async fn write(&self, request: &Request, fillings: &Fillings<'_>) -> Result<(), DriverError> {
        self.client.ask(request, fillings, Intent::Write).await?.map(drop).map_err(|refusal| refusal.error)
    }

    async fn looked_up(
        &self,
        look_up: &LookUp,
        subject: &Subject,
        handle: &Handle,
    ) -> Result<Option<Answered>, DriverError> {
        match self.client.ask(&look_up.request, &self.version(subject, handle), Intent::Read).await? {
            Ok(answered) => Ok(Some(answered)),
            Err(refusal) if refusal.is(&look_up.gone) => Ok(None),
            // What the description does not call gone is not.
            Err(refusal) if refusal.error.kind == Kind::NotFound => {
                Err(DriverError { kind: Kind::Protocol, ..refusal.error })
            }
            Err(refusal) => Err(refusal.error),
        }
    }

    /// The version that a lost answer left behind: it has the id that we chose.
    async fn issued_already(
        &self,
        issue: &Issue,
        request: &IssueRequest<'_>,
        fillings: &Fillings<'_>,
        conflict: DriverError,
    ) -> Result<Issued, DriverError> {
        let (Some(look_up), IssuedId::Chosen(id)) = (&self.client.at.calls.look_up, &issue.id) else {
            return Err(conflict);
        };
        let Ok(handle) = Handle::parse(&id.fill(fillings)?) else { return Err(conflict) };
        match self.looked_up(look_up, &request.subject, &handle).await? {
            Some(answered) => self.issued(issue, request, fillings, &answered),
            None => Err(DriverError { kind: Kind::Conflict, ..conflict }),
        }
    }

    fn issued(
        &self,
        issue: &Issue,
        request: &IssueRequest<'_>,
        fillings: &Fillings<'_>,
        answered: &Answered,
    ) -> Result<Issued, DriverError> {
        let id = match &issue.id {
            IssuedId::Told(at) => answered.want("id", at, pointer::text)?,
            IssuedId::Chosen(template) => template.fill(fillings)?,
        };
        let handle =
            Handle::parse(&id).map_err(|error| answered.unexpected(&format!("its id cannot be used: {error}")))?;
        let mut fields: Vec<(String, Secret)> = Vec::new();
        for (name, value) in request.chosen.into_iter().flat_map(SecretMap::iter) {
            fields.push((name.to_owned(), value.duplicate()));
        }
        for (name, at) in &issue.fields {
            fields.push((name.clone(), answered.want(name, at, pointer::secret)?));
        }
        let created_at = match &issue.created_at {
            Some(at) => answered.want("created_at", at, pointer::time)?,
            None => answered.at.unwrap_or_else(|| self.client.clock.now()),
        };
        Ok(Issued {
            handle,
            name: request.name.clone(),
            title: request.title.clone(),
            created_at,
            expires_at: expires_at(issue, answered, created_at)?,
            secret: SecretMap::new(fields),
        })
    }
}

fn expires_at(issue: &Issue, answered: &Answered, created_at: Timestamp) -> Result<Option<Timestamp>, DriverError> {
    if let Some(at) = &issue.expires_at {
        return answered.want("expires_at", at, pointer::time).map(Some);
    }
    let Some(at) = &issue.expires_in else { return Ok(None) };
    let life: Duration = answered.want("expires_in", at, seconds)?;
    Ok(created_at.checked_add(life).ok())
}

fn only_people(what: &str) -> DriverError {
    DriverError::refused(Kind::Invalid, format!("no call is described that would {what}: a person does"))
}

fn not_described(what: &str) -> DriverError {
    DriverError::refused(Kind::Invalid, format!("no call is described that would {what}"))
}

#[async_trait]
impl Issuer for Described {
    fn facts(&self) -> FactSheet {
        self.facts().clone().into()
    }

    async fn check(&self) -> Result<IssuerCheck, DriverError> {
        let at = &self.client.at;
        let mut check = IssuerCheck::default();
        check.passed.push("the description is consistent with its facts".to_owned());
        if self.client.logs_in() {
            self.client.log_in().await?;
        }
        let first = match &at.calls.list {
            Some(list) => {
                let first = list.list(&self.client, Scope::All).next().await.transpose()?.unwrap_or_default();
                check.passed.push(format!("the list is readable, versions on its first page: {}", first.found.len()));
                first
            }
            None => {
                check
                    .reduced
                    .push("no call lists versions: one that the configuration does not name is not seen".to_owned());
                list::configured(&at.credentials)
            }
        };
        if at.calls.look_up.is_none() {
            check.reduced.push("no call tells of a single version: only a trial shows whether one lives".to_owned());
        }
        if at.error.is_none() {
            check
                .reduced
                .push("`error` is not set: a refusal by something in between passes for the platform's own".to_owned());
        }
        if let (Some(_), Some(found)) = (&at.calls.usage, first.found.first()) {
            let names = found.names.iter().map(String::as_str);
            let credential = domain::CredentialId::new("issuer", names).map_err(|error| {
                DriverError::refused(Kind::Protocol, format!("a name in the list cannot be used: {error}"))
            })?;
            let subject = Subject { credential, locator: found.locator.clone() };
            match UsageSource::usage(self, &subject, &found.handle, found.created_at).await {
                Ok(_) => check.passed.push("the last use of a version is told".to_owned()),
                Err(error) if matches!(error.kind, Kind::Forbidden | Kind::NotFound | Kind::Invalid) => {
                    check.reduced.push(format!(
                        "the last use is refused ({}): nothing tells whether an old credential is quiet",
                        error.message
                    ))
                }
                Err(error) => return Err(error),
            }
        }
        Ok(check)
    }

    fn list(&self, scope: Scope) -> ListingStream<'_> {
        match &self.client.at.calls.list {
            Some(list) => list.list(&self.client, scope),
            None => {
                let mut listing = list::configured(&self.client.at.credentials);
                if let Scope::Siblings(subject) = &scope {
                    listing.found.retain(|found| found.locator == subject.locator);
                    listing.declared.retain(|declared| declared.locator == subject.locator);
                }
                Box::pin(stream::iter([Ok(listing)]))
            }
        }
    }

    async fn look_up(&self, subject: &Subject, handle: &Handle) -> Result<Lookup, DriverError> {
        let Some(look_up) = &self.client.at.calls.look_up else { return Ok(Lookup::Untold) };
        let Some(answered) = self.looked_up(look_up, subject, handle).await? else { return Ok(Lookup::Gone) };
        let [app, credential] = client::names(subject);
        let name = match &look_up.name {
            Some(at) => answered.want("name", at, pointer::text)?,
            None => credential,
        };
        let title = look_up.title.as_ref().and_then(|at| pointer::text(answered.at(at)?));
        let title = title.unwrap_or_else(|| if self.facts().names { name.clone() } else { app });
        Ok(Lookup::There { name, title })
    }

    async fn issue(&self, request: &IssueRequest<'_>, _ticket: &Ticket) -> Result<Issued, DriverError> {
        let Some(issue) = &self.client.at.calls.issue else { return Err(only_people("issue")) };
        let mut fillings = self
            .client
            .of(&request.subject)
            .public("name", request.name.as_str())
            .public("title", request.title.as_str())
            .public("marker", request.marker.as_str())
            .public("attempt", request.token.0.as_str());
        if let Some(replaced) = &request.replaces {
            fillings = fillings.public("replaces", replaced.as_str());
        }
        for (name, value) in request.chosen.into_iter().flat_map(SecretMap::iter) {
            fillings = match self.client.at.generators.get(name) {
                Some(generator) if generator.is_public() => {
                    fillings.public(name, value.expose_text().unwrap_or_default())
                }
                _ => fillings.secret(name, value),
            };
        }
        match self.client.ask(&issue.request, &fillings, Intent::Write).await? {
            Ok(answered) => self.issued(issue, request, &fillings, &answered),
            Err(refusal) if refusal.is(&issue.already) => {
                self.issued_already(issue, request, &fillings, refusal.error).await
            }
            Err(refusal) => Err(refusal.conflict(&issue.conflict)),
        }
    }

    async fn revoke(&self, subject: &Subject, handle: &Handle, _ticket: &Ticket) -> Result<Revoked, DriverError> {
        let Some(revoke) = &self.client.at.calls.revoke else {
            return Err(if self.facts().ending == Ending::ByPerson {
                only_people("revoke")
            } else {
                not_described("revoke")
            });
        };
        match self.client.ask(&revoke.request, &self.version(subject, handle), Intent::Write).await? {
            Ok(_) => Ok(Revoked::Now),
            Err(refusal) if refusal.is(&revoke.gone) => Ok(Revoked::GoneAlready),
            Err(refusal) if refusal.error.kind == Kind::NotFound => {
                Err(DriverError { kind: Kind::Protocol, ..refusal.error })
            }
            Err(refusal) => Err(refusal.error),
        }
    }

    fn verifier(&self) -> Option<&dyn Verifier> {
        self.client.at.calls.verify.as_ref().map(|_| self as &dyn Verifier)
    }

    fn renamer(&self) -> Option<&dyn Renamer> {
        self.facts().names.then_some(self as &dyn Renamer)
    }

    fn usage(&self) -> Option<&dyn UsageSource> {
        self.facts().usage.then_some(self as &dyn UsageSource)
    }

    fn minter(&self) -> Option<&dyn Minter> {
        (self.facts().minting == Minting::ByUs).then_some(self as &dyn Minter)
    }

    fn disabler(&self) -> Option<&dyn Disabler> {
        self.facts().disable.then_some(self as &dyn Disabler)
    }

    fn assisted(&self) -> Option<&dyn Assisted> {
        let person = self.facts().issued_by == Performer::Person || self.facts().ending == Ending::ByPerson;
        person.then_some(self as &dyn Assisted)
    }
}

#[async_trait]
impl Verifier for Described {
    async fn verify(&self, subject: &Subject, handle: &Handle, secret: &SecretMap) -> Result<Trial, DriverError> {
        let Some(verify) = &self.client.at.calls.verify else { return Err(not_described("try a secret")) };
        let fillings =
            secret.iter().fold(self.version(subject, handle), |fillings, (name, value)| fillings.secret(name, value));
        let asked = if verify.login {
            self.client.ask(&verify.request, &fillings, Intent::Read).await?
        } else {
            self.client.ask_as_nobody(&verify.request, &fillings).await?
        };
        match asked {
            Ok(_) => Ok(Trial::Accepted),
            Err(refusal) if refusal.is(&verify.refused) => Ok(Trial::Refused(refusal.error.message)),
            // Nobody logged in, so nobody's login was refused.
            Err(refusal) if !verify.login && refusal.error.kind == Kind::Unauthorized => {
                Err(DriverError { kind: Kind::Protocol, ..refusal.error })
            }
            Err(refusal) => Err(refusal.error),
        }
    }
}

#[async_trait]
impl Renamer for Described {
    async fn rename(
        &self,
        subject: &Subject,
        handle: &Handle,
        name: &str,
        title: &str,
        _ticket: &Ticket,
    ) -> Result<(), DriverError> {
        let Some(rename) = &self.client.at.calls.rename else { return Err(not_described("rename")) };
        let fillings = self.version(subject, handle).public("name", name).public("title", title);
        let asked = self.client.ask(&rename.request, &fillings, Intent::Write).await?;
        asked.map(drop).map_err(|refusal| refusal.conflict(&rename.conflict))
    }
}

#[async_trait]
impl Disabler for Described {
    async fn disable(&self, subject: &Subject, handle: &Handle, _ticket: &Ticket) -> Result<(), DriverError> {
        let Some(disable) = &self.client.at.calls.disable else { return Err(not_described("switch off")) };
        self.write(disable, &self.version(subject, handle)).await
    }

    async fn enable(&self, subject: &Subject, handle: &Handle, _ticket: &Ticket) -> Result<(), DriverError> {
        let Some(enable) = &self.client.at.calls.enable else { return Err(not_described("switch on")) };
        self.write(enable, &self.version(subject, handle)).await
    }
}

#[async_trait]
impl UsageSource for Described {
    async fn usage(&self, subject: &Subject, handle: &Handle, since: Timestamp) -> Result<Usage, DriverError> {
        let Some(usage) = &self.client.at.calls.usage else { return Err(not_described("tell the last use")) };
        let fillings = self.version(subject, handle).public("since", since.to_string());
        let asked = self.client.ask(&usage.request, &fillings, Intent::Read).await?;
        let answered = asked.map_err(|refusal| refusal.error)?;
        let last_used = match answered.at(&usage.last_used) {
            Some(_) => Some(answered.want("last use", &usage.last_used, pointer::time)?),
            None => None,
        };
        let now = answered.at.unwrap_or_else(|| self.client.clock.now());
        Ok(Usage {
            last_used: last_used.filter(|at| *at >= since),
            known_through: now.checked_sub(usage.lag).ok(),
            asked_at: None,
        })
    }
}

impl Minter for Described {
    fn choose(&self, _subject: &Subject, _marker: &Marker, entropy: &dyn Entropy) -> Result<SecretMap, NoEntropy> {
        let chosen =
            self.client.at.generators.iter().map(|(name, generator)| Ok((name.clone(), generator.choose(entropy)?)));
        Ok(SecretMap::new(chosen.collect::<Result<Vec<_>, NoEntropy>>()?))
    }
}

impl Assisted for Described {
    fn instructions(&self, subject: &Subject, ask: &Ask, handle: Option<&Handle>) -> Vec<String> {
        let [app, _] = client::names(subject);
        self.client.at.instructions.tell(ask, self.client.of(subject).public("title", app), handle)
    }

    fn read(&self, _subject: &Subject, content: &Secret) -> Result<HandedOver, DriverError> {
        let Some(table) = &self.client.at.handed_over else {
            return Err(DriverError::new(Kind::Invalid, Effect::NotApplied, "nothing is handed over by people here"));
        };
        people::read(table, content)
    }
}
