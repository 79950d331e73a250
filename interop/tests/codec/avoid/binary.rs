//! In the binary encoding.

use super::*;

pub(crate) struct NoIp6;
impl Visit for NoIp6 {
    fn mid(&mut self, mid: &mut Mid) {
        if let Mid::Ip6 { port, .. } = mid {
            *mid = Mid::Ip4 { address: [192, 0, 2, 1].into(), port: *port };
        }
    }
}

pub(crate) struct NoDigitMaps;
impl Visit for NoDigitMaps {
    fn amm(&mut self, amm: &mut AmmRequest) {
        amm.digit_map = amm.digit_map.take().filter(|map| map.name.is_none());
    }
    fn returned(&mut self, returned: &mut TerminationAudit) {
        returned.retain(|it| !matches!(it, AuditReturn::DigitMap(DigitMapDescriptor { name: Some(_), .. })));
    }
    fn event(&mut self, event: &mut RequestedEvent) {
        event.digit_map = event.digit_map.take().filter(|map| matches!(map, EventDigitMap::Value(_)));
    }
    fn embedded(&mut self, event: &mut EmbeddedEvent) {
        event.digit_map = event.digit_map.take().filter(|map| matches!(map, EventDigitMap::Value(_)));
    }
    fn audit(&mut self, audit: &mut AuditDescriptor) {
        audit.items.retain(|item| !matches!(item, AuditItem::DigitMap(_)));
    }
}

pub(crate) struct SomeEvents;
impl Visit for SomeEvents {
    fn amm(&mut self, amm: &mut AmmRequest) {
        amm.events = amm.events.take().filter(|events| !events.events.is_empty());
    }
    fn embed(&mut self, embed: &mut Embed) {
        if embed.events.as_ref().is_some_and(|events| events.events.is_empty()) {
            embed.events = None;
            embed.signals.get_or_insert_with(|| {
                vec![SignalItem::Signal(Signal::new(PkgdName::new("x7f01", "x0001"), Vec::new()))]
            });
        }
    }
}

pub(crate) struct NoEmptyDescriptors;
impl Visit for NoEmptyDescriptors {
    fn returned(&mut self, returned: &mut TerminationAudit) {
        returned.retain(|it| !matches!(it, AuditReturn::Empty(_)));
    }
}

pub(crate) struct DistinctTokens;
impl Visit for DistinctTokens {
    fn audit(&mut self, audit: &mut AuditDescriptor) {
        let items = std::mem::take(&mut audit.items);
        for item in items {
            if !audit.items.contains(&item) {
                audit.items.push(item);
            }
        }
        audit.items.sort_by_key(|item| match item {
            AuditItem::Descriptor(kind) => *kind as u8,
            _ => u8::MAX,
        });
    }
}

pub(crate) struct NoAlternatives;
impl Visit for NoAlternatives {
    fn parm_value(&mut self, value: &mut ParmValue) {
        if let ParmValue::Any(values) = value {
            *value = ParmValue::One(values.swap_remove(0));
        }
    }
}

pub(crate) struct NoBufferedParameters;
impl Visit for NoBufferedParameters {
    fn audit_item(&mut self, item: &mut AuditItem) {
        if let AuditItem::BufferedEvent { parameter, .. } = item {
            *parameter = None;
        }
    }
}
