//! C libsrtp2 as a second opinion on agw-srtp, packet by packet (SRTP-2, SRTP-7, SRTP-10, SRTP-11).
//!
//! Random streams of several SSRCs, with loss, reordering, duplicates, corruption, header extensions, CSRCs and many wraps
//! of the sequence number, go through both implementations. What one protects the other must open, to the same bytes, and on every
//! packet both must come to the same verdict. `peers/libsrtp_oracle.c` wraps the library behind a pipe.

use agw_srtp::sdes::CryptoAttribute;
use agw_srtp::{InboundSession, MasterKey, Mki, OutboundSession, Policy, Suite};
use interop::text::hex;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const WINDOW_PACKETS: u32 = 128;
const PACKETS: usize = 3000;
const ROOM_BYTES: usize = 2048;
/// What libsrtp 2.5 cannot judge: it has no F8, and it derives the session keys of AES-192 with AES-256 over a key that is filled up
/// with the salt, which is not RFC 6188 section 3 (rtpengine and the vectors of that RFC agree with us).
const LACKING: [Suite; 3] =
    [Suite::F8_128HmacSha1_80, Suite::AesCm192HmacSha1_80, Suite::AesCm192HmacSha1_32];

/// A small generator with a seed, so that a failure can be run again (xorshift64*).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

/// The C program and the pipe to it.
struct Oracle {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

fn program() -> Result<PathBuf, String> {
    static BUILT: std::sync::OnceLock<Result<PathBuf, String>> = std::sync::OnceLock::new();
    let build = || {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/libsrtp_oracle.c");
        let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("libsrtp_oracle");
        let output = Command::new("cc")
            .args(["-O2", "-Wall", "-Werror", "-o"])
            .arg(&program)
            .args([source, "-lsrtp2"])
            .output()
            .map_err(|error| format!("no C compiler: {error}"))?;
        if output.status.success() { Ok(program) } else { Err("libsrtp2-dev is not installed".to_owned()) }
    };
    BUILT.get_or_init(build).clone()
}

impl Oracle {
    fn start(program: &PathBuf) -> Self {
        let mut child = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it was just built");
        let to = child.stdin.take().expect("piped");
        let from = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, to, from }
    }

    fn ask(&mut self, request: &str) -> String {
        writeln!(self.to, "{request}").expect("the oracle reads");
        self.to.flush().expect("the oracle reads");
        let mut answer = String::new();
        self.from.read_line(&mut answer).expect("the oracle answers");
        answer.trim_end().to_owned()
    }

    /// `false` when this build of the library has not got the suite.
    fn session(&mut self, id: u8, direction: &str, suite: Suite, keys: &[MasterKey]) -> bool {
        let keys: Vec<String> = keys
            .iter()
            .map(|key| {
                let secret = hex(&[key.key(), key.salt()].concat());
                key.mki().map_or(secret.clone(), |mki| {
                    format!("{secret}:{:0width$x}", mki.value(), width = mki.field_len() * 2)
                })
            })
            .collect();
        let answer =
            self.ask(&format!("new {id} {direction} {} {WINDOW_PACKETS} {}", suite.name(), keys.join(",")));
        assert!(answer == "ok" || answer == "unsupported", "{suite:?}: {answer}");
        answer == "ok"
    }

    /// The packet after protection or unprotection, or `None` when the library refused it.
    fn crypt(&mut self, kind: &str, id: u8, packet: &[u8], key_index: usize) -> Option<Vec<u8>> {
        let answer = self.ask(&format!("{kind} {id} {} {key_index}", hex(packet)));
        answer.strip_prefix("ok ").map(from_hex)
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn from_hex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("the oracle writes hexadecimal");
    (0..text.len()).step_by(2).map(digit).collect()
}

fn attribute(suite: Suite, keys: &[MasterKey]) -> CryptoAttribute {
    CryptoAttribute::new(1, suite, keys.to_vec()).expect("the keys fit the suite")
}

fn keys(dice: &mut Dice, suite: Suite, mki_bytes: Option<usize>) -> Vec<MasterKey> {
    let count = if mki_bytes.is_some() { 3 } else { 1 };
    (0..count)
        .map(|index| {
            let (key, salt) = (dice.bytes(suite.master_key_len()), dice.bytes(suite.master_salt_len()));
            let key = MasterKey::new(suite, &key, &salt).expect("the lengths are the suite's");
            match mki_bytes {
                Some(bytes) => key.with_mki(Mki::new(index as u128 + 1, bytes).expect("it fits")),
                None => key,
            }
        })
        .collect()
}

fn policy() -> Policy {
    Policy { rtp_window_packets: WINDOW_PACKETS, rtcp_window_packets: WINDOW_PACKETS, ..Policy::default() }
}

/// One RTP sender: mostly steps of one, now and then a leap that wraps the sequence number soon.
struct Source {
    ssrc: u32,
    sequence: u16,
}

impl Source {
    fn packet(&mut self, dice: &mut Dice) -> Vec<u8> {
        let step = if dice.one_in(40) { 20_000 } else { 1 };
        self.sequence = self.sequence.wrapping_add(step);
        let csrcs = if dice.one_in(4) { dice.below(4) as u8 } else { 0 };
        let extended = dice.one_in(3);
        let mut packet = vec![0x80 | u8::from(extended) << 4 | csrcs, dice.below(128) as u8];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(dice.bytes(4));
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend(dice.bytes(usize::from(csrcs) * 4));
        if extended {
            let words = dice.below(5) as usize;
            packet.extend([0xbe, 0xde, 0, words as u8]);
            packet.extend(dice.bytes(words * 4));
        }
        let longest = if dice.one_in(8) { 1200 } else { 200 };
        let payload = dice.below(longest) as usize;
        packet.extend(dice.bytes(payload));
        packet
    }

    fn report(&self, dice: &mut Dice) -> Vec<u8> {
        let words = 1 + dice.below(20) as u8;
        let mut packet = vec![0x80, 200, 0, words];
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend(dice.bytes((usize::from(words) - 1) * 4));
        packet
    }
}

fn sources(dice: &mut Dice) -> Vec<Source> {
    (0..4).map(|_| Source { ssrc: dice.next() as u32, sequence: dice.below(32_000) as u16 }).collect()
}

/// Loses, repeats, holds back and corrupts; what comes out is what a receiver sees, in its order.
fn channel(dice: &mut Dice, sent: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut arriving: Vec<(usize, Vec<u8>)> = Vec::new();
    for (at, packet) in sent.into_iter().enumerate() {
        if dice.one_in(20) {
            continue;
        }
        if dice.one_in(15) {
            arriving.push((at + dice.below(300) as usize, packet.clone()));
        }
        if dice.one_in(15) {
            let mut corrupt = packet.clone();
            let byte = dice.below(corrupt.len() as u64) as usize;
            // The version bits stay: both call another version malformed, by different names.
            corrupt[byte] ^= 1 << dice.below(if byte == 0 { 6 } else { 8 });
            arriving.push((at, corrupt));
        }
        let late = if dice.one_in(10) { dice.below(40) as usize } else { 0 };
        arriving.push((at + late, packet));
    }
    arriving.sort_by_key(|(at, _)| *at);
    arriving.into_iter().map(|(_, packet)| packet).collect()
}

fn in_slot(
    packet: &[u8],
    work: impl FnOnce(&mut [u8], usize) -> Result<usize, agw_srtp::Error>,
) -> Option<Vec<u8>> {
    let mut slot = [0; ROOM_BYTES];
    slot[..packet.len()].copy_from_slice(packet);
    let len = work(&mut slot, packet.len()).ok()?;
    Some(slot[..len].to_vec())
}

fn suites(oracle: &mut Oracle, dice: &mut Dice) -> Vec<Suite> {
    let suites: Vec<Suite> = Suite::ALL
        .into_iter()
        .filter(|&suite| {
            !LACKING.contains(&suite) && oracle.session(0, "out", suite, &keys(dice, suite, None))
        })
        .collect();
    assert!(suites.len() >= 4, "the library has at least four suites, it says {suites:?}");
    suites
}

fn oracle() -> Option<Oracle> {
    interop::require("libsrtp2", program).map(|program| Oracle::start(&program))
}

#[test]
fn both_protect_rtp_to_the_same_bytes_over_many_rollovers() {
    let Some(mut oracle) = oracle() else { return };
    let mut dice = Dice(0x5eed_0001);
    for suite in suites(&mut oracle, &mut dice) {
        let keys = keys(&mut dice, suite, None);
        assert!(oracle.session(1, "out", suite, &keys));
        let mut ours =
            OutboundSession::new(&attribute(suite, &keys), &policy()).expect("the policy allows it");
        let mut sources = sources(&mut dice);
        for _ in 0..PACKETS {
            let source = dice.below(sources.len() as u64) as usize;
            let packet = sources[source].packet(&mut dice);
            let theirs = oracle.crypt("rtp", 1, &packet, 0);
            let mine = in_slot(&packet, |slot, len| ours.protect_rtp(slot, len, 0));
            assert_eq!(mine, theirs, "{suite:?}");
        }
    }
}

#[test]
fn both_give_the_same_verdict_on_every_received_packet() {
    let Some(mut oracle) = oracle() else { return };
    let mut dice = Dice(0x5eed_0002);
    for suite in suites(&mut oracle, &mut dice) {
        for mki_bytes in [None, Some(1), Some(4)] {
            let keys = keys(&mut dice, suite, mki_bytes);
            assert!(oracle.session(1, "out", suite, &keys) && oracle.session(2, "in", suite, &keys));
            let mut ours =
                InboundSession::new(&attribute(suite, &keys), &policy()).expect("the policy allows it");
            let mut sources = sources(&mut dice);
            let mut sent = Vec::new();
            for _ in 0..PACKETS {
                let source = dice.below(sources.len() as u64) as usize;
                let packet = sources[source].packet(&mut dice);
                let key_index = if mki_bytes.is_some() { dice.below(keys.len() as u64) as usize } else { 0 };
                sent.push(
                    oracle
                        .crypt("rtp", 1, &packet, key_index)
                        .expect("the library protects a rising sequence"),
                );
            }
            let (mut accepted, mut refused) = (0, 0);
            for packet in channel(&mut dice, sent) {
                let theirs = oracle.crypt("rtp", 2, &packet, 0);
                let mine = in_slot(&packet, |slot, len| ours.unprotect_rtp(slot, len, 0));
                assert_eq!(mine, theirs, "{suite:?}, MKI {mki_bytes:?}");
                if mine.is_some() { accepted += 1 } else { refused += 1 }
            }
            assert!(
                accepted > PACKETS / 2 && refused > PACKETS / 40,
                "{accepted} accepted, {refused} refused"
            );
        }
    }
}

#[test]
fn rtcp_protected_by_either_is_opened_by_the_other_and_replays_by_neither() {
    let Some(mut oracle) = oracle() else { return };
    let mut dice = Dice(0x5eed_0003);
    for suite in suites(&mut oracle, &mut dice) {
        for mki_bytes in [None, Some(2)] {
            // libsrtp 2.5 looks for the MKI of SRTCP in front of a tag of SRTP's length: wrong where the two differ.
            if mki_bytes.is_some() && suite.rtp_tag_len() != suite.rtcp_tag_len() {
                continue;
            }
            let keys = keys(&mut dice, suite, mki_bytes);
            assert!(oracle.session(1, "out", suite, &keys) && oracle.session(2, "in", suite, &keys));
            let mut out =
                OutboundSession::new(&attribute(suite, &keys), &policy()).expect("the policy allows it");
            let mut inbound =
                InboundSession::new(&attribute(suite, &keys), &policy()).expect("the policy allows it");
            let sources = sources(&mut dice);
            for _ in 0..PACKETS / 10 {
                let source = dice.below(sources.len() as u64) as usize;
                let report = sources[source].report(&mut dice);
                let mine = in_slot(&report, |slot, len| out.protect_rtcp(slot, len, 0))
                    .expect("a report is protected");
                assert_eq!(oracle.crypt("rtcp", 2, &mine, 0).as_ref(), Some(&report), "{suite:?}");
                assert_eq!(
                    oracle.crypt("rtcp", 2, &mine, 0),
                    None,
                    "{suite:?}: the library refuses its replay"
                );
                let theirs = oracle.crypt("rtcp", 1, &report, 0).expect("a report is protected");
                let opened = in_slot(&theirs, |slot, len| inbound.unprotect_rtcp(slot, len, 0));
                assert_eq!(opened.as_ref(), Some(&report), "{suite:?}");
                assert_eq!(
                    in_slot(&theirs, |slot, len| inbound.unprotect_rtcp(slot, len, 0)),
                    None,
                    "{suite:?}"
                );
            }
        }
    }
}
