//! The cache as a whole, on real folders. `fixture` is a workspace with a store; `keys` holds what
//! is in the key and what is not, `story` what happens to a step from run to run, `discovered` the
//! same with a depfile, `damage` what people, disks and kills can do to it, `stores` what every store
//! must do, `upkeep` what keeps it small.

mod damage;
mod discovered;
mod fixture;
mod keys;
mod stores;
mod story;
mod upkeep;
