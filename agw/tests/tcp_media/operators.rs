//! What `agw context ID` and the admin pages say of connections and sessions.

use crate::common::{Gateway, agw, eventually};
use crate::ground::{Line, connected, phone, stranger};
use interop::peers::program;
use interop::process::Peer;
use loadtest::msrp::tls::Identity;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::process::Command;
use std::time::Duration;

/// The stream of the access side, and that of the core side.
fn streams(gateway: &Gateway, context: u32) -> [Value; 2] {
    let context = gateway.ask(&["context", &context.to_string()]);
    [0, 1].map(|side: usize| context["terminations"][side]["streams"][0].clone())
}

fn table(gateway: &Gateway, context: u32) -> String {
    let output = agw(&["context", &context.to_string(), "--admin", &gateway.admin.to_string()]);
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_connection_and_its_session_are_shown_from_beginning_to_end() {
    let gateway = Gateway::start(&[]);
    let identity = Identity::generate().unwrap();
    let line = Line::tls(&mut gateway.controller(), &identity.fingerprint);
    let shown = |side: usize, what: &str| {
        eventually(what, || {
            let stream = streams(&gateway, line.context)[side].clone();
            (stream["tcp"]["state"] == what).then_some(stream)
        })
    };
    assert_eq!(shown(0, "listening")["tcp"]["tls"], Value::Null);

    let _silent = stranger(line.access, 1);
    assert_eq!(shown(0, "handshaking")["tcp"]["unproven"], 1);
    let mut session = phone(&identity, line.access);
    let up = shown(0, "up");
    let tls = json!({ "role": "server", "version": "1.3", "suite": up["tcp"]["tls"]["suite"], "proven_by": "SHA-256" });
    assert_eq!(up["tcp"]["tls"], tls);
    assert_eq!(up["tcp"]["peer"], session.sock.local_addr().unwrap().to_string());
    assert_eq!((&up["connection"], &up["session"]), (&json!("established"), &json!("established")));
    let text = table(&gateway, line.context);
    assert!(
        text.contains("tls    1.3 TLS_") && text.contains("the peer is proven by its SHA-256 fingerprint"),
        "{text}"
    );

    // The core's peer has not come: what the phone says waits, and is seen to.
    session.write_all(&[b'x'; 1000]).unwrap();
    session.flush().unwrap();
    eventually("it waits", || {
        (streams(&gateway, line.context)[0]["tcp"]["waiting_in_bytes"] == 1000).then_some(())
    });
    let core = connected(line.core);
    let mut came = [0; 1000];
    (&core).read_exact(&mut came).unwrap();
    assert_eq!(shown(1, "up")["tcp"]["tls"], Value::Null);
    eventually("it has gone on", || {
        (streams(&gateway, line.context)[0]["tcp"]["waiting_in_bytes"] == 0).then_some(())
    });

    drop(session);
    drop(core);
    let over = shown(0, "over");
    assert!(over["session"].as_str().unwrap().starts_with("failed: "), "{over}");
    assert!(
        table(&gateway, line.context).contains("TLS failed: the connection ended before the session did")
    );
}

#[test]
fn the_example_of_messages_is_obeyed() {
    let gateway = Gateway::start(&[]);
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/examples/msrp.h248");
    let output = agw(&["iq", "send", example, "--to", &gateway.iq.to_string()]);
    let reply = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{reply}");
    assert!(reply.contains("a=path:msrps://") && reply.contains("a=fingerprint:SHA-256 "), "{reply}");
    let [access, core] = streams(&gateway, 1);
    assert_eq!((&access["transport"], &core["transport"]), (&json!("TCP/TLS/MSRP"), &json!("TCP/MSRP")));
    assert_eq!((&access["tcp"]["state"], &core["tcp"]["state"]), (&json!("listening"), &json!("idle")));
}

#[test]
fn a_peer_that_is_proven_by_a_key_is_shown_as_such() {
    if !agw_tls::Tls::knows_psk() {
        return; // Built without OpenSSL, the gateway refuses such streams.
    }
    let Some(_openssl) = interop::require("openssl", || program("openssl")) else { return };
    let gateway = Gateway::start(&[]);
    let line = Line::psk(&mut gateway.controller(), "AAECAwQFBgcICQoLDA0ODw==|alice");
    let words = format!(
        "sleep 20 | openssl s_client -connect {} -quiet -tls1_2 -psk_identity alice -psk 000102030405060708090a0b0c0d0e0f",
        line.access
    );
    let _phone = Peer::start(Command::new("sh").args(["-c", &words]), Duration::from_secs(60)).unwrap();
    eventually("it is up", || {
        let tls = streams(&gateway, line.context)[0]["tcp"]["tls"].clone();
        let is_shown = tls["proven_by"] == "key" && tls["version"] == "1.2";
        is_shown.then(|| assert!(tls["suite"].as_str().unwrap().contains("PSK"), "{tls}"))
    });
    let text = table(&gateway, line.context);
    assert!(text.contains("the peer is proven by its key") && !text.contains("000102"), "{text}");
}
