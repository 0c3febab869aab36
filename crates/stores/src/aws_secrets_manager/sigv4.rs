//! AWS Signature Version 4, as far as our calls need it: every one of them is `POST /` without a query, its body in
//! memory. That leaves out all that is hard about it (paths, queries, streams); docs/adr/0009 says why it is here.

use std::fmt::Write as _;

use aws_lc_rs::{
    digest::{SHA256, digest},
    hmac,
};
use driver::HttpRequest;
use jiff::Timestamp;
use secret::Secret;
use url::Url;

use super::credentials::Credentials;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What a signature is good for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'a> {
    pub region: &'a str,
    pub service: &'a str,
}

/// Adds date, session token and signature. Every header that the request has by now is signed, and the host with them.
pub(super) fn sign(request: HttpRequest, credentials: &Credentials, scope: Scope<'_>, at: Timestamp) -> HttpRequest {
    let time = at.strftime("%Y%m%dT%H%M%SZ").to_string();
    let day = at.strftime("%Y%m%d").to_string();
    let mut request = request.header("x-amz-date", time.clone());
    if let Some(token) = credentials.session_token.as_ref().and_then(|token| token.expose_text()) {
        request = request.header("x-amz-security-token", token);
    }
    let (canonical, signed_headers) = canonical_request(&request);
    let scope_text = format!("{day}/{}/{}/aws4_request", scope.region, scope.service);
    let to_sign = format!("{ALGORITHM}\n{time}\n{scope_text}\n{}", hex(digest(&SHA256, canonical.expose()).as_ref()));
    let signature = hex(chained(credentials, &day, scope, &to_sign).as_ref());
    let key_id = &credentials.access_key_id;
    request.header(
        "authorization",
        format!("{ALGORITHM} Credential={key_id}/{scope_text}, SignedHeaders={signed_headers}, Signature={signature}"),
    )
}

/// The canonical request, which holds the session token, and the names of the signed headers.
fn canonical_request(request: &HttpRequest) -> (Secret, String) {
    let host = host(&request.url);
    let mut headers: Vec<(&str, &str)> = request.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    headers.push(("host", &host));
    headers.sort_unstable();
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let mut text = format!("{}\n/\n\n", request.method.as_str());
    for (name, value) in &headers {
        let words: Vec<&str> = value.split(' ').filter(|word| !word.is_empty()).collect();
        text.push_str(&format!("{name}:{}\n", words.join(" ")));
    }
    text.push_str(&format!("\n{names}\n{}", hex(digest(&SHA256, &request.body.0).as_ref())));
    (Secret::from_text(text), names)
}

/// As it stands in the Host header: with the port, where it is not the scheme's own.
pub(super) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// One key is derived from the other, so that a signature is good for one day, region and service alone.
fn chained(credentials: &Credentials, day: &str, scope: Scope<'_>, to_sign: &str) -> hmac::Tag {
    let start = Secret::new([b"AWS4", credentials.secret_access_key.expose()].concat());
    let step = |key: &[u8], text: &str| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes());
    let mut tag = step(start.expose(), day);
    for text in [scope.region, scope.service, "aws4_request", to_sign] {
        tag = step(tag.as_ref(), text);
    }
    tag
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string has no way to fail.
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}

#[cfg(test)]
mod tests {
    use driver::{Body, Method};

    use super::*;

    const TOKEN: &str = concat!(
        "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8Y",
        "UuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE",
        "8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2",
        "ICCR/oLxBA==",
    );

    /// AWS's own test suite for Signature Version 4: the cases that post to `/`.
    #[track_caller]
    fn check(headers: &[(&'static str, &str)], body: &'static str, token: Option<&str>, names: &str, signature: &str) {
        let mut request = HttpRequest::new(Method::Post, Url::parse("https://example.amazonaws.com/").unwrap());
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        request.body = Body(body.into());
        let credentials = Credentials {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: Secret::from_text("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: token.map(Secret::from_text),
            expires_at: None,
        };
        let scope = Scope { region: "us-east-1", service: "service" };
        let signed = sign(request, &credentials, scope, "2015-08-30T12:36:00Z".parse().unwrap());
        let header = |name| signed.headers.iter().find(|(have, _)| *have == name).map(|(_, value)| value.as_str());
        assert_eq!(header("x-amz-date"), Some("20150830T123600Z"));
        assert_eq!(header("x-amz-security-token"), token);
        let expected = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders={names}, Signature={signature}"
        );
        assert_eq!(header("authorization"), Some(expected.as_str()));
    }

    #[test]
    fn post_vanilla() {
        let expected = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b";
        check(&[], "", None, "host;x-amz-date", expected);
    }

    #[test]
    fn post_header_key_sort() {
        let expected = "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c";
        check(&[("my-header1", "value1")], "", None, "host;my-header1;x-amz-date", expected);
    }

    #[test]
    fn post_header_value_case() {
        let expected = "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d";
        check(&[("my-header1", "VALUE1")], "", None, "host;my-header1;x-amz-date", expected);
    }

    #[test]
    fn post_sts_header_before() {
        let expected = "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead";
        check(&[], "", Some(TOKEN), "host;x-amz-date;x-amz-security-token", expected);
    }

    #[test]
    fn post_x_www_form_urlencoded() {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let expected = "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a";
        check(&form, "Param1=value1", None, "content-type;host;x-amz-date", expected);
    }

    #[test]
    fn post_x_www_form_urlencoded_parameters() {
        let form = [("content-type", "application/x-www-form-urlencoded; charset=utf8")];
        let expected = "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe";
        check(&form, "Param1=value1", None, "content-type;host;x-amz-date", expected);
    }

    #[test]
    fn a_port_belongs_to_the_host_unless_it_is_the_usual_one() {
        for (url, expected) in [
            ("https://sts.eu-central-1.amazonaws.com/", "sts.eu-central-1.amazonaws.com"),
            ("https://sts.eu-central-1.amazonaws.com:443/", "sts.eu-central-1.amazonaws.com"),
            ("http://127.0.0.1:4566/", "127.0.0.1:4566"),
            ("http://[::1]:4566/", "[::1]:4566"),
        ] {
            assert_eq!(host(&Url::parse(url).unwrap()), expected);
        }
    }
}
