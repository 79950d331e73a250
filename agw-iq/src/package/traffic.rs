//! What is told of `tman` (H.248.53): the peer sends more than it may. No public text gives an event for that, so the one here is ours.

use crate::ast::{EventSpec, PkgdName};
use agw_core::model::StreamId;

/// `tman/policed` (provisional): packets are discarded, told at the first and again only after a pause.
pub fn policed(stream: StreamId) -> EventSpec {
    EventSpec { name: PkgdName::new("tman", "policed"), stream: Some(stream.0), parms: Vec::new() }
}
