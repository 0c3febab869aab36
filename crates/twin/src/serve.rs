//! A world over HTTP: three listeners, one for the platform, one for the gateway, one for control.
//!
//! It only carries calls to the world and answers back. Every connection is a task; the world itself is behind one
//! lock, which is held for a call and never across a wait.

use std::{
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    header::{HeaderName, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
};

use crate::{Answer, Call, Reply, Side, World};

/// No call of any platform here comes near it.
const BODY_BYTES_MAX: usize = 1 << 20;
/// When the process is out of descriptors, trying again at once would only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Where the real time comes from; `Timestamp::now`, outside tests.
pub type Clock = fn() -> Timestamp;

/// Where to listen. Port 0 means any free one.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    pub platform: SocketAddr,
    pub gateway: SocketAddr,
    pub control: SocketAddr,
}

impl Addresses {
    /// Any free ports of this machine, reachable from nowhere else.
    pub fn loopback() -> Self {
        Self::beside(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    /// The platform at this address, gateway and control at free ports beside it.
    pub fn beside(platform: SocketAddr) -> Self {
        let free = SocketAddr::new(platform.ip(), 0);
        Self { platform, gateway: free, control: free }
    }
}

/// A world that is being served. Dropping it ends the listeners and every open connection.
#[derive(Debug)]
pub struct Serving {
    world: Arc<Mutex<World>>,
    announcement: Value,
    control_url: String,
    listeners: Vec<AbortHandle>,
}

impl Serving {
    /// The one line of JSON that a client needs: driver, base_url, gateway_url, login, control_url.
    pub fn announcement(&self) -> &Value {
        &self.announcement
    }

    /// The world itself, for those in the same process.
    pub fn world(&self) -> Arc<Mutex<World>> {
        self.world.clone()
    }

    /// The world, locked. The guard is not to be kept across a wait.
    pub fn lock(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    pub fn base_url(&self) -> String {
        self.lock().base_url().to_owned()
    }

    pub fn gateway_url(&self) -> String {
        self.lock().gateway_url().to_owned()
    }

    pub fn control_url(&self) -> &str {
        &self.control_url
    }

    /// Ends the listeners and every open connection; the world stays with those who share it.
    pub fn shut_down(&self) {
        for listener in &self.listeners {
            listener.abort();
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.shut_down();
    }
}

/// Serves a world until the answer is dropped. Every call to the platform is answered after `latency`.
///
/// # Errors
/// An address that cannot be listened on.
pub async fn serve(mut world: World, addresses: Addresses, latency: Duration, clock: Clock) -> io::Result<Serving> {
    let platform = TcpListener::bind(addresses.platform).await?;
    let gateway = TcpListener::bind(addresses.gateway).await?;
    let control = TcpListener::bind(addresses.control).await?;
    let control_url = format!("http://{}", control.local_addr()?);
    world.serve_at(&format!("http://{}", platform.local_addr()?), &format!("http://{}", gateway.local_addr()?));
    let announcement = world.announcement(&control_url);
    let world = Arc::new(Mutex::new(world));
    let listeners = [
        (platform, Entrance::Side(Side::Platform), latency),
        (gateway, Entrance::Side(Side::Gateway), Duration::ZERO),
        (control, Entrance::Control, Duration::ZERO),
    ]
    .into_iter()
    .map(|(listener, entrance, latency)| {
        let door = Arc::new(Door { world: world.clone(), entrance, latency, clock });
        tokio::spawn(accept(listener, door)).abort_handle()
    })
    .collect();
    Ok(Serving { world, announcement, control_url, listeners })
}

#[derive(Debug, Clone, Copy)]
enum Entrance {
    Side(Side),
    Control,
}

struct Door {
    world: Arc<Mutex<World>>,
    entrance: Entrance,
    latency: Duration,
    clock: Clock,
}

/// A panic in one call must not silence the others; the state of a twin is only ever test data.
fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends with the task: dropping the set closes the connections.
async fn accept(listener: TcpListener, door: Arc<Door>) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(converse(stream, door.clone()));
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn converse(stream: TcpStream, door: Arc<Door>) {
    // Without it, small answers wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| answer(door.clone(), request));
    // It ends with an error on every cut, and there is nobody to tell.
    let _ = http1::Builder::new().auto_date_header(false).serve_connection(TokioIo::new(stream), service).await;
}

/// Makes hyper close the connection without an answer.
#[derive(Debug)]
struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cut on purpose")
    }
}

impl std::error::Error for Cut {}

async fn answer(door: Arc<Door>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Cut> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
        let error = json!({ "error": format!("the body is longer than {BODY_BYTES_MAX} bytes or broke off") });
        return Ok(response(Reply::json(413, &error)));
    };
    let call = Call {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        body: body.to_bytes(),
    };
    if !door.latency.is_zero() {
        tokio::time::sleep(door.latency).await;
    }
    match ask(&door, &call) {
        Answer::Reply(reply) => Ok(response(reply)),
        Answer::Cut => Err(Cut),
    }
}

fn ask(door: &Door, call: &Call) -> Answer {
    let now = (door.clock)();
    let mut world = lock(&door.world);
    match door.entrance {
        Entrance::Side(side) => world.handle(now, side, call),
        Entrance::Control => Answer::Reply(world.control(now, call)),
    }
}

fn response(reply: Reply) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(reply.body));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in reply.headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&value)) {
            response.headers_mut().append(name, value);
        }
    }
    response
}
