use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use twin::{Addresses, Serving};

use crate::shelf::{start, world};

async fn serving(faults: &[&str], latency: Duration) -> Serving {
    twin::serve(world(faults), Addresses::loopback(), latency, start).await.unwrap()
}

fn host(url: &str) -> SocketAddr {
    url.trim_start_matches("http://").trim_end_matches("/api").parse().unwrap()
}

/// Sends one request and reads one answer; `None` when the connection ends without one.
async fn exchange(stream: &mut TcpStream, method: &str, path: &str, body: &str) -> Option<(String, Value)> {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: t\r\nuser-agent: raw/1\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut read = Vec::new();
    loop {
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&read).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse::<usize>();
        if body.len() >= length.unwrap() {
            return Some((head, serde_json::from_str(body).unwrap()));
        }
    }
}

#[tokio::test]
async fn three_listeners_share_one_world() {
    let serving = serving(&[], Duration::ZERO).await;
    let announced = serving.announcement().clone();
    assert_eq!(announced["driver"], "shelf");
    assert_eq!(announced["login"], json!({ "user": "toy" }));
    let base_url = announced["base_url"].as_str().unwrap();
    assert!(base_url.ends_with("/api"));
    assert_eq!(serving.base_url(), base_url);

    let mut platform = TcpStream::connect(host(base_url)).await.unwrap();
    let (head, body) = exchange(&mut platform, "POST", "/api/pen?x=1", "{}").await.unwrap();
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert_eq!(head.matches("date:").count(), 1, "{head}");
    assert!(head.contains("date: sun, 01 mar 2026 02:00:00 gmt"), "{head}");
    assert_eq!(body, json!({ "names": ["pen"], "base_url": base_url }));
    let (_, body) = exchange(&mut platform, "GET", "/api/", "").await.expect("the connection is kept");
    assert_eq!(body["names"], json!(["pen"]));

    let mut gateway = TcpStream::connect(host(&serving.gateway_url())).await.unwrap();
    let (_, body) = exchange(&mut gateway, "GET", "/any", "").await.unwrap();
    assert_eq!(body, json!({ "application": "toy" }));

    let mut control = TcpStream::connect(host(serving.control_url())).await.unwrap();
    let (_, calls) = exchange(&mut control, "GET", "/calls", "").await.unwrap();
    assert_eq!(calls.as_array().map(Vec::len), Some(3));
    assert_eq!(calls[0]["user_agent"], "raw/1");
    assert_eq!(calls[0]["query"], "x=1");
    assert_eq!(serving.lock().calls().len(), 3);
}

#[tokio::test]
async fn a_cut_closes_the_connection_at_once() {
    let serving = serving(&["timeout_after@issue"], Duration::ZERO).await;
    let begun = Instant::now();
    let mut platform = TcpStream::connect(host(&serving.base_url())).await.unwrap();
    assert!(exchange(&mut platform, "POST", "/api/pen", "{}").await.is_none());
    assert!(begun.elapsed() < Duration::from_secs(5), "a cut is no hang");
    assert_eq!(serving.lock().state(start())["names"], json!(["pen"]));
}

#[tokio::test]
async fn latency_delays_the_platform_alone() {
    let latency = Duration::from_millis(60);
    let serving = serving(&[], latency).await;
    let begun = Instant::now();
    let mut platform = TcpStream::connect(host(&serving.base_url())).await.unwrap();
    exchange(&mut platform, "GET", "/api/", "").await.unwrap();
    assert!(begun.elapsed() >= latency);
}

#[tokio::test]
async fn hundreds_of_connections_are_served_together() {
    let serving = serving(&[], Duration::from_millis(20)).await;
    let address = host(&serving.base_url());
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..300 {
        clients.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            for _ in 0..4 {
                exchange(&mut stream, "GET", "/api/", "").await.unwrap();
            }
        });
    }
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    assert_eq!(serving.lock().calls().len(), 1200);
}

#[tokio::test]
async fn an_ended_serving_takes_its_connections_with_it() {
    let serving = serving(&[], Duration::ZERO).await;
    let address = host(&serving.base_url());
    let mut platform = TcpStream::connect(address).await.unwrap();
    exchange(&mut platform, "GET", "/api/", "").await.unwrap();
    let world = serving.world();
    drop(serving);
    assert!(exchange(&mut platform, "GET", "/api/", "").await.is_none());
    assert!(TcpStream::connect(address).await.is_err());
    assert_eq!(world.lock().unwrap().calls().len(), 1);
}
