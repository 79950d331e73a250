//! Streams that share a port (RFC 8843): the flow whose port it is has a [`BundlePlan`] and gives each packet to the flow that it is for.

use super::FlowId;
use crate::model::{BundleMember, RtpNames};

/// The streams that share the port of a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundlePlan {
    /// They, that of the port first; at most [`MAX_BUNDLE_MEMBERS`](crate::flow::bundle::MAX_BUNDLE_MEMBERS).
    pub members: Vec<BundledFlow>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundledFlow {
    /// Which flow.
    pub flow: FlowId,
    /// How it is told from the others.
    pub member: BundleMember,
    /// How the peer numbers what it sends.
    pub names: RtpNames,
}
