//! `{{identity.…}}` in patterns: values of the one who asks.

use std::collections::BTreeMap;

/// Values of the one who asks, by the words between the braces: `identity.entity.name` and so on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity(pub BTreeMap<String, String>);

/// Literal text and words, in turn.
pub(super) enum Piece<'t> {
    Literal(&'t str),
    Word(&'t str),
}

/// `None`: the braces do not match.
pub(super) fn pieces(text: &str) -> Option<Vec<Piece<'_>>> {
    let mut parts = text.split("{{");
    let first = parts.next()?;
    let mut pieces = vec![Piece::Literal(first)];
    if first.contains("}}") {
        return None;
    }
    for part in parts {
        let (word, literal) = part.split_once("}}")?;
        if literal.contains("}}") {
            return None;
        }
        pieces.extend([Piece::Word(word.trim()), Piece::Literal(literal)]);
    }
    Some(pieces)
}

/// Why a template has no value.
pub(super) enum Unfilled {
    Missing(String),
    /// A name that somebody chose must not widen what a rule grants.
    Wildcard(String),
}

pub(super) fn fill(text: &str, identity: &Identity) -> Result<String, Unfilled> {
    let mut filled = String::new();
    for piece in pieces(text).unwrap_or_default() {
        match piece {
            Piece::Literal(literal) => filled.push_str(literal),
            Piece::Word(word) => {
                let value = identity.0.get(word).filter(|value| !value.is_empty());
                let value = value.ok_or_else(|| Unfilled::Missing(word.to_owned()))?;
                if value.contains(['*', '+', '/']) {
                    return Err(Unfilled::Wildcard(word.to_owned()));
                }
                filled.push_str(value);
            }
        }
    }
    Ok(filled)
}
