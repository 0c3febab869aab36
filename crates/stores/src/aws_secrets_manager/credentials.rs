//! AWS credentials: fetched when they are wanted, kept until shortly before they expire.

use std::{path::PathBuf, sync::Arc};

use driver::{Clock, DriverError, Http, Ports};
use jiff::{SignedDuration, Timestamp};
use secret::Secret;
use tokio::sync::Mutex;
use url::Url;

use super::{chain::Chain, metadata, sts::Sts};

/// As AWS's own programs: none expires on the way. A quarter of their life, where that is shorter.
const REFRESH_BEFORE: SignedDuration = SignedDuration::from_mins(5);
/// Many rotations ask at once; after a failure they share it for so long, instead of each waiting for its own.
const FAILURE_KEPT: SignedDuration = SignedDuration::from_secs(5);

/// Debug prints no secret.
#[derive(Debug)]
pub(super) struct Credentials {
    pub access_key_id: String,
    pub secret_access_key: Secret,
    pub session_token: Option<Secret>,
    /// `None`: never.
    pub expires_at: Option<Timestamp>,
}

impl Credentials {
    /// What no message may show.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        [&self.secret_access_key].into_iter().chain(&self.session_token)
    }

    pub(super) fn duplicate(&self) -> Self {
        Self {
            access_key_id: self.access_key_id.clone(),
            secret_access_key: self.secret_access_key.duplicate(),
            session_token: self.session_token.as_ref().map(Secret::duplicate),
            expires_at: self.expires_at,
        }
    }
}

/// Where credentials begin.
#[derive(Debug)]
pub(super) enum Origin {
    /// Given, with the words for where.
    Fixed(Arc<Credentials>, String),
    WebIdentity(WebIdentity),
    Container(Container),
    Instance(Instance),
}

/// A token of an identity provider, for example a Kubernetes service account's, stands for a role.
#[derive(Debug)]
pub(super) struct WebIdentity {
    /// Read anew each time: its owner replaces it.
    pub token_file: PathBuf,
    pub role_arn: String,
    pub session_name: String,
}

/// The endpoint that ECS and EKS offer to a container.
#[derive(Debug)]
pub(super) struct Container {
    pub address: Url,
    pub authorization: Option<Authorization>,
}

#[derive(Debug)]
pub(super) enum Authorization {
    Token(Secret),
    /// Read anew each time.
    File(PathBuf),
}

/// Instance metadata, version 2.
#[derive(Debug)]
pub(super) struct Instance {
    pub address: Url,
    /// Nothing else offered any: most likely this is no instance, and somebody forgot to give credentials.
    pub last_resort: bool,
}

/// A role to take on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Role {
    pub arn: String,
    pub external_id: Option<String>,
    pub session_name: String,
}

impl Role {
    /// How we are called in CloudTrail where nobody chose another name.
    pub(super) const SESSION_NAME: &str = "keyrota";
}

pub(super) fn fixed(credentials: Credentials, from: String) -> Origin {
    Origin::Fixed(Arc::new(credentials), from)
}

impl Origin {
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Fixed(_, from) => from.clone(),
            Self::WebIdentity(identity) => format!("web identity for the role {}", identity.role_arn),
            Self::Container(container) => {
                format!("the container's credentials at {}", container.address.origin().ascii_serialization())
            }
            Self::Instance(instance) => {
                format!("the instance's credentials at {}", instance.address.origin().ascii_serialization())
            }
        }
    }
}

/// The one holder of the credentials in use.
#[derive(Debug)]
pub(super) struct Login {
    http: Arc<dyn Http>,
    clock: Arc<dyn Clock>,
    sts: Sts,
    chain: Chain,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    held: Option<Held>,
    failure: Option<(Timestamp, DriverError)>,
}

#[derive(Debug)]
struct Held {
    credentials: Arc<Credentials>,
    /// `None`: they do not expire.
    refresh_at: Option<Timestamp>,
}

impl Login {
    pub(super) fn new(ports: &Ports, sts: Sts, chain: Chain) -> Self {
        Self { http: ports.http.clone(), clock: ports.clock.clone(), sts, chain, state: Mutex::default() }
    }

    pub(super) fn describe(&self) -> String {
        self.chain.describe()
    }

    pub(super) fn sts(&self) -> &Sts {
        &self.sts
    }

    /// Credentials that are good for some minutes. A refresh that fails falls back on what is still valid; a failure
    /// has changed nothing of what the caller was about to do.
    pub(super) async fn credentials(&self) -> Result<Arc<Credentials>, DriverError> {
        let mut state = self.state.lock().await;
        let now = self.clock.now();
        if let Some(held) = &state.held
            && held.refresh_at.is_none_or(|at| now < at)
        {
            return Ok(held.credentials.clone());
        }
        let valid = |state: &State| {
            let held = state.held.as_ref().filter(|held| held.credentials.expires_at.is_none_or(|end| now < end));
            held.map(|held| held.credentials.clone())
        };
        if let Some((at, failure)) = &state.failure
            && now.duration_since(*at).abs() < FAILURE_KEPT
        {
            return valid(&state).ok_or_else(|| failure.clone());
        }
        match self.fetch().await {
            Ok(credentials) => {
                let refresh_at = credentials.expires_at.and_then(|end| {
                    let early = REFRESH_BEFORE.min(end.duration_since(now) / 4).max(SignedDuration::ZERO);
                    end.checked_sub(early).ok()
                });
                *state = State { held: Some(Held { credentials: credentials.clone(), refresh_at }), failure: None };
                Ok(credentials)
            }
            Err(error) => {
                state.failure = Some((self.clock.now(), error.clone()));
                valid(&state).ok_or(error)
            }
        }
    }

    /// Forgets credentials that AWS refused, and tells whether others are to be had; newer ones stay.
    pub(super) async fn forget(&self, refused: &Arc<Credentials>) -> bool {
        let mut state = self.state.lock().await;
        if state.held.as_ref().is_some_and(|held| Arc::ptr_eq(&held.credentials, refused)) {
            state.held = None;
        }
        !matches!(self.chain.origin, Origin::Fixed(..)) || !self.chain.roles.is_empty()
    }

    async fn fetch(&self) -> Result<Arc<Credentials>, DriverError> {
        let mut credentials = match &self.chain.origin {
            Origin::Fixed(credentials, _) => credentials.clone(),
            Origin::WebIdentity(identity) => Arc::new(self.sts.assume_by_web_identity(identity).await?),
            Origin::Container(container) => Arc::new(metadata::of_container(&*self.http, container).await?),
            Origin::Instance(instance) => Arc::new(metadata::of_instance(&*self.http, instance).await?),
        };
        for role in &self.chain.roles {
            credentials = Arc::new(self.sts.assume(&credentials, role).await?);
        }
        Ok(credentials)
    }
}
