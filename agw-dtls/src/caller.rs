//! A client that may call twice. If the server shows that the first library lacks what it asks for, it is called again with the second (see
//! [`crate::engines`]); once, and never after a handshake was complete. Who can forge datagrams of the server can force that: a
//! handshake of DTLS 1.2 that is proven like any other.

use agw_tls::{Identity, Role, TlsFailure};

use crate::engine::{DtlsEngine, Output, Version};
use crate::engines::{Engines, HANDSHAKE_FAILURE, Library};

/// See above.
pub(crate) struct Caller {
    engines: Engines,
    identity: Identity,
    library: Library,
    engine: Box<dyn DtlsEngine>,
    connected: bool,
    /// The server has yet to hear that the first call is over.
    farewell: bool,
    now_us: u64,
}

impl Caller {
    pub(crate) fn new(engines: &Engines, identity: &Identity, now_us: u64) -> Result<Self, TlsFailure> {
        let library = engines.first();
        Ok(Self {
            engines: engines.clone(),
            identity: identity.clone(),
            library,
            engine: engines.make(library, Role::Client, identity, now_us)?,
            connected: false,
            farewell: false,
            now_us,
        })
    }

    /// Calls again, if that may help.
    fn retry(&mut self, failure: TlsFailure) -> Result<(), TlsFailure> {
        let next = self.engines.after(self.library, failure).filter(|_| !self.connected);
        self.library = next.ok_or(failure)?;
        self.engine = self.engines.make(self.library, Role::Client, &self.identity, self.now_us)?;
        self.farewell = !matches!(failure, TlsFailure::Alert(_));
        Ok(())
    }
}

impl DtlsEngine for Caller {
    fn handle_datagram(&mut self, datagram: &[u8], now_us: u64) -> Result<(), TlsFailure> {
        self.now_us = now_us;
        // The first library does not look at an alert before it knows the version.
        if let Some(alert) = fatal_alert(datagram)
            && self.engine.version().is_none()
            && self.engines.after(self.library, alert).is_some()
        {
            return self.retry(alert);
        }
        self.engine.handle_datagram(datagram, now_us).or_else(|failure| self.retry(failure))
    }

    fn handle_timeout(&mut self, now_us: u64) -> Result<(), TlsFailure> {
        self.now_us = now_us;
        self.engine.handle_timeout(now_us)
    }

    fn poll_output<'a>(&mut self, into: &'a mut [u8]) -> Result<Output<'a>, TlsFailure> {
        if std::mem::take(&mut self.farewell) {
            let to = into.get_mut(..HANDSHAKE_FAILURE.len()).ok_or(TlsFailure::Internal)?;
            to.copy_from_slice(&HANDSHAKE_FAILURE);
            return Ok(Output::Datagram(to));
        }
        let output = self.engine.poll_output(into)?;
        self.connected |= matches!(output, Output::Connected);
        Ok(output)
    }

    fn send(&mut self, data: &[u8]) -> Result<usize, TlsFailure> {
        self.engine.send(data)
    }

    fn close(&mut self) {
        self.engine.close();
    }

    fn version(&self) -> Option<Version> {
        self.engine.version()
    }
}

/// A fatal alert in the clear, if the datagram begins with one.
fn fatal_alert(datagram: &[u8]) -> Option<TlsFailure> {
    match datagram {
        [21, _, _, 0, 0, _, _, _, _, _, _, 0, 2, 2, number, ..] => Some(TlsFailure::Alert(*number)),
        _ => None,
    }
}
