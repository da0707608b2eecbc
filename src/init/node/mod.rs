//! Node: a `package.json`, the package manager that its lock file tells, and the framework that
//! its configuration file tells.

mod framework;
mod manager;

pub use framework::Framework;
pub use manager::Manager;
