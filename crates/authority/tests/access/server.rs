//! A real OpenBao, spoken to in the plainest way.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use components::{Bao, bao};
use serde_json::{Value, json};

pub(crate) struct Server(Bao);

impl Server {
    pub(crate) fn start() -> Self {
        Self(bao())
    }

    /// Status and body; a body that is no JSON is null.
    pub(crate) fn call(&self, token: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let address = self.0.address();
        let host = address.strip_prefix("http://").unwrap();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let request = format!(
            "{method} /v1/{path} HTTP/1.0\r\nHost: {host}\r\nX-Vault-Token: {token}\r\nX-Vault-Request: true\r\n\
             Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(host).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    /// As root, where nothing else than success is expected.
    pub(crate) fn must(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.call(self.0.root_token(), method, path, body);
        assert!(status < 300, "{method} {path}: {status} {answer}");
        answer
    }

    pub(crate) fn put_policy(&self, name: &str, text: &str) -> (u16, Value) {
        self.call(self.0.root_token(), "PUT", &format!("sys/policies/acl/{name}"), &json!({ "policy": text }))
    }

    /// A token with these policies and no other.
    pub(crate) fn token(&self, policies: &[String]) -> String {
        let body = json!({ "policies": policies, "no_default_policy": true });
        self.must("POST", "auth/token/create", &body)["auth"]["client_token"].as_str().unwrap().to_owned()
    }
}
