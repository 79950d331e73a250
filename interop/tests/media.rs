//! SRTP from software that is not ours, through the gateway and back (SRTP-2, SRTP-4, SRTP-11): libsrtp, ffmpeg and GStreamer protect with
//! one key, the core side sees plain RTP and sends it back, and the same software opens what the gateway protected with the
//! other key. Media is judged by its bytes.

use interop::call::{Call, Side};
use interop::gateway::Gateway;
use interop::peers::{SrtpPeer, Tool, number};
use interop::ports;
use interop::process::{Peer, run};
use interop::text::{base64, hex};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);
const RTP_HEADER_BYTES: usize = 12;

/// Datagrams in the order of their arrival.
type Packets = Vec<Vec<u8>>;

/// A core-side endpoint that remembers what it gets and sends every packet back to where it came from, RTP and RTCP.
struct Core {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    threads: [JoinHandle<Packets>; 2],
}

impl Core {
    fn start() -> Self {
        let port = ports::free_udp_pair();
        let stop = Arc::new(AtomicBool::new(false));
        let threads = [port, port + 1].map(|port| {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).expect("the port was free");
            socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a time limit is accepted");
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || echo(&socket, &stop))
        });
        Self { address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)), stop, threads }
    }

    /// Everything received: RTP, RTCP.
    fn stop(self) -> [Packets; 2] {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.map(|thread| thread.join().expect("the echo does not panic"))
    }
}

fn echo(socket: &UdpSocket, stop: &AtomicBool) -> Packets {
    let mut seen = Vec::new();
    let mut buffer = [0; 2048];
    while !stop.load(Ordering::Relaxed) {
        if let Ok((len, from)) = socket.recv_from(&mut buffer) {
            seen.push(buffer[..len].to_vec());
            socket.send_to(&buffer[..len], from).expect("loopback takes a packet");
        }
    }
    seen
}

/// Two master keys with salts of a suite; they differ in every byte.
struct Keys {
    phone: Vec<u8>,
    gateway: Vec<u8>,
}

impl Keys {
    fn of(suite: &str) -> Self {
        let bytes = match suite {
            "AES_CM_128_HMAC_SHA1_80" | "AES_CM_128_HMAC_SHA1_32" => 30,
            "AES_256_CM_HMAC_SHA1_80" | "AES_256_CM_HMAC_SHA1_32" => 46,
            "AEAD_AES_128_GCM" => 28,
            "AEAD_AES_256_GCM" => 44,
            other => panic!("no key length known for {other}"),
        };
        Self { phone: (1..=bytes).collect(), gateway: (101..=100 + bytes).collect() }
    }

    fn access(&self, suite: &str, remote: SocketAddr) -> Side {
        Side::srtp(suite, &base64(&self.gateway), &base64(&self.phone), remote)
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// libsrtp as the phone; what it reports of what came back, and what the core saw.
fn libsrtp_call(
    suite: &str,
    gateway: &Gateway,
    options: &[&str],
    swapped: bool,
) -> Option<(String, [Packets; 2], String)> {
    let srtp = interop::require("pylibsrtp", SrtpPeer::find)?;
    let (core, port, keys) = (Core::start(), ports::free_udp_pair(), Keys::of(suite));
    let mut access = keys.access(suite, loopback(port));
    access.properties = ", rtcph/rsb = ON";
    if swapped {
        std::mem::swap(&mut access.local_crypto, &mut access.remote_crypto);
    }
    let call = Call::set_up(gateway.iq(), [&access, &Side::rtp(core.address)]);
    let (local, remote) = (port.to_string(), call.local[0].to_string());
    let mut command = srtp
        .command(&["--local", &local, "--remote", &remote, "--suite", suite, "--ival", "5", "--secs", "2.5"]);
    command.args(["--tx", &base64(&keys.phone), "--rx", &base64(&keys.gateway)]).args(options);
    let report = run(&mut command, LIMIT).expect("the peer starts").expect_success("libsrtp");
    let reply = call.take_down();
    Some((report, core.stop(), reply))
}

#[test]
fn libsrtp_gets_back_what_it_sent_in_every_suite_it_has() {
    let gateway = Gateway::start("");
    for suite in
        ["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AEAD_AES_128_GCM", "AEAD_AES_256_GCM"]
    {
        let Some((report, [rtp, _], reply)) = libsrtp_call(suite, &gateway, &["--n", "200"], false) else {
            return;
        };
        assert_eq!(rtp.len(), 200, "{suite}");
        assert!(
            rtp.iter().all(|packet| packet.len() == 172 && packet[RTP_HEADER_BYTES..].starts_with(b"IAGW")),
            "{suite}"
        );
        for (key, wanted) in
            [("sent", 200), ("rx_ok", 200), ("payload_ok", 200), ("rx_bad", 0), ("uniq", 200)]
        {
            assert_eq!(number(&report, key), Some(wanted), "{suite} {key}: {report}");
        }
        assert!(reply.contains("rtp/ps") && reply.contains("200"), "{reply}");
    }
    gateway.stop();
}

#[test]
fn with_local_and_remote_swapped_nothing_passes() {
    let gateway = Gateway::start("");
    let Some((report, [rtp, _], _)) = libsrtp_call("AES_CM_128_HMAC_SHA1_80", &gateway, &["--n", "50"], true)
    else {
        return;
    };
    assert_eq!((rtp.len(), number(&report, "rx")), (0, Some(0)), "{report}");
    gateway.wait_for_metric("agw_packets_dropped_total", &[], 50.0);
}

#[test]
fn a_corrupted_packet_and_a_replayed_one_never_come_out_and_are_counted() {
    let gateway = Gateway::start("");
    let corrupt = ["--n", "100", "--corrupt", "10"];
    let Some((report, [rtp, _], _)) = libsrtp_call("AES_CM_128_HMAC_SHA1_80", &gateway, &corrupt, false)
    else {
        return;
    };
    assert_eq!((rtp.len(), number(&report, "payload_ok")), (90, Some(90)), "{report}");
    let dropped = gateway.metric("agw_packets_dropped_total", &["leg=\"access\""]);
    assert!(dropped >= 10.0, "{dropped}");
    let replay = ["--n", "100", "--replay", "10"];
    let Some((report, [rtp, _], _)) = libsrtp_call("AEAD_AES_128_GCM", &gateway, &replay, false) else {
        return;
    };
    assert_eq!((rtp.len(), number(&report, "payload_ok")), (100, Some(100)), "{report}");
    gateway.wait_for_metric("agw_packets_dropped_total", &["leg=\"access\""], 20.0);
    gateway.stop();
}

fn temporary(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()))
}

/// The payload bytes of RTP packets in the order of their sequence numbers.
fn payloads(packets: &[Vec<u8>]) -> Vec<u8> {
    let first = packets.first().map_or(0, |packet| u16::from_be_bytes([packet[2], packet[3]]));
    let mut ordered: Vec<&Vec<u8>> = packets.iter().collect();
    ordered.sort_by_key(|packet| u16::from_be_bytes([packet[2], packet[3]]).wrapping_sub(first) as i16);
    ordered.into_iter().flat_map(|packet| packet[RTP_HEADER_BYTES..].to_vec()).collect()
}

/// A second of a 440 Hz tone as A-law, made by ffmpeg without any network.
fn tone(ffmpeg: &Tool) -> Vec<u8> {
    let file = temporary("tone.al");
    let mut command = ffmpeg.command();
    command.args([
        "-nostdin",
        "-loglevel",
        "error",
        "-y",
        "-f",
        "lavfi",
        "-i",
        TONE,
        "-t",
        "2",
        "-c:a",
        "pcm_alaw",
        "-f",
        "alaw",
    ]);
    run(command.arg(&file), LIMIT).expect("ffmpeg starts").expect_success("ffmpeg");
    std::fs::read(&file).expect("ffmpeg wrote it")
}

const TONE: &str = "sine=frequency=440:sample_rate=8000";

#[test]
fn ffmpeg_sends_a_tone_through_the_gateway_and_receives_it_back() {
    let Some(ffmpeg) = interop::require("ffmpeg", Tool::ffmpeg) else { return };
    let gateway = Gateway::start("");
    let wanted = tone(&ffmpeg);
    for suite in ["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"] {
        let (core, port, keys) = (Core::start(), ports::free_udp_pair(), Keys::of(suite));
        let call =
            Call::set_up(gateway.iq(), [&keys.access(suite, loopback(port)), &Side::rtp(core.address)]);
        let (sdp, back) = (temporary("ffmpeg.sdp"), temporary("ffmpeg.al"));
        let description = format!(
            "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {port} RTP/SAVP 8\na=crypto:1 {suite} inline:{}\n",
            base64(&keys.gateway)
        );
        std::fs::write(&sdp, description).expect("the folder can be written");
        let mut receive = ffmpeg.command();
        receive.args([
            "-nostdin",
            "-loglevel",
            "info",
            "-protocol_whitelist",
            "file,srtp,rtp,udp,crypto",
            "-i",
        ]);
        receive.arg(&sdp).args(["-t", "1", "-c:a", "copy", "-y", "-f", "alaw"]).arg(&back);
        let receiver = Peer::start(&mut receive, LIMIT).expect("ffmpeg starts");
        let mut send = ffmpeg.command();
        send.args([
            "-nostdin",
            "-loglevel",
            "error",
            "-re",
            "-f",
            "lavfi",
            "-i",
            TONE,
            "-t",
            "2",
            "-c:a",
            "pcm_alaw",
            "-f",
            "rtp",
        ]);
        send.args(["-srtp_out_suite", suite, "-srtp_out_params", &base64(&keys.phone)]);
        send.arg(format!("srtp://{}?pkt_size=172", call.local[0]));
        run(&mut send, LIMIT).expect("ffmpeg starts").expect_success("ffmpeg sends");
        // What the receiver missed while it started does not matter: it ends by itself after one second of media, or is asked to.
        let output = receiver.interrupt().output;
        call.take_down();
        let [rtp, _] = core.stop();
        assert_eq!(payloads(&rtp), wanted, "{suite}: the core side hears the tone, byte for byte");
        let heard = std::fs::read(&back).unwrap_or_default();
        assert!(
            heard.len() >= 1600 && wanted.windows(heard.len()).any(|part| part == heard),
            "{suite}: {} bytes back\n{output}",
            heard.len()
        );
    }
    gateway.stop();
}

#[test]
fn gstreamer_sends_a_tone_through_the_gateway_and_receives_it_back() {
    let Some(gstreamer) = interop::require("gstreamer", Tool::gstreamer) else { return };
    let gateway = Gateway::start("");
    let suites = [
        ("AES_CM_128_HMAC_SHA1_80", "aes-128-icm", "hmac-sha1-80", "hmac-sha1-80"),
        ("AES_CM_128_HMAC_SHA1_32", "aes-128-icm", "hmac-sha1-32", "hmac-sha1-80"),
        ("AES_256_CM_HMAC_SHA1_80", "aes-256-icm", "hmac-sha1-80", "hmac-sha1-80"),
        ("AEAD_AES_128_GCM", "aes-128-gcm", "null", "null"),
        ("AEAD_AES_256_GCM", "aes-256-gcm", "null", "null"),
    ];
    for (suite, cipher, auth, rtcp_auth) in suites {
        let (core, port, keys) = (Core::start(), ports::free_udp_pair(), Keys::of(suite));
        let call =
            Call::set_up(gateway.iq(), [&keys.access(suite, loopback(port)), &Side::rtp(core.address)]);
        let back = temporary("gstreamer.al");
        let caps = format!(
            "application/x-srtp,media=audio,payload=8,clock-rate=8000,encoding-name=PCMA,ssrc=(uint)287454020,srtp-key=(buffer){},\
             srtp-cipher=(string){cipher},srtp-auth=(string){auth},srtcp-cipher=(string){cipher},srtcp-auth=(string){rtcp_auth}",
            hex(&keys.gateway)
        );
        let receive = format!(
            "-q -e udpsrc port={port} caps={caps} ! srtpdec ! rtppcmadepay ! filesink buffer-mode=unbuffered location={}",
            back.display()
        );
        let receiver =
            Peer::start(gstreamer.command().args(receive.split(' ')), LIMIT).expect("gst-launch starts");
        let send = format!(
            "-q audiotestsrc num-buffers=100 samplesperbuffer=160 is-live=true ! audio/x-raw,rate=8000,channels=1 ! alawenc ! \
             rtppcmapay ssrc=287454020 min-ptime=20000000 max-ptime=20000000 ! \
             srtpenc key={} rtp-cipher={cipher} rtp-auth={auth} rtcp-cipher={cipher} rtcp-auth={rtcp_auth} ! udpsink host={} port={}",
            hex(&keys.phone),
            call.local[0].ip(),
            call.local[0].port()
        );
        run(gstreamer.command().args(send.split_whitespace()), LIMIT)
            .expect("gst-launch starts")
            .expect_success(suite);
        let output = receiver.interrupt().output;
        call.take_down();
        let [rtp, _] = core.stop();
        let sent = payloads(&rtp);
        assert_eq!(sent.len(), 100 * 160, "{suite}: every packet arrives at the core side");
        let heard = std::fs::read(&back).unwrap_or_default();
        assert!(
            heard.len() >= 50 * 160 && sent.ends_with(&heard),
            "{suite}: {} bytes back\n{output}",
            heard.len()
        );
    }
    gateway.stop();
}
