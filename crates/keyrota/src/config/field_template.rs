//! Texts with fields of a secret to fill in: `{client_id}`.

/// One part of such a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Field(String),
}

/// Splits at `{field}`. Other braces stand for themselves, so that a value may be JSON.
pub(super) fn pieces(value: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut rest = value;
    while let Some((before, from_brace)) = rest.split_once('{') {
        text.push_str(before);
        let field = from_brace.split_once('}').filter(|(field, _)| is_field_name(field));
        match field {
            Some((field, after)) => {
                pieces.push(Piece::Text(std::mem::take(&mut text)));
                pieces.push(Piece::Field(field.to_owned()));
                rest = after;
            }
            None => {
                text.push('{');
                rest = from_brace;
            }
        }
    }
    text.push_str(rest);
    pieces.push(Piece::Text(text));
    pieces
}

fn is_field_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let text = text.strip_suffix(":base64").unwrap_or(text);
    !text.is_empty() && text.bytes().all(allowed)
}
