//! Durations as the attribute writes them: a whole number and one unit, `"300ms"`, `"2s"`,
//! `"1m"`, at most an hour.

/// The longest duration that makes sense for a health check, in milliseconds.
const HOUR: u64 = 3_600_000;

const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", HOUR)];

/// The milliseconds that `text` stands for, or what is wrong with it.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    const TOO_LONG: &str = "this is over an hour, the longest duration allowed";
    if let Some(millis) = exact(text) {
        return match millis {
            Ok(millis @ 0..=HOUR) => Ok(millis),
            _ => Err(TOO_LONG.to_owned()),
        };
    }
    let expected = "expected a whole number and one of the units `ms`, `s`, `m`, `h`";
    let trimmed = text.trim();
    if trimmed.starts_with('-') {
        return Err("a duration cannot be negative".to_owned());
    }
    match loose(trimmed) {
        None => {}
        Some(millis @ 0..=HOUR) => {
            return Err(format!("{expected}: write `\"{}\"`", shortest(millis)));
        }
        Some(_) => return Err(TOO_LONG.to_owned()),
    }
    if !trimmed.is_empty() && trimmed.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(if trimmed.bytes().all(|byte| byte == b'0') {
            "the unit is missing: write `\"0s\"`".to_owned()
        } else {
            format!("the unit is missing: write `\"{trimmed}ms\"` or `\"{trimmed}s\"`")
        });
    }
    Err(format!("{expected}, such as `\"300ms\"`"))
}

/// `None` where `text` is not of the form at all; `Err` where the number is too big.
fn exact(text: &str) -> Option<Result<u64, ()>> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, factor) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    if number.is_empty() {
        return None;
    }
    let millis = number.parse::<u64>().ok().and_then(|n| n.checked_mul(factor));
    Some(millis.ok_or(()))
}

/// How somebody who wrote `text` should have written it, where the meaning can be guessed.
pub(crate) fn rewrite(text: &str) -> Option<String> {
    loose(text).filter(|millis| (1..=HOUR).contains(millis)).map(shortest)
}

/// The milliseconds of a duration with spaces and underscores, a fraction, several parts
/// (`1m30s`) or units by another name.
fn loose(text: &str) -> Option<u64> {
    let text: String =
        text.chars().filter(|char| !char.is_whitespace() && !matches!(char, '_' | ',')).collect();
    let mut rest = text.as_str();
    let mut millis = 0_u64;
    (!rest.is_empty()).then_some(())?;
    while !rest.is_empty() {
        let digits = rest.find(|char: char| !char.is_ascii_digit() && char != '.')?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|char: char| !char.is_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        millis = millis.checked_add(milliseconds(number, factor(unit)?)?)?;
        rest = tail;
    }
    Some(millis)
}

fn factor(unit: &str) -> Option<u64> {
    Some(match unit.to_lowercase().as_str() {
        "ms" | "msec" | "msecs" | "milli" | "millis" | "millisecond" | "milliseconds" => 1,
        "s" | "sec" | "secs" | "second" | "seconds" => 1_000,
        "m" | "min" | "mins" | "minute" | "minutes" => 60_000,
        "h" | "hr" | "hour" | "hours" => HOUR,
        _ => return None,
    })
}

/// `number`, which may have a fraction, times `factor`, where that is a whole number.
fn milliseconds(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole = match whole {
        "" if fraction.is_empty() => return None,
        "" => 0,
        whole => whole.parse::<u64>().ok()?.checked_mul(factor)?,
    };
    let scale = 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = match fraction {
        "" => 0,
        fraction => fraction.parse::<u64>().ok()?.checked_mul(factor)?,
    };
    (part % scale == 0).then_some(())?;
    whole.checked_add(part / scale)
}

fn shortest(millis: u64) -> String {
    let (unit, factor) = UNITS
        .into_iter()
        .rfind(|(_, factor)| millis > 0 && millis.is_multiple_of(*factor))
        .unwrap_or(UNITS[1]);
    format!("{}{unit}", millis / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit_up_to_an_hour() {
        for (text, millis) in [
            ("300ms", 300),
            ("2s", 2_000),
            ("1m", 60_000),
            ("0s", 0),
            ("007s", 7_000),
            ("60m", HOUR),
            ("3600s", HOUR),
            ("1h", HOUR),
        ] {
            assert_eq!(parse(text), Ok(millis), "{text}");
        }
    }

    #[test]
    fn what_was_meant_is_spelled_out() {
        for (text, written) in [
            ("300 ms", "300ms"),
            (" 5s ", "5s"),
            ("0.5s", "500ms"),
            ("1.5m", "90s"),
            (".5s", "500ms"),
            ("1m30s", "90s"),
            ("5sec", "5s"),
            ("5 Seconds", "5s"),
            ("1_000ms", "1s"),
            ("0.5h", "30m"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.ends_with(&format!("write `\"{written}\"`")), "{text}: {error}");
        }
    }

    #[test]
    fn a_missing_unit_is_asked_for() {
        let error = parse("300").unwrap_err();
        assert_eq!(error, "the unit is missing: write `\"300ms\"` or `\"300s\"`");
        assert_eq!(parse("0").unwrap_err(), "the unit is missing: write `\"0s\"`");
    }

    #[test]
    fn nothing_over_an_hour_however_large() {
        for text in [
            "61m",
            "3601s",
            "2h",
            "1h30m",
            "90 min",
            "18446744073709551616ms",
            "99999999999999999999999h",
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error, "this is over an hour, the longest duration allowed", "{text}");
        }
    }

    #[test]
    fn nonsense_is_told_the_form() {
        for text in ["", " ", "s", "fast", "5x", "5us", "1e3s", "0x5s", "5.s.s", "½s", "٣s"] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with("expected a whole number"), "{text}: {error}");
        }
        assert_eq!(parse("-5s").unwrap_err(), "a duration cannot be negative");
    }
}
