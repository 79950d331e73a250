//! Whether a configuration makes sense, on any machine that has the files it names. Every rule looks at the whole and adds what it finds, so that one run of
//! `agw check` shows everything. What depends on this host (buffers, limits, kernel ranges) is asked by `doctor`.

mod iq;

pub use iq::keys_are_exposed;

use super::load::Problem;
use super::{Backend, Config, Realm, Side, Threshold};
use agw_core::controller::MAX_IDENTITIES;
use agw_core::flow::tcp::MAX_LINES;

/// All suites, by their names in RFC 4568, RFC 6188 and RFC 7714 (SRTP-11).
pub const SUITES: [&str; 9] = [
    "AES_CM_128_HMAC_SHA1_80",
    "AES_CM_128_HMAC_SHA1_32",
    "F8_128_HMAC_SHA1_80",
    "AES_192_CM_HMAC_SHA1_80",
    "AES_192_CM_HMAC_SHA1_32",
    "AES_256_CM_HMAC_SHA1_80",
    "AES_256_CM_HMAC_SHA1_32",
    "AEAD_AES_128_GCM",
    "AEAD_AES_256_GCM",
];
/// Worker threads at most.
pub const MAX_WORKERS: usize = agw_core::controller::MAX_WORKERS;
/// Local addresses of all realms together at most.
pub const MAX_ADDRESSES: usize = 64;
/// Realms at most.
pub const MAX_REALMS: usize = 32;
/// Controllers at most.
pub const MAX_CONTROLLERS: usize = 16;
const ENGINES: [&str; 3] = ["auto", "dimpl", "openssl"];
const HASHES: [&str; 5] = ["sha-1", "sha-224", "sha-256", "sha-384", "sha-512"];

/// All that is wrong or doubtful.
pub fn check(config: &Config) -> Vec<Problem> {
    let mut found = Vec::new();
    if config.workers > MAX_WORKERS {
        found.push(Problem::error("workers", format!("{} is above {MAX_WORKERS}", config.workers)));
    }
    range(&mut found, "drain_deadline_s", config.drain_deadline_s, 0, 86_400);
    iq::check(config, &mut found);
    realms(config, &mut found);
    names(&mut found, "srtp.suites", &config.srtp.suites, &SUITES, 1);
    range(&mut found, "srtp.replay_window", config.srtp.replay_window.into(), 64, 1024);
    range(&mut found, "tcp.connect_ms", config.tcp.connect_ms.into(), 100, 120_000);
    range(&mut found, "tcp.handshake_ms", config.tcp.handshake_ms.into(), 100, 120_000);
    range(&mut found, "tcp.accept_ms", config.tcp.accept_ms.into(), 1_000, 3_600_000);
    range(&mut found, "tcp.linger_ms", config.tcp.linger_ms.into(), 100, 60_000);
    range(&mut found, "tcp.idle_s", config.tcp.idle_s.into(), 0, 86_400);
    range(&mut found, "tcp.socket_buffer", config.tcp.socket_buffer.0, 16 << 10, 4 << 20);
    range(&mut found, "tcp.unproven", config.tcp.unproven.into(), 1, MAX_LINES as u64);
    range(&mut found, "tcp.unproven_per_worker", config.tcp.unproven_per_worker.into(), 64, 65_536);
    range(&mut found, "tcp.give_way_ms", config.tcp.give_way_ms.into(), 0, 120_000);
    range(&mut found, "tls.handshake_bytes", config.tls.handshake_bytes.into(), 4_096, 65_536);
    names(&mut found, "tls.versions", &config.tls.versions, &["1.2", "1.3"], 1);
    names(&mut found, "dtls.versions", &config.dtls.versions, &["1.2", "1.3"], 1);
    if !config.dtls.suites.is_empty() {
        found.push(Problem::error("dtls.suites", "cannot be chosen: leave it empty"));
    }
    names(&mut found, "tls.fingerprint_hashes", &config.tls.fingerprint_hashes, &HASHES, 1);
    names(&mut found, "dtls.fingerprint_hashes", &config.dtls.fingerprint_hashes, &HASHES, 1);
    names(&mut found, "tls.msrp_fingerprint_hashes", &config.tls.msrp_fingerprint_hashes, &HASHES, 0);
    media_tls(config, &mut found);
    media_dtls(config, &mut found);
    range(&mut found, "tls.fingerprint_wait_ms", config.tls.fingerprint_wait_ms.into(), 0, 60_000);
    let ready = config.tls.certificates_ready;
    range(&mut found, "tls.certificates_ready", ready.into(), 0, MAX_IDENTITIES as u64);
    range(&mut found, "dtls.fingerprint_wait_ms", config.dtls.fingerprint_wait_ms.into(), 0, 60_000);
    range(&mut found, "dtls.handshakes_per_tick", config.dtls.handshakes_per_tick.into(), 1, 64);
    names(&mut found, "dtls.engine", std::slice::from_ref(&config.dtls.engine), &ENGINES, 1);
    range(&mut found, "media.idle", config.media.idle.into(), 1, 86_400);
    range(&mut found, "media.port_reuse_delay_ms", config.media.port_reuse_delay_ms.into(), 0, 60_000);
    range(&mut found, "limits.contexts", config.limits.contexts.into(), 1, 1_000_000);
    let kept = agw_core::controller::MAX_RESERVE_PERCENT;
    range(&mut found, "limits.emergency_reserve", config.limits.emergency_reserve.into(), 0, kept.into());
    range(&mut found, "limits.high_priority", config.limits.high_priority.into(), 0, 16);
    let rate = config.limits.rates.iq_messages_per_second;
    range(&mut found, "limits.rates.iq_messages_per_second", rate.into(), 0, 10_000_000);
    let overload = &config.limits.overload;
    for (key, Threshold([first, second]), most) in [
        ("limits.overload.lag_ms", overload.lag_ms, 10_000),
        ("limits.overload.queue_percent", overload.queue_percent, 100),
        ("limits.overload.busy_percent", overload.busy_percent, 100),
        ("limits.overload.use_percent", overload.use_percent, 100),
    ] {
        range(&mut found, key, first.into(), 1, most);
        range(&mut found, key, second.into(), first.into(), most);
    }
    range(&mut found, "io.tick_us", config.io.tick_us.into(), 0, 10_000);
    if !matches!(config.io.backend, Backend::Auto | Backend::Epoll) {
        found.push(Problem::error("io.backend", "this version has only \"auto\" and \"epoll\""));
    }
    if let Some(address) = config.admin.listen.0.filter(|a| !a.ip().is_loopback()) {
        let what = format!("{address} lets other hosts read the gateway's state: keep it behind a firewall");
        found.push(Problem::warning("admin.listen", what));
    }
    found
}

/// Only where the versions are right: they are named by themselves.
fn media_dtls(config: &Config, found: &mut Vec<Problem>) {
    let dtls = &config.dtls;
    let rules = dtls.rules(&config.realm);
    let speaks = rules.dtls.dtls12 || rules.dtls.dtls13;
    // What is wrong with the names has been said.
    let mut try_it = |key: String, name: &str, engine| {
        let settings = agw_dtls::Settings { engine, ..rules.dtls.clone() };
        let is_named = ENGINES.contains(&name) && speaks;
        if let Some(error) = agw_dtls::Profile::new(settings).err().filter(|_| is_named) {
            found.push(Problem::error(key, error.to_string()));
        }
    };
    try_it("dtls".to_owned(), &dtls.engine, rules.dtls.engine);
    for (name, engine) in &rules.engines {
        if let Some((name, realm)) = config.realm.get_key_value(name.as_str()) {
            try_it(format!("realm.{name}.dtls_engine"), &realm.dtls_engine, *engine);
        }
    }
}

fn media_tls(config: &Config, found: &mut Vec<Problem>) {
    let tls = &config.tls;
    if tls.profile().versions.len() < tls.versions.len() {
        return;
    }
    if let Err(error) = tls.compile() {
        found.push(Problem::error("tls.suites", error.to_string()));
    }
}

fn realms(config: &Config, found: &mut Vec<Problem>) {
    for side in [Side::Access, Side::Core] {
        if !config.realm.values().any(|r| r.side == side) {
            let what =
                format!("no realm has side = \"{}\"", if side == Side::Access { "access" } else { "core" });
            found.push(Problem::error("realm", what));
        }
    }
    if config.realm.len() > MAX_REALMS {
        found.push(Problem::error("realm", format!("more than {MAX_REALMS} realms")));
    }
    let addresses: usize = config.realm.values().map(|r| r.addresses.len()).sum();
    if addresses > MAX_ADDRESSES {
        let what = format!("{addresses} local addresses in all realms: at most {MAX_ADDRESSES}");
        found.push(Problem::error("realm", what));
    }
    let mut defaults = config.realm.iter().filter(|(_, r)| r.default).map(|(n, _)| n);
    if let (Some(first), Some(second)) = (defaults.next(), defaults.next()) {
        found.push(Problem::error(
            format!("realm.{second}.default"),
            format!("realm {first} is the default already"),
        ));
    }
    for (name, realm) in &config.realm {
        one_realm(name, realm, found);
        taken_ports(config, name, realm, found);
    }
}

fn one_realm(name: &str, realm: &Realm, found: &mut Vec<Problem>) {
    let key = |field: &str| format!("realm.{name}.{field}");
    if agw_core::model::RealmName::new(name).is_none() {
        found.push(Problem::error(
            format!("realm.{name}"),
            "is not a realm name (1 to 253 printable characters)",
        ));
    }
    if realm.addresses.is_empty() || realm.addresses.len() > 16 {
        found.push(Problem::error(key("addresses"), "a realm needs 1 to 16 local addresses"));
    }
    if !realm.dtls_engine.is_empty() {
        names(found, &key("dtls_engine"), std::slice::from_ref(&realm.dtls_engine), &ENGINES, 1);
    }
    for (i, address) in realm.addresses.iter().enumerate() {
        if address.is_unspecified() || address.is_multicast() {
            let what =
                format!("{address} is not a concrete address: list the addresses that peers shall send to");
            found.push(Problem::error(key("addresses"), what));
        }
        if realm.addresses.iter().take(i).any(|a| a == address) {
            found.push(Problem::error(key("addresses"), format!("{address} is listed twice")));
        }
    }
    if !realm.advertise.is_empty() && realm.advertise.len() != realm.addresses.len() {
        let (told, own) = (realm.advertise.len(), realm.addresses.len());
        found.push(Problem::error(
            key("advertise"),
            format!("{told} for {own} addresses: give one for each, or none"),
        ));
    }
    for (told, own) in realm.advertise.iter().zip(&realm.addresses) {
        if told.is_ipv4() != own.is_ipv4() {
            found.push(Problem::error(
                key("advertise"),
                format!("{told} is of another IP version than {own}"),
            ));
        }
    }
    if realm.ports.count() < 2 {
        found.push(Problem::error(key("ports"), format!("{} has no room for RTP and RTCP", realm.ports)));
    }
    if realm.ports.first < 1024 {
        let what = format!("{} holds ports below 1024, which need a capability to bind", realm.ports);
        found.push(Problem::warning(key("ports"), what));
    }
    if realm.dscp > 63 {
        found.push(Problem::error(key("dscp"), format!("{} is above 63", realm.dscp)));
    }
    if !realm.interface.is_empty() {
        found.push(Problem::error(key("interface"), "is not in this version: packets go by the routes"));
    }
}

fn taken_ports(config: &Config, name: &str, realm: &Realm, found: &mut Vec<Problem>) {
    let key = format!("realm.{name}.ports");
    for (other_name, other) in config.realm.iter().take_while(|(n, _)| n.as_str() != name) {
        let shared = realm.addresses.iter().find(|a| other.addresses.contains(a));
        if let Some(address) = shared.filter(|_| realm.ports.overlaps(other.ports)) {
            let what = format!("{} overlaps {} of realm {other_name} on {address}", realm.ports, other.ports);
            found.push(Problem::error(&key, what));
        }
    }
    let iq = &config.iq;
    for (what, listen) in [
        ("iq.text", iq.text),
        ("iq.binary", iq.binary),
        ("iq.tls.text", iq.tls.text),
        ("iq.tls.binary", iq.tls.binary),
    ] {
        let Some(listen) = listen.0 else { continue };
        let shared = realm.addresses.iter().any(|&a| a == listen.ip() || listen.ip().is_unspecified());
        if shared && realm.ports.contains(listen.port()) {
            found.push(Problem::error(
                &key,
                format!("{} holds the port of {what} = \"{listen}\"", realm.ports),
            ));
        }
    }
}

fn range(found: &mut Vec<Problem>, key: &str, value: u64, least: u64, most: u64) {
    if !(least..=most).contains(&value) {
        found.push(Problem::error(key, format!("{value} is not between {least} and {most}")));
    }
}

fn names(found: &mut Vec<Problem>, key: &str, given: &[String], known: &[&str], least: usize) {
    if given.len() < least {
        found.push(Problem::error(key, format!("is empty: choose from {}", known.join(", "))));
    }
    for name in given.iter().filter(|name| !known.contains(&name.as_str())) {
        found.push(Problem::error(key, format!("`{name}` is not known: choose from {}", known.join(", "))));
    }
}

#[cfg(test)]
mod tests {
    use super::super::load::{Severity, load_text};
    use super::*;

    fn first(set: &[&str]) -> Problem {
        let set: Vec<String> = set.iter().map(|&s| s.to_owned()).collect();
        let found = load_text("default", "", &set).problems;
        assert!(!found.is_empty(), "{set:?} has no problem");
        found[0].problem.clone()
    }

    #[test]
    fn unprotected_iq_beyond_loopback_is_a_warning() {
        let problem = first(&["iq.text=10.0.0.5:2944", "iq.controllers=[\"udp:10.0.0.1:2944\"]"]);
        assert_eq!((problem.severity, problem.key.as_str()), (Severity::Warning, "iq.protected_by"));
        let set =
            ["iq.text=10.0.0.5:2944", "iq.controllers=[\"udp:10.0.0.1:2944\"]", "iq.protected_by=ipsec"];
        assert!(load_text("default", "", &set.map(str::to_owned)).problems.is_empty());
    }

    #[test]
    fn realms_that_share_ports_are_refused() {
        let problem = first(&["realm.core.ports=19998-29999"]);
        assert_eq!(problem.severity, Severity::Error);
        assert!(problem.what.contains("overlaps"), "{}", problem.what);
        assert!(first(&["realm.core.ports=2000-3000"]).what.contains("holds the port of iq.text"));
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for set in [
            "workers=129",
            "realm.core.dscp=64",
            "realm.core.addresses=[]",
            "realm.core.addresses=[\"0.0.0.0\"]",
            "realm.core.advertise=[\"192.0.2.1\",\"192.0.2.2\"]",
            "realm.access.default=true",
            "realm.core.side=access",
            "srtp.suites=[]",
            "srtp.replay_window=63",
            "iq.profile=nonsense",
            "tcp.connect_ms=0",
            "tcp.accept_ms=0",
            "tcp.linger_ms=0",
            "tcp.idle_s=86401",
            "tcp.socket_buffer=8KiB",
            "tcp.socket_buffer=0",
            "tcp.unproven=0",
            "tcp.unproven=9",
            "tcp.unproven_per_worker=63",
            "tcp.give_way_ms=120001",
            "tls.handshake_bytes=4095",
            "tls.versions=[\"1.1\"]",
            "tls.versions=[]",
            "tls.suites=[\"TLS_RSA_WITH_NULL_SHA256\"]",
            "tls.suites=[\"TLS_AES_128_GCM_SHA256\"]",
            "dtls.versions=[\"1.0\"]",
            "realm.access.dtls_engine=gnutls",
            "dtls.suites=[\"TLS_AES_128_GCM_SHA256\"]",
            "tls.msrp_fingerprint_hashes=[\"md5\"]",
            "tls.fingerprint_wait_ms=60001",
            "tls.certificates_ready=1025",
            "io.backend=xdp",
            "limits.contexts=0",
            "limits.emergency_reserve=51",
            "limits.high_priority=17",
            "limits.overload.busy_percent=[90,101]",
            "limits.overload.lag_ms=[100,50]",
        ] {
            assert_eq!(first(&[set]).severity, Severity::Error, "{set}");
        }
    }
}
