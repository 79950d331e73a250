//! The last messages, for `agw iq trace`: as text, keys blanked before they are kept (SRTP-12), and only while somebody looks.

use crate::ber::Naming;
use crate::encoding::Form;
use crate::secret::redact;
use crate::text::{self, Style};
use crate::transport::{Now, Peer};
use std::collections::VecDeque;

/// The most messages that are kept until somebody takes them.
pub const MAX_TRACED_MESSAGES: usize = 256;

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceDirection {
    /// To the gateway.
    In,
    /// From the gateway.
    Out,
}

/// A message as people may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceEntry {
    /// When.
    pub at: Now,
    /// Which way.
    pub direction: TraceDirection,
    /// With whom.
    pub peer: Peer,
    /// As text whatever its encoding, keys blanked, without transport framing.
    pub text: String,
}

#[derive(Debug)]
pub(crate) struct Trace {
    enabled: bool,
    naming: Naming,
    kept: VecDeque<TraceEntry>,
}

impl Trace {
    /// Nothing kept, and nothing will be. The naming is for binary messages.
    pub(crate) fn new(naming: Naming) -> Self {
        Self { enabled: false, naming, kept: VecDeque::new() }
    }

    pub(crate) fn record(
        &mut self,
        at: Now,
        direction: TraceDirection,
        peer: Peer,
        form: Form,
        message: &[u8],
    ) {
        if !self.enabled {
            return;
        }
        if self.kept.len() == MAX_TRACED_MESSAGES {
            self.kept.pop_front();
        }
        self.kept.push_back(TraceEntry { at, direction, peer, text: self.shown(form, message) });
    }

    /// A message for people: text as it stands, a binary one written as text; keys blanked.
    fn shown(&self, form: Form, message: &[u8]) -> String {
        match form {
            // A lossy copy of the text would outlive its key; the blanked one is what is made first.
            Form::Text => match std::str::from_utf8(message) {
                Ok(text) => redact(text),
                Err(_) => format!("[{} octets that are not text]", message.len()),
            },
            Form::Binary => match form.parse(message, &self.naming) {
                Ok(parsed) => {
                    let mut text = redact(&text::print(&parsed.message, Style::Pretty));
                    parsed.errors.iter().for_each(|error| text.push_str(&format!("; unreadable: {error}\n")));
                    text
                }
                Err(error) => format!("[{} octets that cannot be read: {error}]", message.len()),
            },
        }
    }

    pub(crate) fn take(&mut self) -> Option<TraceEntry> {
        self.kept.pop_front()
    }

    pub(crate) fn enable(&mut self, enabled: bool) {
        self.enabled = enabled;
        if !enabled {
            self.kept.clear();
        }
    }
}
