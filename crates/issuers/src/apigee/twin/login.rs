//! Tokens: who may call, and for how long.

use std::{collections::HashMap, sync::OnceLock};

use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    hmac,
    rsa::KeySize,
    signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use twin::{Call, Random, Reply};

use super::{Apigee, ORGANIZATION, Refusal, Request, options::Generation};

/// How far the clock of a caller may be off.
const CLOCK_OFF_MAX_SECONDS: i64 = 300;
const LIFE_MAX_SECONDS: i64 = 3600;
/// How long the refresh token of a user lives. The vendor does not say; a day is what its own tools reckon with.
const REFRESH_LIFE: SignedDuration = SignedDuration::from_hours(24);
/// `edgecli:edgeclisecret`, the published client of the vendor's command line.
const EDGE_CLIENT: &str = "Basic ZWRnZWNsaTplZGdlY2xpc2VjcmV0";

/// What a client logs in with, made up at the start.
pub(super) enum Login {
    ServiceAccount { email: String, key_id: String },
    User { username: String, password: String },
}

#[derive(Default)]
pub(super) struct Tokens {
    /// The end of each.
    access: HashMap<String, Timestamp>,
    refresh: HashMap<String, Timestamp>,
}

/// Making one takes a while, so all twins of a process share it. Chance of the system, not of the seed.
struct SigningKey {
    pem: String,
    public: Vec<u8>,
}

fn signing_key() -> Option<&'static SigningKey> {
    static KEY: OnceLock<Option<SigningKey>> = OnceLock::new();
    let make = || {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).ok()?;
        let der: Pkcs8V1Der<'_> = key.as_der().ok()?;
        let text = STANDARD.encode(der.as_ref());
        let mut pem = "-----BEGIN PRIVATE KEY-----\n".to_owned();
        for (at, letter) in text.chars().enumerate() {
            if at > 0 && at % 64 == 0 {
                pem.push('\n');
            }
            pem.push(letter);
        }
        pem.push_str("\n-----END PRIVATE KEY-----\n");
        Some(SigningKey { pem, public: key.public_key().as_ref().to_vec() })
    };
    KEY.get_or_init(make).as_ref()
}

impl Login {
    pub(super) fn new(generation: Generation, random: &mut Random) -> Result<Self, String> {
        match generation {
            Generation::X => {
                signing_key().ok_or("the cryptographic library makes no key for the service account")?;
                let email = format!("keyrota@{ORGANIZATION}-project.iam.gserviceaccount.com");
                Ok(Self::ServiceAccount { email, key_id: random.hex() })
            }
            Generation::Edge => {
                Ok(Self::User { username: "svc-keyrota@acme.example".to_owned(), password: random.hex() })
            }
        }
    }
}

impl Apigee {
    /// Of X, the content of a key file with the organisation beside it; of Edge, name and password.
    pub(super) fn login_object(&self) -> Value {
        match &self.login {
            Login::ServiceAccount { email, key_id } => json!({
                "type": "service_account",
                "project_id": format!("{ORGANIZATION}-project"),
                "private_key_id": key_id,
                "private_key": signing_key().map(|key| key.pem.as_str()),
                "client_email": email,
                "client_id": "104857600000000000000",
                "auth_uri": format!("{}/o/oauth2/auth", self.base_url),
                "token_uri": self.token_uri(),
                "universe_domain": "googleapis.com",
                "organization": ORGANIZATION,
            }),
            Login::User { username, password } => {
                let mut login = json!({ "username": username, "password": password, "organization": ORGANIZATION });
                if let (false, Some(login)) = (self.options.basic_only, login.as_object_mut()) {
                    login.insert("login_endpoint".to_owned(), json!(format!("{}/oauth/token", self.base_url)));
                }
                login
            }
        }
    }

    fn token_uri(&self) -> String {
        format!("{}/token", self.base_url)
    }

    pub(super) fn token(&mut self, now: Timestamp, request: &Request<'_>) -> Reply {
        let form: HashMap<String, String> = url::form_urlencoded::parse(&request.call.body).into_owned().collect();
        let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        if request.call.method != "POST" || self.options.basic_only {
            return super::front_end();
        }
        match &self.login {
            Login::ServiceAccount { email, key_id } => {
                let jwt_bearer = field("grant_type") == "urn:ietf:params:oauth:grant-type:jwt-bearer";
                let why = match jwt_bearer {
                    true => judge(field("assertion"), email, key_id, &self.token_uri(), now).err(),
                    false => Some("Unsupported grant type"),
                };
                match why {
                    None => self.grant_to_account(now),
                    Some(why) => invalid_grant(400, why),
                }
            }
            Login::User { username, password } => {
                if request.call.header("authorization") != Some(EDGE_CLIENT) {
                    return invalid_grant(401, "Bad client credentials");
                }
                let good = match field("grant_type") {
                    "password" => field("username") == username && field("password") == password,
                    "refresh_token" => self.tokens.refresh.get(field("refresh_token")).is_some_and(|ends| now < *ends),
                    _ => false,
                };
                if !good {
                    return invalid_grant(401, "Bad credentials");
                }
                let username = username.clone();
                self.grant_to_user(now, &username)
            }
        }
    }

    /// Of X: the token tells nothing.
    pub(super) fn grant_to_account(&mut self, now: Timestamp) -> Reply {
        let token = format!("ya29.{}", self.random.hex());
        let life = self.options.token_expires_in;
        self.tokens.access.insert(token.clone(), self.end_of_a_token(now));
        Reply::json(200, &json!({ "access_token": token, "expires_in": life, "token_type": "Bearer" }))
    }

    /// Of Edge: clients read in the tokens whose they are and when they end.
    fn grant_to_user(&mut self, now: Timestamp, username: &str) -> Reply {
        let (ends, life) = (self.end_of_a_token(now), self.options.token_expires_in);
        let refresh_ends = now.saturating_add(REFRESH_LIFE).unwrap_or(Timestamp::MAX);
        let common = json!({
            "user_name": username,
            "client_id": "edgecli",
            "grant_type": "password",
            "iss": format!("{}/oauth/token", self.base_url),
            "iat": now.as_second(),
        });
        let access = self.jwt(&common, &[("exp", json!(ends.as_second())), ("email", json!(username))]);
        let refresh = self.jwt(&common, &[("exp", json!(refresh_ends.as_second()))]);
        self.tokens.access.insert(access.clone(), ends);
        self.tokens.refresh.insert(refresh.clone(), refresh_ends);
        let answer = json!({
            "access_token": access,
            "refresh_token": refresh,
            "expires_in": life,
            "token_type": "Bearer",
        });
        Reply::json(200, &answer)
    }

    fn end_of_a_token(&self, now: Timestamp) -> Timestamp {
        let life = SignedDuration::from_secs(self.options.token_expires_in.into());
        now.saturating_add(life).unwrap_or(Timestamp::MAX)
    }

    /// Signed with a key that nobody has: the platform knows its tokens by heart, and clients cannot check them.
    fn jwt(&mut self, common: &Value, more: &[(&str, Value)]) -> String {
        let mut claims = common.as_object().cloned().unwrap_or_default();
        claims.insert("jti".to_owned(), json!(self.random.uuid()));
        claims.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&json!({ "alg": "HS256", "typ": "JWT" })), part(&Value::Object(claims)));
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.random.hex().as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, text.as_bytes())))
    }

    pub(super) fn authorize(&self, now: Timestamp, call: &Call) -> Result<(), Refusal> {
        let header = call.header("authorization").unwrap_or_default();
        let good = match header.split_once(' ') {
            Some(("Bearer", token)) => self.tokens.access.get(token).is_some_and(|ends| now < *ends),
            Some(("Basic", pair)) => match &self.login {
                Login::User { username, password } => *pair == STANDARD.encode(format!("{username}:{password}")),
                Login::ServiceAccount { .. } => false,
            },
            _ => false,
        };
        if good {
            return Ok(());
        }
        let message = "Request had invalid authentication credentials. Expected OAuth 2 access token.";
        Err(Refusal::new(401, "UNAUTHENTICATED", message))
    }
}

fn invalid_grant(status: u16, why: &str) -> Reply {
    Reply::json(status, &json!({ "error": "invalid_grant", "error_description": why }))
}

/// Whether an assertion is one that Google would take.
fn judge(assertion: &str, email: &str, key_id: &str, audience: &str, now: Timestamp) -> Result<(), &'static str> {
    const SIGNATURE: &str = "Invalid JWT Signature.";
    let (text, signature) = assertion.rsplit_once('.').ok_or("Malformed JWT.")?;
    let (header, claims) = text.split_once('.').ok_or("Malformed JWT.")?;
    let part = |text: &str| -> Option<Value> { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok() };
    let (header, claims) = (part(header).ok_or("Malformed JWT.")?, part(claims).ok_or("Malformed JWT.")?);
    let says = |object: &Value, name: &str, expected: &str| object.get(name).and_then(Value::as_str) == Some(expected);
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| SIGNATURE)?;
    let public = signing_key().ok_or(SIGNATURE)?;
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &public.public);
    // A client may leave out which key it signs with: the account has one.
    let another_key = header.get("kid").is_some() && !says(&header, "kid", key_id);
    if !says(&header, "alg", "RS256") || another_key {
        return Err(SIGNATURE);
    }
    public.verify(text.as_bytes(), &signature).map_err(|_| SIGNATURE)?;
    if !says(&claims, "iss", email) {
        return Err("Invalid grant: account not found");
    }
    if !says(&claims, "aud", audience) {
        return Err("Invalid JWT: audience does not match");
    }
    if !says(&claims, "scope", "https://www.googleapis.com/auth/cloud-platform") {
        return Err("Invalid OAuth scope");
    }
    let moment = |name: &str| claims.get(name).and_then(Value::as_i64).ok_or("Invalid JWT: times are missing");
    let (issued_at, ends, now) = (moment("iat")?, moment("exp")?, now.as_second());
    let in_time = (issued_at - now).abs() <= CLOCK_OFF_MAX_SECONDS && ends > now;
    if !in_time || ends - issued_at > LIFE_MAX_SECONDS {
        return Err("Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.");
    }
    Ok(())
}
