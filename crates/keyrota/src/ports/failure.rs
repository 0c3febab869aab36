//! What a failed exchange means: which failure, and whether the request may have taken effect.

use std::{error::Error, time::Duration};

use driver::{Effect, HttpError, HttpFailure};
use rustls::CertificateError;
use url::Url;

/// What is said of a server whose certificate is marked as an authority's and signs itself: as `ca_file` it is trusted
/// to sign others, and still serves nobody.
pub(crate) const SIGNS_ITSELF: &str = "signs itself and is marked as an authority's, not as a server's";

/// A failure before the request had left is certain; any later one leaves it in doubt.
pub(super) fn of_exchange(error: &reqwest::Error, url: &Url, timeout: Duration) -> HttpError {
    let failed =
        |failure, effect, detail: String| HttpError { failure, effect, detail: format!("{}: {detail}", host(url)) };
    if let Some(reason) = tls_reason(error) {
        return match reason {
            rustls::Error::InvalidCertificate(invalid) => {
                failed(HttpFailure::Certificate, Effect::NotApplied, certificate_detail(invalid))
            }
            // TLS 1.3 lets a server refuse after the client has begun to speak, so only a failed connect is certain.
            other if error.is_connect() => failed(HttpFailure::Unreachable, Effect::NotApplied, other.to_string()),
            other => failed(HttpFailure::Broken, Effect::Unknown, other.to_string()),
        };
    }
    if error.is_connect() {
        let detail = if error.is_timeout() { "no connection within the deadline".to_owned() } else { innermost(error) };
        return failed(HttpFailure::Unreachable, Effect::NotApplied, detail);
    }
    if error.is_builder() {
        return failed(HttpFailure::Unreachable, Effect::NotApplied, "the request cannot be put into words".to_owned());
    }
    if error.is_timeout() {
        return failed(HttpFailure::Timeout, Effect::Unknown, format!("waited {} s", timeout.as_secs_f64()));
    }
    failed(HttpFailure::Broken, Effect::Unknown, innermost(error))
}

pub(super) fn too_large(url: &Url, bytes_max: usize) -> HttpError {
    let detail = format!("{}: more than {bytes_max} bytes", host(url));
    HttpError { failure: HttpFailure::TooLarge, effect: Effect::Unknown, detail }
}

/// Host and port. Never the path or the query, which may name or hold what is secret.
fn host(url: &Url) -> String {
    match (url.host(), url.port_or_known_default()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_string(),
        (None, _) => "no host".to_owned(),
    }
}

/// The error and what it was made of. An `io::Error` hides the error inside it: its `source` is that error's source.
fn sources<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        let inside = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = inside.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source());
        Some(error)
    })
}

fn tls_reason(error: &reqwest::Error) -> Option<&rustls::Error> {
    sources(error).find_map(|error| error.downcast_ref::<rustls::Error>())
}

/// The last text of the chain says what happened; those before it only say where. The outermost one, which holds the
/// address, is never taken.
fn innermost(error: &reqwest::Error) -> String {
    let last = sources(error).skip(1).last().map(ToString::to_string);
    last.unwrap_or_else(|| "the connection failed".to_owned())
}

fn certificate_detail(invalid: &CertificateError) -> String {
    match invalid {
        CertificateError::UnknownIssuer => "it is signed by an authority that is not trusted here".to_owned(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "it is not valid yet".to_owned(),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it was made for another host".to_owned()
        }
        CertificateError::Revoked => "it was revoked".to_owned(),
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            format!("it {SIGNS_ITSELF}")
        }
        other => other.to_string(),
    }
}
