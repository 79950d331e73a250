//! Several streams on one port (RFC 8843), numbers that differ between the sides (RFC 8285), and feedback for who has not agreed on it.

use crate::browser::Browser;
use crate::rig::{PROVEN, Rig, WEB};
use agw_core::command::{Command, Reply};
use agw_core::controller::FeedbackPolicy;
use agw_core::io::sim::Endpoint;
use agw_core::model::*;
use agw_core::worker::stats::{Counter, DropReason};
use agw_dtls::Settings;
use agw_tls::Role;
use std::net::SocketAddr;

const AUDIO: StreamId = StreamId(1);
const VIDEO: StreamId = StreamId(2);

/// A call with sound and pictures: one port towards the browser, two towards the phone.
struct Show {
    web: TerminationId,
    browser: Browser,
    specs: Vec<(StreamId, StreamSpec)>,
    phones: [Endpoint; 2],
    core: [SocketAddr; 2],
    ice: IceCredential,
    locals: Vec<LocalStream>,
}

fn format(payload_type: u8, encoding: &str) -> Format {
    Format { payload_type, encoding: encoding.into(), parameters: "".into() }
}

fn names(payload_type: u8, encoding: &str, mid_extension: Option<u8>) -> RtpNames {
    let extension = |id| HeaderExtension { id, uri: "urn:ietf:params:rtp-hdrext:sdes:mid".into() };
    RtpNames {
        formats: vec![format(payload_type, encoding)],
        extensions: mid_extension.into_iter().map(extension).collect(),
    }
}

fn show(rig: &mut Rig, core_feedback: bool) -> Show {
    let context = rig.context();
    let (at, phones_at) = (rig.address(11), [rig.address(12), rig.address(13)]);
    let mut browser = Browser::new(&rig.net, at, Settings::default());
    let group: Vec<Box<str>> = vec!["a".into(), "v".into()];
    let web = |mid: &str, payload_type, encoding: &str, ssrcs: Vec<u32>| {
        let ice = IceSpec { choose: true, peer: Some(Browser::credential()), candidates: vec![at] };
        let rtp = names(payload_type, encoding, Some(4));
        StreamSpec {
            realm: RealmName::new("access"),
            mode: Mode::SendReceive,
            rtcp: RtcpPorts::Mux,
            remote: Some(Remote { rtp: at, rtcp: None }),
            tls: Some(Box::new(TlsSpec {
                own: vec![HashFunction::Sha256],
                peer: vec![browser.fingerprint()],
                ..TlsSpec::default()
            })),
            ice: Some(Box::new(ice)),
            rtp: Some(Box::new(RtpSpec {
                local: rtp.clone(),
                remote: rtp,
                mid: Some(mid.into()),
                bundle: Some(BundleMember { group: group.clone(), mid: mid.into(), ssrcs }),
            })),
            ..StreamSpec::new(WEB)
        }
    };
    let specs =
        vec![(AUDIO, web("a", 111, "opus/48000/2", vec![])), (VIDEO, web("v", 96, "VP8/90000", vec![0x77]))];
    let Reply::Termination(view, _) = rig.command(Command::Add { context, streams: specs.clone() }) else {
        panic!()
    };
    let locals = view.streams;
    let plain = |at: SocketAddr, payload_type, encoding: &str| {
        let rtp = names(payload_type, encoding, None);
        StreamSpec {
            realm: RealmName::new("core"),
            mode: Mode::SendReceive,
            rtcp: RtcpPorts::Mux,
            remote: Some(Remote { rtp: at, rtcp: None }),
            rtp: Some(Box::new(RtpSpec { local: rtp.clone(), remote: rtp, ..RtpSpec::default() })),
            ..StreamSpec::new(Transport::Rtp { secure: false, feedback: core_feedback })
        }
    };
    let streams = vec![
        (AUDIO, plain(phones_at[0], 107, "OPUS/48000/2")),
        (VIDEO, plain(phones_at[1], 120, "vp8/90000")),
    ];
    let Reply::Termination(core, _) = rig.command(Command::Add { context, streams }) else { panic!() };
    browser.gateway = locals[0].rtp;
    browser.shake(Role::Client, &locals[0].fingerprints, rig.now_us());
    let ice = locals[0].ice.as_deref().cloned().unwrap();
    let phones = phones_at.map(|at| rig.net.endpoint(at));
    let core = [core.streams[0].rtp, core.streams[1].rtp];
    let mut show = Show { web: view.id, browser, specs, phones, core, ice, locals };
    show.browser.check(&show.ice, true);
    run(rig, &mut show, 400);
    assert!(show.browser.has_keys());
    show
}

fn run(rig: &mut Rig, show: &mut Show, ms: usize) {
    for _ in 0..ms {
        rig.turn();
        show.browser.step(rig.now_us());
    }
}

fn rtp(payload_type: u8, sequence: u16, ssrc: u32, mid: Option<&str>) -> Vec<u8> {
    let mut packet = vec![0x80, payload_type];
    packet.extend(sequence.to_be_bytes());
    packet.extend([0; 4]);
    packet.extend(ssrc.to_be_bytes());
    if let Some(mid) = mid {
        packet[0] |= 0x10;
        let mut elements = vec![0x40 | (mid.len() as u8 - 1)];
        elements.extend(mid.as_bytes());
        elements.resize(elements.len().next_multiple_of(4), 0);
        packet.extend([0xbe, 0xde, 0, elements.len() as u8 / 4]);
        packet.extend(elements);
    }
    packet.extend(b"payload");
    packet
}

fn sends(rig: &mut Rig, show: &mut Show, plain: &[u8]) -> [Vec<Vec<u8>>; 2] {
    let protected = show.browser.protect(plain);
    show.browser.endpoint.send(show.browser.gateway, &protected);
    run(rig, show, 3);
    [0, 1].map(|at| std::iter::from_fn(|| show.phones[at].receive()).map(|(_, bytes)| bytes).collect())
}

/// The payload type, without the marker, of each packet.
fn types(packets: &[Vec<u8>]) -> Vec<u8> {
    packets.iter().map(|packet| packet[1] & 0x7f).collect()
}

#[test]
fn sound_and_pictures_share_a_port_and_are_told_apart_and_renumbered() {
    let mut rig = Rig::new();
    let mut show = show(&mut rig, false);
    let [audio, video] = [&show.locals[0], &show.locals[1]];
    assert_eq!((audio.rtp, &audio.ice, &audio.fingerprints), (video.rtp, &video.ice, &video.fingerprints));
    let by_mid = sends(&mut rig, &mut show, &rtp(96, 1, 5, Some("v")));
    assert_eq!(by_mid.map(|at| types(&at)), [vec![], vec![120]]);
    let by_source = sends(&mut rig, &mut show, &rtp(96, 1, 0x77, None));
    assert_eq!(by_source.map(|at| types(&at)), [vec![], vec![120]]);
    let by_type = sends(&mut rig, &mut show, &rtp(111, 1, 9, None));
    assert_eq!(by_type.map(|at| types(&at)), [vec![107], vec![]]);
    let nobodys = sends(&mut rig, &mut show, &rtp(50, 1, 10, None));
    assert_eq!(nobodys, [[], []].map(|none: [Vec<u8>; 0]| none.to_vec()));
    assert_eq!(rig.dropped(DropReason::NoMember), 1);

    for (at, (there, back)) in [(107, 111), (120, 96)].into_iter().enumerate() {
        show.browser.received.clear();
        let (source, mid) = (40 + at as u32, ["a", "v"][at]);
        show.phones[at].send(show.core[at], &rtp(there, 7, source, None));
        run(&mut rig, &mut show, 3);
        assert_eq!(
            show.browser.received,
            [rtp(back, 7, source, Some(mid))],
            "with the MID that was agreed on"
        );
    }
    // Each stream has counters of its own.
    let report = |about: u32| {
        let mut bytes = vec![0x81, 201, 0, 7, 0, 0, 0, 5];
        bytes.extend(about.to_be_bytes());
        bytes.extend([0; 20]);
        bytes
    };
    assert_eq!(sends(&mut rig, &mut show, &report(40)).map(|at| at.len()), [1, 0]);
    assert_eq!(sends(&mut rig, &mut show, &report(41)).map(|at| at.len()), [0, 1]);
    rig.check_balance();
}

#[test]
fn the_gate_of_one_stream_of_a_bundle_is_not_that_of_another() {
    let mut rig = Rig::new();
    let mut show = show(&mut rig, false);
    show.specs.iter_mut().for_each(|(_, spec)| spec.ice.as_mut().unwrap().choose = false);
    let mut held = show.specs[1].clone();
    held.1.mode = Mode::Inactive;
    rig.command(Command::Modify { termination: show.web, streams: vec![held] });
    assert_eq!(sends(&mut rig, &mut show, &rtp(96, 1, 5, Some("v"))).map(|at| at.len()), [0, 0]);
    assert_eq!(sends(&mut rig, &mut show, &rtp(111, 1, 9, Some("a"))).map(|at| at.len()), [1, 0]);
    let mut first = show.specs[0].clone();
    first.1.mode = Mode::Inactive;
    rig.command(Command::Modify { termination: show.web, streams: vec![first, show.specs[1].clone()] });
    assert_eq!(sends(&mut rig, &mut show, &rtp(96, 2, 5, Some("v"))).map(|at| at.len()), [0, 1]);
    assert_eq!(sends(&mut rig, &mut show, &rtp(111, 2, 9, Some("a"))).map(|at| at.len()), [0, 0]);
    rig.check_balance();
    rig.command(Command::Subtract(show.web));
}

#[test]
fn streams_that_do_not_bundle_any_more_have_their_own_ports() {
    let mut rig = Rig::new();
    let show = show(&mut rig, false);
    let streams: Vec<_> = show
        .specs
        .iter()
        .cloned()
        .map(|(id, mut spec)| {
            spec.rtp.as_mut().unwrap().bundle = None;
            spec.ice.as_mut().unwrap().choose = false;
            (id, spec)
        })
        .collect();
    let reply = rig.command(Command::Modify { termination: show.web, streams });
    let Reply::Termination(view, _) = reply else { panic!() };
    assert_ne!(view.streams[0].rtp, view.streams[1].rtp);
    assert_ne!(view.streams[0].fingerprints, view.streams[1].fingerprints, "a certificate each (TLS-1)");
    assert_eq!(view.streams[0].rtp, show.locals[0].rtp);
}

#[test]
fn feedback_ends_before_a_peer_that_has_not_agreed_on_it_and_passes_to_one_that_has() {
    let pli = [0x81, 206, 0, 2, 0, 0, 0, 5, 0, 0, 0, 9];
    let report = [0x80, 201, 0, 1, 0, 0, 0, 5];
    for (core_feedback, policy, passes) in [
        (false, FeedbackPolicy::Negotiated, false),
        (true, FeedbackPolicy::Negotiated, true),
        (false, FeedbackPolicy::Pass, true),
    ] {
        let mut rig = Rig::with(5, |config| config.feedback = policy);
        let mut show = show(&mut rig, core_feedback);
        let both = [&report[..], &pli].concat();
        let came = sends(&mut rig, &mut show, &both);
        let expected = if passes { both.clone() } else { report.to_vec() };
        assert_eq!(came[0], [expected]);
        let alone = sends(&mut rig, &mut show, &pli);
        assert_eq!(alone[0].len(), usize::from(passes));
        assert_eq!(rig.counted(Counter::Dropped(Leg::Access, DropReason::Feedback)), u64::from(!passes));
        rig.check_balance();
    }
}

#[test]
fn one_handshake_is_enough_for_all() {
    let mut rig = Rig::new();
    let mut show = show(&mut rig, true);
    let notices = rig.take_all_notices();
    let sessions: Vec<_> = notices.iter().filter(|notice| notice.what == PROVEN).collect();
    assert_eq!(sessions.len(), 1);
    assert_eq!((sessions[0].termination, sessions[0].stream), (show.web, AUDIO));
    run(&mut rig, &mut show, 10);
    assert_eq!(show.browser.established, 1);
}
