//! Durations as people write them at the clock of a twin.

use jiff::SignedDuration;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a duration; write for example 90d, 12h, 30m, 30s, 500ms, 1d12h or -1h")]
pub struct InvalidDuration(String);

/// Reads `90d`, `12h`, `30m`, `30s`, `500ms`, several of them together, with a minus in front for backwards. A day is
/// 24 hours.
pub fn parse_duration(text: &str) -> Result<SignedDuration, InvalidDuration> {
    let invalid = || InvalidDuration(text.to_owned());
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut millis: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(invalid)?;
        let (number, tail) = rest.split_at(digits);
        let unit_end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let unit_millis: i64 = match unit {
            "d" => 86_400_000,
            "h" => 3_600_000,
            "m" => 60_000,
            "s" => 1_000,
            "ms" => 1,
            _ => return Err(invalid()),
        };
        let number: i64 = number.parse().map_err(|_| invalid())?;
        millis = number.checked_mul(unit_millis).and_then(|part| millis.checked_add(part)).ok_or_else(invalid)?;
        rest = tail;
    }
    Ok(SignedDuration::from_millis(if negative { -millis } else { millis }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, seconds) in [("90d", 7_776_000), ("12h", 43_200), ("30m", 1800), ("30s", 30), ("1d12h", 129_600)] {
            assert_eq!(parse_duration(text), Ok(SignedDuration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse_duration("500ms"), Ok(SignedDuration::from_millis(500)));
        assert_eq!(parse_duration("-1h"), Ok(SignedDuration::from_secs(-3600)));
    }

    #[test]
    fn refuses_the_rest() {
        for text in ["", "-", "5", "d", "5x", "1h30", "h1", "99999999999999999999d", "999999999999999d", "1 d"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
