//! File names from secret paths: two paths never share a file, on any file system.
//!
//! Only `a-z`, `0-9`, `_` and `-` stand for themselves; every other byte becomes `%` and two hexadecimal digits. Thus
//! capitals differ from small letters also where the file system does not tell them apart, composed and decomposed
//! letters stay two names, no name is hidden or ends with a point, and our own suffixes, which begin with a point,
//! never meet a name.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{SHA256, digest};
use domain::SecretPath;

/// File systems allow 255 bytes. The longest suffix of ours, with that of a file not yet in place, takes 20.
const NAME_BYTES_MAX: usize = 200;
/// How much of an overlong name stays readable in front of its hash.
const KEPT_BYTES: usize = 120;

/// The files of one secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) current: PathBuf,
    pub(crate) previous: PathBuf,
    pub(crate) record: PathBuf,
}

impl Names {
    /// Segments become folders, the last one the file.
    pub(crate) fn of(directory: &Path, path: &SecretPath) -> Self {
        let stem: PathBuf = path.as_str().split('/').map(encode).collect();
        let with = |suffix: &str| {
            let mut name = directory.join(&stem).into_os_string();
            name.push(suffix);
            PathBuf::from(name)
        };
        Self { current: with(".age"), previous: with(".previous.age"), record: with(".versions.json") }
    }
}

fn encode(segment: &str) -> String {
    let mut name = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => name.push(byte.into()),
            // Writing to a string has no way to fail.
            _ => write!(name, "%{byte:02x}").unwrap_or_default(),
        }
    }
    if name.len() <= NAME_BYTES_MAX {
        return name;
    }
    // `+` stands in no encoded name, so a shortened one is never the encoding of another.
    format!("{}+{}", &name.get(..KEPT_BYTES).unwrap_or_default(), hex(segment.as_bytes()))
}

/// The SHA-256 of some bytes, in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    fn files(text: &str) -> [PathBuf; 3] {
        let Names { current, previous, record } = Names::of(Path::new(""), &SecretPath::parse(text).unwrap());
        [current, previous, record]
    }

    /// As a file system sees a name that does not tell capitals from small letters.
    fn folded(path: &Path) -> String {
        path.to_str().unwrap().to_lowercase()
    }

    #[test]
    fn names_stay_readable() {
        let [current, previous, record] = files("apic/acme/web-shop_2/Key.v1");
        assert_eq!(current, Path::new("apic/acme/web-shop_2/%4bey%2ev1.age"));
        assert_eq!(previous, Path::new("apic/acme/web-shop_2/%4bey%2ev1.previous.age"));
        assert_eq!(record, Path::new("apic/acme/web-shop_2/%4bey%2ev1.versions.json"));
    }

    #[test]
    fn names_made_to_collide_do_not() {
        let long = "x".repeat(900);
        let paths = [
            "acme/key",
            "Acme/key",
            "ACME/KEY",
            "acme%2fkey",
            "acme%2Fkey",
            "acme%252fkey",
            "acme-key",
            "acme_key",
            "acme\\key",
            "acme:key",
            "acme key",
            "acme.key",
            "acme/key.age",
            "acme/key.age/inner",
            "acme/key.previous",
            "acme/key.previous.age",
            "acme/key.versions",
            "acme/key/previous",
            "acme/.key",
            "acme/key.",
            "acme/key ",
            "...",
            ".../...",
            "~",
            "-",
            "%",
            "%25",
            "+",
            "é",
            "e\u{301}",
            "É",
            "ß",
            "ss",
            "ſ",
            "s",
            "İ",
            "i̇",
            "K",
            "k",
            &long,
            &format!("{long}x"),
            &long[..150],
            &format!("{}é{long}", &long[..118]),
            &"é".repeat(300),
        ];
        let mut owners = BTreeMap::new();
        let mut folders = BTreeSet::new();
        for path in paths {
            for file in files(path) {
                folders.extend(file.ancestors().skip(1).map(folded));
                let other = owners.insert(folded(&file), path);
                assert_eq!(other, None, "{path} and another share {}", file.display());
            }
        }
        let clash = owners.keys().find(|file| folders.contains(*file));
        assert_eq!(clash, None, "a file has the name of a folder");
    }

    fn decode(name: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut rest = name.as_bytes();
        while let [first, tail @ ..] = rest {
            match (first, tail) {
                (b'%', [high, low, tail @ ..]) => {
                    let digits = [*high, *low];
                    bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
                    rest = tail;
                }
                _ => {
                    bytes.push(*first);
                    rest = tail;
                }
            }
        }
        bytes
    }

    proptest! {
        #[test]
        fn a_name_tells_its_segment(segment in "\\PC{1,60}") {
            let name = encode(&segment);
            prop_assert!(name.len() <= NAME_BYTES_MAX);
            prop_assert!(!name.contains(['/', '.', '\\']) && name == name.to_lowercase());
            if !name.contains('+') {
                prop_assert_eq!(decode(&name), segment.as_bytes());
            }
        }
    }
}
