//! `GET /health/$ui`: the dashboard. Feature `dashboard`.
//!
//! One page without outside assets, which fills itself from the stream and the history. Nothing of
//! a report is in it, so it is the same for every reader, and what `Details` leaves out of the
//! report is not on the page either.

use std::sync::LazyLock;

const TEMPLATE: &str = include_str!("page.html");

const STYLE: &str = include_str!("page.css");

/// One script: an inline module cannot import another.
const SCRIPT: &str = concat!(
    include_str!("text.js"),
    include_str!("charts.js"),
    include_str!("service.js"),
    include_str!("row.js"),
    include_str!("panel.js"),
    include_str!("markdown.js"),
    include_str!("page.js"),
);

/// The SHA-256 hashes of `STYLE` and `SCRIPT`: computing them at run time would take a dependency.
/// After a change the test below fails and prints the new ones.
const STYLE_HASH: &str = "Zma68TBEoIcv4Dv9Wlc7ucMuc9m5QmhfPtlEjrTgExI=";
const SCRIPT_HASH: &str = "eBseBm2AcOT2BDk/Vg+XM1kr7670ZLzqgCcTefG7L/c=";

/// The page, and its `content-security-policy`.
///
/// Only our own style and script are applied, and no text can become markup. The page may connect
/// to any host, because `?watch=` takes any service.
pub(crate) fn page() -> (&'static str, &'static str) {
    static PAGE: LazyLock<(String, String)> = LazyLock::new(|| {
        let html = TEMPLATE.replacen("{{style}}", STYLE, 1).replacen("{{script}}", SCRIPT, 1);
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{STYLE_HASH}'; script-src 'sha256-{SCRIPT_HASH}'; \
             connect-src 'self' http: https:; img-src data:; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
        );
        (html, policy)
    });
    let (html, policy) = &*PAGE;
    (html, policy)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest, Sha256};

    use super::*;

    /// What the browser hashes: the text of an element, with every line end as one line feed.
    fn hash(text: &str) -> String {
        STANDARD.encode(Sha256::digest(text.replace("\r\n", "\n")))
    }

    fn element(html: &'static str, start: &str, end: &str) -> &'static str {
        let (_, rest) = html.split_once(start).expect("the element is there once");
        let (text, rest) = rest.split_once(end).expect("the element is closed");
        assert!(!rest.contains(start), "a second {start}");
        text
    }

    #[test]
    fn the_policy_allows_the_style_and_the_script_of_the_page_and_no_other() {
        let (html, policy) = page();
        let style = hash(element(html, "<style>", "</style>"));
        let script = hash(element(html, "<script type=\"module\">", "</script>"));
        assert_eq!((STYLE_HASH, SCRIPT_HASH), (&*style, &*script));
        assert!(policy.contains(&format!("style-src 'sha256-{style}';")), "{policy}");
        assert!(policy.contains(&format!("script-src 'sha256-{script}';")), "{policy}");
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
    }

    #[test]
    fn the_page_is_whole_and_refers_to_nothing_outside() {
        let (html, _) = page();
        assert!(html.starts_with("<!doctype html>") && html.ends_with("</html>\n"));
        assert!(!html.contains("{{"), "a placeholder is left");
        for outside in [" src=", "@import", "url(", "<link rel=\"stylesheet\"", "import("] {
            assert!(!html.contains(outside), "{outside}");
        }
    }

    #[test]
    fn no_text_of_a_report_is_ever_markup() {
        for sink in [".innerHTML =", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
            assert!(!SCRIPT.contains(sink), "{sink}");
        }
    }
}
