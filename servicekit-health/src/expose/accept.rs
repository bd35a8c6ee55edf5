//! Which format an `Accept` header prefers (RFC 9110, section 12.5.1).

use axum::http::{HeaderMap, header};

use super::formats::FORMATS;

/// How many ranges are read. A browser sends eight; reading thousands would only cost time.
const MAX_RANGES: usize = 32;

/// A type and its subtype.
type MediaType = (&'static str, &'static str);

/// The position of the format that a client prefers; JSON where it likes none of them.
pub(crate) fn negotiate(headers: &HeaderMap) -> usize {
    preferred(headers, FORMATS.map(|format| format.media_type))
}

/// The position among `offers` of what a client prefers; the first where it likes none of them.
pub(crate) fn preferred<const N: usize>(headers: &HeaderMap, offers: [MediaType; N]) -> usize {
    if !headers.contains_key(header::ACCEPT) {
        return 0;
    }
    let mut ranges = Vec::new();
    let values = headers.get_all(header::ACCEPT).iter();
    // What is no text names no media type.
    let texts = values.map(|value| value.to_str().unwrap_or_default());
    for range in texts.flat_map(|text| text.split(',')).take(MAX_RANGES) {
        ranges.extend(Range::parse(range));
    }
    let quality = |offer: MediaType| {
        let best = ranges.iter().filter(|range| range.specificity(offer) > 0);
        best.max_by_key(|range| range.specificity(offer)).map_or(0, |range| range.quality)
    };
    let mut chosen = (0, quality(offers[0]));
    for (position, offer) in offers.into_iter().enumerate().skip(1) {
        let quality = quality(offer);
        if quality > chosen.1 {
            chosen = (position, quality);
        }
    }
    chosen.0
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

    /// How exactly this range names the media type; 0 if it does not.
    fn specificity(&self, (main, sub): MediaType) -> u8 {
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

    const JSON: &str = "json";
    const HEALTH_JSON: &str = "health+json";
    const TEXT: &str = "plain";

    fn negotiated(accept: &str) -> &'static str {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_bytes(accept.as_bytes()).unwrap());
        FORMATS[negotiate(&headers)].media_type.1
    }

    #[test]
    fn ranges_beyond_the_limit_are_not_read() {
        let many = "image/png,".repeat(MAX_RANGES - 1);
        assert_eq!(negotiated(&format!("{many}text/plain")), TEXT);
        assert_eq!(negotiated(&format!("{many}image/png,text/plain")), JSON);
    }

    #[test]
    fn the_exact_name_of_a_format_chooses_it() {
        assert_eq!(negotiated("application/json"), JSON);
        assert_eq!(negotiated("application/health+json"), HEALTH_JSON);
        assert_eq!(negotiated("text/plain"), TEXT);
        assert_eq!(negotiated("Text/Plain; charset=utf-8"), TEXT);
        assert_eq!(negotiated("text/*"), TEXT);
    }

    #[test]
    fn json_is_the_default() {
        assert_eq!(negotiate(&HeaderMap::new()), 0);
        for accept in ["*/*", "application/*", "", "image/png", "garbage", ";;;", "text/html", "ä"]
        {
            assert_eq!(negotiated(accept), JSON, "{accept}");
        }
        let firefox = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        assert_eq!(negotiated(firefox), JSON);
    }

    #[test]
    fn the_higher_quality_wins_and_a_tie_goes_to_our_order() {
        assert_eq!(negotiated("application/json;q=0.5, text/plain;q=0.6"), TEXT);
        assert_eq!(negotiated("text/plain, application/json"), JSON);
        assert_eq!(negotiated("text/plain, */*"), JSON);
        assert_eq!(negotiated("text/plain, */*;q=0.1"), TEXT);
        assert_eq!(negotiated("text/plain;q=0.999, application/health+json"), HEALTH_JSON);
    }

    #[test]
    fn the_more_specific_range_decides_about_a_format() {
        assert_eq!(negotiated("*/*, application/json;q=0"), HEALTH_JSON);
        assert_eq!(negotiated("application/*;q=0.2, */*;q=0.9"), TEXT);
    }

    #[test]
    fn a_malformed_quality_makes_its_range_void() {
        for quality in ["1.1", "2", "0.1234", "-1", "x", "", "0,5"] {
            assert_eq!(negotiated(&format!("text/plain;q={quality}")), JSON, "{quality}");
        }
        assert_eq!(negotiated("text/plain;q=0.001"), TEXT);
        assert_eq!(negotiated("text/plain;q=0"), JSON);
    }
}
