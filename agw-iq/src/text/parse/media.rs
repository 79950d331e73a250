//! Media, modem, multiplex, statistics and packages.

use super::*;
use crate::sdp::SdpText;

impl Parser<'_> {
    pub(super) fn media(&mut self) -> Res<MediaDescriptor> {
        let mut media = MediaDescriptor::default();
        let mut one = StreamParms::default();
        let mut many: Vec<StreamDescriptor> = Vec::new();
        let mut bare = false;
        self.list_or_nothing(|p| {
            let at = p.lex.at();
            if p.lex.eat_token(token::STREAM) {
                let stream = p.stream()?;
                if many.iter().any(|other| other.id == stream.id) {
                    return Err(p.lex.fault_as(
                        ErrorCode::DESCRIPTOR_TWICE,
                        at,
                        format!("Stream {} given twice", stream.id),
                    ));
                }
                many.push(stream);
            } else if p.lex.eat_token(token::TERMINATION_STATE) {
                let state = p.termination_state()?;
                p.once(
                    &mut media.termination_state,
                    state,
                    ErrorCode::DESCRIPTOR_TWICE,
                    at,
                    "TerminationState",
                )?;
            } else {
                bare = true;
                p.stream_parm(&mut one)?;
            }
            if bare && !many.is_empty() {
                return Err(p.lex.fault(at, "streams with and without identifiers in one Media descriptor"));
            }
            Ok(())
        })?;
        media.streams = match (bare, many.is_empty()) {
            (true, _) => Streams::One(Box::new(one)),
            (false, true) => Streams::None,
            (false, false) => Streams::Many(many),
        };
        Ok(media)
    }

    fn stream(&mut self) -> Res<StreamDescriptor> {
        let id = self.stream_id()?;
        let mut parms = StreamParms::default();
        self.list_or_nothing(|p| p.stream_parm(&mut parms))?;
        Ok(StreamDescriptor { id, parms })
    }

    fn stream_parm(&mut self, parms: &mut StreamParms) -> Res<()> {
        let word = self.lex.word("a descriptor of the stream")?;
        let twice = ErrorCode::DESCRIPTOR_TWICE;
        match word.text {
            w if token::LOCAL_CONTROL.is(w) => {
                let control = self.local_control()?;
                self.once(&mut parms.local_control, control, twice, word.at, "LocalControl")
            }
            w if token::LOCAL.is(w) => {
                let text = self.description()?;
                self.once(&mut parms.local, text, twice, word.at, "Local")
            }
            w if token::REMOTE.is(w) => {
                let text = self.description()?;
                self.once(&mut parms.remote, text, twice, word.at, "Remote")
            }
            w if token::STATISTICS.is(w) => {
                let statistics = self.statistics()?;
                self.once(&mut parms.statistics, statistics, twice, word.at, "Statistics")
            }
            w => Err(unknown(&self.lex, ErrorCode::UNKNOWN_DESCRIPTOR, word.at, "descriptor", w)),
        }
    }

    /// SDP between braces, as an octet string.
    fn description(&mut self) -> Res<SdpText> {
        let octets = self.lex.octets()?;
        if octets.contains("\\}") {
            // The copy without escapes may hold keys.
            let unescaped = zeroize::Zeroizing::new(octets.replace("\\}", "}"));
            return Ok(SdpText::new(&unescaped));
        }
        Ok(SdpText::new(octets))
    }

    fn local_control(&mut self) -> Res<LocalControlDescriptor> {
        let mut control = LocalControlDescriptor::default();
        let twice = ErrorCode::PROPERTY_TWICE;
        self.list_or_nothing(|p| {
            let at = p.lex.at();
            if p.lex.eat_token(token::MODE) {
                let mode = p.stream_mode()?;
                p.once(&mut control.mode, mode, twice, at, "Mode")
            } else if p.lex.eat_token(token::RESERVED_VALUE) {
                let reserve = p.on_off()?;
                p.once(&mut control.reserve_value, reserve, twice, at, "ReservedValue")
            } else if p.lex.eat_token(token::RESERVED_GROUP) {
                let reserve = p.on_off()?;
                p.once(&mut control.reserve_group, reserve, twice, at, "ReservedGroup")
            } else {
                control.properties.push(p.property()?);
                Ok(())
            }
        })?;
        Ok(control)
    }

    fn stream_mode(&mut self) -> Res<StreamMode> {
        let modes = [
            (token::SEND_RECEIVE, StreamMode::SendReceive),
            (token::INACTIVE, StreamMode::Inactive),
            (token::SEND_ONLY, StreamMode::SendOnly),
            (token::RECEIVE_ONLY, StreamMode::ReceiveOnly),
            (token::LOOPBACK, StreamMode::Loopback),
        ];
        self.choice("mode", ErrorCode::UNSUPPORTED_MODE, &modes)
    }

    fn termination_state(&mut self) -> Res<TerminationStateDescriptor> {
        let mut state = TerminationStateDescriptor::default();
        let states = [
            (token::TEST, ServiceState::Test),
            (token::OUT_OF_SERVICE, ServiceState::OutOfService),
            (token::IN_SERVICE, ServiceState::InService),
        ];
        let controls =
            [(token::OFF, EventBufferControl::Off), (token::LOCK_STEP, EventBufferControl::LockStep)];
        let (twice, value) = (ErrorCode::PROPERTY_TWICE, ErrorCode::UNSUPPORTED_VALUE);
        self.list_or_nothing(|p| {
            let at = p.lex.at();
            if p.lex.eat_token(token::SERVICE_STATES) {
                let found = p.choice("service state", value, &states)?;
                p.once(&mut state.service_state, found, twice, at, "ServiceStates")
            } else if p.lex.eat_token(token::BUFFER) {
                let found = p.choice("event buffer control", value, &controls)?;
                p.once(&mut state.event_buffer_control, found, twice, at, "Buffer")
            } else {
                state.properties.push(p.property()?);
                Ok(())
            }
        })?;
        Ok(state)
    }

    /// `= type` or `[type, type]`, then properties in braces.
    pub(super) fn modem(&mut self) -> Res<ModemDescriptor> {
        let mut types = Vec::new();
        if self.lex.eat(b'=') {
            types.push(self.modem_type()?);
        } else if self.lex.eat(b'[') {
            self.rest_of_list(b']', |p| {
                types.push(p.modem_type()?);
                Ok(())
            })?;
        } else {
            return Err(self.lex.expected("'=' or '[' and a modem type"));
        }
        let mut properties = Vec::new();
        self.optional_list(|p| {
            properties.push(p.property()?);
            Ok(())
        })?;
        Ok(ModemDescriptor { types, properties })
    }

    fn modem_type(&mut self) -> Res<ModemType> {
        let word = self.lex.word("a modem type")?;
        Ok(match word.text {
            w if token::V18.is(w) => ModemType::V18,
            w if token::V22.is(w) => ModemType::V22,
            w if token::V22BIS.is(w) => ModemType::V22bis,
            w if token::V32.is(w) => ModemType::V32,
            w if token::V32BIS.is(w) => ModemType::V32bis,
            w if token::V34.is(w) => ModemType::V34,
            w if token::V90.is(w) => ModemType::V90,
            w if token::V91.is(w) => ModemType::V91,
            w if token::SYNCH_ISDN.is(w) => ModemType::SynchIsdn,
            w if name::is_extension(w) => ModemType::Extension(w.into()),
            w => return Err(unknown(&self.lex, ErrorCode::UNSUPPORTED_VALUE, word.at, "modem type", w)),
        })
    }

    /// `= type { termination, termination }`
    pub(super) fn mux(&mut self) -> Res<MuxDescriptor> {
        self.lex.expect(b'=')?;
        let word = self.lex.word("a multiplex type")?;
        let kind = match word.text {
            w if token::H221.is(w) => MuxType::H221,
            w if token::H223.is(w) => MuxType::H223,
            w if token::H226.is(w) => MuxType::H226,
            w if token::V76.is(w) => MuxType::V76,
            w if token::NX64K.is(w) => MuxType::Nx64k,
            w if name::is_extension(w) => MuxType::Extension(w.into()),
            w => return Err(unknown(&self.lex, ErrorCode::UNSUPPORTED_VALUE, word.at, "multiplex type", w)),
        };
        let mut terminations = Vec::new();
        self.list(|p| {
            terminations.push(p.termination_id()?);
            Ok(())
        })?;
        Ok(MuxDescriptor { kind, terminations })
    }

    pub(super) fn statistics(&mut self) -> Res<StatisticsDescriptor> {
        let mut statistics = Vec::new();
        self.list_or_nothing(|p| {
            let name = p.pkgd_name("a statistic")?;
            let mut value = Vec::new();
            if p.lex.eat(b'=') {
                if p.lex.eat(b'[') {
                    p.rest_of_list(b']', |p| {
                        value.push(p.value()?);
                        Ok(())
                    })?;
                } else {
                    value.push(p.value()?);
                }
            }
            statistics.push(Statistic { name, value });
            Ok(())
        })?;
        Ok(statistics)
    }

    pub(super) fn packages(&mut self) -> Res<Vec<PackageVersion>> {
        let mut packages = Vec::new();
        self.list_or_nothing(|p| {
            packages.push(p.package()?);
            Ok(())
        })?;
        Ok(packages)
    }

    /// `name-version`
    pub(super) fn package(&mut self) -> Res<PackageVersion> {
        let word = self.lex.word("a package and its version")?;
        let parts = word.text.rsplit_once('-');
        parts
            .filter(|(name, _)| name::is_name(name))
            .and_then(|(name, version)| {
                Some(PackageVersion { name: name.into(), version: name::decimal(version)? })
            })
            .ok_or_else(|| {
                self.lex.fault(word.at, format!("package-version expected, found {}", shown(word.text)))
            })
    }
}
