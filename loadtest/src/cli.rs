//! The command line: names and defaults that scripts rely on.

use agw_srtp::Suite;
use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};
use loadtest::control::{GatewayAddress, MAX_WINDOW};
use loadtest::dtls::{self, DtlsRun};
use loadtest::endpoints::MAX_SOCKETS;
use loadtest::generator::{Direction, Load, MIN_TICK};
use loadtest::msrp::{self, MessageWay, MsrpRun};
use loadtest::payload::{MAX_PAYLOAD_BYTES, STAMP_BYTES};
use loadtest::run::RtpRun;
use loadtest::setup::{MAX_HOLD, SetupRun};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// The loss that a search for the highest rate allows, unless told otherwise.
const SEARCH_LOSS: f64 = 0.001;

/// How long the last packets of a `dtls` run are waited for, and how often they are sent and taken in.
const DRAIN: Duration = Duration::from_millis(500);
const TICK: Duration = Duration::from_micros(100);

/// The part of a set-up run that is not counted.
const WARM_UP_S: f64 = 2.0;
/// The same when memory is compared: LONG-TIMER of H.248.1 Annex D, 30 s, and some.
const WATCHED_WARM_UP_S: f64 = 40.0;

/// Load against media gateways. Exit code 0 only when the asked-for bound held and the generator itself kept up.
#[derive(Debug, Parser)]
#[command(name = "agw-loadtest", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Calls with RTP and SRTP: loss, order, duplicates, corruption and latency, packet by packet
    Rtp(RtpArguments),
    /// Contexts set up and torn down: rate, reply times, and whether the gateway gives everything back
    Setup(SetupArguments),
    /// MSRP through TLS: messages, connections that are held, or handshakes
    Msrp(MsrpArguments),
    /// Calls of DTLS-SRTP: handshakes at a rate, then media with their keys
    Dtls(DtlsArguments),
}

#[derive(Debug, Args)]
pub(crate) struct Output {
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the report as one HTML page
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Way {
    /// SRTP in at the access side, RTP out at the core side
    SrtpToRtp,
    /// RTP in at the core side, SRTP out at the access side
    RtpToSrtp,
    /// Both, half of the packets each
    Both,
    /// RTP both ways without any key, half of the packets each
    Relay,
}

#[derive(Debug, Args)]
pub(crate) struct RtpArguments {
    /// How to reach the gateway: iq:HOST:PORT (H.248 text over UDP) or ng:HOST:PORT (rtpengine)
    #[arg(long)]
    gateway: GatewayAddress,
    /// Calls at once
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..=i64::from(loadtest::calls::MAX_CALLS)))]
    calls: u32,
    /// Packets per second, over all calls and both ways together; with --find-max the rate to begin with
    #[arg(long, default_value_t = 5000)]
    pps: u64,
    /// How long packets are sent (each trial of --find-max)
    #[arg(long, default_value_t = 10.0, value_parser = seconds)]
    seconds: f64,
    /// Which media
    #[arg(long, value_enum, default_value_t = Way::Both)]
    direction: Way,
    /// Crypto suite of the access side, by its name in a=crypto
    #[arg(long, default_value = "AES_CM_128_HMAC_SHA1_80", value_parser = suite)]
    suite: Suite,
    /// RTP payload of every packet, in bytes
    #[arg(long, default_value_t = 160, value_parser = payload)]
    payload: usize,
    /// Search for the highest rate within the loss bound
    #[arg(long)]
    find_max: bool,
    /// Part of the packets that may get lost [default: 0, or 0.001 with --find-max]
    #[arg(long, value_parser = ratio)]
    loss: Option<f64>,
    /// Process of the gateway, to measure its CPU time and memory
    #[arg(long)]
    pid: Option<u32>,
    /// Calls being set up at the same time
    #[arg(long, default_value_t = 64, value_parser = window)]
    window: usize,
    /// Generator threads
    #[arg(long, default_value_t = 1, value_parser = value_parser!(u8).range(1..=64))]
    threads: u8,
    /// Sockets on each side of each thread
    #[arg(long, default_value_t = 8, value_parser = sockets)]
    sockets: usize,
    /// How often packets are sent and taken in, in microseconds
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u64).range(MIN_TICK.as_micros() as u64..=100_000))]
    tick_us: u64,
    /// How long is waited for the last packets, in milliseconds
    #[arg(long, default_value_t = 500, value_parser = value_parser!(u64).range(10..=60_000))]
    drain_ms: u64,
    /// Local address of the access ends [default: the one from which the gateway is reached]
    #[arg(long, value_name = "IP")]
    access: Option<IpAddr>,
    /// Local address of the core ends [default: the same]
    #[arg(long, value_name = "IP")]
    core: Option<IpAddr>,
    #[command(flatten)]
    pub(crate) output: Output,
}

impl RtpArguments {
    pub(crate) fn to_run(&self, stop: Arc<AtomicBool>) -> RtpRun {
        RtpRun {
            gateway: self.gateway,
            calls: self.calls,
            load: Load {
                pps: self.pps,
                payload_bytes: self.payload,
                duration: Duration::from_secs_f64(self.seconds),
                drain: Duration::from_millis(self.drain_ms),
                tick: Duration::from_micros(self.tick_us),
            },
            direction: match self.direction {
                Way::SrtpToRtp => Direction::SrtpToRtp,
                Way::RtpToSrtp => Direction::RtpToSrtp,
                Way::Both => Direction::Both,
                Way::Relay => Direction::Relay,
            },
            suite: self.suite,
            loss_bound: self.loss.unwrap_or(if self.find_max { SEARCH_LOSS } else { 0.0 }),
            find_max: self.find_max,
            pid: self.pid,
            window: self.window,
            threads: usize::from(self.threads),
            sockets_per_side: self.sockets,
            access: self.access,
            core: self.core,
            stop,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct SetupArguments {
    /// How to reach the gateway: iq:HOST:PORT (H.248 text over UDP) or ng:HOST:PORT (rtpengine)
    #[arg(long)]
    gateway: GatewayAddress,
    /// Contexts per second; 0: as fast as the gateway answers
    #[arg(long, default_value_t = 0.0, value_parser = rate)]
    rate: f64,
    /// How long
    #[arg(long, default_value_t = 10.0, value_parser = seconds)]
    seconds: f64,
    /// A first part that is not counted, in seconds [default: 2, or 40 with --pid: a gateway keeps its replies for half a
    /// minute, so its memory grows that long]
    #[arg(long, value_parser = seconds)]
    warm_up: Option<f64>,
    /// Set-ups and tear-downs in progress at once
    #[arg(long, default_value_t = 64, value_parser = window)]
    window: usize,
    /// Contexts that are kept up at the same time
    #[arg(long, default_value_t = 0, value_parser = hold)]
    hold: usize,
    /// Set up as many as `--hold` says and tear them all down, so many times, and compare what the process takes [default: a run at a rate]
    #[arg(long, default_value_t = 0, requires = "hold", value_parser = value_parser!(u32).range(0..=1000))]
    pub(crate) rounds: u32,
    /// Crypto suite of the access side, by its name in a=crypto
    #[arg(long, default_value = "AES_CM_128_HMAC_SHA1_80", value_parser = suite)]
    suite: Suite,
    /// Plain RTP on both sides instead
    #[arg(long)]
    plain: bool,
    /// Process of the gateway: its memory and open files must return to what they were
    #[arg(long)]
    pid: Option<u32>,
    #[command(flatten)]
    pub(crate) output: Output,
}

impl SetupArguments {
    pub(crate) fn to_run(&self, stop: Arc<AtomicBool>) -> SetupRun {
        SetupRun {
            gateway: self.gateway,
            per_second: self.rate,
            duration: Duration::from_secs_f64(self.seconds),
            warm_up: Duration::from_secs_f64(self.warm_up.unwrap_or(if self.pid.is_some() {
                WATCHED_WARM_UP_S
            } else {
                WARM_UP_S
            })),
            window: self.window,
            hold: self.hold,
            rounds: self.rounds,
            suite: (!self.plain).then_some(self.suite),
            pid: self.pid,
            stop,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum MsrpWay {
    /// From the access end, TLS in and TCP out
    ToCore,
    /// From the core end
    ToAccess,
    /// Both, half of the messages each
    Both,
}

#[derive(Debug, Args)]
pub(crate) struct MsrpArguments {
    /// How to reach the gateway: iq:HOST:PORT (H.248 text over UDP)
    #[arg(long)]
    gateway: GatewayAddress,
    /// Contexts at once, each with a stream TCP/TLS/MSRP at the access and TCP/MSRP at the core side
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..=i64::from(msrp::MAX_CALLS)))]
    calls: u32,
    /// Messages per second, over all calls and both ways together; 0: as fast as they go
    #[arg(long, default_value_t = 1000.0, value_parser = rate)]
    rate: f64,
    /// How long messages are sent, or connections held
    #[arg(long, default_value_t = 10.0, value_parser = seconds)]
    seconds: f64,
    /// Bytes of a message
    #[arg(long, default_value_t = 1000, value_parser = message)]
    size: usize,
    /// Bytes of a chunk at most
    #[arg(long, default_value_t = 2048, value_parser = chunk)]
    chunk: usize,
    /// Which ends send
    #[arg(long, value_enum, default_value_t = MsrpWay::Both)]
    direction: MsrpWay,
    /// Only hold the connections; one message each way over each shows at the end that they are there
    #[arg(long, conflicts_with = "handshakes")]
    idle: bool,
    /// With --idle and --pid: what a context with its connections may take of the gateway's memory
    #[arg(long, value_name = "BYTES", requires = "idle", requires = "pid")]
    max_stream_bytes: Option<u64>,
    /// Only connect, shake hands and close, once for each context, so many per second
    #[arg(long, value_name = "RATE", value_parser = handshake_rate)]
    handshakes: Option<f64>,
    /// TLS at the core side too
    #[arg(long)]
    core_tls: bool,
    /// No TLS on either side
    #[arg(long, conflicts_with_all = ["core_tls", "handshakes"])]
    plain: bool,
    /// Process of the gateway, to measure its CPU time and memory
    #[arg(long)]
    pid: Option<u32>,
    /// Contexts being set up at the same time
    #[arg(long, default_value_t = 64, value_parser = window)]
    window: usize,
    /// Threads of the ends
    #[arg(long, default_value_t = 1, value_parser = value_parser!(u8).range(1..=64))]
    threads: u8,
    /// How long is waited for the last messages, in milliseconds
    #[arg(long, default_value_t = 5000, value_parser = value_parser!(u64).range(10..=60_000))]
    drain_ms: u64,
    /// Ends stall: after every 8 MB that one has read it reads nothing for so long, in milliseconds
    #[arg(long, default_value_t = 0, conflicts_with_all = ["idle", "handshakes"], value_parser = value_parser!(u64).range(0..=60_000))]
    stall_ms: u64,
    /// Local address of the ends [default: the one from which the gateway is reached]
    #[arg(long, value_name = "IP")]
    ends: Option<IpAddr>,
    #[command(flatten)]
    pub(crate) output: Output,
}

impl MsrpArguments {
    pub(crate) fn to_run(&self, stop: Arc<AtomicBool>) -> MsrpRun {
        let duration = Duration::from_secs_f64(self.seconds);
        let load = match self.handshakes {
            Some(per_second) => msrp::Load::Handshakes { per_second },
            None if self.idle => msrp::Load::Idle { duration, max_stream_bytes: self.max_stream_bytes },
            None => msrp::Load::Messages {
                message_bytes: self.size,
                chunk_bytes: self.chunk,
                per_second: self.rate,
                way: match self.direction {
                    MsrpWay::ToCore => MessageWay::ToCore,
                    MsrpWay::ToAccess => MessageWay::ToAccess,
                    MsrpWay::Both => MessageWay::Both,
                },
                duration,
                drain: Duration::from_millis(self.drain_ms),
                stall: Duration::from_millis(self.stall_ms),
            },
        };
        MsrpRun {
            gateway: self.gateway,
            calls: self.calls,
            load,
            secured: [!self.plain, self.core_tls],
            pid: self.pid,
            window: self.window,
            threads: usize::from(self.threads),
            ends: self.ends,
            stop,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct DtlsArguments {
    /// How to reach the gateway: iq:HOST:PORT (H.248 text over UDP)
    #[arg(long)]
    gateway: GatewayAddress,
    /// Calls at once, each with DTLS-SRTP at the access and RTP at the core side
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..=i64::from(dtls::MAX_CALLS)))]
    calls: u32,
    /// Handshakes that begin per second
    #[arg(long, default_value_t = 100.0, value_parser = handshake_rate)]
    rate: f64,
    /// Packets per second after that, over all calls and both ways together
    #[arg(long, default_value_t = 5000)]
    pps: u64,
    /// How long packets are sent
    #[arg(long, default_value_t = 10.0, value_parser = seconds)]
    seconds: f64,
    /// RTP payload of every packet, in bytes
    #[arg(long, default_value_t = 160, value_parser = payload)]
    payload: usize,
    /// Part of the packets that may get lost
    #[arg(long, default_value_t = 0.0, value_parser = ratio)]
    loss: f64,
    /// Process of the gateway, to measure its CPU time and memory
    #[arg(long)]
    pid: Option<u32>,
    /// Calls being set up at the same time
    #[arg(long, default_value_t = 64, value_parser = window)]
    window: usize,
    /// Sockets on each side
    #[arg(long, default_value_t = 8, value_parser = sockets)]
    sockets: usize,
    /// Local address of the ends [default: the one from which the gateway is reached]
    #[arg(long, value_name = "IP")]
    ends: Option<IpAddr>,
    #[command(flatten)]
    pub(crate) output: Output,
}

impl DtlsArguments {
    pub(crate) fn to_run(&self, stop: Arc<AtomicBool>) -> DtlsRun {
        let media = RtpRun {
            gateway: self.gateway,
            calls: self.calls,
            load: Load {
                pps: self.pps,
                payload_bytes: self.payload,
                duration: Duration::from_secs_f64(self.seconds),
                drain: DRAIN,
                tick: TICK,
            },
            direction: Direction::Both,
            suite: Suite::AesCm128HmacSha1_80,
            loss_bound: self.loss,
            find_max: false,
            pid: self.pid,
            window: self.window,
            threads: 1,
            sockets_per_side: self.sockets,
            access: self.ends,
            core: self.ends,
            stop,
        };
        DtlsRun { media, per_second: self.rate }
    }
}

fn suite(name: &str) -> Result<Suite, String> {
    let names = || Suite::ALL.map(Suite::name).join(", ");
    Suite::from_name(name).ok_or_else(|| format!("unknown suite; one of {}", names()))
}

fn number<T: Copy + std::str::FromStr + PartialOrd + std::fmt::Display>(
    text: &str,
    least: T,
    most: T,
) -> Result<T, String> {
    let number = text.parse().ok().filter(|number| *number >= least && *number <= most);
    number.ok_or_else(|| format!("must be {least} to {most}"))
}

fn seconds(text: &str) -> Result<f64, String> {
    number(text, 0.0, 86_400.0)
}

fn rate(text: &str) -> Result<f64, String> {
    number(text, 0.0, 1e6)
}

fn ratio(text: &str) -> Result<f64, String> {
    number(text, 0.0, 1.0)
}

fn payload(text: &str) -> Result<usize, String> {
    number(text, STAMP_BYTES, MAX_PAYLOAD_BYTES)
}

fn message(text: &str) -> Result<usize, String> {
    number(text, STAMP_BYTES, msrp::MAX_MESSAGE_BYTES)
}

fn chunk(text: &str) -> Result<usize, String> {
    number(text, 1, msrp::MAX_MESSAGE_BYTES)
}

fn handshake_rate(text: &str) -> Result<f64, String> {
    number(text, 1.0, 1e6)
}

fn window(text: &str) -> Result<usize, String> {
    number(text, 1, MAX_WINDOW)
}

fn sockets(text: &str) -> Result<usize, String> {
    number(text, 1, MAX_SOCKETS)
}

fn hold(text: &str) -> Result<usize, String> {
    number(text, 0, MAX_HOLD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_documented_line_is_understood() {
        let line = "agw-loadtest rtp --gateway ng:127.0.0.1:2223 --calls 500 --pps 50000 --seconds 10 --direction srtp-to-rtp \
                    --suite AEAD_AES_128_GCM --payload 160 --find-max --loss 0.01 --pid 1 --json a --html b";
        let Command::Rtp(arguments) = Cli::parse_from(line.split_ascii_whitespace()).command else {
            panic!("not rtp")
        };
        let run = arguments.to_run(Arc::default());
        assert_eq!((run.calls, run.load.pps, run.suite), (500, 50_000, Suite::AeadAes128Gcm));
        assert_eq!((run.direction, run.find_max, run.loss_bound), (Direction::SrtpToRtp, true, 0.01));
    }

    #[test]
    fn without_a_bound_nothing_may_be_lost_but_in_a_search() {
        let loss = |line: &str| match Cli::parse_from(line.split_ascii_whitespace()).command {
            Command::Rtp(arguments) => arguments.to_run(Arc::default()).loss_bound,
            Command::Setup(_) | Command::Msrp(_) | Command::Dtls(_) => panic!("not rtp"),
        };
        assert_eq!(loss("agw-loadtest rtp --gateway ng:127.0.0.1:1"), 0.0);
        assert_eq!(loss("agw-loadtest rtp --gateway ng:127.0.0.1:1 --find-max"), SEARCH_LOSS);
    }

    #[test]
    fn msrp_has_three_loads() {
        let load = |more: &str| {
            let line = format!("agw-loadtest msrp --gateway iq:127.0.0.1:1 --seconds 2 {more}");
            match Cli::try_parse_from(line.split_ascii_whitespace()).map(|cli| cli.command) {
                Ok(Command::Msrp(arguments)) => Some(arguments.to_run(Arc::default()).load),
                _ => None,
            }
        };
        assert!(matches!(
            load("--size 5000 --rate 0"),
            Some(msrp::Load::Messages { message_bytes: 5000, .. })
        ));
        let duration = Duration::from_secs(2);
        let idle = msrp::Load::Idle { duration, max_stream_bytes: Some(40_000) };
        assert_eq!(load("--idle --pid 1 --max-stream-bytes 40000"), Some(idle));
        assert_eq!(load("--handshakes 2000"), Some(msrp::Load::Handshakes { per_second: 2000.0 }));
        assert_eq!(load("--idle --handshakes 5"), None);
        assert_eq!(load("--plain --handshakes 5"), None);
        assert_eq!(load("--max-stream-bytes 5"), None);
        assert_eq!(load("--size 23"), None);
    }

    #[test]
    fn handshakes_have_a_rate_and_media_another() {
        let line = "agw-loadtest dtls --gateway iq:127.0.0.1:1 --calls 40 --rate 200 --pps 900 --seconds 2";
        let Command::Dtls(arguments) = Cli::parse_from(line.split_ascii_whitespace()).command else {
            panic!("not dtls")
        };
        let DtlsRun { media, per_second } = arguments.to_run(Arc::default());
        assert_eq!((per_second, media.calls, media.load.pps), (200.0, 40, 900));
        let none = format!("{line} --rate 0");
        assert!(Cli::try_parse_from(none.split_ascii_whitespace()).is_err());
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            "--payload 23",
            "--payload 1401",
            "--suite ROT13",
            "--loss 2",
            "--calls 0",
            "--seconds -1",
            "--window 0",
        ] {
            let line = format!("agw-loadtest rtp --gateway ng:127.0.0.1:1 {bad}");
            assert!(Cli::try_parse_from(line.split_ascii_whitespace()).is_err(), "{bad}");
        }
    }
}
