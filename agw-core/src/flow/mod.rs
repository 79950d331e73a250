//! What a bound port can be, and what happens to its packets.

use crate::command::order::FlowPlan;

/// One side of one stream as its worker runs it.
#[derive(Debug)]
pub struct Flow {
    /// The plan it runs by.
    pub plan: FlowPlan,
}

impl Flow {
    /// A flow that is about to run by this plan. Made by the controller, who also gets it back.
    pub fn new(plan: FlowPlan) -> Self {
        Self { plan }
    }
}
