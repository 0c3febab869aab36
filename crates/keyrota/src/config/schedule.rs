//! When steps may be taken: a weekly window in a time zone, spread by jitter.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    str::FromStr,
    sync::{Mutex, PoisonError},
};

use domain::CredentialId;
use jiff::{
    SignedDuration, Timestamp, ToSpan as _,
    civil::{Date, Time, Weekday},
    tz::TimeZone,
};

const WEEK: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// A window that opens once a week has opened again after eight dates, whatever the zone did to one of them.
const DATES_AHEAD: usize = 9;

/// A weekly window and where its clock hangs. Follows daylight saving: a window stands at the same time of the day in
/// summer and in winter, and an hour that is skipped moves it behind the gap.
#[derive(Debug)]
pub(crate) struct Schedule {
    window: Window,
    zone: TimeZone,
    /// Steps begin at a random moment within this time after the opening, so that not all begin at once.
    jitter: SignedDuration,
    /// The last answer: a plan asks for every credential of an estate, and the calendar is slow.
    remembered: Mutex<Option<Remembered>>,
}

#[derive(Debug, Clone, Copy)]
struct Remembered {
    from: Timestamp,
    opening: Opening,
}

/// `"Sat 02:00-06:00"`, `"Mon-Fri 22:00-04:00"` (into the next morning), `"Sat,Sun 00:00-24:00"`, `"02:00-06:00"`
/// (every day).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Window {
    /// From Monday.
    days: [bool; 7],
    open: Time,
    close: Time,
    /// The closing time belongs to the day after the opening.
    closes_next_day: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidWindow {
    #[error("`{0}` is not a window such as \"Sat 02:00-06:00\", \"Mon-Fri 22:00-04:00\" or \"02:00-06:00\"")]
    Form(String),
    #[error("the window `{0}` closes when it opens; for a whole day write 00:00-24:00")]
    Empty(String),
}

impl Schedule {
    pub(super) fn new(window: Window, zone: TimeZone, jitter: SignedDuration) -> Self {
        Self { window, zone, jitter, remembered: Mutex::new(None) }
    }

    /// The opening that lasts at `now`, or else the next one; `None` only at the end of the calendar.
    pub(crate) fn opening(&self, now: Timestamp) -> Option<Opening> {
        // Nobody leaves it half written, so what a panicking thread left is whole.
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = remembered.filter(|known| known.from <= now && now < known.opening.close) {
            return Some(known.opening);
        }
        let (open, close) = self.openings(now).into_iter().filter(|(_, close)| *close > now).min()?;
        let spread = self.jitter.min(close.duration_since(open));
        let opening = Opening { open, close, spread };
        *remembered = Some(Remembered { from: now, opening });
        Some(opening)
    }

    /// Openings from the day before `now` (they may still last) to a week after, as they fall in this zone.
    fn openings(&self, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        let Ok(first) = now.to_zoned(self.zone.clone()).date().checked_sub(1.day()) else { return Vec::new() };
        first.series(1.day()).take(DATES_AHEAD).filter_map(|date| self.opening_on(date)).collect()
    }

    fn opening_on(&self, date: Date) -> Option<(Timestamp, Timestamp)> {
        let weekday = usize::try_from(date.weekday().to_monday_zero_offset()).ok()?;
        if !*self.window.days.get(weekday)? {
            return None;
        }
        let closing_date = if self.window.closes_next_day { date.tomorrow().ok()? } else { date };
        let moment = |date: Date, time| self.zone.to_ambiguous_zoned(date.to_datetime(time)).compatible().ok();
        let open = moment(date, self.window.open)?.timestamp();
        let close = moment(closing_date, self.window.close)?.timestamp();
        (open < close).then_some((open, close))
    }
}

/// One opening of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Opening {
    open: Timestamp,
    close: Timestamp,
    spread: SignedDuration,
}

impl Opening {
    /// When one credential may begin: somewhere within the jitter after the opening, always at the same moment for the
    /// same credential and opening, so that looking again does not move it.
    pub(crate) fn begin(&self, credential: &CredentialId) -> Timestamp {
        let spread = u64::try_from(self.spread.as_millis()).unwrap_or(0);
        if spread == 0 {
            return self.open;
        }
        let mut hasher = DefaultHasher::new();
        (credential.as_str(), self.open.as_second()).hash(&mut hasher);
        let offset = i64::try_from(hasher.finish() % spread).unwrap_or(0);
        self.open.saturating_add(SignedDuration::from_millis(offset)).unwrap_or(self.open)
    }
}

impl FromStr for Window {
    type Err = InvalidWindow;

    fn from_str(text: &str) -> Result<Self, InvalidWindow> {
        let form = || InvalidWindow::Form(text.to_owned());
        let words: Vec<&str> = text.split_whitespace().collect();
        let (days, times) = match words.as_slice() {
            [times] => ([true; 7], *times),
            [days, times] => (parse_days(days).ok_or_else(form)?, *times),
            _ => return Err(form()),
        };
        let (open, close) = times.split_once('-').ok_or_else(form)?;
        let open = parse_time(open).ok_or_else(form)?;
        let midnight = close == "24:00";
        let close = if midnight { Time::midnight() } else { parse_time(close).ok_or_else(form)? };
        if close == open && !midnight {
            return Err(InvalidWindow::Empty(text.to_owned()));
        }
        Ok(Self { days, open, close, closes_next_day: midnight || close < open })
    }
}

/// `Sat`, `Sat,Sun`, `Mon-Fri`, `Fri-Mon`, or a list of those.
fn parse_days(text: &str) -> Option<[bool; 7]> {
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (mut day, last) = (parse_day(first)?, parse_day(last)?);
        loop {
            *days.get_mut(usize::try_from(day.to_monday_zero_offset()).ok()?)? = true;
            if day == last {
                break;
            }
            day = day.next();
        }
    }
    Some(days)
}

fn parse_day(text: &str) -> Option<Weekday> {
    WEEK.iter().find(|(name, _)| text.eq_ignore_ascii_case(name)).map(|(_, day)| *day)
}

fn parse_time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let plain = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(hour) || !plain(minute) {
        return None;
    }
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(window: &str, zone: &str) -> Schedule {
        let zone = TimeZone::get(zone).unwrap();
        Schedule::new(window.parse().unwrap(), zone, SignedDuration::ZERO)
    }

    #[track_caller]
    fn check(window: &str, now: &str, next: &str) {
        let schedule = schedule(window, "Europe/Berlin");
        let now: Timestamp = now.parse().unwrap();
        let next: Timestamp = next.parse().unwrap();
        let opening = schedule.opening(now).unwrap();
        assert_eq!(opening.open.max(now), next);
        assert!(opening.close > next);
    }

    #[test]
    fn a_weekly_window_opens_and_closes() {
        // 2026-03-07 is a Saturday; Berlin is an hour ahead of UTC in winter.
        check("Sat 02:00-06:00", "2026-03-07T00:59:59Z", "2026-03-07T01:00:00Z");
        check("Sat 02:00-06:00", "2026-03-07T01:00:00Z", "2026-03-07T01:00:00Z");
        check("Sat 02:00-06:00", "2026-03-07T04:59:59Z", "2026-03-07T04:59:59Z");
        check("Sat 02:00-06:00", "2026-03-07T05:00:00Z", "2026-03-14T01:00:00Z");
        check("Sat,Sun 00:00-24:00", "2026-03-06T12:00:00Z", "2026-03-06T23:00:00Z");
        check("Sat-Sun 00:00-24:00", "2026-03-08T22:30:00Z", "2026-03-08T22:30:00Z");
    }

    #[test]
    fn a_window_may_last_into_the_next_morning() {
        check("Fri 22:00-04:00", "2026-03-07T02:00:00Z", "2026-03-07T02:00:00Z");
        check("Fri 22:00-04:00", "2026-03-07T03:00:00Z", "2026-03-13T21:00:00Z");
        check("22:00-04:00", "2026-03-07T03:00:00Z", "2026-03-07T21:00:00Z");
        check("Fri-Mon 22:00-04:00", "2026-03-10T03:00:00Z", "2026-03-13T21:00:00Z");
    }

    #[test]
    fn daylight_saving_moves_with_the_wall_clock() {
        // On Sunday 2026-03-29 the hour from 02:00 to 03:00 does not exist in Berlin.
        check("Sun 02:00-06:00", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z");
        check("Sun 05:00-06:00", "2026-03-28T12:00:00Z", "2026-03-29T03:00:00Z");
        check("Sun 02:15-02:45", "2026-03-28T12:00:00Z", "2026-03-29T01:15:00Z");
    }

    #[test]
    fn jitter_spreads_credentials_within_the_window_and_stays_put() {
        let mut schedule = schedule("Sat 02:00-03:00", "UTC");
        schedule.jitter = SignedDuration::from_hours(5);
        let before = schedule.opening("2026-03-06T00:00:00Z".parse().unwrap()).unwrap();
        let during = schedule.opening("2026-03-07T02:30:00Z".parse().unwrap()).unwrap();
        assert_eq!(before, during);
        let begins: Vec<Timestamp> =
            (0..100).map(|n| before.begin(&CredentialId::new("apic", [format!("{n}").as_str()]).unwrap())).collect();
        assert!(begins.iter().all(|begin| (before.open..before.close).contains(begin)));
        let half = "2026-03-07T02:30:00Z".parse().unwrap();
        let early = begins.iter().filter(|begin| **begin < half).count();
        assert!((20..=80).contains(&early), "{early} of 100 in the first half");
    }

    #[test]
    fn what_is_remembered_is_what_would_be_found() {
        let times = ["2026-03-06T00:00:00Z", "2026-03-07T02:30:00Z", "2026-03-07T05:00:00Z", "2026-03-01T00:00:00Z"];
        let one = schedule("Sat 02:00-06:00", "Europe/Berlin");
        for now in times.map(|now| now.parse().unwrap()) {
            let fresh = schedule("Sat 02:00-06:00", "Europe/Berlin");
            assert_eq!(one.opening(now), fresh.opening(now));
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "Sat", "Sat 2:00-6:00", "Sat 02:00", "Samstag 02:00-06:00", "Sat 02:00-25:00", "a b c"] {
            assert_eq!(text.parse::<Window>(), Err(InvalidWindow::Form(text.to_owned())));
        }
        assert_eq!("02:00-02:00".parse::<Window>(), Err(InvalidWindow::Empty("02:00-02:00".to_owned())));
    }
}
