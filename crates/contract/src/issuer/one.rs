//! One credential, as a listing shows or declares it.

use domain::{CredentialId, Handle};
use driver::{Declared, Found, Subject};
use jiff::Timestamp;

pub(super) struct One {
    pub names: Vec<String>,
    pub title: String,
    pub locator: String,
    pub kind: &'static str,
    pub minted_from: Option<Vec<String>>,
    pub protected: bool,
    /// Where a version of it is shown.
    pub version: Option<(Handle, Timestamp)>,
}

impl One {
    pub(super) fn found(found: Found) -> Self {
        Self {
            names: found.names,
            title: found.title,
            locator: found.locator,
            kind: found.kind,
            minted_from: found.minted_from,
            protected: found.protected,
            version: Some((found.handle, found.created_at)),
        }
    }

    pub(super) fn declared(declared: Declared) -> Self {
        Self {
            names: declared.names,
            title: declared.title,
            locator: declared.locator,
            kind: declared.kind,
            minted_from: declared.minted_from,
            protected: false,
            version: None,
        }
    }

    pub(super) fn name(&self) -> &str {
        self.names.last().unwrap()
    }

    pub(super) fn subject(&self) -> Subject {
        let credential = CredentialId::new("issuer", self.names.iter().map(String::as_str)).unwrap();
        Subject { credential, locator: self.locator.clone() }
    }

    /// Of the version that the listing shows.
    pub(super) fn handle(&self) -> &Handle {
        &self.version.as_ref().expect("a listing shows versions of this kind").0
    }

    pub(super) fn created_at(&self) -> Timestamp {
        self.version.as_ref().expect("a listing shows versions of this kind").1
    }
}
