//! Mail, through any server that takes it in: STARTTLS or TLS from the first byte, with or without a login.

mod compose;
mod config;

use std::{error::Error as _, fmt, future::Future, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use driver::{DriverError, Effect, Kind, Message, Notifier, NotifierFacts, Ports, Settings};
use futures_util::future::{Either, select};
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor,
    transport::smtp::{
        Error,
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
    },
};
use tokio::sync::OnceCell;

use self::config::{Checked, SmtpSettings, TlsWord};
use crate::{Configured, NotifierDriver, NotifierPorts, quoted, webhook::read};

pub const DRIVER: NotifierDriver = NotifierDriver {
    name: "smtp",
    about: "mail to owners and lists, through a mail server with STARTTLS or TLS",
    configure,
    schema: || schemars::schema_for!(SmtpSettings),
};

/// A server that is there answers at once; one that is away costs a run no more than this.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// From the connection to the server's word that it has the message: greylisting and virus scanners take their time.
const SEND_TIMEOUT: Duration = Duration::from_secs(20);

type Transport = AsyncSmtpTransport<Tokio1Executor>;

struct Smtp {
    settings: Checked,
    ca_file: Option<PathBuf>,
    ports: Ports,
    /// Made at the first use, because it takes the password; keeps its connection from one message to the next.
    transport: OnceCell<Transport>,
}

fn configure(settings: &Settings, ports: &NotifierPorts) -> Configured {
    if settings.table.is_empty() {
        return Ok(Arc::new(NotSetUp));
    }
    Ok(Arc::new(Smtp {
        settings: settings.read::<SmtpSettings>()?.check(&settings.base_dir)?,
        ca_file: ports.ca_file.clone(),
        ports: ports.ports.clone(),
        transport: OnceCell::new(),
    }))
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Smtp({}:{})", self.settings.host, self.settings.port)
    }
}

impl Smtp {
    async fn transport(&self) -> Result<&Transport, DriverError> {
        self.transport.get_or_try_init(|| self.connectable()).await
    }

    async fn connectable(&self) -> Result<Transport, DriverError> {
        let Checked { host, port, tls, login, base_dir, .. } = &self.settings;
        let mut builder =
            Transport::builder_dangerous(host.as_str()).port(*port).timeout(Some(CONNECT_TIMEOUT)).tls(match tls {
                TlsWord::Starttls => Tls::Required(self.tls()?),
                TlsWord::Implicit => Tls::Wrapper(self.tls()?),
                TlsWord::None => Tls::None,
            });
        if let Some((username, password)) = login {
            let password = read(password, base_dir).await?;
            let password = password.expose_text().ok_or_else(|| refused("its password is not text"))?;
            builder = builder.credentials(Credentials::new(username.clone(), password.to_owned()));
        }
        Ok(builder.build())
    }

    fn tls(&self) -> Result<TlsParameters, DriverError> {
        let untrusted = |why: String| DriverError::refused(Kind::Certificate, why);
        let mut builder = TlsParameters::builder(self.settings.host.clone());
        if let Some(file) = &self.ca_file {
            let pem = std::fs::read(file)
                .map_err(|error| untrusted(format!("the file {} cannot be read: {error}", file.display())))?;
            let authority = Certificate::from_pem(&pem)
                .map_err(|_| untrusted(format!("the file {} is not a list of PEM certificates", file.display())))?;
            builder = builder.add_root_certificate(authority);
        }
        builder.build().map_err(|error| untrusted(format!("TLS cannot be set up: {}", said(&error))))
    }

    /// Within the time that a run has for it. What was cut off may have arrived.
    async fn within<T>(&self, exchange: impl Future<Output = Result<T, Error>> + Send) -> Result<T, DriverError> {
        let late = self.ports.clock.sleep(SEND_TIMEOUT);
        match select(Box::pin(exchange), late).await {
            Either::Left((answer, _)) => answer.map_err(|error| self.failed(&error)),
            Either::Right(_) => {
                let what = format!("{}: no answer within {} s", self.settings.host, SEND_TIMEOUT.as_secs());
                Err(DriverError::new(Kind::Unavailable, Effect::Unknown, what))
            }
        }
    }

    fn failed(&self, error: &Error) -> DriverError {
        let (kind, effect) = meaning(error);
        DriverError::new(kind, effect, format!("{}:{}: {}", self.settings.host, self.settings.port, said(error)))
    }
}

#[async_trait]
impl Notifier for Smtp {
    fn facts(&self) -> NotifierFacts {
        NotifierFacts { addresses_people: true, tells: self.settings.to.clone() }
    }

    async fn check(&self) -> Result<Vec<String>, DriverError> {
        let transport = self.transport().await?;
        if !self.within(transport.test_connection()).await? {
            return Err(refused("the server hung up"));
        }
        let as_whom = match &self.settings.login {
            Some((username, _)) => format!("takes messages from {username}"),
            None => "takes messages without a login".to_owned(),
        };
        Ok(vec![format!("{}:{} {as_whom}", self.settings.host, self.settings.port)])
    }

    async fn send(&self, message: &Message) -> Result<(), DriverError> {
        let Some(mail) = compose::mail(message, &self.settings.from) else {
            return Err(DriverError::refused(Kind::Invalid, format!("`{}` is no mail address", quoted(&message.to))));
        };
        let transport = self.transport().await?;
        self.within(transport.send(mail)).await.map(drop)
    }
}

/// A table with a name alone: a place kept in a configuration that is still being written. It tells nobody.
#[derive(Debug)]
struct NotSetUp;

#[async_trait]
impl Notifier for NotSetUp {
    fn facts(&self) -> NotifierFacts {
        NotifierFacts { addresses_people: false, tells: Vec::new() }
    }

    async fn check(&self) -> Result<Vec<String>, DriverError> {
        Ok(vec!["is not set up: it names no `host`, and tells nobody".to_owned()])
    }

    async fn send(&self, _message: &Message) -> Result<(), DriverError> {
        Err(refused("it names no `host`"))
    }
}

fn refused(why: &str) -> DriverError {
    DriverError::refused(Kind::Unauthorized, why)
}

/// A reply of the server says for certain that it has not taken the message; a connection that broke says nothing.
fn meaning(error: &Error) -> (Kind, Effect) {
    if let Some(status) = error.status() {
        let kind = match status.to_string().as_str() {
            // The whole service is closing, as against "not now" for one mailbox.
            "421" => Kind::Unavailable,
            "454" | "530" | "534" | "535" | "538" => Kind::Unauthorized,
            _ if error.is_transient() => Kind::Throttled,
            _ => Kind::Invalid,
        };
        return (kind, Effect::NotApplied);
    }
    if is_certificate(error) {
        return (Kind::Certificate, Effect::NotApplied);
    }
    if error.is_client() {
        // Above all: no STARTTLS, or no way to log in that both know.
        return (Kind::Unauthorized, Effect::NotApplied);
    }
    let before = error.is_tls() || said(error).starts_with("Connection error");
    (Kind::Unavailable, if before { Effect::NotApplied } else { Effect::Unknown })
}

fn is_certificate(error: &Error) -> bool {
    let mut source = error.source();
    while let Some(next) = source {
        if next.to_string().contains("certificate") {
            return true;
        }
        source = next.source();
    }
    false
}

/// The server's words, cut. A login of ours is in none of them.
fn said(error: &Error) -> String {
    quoted(&error.to_string())
}
