//! A message in plain words, the same for every channel that has no better form.

use std::fmt::Write as _;

use domain::{Notice, NoticeKind};
use driver::Message;

/// For a subject or a headline: what it is about, the worst first.
pub(crate) fn headline(message: &Message) -> String {
    if let ([notice], 0) = (message.notices.as_slice(), message.left_out) {
        return format!("Keyrota: {}: {}", notice.kind.title(), notice.subject);
    }
    let mut parts: Vec<String> =
        sections(message).map(|(kind, notices)| format!("{} {}", notices.len(), kind.title())).collect();
    if message.left_out > 0 {
        parts.push(format!("{} more", message.left_out));
    }
    format!("Keyrota: {}", parts.join(", "))
}

/// The notices by kind, in the order of kinds; no kind is empty.
pub(crate) fn sections(message: &Message) -> impl Iterator<Item = (NoticeKind, Vec<&Notice>)> {
    NoticeKind::ALL.into_iter().filter_map(|kind| {
        let notices: Vec<_> = message.notices.iter().filter(|notice| notice.kind == kind).collect();
        (!notices.is_empty()).then_some((kind, notices))
    })
}

/// Where a person finds what was not told one by one.
pub(crate) fn rest(message: &Message) -> Option<String> {
    (message.left_out > 0).then(|| {
        format!(
            "{} more are not listed here; `keyrota status` and `keyrota credential list` show all.",
            message.left_out
        )
    })
}

pub(crate) fn plain(message: &Message) -> String {
    let mut text = String::new();
    for (kind, notices) in sections(message) {
        let _ = writeln!(text, "{} ({})\n", capital(kind.title()), notices.len());
        for Notice { subject, at, what, state, advice, .. } in notices {
            let _ = writeln!(
                text,
                "  {subject}\n    what happened: {what} ({at:.0})\n    what is true now: {state}\n    what to do: {advice}\n"
            );
        }
    }
    if let Some(rest) = rest(message) {
        let _ = writeln!(text, "{rest}\n");
    }
    text.push_str(FOOTER);
    text
}

pub(crate) const FOOTER: &str = "Sent by Keyrota. It never sends a secret: who needs one gets a one-time code \
                                 (`keyrota secret pickup`) from the person who answers for it.\n";

pub(crate) fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn message(notices: &[(NoticeKind, &str)]) -> Message {
        let at = "2026-11-22T08:00:00Z".parse().unwrap();
        let notice = |&(kind, subject): &(NoticeKind, &str)| Notice {
            kind,
            subject: subject.to_owned(),
            about: format!("{}/{subject}", kind.word()),
            at,
            what: "it was <tried> & failed".to_owned(),
            state: "version 1 is current".to_owned(),
            advice: "look at it".to_owned(),
        };
        Message {
            id: "m1".to_owned(),
            to: "ada@example.test".to_owned(),
            at,
            notices: notices.iter().map(notice).collect(),
            left_out: 0,
        }
    }

    #[test]
    fn the_worst_comes_first() {
        let mut message = message(&[
            (NoticeKind::Promoted, "apic/a"),
            (NoticeKind::Stuck, "apic/b"),
            (NoticeKind::Promoted, "apic/c"),
        ]);
        assert_eq!(headline(&message), "Keyrota: 1 stuck, 2 promoted");
        message.left_out = 7;
        assert_eq!(headline(&message), "Keyrota: 1 stuck, 2 promoted, 7 more");
        let text = plain(&message);
        assert!(text.starts_with("Stuck (1)\n\n  apic/b\n    what happened: it was <tried> & failed (2026-11-22T08"));
        assert!(text.contains("7 more are not listed here"), "{text}");
    }

    #[test]
    fn a_single_one_is_the_headline() {
        assert_eq!(headline(&message(&[(NoticeKind::DueSoon, "apic/a")])), "Keyrota: due soon: apic/a");
    }
}
