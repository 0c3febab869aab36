//! Lengths of time as configuration writes them.

use jiff::SignedDuration;

/// Reads `30s`, `10m`, `12h` or `90d`. The error names the key.
pub(super) fn period(key: &str, text: &str) -> Result<SignedDuration, String> {
    let wrong = || format!("`{key}` is \"{}\"; write for example 30s, 10m, 12h or 90d", text.escape_debug());
    let unit = text.chars().next_back().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: u32 = text.strip_suffix(unit).unwrap_or_default().parse().map_err(|_| wrong())?;
    Ok(SignedDuration::from_secs(i64::from(number) * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_a_number_and_a_unit() {
        for (text, seconds) in [("0s", 0), ("30s", 30), ("10m", 600), ("12h", 43_200), ("90d", 7_776_000)] {
            assert_eq!(period("timeout", text), Ok(SignedDuration::from_secs(seconds)), "{text}");
        }
        for text in ["", "s", "10", "-5m", "1.5h", "10 m", "ten m"] {
            assert!(period("timeout", text).unwrap_err().starts_with("`timeout` is"), "{text}");
        }
    }
}
