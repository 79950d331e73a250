//! In descriptors and values.

use super::*;

pub(crate) struct NoEmptyParts;
impl Visit for NoEmptyParts {
    fn termination(&mut self, termination: &mut TerminationId) {
        if let TerminationId::Path(name) = termination
            && name.as_str().split('/').any(str::is_empty)
        {
            *name = "ip/1".into();
        }
    }
}

pub(crate) struct NoSemicolons;
impl Visit for NoSemicolons {
    fn parms(&mut self, parms: &mut StreamParms) {
        for sdp in [&mut parms.local, &mut parms.remote].into_iter().flatten() {
            *sdp = SdpText::new(&sdp.as_str().replace(';', ","));
        }
    }
}

pub(crate) struct NoKeepActiveWithSignals;
impl Visit for NoKeepActiveWithSignals {
    fn embedded(&mut self, event: &mut EmbeddedEvent) {
        event.keep_active &= event.signals.is_none();
    }
}

pub(crate) struct NoIterations;
impl Visit for NoIterations {
    fn signal(&mut self, signal: &mut Signal) {
        if let Some(completion) = &mut signal.notify_completion {
            completion.iteration = false;
            if *completion == NotifyCompletion::default() {
                signal.notify_completion = None;
            }
        }
    }
}

pub(crate) struct NoTokens;
impl NoTokens {
    fn rename(parms: &mut [Parm]) {
        parms.iter_mut().filter(|parm| parm.name.as_str().len() < 3).for_each(|parm| parm.name = "p".into());
    }
}
impl Visit for NoTokens {
    fn termination(&mut self, termination: &mut TerminationId) {
        if let TerminationId::Path(name) = termination
            && name.as_str().len() == 1
            && !["L", "R"].iter().any(|it| *name == *it)
        {
            *name = "ip/1".into();
        }
    }
    fn mid(&mut self, mid: &mut Mid) {
        match mid {
            Mid::Domain { name, .. } if name.as_str().len() < 3 => *name = "mgc".into(),
            // Groups of an address, too: "eb", "add".
            Mid::Ip6 { address, .. } => *address = address.segments().map(|group| group | 0x1000).into(),
            _ => {}
        }
    }
    fn audit_item(&mut self, item: &mut AuditItem) {
        if let AuditItem::BufferedEvent { parameter: Some(name), .. } = item
            && name.as_str().len() == 2
        {
            *name = "p".into();
        }
    }
    fn event(&mut self, event: &mut RequestedEvent) {
        Self::rename(&mut event.parms);
    }
    fn embedded(&mut self, event: &mut EmbeddedEvent) {
        Self::rename(&mut event.parms);
    }
    fn spec(&mut self, spec: &mut EventSpec) {
        Self::rename(&mut spec.parms);
    }
    fn signal(&mut self, signal: &mut Signal) {
        Self::rename(&mut signal.parms);
    }
    fn value(&mut self, value: &mut Value) {
        if value.as_str().len() < 3 && value.as_u64().is_none() {
            *value = Value::token("0");
        }
    }
}

pub(crate) struct SingleStatistics;
impl Visit for SingleStatistics {
    fn statistic(&mut self, statistic: &mut Statistic) {
        statistic.value.truncate(1);
    }
}

pub(crate) struct NoParameterRelations;
impl NoParameterRelations {
    fn plain(parms: &mut [Parm]) {
        for Parm { value, .. } in parms {
            if let ParmValue::Relation(_, one) = value {
                *value = ParmValue::One(one.clone());
            }
        }
    }
}
impl Visit for NoParameterRelations {
    fn event(&mut self, event: &mut RequestedEvent) {
        Self::plain(&mut event.parms);
    }
    fn embedded(&mut self, event: &mut EmbeddedEvent) {
        Self::plain(&mut event.parms);
    }
    fn spec(&mut self, spec: &mut EventSpec) {
        Self::plain(&mut spec.parms);
    }
    fn signal(&mut self, signal: &mut Signal) {
        Self::plain(&mut signal.parms);
    }
}

pub(crate) struct NamedDigitMaps;
impl Visit for NamedDigitMaps {
    fn event(&mut self, event: &mut RequestedEvent) {
        if let Some(EventDigitMap::Value(_)) = event.digit_map {
            event.digit_map = Some(EventDigitMap::Name("p".into()));
        }
    }
    fn embedded(&mut self, event: &mut EmbeddedEvent) {
        if let Some(EventDigitMap::Value(_)) = event.digit_map {
            event.digit_map = Some(EventDigitMap::Name("p".into()));
        }
    }
}

pub(crate) struct NoExtensions;
impl Visit for NoExtensions {
    fn mux(&mut self, mux: &mut MuxDescriptor) {
        if let MuxType::Extension(_) = mux.kind {
            mux.kind = MuxType::H221;
        }
    }
    fn service_change(&mut self, request: &mut ServiceChangeRequest) {
        if let ServiceChangeMethod::Extension(_) = request.method {
            request.method = ServiceChangeMethod::Restart;
        }
        request.extensions.clear();
    }
}

pub(crate) struct NoModems;
impl Visit for NoModems {
    fn amm(&mut self, amm: &mut AmmRequest) {
        amm.modem = None;
    }
    fn returned(&mut self, returned: &mut TerminationAudit) {
        returned.retain(|it| !matches!(it, AuditReturn::Modem(_)));
    }
}

pub(crate) struct WellFormedSdp;
impl Visit for WellFormedSdp {
    fn parms(&mut self, parms: &mut StreamParms) {
        for sdp in [&mut parms.local, &mut parms.remote].into_iter().flatten() {
            let good = |line: &&str| {
                line.is_ascii()
                    && line.starts_with(|c: char| c.is_ascii_alphabetic())
                    && line.get(1..2) == Some("=")
            };
            let lines: Vec<_> = sdp.lines().map(str::trim_end).filter(good).collect();
            *sdp = SdpText::new(&lines.join("\n"));
        }
    }
}

pub(crate) struct SomethingInside;
impl Visit for SomethingInside {
    fn media(&mut self, media: &mut MediaDescriptor) {
        let some = || Some(SdpText::new("v=0"));
        if media.termination_state.as_ref() == Some(&TerminationStateDescriptor::default()) {
            media.termination_state = None;
        }
        if let Streams::Many(streams) = &mut media.streams {
            for stream in streams {
                if stream.parms.local_control.as_ref() == Some(&LocalControlDescriptor::default()) {
                    stream.parms.local_control = None;
                }
                stream.parms.statistics = stream.parms.statistics.take().filter(|it| !it.is_empty());
                if stream.parms == StreamParms::default() {
                    stream.parms.local = some();
                }
            }
        } else if let Streams::One(parms) = &mut media.streams {
            if parms.local_control.as_ref() == Some(&LocalControlDescriptor::default()) {
                parms.local_control = None;
            }
            parms.statistics = parms.statistics.take().filter(|it| !it.is_empty());
            if **parms == StreamParms::default() {
                parms.local = some();
            }
        }
        if *media == MediaDescriptor::default() {
            media.streams = Streams::Many(vec![StreamDescriptor {
                id: 1,
                parms: StreamParms { local: some(), ..StreamParms::default() },
            }]);
        }
    }
    fn returned(&mut self, returned: &mut TerminationAudit) {
        returned.retain(|it| {
            *it != AuditReturn::Packages(Vec::new()) && *it != AuditReturn::Statistics(Vec::new())
        });
    }
}

pub(crate) struct NoParameterLists;
impl NoParameterLists {
    fn single(parms: &mut [Parm]) {
        for Parm { value, .. } in parms {
            if let ParmValue::All(values) | ParmValue::Any(values) = value {
                *value = ParmValue::One(values.swap_remove(0));
            } else if let ParmValue::Range(low, _) = value {
                *value = ParmValue::One(low.clone());
            }
        }
    }
}
impl Visit for NoParameterLists {
    fn event(&mut self, event: &mut RequestedEvent) {
        Self::single(&mut event.parms);
    }
    fn embedded(&mut self, event: &mut EmbeddedEvent) {
        Self::single(&mut event.parms);
    }
    fn spec(&mut self, spec: &mut EventSpec) {
        Self::single(&mut spec.parms);
    }
    fn signal(&mut self, signal: &mut Signal) {
        Self::single(&mut signal.parms);
    }
}

pub(crate) struct NoSdpNames;
impl Visit for NoSdpNames {
    fn termination(&mut self, termination: &mut TerminationId) {
        if let TerminationId::Path(name) = termination
            && ["L", "R", "Local", "Remote"].iter().any(|it| *name == *it)
        {
            *name = "ip/1".into();
        }
    }
}

pub(crate) struct SomeSignals;
impl Visit for SomeSignals {
    fn amm(&mut self, amm: &mut AmmRequest) {
        amm.signals = amm.signals.take().filter(|signals| !signals.is_empty());
    }
    fn embed(&mut self, embed: &mut Embed) {
        if embed.signals.as_ref().is_some_and(Vec::is_empty) {
            embed.signals =
                Some(vec![SignalItem::Signal(Signal::new(PkgdName::new("cg", "dt"), Vec::new()))]);
        }
    }
    fn embedded(&mut self, event: &mut EmbeddedEvent) {
        event.signals = event.signals.take().filter(|signals| !signals.is_empty());
    }
    fn returned(&mut self, returned: &mut TerminationAudit) {
        returned.retain(|it| *it != AuditReturn::Signals(Vec::new()));
    }
}

pub(crate) struct NoZ;
impl Visit for NoZ {
    fn digit_map_value(&mut self, map: &mut DigitMapValue) {
        map.duration = None;
    }
}

pub(crate) struct NoEmptyStrings;
impl Visit for NoEmptyStrings {
    fn error(&mut self, error: &mut ErrorDescriptor) {
        error.text = error.text.take().filter(|text| !text.is_empty());
    }
    fn service_change(&mut self, request: &mut ServiceChangeRequest) {
        if request.reason.is_empty() {
            request.reason = "901".to_owned();
        }
    }
    fn value(&mut self, value: &mut Value) {
        if value.as_str().is_empty() {
            *value = Value::token("x");
        }
    }
}

pub(crate) struct NoNx64k;
impl Visit for NoNx64k {
    fn mux(&mut self, mux: &mut MuxDescriptor) {
        if mux.kind == MuxType::Nx64k {
            mux.kind = MuxType::H221;
        }
    }
}

pub(crate) struct NoBraces;
impl Visit for NoBraces {
    fn parms(&mut self, parms: &mut StreamParms) {
        for sdp in [&mut parms.local, &mut parms.remote].into_iter().flatten() {
            *sdp = SdpText::new(&sdp.as_str().replace('}', ""));
        }
    }
}

pub(crate) struct Ascii;
impl Visit for Ascii {
    fn error(&mut self, error: &mut ErrorDescriptor) {
        if let Some(text) = &mut error.text {
            ascii(text);
        }
    }
    fn service_change(&mut self, request: &mut ServiceChangeRequest) {
        ascii(&mut request.reason);
    }
    fn value(&mut self, value: &mut Value) {
        if let Value::Quoted(text) = value {
            ascii(text);
        }
    }
}

fn ascii(text: &mut String) {
    text.retain(|c| c.is_ascii());
}
