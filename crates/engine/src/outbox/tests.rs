use std::sync::{
    Mutex,
    atomic::{AtomicI64, Ordering},
};

use async_trait::async_trait;
use db::Addressed;
use domain::NoticeKind;
use driver::{Clock, Entropy, Http, HttpError, HttpRequest, HttpResponse, NoEntropy, NotifierFacts};

use super::*;

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[derive(Debug, Default)]
struct World {
    minutes: AtomicI64,
}

impl World {
    fn pass(&self, minutes: i64) {
        self.minutes.fetch_add(minutes, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + 60 * self.minutes.load(Ordering::SeqCst)).unwrap()
    }

    async fn sleep(&self, _duration: StdDuration) {}
}

impl Entropy for World {
    fn next(&self) -> u64 {
        7
    }

    fn fill(&self, _bytes: &mut [u8]) -> Result<(), NoEntropy> {
        Err(NoEntropy)
    }
}

#[async_trait]
impl Http for World {
    async fn send(&self, _request: HttpRequest) -> Result<HttpResponse, HttpError> {
        unreachable!("no channel of these tests calls anybody")
    }
}

/// Notes every attempt, and fails as it is told.
#[derive(Debug, Default)]
struct Channel {
    attempts: Mutex<Vec<Message>>,
    fails: Mutex<Option<DriverError>>,
    /// Only for this recipient.
    for_one: Mutex<Option<String>>,
}

#[async_trait]
impl Notifier for Channel {
    fn facts(&self) -> NotifierFacts {
        NotifierFacts { addresses_people: true, tells: Vec::new() }
    }

    async fn check(&self) -> Result<Vec<String>, DriverError> {
        Ok(Vec::new())
    }

    async fn send(&self, message: &Message) -> Result<(), DriverError> {
        self.attempts.lock().unwrap().push(message.clone());
        let concerned = self.for_one.lock().unwrap().as_ref().is_none_or(|one| *one == message.to);
        match self.fails.lock().unwrap().clone() {
            Some(error) if concerned => Err(error),
            _ => Ok(()),
        }
    }
}

struct Stage {
    world: Arc<World>,
    channel: Arc<Channel>,
    outbox: Outbox,
}

impl Stage {
    fn new() -> Self {
        let (world, channel) = (Arc::new(World::default()), Arc::new(Channel::default()));
        let ports = Ports { http: world.clone(), clock: world.clone(), entropy: world.clone() };
        let notifiers = BTreeMap::from([("ops".to_owned(), channel.clone() as Arc<dyn Notifier>)]);
        let outbox = Outbox { db: Arc::new(Db::in_memory().unwrap()), ports, notifiers };
        Self { world, channel, outbox }
    }

    fn post(&self, notifier: &str, to: &str, kind: NoticeKind, subject: &str) {
        let now = self.world.now();
        let notice = Notice {
            kind,
            subject: subject.to_owned(),
            about: format!("{}/{subject}", kind.word()),
            at: now,
            what: String::new(),
            state: String::new(),
            advice: String::new(),
        };
        let addressed =
            Addressed { notifier: notifier.to_owned(), recipient: to.to_owned(), notice, again_after: None };
        wait(self.outbox.db.post(&[addressed], &[], 0, now)).unwrap();
    }

    fn send(&self) -> Posted {
        wait(self.outbox.send(false, &Stop::never())).unwrap()
    }

    fn fails(&self, kind: Kind, effect: Effect) {
        *self.channel.fails.lock().unwrap() = Some(DriverError::new(kind, effect, "a test"));
    }

    fn works(&self) {
        *self.channel.fails.lock().unwrap() = None;
    }

    fn attempts(&self) -> usize {
        self.channel.attempts.lock().unwrap().len()
    }

    fn last(&self) -> Message {
        self.channel.attempts.lock().unwrap().last().unwrap().clone()
    }
}

#[test]
fn a_recipient_gets_one_message_with_the_last_word_on_each() {
    let stage = Stage::new();
    for number in 0..250 {
        let subject = format!("apic/{number:03}");
        stage.post("ops", "ada", NoticeKind::Started, &subject);
        stage.post("ops", "ada", NoticeKind::Promoted, &subject);
    }
    stage.post("ops", "ada", NoticeKind::Stuck, "apic/007");
    stage.post("ops", "bob", NoticeKind::Stuck, "apic/007");
    let posted = stage.send();
    assert_eq!((posted.messages, posted.notices, posted.waiting), (2, 502, 0));
    let attempts = stage.channel.attempts.lock().unwrap();
    let ada = &attempts[0];
    assert_eq!((ada.to.as_str(), ada.notices.len(), ada.left_out), ("ada", 251, 0));
    assert_eq!(ada.notices[0].kind, NoticeKind::Stuck, "what cannot wait comes first");
    assert!(ada.notices[1..].iter().all(|notice| notice.kind == NoticeKind::Promoted));
}

#[test]
fn a_list_that_nobody_reads_is_cut_and_counted() {
    let stage = Stage::new();
    for number in 0..LISTED_MAX + 20 {
        stage.post("ops", "ada", NoticeKind::Promoted, &format!("apic/{number}"));
    }
    stage.send();
    assert_eq!((stage.last().notices.len(), stage.last().left_out), (LISTED_MAX, 20));
}

#[test]
fn what_may_have_arrived_is_repeated_as_it_was() {
    let stage = Stage::new();
    stage.post("ops", "ada", NoticeKind::Stuck, "apic/1");
    stage.fails(Kind::Unavailable, Effect::Unknown);
    stage.send();
    stage.post("ops", "ada", NoticeKind::Stuck, "apic/2");
    stage.works();
    stage.world.pass(2);
    let posted = stage.send();
    assert_eq!((posted.messages, posted.notices), (2, 2));
    let attempts = stage.channel.attempts.lock().unwrap();
    assert_eq!(attempts[0].id, attempts[1].id);
    assert_eq!(attempts[0].notices, attempts[1].notices);
    assert_ne!(attempts[1].id, attempts[2].id);
}

#[test]
fn a_process_that_died_while_sending_repeats_the_message_under_its_id() {
    let stage = Stage::new();
    stage.post("ops", "ada", NoticeKind::Stuck, "apic/1");
    let waiting = wait(stage.outbox.db.waiting_notices()).unwrap();
    wait(stage.outbox.db.bind_message(&waiting[0], waiting[0].id, "before-the-crash")).unwrap();
    stage.post("ops", "ada", NoticeKind::Stuck, "apic/2");
    assert_eq!(stage.send().messages, 2);
    let attempts = stage.channel.attempts.lock().unwrap();
    assert_eq!((attempts[0].id.as_str(), attempts[0].notices.len()), ("before-the-crash", 1));
}

#[test]
fn what_certainly_did_not_arrive_goes_with_what_came_since() {
    let stage = Stage::new();
    stage.fails(Kind::Unavailable, Effect::NotApplied);
    for number in 0..20 {
        stage.post("ops", "ada", NoticeKind::Stuck, &format!("apic/{number}"));
        let posted = stage.send();
        assert_eq!((posted.messages, posted.waiting), (0, number + 1));
        assert!(matches!(posted.held_back[0].why, Held::Failed(_)));
        stage.world.pass(10);
    }
    assert_eq!(stage.attempts(), 20, "one that is away is asked by every run");
    stage.works();
    assert_eq!(stage.send().messages, 1);
    assert_eq!(stage.last().notices.len(), 20);
}

#[test]
fn one_that_refuses_us_is_left_alone_for_longer_and_longer() {
    let stage = Stage::new();
    stage.fails(Kind::Unauthorized, Effect::NotApplied);
    for recipient in ["ada", "bob", "eve"] {
        stage.post("ops", recipient, NoticeKind::Stuck, "apic/1");
    }
    for _ in 0..24 * 60 {
        stage.send();
        stage.world.pass(1);
    }
    let tried = stage.attempts();
    assert!((24..36).contains(&tried), "{tried}: some at once, then once an hour");
    stage.works();
    assert!(matches!(stage.send().held_back[0].why, Held::Paused { .. }));
    let posted = wait(stage.outbox.send(true, &Stop::never())).unwrap();
    assert_eq!((posted.messages, posted.held_back.len()), (3, 0), "a person's own word counts at once");
    stage.post("ops", "ada", NoticeKind::Stuck, "apic/2");
    assert_eq!(stage.send().messages, 1, "all is forgotten");
}

#[test]
fn a_pause_from_a_wrong_clock_holds_nobody_up() {
    let stage = Stage::new();
    stage.world.pass(60 * 24 * 365);
    stage.fails(Kind::Unauthorized, Effect::NotApplied);
    stage.post("ops", "ada", NoticeKind::Stuck, "apic/1");
    (0..5).for_each(|_| drop(stage.send()));
    stage.world.pass(-60 * 24 * 365);
    stage.works();
    assert_eq!(stage.send().messages, 1);
}

#[test]
fn one_recipient_that_is_refused_holds_up_nobody_else() {
    let stage = Stage::new();
    stage.fails(Kind::Invalid, Effect::NotApplied);
    *stage.channel.for_one.lock().unwrap() = Some("ada".to_owned());
    for recipient in ["ada", "bob", "eve"] {
        stage.post("ops", recipient, NoticeKind::Stuck, "apic/1");
    }
    let posted = stage.send();
    assert_eq!((posted.messages, posted.waiting), (2, 1));
    assert_eq!(posted.held_back[0].recipient.as_deref(), Some("ada"));
}

#[test]
fn nobody_gets_more_than_a_few_messages_an_hour() {
    let stage = Stage::new();
    for number in 0..500 {
        stage.post("ops", "ada", NoticeKind::Stuck, &format!("apic/{number}"));
        stage.send();
        stage.world.pass(1);
    }
    let sent = stage.attempts();
    assert!((40..=110).contains(&sent), "{sent}");
    stage.world.pass(60 * 24);
    stage.send();
    assert_eq!(wait(stage.outbox.db.waiting_notices()).unwrap().len(), 0, "nothing is lost");
}

/// A server that takes every mail and never says so.
#[test]
fn what_may_have_arrived_is_not_repeated_by_every_run() {
    let stage = Stage::new();
    stage.post("ops", "ada", NoticeKind::Stuck, "apic/1");
    stage.fails(Kind::Unavailable, Effect::Unknown);
    for _ in 0..24 * 60 {
        stage.send();
        stage.world.pass(1);
    }
    let attempts = stage.channel.attempts.lock().unwrap().clone();
    assert!((8..=13).contains(&attempts.len()), "{}: a few at first, then every six hours", attempts.len());
    assert!(attempts.iter().all(|message| message.id == attempts[0].id && message.notices == attempts[0].notices));
    assert!(matches!(stage.send().held_back[0].why, Held::Paused { .. }), "it is said that it waits");
    stage.works();
    stage.world.pass(6 * 60);
    assert_eq!(stage.send().messages, 1, "it is not given up");
}

#[test]
fn what_may_have_arrived_counts_for_the_limit_each_time() {
    let stage = Stage::new();
    stage.fails(Kind::Unavailable, Effect::Unknown);
    for number in 0..24 * 60 {
        stage.post("ops", "ada", NoticeKind::Stuck, &format!("apic/{number}"));
        stage.send();
        stage.world.pass(1);
        let so_far = u32::try_from(stage.attempts()).unwrap();
        assert!(so_far <= MESSAGES_PER_DAY_MAX && (number >= 60 || so_far <= MESSAGES_PER_HOUR_MAX), "{so_far}");
    }
    assert_eq!(stage.attempts(), 40);
    stage.works();
    for _ in 0..4 * 24 {
        stage.world.pass(60);
        stage.send();
    }
    assert_eq!(wait(stage.outbox.db.waiting_notices()).unwrap().len(), 0, "nothing is lost");
}

#[test]
fn a_channel_that_is_no_longer_configured_is_said() {
    let stage = Stage::new();
    stage.post("old", "ada", NoticeKind::Stuck, "apic/1");
    assert!(matches!(stage.send().held_back[0].why, Held::Unknown));
}
