//! The core side of a call: GStreamer, which takes plain RTP and decodes it, and sends a tone and a moving picture of its own.

use super::alg::Given;
use crate::peers::Tool;
use crate::ports::free_udp_pair;
use crate::process::Peer;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

const LIFETIME: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long media may take to come.
const MEDIA_LIMIT: Duration = Duration::from_secs(25);
/// How long no picture may come before a whole one is asked for.
const ASK_AFTER: Duration = Duration::from_secs(1);
/// The source of the reports of who asks.
const ASKER: u32 = 0x5eed;
/// Sound below it is silence; Chromium beeps, and is silent in between.
const SILENCE_DB: f64 = -50.0;

const ELEMENTS: &[&str] = &[
    "rtpjitterbuffer",
    "opusdec",
    "opusenc",
    "rtpopuspay",
    "level",
    "vp8dec",
    "vp8enc",
    "rtpvp8pay",
    "videoanalyse",
];

/// Finds GStreamer with what this takes.
///
/// # Errors
/// Says what is missing.
pub fn find() -> Result<Tool, String> {
    Tool::gstreamer_with(ELEMENTS)
}

/// Ports at which the media of a call will be taken.
pub fn ports(count: usize) -> Vec<SocketAddr> {
    (0..count).map(|_| SocketAddr::from((Ipv4Addr::LOCALHOST, free_udp_pair()))).collect()
}

/// What has been decoded so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heard {
    /// Tenths of a second that were no silence.
    pub audible: usize,
    /// Pictures that were no single colour.
    pub pictures: usize,
}

/// A running core side; ends with the value.
#[derive(Debug)]
pub struct Core {
    peer: Peer,
    /// Where a whole picture can be asked for, and of which source.
    pictures: Option<(SocketAddr, u32)>,
}

impl Core {
    /// Takes media at `ports` and sends some to the gateway, medium by medium.
    ///
    /// # Panics
    /// When GStreamer does not start.
    pub fn start(gstreamer: &Tool, ports: &[SocketAddr], given: &[Given]) -> Self {
        let branches = ports.iter().zip(given).map(|(port, given)| {
            let (number, at, to) = (given.core_codec.payload_type, port.port(), given.core);
            let sink = format!("udpsink async=false host={} port={}", to.ip(), to.port());
            if given.codec.encoding.starts_with("VP8") {
                picture(number, at, &sink)
            } else {
                sound(number, at, &sink)
            }
        });
        let pipeline = format!("-m {}", branches.collect::<Vec<_>>().join(" "));
        let mut command = gstreamer.command();
        let peer =
            Peer::start(command.args(pipeline.split_whitespace()), LIFETIME).expect("gst-launch starts");
        let is_video = |given: &&Given| given.codec.encoding.starts_with("VP8");
        let pictures = given.iter().find(is_video).and_then(|given| {
            let reports = SocketAddr::new(given.core.ip(), given.core.port() + 1);
            Some((reports, given.source?))
        });
        Self { peer, pictures }
    }

    /// Asks for a whole picture, as whoever has missed the first one has to: Picture Loss Indication, behind an empty report (RFC 4585 section 6.3.1).
    /// GStreamer's command line does not.
    fn ask_for_picture(&self) {
        let Some((to, source)) = self.pictures else { return };
        let report = [0x80, 201, 0, 1].into_iter().chain(ASKER.to_be_bytes());
        let loss = [0x81, 206, 0, 2].into_iter().chain(ASKER.to_be_bytes()).chain(source.to_be_bytes());
        let packet: Vec<u8> = report.chain(loss).collect();
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        // Where nobody listens any more the wait ends with what came.
        let _ = socket.send_to(&packet, to);
    }

    /// What it has heard and seen.
    pub fn heard(&self) -> Heard {
        let output = self.peer.output();
        let number = |line: &str, key: &str| -> Option<f64> {
            let rest = line.split_once(key)?.1;
            let end = rest.find(|letter: char| !matches!(letter, '0'..='9' | '.' | '-' | 'e'));
            rest[..end.unwrap_or(rest.len())].parse().ok()
        };
        let mut heard = Heard::default();
        for line in output.lines() {
            let power = number(line, "rms=(GValueArray)< ").filter(|_| line.contains("level,"));
            heard.audible += usize::from(power.is_some_and(|power| power > SILENCE_DB));
            let variance = number(line, "luma-variance=(double)");
            heard.pictures += usize::from(variance.is_some_and(|variance| variance > 0.0));
        }
        heard
    }

    /// Waits until so much more has been heard and seen.
    ///
    /// # Panics
    /// When it does not come: with what was printed at the end.
    #[track_caller]
    pub fn wait_for_more(&self, more: Heard) -> Heard {
        let first = self.heard();
        let until = Instant::now() + MEDIA_LIMIT;
        let mut grown = (first.pictures, Instant::now());
        loop {
            let heard = self.heard();
            if heard.pictures > grown.0 {
                grown = (heard.pictures, Instant::now());
            } else if grown.1.elapsed() > ASK_AFTER {
                self.ask_for_picture();
                grown.1 = Instant::now();
            }
            if heard.audible >= first.audible + more.audible
                && heard.pictures >= first.pictures + more.pictures
            {
                return heard;
            }
            let output = self.peer.output();
            let tail: Vec<&str> = output.lines().rev().take(5).collect();
            assert!(Instant::now() < until, "not {more:?} more than {first:?} but {heard:?}\n{tail:?}");
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

fn source(media: &str, number: u8, port: u16, rate: u32, encoding: &str) -> String {
    format!(
        "udpsrc address=127.0.0.1 port={port} \
         caps=application/x-rtp,media={media},payload={number},clock-rate={rate},encoding-name={encoding} ! rtpjitterbuffer latency=50"
    )
}

fn sound(number: u8, port: u16, sink: &str) -> String {
    format!(
        "{} ! rtpopusdepay ! opusdec ! audioconvert ! level interval=100000000 ! fakesink async=false \
         audiotestsrc is-live=true freq=440 ! audioconvert ! audio/x-raw,rate=48000,channels=2 ! opusenc ! \
         rtpopuspay pt={number} ! {sink}",
        source("audio", number, port, 48_000, "OPUS")
    )
}

/// Whole pictures come often, so that whoever joins late need not ask for one.
fn picture(number: u8, port: u16, sink: &str) -> String {
    format!(
        "{} ! rtpvp8depay ! vp8dec ! videoconvert ! videoanalyse ! fakesink async=false \
         videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=15/1 ! \
         vp8enc deadline=1 cpu-used=8 keyframe-max-dist=15 ! rtpvp8pay pt={number} ! {sink}",
        source("video", number, port, 90_000, "VP8")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::browser::description::Codec;
    use crate::require;

    #[test]
    fn it_hears_and_sees_what_it_sends_itself() {
        let Some(gstreamer) = require("gstreamer", find) else { return };
        let ports = ports(2);
        let codec = |payload_type, encoding: &str| Codec {
            payload_type,
            encoding: encoding.to_owned(),
            parameters: None,
        };
        let codecs = [codec(111, "opus/48000/2"), codec(96, "VP8/90000")];
        let given: Vec<Given> =
            ports.iter().zip(codecs).map(|(port, codec)| Given::at(*port, *port, codec)).collect();
        let core = Core::start(&gstreamer, &ports, &given);
        core.wait_for_more(Heard { audible: 5, pictures: 8 });
    }
}
