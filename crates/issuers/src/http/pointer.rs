//! Where in an answer something stands: JSON pointers, within an item or, with `..` in front, in the one around it.

use jiff::Timestamp;
use secret::Secret;
use serde_json::Value;

/// RFC 6901, for example `/data/keys`; the empty text is the whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pointer {
    path: String,
    outer: bool,
}

/// An item of a list, with the one that it was found in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item<'a> {
    pub inner: &'a Value,
    pub outer: &'a Value,
}

/// Later than the year 5000 in seconds, and 1973 in milliseconds: what is larger counts milliseconds.
const SECONDS_MAX: i64 = 100_000_000_000;

impl Pointer {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (path, outer) = match text.strip_prefix("..") {
            Some(path) => (path, true),
            None => (text, false),
        };
        let escapes_are_whole = path.split('~').skip(1).all(|after| after.starts_with('0') || after.starts_with('1'));
        if (path.is_empty() || path.starts_with('/')) && escapes_are_whole {
            Ok(Self { path: path.to_owned(), outer })
        } else {
            Err("is no JSON pointer; one starts with `/`, for example /data/keys".to_owned())
        }
    }

    pub(super) fn looks_outside(&self) -> bool {
        self.outer
    }

    pub(super) fn of<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        value.pointer(&self.path).filter(|found| !found.is_null())
    }

    pub(super) fn in_item<'a>(&self, item: Item<'a>) -> Option<&'a Value> {
        self.of(if self.outer { item.outer } else { item.inner })
    }
}

impl std::fmt::Display for Pointer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", if self.outer { ".." } else { "" }, self.path)
    }
}

/// A text, or a number as text: ids are either.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

pub(super) fn secret(value: &Value) -> Option<Secret> {
    text(value).map(Secret::from_text)
}

/// RFC 3339, or the number of seconds or milliseconds since 1970.
pub(super) fn time(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => text.trim().parse().ok().or_else(|| since_1970(text.trim().parse().ok()?)),
        Value::Number(number) => since_1970(number.as_i64().or_else(|| whole(number.as_f64()?))?),
        _ => None,
    }
}

fn since_1970(number: i64) -> Option<Timestamp> {
    let converted =
        if number.abs() > SECONDS_MAX { Timestamp::from_millisecond(number) } else { Timestamp::from_second(number) };
    converted.ok()
}

fn whole(number: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "a moment is wanted to the second; out of range saturates")]
    number.is_finite().then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pointers_look_inside_and_outside() {
        let (outer, inner) = (json!({ "name": "shop" }), json!({ "id": 7, "none": null, "a/b": "x" }));
        let item = Item { inner: &inner, outer: &outer };
        let at = |text: &str| Pointer::parse(text).unwrap().in_item(item).cloned();
        assert_eq!(at("/id"), Some(json!(7)));
        assert_eq!(at("../name"), Some(json!("shop")));
        assert_eq!(at("/a~1b"), Some(json!("x")));
        assert_eq!((at("/none"), at("/name")), (None, None));
        assert_eq!(at(""), Some(inner.clone()));
        for wrong in ["id", "/a~2", "..name", "$.id"] {
            assert!(Pointer::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn moments_come_in_three_forms() {
        let moment: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        for form in [
            json!("2026-11-23T10:00:00Z"),
            json!("2026-11-23T11:00:00+01:00"),
            json!(moment.as_second()),
            json!(moment.as_millisecond()),
            json!(moment.as_second().to_string()),
        ] {
            assert_eq!(time(&form), Some(moment), "{form}");
        }
        for wrong in [json!("yesterday"), json!([]), json!(null), json!("")] {
            assert_eq!(time(&wrong), None, "{wrong}");
        }
    }
}
