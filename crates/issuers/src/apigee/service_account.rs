//! A Google service account's key file, and the assertions that it signs.

use std::fmt;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use domain::Timestamp;
use secret::Secret;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::api::SecretText;

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// The longest life that Google takes.
const LIFE_SECONDS: i64 = 3600;

pub(super) struct ServiceAccount {
    pub email: String,
    pub token_uri: Url,
    /// The same, letter by letter as the file has it.
    audience: String,
    key_id: Option<String>,
    key: RsaKeyPair,
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceAccount({})", self.email)
    }
}

#[derive(Deserialize)]
struct KeyFile {
    #[serde(rename = "type")]
    kind: String,
    client_email: String,
    private_key: SecretText,
    private_key_id: Option<String>,
    token_uri: String,
}

impl ServiceAccount {
    /// The error never quotes the file.
    pub(super) fn read(file: &Secret) -> Result<Self, &'static str> {
        let file: KeyFile = serde_json::from_slice(file.expose())
            .map_err(|_| "it is no key file of a service account: JSON with client_email, private_key and token_uri")?;
        if file.kind != "service_account" {
            return Err("its `type` is not `service_account`");
        }
        let pem = file.private_key.0.expose_text().unwrap_or_default();
        let der = pkcs8(pem).ok_or("its `private_key` is no PEM text of a PRIVATE KEY")?;
        let key = RsaKeyPair::from_pkcs8(der.expose()).map_err(|_| "its `private_key` is no RSA key")?;
        let token_uri = Url::parse(&file.token_uri).map_err(|_| "its `token_uri` is no address")?;
        Ok(Self { email: file.client_email, token_uri, audience: file.token_uri, key_id: file.private_key_id, key })
    }

    /// A JWT with which a token is had, issued at this moment. `None` when the cryptographic library fails.
    pub(super) fn assertion(&self, issued_at: Timestamp) -> Option<Secret> {
        let issued_at = issued_at.as_second();
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": self.key_id });
        let claims = json!({
            "iss": self.email,
            "scope": SCOPE,
            "aud": self.audience,
            "iat": issued_at,
            "exp": issued_at.saturating_add(LIFE_SECONDS),
        });
        let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let text = format!("{header}.{claims}");
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).ok()?;
        Some(Secret::from_text(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }
}

fn pkcs8(pem: &str) -> Option<Secret> {
    let inner = pem.trim().strip_prefix("-----BEGIN PRIVATE KEY-----")?.strip_suffix("-----END PRIVATE KEY-----")?;
    let text = Secret::from_text(inner.split_ascii_whitespace().collect::<String>());
    STANDARD.decode(text.expose()).ok().map(Secret::new)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::{
        encoding::{AsDer, Pkcs8V1Der},
        rsa::KeySize,
        signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey},
    };

    use super::*;

    #[test]
    fn an_assertion_is_signed_with_the_files_key() {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = key.as_der().unwrap();
        let pem =
            format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der.as_ref()));
        let file = json!({
            "type": "service_account", "client_email": "k@acme.example", "private_key": pem, "private_key_id": "7",
            "token_uri": "https://oauth2.example.test/token", "universe_domain": "googleapis.com",
        });
        let account = ServiceAccount::read(&Secret::from_text(file.to_string())).unwrap();
        assert_eq!(format!("{account:?}"), "ServiceAccount(k@acme.example)");
        let assertion = account.assertion("2026-11-23T10:00:00Z".parse().unwrap()).unwrap();
        let (text, signature) = assertion.expose_text().unwrap().rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref());
        public.verify(text.as_bytes(), &signature).unwrap();
        let claims = URL_SAFE_NO_PAD.decode(text.split_once('.').unwrap().1).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
        assert_eq!((&claims["aud"], &claims["iss"]), (&file["token_uri"], &file["client_email"]));
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_without_quoting_it() {
        let file = |kind: &str, pem: &str| {
            json!({ "type": kind, "client_email": "k", "private_key": pem, "token_uri": "https://t.example" })
                .to_string()
        };
        let good = "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----\n";
        for (text, expected) in [
            ("canary".to_owned(), "no key file"),
            (file("authorized_user", good), "`type`"),
            (file("service_account", "canary"), "PEM"),
            (file("service_account", good), "RSA"),
        ] {
            let error = ServiceAccount::read(&Secret::from_text(text)).unwrap_err();
            assert!(error.contains(expected) && !error.contains("canary"), "{error}");
        }
    }
}
