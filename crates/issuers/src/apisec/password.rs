//! A new password in the form that the platform and its own scripts bear.

use driver::{Entropy, NoEntropy};
use secret::Secret;

/// The vendor's scripts build their JSON and their command lines by joining strings, so nothing that a shell or JSON
/// gives a meaning to may occur. These are 64, so that each takes six bits and none is likelier than another.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// 192 bits: beyond guessing, and far below any published limit of length.
const LENGTH: usize = 32;

/// One in five draws lacks one of the classes that password rules ask for; forty in a row do not happen.
const DRAWS_MAX: u32 = 40;

pub(super) fn choose(entropy: &dyn Entropy) -> Result<Secret, NoEntropy> {
    for _ in 0..DRAWS_MAX {
        let mut drawn = [0_u8; LENGTH];
        entropy.fill(&mut drawn)?;
        let bytes: Vec<u8> = drawn.iter().map(|byte| letter(*byte)).collect();
        drawn.fill(0);
        if has_every_class(&bytes) {
            return Ok(Secret::new(bytes));
        }
    }
    Err(NoEntropy)
}

fn letter(byte: u8) -> u8 {
    ALPHABET.get(usize::from(byte & 0x3f)).copied().unwrap_or(b'A')
}

fn has_every_class(bytes: &[u8]) -> bool {
    let has = |class: fn(&u8) -> bool| bytes.iter().any(class);
    let starts_plain = bytes.first().is_some_and(u8::is_ascii_alphanumeric);
    has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_punctuation)
        && starts_plain
}

/// Whether a password that a person chose can be handed on: the vendor's scripts break on the rest.
///
/// # Errors
/// What is wrong with it, without quoting it.
pub(super) fn bearable(text: &str) -> Result<(), &'static str> {
    const CHARS_MIN: usize = 12;
    if text.chars().count() < CHARS_MIN {
        return Err("it is shorter than 12 characters");
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("it holds a blank, a line break or a character beyond ASCII");
    }
    if text.bytes().any(|byte| matches!(byte, b'"' | b'\'' | b'\\' | b'$' | b'`' | b'<' | b'>')) {
        return Err("it holds a quote, a backslash, `$`, `<`, `>` or a backtick, on which the vendor's scripts break");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use contract::SeededEntropy;

    use super::*;

    #[test]
    fn what_is_chosen_is_long_plain_and_never_the_same() {
        let entropy = SeededEntropy::new(3);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let chosen = choose(&entropy).unwrap();
            let text = chosen.expose_text().unwrap();
            assert_eq!(text.len(), LENGTH);
            assert_eq!(bearable(text), Ok(()));
            assert!(has_every_class(text.as_bytes()) && !text.starts_with('-'));
            assert!(seen.insert(text.to_owned()));
        }
    }

    #[test]
    fn what_scripts_break_on_is_refused() {
        for text in ["", "short", "twelve chars and blanks", "quote\"quote\"quote", "dollar$dollar", "ünïcödé-pässword"]
        {
            assert!(bearable(text).is_err(), "{text}");
        }
        assert_eq!(bearable("Correct-Horse_9"), Ok(()));
    }
}
