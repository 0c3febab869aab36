//! APIsec: the password of a service account, and the access tokens that it buys.
//!
//! In the classic platform a user name and a password buy a token that lives a day; nothing refreshes it, nothing
//! revokes it, and a second one leaves the first alive. So the password is one credential, replaced at once, and the
//! token another, minted from it and left to expire: consumers hold tokens only and never notice a new password. In the
//! next generation a person makes personal access tokens, and Keyrota asks for them.
//!
//! No call lists tokens or passwords, so the configuration names the accounts, and a trial is all the proof there is.
//! The driver keeps no login: what needs one signs on anew, with the newest password that Keyrota holds.

mod answer;
mod claims;
mod client;
mod config;
mod hand_over;
mod password;
#[cfg(test)]
mod tests;
mod trial;
pub mod twin;
mod twin_options;

use std::sync::Arc;

use async_trait::async_trait;
use domain::{Ask, Duration, Ending, FactSheet, Handle, Idempotency, IssuerFacts, Marker, Minting, Overlap, Performer};
use driver::{
    Assisted, Declared, DriverError, Effect, Entropy, HandedOver, InvalidSettings, IssueRequest, Issued, Issuer,
    IssuerCheck, Kind, Listing, ListingStream, Lookup, Minter, NoEntropy, Ports, Revoked, Scope, Settings, Subject,
    Ticket, Trial, Verifier,
};
use futures_util::stream;
use secret::{Secret, SecretMap};

use self::{
    client::{Client, Purpose, SignOn, locked_out, sentence},
    config::{Account, ChangedBy, Config, Generation},
    hand_over::{password_map, token_map},
};
use crate::{IssuerDriver, TwinDriver};

/// A token is good wherever its signature can be checked, and ends by the clock of whoever checks it: a minute covers
/// clocks that differ. A password is checked where it is kept.
const PROPAGATION: Duration = Duration::from_mins(1);

const USERNAME: &str = "username";
const PASSWORD: &str = "password";
const TOKEN: &str = "token";
/// A personal access token: the credential's name and kind.
const PAT: &str = "pat";

pub const DRIVER: IssuerDriver = IssuerDriver {
    name: "apisec",
    about: "APIsec: service accounts, and access tokens minted with them",
    levels: &["tenant", "account", "credential"],
    gateway: &[("Authorization", "Bearer {token}")],
    configure,
    facts: |settings| {
        let config = settings.read::<Config>()?;
        Ok(facts(config.generation(), config.changed_by()))
    },
    schema: || schemars::schema_for!(Config),
    twin: TwinDriver {
        options: twin_options::OPTIONS,
        build: twin_options::build,
        settings: twin_options::settings,
        stages: twin_options::STAGES,
    },
};

fn configure(settings: &Settings, ports: &Ports) -> Result<Arc<dyn Issuer>, InvalidSettings> {
    let checked = settings.read::<Config>()?.check(&settings.base_dir)?;
    Ok(Arc::new(ApiSec { client: Client::new(checked, ports), entropy: ports.entropy.clone() }))
}

fn facts(generation: Generation, changed_by: Option<ChangedBy>) -> FactSheet {
    let unlisted =
        IssuerFacts { idempotency: Idempotency::None, lists_versions: false, ..IssuerFacts::overlapping(PROPAGATION) };
    if generation == Generation::Ng {
        let pat = IssuerFacts { issued_by: Performer::Person, ending: Ending::ByPerson, ..unlisted };
        return FactSheet::new(pat.clone(), [(PAT, pat)]);
    }
    let token = IssuerFacts { ending: Ending::Expires, ..unlisted.clone() };
    let password = changed_by.map(|by| match by {
        ChangedBy::Api => IssuerFacts { minting: Minting::ByUs, overlap: Overlap::Replace, ..unlisted },
        ChangedBy::Person => IssuerFacts { issued_by: Performer::Person, overlap: Overlap::Replace, ..unlisted },
    });
    let kinds = password.map(|facts| (PASSWORD, facts)).into_iter().chain([(TOKEN, token.clone())]);
    FactSheet::new(token, kinds)
}

#[derive(Debug)]
struct ApiSec {
    client: Client,
    entropy: Arc<dyn Entropy>,
}

impl ApiSec {
    /// The account and the kind of a credential, from the locator `account/kind`.
    fn place(&self, subject: &Subject) -> Result<(&Account, &'static str), DriverError> {
        let (name, kind) = subject.locator.rsplit_once('/').unwrap_or((&subject.locator, ""));
        let kind = [PASSWORD, TOKEN, PAT].into_iter().find(|known| *known == kind);
        let account = self.client.config.accounts.iter().find(|account| account.name == name);
        match (account, kind) {
            (Some(account), Some(kind)) => Ok((account, kind)),
            _ => Err(invalid(format!("the configuration has no account for `{}`", subject.locator.escape_default()))),
        }
    }

    fn declared(&self, account: &Account, kind: &'static str) -> Declared {
        let names = |kind: &str| vec![self.client.config.tenant.clone(), account.name.clone(), kind.to_owned()];
        let what = match kind {
            PASSWORD => "Password",
            TOKEN => "Access token",
            _ => "Personal access token",
        };
        let parent_is_ours = kind == TOKEN && self.client.config.changed_by.is_some();
        Declared {
            names: names(kind),
            title: format!("{what} of {}", account.name),
            locator: format!("{}/{kind}", account.name),
            kind,
            owner: None,
            minted_from: parent_is_ours.then(|| names(PASSWORD)),
        }
    }

    async fn listing(&self, scope: &Scope) -> Result<Listing, DriverError> {
        let config = &self.client.config;
        let of = match scope {
            Scope::All => None,
            Scope::Siblings(subject) => Some(self.place(subject)?.0.name.clone()),
        };
        let accounts = config.accounts.iter().filter(|account| of.as_ref().is_none_or(|name| *name == account.name));
        let mut declared = Vec::new();
        for account in accounts {
            match config.generation {
                Generation::Ng => declared.push(self.declared(account, PAT)),
                Generation::Classic => {
                    declared.extend(config.changed_by.map(|_| self.declared(account, PASSWORD)));
                    declared.extend(account.token.then(|| self.declared(account, TOKEN)));
                }
            }
        }
        Ok(Listing { declared, at: self.client.time().await?, ..Listing::default() })
    }

    async fn mint(&self, account: &Account, request: &IssueRequest<'_>) -> Result<Issued, DriverError> {
        let set = account.set.read().await;
        let password = newest(account, request.minted_from)?;
        let mut answer = self.client.sign_on(account, password, Purpose::Mint).await?;
        if let (SignOn::Refused(_), Some(set)) = (&answer, &*set) {
            answer = self.client.sign_on(account, set, Purpose::Mint).await?;
        }
        match answer {
            SignOn::Minted(minted) => Ok(Issued {
                handle: handle(&request.marker)?,
                name: request.name.clone(),
                title: request.title.clone(),
                created_at: minted.issued_at,
                expires_at: Some(minted.expires_at),
                secret: token_map(minted.token),
            }),
            SignOn::Refused(words) => Err(locked_out(account, &words)),
        }
    }

    /// Repeating it brings the same version: where the old password is refused and the new one is taken, the answer to
    /// the change was lost and the change was not.
    async fn replace_password(&self, account: &Account, request: &IssueRequest<'_>) -> Result<Issued, DriverError> {
        let new = request.chosen.and_then(|chosen| chosen.get(PASSWORD));
        let new = new.ok_or_else(|| invalid("no new password was chosen"))?;
        let mut set = account.set.write().await;
        let changed_at = match newest(account, request.current) {
            Ok(old) => match self.client.sign_on(account, old, Purpose::Try).await? {
                SignOn::Minted(minted) => self.client.change_password(account, &minted.token, old, new).await?,
                SignOn::Refused(words) => self.changed_already(account, new, &words).await?,
            },
            Err(error) => self.changed_already(account, new, &error.message).await?,
        };
        *set = Some(new.duplicate());
        Ok(Issued {
            handle: handle(&request.marker)?,
            name: request.name.clone(),
            title: request.title.clone(),
            created_at: changed_at,
            expires_at: None,
            secret: password_map(account, new.duplicate()),
        })
    }

    async fn changed_already(
        &self,
        account: &Account,
        new: &Secret,
        words: &str,
    ) -> Result<domain::Timestamp, DriverError> {
        match self.client.sign_on(account, new, Purpose::Try).await? {
            SignOn::Minted(minted) => Ok(minted.issued_at),
            SignOn::Refused(_) => Err(locked_out(account, words)),
        }
    }
}

/// The newest password that is known: the one that Keyrota holds, or else the one in the configuration.
fn newest<'a>(account: &'a Account, held: Option<&'a SecretMap>) -> Result<&'a Secret, DriverError> {
    let password = held.and_then(|held| held.get(PASSWORD)).or(account.password.as_ref());
    password.ok_or_else(|| {
        invalid(format!("no password of `{}` is known: none is configured, and none is held", account.name))
    })
}

/// The platform has no name for what it hands out, so a version goes by the mark of its issue.
fn handle(marker: &Marker) -> Result<Handle, DriverError> {
    Handle::parse(marker.as_str())
        .map_err(|error| DriverError::new(Kind::Protocol, Effect::Unknown, format!("the marker is no id: {error}")))
}

fn invalid(message: impl Into<String>) -> DriverError {
    DriverError::refused(Kind::Invalid, message)
}

#[async_trait]
impl Issuer for ApiSec {
    fn facts(&self) -> FactSheet {
        facts(self.client.config.generation, self.client.config.changed_by)
    }

    async fn check(&self) -> Result<IssuerCheck, DriverError> {
        let mut check = IssuerCheck::default();
        self.client.time().await?;
        check.passed.push("the platform answers".to_owned());
        for account in &self.client.config.accounts {
            let Some(password) = &account.password else {
                if self.client.config.generation == Generation::Classic {
                    let words = "has no password in the configuration: only one that Keyrota holds can be used";
                    check.reduced.push(format!("`{}` {words}", account.name));
                }
                continue;
            };
            match self.client.sign_on(account, password, Purpose::Try).await? {
                SignOn::Minted(minted) => check_minted(&mut check, account, &minted),
                SignOn::Refused(words) => {
                    let hint = "; if Keyrota has changed it since, take `password` out of the configuration";
                    return Err(DriverError::refused(Kind::Unauthorized, sentence(account, &words) + hint));
                }
            }
        }
        Ok(check)
    }

    fn list(&self, scope: Scope) -> ListingStream<'_> {
        Box::pin(stream::once(async move { self.listing(&scope).await }))
    }

    /// No call tells of a token or a password.
    async fn look_up(&self, subject: &Subject, _handle: &Handle) -> Result<Lookup, DriverError> {
        self.place(subject).map(|_| Lookup::Untold)
    }

    async fn issue(&self, request: &IssueRequest<'_>, _ticket: &Ticket) -> Result<Issued, DriverError> {
        match (self.place(&request.subject)?, self.client.config.changed_by) {
            ((account, TOKEN), _) => self.mint(account, request).await,
            ((account, PASSWORD), Some(ChangedBy::Api)) => self.replace_password(account, request).await,
            ((account, kind), _) => Err(invalid(format!("a person makes the {kind} of `{}`", account.name))),
        }
    }

    async fn revoke(&self, subject: &Subject, _handle: &Handle, _ticket: &Ticket) -> Result<Revoked, DriverError> {
        let (account, kind) = self.place(subject)?;
        Err(invalid(match kind {
            TOKEN => format!("no call ends a token of `{}`: it lives until it expires", account.name),
            PASSWORD => format!("a password of `{}` ends when another takes its place", account.name),
            _ => format!("a person removes the personal access tokens of `{}`", account.name),
        }))
    }

    fn verifier(&self) -> Option<&dyn Verifier> {
        Some(self)
    }

    fn minter(&self) -> Option<&dyn Minter> {
        if self.client.config.changed_by == Some(ChangedBy::Api) { Some(self) } else { None }
    }

    fn assisted(&self) -> Option<&dyn Assisted> {
        let config = &self.client.config;
        let by_hand = config.generation == Generation::Ng || config.changed_by == Some(ChangedBy::Person);
        if by_hand { Some(self) } else { None }
    }
}

fn check_minted(check: &mut IssuerCheck, account: &Account, minted: &client::Minted) {
    let hours = minted.expires_at.duration_since(minted.issued_at).as_hours();
    check.passed.push(format!("signed on as `{}`, whose tokens live {hours} hours", account.name));
    let roles = minted.scopes.as_deref().unwrap_or_default();
    if roles.split(',').any(|role| role.trim() == "ROLE_ADMIN") {
        check.reduced.push(format!("`{}` is an administrator; scans need the role User alone", account.name));
    }
}

#[async_trait]
impl Verifier for ApiSec {
    async fn verify(&self, subject: &Subject, _handle: &Handle, secret: &SecretMap) -> Result<Trial, DriverError> {
        let (account, kind) = self.place(subject)?;
        let field = if kind == PASSWORD { PASSWORD } else { TOKEN };
        let value = secret.get(field).ok_or_else(|| invalid(format!("the secret has no `{field}`")))?;
        if kind != PASSWORD {
            return self.client.try_token(account, value).await;
        }
        let named = secret.get(USERNAME);
        if named.is_some_and(|username| username.expose_text() != Some(account.username.as_str())) {
            return Ok(Trial::Unfit(format!("it is the password of another user than `{}`", account.username)));
        }
        Ok(match self.client.sign_on(account, value, Purpose::Try).await? {
            SignOn::Minted(_) => Trial::Accepted,
            SignOn::Refused(words) => Trial::Refused(words),
        })
    }
}

impl Minter for ApiSec {
    fn choose(&self, subject: &Subject, _marker: &Marker, entropy: &dyn Entropy) -> Result<SecretMap, NoEntropy> {
        let password = password::choose(entropy)?;
        Ok(match self.place(subject) {
            Ok((account, _)) => password_map(account, password),
            // The issue will say that the account is configured no longer.
            Err(_) => SecretMap::new([(PASSWORD.to_owned(), password)]),
        })
    }
}

impl Assisted for ApiSec {
    fn instructions(&self, subject: &Subject, ask: &Ask, handle: Option<&Handle>) -> Vec<String> {
        let config = &self.client.config;
        match self.place(subject) {
            Ok((account, PASSWORD)) => hand_over::password_instructions(config, account),
            Ok((account, _)) => hand_over::token_instructions(config, account, ask, handle),
            Err(error) => vec![error.message],
        }
    }

    fn read(&self, subject: &Subject, content: &Secret) -> Result<HandedOver, DriverError> {
        match self.place(subject)? {
            (account, PASSWORD) => hand_over::read_password(account, content, &*self.entropy),
            _ => hand_over::read_token(&self.client.config, content),
        }
    }
}
