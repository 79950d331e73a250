//! Descriptors.

use super::*;

fn local_control() -> impl Strategy<Value = LocalControlDescriptor> {
    let mode = select(vec![
        StreamMode::SendOnly,
        StreamMode::ReceiveOnly,
        StreamMode::SendReceive,
        StreamMode::Inactive,
        StreamMode::Loopback,
    ]);
    (of(mode), of(any::<bool>()), of(any::<bool>()), vec(property(), 0..3)).prop_map(
        |(mode, reserve_value, reserve_group, properties)| LocalControlDescriptor {
            mode,
            reserve_value,
            reserve_group,
            properties,
        },
    )
}

fn stream_parms() -> impl Strategy<Value = StreamParms> {
    (of(local_control()), of(sdp_text()), of(sdp_text()), of(statistics())).prop_map(
        |(local_control, local, remote, statistics)| StreamParms { local_control, local, remote, statistics },
    )
}

fn termination_state() -> impl Strategy<Value = TerminationStateDescriptor> {
    let service = select(vec![ServiceState::Test, ServiceState::OutOfService, ServiceState::InService]);
    let control = select(vec![EventBufferControl::Off, EventBufferControl::LockStep]);
    (of(service), of(control), vec(property(), 0..3)).prop_map(
        |(service_state, event_buffer_control, properties)| TerminationStateDescriptor {
            service_state,
            event_buffer_control,
            properties,
        },
    )
}

/// Media with no stream, one without identifier, or several with distinct ones.
pub fn media() -> impl Strategy<Value = MediaDescriptor> {
    let one = stream_parms()
        .prop_filter("something to say", |parms| *parms != StreamParms::default())
        .prop_map(|parms| Streams::One(Box::new(parms)));
    let many = vec(stream_parms(), 1..3).prop_flat_map(|parms| {
        proptest::sample::subsequence((0..=u16::MAX).step_by(4369).collect::<Vec<_>>(), parms.len()).prop_map(
            move |ids| {
                let streams = ids.into_iter().zip(parms.clone());
                Streams::Many(streams.map(|(id, parms)| StreamDescriptor { id, parms }).collect())
            },
        )
    });
    (of(termination_state()), prop_oneof![1 => Just(Streams::None), 1 => one, 3 => many])
        .prop_map(|(termination_state, streams)| MediaDescriptor { termination_state, streams })
}

pub(super) fn modem() -> impl Strategy<Value = ModemDescriptor> {
    use ModemType::*;
    let kind = prop_oneof![
        9 => select(vec![V18, V22, V22bis, V32, V32bis, V34, V90, V91, SynchIsdn]),
        1 => extension().prop_map(Extension),
    ];
    (vec(kind, 1..3), vec(property(), 0..2))
        .prop_map(|(types, properties)| ModemDescriptor { types, properties })
}

pub(super) fn mux() -> impl Strategy<Value = MuxDescriptor> {
    use MuxType::*;
    let kind =
        prop_oneof![5 => select(vec![H221, H223, H226, V76, Nx64k]), 1 => extension().prop_map(Extension)];
    (kind, vec(termination_id(), 1..3)).prop_map(|(kind, terminations)| MuxDescriptor { kind, terminations })
}

pub(super) fn statistics() -> impl Strategy<Value = StatisticsDescriptor> {
    vec((pkgd_name(), vec(value(), 0..3)).prop_map(|(name, value)| Statistic { name, value }), 0..3)
}

pub(super) fn package() -> impl Strategy<Value = PackageVersion> {
    ("[a-z][a-z0-9_]{0,9}", 0..100_u16)
        .prop_map(|(name, version)| PackageVersion { name: name.as_str().into(), version })
}

fn digit_map_value() -> impl Strategy<Value = DigitMapValue> {
    let timer = || of(0..=99_u8);
    (timer(), timer(), timer(), timer(), "[0-9x.|()A-LSTZ\\[\\]-]{1,20}")
        .prop_map(|(start, short, long, duration, map)| DigitMapValue { start, short, long, duration, map })
}

pub(super) fn digit_map() -> impl Strategy<Value = DigitMapDescriptor> {
    prop_oneof![
        name().prop_map(|name| DigitMapDescriptor { name: Some(name), value: None }),
        (of(name()), digit_map_value())
            .prop_map(|(name, value)| DigitMapDescriptor { name, value: Some(value) }),
    ]
}

fn event_digit_map() -> impl Strategy<Value = EventDigitMap> {
    prop_oneof![name().prop_map(EventDigitMap::Name), digit_map_value().prop_map(EventDigitMap::Value)]
}

fn signal() -> impl Strategy<Value = Signal> {
    let kind = select(vec![SignalType::OnOff, SignalType::TimeOut, SignalType::Brief]);
    let direction = select(vec![SignalDirection::Internal, SignalDirection::External, SignalDirection::Both]);
    let completion = (1..32_u8).prop_map(|bits| NotifyCompletion {
        time_out: bits & 1 != 0,
        by_event: bits & 2 != 0,
        by_signals: bits & 4 != 0,
        other: bits & 8 != 0,
        iteration: bits & 16 != 0,
    });
    let version_3 = (of(direction), of(request_id()), of(any::<u16>()));
    (
        pkgd_name(),
        of(any::<u16>()),
        of(kind),
        of(any::<u16>()),
        of(completion),
        any::<bool>(),
        prop_oneof![3 => Just((None, None, None)), 1 => version_3],
        vec(parm(), 0..3),
    )
        .prop_map(|(name, stream, kind, duration, notify_completion, keep_active, version_3, parms)| {
            Signal {
                name,
                stream,
                kind,
                duration,
                notify_completion,
                keep_active,
                direction: version_3.0,
                request: version_3.1,
                intersignal_delay: version_3.2,
                parms,
            }
        })
}

/// Signals and signal lists, perhaps none.
pub fn signals() -> impl Strategy<Value = SignalsDescriptor> {
    let list = (any::<u16>(), vec(signal(), 1..3)).prop_map(|(id, signals)| SignalItem::List { id, signals });
    vec(prop_oneof![3 => signal().prop_map(SignalItem::Signal), 1 => list], 0..3)
}

fn embedded_event() -> impl Strategy<Value = EmbeddedEvent> {
    (pkgd_name(), of(any::<u16>()), any::<bool>(), of(event_digit_map()), of(signals()), vec(parm(), 0..2))
        .prop_map(|(name, stream, keep_active, digit_map, signals, parms)| EmbeddedEvent {
            name,
            stream,
            keep_active,
            digit_map,
            signals,
            parms,
        })
}

fn embed() -> impl Strategy<Value = Embed> {
    let events = (request_id(), vec(embedded_event(), 0..2)).prop_map(|(request, events)| EmbeddedEvents {
        request: (!events.is_empty()).then_some(request),
        events,
    });
    (of(signals()), of(events))
        .prop_filter("something to embed", |(signals, events)| signals.is_some() || events.is_some())
        .prop_map(|(signals, events)| Embed { signals, events })
}

fn requested_event() -> impl Strategy<Value = RequestedEvent> {
    let notify = prop_oneof![
        6 => Just(None),
        2 => select(vec![NotifyBehaviour::Immediate, NotifyBehaviour::Never]).prop_map(Some),
        1 => of(embed()).prop_map(|embed| Some(NotifyBehaviour::Regulated(embed))),
    ];
    (
        pkgd_name(),
        of(any::<u16>()),
        any::<bool>(),
        notify.boxed(),
        any::<bool>(),
        of(event_digit_map()),
        of(embed()).boxed(),
        vec(parm(), 0..3),
    )
        .prop_map(|(name, stream, keep_active, notify, reset_events, digit_map, embed, parms)| {
            RequestedEvent { name, stream, keep_active, notify, reset_events, digit_map, embed, parms }
        })
}

/// Events, perhaps none.
pub fn events() -> impl Strategy<Value = EventsDescriptor> {
    (request_id(), vec(requested_event(), 0..3)).prop_map(|(request, events)| EventsDescriptor {
        request: (!events.is_empty()).then_some(request),
        events,
    })
}

fn event_spec() -> impl Strategy<Value = EventSpec> {
    (pkgd_name(), of(any::<u16>()), vec(parm(), 0..3)).prop_map(|(name, stream, parms)| EventSpec {
        name,
        stream,
        parms,
    })
}

pub(super) fn event_buffer() -> impl Strategy<Value = EventBufferDescriptor> {
    vec(event_spec(), 0..3)
}

pub(super) fn observed_events() -> impl Strategy<Value = ObservedEventsDescriptor> {
    let event = (of(timestamp()), event_spec()).prop_map(|(time, event)| ObservedEvent { time, event });
    (request_id(), vec(event, 1..3))
        .prop_map(|(request, events)| ObservedEventsDescriptor { request, events })
}

pub(super) fn descriptor_kind() -> impl Strategy<Value = DescriptorKind> {
    use DescriptorKind::*;
    select(vec![
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
    ])
}

fn media_audit() -> impl Strategy<Value = MediaAudit> {
    let stream = || of(any::<u16>());
    let control = prop_oneof![
        select(vec![
            LocalControlAudit::Mode,
            LocalControlAudit::ReserveValue,
            LocalControlAudit::ReserveGroup
        ]),
        pkgd_name().prop_map(LocalControlAudit::Property),
    ];
    let state = prop_oneof![
        select(vec![TerminationStateAudit::ServiceState, TerminationStateAudit::EventBufferControl]),
        pkgd_name().prop_map(TerminationStateAudit::Property),
    ];
    prop_oneof![
        (stream(), control).prop_map(|(stream, item)| MediaAudit::LocalControl { stream, item }),
        stream().prop_map(|stream| MediaAudit::Local { stream }),
        stream().prop_map(|stream| MediaAudit::Remote { stream }),
        (stream(), pkgd_name()).prop_map(|(stream, name)| MediaAudit::Statistic { stream, name }),
        state.prop_map(MediaAudit::TerminationState),
    ]
}

fn audit_item() -> impl Strategy<Value = AuditItem> {
    prop_oneof![
        6 => descriptor_kind().prop_map(AuditItem::Descriptor),
        1 => vec(media_audit(), 1..3).prop_map(AuditItem::Media),
        1 => (of(request_id()), pkgd_name()).prop_map(|(request, event)| AuditItem::Event { request, event }),
        1 => (pkgd_name(), of(any::<u16>()), of(name()))
            .prop_map(|(event, stream, parameter)| AuditItem::BufferedEvent { event, stream, parameter }),
        1 => (of(any::<u16>()), pkgd_name()).prop_map(|(list, signal)| AuditItem::Signal { list, signal }),
        1 => name().prop_map(AuditItem::DigitMap),
        1 => pkgd_name().prop_map(AuditItem::Statistic),
        1 => package().prop_map(AuditItem::Package),
    ]
}

/// Audit, perhaps for nothing.
pub fn audit() -> impl Strategy<Value = AuditDescriptor> {
    vec(audit_item(), 0..4).prop_map(|items| AuditDescriptor { items })
}

fn address() -> impl Strategy<Value = ServiceChangeAddress> {
    prop_oneof![any::<u16>().prop_map(ServiceChangeAddress::Port), mid().prop_map(ServiceChangeAddress::Mid)]
}

fn profile() -> impl Strategy<Value = Profile> {
    ("[A-Za-z][A-Za-z0-9_]{0,20}", 0..100_u8)
        .prop_map(|(name, version)| Profile { name: name.as_str().into(), version })
}

/// ServiceChange requests.
pub fn service_change() -> impl Strategy<Value = ServiceChangeRequest> {
    use ServiceChangeMethod::*;
    let method = prop_oneof![
        6 => select(vec![Graceful, Forced, Restart, Disconnected, HandOff, Failover]),
        1 => extension().prop_map(Extension),
    ];
    let extension = (extension(), parm_value()).prop_map(|(name, value)| Parm { name, value });
    (
        (method, text(), of(any::<u32>()), of(address()), of(0..100_u8)),
        (of(profile()), of(mid()), of(timestamp()), of(audit_item()), any::<bool>(), vec(extension, 0..2)),
    )
        .prop_map(|(first, second)| {
            let (method, reason, delay, address, version) = first;
            let (profile, mgc_id, timestamp, info, incomplete, extensions) = second;
            ServiceChangeRequest {
                method,
                reason,
                delay,
                address,
                version,
                profile,
                mgc_id,
                timestamp,
                info,
                incomplete,
                extensions,
            }
        })
}

pub(super) fn service_change_reply() -> impl Strategy<Value = ServiceChangeReply> {
    (of(address()), of(mid()), of(0..100_u8), of(profile()), of(timestamp()))
        .prop_map(|(address, mgc_id, version, profile, timestamp)| ServiceChangeReply {
            address,
            mgc_id,
            version,
            profile,
            timestamp,
        })
        .prop_filter("something to say", |reply| *reply != ServiceChangeReply::default())
}
