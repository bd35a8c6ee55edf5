//! Durations as the attribute writes them: a whole number and one unit, `"300ms"`, `"2s"`,
//! `"1m"`, at most an hour.

pub(crate) const EXAMPLES: &str = r#"`"300ms"`, `"2s"` or `"1m"`"#;

/// The longest duration that makes sense for a health check, in milliseconds.
const HOUR: u64 = 3_600_000;

const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", HOUR)];

/// Why a text is not the duration that is wanted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    Form,
    Negative,
    TooLong,
    /// Less than the least, which is this text.
    TooShort(String),
}

/// The milliseconds that `text` stands for, of which `least` are needed.
pub(crate) fn parse(text: &str, least: u64) -> Result<u64, Problem> {
    match exact(text) {
        Some(millis @ ..=HOUR) if millis >= least => Ok(millis),
        exact => Err(match exact.or_else(|| loose(text)) {
            Some(millis) if millis > HOUR => Problem::TooLong,
            Some(millis) if millis < least => Problem::TooShort(shortest(least)),
            _ if text.trim_start().starts_with('-') => Problem::Negative,
            _ => Problem::Form,
        }),
    }
}

/// How somebody who wrote `text` should have written it, if that can be told.
pub(crate) fn rewrite(text: &str, least: u64) -> Option<String> {
    if let Ok(millis) = parse(text, least) {
        // Only the quotes are missing.
        return Some(if text.starts_with('0') { shortest(millis) } else { text.to_owned() });
    }
    let off = ["off", "none", "never", "no", "false", "disabled"];
    if least == 0 && off.contains(&text.trim().to_lowercase().as_str()) {
        return Some(shortest(0));
    }
    loose(text).filter(|millis| (least..=HOUR).contains(millis)).map(shortest)
}

/// A number too big to count is too long all the same.
fn exact(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, factor) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    (!number.is_empty()).then(|| number.parse().unwrap_or(u64::MAX).saturating_mul(factor))
}

/// The milliseconds of a duration with spaces and underscores, a fraction, several parts
/// (`1m30s`), units by another name, or none. `None` where it could mean more than one thing.
fn loose(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut millis = 0_u64;
    let mut last = u64::MAX;
    (!rest.is_empty()).then_some(())?;
    while !rest.is_empty() {
        let end = rest.find(|char: char| !char.is_ascii_digit() && !".,_".contains(char));
        let (number, tail) = rest.split_at(end.unwrap_or(rest.len()));
        let number = decimal(number)?;
        let tail = tail.trim_start();
        let end = tail.find(|char: char| !char.is_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        if unit.is_empty() {
            return (last == u64::MAX && tail.is_empty()).then(|| without_unit(&number))?;
        }
        // The largest unit first, each once: anything else is most likely a typing mistake.
        let factor = factor(unit).filter(|factor| *factor < last)?;
        last = factor;
        millis = millis.saturating_add(times(&number, factor)?);
        rest = tail.trim_start_matches([' ', ',']);
    }
    Some(millis)
}

/// The number with a point, whichever way it was written. A comma before three digits could also
/// separate thousands.
fn decimal(number: &str) -> Option<String> {
    if number.starts_with(['_', ',']) || number.ends_with(['_', ',', '.']) {
        return None;
    }
    let number = number.replace('_', "");
    match number.split_once(',') {
        None => Some(number),
        Some((whole, fraction)) => {
            let is_fraction = fraction.len() != 3 && !fraction.contains(['.', ',']);
            (is_fraction && !whole.contains('.')).then(|| format!("{whole}.{fraction}"))
        }
    }
}

/// A bare number: from 100 on most likely milliseconds, below seconds.
fn without_unit(number: &str) -> Option<u64> {
    let millis = times(number, 1_000)?;
    if millis < 100_000 { Some(millis) } else { times(number, 1) }
}

fn factor(unit: &str) -> Option<u64> {
    Some(match unit.to_lowercase().as_str() {
        "ms" | "msec" | "msecs" | "milli" | "millis" | "millisecond" | "milliseconds" => 1,
        "s" | "sec" | "secs" | "second" | "seconds" => 1_000,
        "m" | "min" | "mins" | "minute" | "minutes" => 60_000,
        "h" | "hr" | "hrs" | "hour" | "hours" => HOUR,
        _ => return None,
    })
}

/// `number`, which may have a fraction, times `factor`, if that is a whole number.
fn times(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole = match whole {
        "" if fraction.is_empty() => return None,
        "" => 0,
        whole => whole.parse().unwrap_or(u64::MAX).saturating_mul(factor),
    };
    let scale = 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = match fraction {
        "" => 0,
        fraction => fraction.parse::<u64>().ok()?.checked_mul(factor)?,
    };
    part.is_multiple_of(scale).then(|| whole.saturating_add(part / scale))
}

pub(crate) fn shortest(millis: u64) -> String {
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
            assert_eq!(parse(text, 0), Ok(millis), "{text}");
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
            ("5,5s", "5500ms"),
            ("1m30s", "90s"),
            ("1 min, 30 sec", "90s"),
            ("5sec", "5s"),
            ("5 Seconds", "5s"),
            ("1_000ms", "1s"),
            ("0.5h", "30m"),
            ("5", "5s"),
            ("0.5", "500ms"),
            ("500", "500ms"),
            ("5000", "5s"),
            ("0", "0s"),
            ("off", "0s"),
        ] {
            assert_eq!(rewrite(text, 0).as_deref(), Some(written), "{text}");
        }
    }

    #[test]
    fn what_could_mean_two_things_is_not_rewritten() {
        for text in ["1,000ms", "1,500", "5 5s", "5s5s", "1s1m", "1.000.000ms", "5_s", "5s 5"] {
            assert_eq!(rewrite(text, 0), None, "{text}");
        }
    }

    #[test]
    fn a_bound_is_never_overstepped_by_what_is_suggested() {
        assert_eq!(rewrite("0", 1), None);
        assert_eq!(rewrite("off", 1), None);
        assert_eq!(rewrite("0.005s", 10), None);
        assert_eq!(rewrite("90 min", 1), None);
        assert_eq!(rewrite("5000000", 1), None);
        assert_eq!(parse("9ms", 10), Err(Problem::TooShort("10ms".to_owned())));
        assert_eq!(parse("0", 1), Err(Problem::TooShort("1ms".to_owned())));
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
            assert_eq!(parse(text, 0), Err(Problem::TooLong), "{text}");
        }
    }

    #[test]
    fn nonsense_is_told_the_form() {
        for text in ["", " ", "s", "fast", "5x", "5us", "1e3s", "0x5s", "5.s.s", "½s", "٣s", ","]
        {
            assert_eq!(parse(text, 0), Err(Problem::Form), "{text}");
            assert_eq!(rewrite(text, 0), None, "{text}");
        }
        assert_eq!(parse("-5s", 0), Err(Problem::Negative));
    }
}
