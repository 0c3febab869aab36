//! The signature of Standard Webhooks (standardwebhooks.com): HMAC-SHA256 over identifier, time and body.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use secret::Secret;

/// Standard Webhooks writes its keys so.
const KEY_PREFIX: &str = "whsec_";

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its secret is not base64, as `{KEY_PREFIX}…` is")]
pub struct InvalidKey;

/// The headers of one attempt. `id` is the same for every attempt at the same thing, `at` is the attempt's own second.
///
/// # Errors
/// When the key is not what Standard Webhooks calls one.
pub fn signed(key: &Secret, id: &str, at: i64, body: &[u8]) -> Result<[(&'static str, String); 3], InvalidKey> {
    let key = key.expose_text().map(str::trim).unwrap_or_default();
    let key = STANDARD.decode(key.strip_prefix(KEY_PREFIX).unwrap_or(key)).map_err(|_| InvalidKey)?;
    if key.is_empty() {
        return Err(InvalidKey);
    }
    let mut signer = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &key));
    signer.update(format!("{id}.{at}.").as_bytes());
    signer.update(body);
    Ok([
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", at.to_string()),
        ("webhook-signature", format!("v1,{}", STANDARD.encode(signer.sign().as_ref()))),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn the_published_example_comes_out() {
        let key = Secret::from_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let body = br#"{"test": 2432232314}"#;
        let headers = signed(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body).unwrap();
        assert_eq!(headers[2].1, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_key_that_is_none_is_refused() {
        for key in ["", "whsec_", "whsec_not base64"] {
            assert_eq!(signed(&Secret::from_text(key), "m", 1, b"").unwrap_err(), InvalidKey);
        }
    }
}
