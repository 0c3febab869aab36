//! A message as mail: the same content as text and as HTML.

use domain::Notice;
use driver::Message;
use lettre::message::{
    Mailbox, MultiPart,
    header::{HeaderName, HeaderValue},
};
use maud::{DOCTYPE, html};

use crate::words;

/// `None`: the recipient or the identifier cannot stand in a mail.
pub(super) fn mail(message: &Message, from: &Mailbox) -> Option<lettre::Message> {
    let to: Mailbox = message.to.parse().ok()?;
    let domain = from.email.domain();
    lettre::Message::builder()
        .from(from.clone())
        .to(to)
        .subject(words::headline(message))
        .date(message.at.into())
        .message_id(Some(format!("<{}@{domain}>", message.id)))
        // So that nobody's absence notice answers it.
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
        .multipart(MultiPart::alternative_plain_html(words::plain(message), rich(message)))
        .ok()
}

fn rich(message: &Message) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; title { (words::headline(message)) } }
            body style="font-family: sans-serif" {
                @for (kind, notices) in words::sections(message) {
                    h2 { (words::capital(kind.title())) " (" (notices.len()) ")" }
                    @for notice in notices { (described(notice)) }
                }
                @if let Some(rest) = words::rest(message) { p { (rest) } }
                hr;
                p { small { (words::FOOTER) } }
            }
        }
    };
    page.into_string()
}

fn described(notice: &Notice) -> maud::Markup {
    let Notice { subject, at, what, state, advice, .. } = notice;
    html! {
        h3 style="margin-bottom: 0" { (subject) }
        dl style="margin-top: 0" {
            dt { "What happened" } dd { (what) " (" (format!("{at:.0}")) ")" }
            dt { "What is true now" } dd { (state) }
            dt { "What to do" } dd { (advice) }
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::NoticeKind;

    use super::*;
    use crate::words::tests::message;

    #[test]
    fn both_forms_say_the_same() {
        let message = message(&[(NoticeKind::Stuck, "apic/acme/shop/key")]);
        let from = "Keyrota <keyrota@example.test>".parse().unwrap();
        let mail = String::from_utf8(mail(&message, &from).unwrap().formatted()).unwrap();
        assert!(mail.contains("Subject: Keyrota: stuck: apic/acme/shop/key\r\n"), "{mail}");
        assert!(mail.contains("Message-ID: <m1@example.test>\r\n"), "{mail}");
        assert!(mail.contains("Date: Sun, 22 Nov 2026 08:00:00 +0000\r\n"), "{mail}");
        assert!(mail.contains("text/plain") && mail.contains("text/html"), "{mail}");
        assert!(rich(&message).contains("it was &lt;tried&gt; &amp; failed"));
    }

    #[test]
    fn a_recipient_that_is_none_is_no_mail() {
        let to = Message { to: "nobody".to_owned(), ..message(&[(NoticeKind::Stuck, "apic/a")]) };
        assert!(mail(&to, &"k@example.test".parse().unwrap()).is_none());
    }
}
