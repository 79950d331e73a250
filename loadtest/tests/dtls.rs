//! `agw-loadtest dtls` against a gateway made for the purpose: it answers on Iq, ends DTLS-SRTP, passes media, and does some of it wrong where a test
//! wants that. Each thing it does must be counted, and nothing else.

use agw_dtls::{MAX_OUTPUT_BYTES, Profile, Role, Session, Settings, SrtpKeys, Step};
use agw_srtp::{InboundSession, OutboundSession, Policy};
use agw_tls::{Fingerprint, HashFunction, Identity};
use loadtest::control::{GatewayAddress, Protocol};
use loadtest::dtls::DtlsRun;
use loadtest::generator::{Direction, Load};
use loadtest::report::Report;
use loadtest::run::RtpRun;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const LOCAL: [u8; 4] = [127, 0, 0, 1];

/// What the gateway does wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// Another certificate than the one that was told.
    OtherCertificate,
    /// A byte of every packet towards the core changes.
    SpoiltBytes,
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind(SocketAddr::from((LOCAL, 0))).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

fn port(socket: &UdpSocket) -> u16 {
    socket.local_addr().unwrap().port()
}

/// One context: its ports and ends, access first.
struct Context {
    sockets: [UdpSocket; 2],
    ends: [SocketAddr; 2],
    session: Session,
    srtp: Option<(InboundSession, OutboundSession)>,
    began: Instant,
    fault: Fault,
}

impl Context {
    fn pass(mut self, over: &AtomicBool) {
        let mut buffer = [0; 2048];
        while !over.load(Ordering::Relaxed) {
            let mut idle = true;
            while let Ok(length) = self.sockets[0].recv(&mut buffer) {
                idle = false;
                self.take_from_phone(&mut buffer, length);
            }
            while let Ok(length) = self.sockets[1].recv(&mut buffer) {
                idle = false;
                if let Some((_, outbound)) = &mut self.srtp {
                    let length = outbound.protect_rtp(&mut buffer, length, 0).unwrap();
                    self.sockets[0].send_to(&buffer[..length], self.ends[0]).unwrap();
                }
            }
            if idle {
                std::thread::sleep(Duration::from_micros(500));
            }
            self.session.handle_timeout(self.now_us());
            self.drain();
        }
    }

    fn take_from_phone(&mut self, buffer: &mut [u8], length: usize) {
        // RFC 7983: what is neither DTLS nor STUN is media.
        if (20..64).contains(&buffer[0]) {
            self.session.handle_datagram(&buffer[..length], self.now_us());
            self.drain();
            return;
        }
        let Some((inbound, _)) = &mut self.srtp else { return };
        let Ok(length) = inbound.unprotect_rtp(buffer, length, 0) else { return };
        if self.fault == Fault::SpoiltBytes {
            buffer[length - 1] ^= 1;
        }
        self.sockets[1].send_to(&buffer[..length], self.ends[1]).unwrap();
    }

    fn drain(&mut self) {
        let mut buffer = [0; MAX_OUTPUT_BYTES];
        loop {
            match self.session.poll(&mut buffer) {
                Step::Datagram(datagram) => drop(self.sockets[0].send_to(datagram, self.ends[0]).unwrap()),
                Step::Established(keys) => self.srtp = Some(sessions(&keys)),
                Step::Data(_) | Step::Closed | Step::Failed(_) => {}
                Step::Idle { .. } => return,
            }
        }
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap()
    }
}

fn sessions(keys: &SrtpKeys) -> (InboundSession, OutboundSession) {
    (keys.inbound(&Policy::default()).unwrap(), keys.outbound(&Policy::default()).unwrap())
}

/// The value of the `n`th line that begins so.
fn line<'a>(text: &'a str, start: &str, n: usize) -> &'a str {
    text.lines().filter_map(|line| line.strip_prefix(start)).nth(n).unwrap_or_default().trim()
}

/// Where an end is, as the `n`th media line with an address says.
fn end(request: &str, n: usize) -> SocketAddr {
    let mut ports = request.lines().filter_map(|line| line.strip_prefix("m=audio ")?.split(' ').next());
    let port = ports.clone().filter(|port| *port != "$").nth(n);
    assert!(ports.any(|port| port == "$"), "{request}");
    SocketAddr::from((LOCAL, port.unwrap().parse().unwrap()))
}

fn gateway(iq: &UdpSocket, fault: Fault, over: &Arc<AtomicBool>) {
    let profile = Profile::new(Settings::default()).unwrap();
    let identity = Identity::generate().unwrap();
    let told = identity.fingerprint(HashFunction::Sha256);
    let shown = if fault == Fault::OtherCertificate { Identity::generate().unwrap() } else { identity };
    let mut buffer = vec![0; 65_536];
    while !over.load(Ordering::Relaxed) {
        let Ok((length, from)) = iq.recv_from(&mut buffer) else { continue };
        let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
        let Some(id) = request.split("T=").nth(1).and_then(|rest| rest.split('{').next()) else { continue };
        let reply = if request.contains("S=*") {
            format!("!/2 [127.0.0.1]:2944 P={id}{{C={id}{{S=ip/1/access/1,S=ip/1/core/2}}}}")
        } else {
            let sockets = [socket(), socket()];
            let [access, core] = [0, 1].map(|side: usize| port(&sockets[side]));
            let mut session = Session::new(&profile, Role::Server, &shown, 0).unwrap();
            // Of two fingerprints in the request the first is "SHA-256 $".
            session.expect(&[Fingerprint::parse(line(&request, "a=fingerprint:", 1)).unwrap()]);
            let ends = [end(&request, 0), end(&request, 1)];
            let context = Context { sockets, ends, session, srtp: None, began: Instant::now(), fault };
            let over = Arc::clone(over);
            std::thread::spawn(move || context.pass(&over));
            let local = |termination: &str, port: u16, transport: &str, lines: &str| {
                format!(
                    "A={termination}{{M{{ST=1{{L{{\nv=0\nc=IN IP4 127.0.0.1\nm=audio {port} {transport} 8\n{lines}}}}}}}}}"
                )
            };
            format!(
                "!/2 [127.0.0.1]:2944 P={id}{{C={id}{{{},{}}}}}",
                local("ip/1/access/1", access, "UDP/TLS/RTP/SAVP", &format!("a=fingerprint:{told}\n")),
                local("ip/1/core/2", core, "RTP/AVP", "")
            )
        };
        iq.send_to(reply.as_bytes(), from).unwrap();
    }
}

fn run(calls: u32, fault: Fault) -> Report {
    let iq = UdpSocket::bind(SocketAddr::from((LOCAL, 0))).unwrap();
    iq.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let address = iq.local_addr().unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&over);
    let thread = std::thread::spawn(move || gateway(&iq, fault, &stop));
    let media = RtpRun {
        gateway: GatewayAddress { protocol: Protocol::Iq, address },
        calls,
        load: Load {
            pps: 400,
            payload_bytes: 160,
            duration: Duration::from_millis(500),
            drain: Duration::from_millis(500),
            tick: Duration::from_micros(500),
        },
        direction: Direction::Both,
        suite: agw_srtp::Suite::AesCm128HmacSha1_80,
        loss_bound: 0.0,
        find_max: false,
        pid: Some(std::process::id()),
        window: 4,
        threads: 2,
        sockets_per_side: 2,
        access: None,
        core: None,
        stop: Arc::default(),
    };
    let report = DtlsRun { media, per_second: 50.0 }.run(&mut |_| ()).unwrap();
    over.store(true, Ordering::Relaxed);
    thread.join().unwrap();
    report
}

/// How fast the machine is, is not what is tested here.
#[test]
fn every_call_shakes_hands_and_its_media_pass_with_the_keys_that_came_of_it() {
    let report = run(7, Fault::None);
    let dtls = report.dtls.as_ref().unwrap();
    assert_eq!((dtls.handshakes, dtls.failed), (7, 0), "{report}");
    assert!(dtls.per_second < 60.0 && dtls.offered_per_second < 51.0, "{report}");
    assert!(dtls.handshake_us.p50 > 0.0 && dtls.gateway_us_per_handshake.is_some(), "{report}");
    assert!(report.received > 0 && report.received == report.sent, "{report}");
    assert_eq!((report.corrupt, report.misdirected, report.duplicated), (0, 0, 0), "{report}");
    assert!(report.to_string().contains("  handshakes 7 ("), "{report}");
}

#[test]
fn what_a_gateway_does_wrong_is_counted_and_never_passes() {
    let other = run(3, Fault::OtherCertificate);
    let dtls = other.dtls.as_ref().unwrap();
    assert_eq!((dtls.handshakes, dtls.failed, other.received), (0, 3, 0), "{other}");
    assert!(!other.passed && dtls.first_failure.as_ref().unwrap().contains("fingerprint"), "{other}");

    let spoilt = run(3, Fault::SpoiltBytes);
    assert_eq!(spoilt.dtls.as_ref().unwrap().handshakes, 3, "{spoilt}");
    assert!(spoilt.corrupt > 0 && spoilt.lost > 0 && !spoilt.passed, "{spoilt}");
}
