//! The URL that the endpoints are under, as a user writes it.

use axum::http::Uri;

const EXAMPLES: &str = "expected e.g. localhost:8000 or http://127.0.0.1:8000/prefix";

/// The URL of the endpoint `path` under the base URL `text`, in which the scheme may be missing.
pub(super) fn endpoint(text: &str, path: &str) -> Result<String, String> {
    let invalid = |why: &str| Err(format!("invalid URL `{text}`: {why}"));
    let url = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let Ok(uri) = url.parse::<Uri>() else {
        return invalid(EXAMPLES);
    };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return invalid(EXAMPLES);
    };
    match scheme {
        "https" if !cfg!(feature = "healthcheck-tls") => {
            return invalid(
                "https requires the feature `healthcheck-tls` of the crate `servicekit-health`",
            );
        }
        "http" | "https" => {}
        _ => return invalid("unsupported scheme; expected http or https"),
    }
    if authority.as_str().contains('@') {
        // Without the URL: it may hold a password.
        return Err("the URL must not contain a user name or password, which every user of this \
                    machine can read in the list of processes"
            .to_owned());
    }
    if authority.host().is_empty() {
        return invalid(EXAMPLES);
    }
    if authority.as_str() != authority.host() && authority.port_u16().is_none() {
        return invalid("invalid port; expected a number from 0 to 65535");
    }
    if uri.query().is_some() || url.contains('#') {
        return invalid("must not contain a query or fragment");
    }
    Ok(format!("{}{path}", url.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_may_have_a_prefix_or_lack_its_scheme() {
        for (text, url) in [
            ("http://host", "http://host/health"),
            ("http://host/", "http://host/health"),
            ("http://[::1]:8000/a/b/", "http://[::1]:8000/a/b/health"),
            ("localhost", "http://localhost/health"),
            ("localhost:8000", "http://localhost:8000/health"),
            ("127.0.0.1:8000/internal", "http://127.0.0.1:8000/internal/health"),
            ("[::1]:8000", "http://[::1]:8000/health"),
        ] {
            assert_eq!(endpoint(text, "/health").as_deref(), Ok(url), "{text}");
        }
    }

    #[test]
    fn an_invalid_url_is_refused_with_what_is_expected() {
        for (text, expected) in [
            ("", "expected e.g. localhost:8000 or http://"),
            ("/health", "expected e.g. localhost:8000 or http://"),
            ("http://", "expected e.g. localhost:8000 or http://"),
            ("http://a b", "expected e.g. localhost:8000 or http://"),
            (":8000", "expected e.g. localhost:8000 or http://"),
            ("http://host:99999", "expected a number from 0 to 65535"),
            ("host:", "expected a number from 0 to 65535"),
            ("ftp://host", "unsupported scheme; expected http or https"),
            ("http://host/health?verbose", "must not contain a query or fragment"),
            ("host/#top", "must not contain a query or fragment"),
        ] {
            let error = endpoint(text, "/health").expect_err(text);
            assert!(error.starts_with(&format!("invalid URL `{text}`: ")), "{error}");
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_password_is_refused_and_not_repeated() {
        for text in ["http://me:secret@host", "me:secret@host:8000"] {
            let error = endpoint(text, "/health").unwrap_err();
            assert!(error.starts_with("the URL must not contain a user name"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn https_requires_its_feature() {
        let url = endpoint("https://host", "/livez");
        if cfg!(feature = "healthcheck-tls") {
            assert_eq!(url.as_deref(), Ok("https://host/livez"));
        } else {
            assert!(url.unwrap_err().contains("requires the feature `healthcheck-tls`"));
        }
    }
}
