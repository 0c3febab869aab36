//! Lengths of time as people write them: `"90d"`, `"12h"`, `"30s"`, `"500ms"`.

use std::{borrow::Cow, fmt, str::FromStr};

use jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

/// A century: longer than any policy means, and far from the end of the calendar.
const DAYS_MAX: i64 = 36_500;
const MILLIS_PER_DAY: i64 = 24 * 60 * 60 * 1000;

/// A length of time: a whole number and its unit (`d`, `h`, `m`, `s`, `ms`), several of them in a row if need be, as in
/// `"1h30m"`. A day is 24 hours: ages do not follow daylight saving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Period(SignedDuration);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidPeriod {
    #[error("`{0}` is not a length of time such as \"90d\", \"12h\", \"30m\", \"30s\" or \"500ms\"")]
    Form(String),
    #[error("`{0}` is longer than {DAYS_MAX} days")]
    TooLong(String),
}

impl Period {
    pub(crate) const fn days(days: i64) -> Self {
        Self(SignedDuration::from_hours(days * 24))
    }

    pub(crate) fn duration(self) -> SignedDuration {
        self.0
    }

    pub(crate) fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl FromStr for Period {
    type Err = InvalidPeriod;

    fn from_str(text: &str) -> Result<Self, InvalidPeriod> {
        let form = || InvalidPeriod::Form(text.to_owned());
        let too_long = || InvalidPeriod::TooLong(text.to_owned());
        let mut total: i64 = 0;
        let mut rest = text;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, after) = rest.split_at(digits);
            let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
            let (unit, after) = after.split_at(letters);
            let millis = millis_in(unit).ok_or_else(form)?;
            if number.is_empty() {
                return Err(form());
            }
            let number: i64 = number.parse().map_err(|_| too_long())?;
            total = number.checked_mul(millis).and_then(|part| total.checked_add(part)).ok_or_else(too_long)?;
            rest = after;
        }
        if text.is_empty() {
            return Err(form());
        }
        if total > DAYS_MAX * MILLIS_PER_DAY {
            return Err(too_long());
        }
        Ok(Self(SignedDuration::from_millis(total)))
    }
}

/// A length of time from the command line; the error is a sentence.
pub(crate) fn parse_period(text: &str) -> Result<SignedDuration, String> {
    text.parse::<Period>().map(Period::duration).map_err(|error| error.to_string())
}

fn millis_in(unit: &str) -> Option<i64> {
    Some(match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        "d" => MILLIS_PER_DAY,
        _ => return None,
    })
}

impl fmt::Display for Period {
    /// The shortest form that reads back as the same length.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX);
        if left == 0 {
            return f.write_str("0s");
        }
        for unit in ["d", "h", "m", "s", "ms"] {
            let millis = millis_in(unit).unwrap_or(1);
            if left >= millis {
                write!(f, "{}{unit}", left / millis)?;
                left %= millis;
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Period {
    fn schema_name() -> Cow<'static, str> {
        "Period".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A length of time: whole numbers with the unit d, h, m, s or ms, as in \"90d\" or \"1h30m\".",
            "pattern": "^([0-9]+(d|h|m|s|ms))+$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, seconds: f64, shown: &str) {
        let period: Period = text.parse().unwrap();
        assert!((period.duration().as_secs_f64() - seconds).abs() < 1e-9, "{text}");
        assert_eq!(period.to_string(), shown);
        assert_eq!(period.to_string().parse::<Period>().unwrap(), period);
    }

    #[test]
    fn every_unit_reads_and_prints() {
        check("90d", 90.0 * 86400.0, "90d");
        check("12h", 12.0 * 3600.0, "12h");
        check("30s", 30.0, "30s");
        check("500ms", 0.5, "500ms");
        check("1h30m", 5400.0, "1h30m");
        check("0s", 0.0, "0s");
        check("24h", 86400.0, "1d");
    }

    #[test]
    fn nonsense_is_refused_with_the_text_received() {
        for text in ["", "90", "d", "90 d", "-1d", "1.5h", "90days", "1h 30m", "90d,"] {
            let error = text.parse::<Period>().unwrap_err();
            assert_eq!(error, InvalidPeriod::Form(text.to_owned()));
        }
        for text in ["36501d", "99999999999999999999d", "9223372036854775807d"] {
            assert_eq!(text.parse::<Period>(), Err(InvalidPeriod::TooLong(text.to_owned())));
        }
    }
}
