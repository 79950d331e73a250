//! Whole calls in the binary encoding, over UDP and TCP, and two controllers that speak different ones.

mod common;

use common::{Binary, Gateway, a_call, agw, tpkt};
use std::io::Write;
use std::net::{SocketAddr, TcpStream, UdpSocket};

#[test]
fn a_call_over_udp_in_ber() {
    let gateway = Gateway::start(&[]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(gateway.listening["binary"]).unwrap();
    socket.set_read_timeout(Some(common::PATIENCE)).unwrap();
    let mut binary = Binary::default();
    a_call(|actions| {
        socket.send(&binary.request(actions)).unwrap();
        let mut buffer = [0; 65_536];
        let length = socket.recv(&mut buffer).unwrap();
        binary.reply(&buffer[..length])
    });
    assert_eq!(gateway.metric("agw_contexts", &[]), 0.0);
}

#[test]
fn a_call_over_tcp_in_ber() {
    let gateway = Gateway::start(&[]);
    let mut stream = TcpStream::connect(gateway.listening["binary"]).unwrap();
    stream.set_read_timeout(Some(common::PATIENCE)).unwrap();
    let mut binary = Binary::default();
    a_call(|actions| {
        let request = binary.request(actions);
        let reply = tpkt(&mut stream, &request);
        binary.reply(&reply)
    });
    // Two transactions are remembered until they are acknowledged or old.
    assert_eq!(gateway.metric("agw_iq_reply_cache_transactions", &[]), 2.0);
    assert!(gateway.metric("agw_iq_reply_cache_bytes", &[]) > 0.0);
}

#[test]
fn iq_send_speaks_ber_and_prints_text_and_the_trace_shows_it_without_keys() {
    let key = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";
    let gateway = Gateway::start(&[]);
    let after = gateway.json("/iq/trace")["next"].as_u64().unwrap();
    let file = std::env::temp_dir().join(format!("agw-ber-{}.txt", std::process::id()));
    let actions = format!(
        "Context = $ {{ Add = ip/1/access/$ {{ Media {{ Stream = 1 {{ Local {{\nv=0\nc=IN IP4 $\nm=audio $ RTP/SAVP 8\n\
         a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}\n}} }} }} }} }}"
    );
    std::fs::write(&file, actions).unwrap();
    let to = gateway.listening["binary"].to_string();
    let output = agw(&["iq", "send", file.to_str().unwrap(), "--to", &to, "--encoding", "ber"]);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed} {}", String::from_utf8_lossy(&output.stderr));
    assert!(printed.contains("Add = ip/1/access/") && printed.contains("inline:***"), "{printed}");
    let trace = gateway.json(&format!("/iq/trace?after={after}"));
    let texts: Vec<&str> =
        trace["messages"].as_array().unwrap().iter().map(|m| m["text"].as_str().unwrap()).collect();
    assert_eq!(texts.len(), 2, "{trace}");
    assert!(texts[0].contains("Add = ip/1/access/$") && texts[1].contains("Reply"), "{trace}");
    assert!(texts.iter().all(|text| text.contains("inline:***") && !text.contains(key)), "{trace}");
    std::fs::write(&file, "Context = $ { Add = ip/1/nowhere/$ }").unwrap();
    let output = agw(&["iq", "send", file.to_str().unwrap(), "--to", &to, "--encoding", "ber"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("no form"), "{said}");
    std::fs::remove_file(&file).unwrap();
}

/// Reads what the gateway asks of a controller and accepts its registration.
fn register(socket: &UdpSocket, read: impl Fn(&[u8]) -> String, accept: impl Fn(&str) -> Vec<u8>) {
    let mut buffer = [0; 65_536];
    let (length, from) = socket.recv_from(&mut buffer).unwrap();
    let asked = read(&buffer[..length]);
    assert!(asked.contains("ServiceChange") && asked.contains("ROOT"), "{asked}");
    let id = asked.split("Transaction = ").nth(1).unwrap().split(' ').next().unwrap();
    let reply = format!("MEGACO/2 <mgc.test> Reply = {id} {{ Context = - {{ ServiceChange = ROOT }} }}");
    socket.send_to(&accept(&reply), from).unwrap();
}

#[test]
fn each_controller_is_registered_with_in_its_own_encoding() {
    let listen = |ip: &str| {
        let socket = UdpSocket::bind((ip, 0)).unwrap();
        socket.set_read_timeout(Some(common::PATIENCE)).unwrap();
        socket
    };
    let (first, second) = (listen("127.0.0.1"), listen("127.0.0.1"));
    let at = |socket: &UdpSocket| -> SocketAddr { socket.local_addr().unwrap() };
    let listed = format!(
        "iq.controllers=[\"udp:{}?encoding=ber\", \"udp:{}?encoding=compact\"]",
        at(&first),
        at(&second)
    );
    let gateway = Gateway::start(&[&listed]);
    let mut binary = Binary::default();
    register(&first, |bytes| binary.text(bytes), |reply| binary.encoded(reply));
    common::eventually("it is ready", || (gateway.get("/readyz").0 == 200).then_some(()));
    // Commands in BER come from the first; what is said in text on the other port is answered in text.
    let mut buffer = [0; 65_536];
    first
        .send_to(
            &binary.request("Context = - { AuditValue = ROOT { Audit { } } }"),
            gateway.listening["binary"],
        )
        .unwrap();
    let length = first.recv(&mut buffer).unwrap();
    assert!(binary.reply(&buffer[..length]).contains("AuditValue = ROOT"));
    second.send_to(b"!/2 <other.test> T=9{C=-{AV=ROOT{AT{}}}}", gateway.listening["text"]).unwrap();
    let length = second.recv(&mut buffer).unwrap();
    assert!(String::from_utf8_lossy(&buffer[..length]).starts_with("!/2 "), "short tokens, as configured");
}

#[test]
fn what_is_no_ber_is_answered_with_an_error_in_ber() {
    let gateway = Gateway::start(&[]);
    let mut stream = TcpStream::connect(gateway.listening["binary"]).unwrap();
    stream.set_read_timeout(Some(common::PATIENCE)).unwrap();
    let answer = tpkt(&mut stream, b"MEGACO/2 <mgc> T=1{C=-{AV=ROOT{AT{}}}}");
    let text = Binary::default().text(&answer);
    assert!(text.contains("Error = 400"), "{text}");
    // A message of the greatest length that TPKT has, full of nothing.
    let mut packet = vec![3, 0, 0xff, 0xff];
    packet.resize(65_535, 0x30);
    stream.write_all(&packet).unwrap();
    let text = Binary::default().text(&common::tpkt_answer(&mut stream));
    assert!(text.contains("Error = 400"), "{text}");
}
