//! A worker's flows, found by their number or by the port that a packet came to. Both are array look-ups: no hashing, no search. All
//! memory is taken when the table is made: 8 bytes per flow place and 256 KiB per local address.

use crate::command::order::{FlowId, PortKey};
use crate::flow::Flow;
use crate::model::Component;

/// No flow listens on this port.
const NOBODY: u32 = u32::MAX;
/// Flow numbers are kept in 31 bits beside the component.
pub const MAX_FLOWS: usize = 1 << 31;
const PORTS_PER_ADDRESS: usize = 1 << 16;

/// The flows.
#[derive(Debug)]
pub struct FlowTable {
    flows: Box<[Option<Box<Flow>>]>,
    /// For each local address and port: the flow's number and, in the lowest bit, the component.
    ports: Box<[u32]>,
    installed: usize,
}

impl FlowTable {
    /// Room for `flows` flows on ports of `addresses` local addresses.
    pub fn new(flows: usize, addresses: usize) -> Self {
        Self {
            flows: (0..flows.min(MAX_FLOWS - 1)).map(|_| None).collect(),
            ports: vec![NOBODY; addresses * PORTS_PER_ADDRESS].into(),
            installed: 0,
        }
    }

    /// How many flows are installed.
    pub fn installed(&self) -> usize {
        self.installed
    }

    /// How many places there are.
    pub fn capacity(&self) -> usize {
        self.flows.len()
    }

    /// Puts a flow into a free place. Gives it back when there is no such place or it is taken.
    pub fn install(&mut self, id: FlowId, flow: Box<Flow>) -> Result<(), Box<Flow>> {
        match self.flows.get_mut(id.0 as usize) {
            Some(place @ None) => *place = Some(flow),
            _ => return Err(flow),
        }
        self.installed += 1;
        self.listen(id);
        Ok(())
    }

    /// Takes a flow out and forgets its ports.
    pub fn remove(&mut self, id: FlowId) -> Option<Box<Flow>> {
        self.stop_listening(id);
        let flow = self.flows.get_mut(id.0 as usize)?.take()?;
        self.installed -= 1;
        Some(flow)
    }

    /// Finds the ports of a flow from now on. For a flow whose ports change, [`FlowTable::stop_listening`] comes first.
    pub fn listen(&mut self, id: FlowId) {
        let Some(flow) = self.get(id) else { return };
        for (key, component) in flow.keys() {
            if let Some(entry) = self.port_entry(key) {
                *entry = id.0 << 1 | component.index() as u32;
            }
        }
    }

    /// Forgets the ports of a flow.
    pub fn stop_listening(&mut self, id: FlowId) {
        let Some(flow) = self.get(id) else { return };
        for (key, _) in flow.keys() {
            if let Some(entry) = self.port_entry(key)
                && *entry >> 1 == id.0
            {
                *entry = NOBODY;
            }
        }
    }

    fn port_entry(&mut self, key: PortKey) -> Option<&mut u32> {
        self.ports.get_mut(usize::from(key.address) * PORTS_PER_ADDRESS + usize::from(key.port))
    }

    /// Who listens on a port.
    pub fn find(&self, key: PortKey) -> Option<(FlowId, Component)> {
        let at = usize::from(key.address) * PORTS_PER_ADDRESS + usize::from(key.port);
        let entry = *self.ports.get(at)?;
        let component = if entry & 1 == 0 { Component::Rtp } else { Component::Rtcp };
        (entry != NOBODY).then_some((FlowId(entry >> 1), component))
    }

    /// A flow by its number.
    pub fn get(&self, id: FlowId) -> Option<&Flow> {
        self.flows.get(id.0 as usize)?.as_deref()
    }

    /// A flow by its number.
    pub fn get_mut(&mut self, id: FlowId) -> Option<&mut Flow> {
        self.flows.get_mut(id.0 as usize)?.as_deref_mut()
    }
}
