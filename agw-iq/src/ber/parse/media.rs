//! Media, modem, multiplex, statistics and packages.

use super::*;
use crate::ber::sdp;

impl Parser<'_> {
    pub(super) fn media(&mut self, element: &Tlv<'_>) -> Res<MediaDescriptor> {
        let mut fields = element.fields()?;
        let termination_state =
            fields.optional(0)?.map(|state| self.termination_state(&state)).transpose()?;
        let streams = match fields.optional(1)? {
            Some(streams) => self.streams(&streams.choice()?)?,
            None => Streams::None,
        };
        fields.end()?;
        Ok(MediaDescriptor { termination_state, streams })
    }

    fn streams(&mut self, chosen: &Tlv<'_>) -> Res<Streams> {
        match chosen.number {
            0 => Ok(Streams::One(Box::new(self.stream_parms(chosen)?))),
            1 => {
                let mut streams: Vec<StreamDescriptor> = Vec::new();
                chosen.each(|stream| {
                    let mut fields = stream.sequence()?;
                    let id = fields.required(0, "streamID")?.uint("stream identifier")?;
                    let parms = self.stream_parms(&fields.required(1, "streamParms")?)?;
                    fields.end()?;
                    if streams.iter().any(|other| other.id == id) {
                        let what = format!("Stream {id} given twice");
                        return fault_as(ErrorCode::DESCRIPTOR_TWICE, stream.at, what);
                    }
                    streams.push(StreamDescriptor { id, parms });
                    Ok(())
                })?;
                Ok(if streams.is_empty() { Streams::None } else { Streams::Many(streams) })
            }
            _ => fault(chosen.at, format!("unknown streams {}", chosen.shown())),
        }
    }

    fn stream_parms(&mut self, element: &Tlv<'_>) -> Res<StreamParms> {
        let mut fields = element.fields()?;
        let local_control = fields.optional(0)?.map(|control| self.local_control(&control)).transpose()?;
        let local = fields.optional(1)?.map(|local| sdp::read(&local)).transpose()?;
        let remote = fields.optional(2)?.map(|remote| sdp::read(&remote)).transpose()?;
        let statistics = fields.optional(3)?.map(|statistics| self.statistics(&statistics)).transpose()?;
        fields.end()?;
        Ok(StreamParms { local_control, local, remote, statistics })
    }

    fn local_control(&mut self, element: &Tlv<'_>) -> Res<LocalControlDescriptor> {
        let mut fields = element.fields()?;
        let mode = fields.optional(0)?.map(|mode| stream_mode(&mode)).transpose()?;
        let reserve_value = boolean(&mut fields, 1)?;
        let reserve_group = boolean(&mut fields, 2)?;
        // Mandatory in Annex A; a peer that leaves an empty list out is understood.
        let properties = list_if(fields.optional(3)?, |property| self.property(&property))?;
        fields.end()?;
        Ok(LocalControlDescriptor { mode, reserve_value, reserve_group, properties })
    }

    fn termination_state(&mut self, element: &Tlv<'_>) -> Res<TerminationStateDescriptor> {
        let mut fields = element.fields()?;
        let properties = list_if(fields.optional(0)?, |property| self.property(&property))?;
        let control = fields.optional(1)?.map(|control| match control.enumerated()? {
            0 => Ok(EventBufferControl::Off),
            1 => Ok(EventBufferControl::LockStep),
            other => unknown_value(control.at, "event buffer control", other),
        });
        let state = fields.optional(2)?.map(|state| service_state(&state));
        fields.end()?;
        Ok(TerminationStateDescriptor {
            service_state: state.transpose()?,
            event_buffer_control: control.transpose()?,
            properties,
        })
    }

    pub(super) fn modem(&mut self, element: &Tlv<'_>) -> Res<ModemDescriptor> {
        let mut fields = element.fields()?;
        let types = fields.required(0, "mtl")?.list(|kind| {
            Ok(match kind.enumerated()? {
                0 => ModemType::V18,
                1 => ModemType::V22,
                2 => ModemType::V22bis,
                3 => ModemType::V32,
                4 => ModemType::V32bis,
                5 => ModemType::V34,
                6 => ModemType::V90,
                7 => ModemType::V91,
                8 => ModemType::SynchIsdn,
                other => return unknown_value(kind.at, "modem type", other),
            })
        })?;
        let properties = list_if(fields.optional(1)?, |property| self.property(&property))?;
        fields.end()?;
        if types.is_empty() {
            return fault(element.at, "a Modem descriptor without a type");
        }
        Ok(ModemDescriptor { types, properties })
    }

    pub(super) fn mux(&mut self, element: &Tlv<'_>) -> Res<MuxDescriptor> {
        let mut fields = element.fields()?;
        let kind = fields.required(0, "muxType")?;
        let kind = match kind.enumerated()? {
            0 => MuxType::H221,
            1 => MuxType::H223,
            2 => MuxType::H226,
            3 => MuxType::V76,
            4 => MuxType::Nx64k,
            other => return unknown_value(kind.at, "multiplex type", other),
        };
        let terminations = self.terminations(&fields.required(1, "termList")?)?;
        fields.end()?;
        if terminations.is_empty() {
            return fault(element.at, "a Mux descriptor without terminations");
        }
        Ok(MuxDescriptor { kind, terminations })
    }

    pub(super) fn statistics(&mut self, element: &Tlv<'_>) -> Res<StatisticsDescriptor> {
        element.list(|statistic| {
            let mut fields = statistic.sequence()?;
            let name = pkgd_name(Item::Statistic, &fields.required(0, "statName")?)?;
            let kind = names::statistic_type(&name);
            let value = list_if(fields.optional(1)?, |value| read_one(kind, &value))?;
            fields.end()?;
            Ok(Statistic { name, value })
        })
    }

    /// `PackagesItem` and `IndAudPackagesDescriptor`
    pub(super) fn package(&self, mut fields: Fields<'_>) -> Res<PackageVersion> {
        let name = fields.required(0, "packageName")?.exactly("a package name")?;
        let version = fields.required(1, "packageVersion")?.uint("package version")?;
        fields.end()?;
        Ok(PackageVersion { name: names::package_name(u16::from_be_bytes(name)), version })
    }
}

pub(super) fn stream_mode(mode: &Tlv<'_>) -> Res<StreamMode> {
    Ok(match mode.enumerated()? {
        0 => StreamMode::SendOnly,
        1 => StreamMode::ReceiveOnly,
        2 => StreamMode::SendReceive,
        3 => StreamMode::Inactive,
        4 => StreamMode::Loopback,
        other => return fault_as(ErrorCode::UNSUPPORTED_MODE, mode.at, format!("unknown mode {other}")),
    })
}

fn service_state(state: &Tlv<'_>) -> Res<ServiceState> {
    match state.enumerated()? {
        0 => Ok(ServiceState::Test),
        1 => Ok(ServiceState::OutOfService),
        2 => Ok(ServiceState::InService),
        other => unknown_value(state.at, "service state", other),
    }
}
