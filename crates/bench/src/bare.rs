//! The barest client there is: bytes of HTTP on open connections, nothing looked at but the length of the answer.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use futures_util::future::try_join_all;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream},
    net::TcpStream,
};

/// How long so many calls take, so many of them in flight.
pub(crate) async fn calls(base_url: &str, calls: usize, in_flight: usize) -> anyhow::Result<Duration> {
    let address = base_url.strip_prefix("http://").context("an address without TLS")?;
    let (host, path) = address.split_once('/').context("an address with a path")?;
    let request = format!("GET /{path}/me HTTP/1.1\r\nhost: {host}\r\naccept: application/json\r\n\r\n");
    let left = AtomicUsize::new(calls);
    let started = Instant::now();
    try_join_all((0..in_flight).map(|_| converse(host, &request, &left))).await?;
    Ok(started.elapsed())
}

async fn converse(host: &str, request: &str, left: &AtomicUsize) -> anyhow::Result<()> {
    let stream = TcpStream::connect(host).await?;
    stream.set_nodelay(true)?;
    let mut stream = BufStream::new(stream);
    let take = |left: usize| left.checked_sub(1);
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await?;
        let mut body = vec![0; head(&mut stream).await?];
        stream.read_exact(&mut body).await?;
    }
    Ok(())
}

/// Reads the head of an answer and tells the length of its body.
async fn head(stream: &mut BufStream<TcpStream>) -> anyhow::Result<usize> {
    let mut length = None;
    let mut line = String::new();
    loop {
        line.clear();
        stream.read_line(&mut line).await?;
        match line.trim_end().split_once(": ") {
            Some(("content-length", value)) => length = Some(value.parse()?),
            None if line.trim_end().is_empty() => return length.context("an answer without a length"),
            _ => {}
        }
    }
}
