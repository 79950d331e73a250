//! The rules, each one question to the host in the light of the configuration.

use super::{Finding, Host};
use crate::config::check::keys_are_exposed;
use crate::config::values::{Ports, Scheme};
use crate::config::{Config, Protection};
use crate::engine::descriptors_needed;
use std::io;
use std::net::{IpAddr, SocketAddr};

/// A burst of this many bytes must fit a receive queue when a worker is late.
const GOOD_BUFFER_BYTES: u64 = 1 << 20;
/// Packets that the kernel may hold per core before it drops.
const GOOD_BACKLOG: u64 = 1000;
/// Peers that a TCP port lets wait, as the backend asks for it.
const GOOD_LISTEN_BACKLOG: u64 = agw_core::io::epoll::BACKLOG as u64;

/// Asks everything.
pub fn examine(config: &Config, host: &dyn Host) -> Vec<Finding> {
    let mut found = vec![cores(config, host)];
    found.extend(["rmem_max", "wmem_max"].map(|name| buffer(name, host)));
    found.push(backlog(host));
    found.extend(softnet(host));
    found.push(descriptors(config, host));
    found.push(listen_backlog(host));
    found.extend(syn_cookies(host));
    found.push(calls(config));
    found.push(ephemeral(config, host));
    found.extend(addresses(config, host));
    found.extend(listeners(config, host));
    found.push(ipv6(config, host));
    found.push(rights(config, host));
    found.extend(conntrack(host));
    found.extend(governor(host));
    found.extend(huge_pages(host));
    found.push(sctp(config, host));
    found.push(iq_protection(config));
    found
}

fn cores(config: &Config, host: &dyn Host) -> Finding {
    let cores = host.cores();
    let workers = crate::runtime::size(config.workers, cores);
    if workers > cores {
        return Finding::warn(
            format!("{workers} workers on {cores} cores: they would wait for one another"),
            format!("workers = 0 in the configuration (that is {} here)", crate::runtime::size(0, cores)),
        );
    }
    Finding::good(format!("{workers} of {cores} cores for packet workers"))
}

fn number(host: &dyn Host, path: &str) -> Option<u64> {
    host.read(path)?.split_whitespace().next()?.parse().ok()
}

fn buffer(name: &str, host: &dyn Host) -> Finding {
    match number(host, &format!("/proc/sys/net/core/{name}")) {
        None => Finding::warn(format!("net.core.{name} cannot be read"), "mount /proc"),
        Some(bytes) if bytes < GOOD_BUFFER_BYTES => Finding::warn(
            format!("net.core.{name} is {bytes} bytes: a burst while a worker is late would be lost"),
            format!("sysctl -w net.core.{name}=4194304 (and in /etc/sysctl.d/agw.conf)"),
        ),
        Some(bytes) => Finding::good(format!("net.core.{name} is {bytes} bytes")),
    }
}

fn backlog(host: &dyn Host) -> Finding {
    match number(host, "/proc/sys/net/core/netdev_max_backlog") {
        Some(packets) if packets < GOOD_BACKLOG => Finding::warn(
            format!("net.core.netdev_max_backlog is {packets} packets"),
            "sysctl -w net.core.netdev_max_backlog=10000",
        ),
        Some(packets) => Finding::good(format!("the kernel queues {packets} packets per core")),
        // The key does not exist in a network namespace of its own.
        None => Finding::good("the kernel's packet queue is the host's business here"),
    }
}

/// The second column of softnet_stat counts packets that a core had no room for.
fn softnet(host: &dyn Host) -> Option<Finding> {
    let text = host.read("/proc/net/softnet_stat")?;
    let dropped: u64 = text
        .lines()
        .filter_map(|line| u64::from_str_radix(line.split_whitespace().nth(1)?, 16).ok())
        .fold(0, u64::saturating_add);
    (dropped > 0).then(|| {
        Finding::warn(
            format!("since the start of this host its cores dropped {dropped} packets before any socket"),
            "raise net.core.netdev_max_backlog, spread the card's queues over cores (ethtool -L, irqbalance)",
        )
    })
}

fn descriptors(config: &Config, host: &dyn Host) -> Finding {
    let wanted = descriptors_needed(config, crate::runtime::size(config.workers, host.cores()));
    let limits = host.read("/proc/self/limits").unwrap_or_default();
    let hard = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .and_then(|rest| rest.split_whitespace().nth(1).map(str::to_owned));
    match hard.as_deref().map(|h| (h, h.parse::<u64>())) {
        None => Finding::warn("the limit of open files cannot be read", "mount /proc"),
        Some((_, Ok(hard))) if hard < wanted => Finding::bad(
            format!("at most {hard} open files, but calls and connections can need {wanted}"),
            format!(
                "LimitNOFILE={wanted} in the systemd unit, or ulimit -Hn {wanted}, or a lower limits.contexts or tcp.unproven_per_worker"
            ),
        ),
        Some((hard, _)) => Finding::good(format!("{hard} open files allowed, {wanted} needed at most")),
    }
}

/// A port over TCP lets this many peers wait to be accepted, as far as the kernel allows.
fn listen_backlog(host: &dyn Host) -> Finding {
    match number(host, "/proc/sys/net/core/somaxconn") {
        None => Finding::warn("net.core.somaxconn cannot be read", "mount /proc"),
        Some(peers) if peers < GOOD_LISTEN_BACKLOG => Finding::warn(
            format!(
                "net.core.somaxconn is {peers}: a flood of strangers at a TCP port would shut out its peer"
            ),
            format!("sysctl -w net.core.somaxconn={GOOD_LISTEN_BACKLOG} (and in /etc/sysctl.d/agw.conf)"),
        ),
        Some(peers) => Finding::good(format!("{peers} peers may wait at a TCP port")),
    }
}

/// Without cookies SYNs with false addresses fill the queue of a TCP port, and its peer finds no place in it (RFC 4987).
fn syn_cookies(host: &dyn Host) -> Option<Finding> {
    let found = match number(host, "/proc/sys/net/ipv4/tcp_syncookies")? {
        0 => Finding::warn(
            "net.ipv4.tcp_syncookies is 0: a flood of half-open connections at a TCP port would shut out its peer",
            "sysctl -w net.ipv4.tcp_syncookies=1 (and in /etc/sysctl.d/agw.conf)",
        ),
        _ => Finding::good("half-open connections do not shut out peers at TCP ports"),
    };
    Some(found)
}

fn calls(config: &Config) -> Finding {
    use crate::config::Side;
    let room = |side| -> u64 {
        let realms = config.realm.values().filter(|r| r.side == side);
        realms.map(|r| u64::from(r.ports.count() / 2) * r.addresses.len() as u64).sum()
    };
    let calls = room(Side::Access).min(room(Side::Core));
    let limit = u64::from(config.limits.contexts);
    if calls < limit {
        return Finding::good(format!(
            "the port ranges hold {calls} one-stream calls, fewer than limits.contexts = {limit}: ports run out first"
        ));
    }
    Finding::good(format!("the port ranges hold {calls} one-stream calls, limits.contexts is {limit}"))
}

fn ephemeral(config: &Config, host: &dyn Host) -> Finding {
    let Some(range) = host.read("/proc/sys/net/ipv4/ip_local_port_range").as_deref().and_then(two_ports)
    else {
        return Finding::warn("net.ipv4.ip_local_port_range cannot be read", "mount /proc");
    };
    let reserved = host.read("/proc/sys/net/ipv4/ip_local_reserved_ports").unwrap_or_default();
    let is_reserved = |ports: Ports| {
        reserved.split(',').any(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let bounds = (first.trim().parse::<u16>(), last.trim().parse::<u16>());
            matches!(bounds, (Ok(first), Ok(last)) if first <= ports.first.max(range.first)
                && last >= ports.last.min(range.last))
        })
    };
    let clashing: Vec<String> = config
        .realm
        .values()
        .filter(|r| r.ports.overlaps(range) && !is_reserved(r.ports))
        .map(|r| r.ports.to_string())
        .collect();
    if clashing.is_empty() {
        return Finding::good(format!(
            "media ports keep clear of the ports {range} that the kernel gives to others"
        ));
    }
    let list = clashing.join(",");
    Finding::warn(
        format!(
            "media ports {list} overlap {range}, which the kernel gives to other sockets: some may be taken"
        ),
        format!(
            "sysctl -w net.ipv4.ip_local_reserved_ports={list}; or leave it so where the host is this gateway's alone: \
             setting up calls then costs it less"
        ),
    )
}

fn two_ports(text: &str) -> Option<Ports> {
    let mut numbers = text.split_whitespace().map(str::parse);
    let (first, last) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    (first <= last).then_some(Ports { first, last })
}

fn addresses(config: &Config, host: &dyn Host) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, realm) in &config.realm {
        for &address in &realm.addresses {
            found.push(match host.bind_udp(SocketAddr::new(address, 0)) {
                Ok(()) => Finding::good(format!("realm {name}: {address} is an address of this host")),
                Err(e) => Finding::bad(
                    format!("realm {name}: {address} cannot be used: {e}"),
                    format!("ip address add {address} dev INTERFACE, or correct realm.{name}.addresses"),
                ),
            });
        }
    }
    found
}

fn listeners(config: &Config, host: &dyn Host) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut ask = |key: &str, address: SocketAddr, kind: &str, bound: io::Result<()>| {
        found.push(match bound {
            Ok(()) => Finding::good(format!("{key}: {kind} {address} is free")),
            Err(e) if e.kind() == io::ErrorKind::AddrInUse => Finding::warn(
                format!("{key}: {kind} {address} is in use"),
                "if that is a running gateway, all is well; else another address or stop what uses it (ss -ltunp)",
            ),
            Err(e) => {
                Finding::bad(format!("{key}: {kind} {address} cannot be bound: {e}"), format!("correct {key}"))
            }
        });
    };
    for (key, listen) in [("iq.text", config.iq.text), ("iq.binary", config.iq.binary)] {
        let Some(address) = listen.0 else { continue };
        ask(key, address, "UDP", host.bind_udp(address));
        ask(key, address, "TCP", host.bind_tcp(address));
    }
    for (key, listen) in [("iq.tls.text", config.iq.tls.text), ("iq.tls.binary", config.iq.tls.binary)] {
        let Some(address) = listen.0 else { continue };
        ask(key, address, "TCP", host.bind_tcp(address));
    }
    if let Some(admin) = config.admin.listen.0 {
        ask("admin.listen", admin, "TCP", host.bind_tcp(admin));
    }
    found
}

fn ipv6(config: &Config, host: &dyn Host) -> Finding {
    let there = host.bind_udp(SocketAddr::new(IpAddr::V6(std::net::Ipv6Addr::LOCALHOST), 0)).is_ok();
    let wanted = config.realm.values().flat_map(|r| &r.addresses).any(IpAddr::is_ipv6);
    match (there, wanted) {
        (false, true) => Finding::bad(
            "IPv6 is switched off, but a realm uses it",
            "sysctl -w net.ipv6.conf.all.disable_ipv6=0",
        ),
        (false, false) => Finding::good("IPv6 is switched off, and no realm uses it"),
        (true, _) => Finding::good("IPv6 works"),
    }
}

fn rights(config: &Config, host: &dyn Host) -> Finding {
    /// Bit of CAP_NET_BIND_SERVICE in the capability masks.
    const NET_BIND_SERVICE: u64 = 1 << 10;
    let status = host.read("/proc/self/status").unwrap_or_default();
    let line =
        |name: &str| status.lines().find_map(|l| l.strip_prefix(name)).map(str::trim).unwrap_or_default();
    let capabilities = u64::from_str_radix(line("CapEff:"), 16).unwrap_or(0);
    let lowest = number(host, "/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap_or(1024);
    let low = config.realm.values().any(|r| u64::from(r.ports.first) < lowest)
        || [config.iq.text, config.iq.binary, config.admin.listen]
            .iter()
            .any(|l| l.0.is_some_and(|a| u64::from(a.port()) < lowest && a.port() != 0));
    if low && capabilities & NET_BIND_SERVICE == 0 {
        return Finding::bad(
            format!("a port below {lowest} is configured and CAP_NET_BIND_SERVICE is not held"),
            "AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd unit, or higher ports",
        );
    }
    if line("Uid:").split_whitespace().nth(1) == Some("0") {
        return Finding::warn(
            "running as root, which the gateway does not need",
            "run it as a user of its own (the systemd unit and the container do)",
        );
    }
    Finding::good("all rights that the configuration needs are held")
}

/// Connection tracking costs a table entry per media flow and drops packets when it is full.
fn conntrack(host: &dyn Host) -> Option<Finding> {
    let most = number(host, "/proc/sys/net/netfilter/nf_conntrack_max")?;
    let used = number(host, "/proc/sys/net/netfilter/nf_conntrack_count").unwrap_or(0);
    Some(Finding::warn(
        format!("connection tracking is loaded ({used} of {most} entries): media would fill it"),
        "exempt media: nft add rule inet raw prerouting udp dport 10000-29999 notrack (and the same by sport in output)",
    ))
}

fn governor(host: &dyn Host) -> Option<Finding> {
    let governor = host.read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")?;
    Some(if governor == "powersave" {
        Finding::warn(
            "the cores save power: packets wait for them to speed up",
            "cpupower frequency-set -g performance",
        )
    } else {
        Finding::good(format!("frequency governor {governor}"))
    })
}

fn huge_pages(host: &dyn Host) -> Option<Finding> {
    let text = host.read("/sys/kernel/mm/transparent_hugepage/enabled")?;
    text.contains("[always]").then(|| {
        Finding::warn(
            "transparent huge pages are always on: memory grows and compaction can delay packets",
            "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
        )
    })
}

fn sctp(config: &Config, host: &dyn Host) -> Finding {
    let wanted = config.iq.controllers.iter().any(|c| c.scheme == Scheme::Sctp);
    match (host.has_sctp(), wanted) {
        (true, _) => Finding::good("the kernel has SCTP"),
        (false, false) => Finding::good("the kernel has no SCTP, and no controller is reached over it"),
        (false, true) => Finding::bad(
            "the kernel has no SCTP, but a controller is reached over it",
            "modprobe sctp (and sctp in /etc/modules-load.d/agw.conf), or tcp: or tls: in iq.controllers",
        ),
    }
}

/// IQ-3.
fn iq_protection(config: &Config) -> Finding {
    match config.iq.protected_by {
        Protection::Ipsec => {
            Finding::good("Iq is declared to be protected by IPsec: `ip xfrm policy` should show it")
        }
        Protection::Tls => {
            Finding::good("Iq is protected by TLS: beyond loopback nothing else is listened to")
        }
        _ if keys_are_exposed(config) && config.iq.allow_unprotected_keys => Finding::warn(
            "SDES keys cross Iq unprotected: whoever sees the messages can listen to the calls",
            "TLS or IPsec to the controllers and iq.protected_by = \"tls\" or \"ipsec\"; clear iq.allow_unprotected_keys",
        ),
        _ if keys_are_exposed(config) => Finding::warn(
            "Iq is reachable beyond loopback and unprotected: SDES keys will be refused",
            "TLS or IPsec to the controllers and iq.protected_by = \"tls\" or \"ipsec\"",
        ),
        _ => Finding::good("Iq stays on loopback"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;
    use std::collections::HashMap;

    /// A host made of files.
    #[derive(Clone)]
    struct Pretend {
        files: HashMap<&'static str, &'static str>,
        no_ipv6: bool,
    }

    impl Pretend {
        fn tuned() -> Self {
            let files = HashMap::from([
                ("/proc/sys/net/core/rmem_max", "4194304"),
                ("/proc/sys/net/core/wmem_max", "4194304"),
                ("/proc/sys/net/core/netdev_max_backlog", "10000"),
                ("/proc/sys/net/core/somaxconn", "4096"),
                (
                    "/proc/self/limits",
                    "Limit  Soft Hard Units\nMax open files            1024                 1048576              files",
                ),
                ("/proc/sys/net/ipv4/ip_local_port_range", "32768\t60999"),
                ("/proc/self/status", "Uid:\t998\t998\t998\t998\nCapEff:\t0000000000000000"),
            ]);
            Self { files, no_ipv6: false }
        }

        fn with(mut self, path: &'static str, text: &'static str) -> Self {
            self.files.insert(path, text);
            self
        }
    }

    impl Host for Pretend {
        fn read(&self, path: &str) -> Option<String> {
            self.files.get(path).map(|&t| t.to_owned())
        }
        fn cores(&self) -> usize {
            8
        }
        fn bind_udp(&self, address: SocketAddr) -> io::Result<()> {
            if self.no_ipv6 && address.is_ipv6() {
                Err(io::ErrorKind::AddrNotAvailable.into())
            } else {
                Ok(())
            }
        }
        fn bind_tcp(&self, address: SocketAddr) -> io::Result<()> {
            self.bind_udp(address)
        }
        fn has_sctp(&self) -> bool {
            false
        }
    }

    fn config(set: &[&str]) -> Config {
        let set: Vec<String> = set.iter().map(|&s| s.to_owned()).collect();
        crate::config::load::load_text("default", "", &set).config.unwrap()
    }

    fn troubles(config: &Config, host: &Pretend) -> Vec<Finding> {
        examine(config, host).into_iter().filter(|f| f.verdict != Verdict::Good).collect()
    }

    #[test]
    fn a_tuned_host_has_no_finding() {
        assert_eq!(troubles(&config(&[]), &Pretend::tuned()), []);
    }

    #[test]
    fn each_trouble_is_found_and_has_a_fix() {
        let tuned = Pretend::tuned();
        for (host, set, verdict, what) in [
            (tuned.clone().with("/proc/sys/net/core/rmem_max", "212992"), &[][..], Verdict::Warn, "rmem_max"),
            (
                tuned.clone().with("/proc/self/limits", "Max open files 1024 4096 files"),
                &[],
                Verdict::Bad,
                "open files",
            ),
            (
                tuned.clone().with("/proc/sys/net/ipv4/ip_local_port_range", "15000 60999"),
                &[],
                Verdict::Warn,
                "10000-19999",
            ),
            (
                tuned.clone().with("/proc/sys/net/netfilter/nf_conntrack_max", "65536"),
                &[],
                Verdict::Warn,
                "tracking",
            ),
            (
                tuned.clone().with("/proc/net/softnet_stat", "00 0000000a 00\n00 00000001 00"),
                &[],
                Verdict::Warn,
                "11 packets",
            ),
            (
                tuned.clone().with("/proc/sys/net/ipv4/tcp_syncookies", "0"),
                &[],
                Verdict::Warn,
                "half-open connections",
            ),
            (tuned.clone().with("/proc/sys/net/core/somaxconn", "128"), &[], Verdict::Warn, "somaxconn"),
            (tuned.clone(), &["realm.core.ports=500-600"], Verdict::Bad, "below 1024"),
            (
                tuned.clone().with("/proc/self/limits", "Max open files 1024 60000 files"),
                &["workers=8", "tcp.unproven_per_worker=8192"],
                Verdict::Bad,
                "calls and connections can need",
            ),
            (tuned.clone(), &["workers=9"], Verdict::Warn, "9 workers on 8"),
            (tuned.clone(), &["iq.text=0.0.0.0:2944"], Verdict::Warn, "SDES keys will be refused"),
            (Pretend { no_ipv6: true, ..tuned }, &["realm.core.addresses=[\"::1\"]"], Verdict::Bad, "IPv6"),
        ] {
            let found = troubles(&config(set), &host);
            let hit =
                found.iter().find(|f| f.what.contains(what)).unwrap_or_else(|| panic!("{what} in {found:?}"));
            assert_eq!(hit.verdict, verdict, "{hit}");
            assert!(hit.fix.is_some());
        }
    }

    #[test]
    fn reserved_ports_are_no_trouble() {
        let host = Pretend::tuned()
            .with("/proc/sys/net/ipv4/ip_local_port_range", "1024 65000")
            .with("/proc/sys/net/ipv4/ip_local_reserved_ports", "8080,10000-19999,20000-29999");
        assert_eq!(troubles(&config(&[]), &host), []);
    }
}
