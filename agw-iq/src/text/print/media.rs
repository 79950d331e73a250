//! Media, modem, multiplex and statistics.

use super::*;
use crate::sdp::SdpText;

impl Printer {
    pub(super) fn media(&mut self, media: &MediaDescriptor) {
        self.token(token::MEDIA);
        self.open();
        if let Some(state) = &media.termination_state {
            self.item();
            self.termination_state(state);
        }
        match &media.streams {
            Streams::None => {}
            Streams::One(parms) => self.stream_parms(parms),
            Streams::Many(streams) => self.items(streams, |p, stream| {
                p.assign(token::STREAM, stream.id);
                p.open();
                p.stream_parms(&stream.parms);
                p.close();
            }),
        }
        self.close();
    }

    fn stream_parms(&mut self, parms: &StreamParms) {
        if let Some(control) = &parms.local_control {
            self.item();
            self.local_control(control);
        }
        if let Some(text) = &parms.local {
            self.item();
            self.token(token::LOCAL);
            self.description(text);
        }
        if let Some(text) = &parms.remote {
            self.item();
            self.token(token::REMOTE);
            self.description(text);
        }
        if let Some(statistics) = &parms.statistics {
            self.item();
            self.statistics(statistics);
        }
    }

    /// SDP as it is, braces escaped. Its lines begin where lines begin.
    fn description(&mut self, text: &SdpText) {
        self.open();
        if !text.is_empty() {
            self.text("\n");
            for (index, piece) in text.as_str().split('}').enumerate() {
                if index > 0 {
                    self.text("\\}");
                }
                self.text(piece);
            }
        }
        self.depth = self.depth.saturating_sub(1);
        // At the line's start, for white space before it would be one more line of the description: Wireshark calls it malformed.
        self.text("}");
        self.first = false;
    }

    fn local_control(&mut self, control: &LocalControlDescriptor) {
        self.token(token::LOCAL_CONTROL);
        self.open();
        if let Some(mode) = control.mode {
            self.item();
            self.token(token::MODE);
            self.equals();
            self.token(match mode {
                StreamMode::SendOnly => token::SEND_ONLY,
                StreamMode::ReceiveOnly => token::RECEIVE_ONLY,
                StreamMode::SendReceive => token::SEND_RECEIVE,
                StreamMode::Inactive => token::INACTIVE,
                StreamMode::Loopback => token::LOOPBACK,
            });
        }
        self.on_off(token::RESERVED_VALUE, control.reserve_value);
        self.on_off(token::RESERVED_GROUP, control.reserve_group);
        self.items(&control.properties, Self::property);
        self.close();
    }

    fn termination_state(&mut self, state: &TerminationStateDescriptor) {
        self.token(token::TERMINATION_STATE);
        self.open();
        if let Some(service) = state.service_state {
            self.item();
            self.token(token::SERVICE_STATES);
            self.equals();
            self.token(match service {
                ServiceState::Test => token::TEST,
                ServiceState::OutOfService => token::OUT_OF_SERVICE,
                ServiceState::InService => token::IN_SERVICE,
            });
        }
        if let Some(control) = state.event_buffer_control {
            self.item();
            self.token(token::BUFFER);
            self.equals();
            self.token(match control {
                EventBufferControl::Off => token::OFF,
                EventBufferControl::LockStep => token::LOCK_STEP,
            });
        }
        self.items(&state.properties, Self::property);
        self.close();
    }

    pub(super) fn modem(&mut self, modem: &ModemDescriptor) {
        self.token(token::MODEM);
        match modem.types.as_slice() {
            [one] => {
                self.equals();
                self.modem_type(one);
            }
            types => {
                self.text("[");
                for (index, kind) in types.iter().enumerate() {
                    self.text(if index > 0 { "," } else { "" });
                    self.modem_type(kind);
                }
                self.text("]");
            }
        }
        if !modem.properties.is_empty() {
            self.block(&modem.properties, Self::property);
        }
    }

    fn modem_type(&mut self, kind: &ModemType) {
        self.token(match kind {
            ModemType::V18 => token::V18,
            ModemType::V22 => token::V22,
            ModemType::V22bis => token::V22BIS,
            ModemType::V32 => token::V32,
            ModemType::V32bis => token::V32BIS,
            ModemType::V34 => token::V34,
            ModemType::V90 => token::V90,
            ModemType::V91 => token::V91,
            ModemType::SynchIsdn => token::SYNCH_ISDN,
            ModemType::Extension(name) => return self.text(name.as_str()),
        });
    }

    pub(super) fn mux(&mut self, mux: &MuxDescriptor) {
        self.token(token::MUX);
        self.equals();
        match &mux.kind {
            MuxType::H221 => self.token(token::H221),
            MuxType::H223 => self.token(token::H223),
            MuxType::H226 => self.token(token::H226),
            MuxType::V76 => self.token(token::V76),
            MuxType::Nx64k => self.token(token::NX64K),
            MuxType::Extension(name) => self.text(name.as_str()),
        }
        self.block(&mux.terminations, |p, id| p.text(id.as_str()));
    }

    pub(super) fn statistics(&mut self, statistics: &StatisticsDescriptor) {
        self.token(token::STATISTICS);
        self.block(statistics, |p, statistic| {
            p.show(format_args!("{}", statistic.name));
            match statistic.value.as_slice() {
                [] => {}
                [value] => {
                    p.equals();
                    p.value(value);
                }
                values => p.bracketed('[', values, ']'),
            }
        });
    }
}
