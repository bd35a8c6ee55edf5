//! `GET /health/$ui`: the dashboard. Feature `dashboard`.
//!
//! The page is the same for every reader. What it shows it reads from the stream and the history, as
//! far as its reader may see them.

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;

use crate::expose::dashboard;

pub(crate) fn page() -> Response {
    let (html, policy) = dashboard::page();
    let mut response = Response::new(Body::from(html));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}
