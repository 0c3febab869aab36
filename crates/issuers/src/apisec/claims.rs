//! What a token says of itself. Its signature is the vendor's secret and cannot be checked here.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use secret::Secret;
use serde::Deserialize;

/// Longer than any token of the platform, and short enough to be read without thought.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// Nothing here is secret: whoever holds the claims alone holds nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claims {
    pub subject: Option<String>,
    /// Comma-joined roles.
    pub scopes: Option<String>,
    pub tenant: Option<String>,
    pub id: Option<String>,
    pub issued_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Payload {
    sub: Option<String>,
    scopes: Option<String>,
    #[serde(rename = "custom:tenantId")]
    tenant: Option<String>,
    jti: Option<String>,
    iat: Option<i64>,
    exp: Option<i64>,
}

impl Claims {
    /// `None`: it is no token of this platform's form.
    pub(super) fn of(token: &Secret) -> Option<Self> {
        let text = token.expose_text().filter(|text| text.len() <= TOKEN_BYTES_MAX)?;
        let mut parts = text.split('.');
        let (_header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
        let graphic = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        if parts.next().is_some() || signature.is_empty() || !graphic {
            return None;
        }
        let payload: Payload = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
        let time = |seconds: Option<i64>| seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
        Some(Self {
            subject: payload.sub,
            scopes: payload.scopes,
            tenant: payload.tenant,
            id: payload.jti,
            issued_at: time(payload.iat),
            expires_at: time(payload.exp),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(payload: &str) -> Secret {
        Secret::from_text(format!("eyJhbGciOiJIUzI1NiJ9.{}.c2ln", URL_SAFE_NO_PAD.encode(payload)))
    }

    #[test]
    fn what_a_token_says_is_read() {
        let claims =
            Claims::of(&token(r#"{"sub":"Acme//svc","scopes":"ROLE_USER","iat":1,"exp":86401,"x":[1]}"#)).unwrap();
        assert_eq!(claims.subject.as_deref(), Some("Acme//svc"));
        assert_eq!(claims.expires_at, Timestamp::from_second(86_401).ok());
        assert_eq!((claims.tenant, claims.id), (None, None));
    }

    #[test]
    fn what_is_no_token_is_none() {
        for text in ["", "a.b", "a.b.c.d", "a.!.c", "a b.e30.c", "a.e30.", "<html>", "a.W10.c"] {
            assert_eq!(Claims::of(&Secret::from_text(text)), None, "{text}");
        }
        assert_eq!(Claims::of(&Secret::from_text(format!("a.e30.{}", "c".repeat(20_000)))), None);
        assert!(Claims::of(&token("{}")).is_some());
    }
}
