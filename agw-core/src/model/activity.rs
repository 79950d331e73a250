//! Watching whether media still flow (H.248.40): how long a direction may be silent before the front end hears of it.

/// Which way media go, seen from outside the context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// From the peer.
    In,
    /// To the peer.
    Out,
    /// Either way: silence means that neither carries anything.
    Both,
}

impl Way {
    /// All of them, in the order of their numbers.
    pub const ALL: [Way; 3] = [Way::In, Way::Out, Way::Both];
}

/// What is found of one way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Activity {
    /// Something passed within the limit. Where watching begins.
    #[default]
    Flowing,
    /// Nothing passed for as long as the limit.
    Stopped,
    /// A gate of the context is shut, so nothing can pass.
    Held,
}

/// The limits of a stream, by way, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Watch([Option<u32>; 3]);

impl Watch {
    /// Silence of at least so long is to be told.
    pub fn set(&mut self, way: Way, limit_ms: u32) {
        self.0[way as usize] = Some(limit_ms);
    }

    /// How long a way may be silent; `None`: it is not watched.
    pub const fn limit_ms(&self, way: Way) -> Option<u32> {
        self.0[way as usize]
    }

    /// Whether nothing is watched.
    pub const fn is_none(&self) -> bool {
        matches!(self.0, [None, None, None])
    }
}
