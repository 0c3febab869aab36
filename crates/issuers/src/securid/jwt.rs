//! Private keys, and what they sign: JSON Web Tokens with RS256 or ES256.

use std::fmt;

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeyPairComponents, PublicKeyComponents},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use secret::Secret;
use serde::Deserialize;
use serde_json::Value;

use super::secret_text::SecretText;

/// A key that signs. Debug prints its kind.
pub(super) enum SigningKey {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.alg())
    }
}

impl SigningKey {
    fn alg(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::P256(_) => "ES256",
        }
    }

    /// A compact token with these claims. `kid` is left out where the platform finds the key by other means.
    pub(super) fn sign(&self, kid: Option<&str>, claims: &Value) -> Result<Secret, &'static str> {
        let header = match kid {
            Some(kid) => serde_json::json!({ "alg": self.alg(), "kid": kid, "typ": "JWT" }),
            None => serde_json::json!({ "typ": "JWT", "alg": self.alg() }),
        };
        let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let mut token = format!("{}.{}", encoded(&header), encoded(claims));
        let signature = self.signature(token.as_bytes()).ok_or("the key cannot sign")?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(Secret::from_text(token))
    }

    fn signature(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).ok()?;
                Some(signature)
            }
            Self::P256(key) => Some(key.sign(&random, message).ok()?.as_ref().to_vec()),
        }
    }
}

/// The key of an Administration API key file, and the same as tidy PEM. Taken as the file has it and as people store it:
/// with line breaks, with `\n` in letters, on one line.
pub(super) fn read_pem(text: &str) -> Result<(SigningKey, Secret), String> {
    let text = text.replace("\\r", "").replace("\\n", "\n");
    let begin = text.find("-----BEGIN ").ok_or("`accessKey` has no line `-----BEGIN RSA PRIVATE KEY-----`")?;
    let rest = text.get(begin + "-----BEGIN ".len()..).unwrap_or_default();
    let (label, rest) = rest.split_once("-----").ok_or("`accessKey` begins like a key and does not go on like one")?;
    let label = match label {
        "RSA PRIVATE KEY" | "PRIVATE KEY" => label,
        // A label is one of few words; something else may be anything.
        "PUBLIC KEY" | "RSA PUBLIC KEY" | "CERTIFICATE" => {
            return Err(format!("`accessKey` is a {}, not a private key", label.to_lowercase()));
        }
        "ENCRYPTED PRIVATE KEY" => return Err("`accessKey` is encrypted with a password".to_owned()),
        _ => return Err("`accessKey` is no RSA private key".to_owned()),
    };
    let (body, _) = rest.split_once("-----END").ok_or("`accessKey` is cut off: its last line is missing")?;
    let body: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    let der = Secret::new(STANDARD.decode(&body).map_err(|_| "`accessKey` is damaged: it is not base64")?);
    let pair = match label {
        "PRIVATE KEY" => RsaKeyPair::from_pkcs8(der.expose()),
        _ => RsaKeyPair::from_der(der.expose()),
    };
    let pair = pair.map_err(|_| "`accessKey` is damaged: no RSA key of 2048 bits or more can be read from it")?;
    Ok((SigningKey::Rsa(pair), Secret::from_text(pem(label, &body))))
}

/// Lines of 64 characters, as RFC 7468 has them.
fn pem(label: &str, body: &str) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    for (index, character) in body.chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push_str(&format!("\n-----END {label}-----\n"));
    text
}

/// A private JSON Web Key, as the console hands it out with an OAuth client.
#[derive(Debug, Deserialize)]
pub(super) struct Jwk {
    kty: String,
    pub kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    d: Option<SecretText>,
    p: Option<SecretText>,
    q: Option<SecretText>,
    dp: Option<SecretText>,
    dq: Option<SecretText>,
    qi: Option<SecretText>,
}

impl Jwk {
    pub(super) fn signing_key(&self) -> Result<SigningKey, String> {
        if self.d.is_none() {
            return Err("the JSON Web Key is the public half: its private members are missing".to_owned());
        }
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => self.rsa().map(SigningKey::Rsa),
            ("EC", Some("P-256")) => self.p256().map(SigningKey::P256),
            ("EC", _) => Err("the JSON Web Key is of another curve than P-256".to_owned()),
            _ => Err("the JSON Web Key is neither RSA nor EC".to_owned()),
        }
    }

    fn rsa(&self) -> Result<RsaKeyPair, String> {
        let components = KeyPairComponents {
            public_key: PublicKeyComponents { n: open("n", self.n.as_deref())?, e: open("e", self.e.as_deref())? },
            d: hidden("d", &self.d)?,
            p: hidden("p", &self.p)?,
            q: hidden("q", &self.q)?,
            dP: hidden("dp", &self.dp)?,
            dQ: hidden("dq", &self.dq)?,
            qInv: hidden("qi", &self.qi)?,
        };
        RsaKeyPair::from_components(&components).map_err(|_| "the JSON Web Key is damaged".to_owned())
    }

    fn p256(&self) -> Result<EcdsaKeyPair, String> {
        let mut point = vec![4];
        point.extend(open("x", self.x.as_deref())?);
        point.extend(open("y", self.y.as_deref())?);
        let private = hidden("d", &self.d)?;
        EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P256_SHA256_FIXED_SIGNING, private.as_ref(), &point)
            .map_err(|_| "the JSON Web Key is damaged".to_owned())
    }
}

fn open(name: &str, member: Option<&str>) -> Result<Vec<u8>, String> {
    let text = member.ok_or_else(|| format!("the JSON Web Key has no member `{name}`"))?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| format!("the member `{name}` of the JSON Web Key is not base64url"))
}

/// Bytes that wipe themselves, in the form in which the library takes them.
struct Hidden(Secret);

impl AsRef<[u8]> for Hidden {
    fn as_ref(&self) -> &[u8] {
        self.0.expose()
    }
}

fn hidden(name: &str, member: &Option<SecretText>) -> Result<Hidden, String> {
    let text = member.as_ref().and_then(|member| member.0.expose_text());
    open(name, text).map(|bytes| Hidden(Secret::new(bytes)))
}
