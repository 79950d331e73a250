//! Media, modem, multiplex, statistics and packages.

use super::*;
use crate::ber::sdp;

impl Printer<'_> {
    pub(super) fn media(self, w: &mut Writer, tag: u8, media: &MediaDescriptor) {
        w.nest(tag, |w| {
            if let Some(state) = &media.termination_state {
                self.termination_state(w, constructed(0), state);
            }
            match &media.streams {
                Streams::None => {}
                Streams::One(parms) => {
                    w.nest(constructed(1), |w| self.stream_parms(w, constructed(0), parms));
                }
                Streams::Many(streams) => w.nest(constructed(1), |w| {
                    w.list(constructed(1), streams, |w, stream| {
                        w.nest(SEQUENCE, |w| {
                            w.uint(primitive(0), stream.id);
                            self.stream_parms(w, constructed(1), &stream.parms);
                        });
                    });
                }),
            }
        });
    }

    fn stream_parms(self, w: &mut Writer, tag: u8, parms: &StreamParms) {
        w.nest(tag, |w| {
            if let Some(control) = &parms.local_control {
                self.local_control(w, constructed(0), control);
            }
            if let Some(local) = &parms.local {
                sdp::write(w, constructed(1), local);
            }
            if let Some(remote) = &parms.remote {
                sdp::write(w, constructed(2), remote);
            }
            if let Some(statistics) = &parms.statistics {
                self.statistics(w, constructed(3), statistics);
            }
        });
    }

    fn local_control(self, w: &mut Writer, tag: u8, control: &LocalControlDescriptor) {
        w.nest(tag, |w| {
            w.uint_if(primitive(0), control.mode.map(mode_number));
            w.boolean_if(primitive(1), control.reserve_value);
            w.boolean_if(primitive(2), control.reserve_group);
            self.properties(w, 3, &control.properties);
        });
    }

    fn termination_state(self, w: &mut Writer, tag: u8, state: &TerminationStateDescriptor) {
        let control = state.event_buffer_control.map(|control| match control {
            EventBufferControl::Off => 0_u8,
            EventBufferControl::LockStep => 1,
        });
        let service = state.service_state.map(|service| match service {
            ServiceState::Test => 0_u8,
            ServiceState::OutOfService => 1,
            ServiceState::InService => 2,
        });
        w.nest(tag, |w| {
            self.properties(w, 0, &state.properties);
            w.uint_if(primitive(1), control);
            w.uint_if(primitive(2), service);
        });
    }

    pub(super) fn modem(self, w: &mut Writer, tag: u8, modem: &ModemDescriptor) {
        w.nest(tag, |w| {
            w.list(constructed(0), &modem.types, |w, kind| {
                let number: u8 = match kind {
                    ModemType::V18 => 0,
                    ModemType::V22 => 1,
                    ModemType::V22bis => 2,
                    ModemType::V32 => 3,
                    ModemType::V32bis => 4,
                    ModemType::V34 => 5,
                    ModemType::V90 => 6,
                    ModemType::V91 => 7,
                    ModemType::SynchIsdn => 8,
                    ModemType::Extension(name) => return w.unsayable(format_args!("modem type {name}")),
                };
                w.uint(0x0a, number);
            });
            self.properties(w, 1, &modem.properties);
        });
    }

    pub(super) fn mux(self, w: &mut Writer, tag: u8, mux: &MuxDescriptor) {
        let number: u8 = match &mux.kind {
            MuxType::H221 => 0,
            MuxType::H223 => 1,
            MuxType::H226 => 2,
            MuxType::V76 => 3,
            MuxType::Nx64k => 4,
            MuxType::Extension(name) => return w.unsayable(format_args!("multiplex type {name}")),
        };
        w.nest(tag, |w| {
            w.uint(primitive(0), number);
            self.terminations(w, 1, &mux.terminations);
        });
    }

    pub(super) fn statistics(self, w: &mut Writer, tag: u8, statistics: &StatisticsDescriptor) {
        w.list(tag, statistics, |w, statistic| {
            w.nest(SEQUENCE, |w| {
                pkgd_name(w, 0, Item::Statistic, &statistic.name);
                if !statistic.value.is_empty() {
                    let kind = names::statistic_type(&statistic.name);
                    w.list(constructed(1), &statistic.value, |w, value| kind.write(w, value));
                }
            });
        });
    }
}

fn mode_number(mode: StreamMode) -> u8 {
    match mode {
        StreamMode::SendOnly => 0,
        StreamMode::ReceiveOnly => 1,
        StreamMode::SendReceive => 2,
        StreamMode::Inactive => 3,
        StreamMode::Loopback => 4,
    }
}

/// `PackagesItem` and `IndAudPackagesDescriptor`
pub(super) fn package(w: &mut Writer, tag: u8, package: &PackageVersion) {
    let Some(number) = names::package_number(&package.name) else {
        return w.unsayable(format_args!("package {}", package.name));
    };
    w.nest(tag, |w| {
        w.octets(primitive(0), &number.to_be_bytes());
        w.uint(primitive(1), package.version);
    });
}
