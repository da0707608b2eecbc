//! Durations, sizes and versions as people write them.

use std::time::Duration;

use super::error::Complaint;

/// Reads `500ms`, `60s`, `10m`, `1h30m`, `2d`.
///
/// # Errors
///
/// What is wrong; a bare number gets both of its readings.
pub fn duration(text: &str) -> Result<Duration, Complaint> {
    if text.parse::<f64>().is_ok() {
        return Err(Complaint::new(
            format!("`{text}` has no unit"),
            format!("write `{text}s` for seconds or `{text}m` for minutes"),
        ));
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let (number, unit, after) = quantity(rest).ok_or_else(|| not_a_duration(text))?;
        total = part(number, unit)
            .and_then(|part| total.checked_add(part))
            .ok_or_else(|| not_a_duration(text))?;
        rest = after;
    }
    if text.is_empty() {
        Err(not_a_duration(text))
    } else {
        Ok(total)
    }
}

/// Reads a duration that something may take: not zero.
///
/// # Errors
///
/// As [`duration`].
pub fn limit(text: &str) -> Result<Duration, Complaint> {
    match duration(text) {
        Ok(Duration::ZERO) => Err(Complaint::new(
            format!("`{text}` is no time at all"),
            "without the key there is no limit",
        )),
        result => result,
    }
}

fn not_a_duration(text: &str) -> Complaint {
    Complaint::new(
        format!("`{text}` is not a duration"),
        "write it like `500ms`, `60s`, `10m` or `1h30m`",
    )
}

/// Splits `10m5s` into `10`, `m`, `5s`.
fn quantity(text: &str) -> Option<(u64, &str, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let unit = &text[digits..];
    let end = unit
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(unit.len());
    Some((text[..digits].parse().ok()?, &unit[..end], &unit[end..]))
}

fn part(number: u64, unit: &str) -> Option<Duration> {
    let seconds = match unit {
        "ms" => return Some(Duration::from_millis(number)),
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86400,
        _ => return None,
    };
    Some(Duration::from_secs(number.checked_mul(seconds)?))
}

/// Reads `40MB` (10^6), `40MiB` or `40M` (2^20), `512` and `512B` (bytes).
///
/// # Errors
///
/// What is wrong.
pub fn size(text: &str) -> Result<u64, Complaint> {
    let wrong = || {
        Complaint::new(
            format!("`{text}` is not a size"),
            "write it like `512`, `40kB`, `40MB` (10^6) or `40MiB` (2^20)",
        )
    };
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
    let factor: u64 = match text[digits..].trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" | "K" | "k" => 1 << 10,
        "MiB" | "M" => 1 << 20,
        "GiB" | "G" => 1 << 30,
        _ => return Err(wrong()),
    };
    number.checked_mul(factor).ok_or_else(wrong)
}

/// Reads what is wanted of a version: `>=1.22`, `^3.9`.
///
/// # Errors
///
/// What is wrong.
pub fn requirement(text: &str) -> Result<String, Complaint> {
    match semver::VersionReq::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(Complaint::new(
            format!("`{text}` is no version requirement: {error}"),
            "a requirement is like `>=1.22`, `^3.9` or `>=18, <21`",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in [
            ("500ms", 500),
            ("60s", 60_000),
            ("1h30m", 5_400_000),
            ("1m1s1ms", 61_001),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "",
            "s",
            "10",
            "1.5s",
            "10x",
            "s10",
            "-1s",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert!(
            duration("10")
                .unwrap_err()
                .help
                .contains("`10s` for seconds or `10m`")
        );
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", 0),
            ("512", 512),
            ("40MB", 40_000_000),
            ("1MiB", 1 << 20),
            ("2M", 2 << 20),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "MB", "1.5MB", "1XB", "99999999999GiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
