//! The outbox: at least once, and the same thing not twice.

use domain::{Duration, Notice, NoticeKind, Timestamp};

use crate::{Addressed, Db, Sent};

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn at(hour: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + hour * 3600).unwrap()
}

fn notice(about: &str, hour: i64, again_after: Option<Duration>) -> Addressed {
    Addressed {
        notifier: "ops".to_owned(),
        recipient: "ada@example.test".to_owned(),
        notice: Notice {
            kind: NoticeKind::Stuck,
            subject: "apic/a".to_owned(),
            about: about.to_owned(),
            at: at(hour),
            what: "parked".to_owned(),
            state: "version 1 is current".to_owned(),
            advice: "look".to_owned(),
        },
        again_after,
    }
}

#[test]
fn the_same_thing_is_told_again_only_when_its_time_has_come() {
    wait(async {
        let db = Db::in_memory().unwrap();
        let day = Some(Duration::from_hours(24));
        let count = async || db.waiting_notices().await.unwrap().len();
        for hour in 0..72 {
            db.post(&[notice("stuck", hour, day), notice("started", hour, None)], &[], 1, at(hour)).await.unwrap();
        }
        assert_eq!(count().await, 2, "while it waits, nothing is added, however long that takes");
        let waiting = db.waiting_notices().await.unwrap();
        db.bind_message(&waiting[0], waiting[1].id, "m1").await.unwrap();
        db.begin_attempt("m1", &waiting[0], at(72)).await.unwrap();
        db.message_sent("m1", Sent::Taken, at(72)).await.unwrap();
        assert_eq!(count().await, 0);
        for hour in [3, 12, 23] {
            db.post(&[notice("stuck", hour, day), notice("started", hour, None)], &[], 1, at(hour)).await.unwrap();
            assert_eq!(count().await, 0, "{hour}");
        }
        db.post(&[notice("stuck", 25, day), notice("started", 25, None)], &[], 1, at(25)).await.unwrap();
        assert_eq!(db.waiting_notices().await.unwrap()[0].notice.about, "stuck");
        assert_eq!(count().await, 1);
        assert_eq!(db.notice_mark().await.unwrap(), (Some(1), 0));
        let sent = db.messages_sent((at(71), at(73))).await.unwrap();
        assert_eq!(sent, [("ops".to_owned(), "ada@example.test".to_owned(), 1)]);
    });
}

#[test]
fn a_clock_that_was_wrong_for_a_while_silences_nothing() {
    wait(async {
        let db = Db::in_memory().unwrap();
        for (hour, expected) in [(24 * 365, 1), (0, 1), (1, 0), (-1, 0), (25, 1)] {
            db.post(&[notice("stuck", hour, Some(Duration::from_hours(24)))], &[], 1, at(hour)).await.unwrap();
            let waiting = db.waiting_notices().await.unwrap();
            assert_eq!(waiting.len(), expected, "{hour}");
            if let [one] = waiting.as_slice() {
                db.bind_message(one, one.id, &format!("m{hour}")).await.unwrap();
                db.message_sent(&format!("m{hour}"), Sent::Taken, at(hour)).await.unwrap();
            }
        }
    });
}

#[test]
fn what_is_in_doubt_goes_out_as_it_was_and_what_failed_with_what_came_since() {
    wait(async {
        let db = Db::in_memory().unwrap();
        let now = ("apic/a".to_owned(), "version 2 is current".to_owned());
        db.post(&[notice("one", 0, None)], &[now], 1, at(0)).await.unwrap();
        let waiting = db.waiting_notices().await.unwrap();
        assert_eq!(waiting[0].notice.state, "version 2 is current");
        let bound = Some("m1".to_owned());
        for (in_doubt, message) in [(false, None), (true, bound.clone()), (false, bound)] {
            db.bind_message(&waiting[0], waiting[0].id, "m1").await.unwrap();
            db.begin_attempt("m1", &waiting[0], at(0)).await.unwrap();
            let failed = Sent::Failed { error: "away", retry_at: at(1), in_doubt };
            db.message_sent("m1", failed, at(0)).await.unwrap();
            assert_eq!(db.waiting_notices().await.unwrap()[0].message, message);
        }
        assert_eq!(db.waiting_notices().await.unwrap()[0].attempts, 3);
        let counted = db.messages_sent((at(-1), at(1))).await.unwrap();
        assert_eq!(counted[0].2, 1, "what certainly did not arrive bothered nobody");
        db.post(&[], &[], 1, at(500)).await.unwrap();
        assert_eq!(db.begin_attempt("m1", &waiting[0], at(500)).await.unwrap(), 1, "it is known while it waits");
    });
}
