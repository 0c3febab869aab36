//! Who calls: a token signed with a key of the tenant, or an access token of an OAuth client. Every refusal of a signed
//! token is 403, as documented; what exactly was wrong stands in a header for tests alone.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::Value;
use twin::{Call, Reply};

use super::{AdminKey, SecurId, message};

const SKEW_SECONDS: f64 = 60.0;
const LIFETIME_SECONDS_MAX: f64 = 3600.0;

/// How every access token of an OAuth client begins. Whatever else is no signed token was meant as one.
pub(super) const ACCESS_TOKEN: &str = "twin-access-";

/// Somebody whom the API knows.
pub(super) struct Bearer {
    pub id: String,
    pub rights: Rights,
}

pub(super) enum Rights {
    SuperAdministrator,
    HelpDesk,
    Permissions(Vec<String>),
}

impl Rights {
    /// Whether a call is allowed: to whom by role, to whom by permission.
    pub(super) fn allow(&self, permission: &str, super_only: bool) -> bool {
        match self {
            Self::SuperAdministrator => true,
            Self::HelpDesk => !super_only,
            Self::Permissions(have) => have.iter().any(|one| one == permission),
        }
    }
}

pub(super) struct Refusal {
    status: u16,
    words: &'static str,
    /// For tests.
    detail: &'static str,
}

impl Refusal {
    pub(super) fn new(status: u16, words: &'static str, detail: &'static str) -> Self {
        Self { status, words, detail }
    }

    pub(super) fn reply(&self) -> Reply {
        message(self.status, self.words).header("x-twin-detail", self.detail)
    }
}

fn denied(detail: &'static str) -> Refusal {
    Refusal::new(403, "Access is denied", detail)
}

/// A compact token, taken apart.
pub(super) struct Token<'a> {
    pub header: Value,
    pub claims: Value,
    pub signed: &'a [u8],
    pub signature: Vec<u8>,
}

impl<'a> Token<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let json = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
        Some(Self {
            header: json(header)?,
            claims: json(claims)?,
            signed: signed.as_bytes(),
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }

    pub(super) fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim)?.as_str()
    }

    /// Fractions are allowed, texts are not.
    pub(super) fn time(&self, claim: &str) -> Option<f64> {
        self.claims.get(claim)?.as_f64()
    }
}

impl SecurId {
    pub(super) fn authorize(&self, now: Timestamp, call: &Call) -> Result<Bearer, Refusal> {
        let header = call.header("authorization").ok_or(denied("no authorization header"))?;
        let text = header.strip_prefix("Bearer ").ok_or(denied("not a bearer"))?;
        if let Some(token) = self.tokens.iter().find(|token| token.bearer == text) {
            return self.of_access_token(now, token);
        }
        let Some(token) = Token::parse(text) else {
            return Err(match text.starts_with(ACCESS_TOKEN) {
                true => Refusal::new(401, "The access token is invalid", "unknown access token"),
                false => denied("no signed token"),
            });
        };
        let key = self.signer(&token)?;
        self.check_claims(now, &token)?;
        let rights = if key.super_admin { Rights::SuperAdministrator } else { Rights::HelpDesk };
        Ok(Bearer { id: key.access_id.clone(), rights })
    }

    fn signer(&self, token: &Token<'_>) -> Result<&AdminKey, Refusal> {
        let member = |name: &str| token.header.get(name).and_then(Value::as_str);
        if member("typ") != Some("JWT") {
            return Err(denied("typ is not JWT"));
        }
        if member("alg") != Some("RS256") {
            return Err(denied("alg is not RS256"));
        }
        let subject = token.text("sub").ok_or(denied("no sub"))?;
        let key = self.keys.iter().find(|key| key.access_id == subject && key.is_there());
        let key = key.ok_or(denied("no such key"))?;
        if !key.material.has_signed("RS256", token.signed, &token.signature) {
            return Err(denied("wrong signature"));
        }
        Ok(key)
    }

    fn check_claims(&self, now: Timestamp, token: &Token<'_>) -> Result<(), Refusal> {
        let audience = token.text("aud").ok_or(denied("no aud"))?;
        let of_the_host = self.options.lenient_audience && audience.starts_with(&self.host_url());
        if audience != self.admin_rest_api_url() && !of_the_host {
            return Err(denied("wrong aud"));
        }
        let issued_at = token.time("iat").ok_or(denied("no iat"))?;
        let expires_at = token.time("exp").ok_or(denied("no exp"))?;
        let now = now.as_second() as f64;
        if expires_at + SKEW_SECONDS < now {
            return Err(Refusal::new(403, "Expired Access Token is not allowed", "expired"));
        }
        if expires_at - issued_at > LIFETIME_SECONDS_MAX {
            return Err(denied("lives longer than an hour"));
        }
        if issued_at - SKEW_SECONDS > now {
            return Err(denied("issued in the future"));
        }
        if issued_at + LIFETIME_SECONDS_MAX + SKEW_SECONDS < now {
            return Err(denied("issued more than an hour ago"));
        }
        Ok(())
    }
}
