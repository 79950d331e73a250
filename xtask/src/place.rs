//! Where things are: the workspace, cargo's target folder, and what the chores keep in it.

use std::env;
use std::path::{Path, PathBuf};

/// The workspace's folder.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

/// Cargo's target folder.
pub(crate) fn target() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(named) => env::current_dir().unwrap_or_default().join(named),
        None => root().join("target"),
    }
}

/// The Python with the C libsrtp in it.
pub(crate) fn venv() -> PathBuf {
    target().join("venv")
}

/// Tools built for the chores alone.
pub(crate) fn tools() -> PathBuf {
    target().join("tools")
}

/// Whether nobody watches: then anything left out is a failure.
pub(crate) fn in_ci() -> bool {
    env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false" && value != "0")
}
