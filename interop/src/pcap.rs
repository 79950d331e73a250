//! Captures, and Wireshark's dissectors as the judge of what is in them.
//!
//! A capture comes from the wire ([`Capture`], which needs the right to capture) or from what a test itself sent and
//! received ([`Recording`], which needs nothing). [`Judge`] runs `peers/tshark/pcapcheck.sh` over it: an independent
//! reader that names every packet it finds malformed.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::netns::Namespace;
use crate::peers::{folder, program};
use crate::process::{Peer, run};

const LIMIT: Duration = Duration::from_secs(120);
const CAPTURE_LIMIT: Duration = Duration::from_secs(600);
const LINKTYPE_RAW: u32 = 101;
const UDP: u8 = 17;

/// Wireshark's command-line dissector, found on this machine.
#[derive(Clone, Debug)]
pub struct Judge(());

impl Judge {
    /// Looks for tshark.
    ///
    /// # Errors
    /// When it is not there.
    pub fn find() -> Result<Self, String> {
        program("tshark").map(|_| Self(()))
    }

    /// Judges a capture: nothing malformed, no error, and every protocol of `expected` seen (by Wireshark's filter
    /// names: `megaco`, `rtp`, `rtcp`). `options` are tshark's, as in `-d udp.port==2944,megaco`.
    ///
    /// # Errors
    /// With the judge's list of what is wrong.
    pub fn approve(&self, capture: &Path, options: &[&str], expected: &[&str]) -> Result<String, String> {
        let mut script = Command::new(folder().join("tshark/pcapcheck.sh"));
        let finished = run(script.arg(capture).args(options), LIMIT)?;
        if !finished.status.success() {
            return Err(finished.output);
        }
        let seen: Vec<&str> = finished.output.split(|letter: char| !letter.is_ascii_alphanumeric()).collect();
        match expected.iter().find(|protocol| !seen.contains(protocol)) {
            Some(missing) => Err(format!("no {missing} in the capture\n{}", finished.output)),
            None => Ok(finished.output),
        }
    }

    /// What tshark prints of a capture with these options (`-T pdml`, `-V`), warnings of its own among it.
    ///
    /// # Errors
    /// With its words when it fails.
    pub fn dissect(&self, capture: &Path, options: &[&str]) -> Result<String, String> {
        let finished = run(Command::new(program("tshark")?).arg("-r").arg(capture).args(options), LIMIT)?;
        if finished.status.success() { Ok(finished.output) } else { Err(finished.output) }
    }
}

/// A running capture on one interface.
#[derive(Debug)]
pub struct Capture {
    dumpcap: Peer,
    file: PathBuf,
}

impl Capture {
    /// Begins to capture on an interface (`lo`, `any`) of a namespace, or of the host; returns once packets are taken.
    ///
    /// # Errors
    /// When the capturing program is missing or not allowed to.
    pub fn start(namespace: Option<&Namespace>, interface: &str, file: &Path) -> Result<Self, String> {
        let name = program("dumpcap")?.display().to_string();
        let target = file.display().to_string();
        let arguments = ["-q", "-P", "-i", interface, "-w", &target];
        let mut command = match namespace {
            Some(inside) => inside.command(&name, &arguments),
            None => {
                let mut plain = Command::new(&name);
                plain.args(arguments);
                plain
            }
        };
        let mut dumpcap = Peer::start(&mut command, CAPTURE_LIMIT)?;
        dumpcap.wait_for("File:")?;
        Ok(Self { dumpcap, file: file.to_owned() })
    }

    /// Ends the capture and gives the file.
    ///
    /// # Errors
    /// With the program's words when it did not end in order.
    pub fn stop(self) -> Result<PathBuf, String> {
        // The kernel hands packets over in blocks; what was just sent may still be on its way.
        std::thread::sleep(Duration::from_millis(300));
        let finished = self.dumpcap.interrupt();
        if finished.status.success() { Ok(self.file) } else { Err(finished.output) }
    }
}

/// A capture made of what a test sent and received, with IP and UDP headers drawn around it.
#[derive(Debug)]
pub struct Recording {
    bytes: Vec<u8>,
}

impl Default for Recording {
    fn default() -> Self {
        Self::new()
    }
}

impl Recording {
    /// An empty recording.
    pub fn new() -> Self {
        let mut bytes = Vec::new();
        for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, LINKTYPE_RAW] {
            bytes.extend(word.to_le_bytes());
        }
        Self { bytes }
    }

    /// Adds a datagram, stamped with the present time.
    ///
    /// # Panics
    /// When the addresses are of different families or the datagram is longer than UDP allows.
    pub fn udp(&mut self, from: SocketAddr, to: SocketAddr, payload: &[u8]) {
        let packet = draw(from, to, payload);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let length = u32::try_from(packet.len()).expect("a datagram fits");
        for word in [now.as_secs() as u32, now.subsec_micros(), length, length] {
            self.bytes.extend(word.to_le_bytes());
        }
        self.bytes.extend(packet);
    }

    /// Writes the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, file: &Path) -> Result<(), String> {
        fs::write(file, &self.bytes).map_err(|error| format!("{}: {error}", file.display()))
    }
}

/// The IP packet around a datagram, checksums right.
fn draw(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).expect("a datagram fits");
    let mut udp = Vec::new();
    for half in [from.port(), to.port(), length, 0] {
        udp.extend(half.to_be_bytes());
    }
    udp.extend(payload);
    let (mut packet, addresses) = match (from.ip(), to.ip()) {
        (IpAddr::V4(source), IpAddr::V4(target)) => {
            let total = (20 + length).to_be_bytes();
            let mut head = vec![0x45, 0, total[0], total[1], 0, 0, 0x40, 0, 64, UDP, 0, 0];
            head.extend([source.octets(), target.octets()].concat());
            let sum = checksum(&head);
            head[10..12].copy_from_slice(&sum.to_be_bytes());
            (head, [source.octets(), target.octets()].concat())
        }
        (IpAddr::V6(source), IpAddr::V6(target)) => {
            let payload_length = length.to_be_bytes();
            let mut head = vec![0x60, 0, 0, 0, payload_length[0], payload_length[1], UDP, 64];
            head.extend([source.octets(), target.octets()].concat());
            (head, [source.octets(), target.octets()].concat())
        }
        _ => panic!("{from} and {to} are of different families"),
    };
    let pseudo = [&addresses[..], &u32::from(length).to_be_bytes(), &[0, 0, 0, UDP], &udp].concat();
    // An all-zero checksum would mean "none was computed" (RFC 768).
    let sum = match checksum(&pseudo) {
        0 => 0xffff,
        sum => sum,
    };
    udp[6..8].copy_from_slice(&sum.to_be_bytes());
    packet.extend(udp);
    packet
}

/// The Internet checksum, RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 =
        bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;
    use crate::require;

    const GOOD: &[u8] = b"MEGACO/2 [127.0.0.1]:2944 Transaction = 1 { Context = - { AuditValue = ROOT { Audit { Packages } } } }";

    fn file(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("agw-{}-{name}.pcap", std::process::id()))
    }

    fn recording(name: &str, payload: &[u8]) -> PathBuf {
        let mut recording = Recording::new();
        recording.udp("127.0.0.1:2944".parse().unwrap(), "127.0.0.1:2944".parse().unwrap(), payload);
        recording.udp("[::1]:2944".parse().unwrap(), "[::1]:2944".parse().unwrap(), payload);
        let file = file(name);
        recording.save(&file).unwrap();
        file
    }

    #[test]
    fn the_judge_approves_a_good_message_and_misses_what_is_not_there() {
        let Some(judge) = require("tshark", Judge::find) else { return };
        let good = recording("good", GOOD);
        let report = judge.approve(&good, &[], &["megaco", "ipv6", "ip"]).unwrap();
        assert!(report.contains("packets: 2"), "{report}");
        assert!(judge.approve(&good, &[], &["rtcp"]).unwrap_err().contains("no rtcp"));
        fs::remove_file(good).unwrap();
    }

    #[test]
    fn the_judge_condemns_a_malformed_message_and_a_file_that_is_no_capture() {
        let Some(judge) = require("tshark", Judge::find) else { return };
        // An RTCP sender report whose length field promises more than is there.
        let bad = recording("bad", &[0x80, 200, 0, 60, 1, 2, 3, 4, 5, 6, 7, 8]);
        let words = judge.approve(&bad, &["-d", "udp.port==2944,rtcp"], &[]).unwrap_err();
        assert!(words.contains("errors: "), "{words}");
        fs::write(&bad, b"this is no capture").unwrap();
        assert!(judge.approve(&bad, &[], &[]).is_err());
        fs::remove_file(bad).unwrap();
    }

    #[test]
    fn a_capture_on_loopback_holds_what_was_sent_while_it_ran() {
        let Some(netns) = require("network namespaces", crate::netns::Netns::find) else { return };
        let Some(judge) = require("tshark", Judge::find) else { return };
        let place = netns.namespace("capture").unwrap();
        let capture = Capture::start(Some(&place), "lo", &file("wire")).unwrap();
        place.enter(|| {
            let _open = UdpSocket::bind("127.0.0.1:2944");
            UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.send_to(GOOD, "127.0.0.1:2944")).unwrap();
        });
        let wire = capture.stop().unwrap();
        judge.approve(&wire, &[], &["megaco"]).unwrap();
        fs::remove_file(wire).unwrap();
    }
}
