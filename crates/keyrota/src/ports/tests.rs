use std::{net::SocketAddr, sync::Arc, time::Duration};

use driver::{Body, Clock as _, Effect, Entropy as _, Http as _, HttpError, HttpFailure, HttpRequest, Method};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;
use url::Url;

use super::*;

const CANARY: &str = "canary-90ad";

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Reads one request to the end of its head, and of its body where it has one.
async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        let count = stream.read(&mut buffer).await.unwrap();
        assert_ne!(count, 0, "the client hung up after {text:?}");
        bytes.extend_from_slice(&buffer[..count]);
    }
}

async fn answer(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), text: &str) -> String {
    let request = read_request(stream).await;
    stream.write_all(text.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    request
}

fn get(address: SocketAddr) -> HttpRequest {
    let url = Url::parse(&format!("http://{address}/path?token={CANARY}")).unwrap();
    HttpRequest::new(Method::Get, url).header("authorization", CANARY)
}

#[track_caller]
fn check(error: &HttpError, failure: HttpFailure, effect: Effect, detail: &str) {
    assert_eq!((error.failure, error.effect, error.detail.as_str()), (failure, effect, detail));
    assert!(!format!("{error} {error:?}").contains(CANARY));
}

#[tokio::test]
async fn a_request_arrives_whole_and_redirects_are_answers() {
    let (listener, address) = listener().await;
    let http = SystemHttp::new(None).unwrap();
    let mut request = get(address);
    request.method = Method::Post;
    request.body = Body("{\"a\":1}".into());
    request.custom_headers.push(("X-Odd-Name".to_owned(), "v".to_owned()));
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        answer(&mut stream, "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 2\r\n\r\nok").await
    };
    let (response, seen) = tokio::join!(http.send(request), server);
    let response = response.unwrap();
    assert_eq!((response.status, response.header("location")), (302, Some("/x")));
    assert_eq!(response.body.0.as_ref(), b"ok");
    assert!(seen.starts_with(&format!("POST /path?token={CANARY} HTTP/1.1\r\n")));
    let seen = seen.to_lowercase();
    assert!(seen.contains(&format!("user-agent: keyrota/{}\r\n", env!("CARGO_PKG_VERSION"))));
    assert!(seen.contains(&format!("authorization: {CANARY}\r\n")));
    assert!(seen.contains("x-odd-name: v\r\n"));
    assert!(seen.ends_with("{\"a\":1}"));
}

#[tokio::test]
async fn a_refused_connection_changed_nothing() {
    let (listener, address) = listener().await;
    drop(listener);
    let error = SystemHttp::new(None).unwrap().send(get(address)).await.unwrap_err();
    let detail = format!("{address}: Connection refused (os error 111)");
    check(&error, HttpFailure::Unreachable, Effect::NotApplied, &detail);
}

#[tokio::test]
async fn a_header_that_cannot_be_sent_changed_nothing() {
    let (_listener, address) = listener().await;
    let request = get(address).header("x-bad", format!("{CANARY}\r\nx-injected: 1"));
    let error = SystemHttp::new(None).unwrap().send(request).await.unwrap_err();
    let detail = format!("{address}: the request cannot be put into words");
    check(&error, HttpFailure::Unreachable, Effect::NotApplied, &detail);
}

#[tokio::test]
async fn silence_after_the_request_is_in_doubt() {
    let (listener, address) = listener().await;
    let http = SystemHttp::new(None).unwrap();
    let mut request = get(address);
    request.timeout = Duration::from_millis(250);
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        stream
    };
    let (answer, _open) = tokio::join!(http.send(request), server);
    let detail = format!("{address}: waited 0.25 s");
    check(&answer.unwrap_err(), HttpFailure::Timeout, Effect::Unknown, &detail);
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_is_in_doubt() {
    for partial in ["", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"] {
        let (listener, address) = listener().await;
        let http = SystemHttp::new(None).unwrap();
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            answer(&mut stream, partial).await;
        };
        let (answer, ()) = tokio::join!(http.send(get(address)), server);
        let error = answer.unwrap_err();
        assert_eq!((error.failure, error.effect), (HttpFailure::Broken, Effect::Unknown), "{error}");
        assert!(!format!("{error:?}").contains(CANARY));
    }
}

#[tokio::test]
async fn an_answer_over_the_limit_is_refused() {
    let (listener, address) = listener().await;
    let http = SystemHttp::new(None).unwrap().with_answer_limit(8);
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        answer(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123456789").await;
        stream
    };
    let (answer, _open) = tokio::join!(http.send(get(address)), server);
    check(&answer.unwrap_err(), HttpFailure::TooLarge, Effect::Unknown, &format!("{address}: more than 8 bytes"));
}

#[tokio::test]
async fn an_idle_connection_that_the_server_closed_is_no_error() {
    let (listener, address) = listener().await;
    let http = SystemHttp::new(None).unwrap();
    for _ in 0..20 {
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            answer(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        };
        let (answer, ()) = tokio::join!(http.send(get(address)), server);
        assert_eq!(answer.unwrap().status, 200);
    }
}

struct Authority {
    pem: String,
    server: ServerConfig,
}

fn server_config(certificate: &rcgen::Certificate, key: &KeyPair) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap()
}

/// An authority of our own and a server certificate for the loopback address, signed by it.
fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = vec!["127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    let server = server_config(&certificate, &key);
    Authority { pem: issuer.pem(), server }
}

async fn serve_tls(listener: &TcpListener, server: ServerConfig) -> Option<String> {
    let (stream, _): (TcpStream, _) = listener.accept().await.unwrap();
    let mut stream = TlsAcceptor::from(Arc::new(server)).accept(stream).await.ok()?;
    Some(answer(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await)
}

fn https(address: SocketAddr) -> HttpRequest {
    HttpRequest::new(Method::Get, Url::parse(&format!("https://{address}/?{CANARY}")).unwrap())
}

#[tokio::test]
async fn an_unknown_authority_is_refused_before_anything_is_sent() {
    let (listener, address) = listener().await;
    let http = SystemHttp::new(None).unwrap();
    let (answer, seen) = tokio::join!(http.send(https(address)), serve_tls(&listener, authority().server));
    assert_eq!(seen, None);
    let detail = format!("{address}: it is signed by an authority that is not trusted here");
    check(&answer.unwrap_err(), HttpFailure::Certificate, Effect::NotApplied, &detail);
}

#[tokio::test]
async fn a_named_authority_is_trusted_and_the_host_still_checked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let Authority { pem, server } = authority();
    std::fs::write(&file, pem).unwrap();
    let (listener, address) = listener().await;
    let http = SystemHttp::new(Some(&file)).unwrap();
    let (answer, _) = tokio::join!(http.send(https(address)), serve_tls(&listener, server.clone()));
    assert_eq!(answer.unwrap().status, 200);

    let mut other_name = https(address);
    other_name.url.set_host(Some("localhost")).unwrap();
    let (answer, seen) = tokio::join!(http.send(other_name), serve_tls(&listener, server));
    assert_eq!(seen, None);
    let detail = format!("localhost:{}: it was made for another host", address.port());
    check(&answer.unwrap_err(), HttpFailure::Certificate, Effect::NotApplied, &detail);
}

#[tokio::test]
async fn a_self_signed_certificate_is_refused_and_explained() {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    let plain = server_config(&params.self_signed(&key).unwrap(), &key);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = server_config(&params.self_signed(&key).unwrap(), &key);
    for (server, detail) in [
        (plain, "it is signed by an authority that is not trusted here"),
        (authority, "it signs itself and is marked as an authority's, not as a server's"),
    ] {
        let (listener, address) = listener().await;
        let http = SystemHttp::new(None).unwrap();
        let (answer, seen) = tokio::join!(http.send(https(address)), serve_tls(&listener, server));
        assert_eq!(seen, None);
        let detail = format!("{address}: {detail}");
        check(&answer.unwrap_err(), HttpFailure::Certificate, Effect::NotApplied, &detail);
    }
}

#[test]
fn a_file_without_certificates_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let said = |file: &Path| SystemHttp::new(Some(file)).unwrap_err().to_string();
    let shown = file.display().to_string();
    assert_eq!(said(&file), format!("the file {shown} is not a list of PEM certificates"));
    std::fs::write(&file, "nothing here").unwrap();
    assert_eq!(said(&file), format!("the file {shown} holds no PEM certificate"));
}

#[tokio::test]
async fn clock_and_randomness_move() {
    let before = SystemClock.now();
    SystemClock.sleep(Duration::ZERO).await;
    assert!(SystemClock.now() >= before);
    assert_ne!(SystemEntropy.next(), SystemEntropy.next());
}
