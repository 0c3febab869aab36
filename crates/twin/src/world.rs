//! A twin with its clock, its faults and its call log.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp, fmt::rfc2822::DateTimePrinter};
use serde_json::{Value, json};

use crate::{Call, Fault, FaultKind, Random, Reply, Twin};

/// The log forgets its oldest entries past this: a demo may be left running for days, and no test makes as many calls
/// before it reads them.
const CALLS_KEPT_MAX: usize = 200_000;

/// Which address a call came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Platform,
    Gateway,
}

impl Side {
    pub fn word(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Gateway => "gateway",
        }
    }
}

/// What the caller gets.
#[derive(Debug)]
pub enum Answer {
    Reply(Reply),
    /// The connection is closed without an answer.
    Cut,
}

#[derive(Debug, Clone)]
pub struct LoggedCall {
    /// By the twin's clock.
    pub at: Timestamp,
    pub side: Side,
    pub method: String,
    pub path: String,
    pub query: String,
    pub route: &'static str,
    /// `None`: the caller got no answer.
    pub status: Option<u16>,
    pub user_agent: String,
}

/// Everything around a twin that does not depend on the platform.
///
/// It has no clock of its own: whoever calls brings the real time, and the world adds what its clock was advanced by.
#[derive(Debug)]
pub struct World {
    twin: Box<dyn Twin>,
    offset: SignedDuration,
    faults: Vec<Fault>,
    random: Random,
    calls: VecDeque<LoggedCall>,
    base_url: String,
    gateway_url: String,
}

impl World {
    /// The seed decides which calls the faults strike; the twin has its own.
    pub fn new(twin: Box<dyn Twin>, seed: u64) -> Self {
        Self {
            twin,
            offset: SignedDuration::ZERO,
            faults: Vec::new(),
            random: Random::new(seed),
            calls: VecDeque::new(),
            base_url: String::new(),
            gateway_url: String::new(),
        }
    }

    /// Tells the twin where it is served: `host_url` as `http://127.0.0.1:8080`, without a path. To be done before the
    /// first call.
    pub fn serve_at(&mut self, host_url: &str, gateway_url: &str) {
        self.base_url = format!("{}{}", host_url.trim_end_matches('/'), self.twin.base_path());
        gateway_url.trim_end_matches('/').clone_into(&mut self.gateway_url);
        self.twin.serve_at(&self.base_url, &self.gateway_url);
    }

    /// What a client puts in front of the platform's paths.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    pub fn gateway_url(&self) -> &str {
        &self.gateway_url
    }

    /// All that a client needs, as `keyrota twin` prints it.
    pub fn announcement(&self, control_url: &str) -> Value {
        json!({
            "driver": self.twin.driver(),
            "base_url": self.base_url,
            "gateway_url": self.gateway_url,
            "login": self.twin.login(),
            "control_url": control_url,
        })
    }

    /// What a client logs in with.
    pub fn login(&self) -> Value {
        self.twin.login()
    }

    /// One call to the platform or the gateway. A reply always carries a `Date` by the twin's clock.
    pub fn handle(&mut self, real_now: Timestamp, side: Side, call: &Call) -> Answer {
        let now = self.now(real_now);
        let route = match side {
            Side::Platform => self.twin.route(call),
            Side::Gateway => "gateway",
        };
        let answer = match self.answer(now, side, route, call) {
            Answer::Reply(reply) => Answer::Reply(dated(reply, now)),
            Answer::Cut => Answer::Cut,
        };
        self.log(now, side, route, call, &answer);
        answer
    }

    fn answer(&mut self, now: Timestamp, side: Side, route: &'static str, call: &Call) -> Answer {
        let Some(kind) = self.strike(side, route) else {
            return Answer::Reply(self.perform(now, side, call, None));
        };
        match kind {
            FaultKind::TimeoutBefore => Answer::Cut,
            FaultKind::TimeoutAfter => {
                // The answer is made and thrown away: that is the fault.
                self.perform(now, side, call, None);
                Answer::Cut
            }
            FaultKind::Error => Answer::Reply(self.broken(side)),
            FaultKind::Throttle => {
                Answer::Reply(self.refusal(side, 429, "Too Many Requests").header("retry-after", "1"))
            }
            FaultKind::Conflict => {
                Answer::Reply(self.refusal(side, 409, "An object with the same name already exists."))
            }
            FaultKind::StaleList | FaultKind::Lag | FaultKind::Lies => {
                Answer::Reply(self.perform(now, side, call, Some(kind)))
            }
        }
    }

    /// At most one fault strikes a call: the first, in the order in which they were added, whose dice say so.
    fn strike(&mut self, side: Side, route: &str) -> Option<FaultKind> {
        let random = &mut self.random;
        let struck = self.faults.iter().find(|fault| fault.aims_at(side, route) && random.share() < fault.rate)?;
        Some(struck.kind)
    }

    fn perform(&mut self, now: Timestamp, side: Side, call: &Call, fault: Option<FaultKind>) -> Reply {
        match side {
            Side::Platform => self.twin.platform(now, call, fault),
            Side::Gateway => self.twin.gateway(now, call),
        }
    }

    fn refusal(&self, side: Side, status: u16, message: &str) -> Reply {
        match side {
            Side::Platform => self.twin.error(status, message),
            Side::Gateway => self.twin.gateway_error(status, message),
        }
    }

    /// The platform's own error, or the page of a proxy in front of it that never heard of JSON.
    fn broken(&mut self, side: Side) -> Reply {
        match self.random.below(4) {
            0 | 1 => self.refusal(side, 500, "Internal Server Error"),
            2 => self.refusal(side, 503, "Service Unavailable"),
            _ => Reply {
                status: 503,
                headers: vec![("content-type".to_owned(), "text/html".to_owned())],
                body: "<html><body><h1>503 Service Unavailable</h1>No server is available.</body></html>".into(),
            },
        }
    }

    fn log(&mut self, at: Timestamp, side: Side, route: &'static str, call: &Call, answer: &Answer) {
        if self.calls.len() >= CALLS_KEPT_MAX {
            self.calls.pop_front();
        }
        self.calls.push_back(LoggedCall {
            at,
            side,
            method: call.method.clone(),
            path: call.path.clone(),
            query: call.query.clone(),
            route,
            status: match answer {
                Answer::Reply(reply) => Some(reply.status),
                Answer::Cut => None,
            },
            user_agent: call.header("user-agent").unwrap_or_default().to_owned(),
        });
    }

    /// The twin's time when the real time is `real_now`.
    pub fn now(&self, real_now: Timestamp) -> Timestamp {
        real_now.saturating_add(self.offset).unwrap_or(Timestamp::MAX)
    }

    /// Moves the twin's clock against the real one; a negative duration moves it back.
    pub fn advance(&mut self, by: SignedDuration) {
        self.offset = self.offset.saturating_add(by);
    }

    pub fn add_fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Everything that the twin knows, secrets included.
    pub fn state(&self, real_now: Timestamp) -> Value {
        self.twin.state(self.now(real_now))
    }

    /// Acts as a person at the console would; which actions there are, the twin says.
    pub fn tamper(&mut self, real_now: Timestamp, action: &Value) -> Result<Value, String> {
        self.twin.tamper(self.now(real_now), action)
    }

    /// The calls so far, oldest first; the oldest are forgotten after 200,000.
    pub fn calls(&self) -> impl ExactSizeIterator<Item = &LoggedCall> {
        self.calls.iter()
    }
}

fn dated(reply: Reply, now: Timestamp) -> Reply {
    match DateTimePrinter::new().timestamp_to_rfc9110_string(&now) {
        Ok(date) => reply.header("date", date),
        // Only a year before 0 has no such form.
        Err(_) => reply,
    }
}
