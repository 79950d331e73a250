//! Audit: which descriptors, or which single properties, to return (H.248.1 section 7.1.12).

use super::*;

/// What to return; nothing at all for an empty list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditDescriptor {
    /// Descriptors and parts of descriptors.
    pub items: Vec<AuditItem>,
}

impl AuditDescriptor {
    /// Whether this descriptor as a whole is asked for.
    pub fn wants(&self, kind: DescriptorKind) -> bool {
        self.items.contains(&AuditItem::Descriptor(kind))
    }
}

/// The descriptors that can be audited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is the descriptor of that name")]
pub enum DescriptorKind {
    Mux,
    Modem,
    Media,
    Events,
    Signals,
    DigitMap,
    Statistics,
    ObservedEvents,
    Packages,
    EventBuffer,
}

/// A descriptor, or since version 2 a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditItem {
    /// The whole descriptor.
    Descriptor(DescriptorKind),
    /// Single properties of Media; at least one.
    Media(Vec<MediaAudit>),
    /// One event.
    Event {
        /// The request it belongs to.
        request: Option<RequestId>,
        /// `package/event`.
        event: PkgdName,
    },
    /// One buffered event.
    BufferedEvent {
        /// `package/event`.
        event: PkgdName,
        /// On this stream.
        stream: Option<StreamId>,
        /// Only this parameter; the binary encoding cannot say this.
        parameter: Option<Name>,
    },
    /// One signal, of a list where an identifier is given.
    Signal {
        /// The signal list.
        list: Option<u16>,
        /// `package/signal`.
        signal: PkgdName,
    },
    /// One digit map.
    DigitMap(Name),
    /// One statistic.
    Statistic(PkgdName),
    /// One package.
    Package(PackageVersion),
}

/// A single property of Media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaAudit {
    /// Of LocalControl, on one stream or on the only one.
    LocalControl {
        /// The stream.
        stream: Option<StreamId>,
        /// The property.
        item: LocalControlAudit,
    },
    /// Version 3: the whole Local descriptor.
    Local {
        /// The stream.
        stream: Option<StreamId>,
    },
    /// Version 3: the whole Remote descriptor.
    Remote {
        /// The stream.
        stream: Option<StreamId>,
    },
    /// Version 3: one statistic of a stream.
    Statistic {
        /// The stream.
        stream: Option<StreamId>,
        /// `package/statistic`.
        name: PkgdName,
    },
    /// Of TerminationState.
    TerminationState(TerminationStateAudit),
}

/// A property of LocalControl.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalControlAudit {
    /// The mode.
    Mode,
    /// ReservedValue.
    ReserveValue,
    /// ReservedGroup.
    ReserveGroup,
    /// A package property.
    Property(PkgdName),
}

/// A property of TerminationState.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TerminationStateAudit {
    /// The service state.
    ServiceState,
    /// The event buffer control.
    EventBufferControl,
    /// A package property.
    Property(PkgdName),
}
