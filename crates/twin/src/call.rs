//! One HTTP exchange, as plain data.

use std::fmt;

use bytes::Bytes;
use serde_json::Value;

/// What arrives. Debug prints no header and no body: both carry secrets.
#[derive(Clone)]
pub struct Call {
    /// Upper case.
    pub method: String,
    /// As in the request line: the whole path on the host, starting with `/`, still percent-encoded.
    pub path: String,
    /// Without the question mark, still percent-encoded.
    pub query: String,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

impl Call {
    /// The first header of this name, in whatever case it came.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({} bytes)", self.method, self.path, self.body.len())
    }
}

/// What goes back. Debug prints no body: it may carry a secret.
#[derive(Clone)]
pub struct Reply {
    pub status: u16,
    /// Lower-case names.
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

impl Reply {
    pub fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.to_string().into(),
        }
    }

    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new() }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.status, self.body.len())
    }
}
