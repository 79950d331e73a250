//! The command line as users type it. Only shapes and help texts: what a command does stands in the module of its name.

use crate::config::Format;
use crate::config::load::Source;
use crate::config::values::Encoding;
use agw_iq::Form;
use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where a running gateway answers when nobody says otherwise.
pub const DEFAULT_ADMIN: &str = "127.0.0.1:9470";

/// The media plane of an IMS Access Gateway: SRTP towards phones, RTP towards the core, commanded over Iq (H.248).
#[derive(Debug, Parser)]
#[command(name = "agw", version, propagate_version = false)]
pub struct Cli {
    /// What to do; without a command: run with the default configuration.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the gateway (the default command).
    Run(Run),
    /// See it work: gateway, controller and both media ends in one process, over real sockets.
    Demo(Demo),
    /// Validate a configuration and name every problem.
    Check(Configuration),
    /// Print the default configuration, every key explained.
    Config,
    /// Work with H.248 messages.
    #[command(subcommand)]
    Iq(Iq),
    /// How a running gateway is doing.
    Status(Ask),
    /// The contexts (calls) of a running gateway.
    Contexts(Contexts),
    /// One context in detail.
    Context(OneContext),
    /// The packet workers of a running gateway.
    Workers(Ask),
    /// Packets dropped, by leg and reason.
    Drops(Ask),
    /// Take no new calls and end when the last one has ended.
    Drain(Drain),
    /// Take a realm out of service, or back: out, it takes no new calls.
    Realm(Realm),
    /// Check this host and print a fix for each finding.
    Doctor(Configuration),
}

/// Which configuration.
#[derive(Debug, Default, Args)]
pub struct Configuration {
    /// Configuration file; without it the defaults.
    #[arg(short, long = "config", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Override one key, as in --set log.level=debug.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

impl Configuration {
    /// As the loader takes it.
    pub fn source(&self) -> Source {
        Source { file: self.config.clone(), set: self.set.clone() }
    }
}

/// `agw run`.
#[derive(Debug, Default, Args)]
pub struct Run {
    /// The configuration.
    #[command(flatten)]
    pub configuration: Configuration,
    /// How log lines look; wins over `[log] format`.
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<Format>,
}

/// `agw demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// Calls at the same time.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=5000))]
    pub calls: u32,
    /// Seconds of media.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=86400))]
    pub seconds: u32,
    /// SRTP suite, by its name in RFC 4568, 6188 or 7714.
    #[arg(long, default_value = "AES_CM_128_HMAC_SHA1_80", value_name = "NAME")]
    pub suite: String,
    /// Print one JSON object and nothing else.
    #[arg(long)]
    pub json: bool,
}

/// `agw iq`.
#[derive(Debug, Subcommand)]
pub enum Iq {
    /// Send H.248 text over UDP, with retransmission, and print the reply with keys blanked.
    Send(Send),
    /// Show the Iq messages of a running gateway as they come and go, keys blanked.
    Trace(Trace),
}

/// `agw iq send`.
#[derive(Debug, Args)]
pub struct Send {
    /// A whole message (MEGACO/2 ...), a transaction, or actions (Context = ...); - reads from the standard input.
    pub file: PathBuf,
    /// Where the gateway's Iq listens [default: 127.0.0.1:2944, with --encoding ber 127.0.0.1:2945].
    #[arg(long, value_name = "HOST:PORT")]
    pub to: Option<SocketAddr>,
    /// How it is sent; the reply is printed as text whatever it came in.
    #[arg(long, value_enum, default_value_t = Encoding::Pretty)]
    pub encoding: Encoding,
    /// The gateway's realms in alphabetical order, which BER numbers.
    #[arg(long, value_delimiter = ',', default_value = "access,core", value_name = "NAMES")]
    pub realms: Vec<String>,
}

impl Send {
    /// Where to send.
    pub fn address(&self) -> SocketAddr {
        let form = if self.encoding == Encoding::Ber { Form::Binary } else { Form::Text };
        self.to.unwrap_or_else(|| ([127, 0, 0, 1], form.port()).into())
    }
}

/// `agw iq trace`.
#[derive(Debug, Args)]
pub struct Trace {
    /// Admin address of the gateway.
    #[arg(long, default_value = DEFAULT_ADMIN, value_name = "HOST:PORT")]
    pub admin: SocketAddr,
    /// End after so many messages.
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,
    /// One JSON object a message.
    #[arg(long)]
    pub json: bool,
}

/// A question to a running gateway.
#[derive(Debug, Args)]
pub struct Ask {
    /// Admin address of the gateway.
    #[arg(long, default_value = DEFAULT_ADMIN, value_name = "HOST:PORT")]
    pub admin: SocketAddr,
    /// JSON for scripts instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// `agw drain`.
#[derive(Debug, Args)]
pub struct Drain {
    /// Of which gateway.
    #[command(flatten)]
    pub ask: Ask,
    /// Take calls again: the drain is over before its end.
    #[arg(long)]
    pub cancel: bool,
}

/// `agw realm`.
#[derive(Debug, Args)]
pub struct Realm {
    /// Which, by its name in the configuration.
    pub name: String,
    /// What becomes of it.
    pub service: Service,
    /// Of which gateway.
    #[command(flatten)]
    pub ask: Ask,
}

/// What becomes of a realm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Service {
    /// Out of service: no new calls; those that are up go on.
    Out,
    /// Back in service.
    In,
}

/// `agw contexts`.
#[derive(Debug, Args)]
pub struct Contexts {
    /// Of which gateway.
    #[command(flatten)]
    pub ask: Ask,
    /// Show at most so many.
    #[arg(long, default_value_t = 1000, value_name = "N")]
    pub limit: usize,
}

/// `agw context ID`.
#[derive(Debug, Args)]
pub struct OneContext {
    /// The context's number.
    pub id: u32,
    /// Of which gateway.
    #[command(flatten)]
    pub ask: Ask,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
