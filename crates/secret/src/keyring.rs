//! Envelope encryption: root key → data key → one derived key for each purpose.

use aws_lc_rs::{
    aead::{AES_256_GCM_SIV, Aad, RandomizedNonceKey},
    hkdf, hmac, rand,
};
use domain::Fingerprint;
use zeroize::Zeroizing;

use crate::{RootKey, Secret, SecretMap, root_key::KEY_BYTES};

const NONCE_BYTES: usize = 12;
const FORMAT: u8 = 1;

/// A sealed secret: format byte, nonce, ciphertext with tag. Safe to store and to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed(pub Vec<u8>);

/// A data key under the root key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey(pub Vec<u8>);

/// What a sealed secret belongs to. Bound into the seal, so that a row copied onto another does not open.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Which kind of record, for example `version` or `store`.
    pub kind: &'a str,
    pub record: &'a str,
    pub version: u32,
}

impl Context<'_> {
    fn aad(&self) -> Vec<u8> {
        format!("keyrota\0{}\0{}\0{}", self.kind, self.record, self.version).into_bytes()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sealing failed in the cryptographic library")]
pub struct SealError;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error("the root key does not open this database")]
    WrongRootKey,
    #[error("a sealed secret does not open: it was altered, or moved from another record")]
    Altered,
    #[error("a sealed secret has an unknown format")]
    Format,
}

/// The opened data key, as one key for each purpose.
pub struct Keyring {
    seal: Zeroizing<[u8; KEY_BYTES]>,
    fingerprint: hmac::Key,
    plan: hmac::Key,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyring(..)")
    }
}

impl Keyring {
    /// Makes a data key and wraps it. The caller stores the wrapped key before it seals anything.
    pub fn create(root: &RootKey) -> Result<(Self, WrappedKey), SealError> {
        let mut data_key = Zeroizing::new([0; KEY_BYTES]);
        rand::fill(data_key.as_mut_slice()).map_err(|_| SealError)?;
        let wrapped = encrypt(root.bytes(), b"keyrota data key", data_key.as_slice())?;
        Ok((Self::derive(data_key.as_slice())?, WrappedKey(wrapped)))
    }

    pub fn open(root: &RootKey, wrapped: &WrappedKey) -> Result<Self, OpenError> {
        let data_key = decrypt(root.bytes(), b"keyrota data key", &wrapped.0).map_err(|error| match error {
            OpenError::Altered => OpenError::WrongRootKey,
            other => other,
        })?;
        Self::derive(&data_key).map_err(|_| OpenError::Format)
    }

    fn derive(data_key: &[u8]) -> Result<Self, SealError> {
        Ok(Self {
            seal: derived(data_key, b"seal")?,
            fingerprint: hmac::Key::new(hmac::HMAC_SHA256, derived(data_key, b"fingerprint")?.as_slice()),
            plan: hmac::Key::new(hmac::HMAC_SHA256, derived(data_key, b"plan file")?.as_slice()),
        })
    }

    pub fn seal(&self, map: &SecretMap, context: Context<'_>) -> Result<Sealed, SealError> {
        Ok(Sealed(encrypt(self.seal.as_slice(), &context.aad(), &map.encode())?))
    }

    pub fn unseal(&self, sealed: &Sealed, context: Context<'_>) -> Result<SecretMap, OpenError> {
        let bytes = decrypt(self.seal.as_slice(), &context.aad(), &sealed.0)?;
        SecretMap::decode(&bytes).map_err(|_| OpenError::Format)
    }

    pub fn fingerprint(&self, map: &SecretMap) -> Fingerprint {
        let tag = hmac::sign(&self.fingerprint, &map.encode());
        let mut bytes = [0; 32];
        bytes.copy_from_slice(tag.as_ref());
        Fingerprint(bytes)
    }

    /// Signs a plan file, so that `run --plan` performs only what this installation planned.
    pub fn sign_plan(&self, text: &[u8]) -> Vec<u8> {
        hmac::sign(&self.plan, text).as_ref().to_vec()
    }

    pub fn plan_is_ours(&self, text: &[u8], signature: &[u8]) -> bool {
        hmac::verify(&self.plan, text, signature).is_ok()
    }
}

fn derived(data_key: &[u8], purpose: &'static [u8]) -> Result<Zeroizing<[u8; KEY_BYTES]>, SealError> {
    let mut out = Zeroizing::new([0; KEY_BYTES]);
    hkdf::Salt::new(hkdf::HKDF_SHA256, b"keyrota 1")
        .extract(data_key)
        .expand(&[purpose], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(out.as_mut_slice()))
        .map_err(|_| SealError)?;
    Ok(out)
}

fn encrypt(key: &[u8], aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
    let key = RandomizedNonceKey::new(&AES_256_GCM_SIV, key).map_err(|_| SealError)?;
    let mut body = plain.to_vec();
    let nonce = key.seal_in_place_append_tag(Aad::from(aad), &mut body).map_err(|_| SealError)?;
    let mut out = Vec::with_capacity(1 + NONCE_BYTES + body.len());
    out.push(FORMAT);
    out.extend_from_slice(nonce.as_ref());
    out.extend_from_slice(&body);
    Ok(out)
}

fn decrypt(key: &[u8], aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let rest = sealed.strip_prefix(&[FORMAT]).ok_or(OpenError::Format)?;
    let (nonce, body) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(OpenError::Format)?;
    let key = RandomizedNonceKey::new(&AES_256_GCM_SIV, key).map_err(|_| OpenError::Format)?;
    let mut body = Zeroizing::new(body.to_vec());
    let length = key.open_in_place(nonce.into(), Aad::from(aad), &mut body).map_err(|_| OpenError::Altered)?.len();
    body.truncate(length);
    Ok(body)
}

impl From<Vec<(&str, &str)>> for SecretMap {
    fn from(fields: Vec<(&str, &str)>) -> Self {
        Self::new(fields.into_iter().map(|(field, value)| (field.to_owned(), Secret::from_text(value))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::InvalidRootKey;

    const HERE: Context<'_> = Context { kind: "version", record: "apic/acme/shop/key", version: 2 };

    fn ring() -> (RootKey, Keyring, WrappedKey) {
        let root = RootKey::generate().unwrap();
        let (ring, wrapped) = Keyring::create(&root).unwrap();
        (root, ring, wrapped)
    }

    #[test]
    fn sealed_opens_after_a_restart_and_only_in_its_place() {
        let (root, ring, wrapped) = ring();
        let map = SecretMap::from(vec![("client_id", "id"), ("client_secret", "s3cr3t")]);
        let sealed = ring.seal(&map, HERE).unwrap();

        let again = Keyring::open(&root, &wrapped).unwrap();
        let opened = again.unseal(&sealed, HERE).unwrap();
        assert_eq!(opened.get("client_secret").unwrap().expose(), b"s3cr3t");
        assert_eq!(again.fingerprint(&opened), ring.fingerprint(&map));

        let elsewhere = Context { version: 3, ..HERE };
        assert_eq!(again.unseal(&sealed, elsewhere).unwrap_err(), OpenError::Altered);
    }

    #[test]
    fn another_root_key_is_refused_by_name() {
        let (_, _, wrapped) = ring();
        let other = RootKey::generate().unwrap();
        assert_eq!(Keyring::open(&other, &wrapped).unwrap_err(), OpenError::WrongRootKey);
    }

    #[test]
    fn every_altered_byte_is_noticed() {
        let (_, ring, _) = ring();
        let sealed = ring.seal(&SecretMap::from(vec![("a", "b")]), HERE).unwrap();
        for at in 0..sealed.0.len() {
            let mut altered = sealed.clone();
            altered.0[at] ^= 1;
            assert!(ring.unseal(&altered, HERE).is_err(), "byte {at}");
        }
    }

    #[test]
    fn field_boundaries_count_in_the_fingerprint() {
        let (_, ring, _) = ring();
        let one = SecretMap::from(vec![("a", "bc")]);
        let other = SecretMap::from(vec![("ab", "c")]);
        assert_ne!(ring.fingerprint(&one), ring.fingerprint(&other));
    }

    #[test]
    fn a_root_key_survives_its_file() {
        let root = RootKey::generate().unwrap();
        let (_, wrapped) = Keyring::create(&root).unwrap();
        let read = RootKey::parse(&root.to_line()).unwrap();
        assert!(Keyring::open(&read, &wrapped).is_ok());
        assert_eq!(RootKey::parse(&Secret::from_text("hello")).unwrap_err(), InvalidRootKey::Prefix);
        assert_eq!(RootKey::parse(&Secret::from_text("keyrota-root-key-1:AAAA")).unwrap_err(), InvalidRootKey::Bytes);
    }
}
