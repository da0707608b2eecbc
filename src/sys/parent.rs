//! Which processes started this one. Knows no step.

/// Whether process `pid` started this one, or started who started it, and so on. Where the system
/// does not tell, nobody did.
pub fn is_ancestor(pid: u32) -> bool {
    let mut at = std::process::id();
    while let Some(parent) = parent_of(at).filter(|parent| *parent > 1) {
        if parent == pid {
            return true;
        }
        at = parent;
    }
    false
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before may hold anything, blanks and brackets too; the state and the parent follow.
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_parent_is_an_ancestor_and_this_process_is_not() {
        let own = std::process::id();
        assert!(is_ancestor(parent_of(own).unwrap()) || parent_of(own) == Some(1));
        assert!(!is_ancestor(own));
    }
}
