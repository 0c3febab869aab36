//! Key pairs: made by the library, kept for the life of the process, since making one takes as long as a hundred calls.

use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::{
    encoding::{AsBigEndian, AsDer},
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_2048_8192_SHA256,
        RsaKeyPair, UnparsedPublicKey,
    },
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};

/// One key pair with the forms in which it is handed out. Debug shows none of it.
pub(super) struct Material {
    kind: Kind,
    /// As the verifier takes it.
    public: Vec<u8>,
    /// PKCS#1 for RSA, the private number for EC.
    private: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Rsa,
    Ec,
}

impl std::fmt::Debug for Material {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Material({:?})", self.kind)
    }
}

/// Hands out pairs in a fixed order, none twice.
#[derive(Debug, Default)]
pub(super) struct Dealer {
    rsa: usize,
    ec: usize,
}

static RSA: Mutex<Vec<Arc<Material>>> = Mutex::new(Vec::new());
static EC: Mutex<Vec<Arc<Material>>> = Mutex::new(Vec::new());

impl Dealer {
    /// # Errors
    /// When the library cannot make one.
    pub(super) fn deal(&mut self, kind: Kind) -> Result<Arc<Material>, String> {
        let (pool, next) = match kind {
            Kind::Rsa => (&RSA, &mut self.rsa),
            Kind::Ec => (&EC, &mut self.ec),
        };
        let mut pool = pool.lock().unwrap_or_else(PoisonError::into_inner);
        while pool.len() <= *next {
            pool.push(Arc::new(Material::new(kind).ok_or("no key pair can be made")?));
        }
        let dealt = pool.get(*next).cloned().ok_or("no key pair can be made")?;
        *next += 1;
        Ok(dealt)
    }
}

impl Material {
    fn new(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Rsa => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).ok()?;
                let der = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).ok()?;
                let private = pkcs1(der.as_ref())?.to_vec();
                Some(Self { kind, public: pair.public_key().as_ref().to_vec(), private })
            }
            Kind::Ec => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).ok()?;
                let number = AsBigEndian::<aws_lc_rs::encoding::EcPrivateKeyBin<'_>>::as_be_bytes(&pair.private_key());
                let private = number.ok()?.as_ref().to_vec();
                Some(Self { kind, public: pair.public_key().as_ref().to_vec(), private })
            }
        }
    }

    /// Whether this pair has signed the message with the algorithm of its kind.
    pub(super) fn has_signed(&self, alg: &str, message: &[u8], signature: &[u8]) -> bool {
        match (self.kind, alg) {
            (Kind::Rsa, "RS256") => {
                UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.public).verify(message, signature).is_ok()
            }
            (Kind::Ec, "ES256") => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.public).verify(message, signature).is_ok()
            }
            _ => false,
        }
    }

    /// `BEGIN RSA PRIVATE KEY`, in lines of 64.
    pub(super) fn pem(&self) -> String {
        let body = STANDARD.encode(&self.private);
        let lines: Vec<&str> = body.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
        format!("-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----\n", lines.join("\n"))
    }

    /// The private JSON Web Key.
    pub(super) fn jwk(&self, kid: &str) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self.kind {
            Kind::Rsa => {
                let mut jwk = json!({ "kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256" });
                let names = ["version", "n", "e", "d", "p", "q", "dp", "dq", "qi"];
                for (name, number) in names.iter().zip(integers(&self.private)).skip(1) {
                    let first = number.iter().position(|byte| *byte != 0).unwrap_or_default();
                    let number = Value::from(text(number.get(first..).unwrap_or_default()));
                    jwk.as_object_mut().map(|jwk| jwk.insert((*name).to_owned(), number));
                }
                jwk
            }
            Kind::Ec => {
                let (x, y) = self.public.get(1..).unwrap_or_default().split_at_checked(32).unwrap_or_default();
                json!({
                    "kty": "EC", "kid": kid, "use": "sig", "alg": "ES256", "crv": "P-256",
                    "x": text(x), "y": text(y), "d": text(&self.private),
                })
            }
        }
    }
}

/// What is inside of the octet string of a PKCS#8 document: version, algorithm, key.
fn pkcs1(pkcs8: &[u8]) -> Option<&[u8]> {
    let (_, body, _) = element(pkcs8)?;
    let (_, _, rest) = element(body)?;
    let (_, _, rest) = element(rest)?;
    let (tag, key, _) = element(rest)?;
    (tag == 0x04).then_some(key)
}

/// The integers of a sequence, in their order.
fn integers(der: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let Some((_, mut rest, _)) = element(der) else { return found };
    while let Some((0x02, number, after)) = element(rest) {
        found.push(number);
        rest = after;
    }
    found
}

/// Tag, content and what follows of the first DER element.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = der.split_first_chunk::<2>()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        _ => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((tag, content, after))
}
