//! `agw run`: the gateway as a process.

use crate::admin::server::{Server, serve};
use crate::cli::Run;
use crate::config::load::load;
use crate::control::{self, End};
use crate::failure::Failure;
use crate::logging::Logs;
use agw_core::io::sys;

/// Runs until it is told to end.
///
/// # Errors
/// When it cannot start, or something that it needs breaks.
pub fn run(request: &Run) -> Result<(), Failure> {
    let source = request.configuration.source();
    let loaded = load(&source);
    for problem in loaded.errors() {
        eprintln!("{problem}");
    }
    let warnings: Vec<String> = loaded.warnings().map(ToString::to_string).collect();
    let Some(config) = loaded.config else { return Err(Failure::Told) };
    let logs = Logs::begin(config.log.level, request.log_format.unwrap_or(config.log.format));
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    // SRTP-12: no core dump, and no debugger of the same user.
    if let Err(error) = sys::forbid_dumps() {
        tracing::warn!(%error, "this process could not be made undumpable");
    }
    // A page of 2 MB is cleared while the worker that has touched it waits, on a virtual machine up to 5 ms; small ones cost no more in sum.
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "huge pages could not be turned off");
    }
    let admin = config.admin.listen.0;
    let gateway = control::build(config, true)?;
    let server: Option<Server> = match admin {
        None => None,
        Some(address) => Some(
            serve(address, gateway.pages())
                .map_err(|e| Failure::because(format!("admin.listen = \"{address}\""), e))?,
        ),
    };
    let at = server.as_ref().map_or_else(|| "off".to_owned(), |s| s.address.to_string());
    let (iq, listening, workers) = (gateway.iq, gateway.addresses.to_string(), gateway.watches.len());
    let up = || {
        let version = env!("CARGO_PKG_VERSION");
        tracing::info!(version, %iq, listening, admin = at, workers, "the gateway is up");
    };
    match gateway.run(Some((source, logs)), up)? {
        End::Drained => tracing::info!("all calls have ended"),
        End::Deadline { contexts } => {
            tracing::warn!(contexts, "the drain's deadline has passed, calls were cut off");
        }
        End::AtOnce => tracing::warn!("ended at once by a second signal"),
    }
    Ok(())
}
