//! `ipnapt/latch` (H.248.37): learning the peer's address behind a NAT.

use crate::ast::Signal;
use agw_core::model::LatchAction;

/// What a checked `ipnapt/latch` signal asks for.
pub fn latch_action(signal: &Signal) -> Option<LatchAction> {
    let value = signal.parms.iter().find(|parm| parm.name == "napt")?.value.single()?;
    if value.is("LATCH") {
        Some(LatchAction::Latch)
    } else if value.is("RELATCH") {
        Some(LatchAction::Relatch)
    } else if value.is("OFF") {
        Some(LatchAction::Off)
    } else {
        None
    }
}
