//! Audit descriptors and the audit of context properties.

use super::*;
use crate::ber::audit_bit;

impl Printer<'_> {
    /// `AuditDescriptor`: whole descriptors are bits, parts of them a list.
    pub(super) fn audit(self, w: &mut Writer, tag: u8, audit: &AuditDescriptor) {
        let mut bits = 0;
        let mut single = Vec::new();
        for item in &audit.items {
            match item {
                AuditItem::Descriptor(kind) => bits |= audit_bit(*kind),
                part => single.push(part),
            }
        }
        w.nest(tag, |w| {
            if bits != 0 {
                w.bits(primitive(0), bits);
            }
            if !single.is_empty() {
                w.list(constructed(1), &single, |w, item| self.single(w, item));
            }
        });
    }

    /// `IndAuditParameter`
    fn single(self, w: &mut Writer, item: &AuditItem) {
        match item {
            AuditItem::Descriptor(_) => {}
            AuditItem::Media(items) => w.nest(constructed(0), |w| single_media(w, items)),
            AuditItem::Event { request, event } => w.nest(constructed(1), |w| {
                w.uint_if(primitive(0), request.map(request_number));
                pkgd_name(w, 1, Item::Event, event);
            }),
            AuditItem::BufferedEvent { event, stream, parameter } => {
                if parameter.is_some() {
                    w.unsayable("the audit of one parameter of a buffered event");
                }
                w.nest(constructed(2), |w| {
                    pkgd_name(w, 0, Item::Event, event);
                    w.uint_if(primitive(1), *stream);
                });
            }
            AuditItem::Signal { list, signal } => w.nest(constructed(3), |w| match list {
                None => w.nest(constructed(0), |w| pkgd_name(w, 0, Item::Signal, signal)),
                Some(id) => w.nest(constructed(1), |w| {
                    w.uint(primitive(0), *id);
                    w.nest(constructed(1), |w| pkgd_name(w, 0, Item::Signal, signal));
                }),
            }),
            AuditItem::DigitMap(name) => w.nest(constructed(4), |w| event::digit_map_name(w, 0, name)),
            AuditItem::Statistic(name) => w.nest(constructed(5), |w| pkgd_name(w, 0, Item::Statistic, name)),
            AuditItem::Package(package) => media::package(w, constructed(6), package),
        }
    }

    /// `ContextAttrAuditRequest`
    pub(super) fn context_audit(self, w: &mut Writer, tag: u8, audit: &ContextAudit) {
        let select = audit.select.as_deref();
        let properties = select.map(|select| &select.properties);
        if properties
            .is_some_and(|properties| !properties.topology.is_empty() || !properties.contexts.is_empty())
        {
            w.unsayable("a selection of contexts by topology or list");
        }
        let by_value = properties.map(|properties| properties.attributes.as_slice()).unwrap_or_default();
        w.nest(tag, |w| {
            w.null_if(primitive(0), audit.topology);
            w.null_if(primitive(1), audit.emergency);
            w.null_if(primitive(2), audit.priority);
            w.null_if(primitive(3), audit.ieps);
            if !audit.attributes.is_empty() || !by_value.is_empty() {
                w.nest(constructed(4), |w| {
                    for name in &audit.attributes {
                        w.nest(SEQUENCE, |w| pkgd_name(w, 0, Item::Property, name));
                    }
                    for property in by_value {
                        w.nest(SEQUENCE, |w| {
                            pkgd_name(w, 0, Item::Property, &property.name);
                            self.property(w, constructed(1), property);
                        });
                    }
                });
            }
            w.uint_if(primitive(5), properties.and_then(|properties| properties.priority));
            w.boolean_if(primitive(6), properties.and_then(|properties| properties.emergency));
            w.boolean_if(primitive(7), properties.and_then(|properties| properties.ieps));
            if let Some(any) = select.and_then(|select| select.any) {
                w.nest(constructed(8), |w| w.null_if(primitive(u8::from(any)), true));
            }
        });
    }
}

/// `IndAudMediaDescriptor`: the parts of a stream stand together.
fn single_media(w: &mut Writer, items: &[MediaAudit]) {
    let state: Vec<_> = items
        .iter()
        .filter_map(|item| match item {
            MediaAudit::TerminationState(item) => Some(item),
            _ => None,
        })
        .collect();
    if !state.is_empty() {
        w.nest(constructed(0), |w| single_termination_state(w, &state));
    }
    // Each stream once, in the order of their first parts.
    let mut streams: Vec<Option<StreamId>> = Vec::new();
    for stream in items.iter().filter_map(stream_of) {
        if !streams.contains(&stream) {
            streams.push(stream);
        }
    }
    match streams.as_slice() {
        [] => {}
        [None] => w.nest(constructed(1), |w| single_stream(w, constructed(0), items, None)),
        streams if streams.contains(&None) => w.unsayable("an audit of streams with and without identifiers"),
        streams => w.nest(constructed(1), |w| {
            w.list(constructed(1), streams, |w, stream| {
                w.nest(SEQUENCE, |w| {
                    w.uint_if(primitive(0), *stream);
                    single_stream(w, constructed(1), items, *stream);
                });
            });
        }),
    }
}

/// The stream that an item is of, if it is of one.
fn stream_of(item: &MediaAudit) -> Option<Option<StreamId>> {
    match item {
        MediaAudit::LocalControl { stream, .. }
        | MediaAudit::Local { stream }
        | MediaAudit::Remote { stream }
        | MediaAudit::Statistic { stream, .. } => Some(*stream),
        MediaAudit::TerminationState(_) => None,
    }
}

fn single_termination_state(w: &mut Writer, items: &[&TerminationStateAudit]) {
    w.nest(constructed(0), |w| {
        for item in items {
            if let TerminationStateAudit::Property(name) = item {
                w.nest(SEQUENCE, |w| pkgd_name(w, 0, Item::Property, name));
            }
        }
    });
    w.null_if(primitive(1), items.contains(&&TerminationStateAudit::EventBufferControl));
    w.null_if(primitive(2), items.contains(&&TerminationStateAudit::ServiceState));
}

/// `IndAudStreamParms` of one stream.
fn single_stream(w: &mut Writer, tag: u8, items: &[MediaAudit], stream: Option<StreamId>) {
    let ours = || items.iter().filter(|item| stream_of(item) == Some(stream));
    let controls: Vec<_> = ours()
        .filter_map(|item| match item {
            MediaAudit::LocalControl { item, .. } => Some(item),
            _ => None,
        })
        .collect();
    let statistics: Vec<_> = ours()
        .filter_map(|item| match item {
            MediaAudit::Statistic { name, .. } => Some(name),
            _ => None,
        })
        .collect();
    w.nest(tag, |w| {
        if !controls.is_empty() {
            w.nest(constructed(0), |w| single_local_control(w, &controls));
        }
        // The whole of them: no property is named.
        if ours().any(|item| matches!(item, MediaAudit::Local { .. })) {
            w.nest(constructed(1), |w| w.nest(constructed(1), |_| {}));
        }
        if ours().any(|item| matches!(item, MediaAudit::Remote { .. })) {
            w.nest(constructed(2), |w| w.nest(constructed(1), |_| {}));
        }
        match statistics.as_slice() {
            [] => {}
            [name] => w.nest(constructed(3), |w| pkgd_name(w, 0, Item::Statistic, name)),
            _ => w.unsayable("the audit of several statistics of a stream"),
        }
    });
}

fn single_local_control(w: &mut Writer, items: &[&LocalControlAudit]) {
    w.null_if(primitive(0), items.contains(&&LocalControlAudit::Mode));
    w.null_if(primitive(1), items.contains(&&LocalControlAudit::ReserveValue));
    w.null_if(primitive(2), items.contains(&&LocalControlAudit::ReserveGroup));
    let names: Vec<_> = items
        .iter()
        .filter_map(|item| match item {
            LocalControlAudit::Property(name) => Some(name),
            _ => None,
        })
        .collect();
    if !names.is_empty() {
        w.list(constructed(3), &names, |w, name| {
            w.nest(SEQUENCE, |w| pkgd_name(w, 0, Item::Property, name));
        });
    }
}
