//! Packets counted by the kernel: the judge of what the gateway says it received and sent.
//!
//! nftables counters in a namespace see every datagram on its way into and out of the sockets there. The gateway's own sums
//! are compared with these and not with other numbers of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::netns::Namespace;
use crate::process::run;

const TABLE: &str = "agw_count";
const LIMIT: Duration = Duration::from_secs(10);

/// Where on its way a packet is counted.
#[derive(Clone, Copy, Debug)]
pub enum Hook {
    /// On its way to a socket of the namespace.
    Input,
    /// On its way from a socket of the namespace.
    Output,
}

/// One counter: its name, its place, and which packets it counts in nftables' words (`udp dport 10000-19999`).
#[derive(Clone, Copy, Debug)]
pub struct Rule<'a> {
    /// Letters, digits and underscores.
    pub name: &'a str,
    /// Where it counts.
    pub hook: Hook,
    /// What it counts.
    pub matching: &'a str,
}

/// What one counter saw. Bytes include IP and UDP headers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Count {
    /// Packets, fragments put together again.
    pub packets: u64,
    /// Their bytes from the IP header on.
    pub bytes: u64,
}

/// The counters of one namespace; they go with it.
#[derive(Debug)]
pub struct Counters<'a> {
    namespace: &'a Namespace,
}

impl<'a> Counters<'a> {
    /// Sets the counters up, at zero.
    ///
    /// # Errors
    /// With the words of `nft`.
    pub fn install(namespace: &'a Namespace, rules: &[Rule<'_>]) -> Result<Self, String> {
        let mut script = format!(
            "add table inet {TABLE}; delete table inet {TABLE}; add table inet {TABLE}; \
             add chain inet {TABLE} into {{ type filter hook input priority 0; }}; \
             add chain inet {TABLE} out {{ type filter hook output priority 0; }};"
        );
        for Rule { name, hook, matching } in rules {
            let chain = match hook {
                Hook::Input => "into",
                Hook::Output => "out",
            };
            script += &format!(
                " add counter inet {TABLE} {name}; add rule inet {TABLE} {chain} {matching} counter name {name};"
            );
        }
        nft(namespace, &[&script])?;
        Ok(Self { namespace })
    }

    /// Reads them all, by name.
    ///
    /// # Errors
    /// With the words of `nft`.
    pub fn read(&self) -> Result<BTreeMap<String, Count>, String> {
        parse(&nft(self.namespace, &["list", "counters", "table", "inet", TABLE])?)
    }
}

fn nft(namespace: &Namespace, arguments: &[&str]) -> Result<String, String> {
    let finished = run(&mut namespace.command("nft", arguments), LIMIT)?;
    if finished.status.success() { Ok(finished.output) } else { Err(finished.output) }
}

/// Reads `counter NAME { packets N bytes N }` wherever it stands.
fn parse(listing: &str) -> Result<BTreeMap<String, Count>, String> {
    let mut words = listing.split_whitespace();
    let mut counts = BTreeMap::new();
    while let Some(word) = words.next() {
        if word != "counter" {
            continue;
        }
        let mut next = || words.next().unwrap_or_default();
        let name = next().to_owned();
        let ("{", "packets", packets, "bytes", bytes) = (next(), next(), next(), next(), next()) else {
            return Err(format!("not a list of counters: {listing}"));
        };
        let number = |word: &str| word.parse().map_err(|_| format!("{word:?} is no number"));
        counts.insert(name, Count { packets: number(packets)?, bytes: number(bytes)? });
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;
    use crate::netns::Netns;
    use crate::require;

    #[test]
    fn the_kernel_counts_what_matches_and_nothing_else() {
        let Some(netns) = require("network namespaces", Netns::find) else { return };
        let place = netns.namespace("count").unwrap();
        let rules = [
            Rule { name: "wanted", hook: Hook::Input, matching: "udp dport 5000-5001" },
            Rule { name: "sent", hook: Hook::Output, matching: "meta l4proto udp" },
        ];
        let counters = Counters::install(&place, &rules).unwrap();
        place.enter(|| {
            let _open = (UdpSocket::bind("127.0.0.1:5000"), UdpSocket::bind("127.0.0.1:6000"));
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            for port in [5000, 5000, 6000] {
                socket.send_to(&[0; 72], ("127.0.0.1", port)).unwrap();
            }
        });
        let counts = counters.read().unwrap();
        assert_eq!(counts["wanted"], Count { packets: 2, bytes: 200 });
        assert_eq!(counts["sent"], Count { packets: 3, bytes: 300 });
    }

    #[test]
    fn a_listing_that_is_cut_short_is_an_error() {
        assert!(parse("table inet x { counter a { packets 1").is_err());
        assert!(parse("counter a { packets one bytes 2 }").is_err());
    }
}
