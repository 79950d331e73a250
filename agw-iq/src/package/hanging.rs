//! `hangterm/thb` (H.248.36): a heartbeat for terminations that nobody has spoken of for a while.
//!
//! When no message has named the termination for `timerx` seconds the gateway notifies the controller. A controller that does not know
//! the termination any more answers with 411, 430 or 435, and the gateway takes the hanging termination out (TS 23.334 clause 5.7).

use crate::ast::{EventSpec, PkgdName, RequestedEvent};
use crate::errors::ErrorCode;
use std::time::Duration;

/// The period of a checked `hangterm/thb` event, or the gateway's own where the event does not say.
pub fn period(event: &RequestedEvent, default: Duration) -> Duration {
    let seconds =
        event.parms.iter().find(|parm| parm.name == "timerx").and_then(|parm| parm.value.single()?.as_u64());
    seconds.map_or(default, Duration::from_secs)
}

/// The heartbeat as it is told; it has no parameters.
pub fn heartbeat() -> EventSpec {
    EventSpec { name: PkgdName::new("hangterm", "thb"), stream: None, parms: Vec::new() }
}

/// Whether this answer to a heartbeat says that the controller does not know the termination.
pub fn is_hanging(answer: ErrorCode) -> bool {
    [ErrorCode::UNKNOWN_CONTEXT, ErrorCode::UNKNOWN_TERMINATION, ErrorCode::TERMINATION_NOT_IN_CONTEXT]
        .contains(&answer)
}
