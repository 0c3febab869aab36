//! As much of XML as STS and a few errors need: the text of an element that holds nothing but text.

/// The text of the first element of this name.
pub(super) fn text(document: &str, element: &str) -> Option<String> {
    let (_, rest) = document.split_once(&format!("<{element}>"))?;
    let (text, _) = rest.split_once(&format!("</{element}>"))?;
    if text.contains('<') {
        return None;
    }
    let plain = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
    Some(plain.replace("&amp;", "&").trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_with_text_are_read() {
        let document = "<R xmlns=\"x\">\n<A><B> 1 &lt;&amp;lt; </B></A><B>2</B></R>";
        assert_eq!(text(document, "B").as_deref(), Some("1 <&lt;"));
        assert_eq!(text(document, "A"), None);
        assert_eq!(text(document, "C"), None);
        assert_eq!(text("<B>1", "B"), None);
    }
}
