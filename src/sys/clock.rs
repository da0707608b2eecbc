//! The clocks: the one that only goes forward, and the one on the wall. Knows nobody.

use std::time::{Duration, Instant, SystemTime};

/// The clock that only goes forward, for durations.
pub fn now() -> Instant {
    Instant::now()
}

/// The clock on the wall, which may be set at any time.
pub fn wall() -> SystemTime {
    SystemTime::now()
}

/// A time as RFC 3339 in UTC, to the second: `2026-11-21T12:00:00Z`.
pub fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

/// The same to the millisecond, for logs and events.
pub fn rfc3339_millis(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

/// Lets time pass.
pub fn sleep(time: Duration) {
    std::thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_500);
        assert_eq!(rfc3339(time), "1970-01-01T00:00:01Z");
        assert_eq!(rfc3339_millis(time), "1970-01-01T00:00:01.500Z");
    }
}
