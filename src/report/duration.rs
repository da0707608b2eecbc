//! Durations as people read them.
//!
//! One function, so that a step's line, the report and the summary agree. It knows no clock.

use std::time::Duration;

/// Below this a tenth of a second counts (`9.95s` would show as `10.0s`).
const TENTHS_UNTIL: u128 = 9_950;

/// `0.4s`, `1.2s`, `12s`, `1m 03s`, `1h 02m`.
pub fn human(duration: Duration) -> String {
    let ms = duration.as_millis();
    if ms < TENTHS_UNTIL {
        let tenths = (ms + 50) / 100;
        return format!("{}.{}s", tenths / 10, tenths % 10);
    }
    let seconds = (ms + 500) / 1000;
    let minutes = (seconds + 30) / 60;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", minutes / 60, minutes % 60),
    }
}

/// [`human`] for what events carry.
pub fn human_ms(ms: u64) -> String {
    human(Duration::from_millis(ms))
}

#[cfg(test)]
mod tests {
    use super::human_ms;

    #[test]
    fn reads_well_and_rounds_over_the_borders() {
        let cases = [
            (0, "0.0s"),
            (49, "0.0s"),
            (50, "0.1s"),
            (400, "0.4s"),
            (1_234, "1.2s"),
            (9_949, "9.9s"),
            (9_950, "10s"),
            (12_000, "12s"),
            (59_499, "59s"),
            (59_500, "1m 00s"),
            (63_000, "1m 03s"),
            (3_599_499, "59m 59s"),
            (3_599_500, "1h 00m"),
            (3_720_000, "1h 02m"),
            (360_000_000, "100h 00m"),
        ];
        for (ms, text) in cases {
            assert_eq!(human_ms(ms), text, "{ms}ms");
        }
    }
}
