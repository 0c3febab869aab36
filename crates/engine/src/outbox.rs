//! Sending what waits in the outbox: one message a recipient, whatever has gathered.
//!
//! A channel that is away costs a run seconds and loses nothing; one that refuses us is left alone for longer and
//! longer, because wrong passwords lock accounts.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration as StdDuration,
};

use db::{Db, Sent, Waiting};
use domain::{Duration, Notice, Timestamp};
use driver::{DriverError, Effect, Kind, Message, Notifier, Ports};
use futures_util::future::join_all;

use crate::Stop;

/// In all, a run sends no longer than this; the rest waits for the next one.
const SEND_FOR_MAX: StdDuration = StdDuration::from_secs(60);
/// A recipient gets no more messages than these in an hour and in a day, whatever happens: what comes then, waits and
/// comes together. One that may have arrived counts each time.
const MESSAGES_PER_HOUR_MAX: u32 = 12;
const MESSAGES_PER_DAY_MAX: u32 = 40;
/// What one message tells one by one; a longer list nobody reads.
const LISTED_MAX: usize = 500;
/// So many refusals come without a pause between them, so that what was mended is noticed with the next run. Accounts
/// are rarely locked by fewer.
const REFUSALS_AT_ONCE: u32 = 3;
const PAUSE_FIRST: Duration = Duration::from_secs(60);
const PAUSE_LONGEST: Duration = Duration::from_hours(1);
/// What may have arrived is repeated at longer and longer intervals: whoever got it each time has it often enough.
const DOUBT_PAUSE_LONGEST: Duration = Duration::from_hours(6);
/// So many recipients in a row that are refused: then it is the channel.
const REFUSED_IN_A_ROW_MAX: usize = 3;

/// The outbox with the channels that empty it.
#[derive(Debug)]
pub struct Outbox {
    pub db: Arc<Db>,
    pub ports: Ports,
    pub notifiers: BTreeMap<String, Arc<dyn Notifier>>,
}

/// What went out, and what waits.
#[derive(Debug, Default)]
pub struct Posted {
    pub messages: usize,
    pub notices: usize,
    /// Notices that wait, whatever for.
    pub waiting: usize,
    /// Those that wait because something is wrong.
    pub held_back: Vec<HeldBack>,
}

/// Notices that wait because something is wrong.
#[derive(Debug)]
pub struct HeldBack {
    pub notifier: String,
    /// `None`: everybody whom the channel tells.
    pub recipient: Option<String>,
    pub notices: usize,
    pub why: Held,
}

#[derive(Debug)]
pub enum Held {
    Failed(DriverError),
    /// It failed before, and is left alone for a while.
    Paused {
        error: String,
        until: Timestamp,
    },
    /// The configuration has no such channel any more.
    Unknown,
}

/// Everything that one channel has for one recipient.
type Group = Vec<Waiting>;

struct Pass {
    now: Timestamp,
    /// By our own clock: sending ends then.
    ends_at: Timestamp,
    /// Pauses and limits do not count: a person asked.
    at_once: bool,
    stop: Stop,
    sent_lately: HashMap<(String, String), (u32, u32)>,
}

impl Outbox {
    /// Sends what waits. With `at_once`, pauses after failures and the limits of messages do not count. Once a stop is asked
    /// for, no further message goes out.
    ///
    /// # Errors
    /// Those of the database. What a channel refuses is in the answer.
    pub async fn send(&self, at_once: bool, stop: &Stop) -> Result<Posted, SendError> {
        let mut channels: BTreeMap<String, Vec<Group>> = BTreeMap::new();
        for waiting in self.db.waiting_notices().await? {
            let groups = channels.entry(waiting.notifier.clone()).or_default();
            match groups.last_mut() {
                Some(group) if group.first().is_some_and(|first| first.recipient == waiting.recipient) => {
                    group.push(waiting);
                }
                _ => groups.push(vec![waiting]),
            }
        }
        let mut posted = Posted { waiting: channels.values().flatten().map(Vec::len).sum(), ..Posted::default() };
        if posted.waiting == 0 {
            return Ok(posted);
        }
        let now = self.now().await?;
        let started = self.ports.clock.now();
        let ends_at = started.saturating_add(SEND_FOR_MAX).unwrap_or(started);
        let pass = Pass { now, ends_at, at_once, stop: stop.clone(), sent_lately: self.sent_lately(now).await? };
        let mut troubles: HashMap<String, Trouble> = HashMap::new();
        for (notifier, attempts, retry_at, error) in self.db.channels_in_trouble().await? {
            troubles.insert(notifier, Trouble { attempts, retry_at, error });
        }
        let serving = channels.into_iter().map(|(name, groups)| {
            let trouble = troubles.remove(&name);
            let pass = &pass;
            async move { self.serve(&name, groups, trouble, pass).await }
        });
        for served in join_all(serving).await {
            let served = served?;
            posted.messages += served.messages;
            posted.notices += served.notices;
            posted.held_back.extend(served.held_back);
        }
        posted.waiting -= posted.notices.min(posted.waiting);
        Ok(posted)
    }

    /// The latest of what the clocks say, ours and the issuers': notices bear their times.
    async fn now(&self) -> Result<Timestamp, db::ReadError> {
        let ours = self.ports.clock.now();
        let ahead = self.db.issuer_states().await?.into_iter().map(|state| state.clock_offset).max();
        let ahead = ahead.unwrap_or_default().max(Duration::ZERO);
        Ok(ours.saturating_add(ahead).unwrap_or(ours))
    }

    async fn sent_lately(&self, now: Timestamp) -> Result<HashMap<(String, String), (u32, u32)>, db::ReadError> {
        let mut lately: HashMap<(String, String), (u32, u32)> = HashMap::new();
        let since = |hours| now.saturating_sub(Duration::from_hours(hours)).unwrap_or(Timestamp::MIN);
        for (notifier, recipient, count) in self.db.messages_sent((since(1), now)).await? {
            lately.entry((notifier, recipient)).or_default().0 = count;
        }
        for (notifier, recipient, count) in self.db.messages_sent((since(24), now)).await? {
            lately.entry((notifier, recipient)).or_default().1 = count;
        }
        Ok(lately)
    }

    /// One channel, from recipient to recipient, until it is done, or away, or the time is over.
    async fn serve(
        &self,
        name: &str,
        groups: Vec<Group>,
        trouble: Option<Trouble>,
        pass: &Pass,
    ) -> Result<Posted, SendError> {
        let mut posted = Posted::default();
        let notices = groups.iter().map(Vec::len).sum();
        let whole = |why| HeldBack { notifier: name.to_owned(), recipient: None, notices, why };
        let Some(notifier) = self.notifiers.get(name) else {
            posted.held_back.push(whole(Held::Unknown));
            return Ok(posted);
        };
        if let Some(Trouble { retry_at: Some(until), error, .. }) = &trouble
            && pass.is_paused(*until)
        {
            posted.held_back.push(whole(Held::Paused { error: error.clone(), until: *until }));
            return Ok(posted);
        }
        let mut refused = 0;
        for group in groups {
            if self.ports.clock.now() >= pass.ends_at || pass.stop.is_asked() {
                break;
            }
            let before = posted.notices;
            match self.serve_one(&**notifier, &group, pass, &mut posted).await? {
                None => refused = if posted.notices > before { 0 } else { refused },
                Some(error) => {
                    refused += 1;
                    let is_channel = is_channel(error.kind) || refused >= REFUSED_IN_A_ROW_MAX;
                    let notices = if is_channel { notices - posted.notices } else { group.len() };
                    let recipient = group.first().filter(|_| !is_channel).map(|first| first.recipient.clone());
                    if is_channel {
                        let attempts = trouble.as_ref().map_or(1, |trouble| trouble.attempts + 1);
                        let retry_at = pause(pass.now, attempts, &error);
                        self.db.record_channel(name, Some((attempts, retry_at, &error.to_string()))).await?;
                    }
                    let why = Held::Failed(error);
                    posted.held_back.push(HeldBack { notifier: name.to_owned(), recipient, notices, why });
                    if is_channel {
                        return Ok(posted);
                    }
                }
            }
        }
        if trouble.is_some() && posted.messages > 0 {
            self.db.record_channel(name, None).await?;
        }
        Ok(posted)
    }

    /// One recipient: first what may have arrived before, as it was, then everything else as one message.
    async fn serve_one(
        &self,
        notifier: &dyn Notifier,
        group: &[Waiting],
        pass: &Pass,
        posted: &mut Posted,
    ) -> Result<Option<DriverError>, SendError> {
        let mut repeated: BTreeMap<&str, Vec<&Waiting>> = BTreeMap::new();
        for waiting in group {
            if let Some(message) = &waiting.message {
                repeated.entry(message).or_default().push(waiting);
            }
        }
        let mut left = group.first().map_or(0, |first| pass.messages_left(first));
        for (id, rows) in repeated {
            if pass.holds_back(&rows, posted) {
                continue;
            }
            if left == 0 || pass.stop.is_asked() {
                return Ok(None);
            }
            left -= 1;
            if let Some(error) = self.attempt(notifier, id, &rows, pass, posted).await? {
                return Ok(Some(error));
            }
        }
        let fresh: Vec<&Waiting> = group.iter().filter(|waiting| waiting.message.is_none()).collect();
        let (Some(first), Some(last)) = (fresh.first(), fresh.last()) else { return Ok(None) };
        if pass.holds_back(&fresh, posted) || left == 0 || pass.stop.is_asked() {
            return Ok(None);
        }
        let id = format!("{:016x}-{}", self.ports.entropy.next(), last.id);
        self.db.bind_message(first, last.id, &id).await?;
        self.attempt(notifier, &id, &fresh, pass, posted).await
    }

    /// One message, once. Its identifier is on disk already.
    async fn attempt(
        &self,
        notifier: &dyn Notifier,
        id: &str,
        rows: &[&Waiting],
        pass: &Pass,
        posted: &mut Posted,
    ) -> Result<Option<DriverError>, SendError> {
        let Some(first) = rows.first() else { return Ok(None) };
        let (notices, left_out) = composed(rows);
        let message = Message { id: id.to_owned(), to: first.recipient.clone(), at: pass.now, notices, left_out };
        let before = self.db.begin_attempt(id, first, pass.now).await?;
        match notifier.send(&message).await {
            Ok(()) => {
                self.db.message_sent(id, Sent::Taken, pass.now).await?;
                posted.messages += 1;
                posted.notices += rows.len();
                Ok(None)
            }
            Err(error) => {
                let attempts = rows.iter().map(|row| row.attempts).max().unwrap_or_default() + 1;
                let in_doubt = error.effect == Effect::Unknown;
                // Of the channel's own trouble, the channel is the judge.
                let refused = if is_channel(error.kind) { None } else { pause(pass.now, attempts, &error) };
                let repeated = in_doubt.then(|| pause_in_doubt(pass.now, before));
                let retry_at = refused.into_iter().chain(repeated).max().unwrap_or(pass.now);
                let sent = Sent::Failed { error: &error.to_string(), retry_at, in_doubt };
                self.db.message_sent(id, sent, pass.now).await?;
                Ok(Some(error))
            }
        }
    }
}

struct Trouble {
    attempts: u32,
    retry_at: Option<Timestamp>,
    error: String,
}

impl Pass {
    /// A pause that ends later than any pause does comes from a clock that was wrong.
    fn is_paused(&self, until: Timestamp) -> bool {
        !self.at_once && until > self.now && until.duration_since(self.now) <= PAUSE_LONGEST.max(DOUBT_PAUSE_LONGEST)
    }

    /// Whether what is to go out as one message waits for the end of a pause, which is said.
    fn holds_back(&self, rows: &[&Waiting], posted: &mut Posted) -> bool {
        let refused = rows.iter().filter(|waiting| waiting.retry_at.is_some()).max_by_key(|waiting| waiting.retry_at);
        let Some(Waiting { retry_at: Some(until), error, notifier, recipient, .. }) = refused else { return false };
        if !self.is_paused(*until) {
            return false;
        }
        posted.held_back.push(HeldBack {
            notifier: notifier.clone(),
            recipient: Some(recipient.clone()),
            notices: rows.len(),
            why: Held::Paused { error: error.clone().unwrap_or_default(), until: *until },
        });
        true
    }

    /// How many messages this recipient may still get now.
    fn messages_left(&self, to: &Waiting) -> u32 {
        if self.at_once {
            return u32::MAX;
        }
        let key = (to.notifier.clone(), to.recipient.clone());
        let (hour, day) = self.sent_lately.get(&key).copied().unwrap_or_default();
        MESSAGES_PER_HOUR_MAX.saturating_sub(hour).min(MESSAGES_PER_DAY_MAX.saturating_sub(day))
    }
}

/// Nobody would get through, not only this one recipient.
fn is_channel(kind: Kind) -> bool {
    kind.is_systemic() || kind == Kind::Unavailable
}

/// A server that is away is asked by every run: that costs it nothing. One that refuses is left alone for longer and
/// longer.
fn pause(now: Timestamp, attempts: u32, error: &DriverError) -> Option<Timestamp> {
    let asked_for = error.retry_after.and_then(|after| Duration::try_from(after).ok());
    let doubled = || PAUSE_FIRST.saturating_mul(1 << attempts.saturating_sub(REFUSALS_AT_ONCE).min(10));
    let refuses = !matches!(error.kind, Kind::Unavailable | Kind::Certificate);
    let ours = (refuses && attempts >= REFUSALS_AT_ONCE).then(doubled);
    let pause = asked_for.into_iter().chain(ours).max()?.min(PAUSE_LONGEST);
    now.saturating_add(pause).ok()
}

/// Until when a message that may have arrived is not repeated, after it went out so often before.
fn pause_in_doubt(now: Timestamp, before: u32) -> Timestamp {
    let pause = PAUSE_FIRST.saturating_mul(1 << before.min(16)).min(DOUBT_PAUSE_LONGEST);
    now.saturating_add(pause).unwrap_or(now)
}

/// What a message tells, what cannot wait first, and how much it leaves out. Of the same thing, and of how far one
/// credential has come, the last word is told.
fn composed(rows: &[&Waiting]) -> (Vec<Notice>, usize) {
    let mut last: BTreeMap<(&str, &str), &Waiting> = BTreeMap::new();
    for row in rows {
        let notice = &row.notice;
        let about = if notice.kind.is_progress() { "" } else { notice.about.as_str() };
        last.insert((&notice.subject, about), row);
    }
    let mut notices: Vec<Notice> = last.into_values().map(|row| row.notice.clone()).collect();
    notices.sort_by(|left, right| (left.kind, &left.subject).cmp(&(right.kind, &right.subject)));
    let left_out = notices.len().saturating_sub(LISTED_MAX);
    notices.truncate(LISTED_MAX);
    (notices, left_out)
}

/// Our own database failed while sending.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    #[error("the outbox could not be read")]
    Read(#[from] db::ReadError),
    #[error("the outbox could not be written")]
    Write(#[from] db::WriteError),
}

impl From<db::AttemptError> for SendError {
    fn from(error: db::AttemptError) -> Self {
        match error {
            db::AttemptError::Read(error) => Self::Read(error),
            db::AttemptError::Write(error) => Self::Write(error),
        }
    }
}
