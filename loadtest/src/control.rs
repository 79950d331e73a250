//! How calls are set up and torn down at a gateway, whatever it speaks.
//!
//! A [`Control`] is one protocol as a machine without sockets: it is told what to set up, hands out datagrams, takes datagrams and the
//! time, and says what happened. The [`Dialer`] owns the socket and keeps a window of requests outstanding, so that the gateway's own
//! speed is seen and not the round trip.

pub mod bencode;
mod dialer;
pub mod iq;
pub mod ng;
pub mod sdp;

pub use dialer::{DialError, Dialer, MAX_WINDOW};

use crate::calls::{CallPlan, Established};
use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;
use std::time::Duration;

/// How long a request waits for its first answer before it is sent again; doubled each time.
pub const FIRST_RETRANSMISSION: Duration = Duration::from_millis(500);
/// After how many transmissions a request is given up.
pub const MAX_TRANSMISSIONS: u32 = 5;

/// What a control protocol reports.
#[derive(Debug)]
pub enum Event {
    /// The call is up: media may flow.
    Up(Box<Established>),
    /// The call is gone from the gateway.
    Down {
        /// The call's number.
        call: u32,
    },
    /// The gateway refused, or did not answer; the call is not (or no longer) up.
    Failed {
        /// The call's number.
        call: u32,
        /// What the gateway said, or that it said nothing.
        reason: String,
    },
    /// One request was answered.
    Replied {
        /// From its first transmission to its answer.
        took: Duration,
    },
}

/// A control protocol without its socket. Time is the [`Duration`] since a moment of the caller's choice.
///
/// Feed it with `set_up`, `tear_down`, `handle_*`; after each, drain `poll_transmit` and `poll_event`.
pub trait Control: Send {
    /// Asks for a call. Its end is one [`Event::Up`] or [`Event::Failed`].
    fn set_up(&mut self, plan: &CallPlan, now: Duration);
    /// Ends a call that is up. Its end is one [`Event::Down`] or [`Event::Failed`].
    fn tear_down(&mut self, call: u32, now: Duration);
    /// A datagram from the gateway.
    fn handle_datagram(&mut self, datagram: &[u8], now: Duration);
    /// Time has passed.
    fn handle_timeout(&mut self, now: Duration);
    /// When `handle_timeout` wants to be called next.
    fn poll_timeout(&self) -> Option<Duration>;
    /// The next datagram for the gateway.
    fn poll_transmit(&mut self) -> Option<Vec<u8>>;
    /// What happened next.
    fn poll_event(&mut self) -> Option<Event>;
}

/// The languages that gateways are driven in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// H.248 text over UDP, as an IMS-ALG speaks it on Iq.
    Iq,
    /// rtpengine's NG protocol: bencode over UDP.
    Ng,
}

/// A gateway as the command line names it: `iq:HOST:PORT` or `ng:HOST:PORT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GatewayAddress {
    /// What it speaks.
    pub protocol: Protocol,
    /// Where it listens.
    pub address: SocketAddr,
}

impl GatewayAddress {
    /// A control machine for this gateway.
    pub fn control(&self) -> Box<dyn Control> {
        match self.protocol {
            Protocol::Iq => Box::new(iq::Iq::new(self.address)),
            Protocol::Ng => Box::new(ng::Ng::new()),
        }
    }
}

impl FromStr for GatewayAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, host) = text.split_once(':').ok_or("expected iq:HOST:PORT or ng:HOST:PORT")?;
        let protocol = match scheme {
            "iq" => Protocol::Iq,
            "ng" => Protocol::Ng,
            other => return Err(format!("{other:?} is no control protocol; iq and ng are")),
        };
        let mut addresses = host.to_socket_addrs().map_err(|error| format!("{host:?}: {error}"))?;
        let address = addresses.next().ok_or_else(|| format!("{host:?} has no address"))?;
        Ok(Self { protocol, address })
    }
}

impl fmt::Display for GatewayAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.protocol {
            Protocol::Iq => "iq",
            Protocol::Ng => "ng",
        };
        write!(f, "{scheme}:{}", self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_named_by_protocol_and_address() {
        let gateway: GatewayAddress = "ng:127.0.0.1:2223".parse().unwrap();
        assert_eq!(
            gateway,
            GatewayAddress { protocol: Protocol::Ng, address: ([127, 0, 0, 1], 2223).into() }
        );
        assert_eq!(gateway.to_string(), "ng:127.0.0.1:2223");
        assert_eq!("iq:[::1]:2944".parse::<GatewayAddress>().unwrap().to_string(), "iq:[::1]:2944");
        assert!("127.0.0.1".parse::<GatewayAddress>().is_err());
        assert!("sip:127.0.0.1:5060".parse::<GatewayAddress>().is_err());
    }
}
