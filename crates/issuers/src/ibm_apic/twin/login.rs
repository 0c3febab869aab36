//! Tokens: who may call, and for how long.

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use twin::{Call, Random, Reply};

use super::{ApiConnect, Outcome, Refusal, Request, query::Object};

/// The documented example of `refresh_expires_in`.
const REFRESH_EXPIRES_IN_SECONDS: i64 = 57_600;

/// What a client logs in with, all made up at the start.
pub(super) struct Login {
    pub username: String,
    pub password: String,
    pub realm: String,
    pub client_id: String,
    pub client_secret: String,
    pub api_key: String,
}

impl Login {
    pub(super) fn new(random: &mut Random) -> Self {
        Self {
            username: "svc-keyrota".to_owned(),
            password: random.hex(),
            realm: "provider/default-idp-2".to_owned(),
            client_id: "keyrota-toolkit".to_owned(),
            client_secret: random.hex(),
            api_key: random.uuid(),
        }
    }
}

/// What is handed out and still good.
#[derive(Default)]
pub(super) struct Tokens {
    access: HashMap<String, Token>,
    refresh: HashMap<String, Timestamp>,
    api_key_spent: bool,
}

struct Token {
    expires_at: Timestamp,
    /// It has been presented before.
    used: bool,
    /// From a login that names no user: too weak for anything in a catalog.
    weak: bool,
}

impl ApiConnect {
    pub(super) fn token(&mut self, now: Timestamp, request: &Request<'_>) -> Outcome {
        let body = request.json_body()?;
        let field = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        let grant = field("grant_type");
        if !matches!(grant, "password" | "api_key" | "client_credentials" | "refresh_token") {
            return Err(Refusal::new(400, format!("The grant type '{grant}' is not supported.")));
        }
        if field("client_id") != self.login.client_id || field("client_secret") != self.login.client_secret {
            return Err(Refusal::new(401, "The client registration is not known, or its secret is wrong."));
        }
        match grant {
            "password" => {
                self.check_realm(&body)?;
                if field("username") != self.login.username || field("password") != self.login.password {
                    return Err(Refusal::new(401, "The user name or the password is wrong."));
                }
            }
            "api_key" => self.check_api_key(field("api_key"))?,
            "refresh_token" => {
                self.check_realm(&body)?;
                self.check_refresh_token(now, field("refresh_token"))?;
            }
            _ => {}
        }
        Ok(Reply::json(200, &self.hand_out(now, grant)))
    }

    fn check_realm(&self, body: &Object) -> Result<(), Refusal> {
        match body.get("realm").and_then(Value::as_str) {
            Some(realm) if realm == self.login.realm => Ok(()),
            realm => Err(Refusal::new(400, format!("The realm '{}' is not known.", realm.unwrap_or_default()))),
        }
    }

    fn check_api_key(&mut self, api_key: &str) -> Result<(), Refusal> {
        if api_key != self.login.api_key || self.tokens.api_key_spent {
            return Err(Refusal::new(401, "The API key is not valid."));
        }
        self.tokens.api_key_spent = self.options.api_key_single_use;
        Ok(())
    }

    /// A refresh token is used once.
    fn check_refresh_token(&mut self, now: Timestamp, token: &str) -> Result<(), Refusal> {
        if !self.options.refresh_tokens {
            return Err(Refusal::new(400, "The grant type 'refresh_token' is not supported."));
        }
        match self.tokens.refresh.remove(token) {
            Some(expires_at) if now < expires_at => Ok(()),
            _ => Err(Refusal::new(401, "The refresh token is not valid.")),
        }
    }

    fn hand_out(&mut self, now: Timestamp, grant: &str) -> Value {
        let expires_in = self.options.token_expires_in;
        let expires_at = after(now, i64::from(expires_in));
        let claims = json!({
            "sub": self.login.username, "aud": "/api", "iat": now.as_second(), "exp": expires_at.as_second(),
            "grant_type": grant, "realm": self.login.realm, "username": self.login.username, "jti": self.random.hex(),
        });
        let part = |text: String| URL_SAFE_NO_PAD.encode(text);
        let token = format!(
            "{}.{}.{}",
            part(r#"{"alg":"RS256","typ":"JWT"}"#.to_owned()),
            part(claims.to_string()),
            part(self.random.hex())
        );
        self.tokens.access.retain(|_, token| now < token.expires_at);
        let weak = grant == "client_credentials";
        self.tokens.access.insert(token.clone(), Token { expires_at, used: false, weak });
        let mut answer = json!({ "access_token": token, "token_type": "Bearer", "expires_in": expires_in });
        if let (true, Some(members)) = (self.options.refresh_tokens, answer.as_object_mut()) {
            let refresh_token = self.random.hex();
            self.tokens.refresh.insert(refresh_token.clone(), after(now, REFRESH_EXPIRES_IN_SECONDS));
            members.insert("refresh_token".to_owned(), json!(refresh_token));
            members.insert("refresh_expires_in".to_owned(), json!(REFRESH_EXPIRES_IN_SECONDS));
        }
        answer
    }

    /// Whether the caller may call at all. A call with a new token counts as its first even when it is refused.
    pub(super) fn authorize(&mut self, now: Timestamp, call: &Call) -> Result<(), Refusal> {
        let refused = || Refusal::new(401, "The access token is missing, not valid or expired.");
        let value = call.header("authorization").and_then(|value| value.split_once(' '));
        let (scheme, value) = value.ok_or_else(refused)?;
        let token = self.tokens.access.get_mut(value).filter(|_| scheme.eq_ignore_ascii_case("bearer"));
        let token = token.filter(|token| now < token.expires_at).ok_or_else(refused)?;
        let first = !std::mem::replace(&mut token.used, true);
        if first && self.options.fresh_token_refused {
            return Err(refused());
        }
        if token.weak {
            return Err(Refusal::new(403, "The token does not have the scope that this needs."));
        }
        Ok(())
    }

    /// Told to everybody, before any login.
    pub(super) fn identity_providers(&self, admin: bool) -> Reply {
        let (side, name) = if admin { ("admin", "default-idp-1") } else { ("provider", "default-idp-2") };
        let provider = json!({
            "name": name, "title": "API Connect local user registry", "default": true, "registry_type": "lur",
            "user_managed": true, "realm": format!("{side}/{name}"),
        });
        Reply::json(200, &json!({ "total_results": 1, "results": [provider] }))
    }
}

fn after(now: Timestamp, seconds: i64) -> Timestamp {
    now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}
