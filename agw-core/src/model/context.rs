//! A context: the association of terminations that makes one call (H.248.1 section 6.1).

use std::fmt;

/// The number of a context, never 0, `u32::MAX` or `u32::MAX - 1` (H.248.1: NULL, CHOOSE and ALL).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContextId(pub u32);

impl ContextId {
    /// The greatest: what is above has a meaning of its own.
    pub const MAX: ContextId = ContextId(u32::MAX - 2);
}

impl fmt::Display for ContextId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the controller says of a whole context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ContextAttributes {
    /// 0 (lowest) to 15.
    pub priority: u8,
    /// An emergency call: served before others.
    pub emergency: bool,
}

impl ContextAttributes {
    /// Whether it is served before others, out of what is kept for such calls: an emergency, or at least this priority.
    pub const fn is_privileged(&self, high_priority: u8) -> bool {
        self.emergency || self.priority >= high_priority
    }
}
