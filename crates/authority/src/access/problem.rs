//! What can be wrong with a policy text.

use super::{Capability, place::Place};

/// Why a text is no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {problem}")]
pub struct InvalidPolicy {
    pub at: Place,
    pub problem: Box<Problem>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    #[error("the text is empty")]
    Empty,
    #[error("the text has {bytes} bytes; at most {max} are read")]
    TooLong { bytes: usize, max: usize },
    #[error("values are nested deeper than {max}")]
    TooDeep { max: usize },
    #[error("there is {found}, where {expected} is expected")]
    Unexpected { found: String, expected: &'static str },
    #[error("the character `{0}` means nothing here")]
    Character(char),
    #[error("the quoted text does not end on its line")]
    OpenText,
    #[error("the comment does not end")]
    OpenComment,
    #[error("`\\{0}` is no escape")]
    Escape(String),
    #[error("`${{` is not read in policies")]
    Interpolation,
    #[error("texts of the form `<<NAME` are not read in policies")]
    Heredoc,
    #[error("`{0}` is no number")]
    Number(String),
    #[error("unknown key `{key}` in {table}")]
    UnknownKey { key: String, table: String, nearest: Option<&'static str>, known: &'static [&'static str] },
    #[error("`{key}` is given twice in {table}; the first is on line {first}")]
    Twice { key: String, table: String, first: u32 },
    #[error("unknown capability `{word}` on path \"{pattern}\"")]
    UnknownCapability { word: String, pattern: String, nearest: Option<&'static str> },
    #[error("unknown word `{word}` for `policy` on path \"{pattern}\"")]
    UnknownOldWord { word: String, pattern: String },
    #[error("`{key}` of path \"{pattern}\" must be {expected}")]
    Value { key: String, pattern: String, expected: &'static str },
    #[error("`+*` in the pattern \"{0}\" is forbidden")]
    PlusStar(String),
    #[error("the pattern has {bytes} bytes; at most {max} are read")]
    LongPattern { bytes: usize, max: usize },
    #[error("the braces of the template in \"{0}\" do not match")]
    Template(String),
    #[error("`max_wrapping_ttl` of path \"{0}\" is shorter than its `min_wrapping_ttl`")]
    WrappingPeriods(String),
    #[error("`list_scan_response_keys_filter_path` of path \"{0}\" needs the capability `list`")]
    FilterWithoutList(String),
}

impl Problem {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Empty => "write a `path` block, or a comment if nothing shall be granted".to_owned(),
            Self::TooLong { .. } => "split it: a token may carry several policies".to_owned(),
            Self::UnknownKey { nearest: Some(nearest), .. } => format!("did you mean `{nearest}`?"),
            Self::UnknownKey { known, .. } => format!("known are {}", known.join(", ")),
            Self::Twice { .. } => "keep one of them: servers differ in what they make of two".to_owned(),
            Self::UnknownCapability { nearest: Some(nearest), .. } => format!("did you mean `{nearest}`?"),
            Self::UnknownCapability { .. } => {
                let words: Vec<&str> = Capability::ALL.into_iter().map(Capability::word).collect();
                format!("known are {}", words.join(", "))
            }
            Self::UnknownOldWord { .. } => "it knows read, write, sudo and deny; better use `capabilities`".to_owned(),
            Self::PlusStar(_) => {
                "write `+/*` for whatever is below one segment, or `*` for whatever begins so".to_owned()
            }
            Self::Interpolation => "write `{{…}}` for a value of the one who asks".to_owned(),
            Self::Heredoc | Self::OpenText => "write the text in double quotes, on one line".to_owned(),
            Self::Template(_) => "write `{{identity.entity.name}}`, with two braces on either side".to_owned(),
            _ => return None,
        })
    }

    pub(super) fn at(self, at: Place) -> InvalidPolicy {
        InvalidPolicy { at, problem: Box::new(self) }
    }
}

/// Half the letters may be wrong in a short name; more than that is another word.
const SIMILARITY_MIN: f64 = 0.5;

/// The known name that somebody probably meant.
pub(super) fn nearest(name: &str, known: impl IntoIterator<Item = &'static str>) -> Option<&'static str> {
    known
        .into_iter()
        .map(|candidate| (strsim::normalized_damerau_levenshtein(name, candidate), candidate))
        .filter(|(similarity, _)| *similarity >= SIMILARITY_MIN)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, candidate)| candidate)
}
