//! Which format an `Accept` header prefers (RFC 9110, section 12.5.1).

use axum::http::{HeaderMap, HeaderValue, header};

use super::formats::FORMATS;

/// How many ranges are read, and of how many bytes. A browser sends eight in 200 bytes; reading
/// thousands would only cost time.
const MAX_RANGES: usize = 32;
const MAX_LEN: usize = 2048;

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
    // For each offer how exactly the best range names it, and that range's quality.
    let mut best = [(0, 0); N];
    let mut left = MAX_LEN;
    let values = headers.get_all(header::ACCEPT).iter();
    let values = values.map(|value| beginning(value, &mut left));
    let ranges = values.flat_map(|value| value.split(|byte| *byte == b','));
    for range in ranges.take(MAX_RANGES).filter_map(Range::parse) {
        let specificities = offers.map(|offer| range.specificity(offer));
        // Most ranges name none of ours, and then their parameters do not matter.
        if specificities.iter().all(|specificity| *specificity == 0) {
            continue;
        }
        let Some(quality) = range.quality() else { continue };
        for (best, specificity) in best.iter_mut().zip(specificities) {
            if specificity > 0 && specificity >= best.0 {
                *best = (specificity, quality);
            }
        }
    }
    let mut chosen = 0;
    for (position, (_, quality)) in best.iter().enumerate() {
        if *quality > best[chosen].1 {
            chosen = position;
        }
    }
    chosen
}

/// The ranges of a value that end within the bytes that are `left` to read.
fn beginning<'a>(value: &'a HeaderValue, left: &mut usize) -> &'a [u8] {
    let bytes = value.as_bytes();
    let (read, rest) = bytes.split_at(bytes.len().min(*left));
    *left -= read.len();
    let whole = if rest.is_empty() {
        read
    } else {
        &read[..read.iter().rposition(|byte| *byte == b',').unwrap_or(0)]
    };
    // What is no text names no media type.
    if whole.is_ascii() { whole } else { b"" }
}

/// One media range, `text/*;q=0.5`.
#[derive(Debug)]
struct Range<'a> {
    main: &'a [u8],
    sub: &'a [u8],
    parameters: Option<&'a [u8]>,
}

impl<'a> Range<'a> {
    /// `None` for what is no media range; it is then as if it were not there.
    fn parse(text: &'a [u8]) -> Option<Self> {
        let (main, rest) = split_once(text, b'/')?;
        let (sub, parameters) = match split_once(rest, b';') {
            Some((sub, parameters)) => (sub, Some(parameters)),
            None => (rest, None),
        };
        Some(Self { main: main.trim_ascii_start(), sub: sub.trim_ascii_end(), parameters })
    }

    /// How exactly this range names the media type; 0 if it does not.
    fn specificity(&self, (main, sub): MediaType) -> u8 {
        match (self.main, self.sub) {
            (b"*", b"*") => 1,
            (range, b"*") if range.eq_ignore_ascii_case(main.as_bytes()) => 2,
            // What differs most comes first.
            (range, exact)
                if exact.eq_ignore_ascii_case(sub.as_bytes())
                    && range.eq_ignore_ascii_case(main.as_bytes()) =>
            {
                3
            }
            _ => 0,
        }
    }

    /// In thousandths. `None` where it is malformed, which makes the range void.
    fn quality(&self) -> Option<u16> {
        let mut quality = 1000;
        let parameters = self.parameters.unwrap_or_default().split(|byte| *byte == b';');
        for (name, value) in parameters.filter_map(|parameter| split_once(parameter, b'=')) {
            if name.trim_ascii().eq_ignore_ascii_case(b"q") {
                quality = parse_quality(value.trim_ascii())?;
            }
        }
        Some(quality)
    }
}

/// `0`, `0.5`, `1.000`: in thousandths.
fn parse_quality(text: &[u8]) -> Option<u16> {
    let (whole, fraction) = split_once(text, b'.').unwrap_or((text, b""));
    if !matches!(whole, b"0" | b"1")
        || fraction.len() > 3
        || !fraction.iter().all(u8::is_ascii_digit)
    {
        return None;
    }
    let digits = fraction.iter().zip([100, 10, 1]);
    let thousandths: u16 = digits.map(|(digit, weight)| u16::from(digit - b'0') * weight).sum();
    let quality = if whole == b"1" { 1000 + thousandths } else { thousandths };
    (quality <= 1000).then_some(quality)
}

/// What stands before the first `separator`, and behind it.
fn split_once(bytes: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|byte| *byte == separator)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

#[cfg(test)]
mod tests {
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
        let long = |size| "a".repeat(size - ",text/plain".len());
        assert_eq!(negotiated(&format!("{},text/plain", long(MAX_LEN))), TEXT);
        assert_eq!(negotiated(&format!("{},text/plain", long(MAX_LEN + 1))), JSON);
        assert_eq!(negotiated(&format!("{},text/plainest", long(MAX_LEN))), JSON);
    }

    #[test]
    fn the_limits_hold_over_all_values_together() {
        let mut headers = HeaderMap::new();
        for value in ["a".repeat(MAX_LEN - "text/plain".len()).as_str(), "text/plain"] {
            headers.append(header::ACCEPT, HeaderValue::from_str(value).unwrap());
        }
        assert_eq!(FORMATS[negotiate(&headers)].media_type.1, TEXT);
        headers.insert(header::ACCEPT, HeaderValue::from_str(&"a".repeat(MAX_LEN)).unwrap());
        headers.append(header::ACCEPT, HeaderValue::from_static("text/plain"));
        assert_eq!(FORMATS[negotiate(&headers)].media_type.1, JSON);
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
