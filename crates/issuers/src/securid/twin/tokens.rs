//! The token endpoint: an OAuth client proves itself with what it signs, and gets an access token.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use twin::{Call, Reply};

use super::{
    OauthClient, SecurId,
    bearer::{ACCESS_TOKEN, Bearer, Refusal, Rights, Token},
};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const SKEW_SECONDS: f64 = 60.0;

pub(super) struct AccessToken {
    pub bearer: String,
    client_id: String,
    permissions: Vec<String>,
    expires_at: Timestamp,
}

fn refused(status: u16, error: &str, description: &str) -> Reply {
    Reply::json(status, &json!({ "error": error, "error_description": description }))
}

impl SecurId {
    pub(super) fn of_access_token(&self, now: Timestamp, token: &AccessToken) -> Result<Bearer, Refusal> {
        let there = |client: &&OauthClient| client.client_id == token.client_id && client.deleted_at.is_none();
        if token.expires_at < now {
            return Err(Refusal::new(401, "The access token has expired", "expired access token"));
        }
        if self.clients.iter().find(there).is_none() {
            return Err(Refusal::new(401, "The access token is invalid", "its client is gone"));
        }
        Ok(Bearer { id: token.client_id.clone(), rights: Rights::Permissions(token.permissions.clone()) })
    }

    /// The client that has signed the assertion in the header of a call.
    pub(super) fn of_assertion(&self, now: Timestamp, call: &Call) -> Option<Bearer> {
        let token = Token::parse(call.header("authorization")?.strip_prefix("Bearer ")?)?;
        let client = self.assertion_of(&token, "").ok()?;
        self.check_assertion(now, &token).ok()?;
        Some(Bearer { id: client.client_id.clone(), rights: Rights::Permissions(client.permissions.clone()) })
    }

    pub(super) fn token(&mut self, now: Timestamp, call: &Call) -> Reply {
        self.grant(now, call).unwrap_or_else(|refusal| refusal)
    }

    fn grant(&mut self, now: Timestamp, call: &Call) -> Result<Reply, Reply> {
        let declared = call.header("content-type").unwrap_or_default();
        if !declared.starts_with("application/x-www-form-urlencoded") {
            return Err(refused(400, "invalid_request", "The content type is not supported."));
        }
        let form: Vec<(String, String)> = url::form_urlencoded::parse(&call.body).into_owned().collect();
        let field = |name: &str| form.iter().find(|(have, _)| have == name).map_or("", |(_, value)| value.as_str());
        if field("grant_type") != "client_credentials" {
            return Err(refused(400, "unsupported_grant_type", "Only client_credentials is supported."));
        }
        if field("client_assertion_type") != ASSERTION_TYPE {
            return Err(refused(400, "invalid_request", "The client assertion type is not supported."));
        }
        let unproved = |why: &str| refused(401, "invalid_client", why);
        let token = Token::parse(field("client_assertion")).ok_or(unproved("The assertion cannot be read."))?;
        let client = self.assertion_of(&token, field("client_id"))?;
        let (client_id, have) = (client.client_id.clone(), client.permissions.clone());
        self.check_assertion(now, &token)?;
        let nonce = token.text("jti").ok_or(unproved("The assertion has no jti."))?;
        if !self.spent.insert(nonce.to_owned()) {
            return Err(unproved("The assertion was used already."));
        }
        let asked: Vec<String> = field("scope").split_whitespace().map(str::to_owned).collect();
        if asked.iter().any(|one| !have.contains(one)) {
            return Err(refused(400, "invalid_scope", "The client lacks a permission that was asked for."));
        }
        let permissions = if asked.is_empty() { have } else { asked };
        let life = SignedDuration::from_secs(i64::from(self.options.token_expires_in));
        let expires_at = now.saturating_add(life).unwrap_or(Timestamp::MAX);
        let bearer = format!("{ACCESS_TOKEN}{}{}", self.random.hex(), self.random.hex());
        self.tokens.push(AccessToken { bearer: bearer.clone(), client_id, permissions, expires_at });
        Ok(Reply::json(200, &json!({ "access_token": bearer, "token_type": "Bearer", "expires_in": life.as_secs() })))
    }

    fn assertion_of(&self, token: &Token<'_>, named: &str) -> Result<&OauthClient, Reply> {
        let unproved = |why: &str| refused(401, "invalid_client", why);
        let member = |name: &str| token.header.get(name).and_then(|value| value.as_str()).unwrap_or_default();
        let issuer = token.text("iss").unwrap_or_default();
        if token.text("sub") != Some(issuer) || !(named.is_empty() || named == issuer) {
            return Err(unproved("The assertion names different clients."));
        }
        let there = |client: &&OauthClient| client.client_id == issuer && client.deleted_at.is_none();
        let client = self.clients.iter().find(there).ok_or(unproved("The client is unknown."))?;
        if member("kid") != client.kid {
            return Err(unproved("The key of the assertion is unknown."));
        }
        if !client.material.has_signed(member("alg"), token.signed, &token.signature) {
            return Err(unproved("The signature of the assertion is wrong."));
        }
        Ok(client)
    }

    fn check_assertion(&self, now: Timestamp, token: &Token<'_>) -> Result<(), Reply> {
        let unproved = |why: &str| refused(401, "invalid_client", why);
        let issuer = self.oauth_issuer();
        let audience = token.text("aud").unwrap_or_default();
        if audience != format!("{issuer}/token") && !(self.options.lenient_audience && audience == issuer) {
            return Err(unproved("The audience of the assertion is wrong."));
        }
        let now = now.as_second() as f64;
        let expires_at = token.time("exp").ok_or(unproved("The assertion has no exp."))?;
        let issued_at = token.time("iat").ok_or(unproved("The assertion has no iat."))?;
        if expires_at + SKEW_SECONDS < now || issued_at - SKEW_SECONDS > now {
            return Err(unproved("The assertion is not valid at this time."));
        }
        Ok(())
    }
}
