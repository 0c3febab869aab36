//! Addresses at the platform, built segment by segment.

use driver::{DriverError, Kind};
use url::Url;

/// An address below which others are built.
#[derive(Debug, Clone)]
pub(super) struct Base(Url);

impl Base {
    pub(super) fn new(url: Url) -> Self {
        Self(url)
    }

    /// Appends percent-encoded segments. MUST refuse an empty one: an address of one credential without its id is the
    /// address of all credentials of the application, and a DELETE there wipes them all. Dots are refused because URL
    /// parsers on the way take them for "here" and "one up".
    pub(super) fn join<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Result<Url, DriverError> {
        let mut url = self.0.clone();
        {
            let mut path = url
                .path_segments_mut()
                .map_err(|()| DriverError::refused(Kind::Invalid, "the endpoint cannot have a path"))?;
            path.pop_if_empty();
            for segment in segments {
                if matches!(segment, "" | "." | "..") || segment.chars().any(char::is_control) {
                    return Err(DriverError::refused(
                        Kind::Invalid,
                        format!("`{}` is no segment of an address", segment.escape_default()),
                    ));
                }
                path.push(segment);
            }
        }
        Ok(url)
    }
}

/// The form in which the platform writes its ids: 8-4-4-4-12 hex digits.
pub(super) fn is_uuid(text: &str) -> bool {
    uuid_bits(text).is_some()
}

/// The 128 bits of a UUID; `None` for anything that is not exactly one.
pub(super) fn uuid_bits(text: &str) -> Option<u128> {
    const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
    let mut groups = text.split('-');
    let mut bits = 0_u128;
    for length in GROUPS {
        let group = groups.next().filter(|group| group.len() == length)?;
        for byte in group.bytes() {
            bits = bits << 4 | u128::from(char::from(byte).to_digit(16)?);
        }
    }
    groups.next().is_none().then_some(bits)
}

/// The last segments of an address, absolute or relative, the outermost first.
pub(super) fn last_segments<const N: usize>(address: &str) -> Option<[&str; N]> {
    let path = address.split(['?', '#']).next()?;
    let mut from_the_end = path.trim_end_matches('/').rsplit('/');
    let mut found = [""; N];
    for slot in found.iter_mut().rev() {
        *slot = from_the_end.next().filter(|segment| !segment.is_empty())?;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(endpoint: &str) -> Base {
        Base::new(Url::parse(endpoint).unwrap())
    }

    #[test]
    fn segments_are_encoded_and_slashes_at_the_end_do_not_matter() {
        for endpoint in ["https://apim.example.test/api", "https://apim.example.test/api/"] {
            let url = base(endpoint).join(["catalogs", "a/b", "c d%"]).unwrap();
            assert_eq!(url.as_str(), "https://apim.example.test/api/catalogs/a%2Fb/c%20d%25");
        }
    }

    #[test]
    fn a_segment_that_would_name_something_else_is_refused() {
        for segment in ["", ".", "..", "a\nb"] {
            let error = base("https://apim.example.test/api").join(["credentials", segment]).unwrap_err();
            assert_eq!(error.kind, Kind::Invalid, "{segment:?}");
        }
    }

    #[test]
    fn only_whole_uuids_are_uuids() {
        assert!(is_uuid("0b1e7a54-93c1-4f0e-8d7a-0123456789Ab"));
        for text in [
            "",
            "0b1e7a54-93c1-4f0e-8d7a-0123456789a",
            "0b1e7a54-93c1-4f0e-8d7a-0123456789ag",
            "0b1e7a54-93c1-4f0e-8d7a-0123456789ab-",
            "0b1e7a5493c14f0e8d7a0123456789ab",
            "{0b1e7a54-93c1-4f0e-8d7a-0123456789ab}",
            "+b1e7a54-93c1-4f0e-8d7a-0123456789ab",
        ] {
            assert!(!is_uuid(text), "{text}");
        }
    }

    #[test]
    fn ids_are_the_last_segments_of_relative_and_absolute_addresses() {
        assert_eq!(last_segments("https://apim.example.test/api/apps/p/c/o/a"), Some(["o", "a"]));
        assert_eq!(last_segments("/apps/p/c/o/a/?x=1"), Some(["o", "a"]));
        assert_eq!(last_segments::<2>("a"), None);
    }
}
