//! A small blocking HTTP client for the addresses of a twin. It keeps its connection: a consumer makes many calls.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
};

use serde_json::Value;

pub(crate) struct Client {
    address: String,
    stream: Option<BufReader<TcpStream>>,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Client {
    /// `url` as a twin announces it: `http://127.0.0.1:8080`.
    pub(crate) fn new(url: &str) -> Self {
        Self { address: url.strip_prefix("http://").unwrap().to_owned(), stream: None }
    }

    pub(crate) fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.call("GET", path, headers, "")
    }

    /// The status of a call to the protected API with this pair.
    pub(crate) fn ping(&mut self, client_id: &str, client_secret: &str) -> u16 {
        self.call_with("/ping", client_id, client_secret)
    }

    /// The same at an address of the caller's.
    pub(crate) fn call_with(&mut self, path: &str, client_id: &str, client_secret: &str) -> u16 {
        self.get(path, &[("x-ibm-client-id", client_id), ("x-ibm-client-secret", client_secret)]).status
    }

    #[track_caller]
    pub(crate) fn get_json(&mut self, path: &str) -> Value {
        let answer = self.get(path, &[]);
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
        serde_json::from_slice(&answer.body).unwrap()
    }

    #[track_caller]
    pub(crate) fn post(&mut self, path: &str, body: &Value) -> Value {
        let answer = self.call("POST", path, &[("content-type", "application/json")], &body.to_string());
        assert_eq!(answer.status, 200, "{path} {body}: {}", String::from_utf8_lossy(&answer.body));
        serde_json::from_slice(&answer.body).unwrap()
    }

    pub(crate) fn call(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.address);
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        if self.stream.is_some()
            && let Ok(answer) = self.exchange(&request)
        {
            return answer;
        }
        // The first call, or a connection that the other side has closed meanwhile.
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        self.stream = Some(BufReader::new(stream));
        self.exchange(&request).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    fn exchange(&mut self, request: &str) -> io::Result<Answer> {
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        stream.get_mut().write_all(request.as_bytes())?;
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
        let mut length = 0;
        loop {
            line.clear();
            if stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match line.trim_end().to_ascii_lowercase().split_once(": ") {
                None => break,
                Some(("content-length", value)) => length = value.parse().map_err(|_| io::ErrorKind::InvalidData)?,
                Some(_) => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        Ok(Answer { status, body })
    }
}
