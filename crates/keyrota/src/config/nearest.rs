//! The known name that somebody probably meant.

/// Half the letters may be wrong in a short name; more than that is another word, and a wrong suggestion is worse than
/// none.
const SIMILARITY_MIN: f64 = 0.5;

pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::normalized_damerau_levenshtein(name, candidate), candidate))
        .filter(|(similarity, _)| *similarity >= SIMILARITY_MIN)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_wins_and_strangers_do_not() {
        let known = ["overlap", "rotate_after", "retire_after"];
        assert_eq!(nearest("overlp", known), Some("overlap"));
        assert_eq!(nearest("rotate_afer", known), Some("rotate_after"));
        assert_eq!(nearest("colour", known), None);
    }
}
