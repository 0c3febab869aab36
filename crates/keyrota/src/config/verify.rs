//! The probe of a policy: a call that a live version must pass.

use std::fmt;

use driver::{HttpRequest, Method};
use secret::SecretMap;
use url::{Host, Url};
use zeroize::Zeroizing;

use super::{
    field_template::{Piece, pieces},
    tables::{VerifyMethodWord, VerifyTable},
};

const ACCEPTED: u16 = 200;

/// The probe with its templates. Debug prints no header value: one may be secret.
#[derive(Clone)]
pub(crate) struct VerifyConfig {
    pub(crate) url: Url,
    pub(crate) method: Method,
    /// The status that means accepted.
    pub(crate) expect: u16,
    headers: Vec<(String, Vec<Piece>)>,
}

/// A header asks for a field that the version does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProbeError {
    #[error("the header `{header}` of `verify` needs the field `{field}`, but the secret has {}", .known.join(", "))]
    NoSuchField { header: String, field: String, known: Vec<String> },
    #[error("the header `{header}` of `verify` cannot carry the field `{field}`: it is not text")]
    NotText { header: String, field: String },
}

impl VerifyConfig {
    pub(super) fn check(table: VerifyTable) -> Result<Self, String> {
        let url = Url::parse(&table.url).map_err(|error| format!("`url` is not an address: {error}"))?;
        if !is_safe(&url) {
            return Err("`url` must be https; plain http is for loopback only".to_owned());
        }
        let expect = table.expect.unwrap_or(ACCEPTED);
        if !(100..600).contains(&expect) {
            return Err(format!("`expect` is {expect}, which is not an HTTP status"));
        }
        if let Some(name) = table.headers.keys().find(|name| !is_header_name(name)) {
            return Err(format!("`{}` is not the name of a header", name.escape_debug()));
        }
        let method = match table.method {
            VerifyMethodWord::Get => Method::Get,
            VerifyMethodWord::Post => Method::Post,
        };
        let header = |(name, value): (String, String)| match pieces(&value) {
            Ok(pieces) => Ok((name, pieces)),
            Err(invalid) => Err(format!("the header `{name}`: {invalid}")),
        };
        let headers = table.headers.into_iter().map(header).collect::<Result<_, String>>()?;
        Ok(Self { url, method, expect, headers })
    }

    /// For digests alone.
    pub(crate) fn in_full(&self) -> String {
        let Self { url, method, expect, headers } = self;
        format!("{} {url} {headers:?} {expect}", method.as_str())
    }

    /// The call with the secret filled in.
    pub(crate) fn request(&self, secret: &SecretMap) -> Result<HttpRequest, ProbeError> {
        let mut request = HttpRequest::new(self.method, self.url.clone());
        for (header, pieces) in &self.headers {
            let mut value = String::new();
            for piece in pieces {
                match piece {
                    Piece::Text(text) => value.push_str(text),
                    Piece::Field { name, base64 } => value.push_str(&field_text(secret, header, name, *base64)?),
                }
            }
            request.custom_headers.push((header.clone(), value));
        }
        Ok(request)
    }
}

fn field_text(secret: &SecretMap, header: &str, field: &str, base64: bool) -> Result<Zeroizing<String>, ProbeError> {
    let value = secret.get(field).ok_or_else(|| ProbeError::NoSuchField {
        header: header.to_owned(),
        field: field.to_owned(),
        known: secret.iter().map(|(name, _)| format!("`{name}`")).collect(),
    })?;
    let bytes = Piece::filled(value, base64);
    let text = std::str::from_utf8(&bytes).map(|text| Zeroizing::new(text.to_owned()));
    text.map_err(|_| ProbeError::NotText { header: header.to_owned(), field: field.to_owned() })
}

/// Whether secrets may travel to this address.
pub(super) fn is_safe(url: &Url) -> bool {
    match url.scheme() {
        "https" => url.host().is_some(),
        "http" => is_loopback(url),
        _ => false,
    }
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn is_header_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(allowed)
}

impl fmt::Debug for VerifyConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        write!(f, "VerifyConfig({} {}{}", self.method.as_str(), self.url.authority(), self.url.path())?;
        write!(f, ", headers {names:?}, expect {})", self.expect)
    }
}

#[cfg(test)]
mod tests {
    use secret::Secret;

    use super::*;

    fn probe(url: &str, header: &str) -> Result<VerifyConfig, String> {
        let headers = [("X-Test".to_owned(), header.to_owned())].into();
        VerifyConfig::check(VerifyTable { url: url.to_owned(), method: VerifyMethodWord::Get, headers, expect: None })
    }

    fn secret() -> SecretMap {
        SecretMap::new([("client_id".to_owned(), Secret::from_text("id-1"))])
    }

    #[track_caller]
    fn check_header(template: &str, expected: &str) {
        let probe = probe("https://gateway.example.com/ping", template).unwrap();
        let request = probe.request(&secret()).unwrap();
        assert_eq!(request.custom_headers, [("X-Test".to_owned(), expected.to_owned())]);
    }

    #[test]
    fn fields_are_filled_in_and_doubled_braces_stay() {
        check_header("{client_id}", "id-1");
        check_header("a {client_id} b {client_id:base64}", "a id-1 b aWQtMQ==");
        check_header(r#"{{"id":"{client_id}"}}"#, r#"{"id":"id-1"}"#);
        let error = probe("https://x.example/", "{client_id").unwrap_err();
        assert!(error.starts_with("the header `X-Test`: a `{` has no `}`"), "{error}");
    }

    #[test]
    fn a_field_that_is_not_there_is_named() {
        let error = probe("https://x.example/", "{client_secret}").unwrap().request(&secret()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the header `X-Test` of `verify` needs the field `client_secret`, but the secret has `client_id`"
        );
    }

    #[test]
    fn secrets_travel_only_over_tls_or_loopback() {
        for url in ["https://x.example/", "http://127.0.0.1:8080/", "http://[::1]/", "http://localhost:1/"] {
            assert!(probe(url, "").is_ok(), "{url}");
        }
        for url in ["http://x.example/", "ftp://127.0.0.1/", "nonsense", "http://127.0.0.1.example.com/"] {
            assert!(probe(url, "").is_err(), "{url}");
        }
    }

    #[test]
    fn debug_prints_no_header_value() {
        let probe = probe("https://x.example/?q=canary-1", "canary-2").unwrap();
        assert!(!format!("{probe:?}").contains("canary"));
    }
}
