//! The rebuilder: is a step's result still good, can it come from the store, and if not, why?
//!
//! # What enters the action key
//!
//! | # | in the key | field |
//! |---|---|---|
//! | 1 | commands after expansion (stamps as placeholders), shell words, `"$@"` | `command`, `args` |
//! | 2 | working folder, workspace-relative | `dir` |
//! | 3 | declared environment, by value | `env` |
//! | 4 | names of `pass_env` and `secrets` | `pass_env`, `secrets` |
//! | 5 | platform: os, arch | `platform` |
//! | 6 | what `tools` printed: digest and first line | `tools` |
//! | 7 | inputs: sources and outputs of needed steps, one sorted list of (path, kind, exec, digest) | `input` |
//! | 8 | discovered inputs: what the depfile listed, as in 7; not in the weak key | `discovered` |
//! | 9 | declared outputs with their flags | `output` |
//! | 10 | shell, `env_policy`, `path`, `verify` | `shell`, `env_policy`, `path`, `verify` |
//! | 9 | the depfile, where there is one | `depfile` |
//! | 10 | `incremental`, `tty`, where they are set | `incremental`, `tty` |
//! | 11 | salt | `salt` |
//!
//! Not in the key: names of step and pipeline, descriptions, YAML order and comments, timeouts, `retries`,
//! `requires`, `if`, `on_failure`, `hint`, the workspace's path, user, host, `pipe`'s version, stamp values, the job count.
//!
//! # A step's way through the files
//!
//! `prepare` (with `action`, `encode`: the key) → `decide` (still good? `diff`, `miss`, `wording`: why
//! not) → `restore` (with `place`) or, around the command, `aside`, `discover` (with `depfile`) and
//! `capture` (with `share`). On disk: `state` and `fields` are what is remembered here, `journal` and
//! `recover` what is out of its place, `probes` what tools said, `result`, `sets`, `store`, `local` and
//! `logs` what is shared, `flight` who makes it; `frames`, `beneath`, `kept` and `scan` are what these
//! are made of. `shelves` says where things lie in the store and `lease` who uses it; `upkeep` with
//! `stock`, `collect` and `verify`, and by itself `census`, keep it in order. `tree` and `stat` are what
//! is known of files.
//!
//! This room knows plan's step types, `glob`, `sys`; it knows no process, no event sink and no
//! terminal. All methods of [`Cache`] may be called from many threads at once.

mod action;
mod aside;
mod beneath;
mod capture;
mod census;
mod clean;
mod collect;
mod decide;
mod depfile;
mod diff;
mod digest;
mod discover;
mod encode;
mod entry;
mod fields;
mod flight;
mod frames;
mod home;
mod journal;
mod kept;
mod lease;
mod local;
mod logs;
mod made;
mod makers;
#[cfg(test)]
mod memory;
mod miss;
mod place;
mod prepare;
mod probes;
mod rebuilder;
mod recover;
mod restore;
mod result;
mod scan;
mod sets;
mod share;
mod shelves;
mod stat;
mod state;
mod stock;
mod store;
#[cfg(test)]
mod tests;
mod tree;
mod upkeep;
mod verify;
mod wording;

pub use action::{Action, ActionKey, BASE_ENV, Printed};
pub use aside::Aside;
pub use capture::{CaptureError, not_made};
pub use clean::Cleaned;
pub use collect::Collected;
pub use depfile::{Depfile, DepfileError};
pub use digest::{Digest, Hasher};
pub use discover::{DiscoverError, Discovered};
pub use encode::Field;
pub use entry::{Entry, EntryPath, Identity, Kind};
pub use flight::{Elsewhere, Flight, Turn};
pub use home::{make_state_dir, mark_state_dir};
pub use local::{Limits, StoreAt};
pub use made::{Made, PrepareError, Prepared, Ran, Upstream};
pub use miss::{FileState, MissReason, OutputChange, Variable};
pub use probes::{Probe, ProbeKey};
pub use rebuilder::{Cache, CacheError, CacheOptions};
pub use recover::sweep;
pub use result::Origin;
pub use state::{Ended, LastRun, Latest};
pub use tree::{Seq, SourceSet, Tick, Tree, TreeError, margin};
pub use upkeep::{Stats, Upkeep};
pub use verify::Verified;
