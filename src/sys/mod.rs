//! Where the program touches the world: every change of disk, the clock, the environment, locks,
//! and facts of the machine. Knows nobody.

#![expect(
    clippy::disallowed_methods,
    reason = "this is the room where the world is changed"
)]

pub mod boot;
pub mod clock;
pub mod env;
pub mod fs;
pub mod git;
pub mod host;
pub mod lock;
pub mod parent;
