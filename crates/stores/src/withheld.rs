//! A server's own words without what was sent to it. Servers and proxies quote their input back, whole or cut, as it was
//! or in another encoding; their words go into errors, logs and the database.

use std::collections::HashSet;

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::general_purpose::{GeneralPurpose, NO_PAD},
};
use secret::Secret;

/// Stands where something was taken out.
pub(crate) const WITHHELD: &str = "(..)";
/// Far more than is ever shown. The rest is not looked at.
const WORDS_BYTES_MAX: usize = 4096;
/// Nothing so short is a secret, and taking every "id" out of a sentence would leave none.
const SECRET_BYTES_MIN: usize = 4;
/// So many bytes of a secret in a row are there by no chance.
const RUN_BYTES: usize = 8;
/// An encoding within an encoding: a value that was sent as base64, in a body that came back as base64.
const ENCODINGS_DEEP: u32 = 2;
/// Shorter runs hold less than a run of a secret.
const BASE64_CHARS_MIN: usize = 11;
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, NO_PAD.with_decode_allow_trailing_bits(true));

type Run = [u8; RUN_BYTES];

/// Where a secret stands as it was sent, it alone is taken out. Where a part of one, or one in base64, is found besides,
/// nothing of the words is left: who knows what else they hold.
pub(crate) fn without(words: &str, secrets: &[&Secret]) -> String {
    let mut shown = up_to(words, WORDS_BYTES_MAX).to_owned();
    let mut forms: Vec<Secret> = secrets.iter().flat_map(|secret| forms(secret)).collect();
    // A whole is taken out before its parts are.
    forms.sort_by_key(|form| std::cmp::Reverse(form.expose().len()));
    for text in forms.iter().filter_map(Secret::expose_text).filter(|text| text.len() >= SECRET_BYTES_MIN) {
        shown = shown.replace(text, WITHHELD);
    }
    if repeats(shown.as_bytes(), &forms, ENCODINGS_DEEP) { WITHHELD.to_owned() } else { shown }
}

fn up_to(words: &str, bytes_max: usize) -> &str {
    let end = (0..=bytes_max.min(words.len())).rev().find(|end| words.is_char_boundary(*end)).unwrap_or_default();
    words.get(..end).unwrap_or_default()
}

/// As it is, as JSON and addresses write it, and in hexadecimal digits.
fn forms(secret: &Secret) -> Vec<Secret> {
    let mut forms = vec![secret.duplicate()];
    if let Some(text) = secret.expose_text() {
        let json = Secret::new(serde_json::to_vec(text).unwrap_or_default());
        forms.push(Secret::new(
            json.expose().get(1..json.expose().len().saturating_sub(1)).unwrap_or_default().to_vec(),
        ));
        forms.push(Secret::new(url::form_urlencoded::byte_serialize(text.as_bytes()).flat_map(str::bytes).collect()));
    }
    forms.push(Secret::new(secret.expose().iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()));
    forms
}

/// In any case of letters.
fn repeats(text: &[u8], forms: &[Secret], deep: u32) -> bool {
    let runs: HashSet<Run> = runs(text).collect();
    if forms.iter().any(|form| self::runs(form.expose()).any(|run| runs.contains(&run))) {
        return true;
    }
    deep > 0 && decoded(text).any(|inner| repeats(inner.expose(), forms, deep - 1))
}

fn runs(bytes: &[u8]) -> impl Iterator<Item = Run> {
    bytes
        .windows(RUN_BYTES)
        .filter_map(|run| <Run>::try_from(run).ok())
        .map(|run| run.map(|byte| byte.to_ascii_lowercase()))
}

/// What may be base64 in a text, decoded. Where its beginning was cut off, one of four beginnings is right.
fn decoded(text: &[u8]) -> impl Iterator<Item = Secret> {
    let usual = |byte: u8| match byte {
        b'-' => b'+',
        b'_' => b'/',
        byte => byte,
    };
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte);
    let candidates = text.split(move |byte| !is_digit(*byte)).filter(|run| run.len() >= BASE64_CHARS_MIN);
    candidates.flat_map(move |run| {
        let run: Vec<u8> = run.iter().map(|byte| usual(*byte)).collect();
        (0..4).filter_map(move |start| {
            let digits = run.get(start..)?;
            // A single digit at the end is no byte.
            let whole = digits.len() - usize::from(digits.len() % 4 == 1);
            BASE64.decode(digits.get(..whole)?).ok().map(Secret::new)
        })
    })
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    use super::*;

    const SECRET: &str = "canary/\"7f3a+b9c1\"/tail";

    #[track_caller]
    fn check(words: &str, expected: &str) {
        let short = Secret::from_text("pin77");
        let told = without(words, &[&Secret::from_text(SECRET), &short]);
        assert_eq!(told, expected, "{words}");
    }

    #[test]
    fn what_was_sent_is_taken_out_and_the_rest_stays() {
        check("no right on secret/data/app", "no right on secret/data/app");
        check(&format!("wrong: {SECRET}, and pin77."), "wrong: (..), and (..).");
        check(r#"got {"k":"canary/\"7f3a+b9c1\"/tail"}"#, r#"got {"k":"(..)"}"#);
        check("?k=canary%2F%227f3a%2Bb9c1%22%2Ftail&x", "?k=(..)&x");
    }

    #[test]
    fn words_with_a_part_of_it_or_in_another_encoding_are_left_out() {
        check("it began with canary/\"7f", "(..)");
        check(&SECRET.to_uppercase(), "(..)");
        let hex: String = SECRET.bytes().map(|byte| format!("{byte:02X}")).collect();
        check(&hex, "(..)");
        for before in ["", "x", "xy", "xyz"] {
            let body = format!("{before}{{\"data\":\"{SECRET}\"}}");
            let once = STANDARD.encode(&body);
            check(&format!("body {once}"), "(..)");
            check(&format!("body {}", &once[1..]), "(..)");
            check(&URL_SAFE_NO_PAD.encode(&body), "(..)");
            check(&STANDARD.encode(&once), "(..)");
        }
    }

    #[test]
    fn long_words_are_cut_and_a_secret_at_the_cut_does_not_show() {
        let words = format!("{}{SECRET}", "ä ".repeat(WORDS_BYTES_MAX / 3 - 3));
        assert_eq!(without(&words, &[&Secret::from_text(SECRET)]), "(..)");
        assert_eq!(without(&"ä".repeat(WORDS_BYTES_MAX), &[]).len(), WORDS_BYTES_MAX);
    }
}
