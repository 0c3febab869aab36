//! The one holder of the server's token: logging in, renewing, and telling a dead token from a refusal.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use driver::{
    Attempts, Clock, DriverError, Effect, Entropy, Granted, HttpRequest, HttpResponse, Kind, Method as Verb, Ports,
    SharedLogin,
};
use jiff::{SignedDuration, Timestamp};
use secret::Secret;
use serde::Serialize;

use super::{
    answer::{Intent, parse, refusal, without},
    api::{Auth, Envelope, JwtLogin, LoggedIn, RoleLogin, SelfLookup, Unwrapped, Wrapping, WrappingToken},
    client::Server,
    config::{Account, Method, SecretId, Source},
};

/// What a renewal must add to count as one: less is rounding, and the token has reached its last end.
const RENEWAL_ADDS_MIN: SignedDuration = SignedDuration::from_secs(2);

/// A token of the server.
#[derive(Debug)]
pub(super) struct Token {
    secret: Secret,
    /// By our clock, counted from before the request for it left. `None`: never, or the server did not say.
    renew_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
    renewable: bool,
    /// The server knows it no more: nothing can be asked with it, not even for its renewal.
    refused: AtomicBool,
}

impl Token {
    pub(super) fn text(&self) -> &str {
        self.secret.expose_text().unwrap_or_default()
    }

    /// What the server said to it, without the token.
    pub(super) fn left_out_of(&self, response: HttpResponse) -> HttpResponse {
        without(response, &[&self.secret])
    }

    fn lives(&self, now: Timestamp) -> bool {
        self.ends_at.is_none_or(|end| now < end)
    }
}

/// Logs in once for all callers and keeps the token.
#[derive(Debug)]
pub(super) struct Login {
    server: Server,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    account: Account,
    shared: SharedLogin<Token>,
    /// The secret id that was wrapped: it can be unwrapped only once.
    unwrapped: Mutex<Option<Secret>>,
}

impl Login {
    pub(super) fn new(ports: &Ports, server: Server, account: Account) -> Self {
        let (clock, entropy) = (ports.clock.clone(), ports.entropy.clone());
        Self { server, clock, entropy, account, shared: SharedLogin::default(), unwrapped: Mutex::default() }
    }

    pub(super) fn describe(&self) -> String {
        let mount = &self.account.mount;
        match &self.account.method {
            Method::Token(_) => "a token".to_owned(),
            Method::AppRole { secret_id: SecretId::Wrapped(_), .. } => {
                format!("AppRole at `{mount}` with a wrapped secret id")
            }
            Method::AppRole { .. } => format!("AppRole at `{mount}`"),
            Method::Jwt { role, .. } => format!("role `{role}` at `{mount}`"),
        }
    }

    /// The current token, renewed or replaced when it is due. A failure has changed nothing of what the caller was about
    /// to do.
    pub(super) async fn token(&self) -> Result<Arc<Token>, DriverError> {
        self.shared.token(|| self.clock.now(), |old| self.renewed_or_new(old)).await
    }

    async fn renewed_or_new(&self, old: Option<Arc<Token>>) -> Result<Granted<Token>, DriverError> {
        let Some(old) = old else { return self.log_in().await.map(granted) };
        let now = self.clock.now();
        if old.refused.load(Ordering::Relaxed) {
            let token = self.log_in().await?;
            // Where the same one came back, what is known of it stays known.
            return Ok(granted(if token.text() == old.text() { old } else { token }));
        }
        if let Some(token) = self.renewed(&old, now).await {
            return Ok(granted(token));
        }
        match self.log_in().await {
            // The server is away for a moment: the old token serves while it lives.
            Err(error) if error.kind.is_transient() && old.lives(now) => Ok(granted(old)),
            outcome => outcome.map(granted),
        }
    }

    /// `false`: it has ended, or has no right to do so.
    pub(super) async fn looks_itself_up(&self, token: &Token) -> Result<bool, DriverError> {
        let response = self.look_up(token.text()).await?;
        match response.status {
            200 => Ok(true),
            403 => Ok(false),
            _ => Err(refusal("looking the token up", Intent::Read, &response, &[&token.secret])),
        }
    }

    /// Logs in again unless somebody else did. `false`: the same token came back, so that trying again cannot help.
    pub(super) async fn replace(&self, refused: &Arc<Token>) -> Result<bool, DriverError> {
        refused.refused.store(true, Ordering::Relaxed);
        self.shared.forget(refused).await;
        Ok(self.token().await?.text() != refused.text())
    }

    /// `None`: log in again.
    async fn renewed(&self, token: &Arc<Token>, now: Timestamp) -> Option<Arc<Token>> {
        let by_hand = matches!(self.account.method, Method::Token(_));
        if token.renewable {
            match self.renew(token).await {
                Ok(auth) => {
                    let renewed = self.keep(token.secret.duplicate(), &auth, now);
                    let adds = |(new, old): (Timestamp, Timestamp)| new.duration_since(old) >= RENEWAL_ADDS_MIN;
                    if renewed.ends_at.zip(token.ends_at).is_none_or(adds) {
                        return Some(Arc::new(renewed));
                    }
                }
                // The server is away, not the token: while it lives, it serves.
                Err(error) if error.kind.is_transient() && token.lives(now) => {
                    return Some(token.clone());
                }
                Err(_) => {}
            }
        }
        // There may be no other token than this one: it serves to its end, and whoever made it may replace it by then.
        (by_hand && token.lives(now)).then(|| {
            let secret = token.secret.duplicate();
            let refused = AtomicBool::new(false);
            Arc::new(Token { secret, renew_at: token.ends_at, ends_at: token.ends_at, renewable: false, refused })
        })
    }

    async fn renew(&self, token: &Token) -> Result<Auth, DriverError> {
        const DOING: &str = "renewing the token";
        let url = self.server.url(["auth", "token", "renew-self"])?;
        let request = HttpRequest::new(Verb::Post, url).header("x-vault-token", token.text());
        let response = self.server.send(request.json(&serde_json::json!({}))).await?;
        if !response.is_success() {
            return Err(refusal(DOING, Intent::Read, &response, &[&token.secret]));
        }
        Ok(parse::<LoggedIn>(DOING, &response, Effect::NotApplied)?.auth)
    }

    async fn look_up(&self, token: &str) -> Result<HttpResponse, DriverError> {
        let url = self.server.url(["auth", "token", "lookup-self"])?;
        self.server.send(HttpRequest::new(Verb::Get, url).header("x-vault-token", token)).await
    }

    async fn log_in(&self) -> Result<Arc<Token>, DriverError> {
        let once = async || {
            let outcome = self.log_in_once().await;
            // Whatever became of the login, what the caller wants to do has not begun.
            outcome.map(Arc::new).map_err(|error| DriverError { effect: Effect::NotApplied, ..error })
        };
        if let Some(away) = self.server.is_away() {
            return Err(DriverError { effect: Effect::NotApplied, ..away });
        }
        let made = Attempts::LOGIN.make(&*self.clock, &*self.entropy, once).await;
        made.inspect_err(|error| self.server.not_found(error))
    }

    async fn log_in_once(&self) -> Result<Token, DriverError> {
        let asked_at = self.clock.now();
        match &self.account.method {
            Method::Token(source) => self.adopt(source.read().await?, asked_at).await,
            Method::AppRole { role_id, secret_id } => {
                let role_id = role_id.read().await?;
                let secret_id = match secret_id {
                    SecretId::None => None,
                    SecretId::Bare(source) => Some(source.read().await?),
                    SecretId::Wrapped(source) => Some(self.unwrap_once(source).await?),
                };
                let text = |secret: &Secret| secret.expose_text().unwrap_or_default().to_owned();
                let (role, id) = (text(&role_id), secret_id.as_ref().map(text));
                let body = RoleLogin { role_id: &role, secret_id: id.as_deref() };
                let hide: Vec<_> = secret_id.iter().chain([&role_id]).collect();
                self.exchange_for_token(&body, &hide, asked_at).await
            }
            Method::Jwt { role, jwt } => {
                let jwt = jwt.read().await?;
                let body = JwtLogin { role, jwt: jwt.expose_text().unwrap_or_default() };
                self.exchange_for_token(&body, &[&jwt], asked_at).await
            }
        }
    }

    /// A token that somebody else made: how long it lives is asked, where it may say.
    async fn adopt(&self, secret: Secret, asked_at: Timestamp) -> Result<Token, DriverError> {
        const DOING: &str = "looking the token up";
        let response = self.look_up(secret.expose_text().unwrap_or_default()).await?;
        let auth = match response.status {
            200 => {
                let seen: Envelope<SelfLookup> = parse(DOING, &response, Effect::NotApplied)?;
                Some((seen.data.ttl, seen.data.renewable))
            }
            // It has ended, or may not look itself up: the first call will tell.
            403 => None,
            _ => return Err(refusal(DOING, Intent::Read, &response, &[&secret])),
        };
        let (seconds, renewable) = auth.unwrap_or_default();
        Ok(self.token_for(secret, seconds, renewable, asked_at))
    }

    async fn exchange_for_token(
        &self,
        body: &impl Serialize,
        hide: &[&Secret],
        asked_at: Timestamp,
    ) -> Result<Token, DriverError> {
        let doing = format!("logging in with {}", self.describe());
        let segments = ["auth"].into_iter().chain(self.account.mount.split('/')).chain(["login"]);
        let response = self.server.send(HttpRequest::new(Verb::Post, self.server.url(segments)?).json(body)).await?;
        if !response.is_success() {
            let error = refusal(&doing, Intent::Read, &response, hide);
            // A wrong secret id is 400 and a wrong service account 403: all of them mean that we do not get in.
            let passing = matches!(error.kind, Kind::Throttled | Kind::Unavailable | Kind::Protocol);
            return Err(DriverError { kind: if passing { error.kind } else { Kind::Unauthorized }, ..error });
        }
        let LoggedIn { auth } = parse(&doing, &response, Effect::NotApplied)?;
        let usable = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        match auth.client_token.0.expose_text() {
            Some("") => Err(DriverError::refused(Kind::Unauthorized, format!("{doing}: a second factor is wanted"))),
            Some(text) if usable(text) => Ok(self.keep(auth.client_token.0.duplicate(), &auth, asked_at)),
            _ => Err(DriverError::refused(Kind::Protocol, format!("{doing}: the token cannot stand in a header"))),
        }
    }

    /// Unwraps on the first login and remembers: whoever unwraps second finds nothing, and so do we, if somebody else
    /// was first.
    async fn unwrap_once(&self, source: &Source) -> Result<Secret, DriverError> {
        const DOING: &str = "unwrapping the secret id";
        let unwrapped = || self.unwrapped.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(secret_id) = &*unwrapped() {
            return Ok(secret_id.duplicate());
        }
        let wrapping = source.read().await?;
        let text = wrapping.expose_text().unwrap_or_default();
        let url = self.server.url(["sys", "wrapping", "lookup"])?;
        let response = self.server.send(HttpRequest::new(Verb::Post, url).json(&WrappingToken { token: text })).await?;
        if !response.is_success() {
            return Err(self.alarm(refusal(DOING, Intent::Read, &response, &[&wrapping])));
        }
        let seen: Envelope<Wrapping> = parse(DOING, &response, Effect::NotApplied)?;
        let made_by = format!("auth/{}/role/", self.account.mount);
        let path = seen.data.creation_path;
        if !(path.starts_with(&made_by) && path.ends_with("/secret-id")) {
            let why = format!(
                "{DOING}: the wrapping token was made by `{}`, not by `{made_by}ROLE/secret-id`: somebody may have \
                 exchanged it. It was not unwrapped; make a new secret id, and find out where this one came from",
                path.escape_default()
            );
            return Err(DriverError::refused(Kind::Unauthorized, why));
        }
        let url = self.server.url(["sys", "wrapping", "unwrap"])?;
        let response = self.server.send(HttpRequest::new(Verb::Post, url).header("x-vault-token", text)).await?;
        if !response.is_success() {
            return Err(self.alarm(refusal(DOING, Intent::Read, &response, &[&wrapping])));
        }
        let answer: Envelope<Unwrapped> = parse(DOING, &response, Effect::NotApplied)?;
        let secret_id = answer.data.secret_id.0;
        *unwrapped() = Some(secret_id.duplicate());
        Ok(secret_id)
    }

    fn alarm(&self, error: DriverError) -> DriverError {
        if error.kind.is_transient() {
            return error;
        }
        let message = format!(
            "{}; it has ended or was unwrapped before. If that was not this program, somebody else holds the secret \
             id: destroy it and make a new one",
            error.message
        );
        DriverError { kind: Kind::Unauthorized, message, ..error }
    }

    fn keep(&self, secret: Secret, auth: &Auth, asked_at: Timestamp) -> Token {
        self.token_for(secret, auth.lease_duration, auth.renewable, asked_at)
    }

    /// Renewed after two thirds of its life, a little earlier by chance, so that many do not come at once.
    fn token_for(&self, secret: Secret, seconds: u64, renewable: bool, asked_at: Timestamp) -> Token {
        let life = i64::try_from(seconds).ok().filter(|seconds| *seconds > 0).map(SignedDuration::from_secs);
        let earlier = self.entropy.next() % 60;
        let part = |life: SignedDuration| life.mul_f64((2000 - earlier) as f64 / 3000.0);
        let after = |life: SignedDuration| asked_at.checked_add(life).ok();
        Token {
            secret,
            renew_at: life.map(part).and_then(after),
            ends_at: life.and_then(after),
            renewable,
            refused: AtomicBool::new(false),
        }
    }
}

fn granted(token: Arc<Token>) -> Granted<Token> {
    Granted { renew_at: token.renew_at, token }
}
