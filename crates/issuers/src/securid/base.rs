//! Addresses: of the API, with and without its version, and of the OAuth issuer.

use driver::{DriverError, Kind};
use url::Url;

/// An address to which paths are appended. Two that mean the same place are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Base(String);

impl Base {
    /// RSA's own pages write the address of the API with and without `/v1`: one of either kind at the end is no part of
    /// the place.
    pub(super) fn of_api(url: &Url) -> Self {
        let text = url.as_str();
        let text = text.strip_suffix('/').unwrap_or(text);
        let text = text.strip_suffix("/v1").unwrap_or(text);
        Self(text.strip_suffix('/').unwrap_or(text).to_owned())
    }

    pub(super) fn of_issuer(url: &Url) -> Self {
        let text = url.as_str();
        Self(text.strip_suffix('/').unwrap_or(text).to_owned())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// `path` is ours, for example `v1/adminlog/exportlogs`.
    pub(super) fn join(&self, path: &str) -> Result<Url, DriverError> {
        Url::parse(&format!("{}/{path}", self.0))
            .map_err(|error| DriverError::refused(Kind::Invalid, format!("no address can be made: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_no_part_of_the_place() {
        let one = "https://acme.access.securid.com/AdminInterface/restapi";
        for text in [one.to_owned(), format!("{one}/"), format!("{one}/v1"), format!("{one}/v1/")] {
            let base = Base::of_api(&Url::parse(&text).unwrap());
            assert_eq!(base.as_str(), one);
            assert_eq!(base.join("v1/x").unwrap().as_str(), format!("{one}/v1/x"));
        }
    }
}
