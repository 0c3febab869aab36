//! The name of a secret at AWS, from its path: two paths never share one.
//!
//! What AWS allows stands for itself: letters, digits and `/_+.@-`. Every other byte, and `=`, becomes `=` and two
//! hexadecimal digits in capitals, so that `a b` is `a=20b`. Ordinary paths stay as they are.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use domain::SecretPath;

use super::sigv4::hex;

/// AWS's limit, in characters, which are bytes here.
const NAME_BYTES_MAX: usize = 512;
/// The same for the value of a tag.
const TAG_BYTES_MAX: usize = 256;
/// `=+` and the hash. No escape begins with `=+`, so that a shortened name is never that of another path.
const HASH_BYTES: usize = 2 + 64;

pub(super) fn name_of(path: &SecretPath) -> String {
    bounded(path.as_str(), NAME_BYTES_MAX)
}

/// A tag's value may hold a little more, but one rule is enough to remember.
pub(super) fn tag_value(text: &str) -> String {
    bounded(text, TAG_BYTES_MAX)
}

fn bounded(text: &str, bytes_max: usize) -> String {
    let escaped = escape(text);
    if escaped.len() <= bytes_max {
        return escaped;
    }
    let kept = escaped.get(..bytes_max - HASH_BYTES).unwrap_or_default();
    // Never half an escape.
    let whole = match kept.rfind('=') {
        Some(start) if kept.len() - start < 3 => kept.get(..start).unwrap_or_default(),
        _ => kept,
    };
    format!("{whole}=+{}", hex(digest(&SHA256, text.as_bytes()).as_ref()))
}

fn escape(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'_' | b'+' | b'.' | b'@' | b'-' => name.push(byte.into()),
            // Writing to a string has no way to fail.
            _ => write!(name, "={byte:02X}").unwrap_or_default(),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(path: &str) -> String {
        name_of(&SecretPath::parse(path).unwrap())
    }

    #[test]
    fn ordinary_paths_stay_as_they_are() {
        for path in ["apic/acme/web-shop_2/Key.v1", "a/client-secret", "team+ops/x@y"] {
            assert_eq!(name(path), path);
        }
    }

    #[test]
    fn what_aws_refuses_is_escaped() {
        assert_eq!(name("a b/ä=%2F:1"), "a=20b/=C3=A4=3D=252F=3A1");
        assert_eq!(name("arn:aws:x"), "arn=3Aaws=3Ax", "never taken for an ARN");
    }

    fn unescaped(name: &str) -> String {
        let mut parts = name.split('=');
        let mut bytes = parts.next().unwrap().as_bytes().to_vec();
        for part in parts {
            let (digits, rest) = part.split_at(2);
            bytes.push(u8::from_str_radix(digits, 16).unwrap());
            bytes.extend_from_slice(rest.as_bytes());
        }
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn every_name_tells_its_path() {
        for c in (1..0x3000).filter_map(char::from_u32).filter(|c| !c.is_control() && *c != '/') {
            let path = format!("a/{c}=20{c}{c}");
            let name = name(&path);
            assert_eq!(unescaped(&name), path);
            assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_+=.@-".contains(&byte)), "{name}");
        }
    }

    #[test]
    fn long_paths_are_cut_and_stay_apart() {
        let long = format!("a/{}", "x".repeat(1000));
        let other = format!("{long}y");
        for path in [&long, &other, &format!("a/{}", "ä".repeat(400)), &format!("xy{}", "ä".repeat(400))] {
            let name = name(path);
            assert!(name.len() <= NAME_BYTES_MAX, "{name}");
            let (head, hash) = name.split_once("=+").unwrap();
            assert!(hash.len() == 64 && escape(path).starts_with(head), "{name}");
        }
        assert_ne!(name(&long), name(&other));
        assert_eq!(name(&"x".repeat(512)).len(), 512);
        assert!(tag_value(&long).len() <= TAG_BYTES_MAX);
    }
}
