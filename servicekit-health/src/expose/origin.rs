//! Pages of another origin: which may read (`HealthBuilder::allow_origin`).
//!
//! Not a CORS layer: that would answer every OPTIONS by itself, with 200, also for a dead service.

use axum::http::{HeaderValue, Method, header};
use axum::response::Response;

use super::config::HttpConfig;
use super::request::HealthRequest;

const ANY: HeaderValue = HeaderValue::from_static("*");

/// What an answer tells a page of another origin; by default nothing, and then it may not read.
#[derive(Default)]
pub(crate) struct OtherOrigin {
    /// Whether it would be something else for other pages.
    varies: bool,
    allowed: Option<HeaderValue>,
}

impl OtherOrigin {
    pub(crate) fn of(request: &HealthRequest, config: &HttpConfig) -> Self {
        if config.origins.is_empty() || request.method() != Method::GET {
            return Self::default();
        }
        if config.origins.contains(&ANY) {
            return Self { varies: false, allowed: Some(ANY) };
        }
        let origin = request.headers().get(header::ORIGIN);
        let allowed = origin.filter(|origin| config.origins.contains(origin)).cloned();
        Self { varies: true, allowed }
    }

    pub(crate) fn tell(self, response: &mut Response) {
        let headers = response.headers_mut();
        if self.varies {
            headers.append(header::VARY, HeaderValue::from_static("origin"));
        }
        if let Some(origin) = self.allowed {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            let status = HeaderValue::from_static("x-health-status");
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, status);
        }
    }
}

/// `https://ops.example`, `http://localhost:3000` or `*`, as browsers send it.
pub(crate) fn parse(origin: &str) -> Option<HeaderValue> {
    let is_origin = |text: &str| {
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        host.is_some_and(|host| {
            !host.is_empty()
                && host.bytes().all(|byte| {
                    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:[]".contains(&byte)
                })
        })
    };
    (origin == "*" || is_origin(origin)).then(|| HeaderValue::from_str(origin).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_a_host_and_perhaps_a_port() {
        for origin in ["*", "https://ops.example", "http://localhost:3000", "http://[::1]:80"] {
            assert!(parse(origin).is_some(), "{origin}");
        }
        for origin in ["", "ops.example", "https://", "https://a/", "https://A", "ftp://a", "**"] {
            assert!(parse(origin).is_none(), "{origin}");
        }
    }
}
