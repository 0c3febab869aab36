//! What a delivery carries: named fields, each a secret.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::Secret;

/// Fields of one version, in the platform's own names, for example `client_id` and `client_secret`.
#[derive(Debug, Default)]
pub struct SecretMap(BTreeMap<String, Secret>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the opened bytes are not a secret map")]
pub struct MalformedMap;

impl SecretMap {
    pub fn new(fields: impl IntoIterator<Item = (String, Secret)>) -> Self {
        Self(fields.into_iter().collect())
    }

    pub fn get(&self, field: &str) -> Option<&Secret> {
        self.0.get(field)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Secret)> {
        self.0.iter().map(|(field, value)| (field.as_str(), value))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn duplicate(&self) -> Self {
        Self(self.0.iter().map(|(field, value)| (field.clone(), value.duplicate())).collect())
    }

    /// One canonical form: length-prefixed fields and values in the order of the field names.
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        const LENGTH: usize = size_of::<u64>();
        let bytes = self.0.iter().map(|(field, value)| 2 * LENGTH + field.len() + value.expose().len()).sum();
        // Large enough from the start: a growing buffer would leave copies behind that nobody wipes.
        let mut out = Zeroizing::new(Vec::with_capacity(bytes));
        for (field, value) in &self.0 {
            for part in [field.as_bytes(), value.expose()] {
                out.extend_from_slice(&(part.len() as u64).to_be_bytes());
                out.extend_from_slice(part);
            }
        }
        out
    }

    pub(crate) fn decode(mut bytes: &[u8]) -> Result<Self, MalformedMap> {
        let mut fields = BTreeMap::new();
        while !bytes.is_empty() {
            let field = take_part(&mut bytes)?;
            let value = take_part(&mut bytes)?;
            let field = std::str::from_utf8(field).map_err(|_| MalformedMap)?;
            fields.insert(field.to_owned(), Secret::new(value.to_vec()));
        }
        Ok(Self(fields))
    }
}

fn take_part<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], MalformedMap> {
    let (length, rest) = bytes.split_first_chunk::<8>().ok_or(MalformedMap)?;
    let length = usize::try_from(u64::from_be_bytes(*length)).map_err(|_| MalformedMap)?;
    let (part, rest) = rest.split_at_checked(length).ok_or(MalformedMap)?;
    *bytes = rest;
    Ok(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_buffer_never_grows() {
        for fields in [vec![], vec![("client_id", 3), ("client_secret", 4096)], vec![("", 0)]] {
            let secret = |bytes| Secret::new(vec![7; bytes]);
            let map = SecretMap::new(fields.into_iter().map(|(field, bytes)| (field.to_owned(), secret(bytes))));
            let encoded = map.encode();
            assert_eq!(encoded.capacity(), encoded.len(), "it was neither too small nor too large");
            assert_eq!(SecretMap::decode(&encoded).unwrap().encode(), encoded);
        }
    }
}
