//! What the gateway tells of its load: `ocp/mg_overload` (H.248.11), on which a controller throttles with a leaky bucket, and `chp/MGCon`
//! (H.248.10), which says by how many per cent less is wanted.

use crate::ast::{EventSpec, Name, Parm, PkgdName, Value};
use std::time::Duration;

/// How often `ocp/mg_overload` is told at most while there is overload.
pub const REPEAT: Duration = Duration::from_secs(1);

/// There is overload. The event has no parameters and no end: it is told no more.
pub fn overload() -> EventSpec {
    EventSpec { name: PkgdName::new("ocp", "mg_overload"), stream: None, parms: Vec::new() }
}

/// The controller is to ask for so many per cent less; 0: all is well again.
pub fn reduction(percent: u8) -> EventSpec {
    let value = Value::from(u64::from(percent)).into();
    EventSpec {
        name: PkgdName::new("chp", "MGCon"),
        stream: None,
        parms: vec![Parm { name: Name::new("reduction"), value }],
    }
}
