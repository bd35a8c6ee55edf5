//! Which format an `Accept` header prefers (RFC 9110, section 12.5.1).

use axum::http::{HeaderMap, header};

/// The forms of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Our own JSON.
    Json,
    /// `draft-inadarei-api-health-check-06`.
    HealthJson,
    /// Lines in the style of the Kubernetes API server.
    Text,
}

impl Format {
    /// Every format, in the order of our own preference.
    pub(crate) const ALL: [Self; 3] = [Self::Json, Self::HealthJson, Self::Text];

    const fn media_type(self) -> (&'static str, &'static str) {
        match self {
            Self::Json => ("application", "json"),
            Self::HealthJson => ("application", "health+json"),
            Self::Text => ("text", "plain"),
        }
    }

    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::HealthJson => "application/health+json",
            Self::Text => "text/plain; charset=utf-8",
        }
    }

    /// The format a client likes best; JSON where it likes none of them.
    pub(crate) fn negotiate(headers: &HeaderMap) -> Self {
        let mut ranges = Vec::new();
        for value in headers.get_all(header::ACCEPT) {
            // What is no text names no media type.
            let text = value.to_str().unwrap_or_default();
            ranges.extend(text.split(',').filter_map(Range::parse));
        }
        let quality = |format: Self| {
            let best = ranges.iter().filter(|range| range.specificity(format) > 0);
            best.max_by_key(|range| range.specificity(format)).map_or(0, |range| range.quality)
        };
        let mut chosen = (Self::Json, quality(Self::Json));
        for format in Self::ALL {
            let quality = quality(format);
            if quality > chosen.1 {
                chosen = (format, quality);
            }
        }
        chosen.0
    }
}

/// One media range, `text/*;q=0.5`.
#[derive(Debug)]
struct Range<'a> {
    main: &'a str,
    sub: &'a str,
    /// In thousandths.
    quality: u16,
}

impl<'a> Range<'a> {
    /// `None` for what is no media range; it is then as if it were not there.
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (main, sub) = parts.next()?.split_once('/')?;
        let mut quality = 1000;
        for parameter in parts {
            if let Some((name, value)) = parameter.split_once('=')
                && name.trim().eq_ignore_ascii_case("q")
            {
                quality = parse_quality(value.trim())?;
            }
        }
        Some(Self { main, sub, quality })
    }

    /// How exactly this range names the format; 0 if it does not.
    fn specificity(&self, format: Format) -> u8 {
        let (main, sub) = format.media_type();
        match (self.main, self.sub) {
            ("*", "*") => 1,
            (range, "*") if range.eq_ignore_ascii_case(main) => 2,
            (range, exact)
                if range.eq_ignore_ascii_case(main) && exact.eq_ignore_ascii_case(sub) =>
            {
                3
            }
            _ => 0,
        }
    }
}

/// `0`, `0.5`, `1.000`: in thousandths.
fn parse_quality(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !matches!(whole, "0" | "1") || fraction.len() > 3 || !digits(fraction) {
        return None;
    }
    let thousandths: u16 = format!("{fraction:0<3}").parse().ok()?;
    let quality = if whole == "1" { 1000 + thousandths } else { thousandths };
    (quality <= 1000).then_some(quality)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn negotiated(accept: &str) -> Format {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_bytes(accept.as_bytes()).unwrap());
        Format::negotiate(&headers)
    }

    #[test]
    fn the_exact_name_of_a_format_chooses_it() {
        assert_eq!(negotiated("application/json"), Format::Json);
        assert_eq!(negotiated("application/health+json"), Format::HealthJson);
        assert_eq!(negotiated("text/plain"), Format::Text);
        assert_eq!(negotiated("Text/Plain; charset=utf-8"), Format::Text);
        assert_eq!(negotiated("text/*"), Format::Text);
    }

    #[test]
    fn json_is_the_default() {
        assert_eq!(Format::negotiate(&HeaderMap::new()), Format::Json);
        for accept in ["*/*", "application/*", "", "image/png", "garbage", ";;;", "text/html", "ä"]
        {
            assert_eq!(negotiated(accept), Format::Json, "{accept}");
        }
        let firefox = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        assert_eq!(negotiated(firefox), Format::Json);
    }

    #[test]
    fn the_higher_quality_wins_and_a_tie_goes_to_our_order() {
        assert_eq!(negotiated("application/json;q=0.5, text/plain;q=0.6"), Format::Text);
        assert_eq!(negotiated("text/plain, application/json"), Format::Json);
        assert_eq!(negotiated("text/plain, */*"), Format::Json);
        assert_eq!(negotiated("text/plain, */*;q=0.1"), Format::Text);
        assert_eq!(negotiated("text/plain;q=0.999, application/health+json"), Format::HealthJson);
    }

    #[test]
    fn the_more_specific_range_decides_about_a_format() {
        assert_eq!(negotiated("*/*, application/json;q=0"), Format::HealthJson);
        assert_eq!(negotiated("application/*;q=0.2, */*;q=0.9"), Format::Text);
    }

    #[test]
    fn a_malformed_quality_makes_its_range_void() {
        for quality in ["1.1", "2", "0.1234", "-1", "x", "", "0,5"] {
            assert_eq!(negotiated(&format!("text/plain;q={quality}")), Format::Json, "{quality}");
        }
        assert_eq!(negotiated("text/plain;q=0.001"), Format::Text);
        assert_eq!(negotiated("text/plain;q=0"), Format::Json);
    }
}
