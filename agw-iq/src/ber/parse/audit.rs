//! Audit: the bits of `auditToken`, and since version 2 single properties.

use super::media::stream_mode;
use super::*;
use crate::ber::{AUDIT_TOKENS, audit_bit};

impl Parser<'_> {
    /// `AuditDescriptor`
    pub(super) fn audit(&mut self, element: &Tlv<'_>) -> Res<AuditDescriptor> {
        let mut fields = element.fields()?;
        let mut bits = fields.optional(0)?.map(|token| token.bits()).transpose()?.unwrap_or_default();
        let mut parts = Vec::new();
        if let Some(single) = fields.optional(1)? {
            single.each(|parameter| {
                match self.single(&parameter)? {
                    // No part named: the whole.
                    AuditItem::Descriptor(kind) => bits |= audit_bit(kind),
                    part => parts.push(part),
                }
                Ok(())
            })?;
        }
        fields.end()?;
        let wanted = AUDIT_TOKENS.into_iter().filter(|kind| bits & audit_bit(*kind) != 0);
        let mut items: Vec<_> = wanted.map(AuditItem::Descriptor).collect();
        items.append(&mut parts);
        Ok(AuditDescriptor { items })
    }

    /// `IndAuditParameter`
    fn single(&mut self, chosen: &Tlv<'_>) -> Res<AuditItem> {
        match chosen.number {
            0 => self.single_media(chosen),
            1 => {
                let mut fields = chosen.fields()?;
                let request = fields.optional(0)?.map(|id| request_id(&id)).transpose()?;
                let event = pkgd_name(Item::Event, &fields.required(1, "pkgdName")?)?;
                fields.end()?;
                Ok(AuditItem::Event { request, event })
            }
            2 => {
                let mut fields = chosen.fields()?;
                let event = pkgd_name(Item::Event, &fields.required(0, "eventName")?)?;
                let stream = stream_id(&mut fields, 1)?;
                fields.end()?;
                Ok(AuditItem::BufferedEvent { event, stream, parameter: None })
            }
            3 => single_signal(&chosen.choice()?),
            4 => {
                let mut fields = chosen.fields()?;
                let name = fields.optional(0)?.map(|name| name.exactly("a digit map name")).transpose()?;
                fields.end()?;
                Ok(match name {
                    Some(name) => AuditItem::DigitMap(names::unnamed(u16::from_be_bytes(name))),
                    None => AuditItem::Descriptor(DescriptorKind::DigitMap),
                })
            }
            5 => Ok(AuditItem::Statistic(single_statistic(chosen)?)),
            6 => Ok(AuditItem::Package(self.package(chosen.fields()?)?)),
            _ => {
                let what = format!("unknown descriptor {}", chosen.shown());
                fault_as(ErrorCode::UNKNOWN_DESCRIPTOR, chosen.at, what)
            }
        }
    }

    fn single_media(&mut self, element: &Tlv<'_>) -> Res<AuditItem> {
        let (mut items, mut seen) = (Vec::new(), Vec::new());
        let mut fields = element.fields()?;
        if let Some(state) = fields.optional(0)? {
            single_termination_state(&state, &mut items)?;
        }
        if let Some(streams) = fields.optional(1)? {
            let chosen = streams.choice()?;
            match chosen.number {
                0 => single_stream(&chosen, None, &mut items)?,
                1 => chosen.each(|stream| {
                    let mut fields = stream.sequence()?;
                    let id: StreamId = fields.required(0, "streamID")?.uint("stream identifier")?;
                    if seen.contains(&id) {
                        let what = format!("Stream {id} given twice");
                        return fault_as(ErrorCode::DESCRIPTOR_TWICE, stream.at, what);
                    }
                    seen.push(id);
                    single_stream(&fields.required(1, "streamParms")?, Some(id), &mut items)?;
                    fields.end()
                })?,
                _ => return fault(chosen.at, format!("unknown streams {}", chosen.shown())),
            }
        }
        fields.end()?;
        Ok(if items.is_empty() {
            AuditItem::Descriptor(DescriptorKind::Media)
        } else {
            AuditItem::Media(items)
        })
    }

    /// `ContextAttrAuditRequest`
    pub(super) fn context_audit(&mut self, element: &Tlv<'_>) -> Res<ContextAudit> {
        let mut fields = element.fields()?;
        let mut audit = ContextAudit {
            topology: flag(&mut fields, 0)?,
            emergency: flag(&mut fields, 1)?,
            priority: flag(&mut fields, 2)?,
            ieps: flag(&mut fields, 3)?,
            ..ContextAudit::default()
        };
        let mut select = ContextSelect::default();
        if let Some(attributes) = fields.optional(4)? {
            attributes.each(|attribute| {
                let mut fields = attribute.sequence()?;
                let name = pkgd_name(Item::Property, &fields.required(0, "name")?)?;
                match fields.optional(1)? {
                    // With a value it selects.
                    Some(property) => {
                        select.properties.attributes.push(self.property_fields(property.fields()?)?);
                    }
                    None => audit.attributes.push(name),
                }
                fields.end()
            })?;
        }
        select.properties.priority =
            fields.optional(5)?.map(|priority| priority_of(&priority)).transpose()?;
        select.properties.emergency = boolean(&mut fields, 6)?;
        select.properties.ieps = boolean(&mut fields, 7)?;
        select.any = match fields.optional(8)? {
            Some(logic) => Some(logic.choice()?.number == 1),
            None => None,
        };
        fields.end()?;
        audit.select = (select != ContextSelect::default()).then(|| Box::new(select));
        Ok(audit)
    }
}

/// `IndAudTerminationStateDescriptor`
fn single_termination_state(element: &Tlv<'_>, items: &mut Vec<MediaAudit>) -> Res<()> {
    let mut fields = element.fields()?;
    let names = list_if(fields.optional(0)?, |name| single_property(&name))?;
    items.extend(names.into_iter().map(TerminationStateAudit::Property).map(MediaAudit::TerminationState));
    if flag(&mut fields, 1)? {
        items.push(MediaAudit::TerminationState(TerminationStateAudit::EventBufferControl));
    }
    if flag(&mut fields, 2)? {
        items.push(MediaAudit::TerminationState(TerminationStateAudit::ServiceState));
    }
    fields.end()
}

/// `IndAudStreamParms`
fn single_stream(element: &Tlv<'_>, stream: Option<StreamId>, items: &mut Vec<MediaAudit>) -> Res<()> {
    let mut fields = element.fields()?;
    if let Some(control) = fields.optional(0)? {
        let mut fields = control.fields()?;
        let mut found = Vec::new();
        let mode = flag(&mut fields, 0)?;
        for (number, item) in [(1, LocalControlAudit::ReserveValue), (2, LocalControlAudit::ReserveGroup)] {
            if flag(&mut fields, number)? {
                found.push(item);
            }
        }
        for name in list_if(fields.optional(3)?, |name| single_property(&name))? {
            found.push(LocalControlAudit::Property(name));
        }
        // Version 3 selects by a mode; the mode is what is returned.
        let selected = fields.optional(4)?.map(|mode| stream_mode(&mode)).transpose()?;
        fields.end()?;
        if mode || selected.is_some() {
            found.insert(0, LocalControlAudit::Mode);
        }
        items.extend(found.into_iter().map(|item| MediaAudit::LocalControl { stream, item }));
    }
    // Of Local and Remote the tree asks for the whole.
    if fields.optional(1)?.is_some() {
        items.push(MediaAudit::Local { stream });
    }
    if fields.optional(2)?.is_some() {
        items.push(MediaAudit::Remote { stream });
    }
    if let Some(statistic) = fields.optional(3)? {
        items.push(MediaAudit::Statistic { stream, name: single_statistic(&statistic)? });
    }
    fields.end()
}

/// `IndAudPropertyParm`
fn single_property(element: &Tlv<'_>) -> Res<PkgdName> {
    let mut fields = element.sequence()?;
    let name = pkgd_name(Item::Property, &fields.required(0, "name")?)?;
    fields.end()?;
    Ok(name)
}

fn single_statistic(element: &Tlv<'_>) -> Res<PkgdName> {
    let mut fields = element.fields()?;
    let name = pkgd_name(Item::Statistic, &fields.required(0, "statName")?)?;
    fields.end()?;
    Ok(name)
}

/// `IndAudSignalsDescriptor`
fn single_signal(chosen: &Tlv<'_>) -> Res<AuditItem> {
    let name = |element: &Tlv<'_>| -> Res<PkgdName> {
        let mut fields = element.fields()?;
        let name = pkgd_name(Item::Signal, &fields.required(0, "signalName")?)?;
        fields.end()?;
        Ok(name)
    };
    match chosen.number {
        0 => Ok(AuditItem::Signal { list: None, signal: name(chosen)? }),
        1 => {
            let mut fields = chosen.fields()?;
            let list = Some(fields.required(0, "id")?.uint("signal list identifier")?);
            let signal = fields.optional(1)?.map(|signal| name(&signal)).transpose()?;
            fields.end()?;
            Ok(AuditItem::Signal { list, signal: signal.unwrap_or_else(|| PkgdName::new("*", "*")) })
        }
        _ => fault(chosen.at, format!("a signal expected, found {}", chosen.shown())),
    }
}
