//! Which start of the machine this is: what was written before another one may have been lost.
//! Knows nobody.

/// The id of this start of the machine; `None` where the system has none.
#[cfg(target_os = "linux")]
pub fn boot_id() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}

/// The id of this start of the machine; `None` where the system has none.
#[cfg(not(target_os = "linux"))]
pub fn boot_id() -> Option<String> {
    None
}
