//! The servers start, answer, and end with their value.

#![allow(clippy::unwrap_used, reason = "everything here is a test")]

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use components::{Heard, Scripted};

/// The first line of the answer.
fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address.trim_start_matches("http://")).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: loopback\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

fn is_up(address: &str) -> bool {
    TcpStream::connect(address.trim_start_matches("http://")).is_ok()
}

#[test]
fn an_openbao_starts_and_ends_and_keeps_its_token_to_itself() {
    let bao = components::bao();
    let address = bao.address();
    assert_eq!(get(&address, "/v1/sys/health"), "HTTP/1.1 200 OK");
    let seen = format!("{} {bao:?}", bao.server().output());
    assert!(!seen.contains(bao.root_token()), "{seen}");
    drop(bao);
    assert!(!is_up(&address), "it has ended");
}

#[test]
fn a_moto_starts_and_ends() {
    let moto = components::moto();
    let address = moto.address();
    assert_eq!(get(&address, "/moto-api/data.json"), "HTTP/1.1 200 OK");
    drop(moto);
    assert!(!is_up(&address), "it has ended");
}

#[test]
fn a_scripted_server_says_what_it_is_told() {
    let server = Scripted::new(Box::new(|heard: &Heard| (heard.path == "/there").then(|| (200, "{}".to_owned()))));
    assert_eq!(get(&server.address(), "/there"), "HTTP/1.1 200 -");
    assert_eq!(get(&server.address(), "/elsewhere"), "", "it hangs up");
}

#[test]
#[should_panic(expected = "run `cargo xtask setup`")]
fn what_is_not_installed_is_said() {
    let _ = components::program("no-such-component");
}

#[test]
fn a_cluster_has_a_standby_that_serves() {
    let cluster = components::bao_cluster();
    assert_eq!(get(&cluster.active().address(), "/v1/sys/health"), "HTTP/1.1 200 OK");
    assert_eq!(get(&cluster.standby().address(), "/v1/sys/health"), "HTTP/1.1 429 Too Many Requests");
    assert_eq!(get(&cluster.standby().address(), "/v1/sys/health?standbyok=true"), "HTTP/1.1 200 OK");
    let seen = format!("{cluster:?} {}", cluster.active().output());
    assert!(!seen.contains(cluster.root_token()));
}
