//! Whole calls through the real program, commanded with messages written by hand and carried by plain sockets.

mod common;

use common::{Gateway, context_of, eventually, given, media_end, plain_call, received, rtp, tpkt_text};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Sends packets both ways and sees them come out byte for byte.
fn media_flows(access: &std::net::UdpSocket, core: &std::net::UdpSocket, at: &[SocketAddr]) {
    for sequence in 0..20u16 {
        let packet = rtp(sequence, &[sequence as u8; 160]);
        access.send_to(&packet, at[0]).unwrap();
        assert_eq!(received(core), packet);
        let packet = rtp(sequence + 1000, b"the other way");
        core.send_to(&packet, at[1]).unwrap();
        assert_eq!(received(access), packet);
    }
}

#[test]
fn a_call_over_udp_carries_media_both_ways_and_returns_statistics() {
    let gateway = Gateway::start(&[]);
    let (access, core) = (media_end(), media_end());
    let mut controller = gateway.controller();
    let reply = controller.add_plain_call(access.local_addr().unwrap(), core.local_addr().unwrap());
    let at = given(&reply);
    assert_eq!(at.len(), 2, "{reply}");
    media_flows(&access, &core, &at);
    let context = context_of(&reply);
    let shown = gateway.ask(&["context", &context.to_string()]);
    for termination in 0..2 {
        let counters = &shown["terminations"][termination]["streams"][0]["counters"];
        assert_eq!(
            (&counters["packets_received"], &counters["packets_sent"]),
            (&20.into(), &20.into()),
            "{shown}"
        );
    }
    let ended = controller.transact(&format!("Context = {context} {{ Subtract = * }}"));
    assert!(ended.contains("rtp/ps") && ended.contains("rtp/pr") && ended.contains("20"), "{ended}");
    assert_eq!(gateway.metric("agw_contexts", &[]), 0.0);
}

#[test]
fn rates_and_filters_are_shown_and_what_is_too_fast_is_counted() {
    let gateway = Gateway::start(&[]);
    let (access, core) = (media_end(), media_end());
    let mut controller = gateway.controller();
    let reply = controller.add_plain_call(access.local_addr().unwrap(), core.local_addr().unwrap());
    let (at, context) = (given(&reply), context_of(&reply));
    // Of 200 octets a packet, ten at once and one an hour.
    let changed = controller.transact(&format!(
        "Context = {context} {{ Modify = ip/1/access/* {{ Media {{ Stream = 1 {{ LocalControl {{ tman/pol = ON,          tman/sdr = 1, tman/mbs = 2000, ds/tb = Copy, gm/saf = ON, gm/spf = ON, gm/sam = [\"127.0.0.0/8\", \"::1\"] }} }} }} }} }}"
    ));
    assert!(!changed.contains("Error"), "{changed}");
    for sequence in 0..30 {
        access.send_to(&rtp(sequence, &[0xd5; 160]), at[0]).unwrap();
    }
    for _ in 0..10 {
        received(&core);
    }
    let policed = || gateway.metric("agw_packets_dropped_total", &["leg=\"access\"", "reason=\"policed\""]);
    eventually("the rest is counted", || (policed() == 20.0).then_some(()));
    let shown = gateway.ask(&["context", &context.to_string()]);
    let stream = &shown["terminations"][0]["streams"][0];
    assert_eq!(stream["rates"]["sustained"], 1);
    assert_eq!((&stream["rates"]["burst"], &stream["rates"]["rtcp"]), (&2000.into(), &208.into()));
    assert_eq!(stream["sources"], "addresses 127.0.0.0/8, ::1; ports of the peer");
    assert_eq!(stream["dscp_copied"], true);
    let counters = &stream["counters"];
    assert_eq!((&counters["policed"], &counters["discarded"]), (&20.into(), &20.into()));
    let other = &shown["terminations"][1]["streams"][0];
    assert!(other.get("rates").is_none() && other.get("sources").is_none(), "{other}");
    let ended = controller.transact(&format!("Context = {context} {{ Subtract = * }}"));
    assert!(ended.contains("gm/dp = 20"), "{ended}");
}

#[test]
fn a_call_over_tcp_with_short_tokens_is_answered_in_kind() {
    let gateway = Gateway::start(&[]);
    let (access, core) = (media_end(), media_end());
    let mut stream = TcpStream::connect(gateway.iq).unwrap();
    stream.set_read_timeout(Some(common::PATIENCE)).unwrap();
    let mut transact =
        |id: u32, actions: &str| tpkt_text(&mut stream, &format!("!/2 [127.0.0.1] T={id}{{{actions}}}"));
    let long = plain_call(access.local_addr().unwrap(), core.local_addr().unwrap());
    let short = long.replace("Context = ", "C=").replace("Add = ", "A=").replace("Stream = ", "ST=");
    let reply = transact(1, &short);
    assert!(reply.starts_with("!/2 "), "long tokens in the reply to short ones: {reply}");
    media_flows(&access, &core, &given(&reply));
    let context = context_of(&reply);
    let ended = transact(2, &format!("C={context}{{S=*}}"));
    assert!(ended.contains("P=2{"), "{ended}");
    let status = gateway.ask(&["status"]);
    assert_eq!(status["contexts"], 0);
}

#[test]
fn the_sums_of_the_metrics_hold_and_every_drop_has_its_reason() {
    let gateway = Gateway::start(&[]);
    let (access, core) = (media_end(), media_end());
    let mut controller = gateway.controller();
    let reply = controller.add_plain_call(access.local_addr().unwrap(), core.local_addr().unwrap());
    let at = given(&reply);
    assert_eq!(at.len(), 2, "{reply}");
    media_flows(&access, &core, &at);
    let garbage = 7;
    for _ in 0..garbage {
        access.send_to(b"this is no RTP", at[0]).unwrap();
    }
    let dropped = || gateway.metric("agw_packets_dropped_total", &["leg=\"access\""]);
    eventually("the garbage is counted", || (dropped() >= f64::from(garbage)).then_some(()));
    let sum = |name: &str| gateway.metric(name, &[]);
    assert_eq!(sum("agw_packets_received_total"), 40.0 + f64::from(garbage));
    assert_eq!(sum("agw_packets_sent_total"), 40.0);
    assert_eq!(
        sum("agw_packets_received_total"),
        sum("agw_packets_sent_total") - sum("agw_packets_originated_total")
            + sum("agw_packets_consumed_total")
            + sum("agw_packets_dropped_total")
    );
    let drops = gateway.ask(&["drops"]);
    assert_eq!(drops[0]["reason"], "not_rtp");
    assert_eq!(drops[0]["packets"], garbage);
    assert_eq!(gateway.metric("agw_bytes_sent_total", &["leg=\"core\""]), 20.0 * 172.0);
    assert!(gateway.metric("agw_packet_residence_seconds_count", &[]) > 0.0, "nothing was sampled");
    assert_eq!(gateway.metric("agw_iq_commands_total", &["command=\"add\"", "result=\"ok\""]), 2.0);
    assert_eq!(gateway.metric("agw_terminations", &[]), 2.0);
    assert_eq!(gateway.metric("agw_streams", &["transport=\"RTP/AVP\""]), 2.0);
    assert_eq!(gateway.metric("agw_ports_in_use", &["realm=\"core\""]), 2.0);
}

#[test]
fn the_metrics_page_is_open_metrics_with_bounded_labels() {
    let gateway = Gateway::start(&[]);
    let (status, text) = gateway.get("/metrics");
    assert_eq!(status, 200);
    assert!(text.ends_with("# EOF\n"));
    let mut families = std::collections::HashSet::new();
    for line in text.lines() {
        if let Some(family) = line.strip_prefix("# TYPE ") {
            assert!(families.insert(family.to_owned()), "{family} comes twice");
            assert!(family.starts_with("agw_"), "{family}");
        }
        assert!(!line.contains("127."), "an address in {line}");
    }
    for (name, kind) in [
        ("agw_packets_received", "counter"),
        ("agw_packets_sent", "counter"),
        ("agw_packets_dropped", "counter"),
        ("agw_packets_consumed", "counter"),
        ("agw_packets_originated", "counter"),
        ("agw_bytes_received", "counter"),
        ("agw_bytes_sent", "counter"),
        ("agw_contexts", "gauge"),
        ("agw_terminations", "gauge"),
        ("agw_streams", "gauge"),
        ("agw_iq_transactions", "counter"),
        ("agw_iq_commands", "counter"),
        ("agw_iq_transaction_seconds", "histogram"),
        ("agw_packet_residence_seconds", "histogram"),
        ("agw_handshakes", "counter"),
        ("agw_handshake_seconds", "histogram"),
        ("agw_worker_busy_ratio", "gauge"),
        ("agw_ports_in_use", "gauge"),
        ("agw_ports_total", "gauge"),
        ("agw_rtp_lost", "counter"),
        ("agw_rtp_jitter_seconds", "histogram"),
        ("agw_build", "info"),
    ] {
        assert!(families.contains(&format!("{name} {kind}")), "{name} {kind} is missing");
    }
}

#[test]
fn a_thousand_contexts_come_in_pages() {
    let gateway = Gateway::start(&[]);
    let mut controller = gateway.controller();
    let end = media_end().local_addr().unwrap();
    for _ in 0..25 {
        let one = plain_call(end, end);
        let forty = vec![one; 40].join(", ");
        let reply = controller.transact(&forty);
        assert!(!reply.contains("Error"), "{reply}");
    }
    let page = gateway.json("/contexts?limit=10");
    assert_eq!(page["total"], 1000);
    assert_eq!(page["contexts"].as_array().unwrap().len(), 10);
    let next = page["next"].as_u64().unwrap();
    let second = gateway.json(&format!("/contexts?limit=10&after={next}"));
    assert!(second["contexts"][0]["id"].as_u64().unwrap() > next);
    let all = gateway.ask(&["contexts", "--limit", "5000"]);
    let ids: std::collections::BTreeSet<u64> =
        all["contexts"].as_array().unwrap().iter().map(|c| c["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), 1000, "contexts came twice or not at all");
    assert_eq!(all["next"], serde_json::Value::Null);
    let one = gateway.ask(&["context", &ids.first().unwrap().to_string()]);
    assert_eq!(one["terminations"][0]["streams"][0]["mode"], "SendReceive");
}

#[test]
fn keys_never_show_in_pages_logs_or_traces() {
    let key = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";
    let gateway = Gateway::start(&["log.level=debug"]);
    let after = gateway.json("/iq/trace")["next"].as_u64().unwrap();
    let mut controller = gateway.controller();
    let reply = controller.transact(&format!(
        "Context = $ {{ Add = ip/1/access/$ {{ Media {{ Stream = 1 {{ Local {{\nv=0\nc=IN IP4 $\nm=audio $ RTP/SAVP 8\n\
         a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}\n}} }} }} }} }}"
    ));
    assert!(reply.contains(key), "the reply echoes the key to its giver: {reply}");
    let wrong = controller.transact(&format!(
        "Context = $ {{ Add = ip/1/access/$ {{ Media {{ Stream = 1 {{ Local {{\nv=0\nc=IN IP4 $\nm=audio $ RTP/SAVP 8\n\
         a=crypto:1 ROT_13 inline:{key}\n}} }} }} }} }}"
    ));
    assert!(wrong.contains("Error") && !wrong.contains(key), "{wrong}");
    let trace = gateway.json(&format!("/iq/trace?after={after}"));
    assert!(trace["messages"].as_array().unwrap().len() >= 4, "{trace}");
    assert!(trace.to_string().contains("inline:***"));
    let mut seen = vec![gateway.log(), trace.to_string()];
    for page in ["/status", "/contexts", "/contexts/1", "/metrics", "/config", "/workers", "/drops"] {
        seen.push(gateway.get(page).1);
    }
    for text in seen {
        assert!(!text.contains(key), "a key in {text}");
    }
}

#[test]
fn a_flood_of_strangers_does_not_keep_the_controller_from_commanding() {
    let controller = std::net::UdpSocket::bind("127.0.0.2:0").unwrap();
    controller.set_read_timeout(Some(std::time::Duration::from_millis(500))).unwrap();
    let listed = format!("iq.controllers=[\"udp:{}\"]", controller.local_addr().unwrap());
    let gateway = Gateway::start(&[&listed]);
    let over = Arc::new(AtomicBool::new(false));
    let floods: Vec<_> = ["text", "binary"]
        .map(|name| {
            let (over, to) = (Arc::clone(&over), gateway.listening[name]);
            std::thread::spawn(move || {
                let stranger = std::net::UdpSocket::bind("127.0.0.3:0").unwrap();
                while !over.load(Ordering::Relaxed) {
                    let _ = stranger.send_to(&[b'{'; 1400], to);
                }
            })
        })
        .into();
    let strangers = || gateway.metric("agw_iq_events_total", &["event=\"stranger\""]);
    eventually("the flood is there", || (strangers() > 1000.0).then_some(()));
    let mut buffer = [0; 65_536];
    let mut next = |asked: &str| {
        let found = eventually(asked, || {
            let (length, from) = controller.recv_from(&mut buffer).ok()?;
            Some((String::from_utf8_lossy(&buffer[..length]).into_owned(), from))
        });
        assert!(found.0.contains(asked), "{}", found.0);
        found
    };
    let (asked, gateway_at) = next("ServiceChange");
    let id = asked.split("Transaction = ").nth(1).unwrap().split(' ').next().unwrap();
    let accepted = format!("MEGACO/2 <mgc.test> Reply = {id} {{ Context = - {{ ServiceChange = ROOT }} }}");
    eventually("it is ready", || {
        // What the flood leaves no room for in the socket is lost, as any datagram may be.
        controller.send_to(accepted.as_bytes(), gateway_at).unwrap();
        (gateway.get("/readyz").0 == 200).then_some(())
    });
    let began = strangers();
    let mut answered = 0;
    for id in 1..=20 {
        let audit = format!(
            "MEGACO/2 <mgc.test> Transaction = {id} {{ Context = - {{ AuditValue = ROOT {{ Audit {{ }} }} }} }}"
        );
        eventually("an answer", || {
            controller.send_to(audit.as_bytes(), gateway_at).unwrap();
            let mut buffer = [0; 65_536];
            let length = controller.recv(&mut buffer).ok()?;
            let reply = String::from_utf8_lossy(&buffer[..length]).into_owned();
            reply.contains(&format!("Reply = {id} ")).then_some(())
        });
        answered += 1;
    }
    assert!(answered == 20 && strangers() > began, "the flood went on meanwhile");
    over.store(true, Ordering::Relaxed);
    floods.into_iter().for_each(|flood| flood.join().unwrap());
}

#[test]
fn media_that_stop_are_told_to_the_controller_once_per_silence() {
    let gateway = Gateway::start(&[]);
    let (access, core) = (media_end(), media_end());
    let mut controller = gateway.controller();
    let reply = controller.add_plain_call(access.local_addr().unwrap(), core.local_addr().unwrap());
    let (at, context) = (given(&reply), context_of(&reply));
    let events = "Events = 7 { adid/ipstop { Stream = 1, dt = 1, dir = IN } }";
    let reply =
        controller.transact(&format!("Context = {context} {{ Modify = ip/1/access/* {{ {events} }} }}"));
    assert!(!reply.contains("Error"), "{reply}");
    for _ in 0..2 {
        media_flows(&access, &core, &at);
        let told = controller.notified("adid/ipstop");
        assert!(told.contains("ObservedEvents = 7") && told.contains("Notify = ip/1/access/"), "{told}");
        let shown = gateway.ask(&["context", &context.to_string()]);
        let counters = &shown["terminations"][0]["streams"][0]["counters"];
        assert!(counters["idle_in_ms"].as_u64().unwrap() >= 900, "{shown}");
    }
    assert!(gateway.metric("agw_iq_events_total", &["event=\"notify\""]) >= 2.0);
}
