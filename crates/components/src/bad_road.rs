//! A road to a server on which things get lost: a reverse proxy with misfortunes drawn from a seed.

use std::{
    fmt,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use twin::Random;

/// Long enough to overtake others, short enough to wait for.
const DELAY: Duration = Duration::from_millis(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Misfortune {
    /// 503, and the server never hears of it.
    Refused,
    /// The server has done it, and its answer is lost.
    AnswerLost,
    /// The server has done it, and half of its answer arrives.
    Truncated,
    Delayed,
}

/// HTTP/1.1 from loopback to a server on loopback, one request a connection.
pub struct BadRoad {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: String,
    /// One request in so many meets something; none while it is zero.
    one_in: AtomicUsize,
    met: AtomicUsize,
    requests: AtomicUsize,
    stopped: AtomicBool,
    seed: u64,
}

impl BadRoad {
    /// `upstream` as `http://127.0.0.1:PORT`.
    pub fn to(upstream: &str, one_in: usize, seed: u64) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            upstream: upstream.strip_prefix("http://").unwrap().to_owned(),
            one_in: one_in.into(),
            met: 0.into(),
            requests: 0.into(),
            stopped: false.into(),
            seed,
        });
        let all = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if all.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let shared = all.clone();
                // Whoever hangs up has no more to say.
                thread::spawn(move || drop(shared.carry(stream)));
            }
        });
        Self { address, shared }
    }

    /// `http://127.0.0.1:PORT`, without a final slash.
    pub fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on nothing gets lost. Answers how many requests met something.
    pub fn mend(&self) -> usize {
        self.shared.one_in.store(0, Ordering::SeqCst);
        self.shared.met.load(Ordering::SeqCst)
    }
}

impl Drop for BadRoad {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the listener, which then sees that it is over.
        drop(TcpStream::connect(self.address));
    }
}

impl fmt::Debug for BadRoad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BadRoad({} to {})", self.address, self.shared.upstream)
    }
}

impl Shared {
    fn carry(&self, mut client: TcpStream) -> io::Result<()> {
        let request = read_message(&mut client)?;
        let misfortune = self.misfortune();
        if misfortune == Some(Misfortune::Refused) {
            return client.write_all(b"HTTP/1.1 503 -\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
        let mut server = TcpStream::connect(&self.upstream)?;
        server.write_all(&request)?;
        let answer = read_message(&mut server)?;
        match misfortune {
            Some(Misfortune::AnswerLost) => return Ok(()),
            Some(Misfortune::Truncated) => return client.write_all(&answer[..answer.len() / 2]),
            Some(Misfortune::Delayed) => thread::park_timeout(DELAY),
            _ => {}
        }
        client.write_all(&answer)
    }

    fn misfortune(&self) -> Option<Misfortune> {
        let number = self.requests.fetch_add(1, Ordering::SeqCst) as u64;
        let one_in = self.one_in.load(Ordering::SeqCst) as u64;
        let mut random = Random::new(self.seed ^ (number << 20));
        if one_in == 0 || !random.next_u64().is_multiple_of(one_in) {
            return None;
        }
        self.met.fetch_add(1, Ordering::SeqCst);
        let all = [Misfortune::Refused, Misfortune::AnswerLost, Misfortune::Truncated, Misfortune::Delayed];
        all.get((random.next_u64() % 4) as usize).copied()
    }
}

/// One whole request or answer, told to be the last of its connection.
fn read_message(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut reader = BufReader::new(stream);
    let mut message = Vec::new();
    let (mut length, mut chunked, mut first) = (None, false, true);
    loop {
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let text = String::from_utf8_lossy(&line).trim_end().to_ascii_lowercase();
        match text.split_once(':') {
            Some(("content-length", value)) if !first => length = value.trim().parse::<usize>().ok(),
            Some(("transfer-encoding", value)) if !first => chunked = value.contains("chunked"),
            Some(("connection", _)) if !first => continue,
            _ => {}
        }
        first = false;
        if text.is_empty() {
            break;
        }
        message.extend_from_slice(&line);
    }
    message.extend_from_slice(b"connection: close\r\n\r\n");
    let no_body = message.starts_with(b"HTTP/1.1 204") || (!message.starts_with(b"HTTP/") && length.is_none());
    match length {
        Some(length) => {
            let mut body = vec![0; length];
            reader.read_exact(&mut body)?;
            message.extend_from_slice(&body);
        }
        None if no_body && !chunked => {}
        None => drop(reader.read_to_end(&mut message)?),
    }
    Ok(message)
}
