//! A controller dies in the middle of a call (H.248.1 section 11.5), another takes over, hands back to a first one that is there again, and
//! that one reconciles: it audits all contexts and subtracts what it does not know. The controllers are Erlang/OTP megaco; both ends of the
//! call send all the while, and every packet of theirs arrives.

use interop::gateway::Gateway;
use interop::peers::{Dialect, Megaco};
use interop::ports;
use interop::process::Peer;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(90);
const DIALECT: Dialect = Dialect { transport: "tcp", encoding: "pretty", version: 2 };

/// One end of the call: it sends a numbered packet now and then and counts what comes.
struct End {
    stop: Arc<AtomicBool>,
    /// How many were sent, and the numbers that came.
    thread: JoinHandle<(u32, Vec<u32>)>,
}

impl End {
    fn start(socket: UdpSocket, to: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        socket.set_read_timeout(Some(Duration::from_millis(5))).expect("a time limit is accepted");
        let thread = std::thread::spawn(move || {
            let (mut sent, mut came, mut buffer) = (0_u32, Vec::new(), [0; 2048]);
            // What is under way when sending ends is waited for.
            let mut quiet = 0;
            while quiet < 100 {
                if !stopped.load(Ordering::Relaxed) {
                    socket.send_to(&rtp(sent), to).expect("loopback takes a packet");
                    sent += 1;
                }
                match socket.recv(&mut buffer) {
                    Ok(length) => {
                        quiet = 0;
                        let number = buffer.get(12..length.min(16)).and_then(|bytes| bytes.try_into().ok());
                        came.push(number.map_or(u32::MAX, u32::from_be_bytes));
                    }
                    Err(_) => quiet += u32::from(stopped.load(Ordering::Relaxed)),
                }
            }
            (sent, came)
        });
        Self { stop, thread }
    }

    fn stop(self) -> (u32, Vec<u32>) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the end does not panic")
    }
}

/// A packet of RTP whose payload is its number.
fn rtp(number: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 8];
    packet.extend_from_slice(&(number as u16).to_be_bytes());
    packet.extend_from_slice(&number.wrapping_mul(160).to_be_bytes());
    packet.extend_from_slice(&0x0BAD_CAFE_u32.to_be_bytes());
    packet.extend_from_slice(&number.to_be_bytes());
    packet
}

/// A script for the controller, in a file that goes with the value.
struct Script(PathBuf);

impl Script {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("agw-failover-{}-{name}.h248", std::process::id()));
        std::fs::write(&path, text).expect("the temporary folder can be written");
        Self(path)
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // It may be gone already; that is as good.
        let _gone = std::fs::remove_file(&self.0);
    }
}

fn add(realm: &str, remote: SocketAddr) -> String {
    format!(
        "Add = ip/1/{realm}/$ {{ Media {{ Stream = 1 {{ LocalControl {{ Mode = SendReceive }}, Local {{\nv=0\nc=IN IP4 $\n\
         m=audio $ RTP/AVP 8\n}}, Remote {{\nv=0\nc=IN IP4 {}\nm=audio {} RTP/AVP 8\n}} }} }} }}",
        remote.ip(),
        remote.port()
    )
}

/// The addresses that a reply gives, in its order.
fn given(output: &str) -> Vec<SocketAddr> {
    let (mut found, mut ip) = (Vec::new(), "");
    for line in output.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("c=IN IP4 ").filter(|address| *address != "$") {
            ip = address;
        }
        let port = line.strip_prefix("m=audio ").and_then(|rest| rest.split(' ').next()?.parse().ok());
        if let (Some(port), Ok(ip)) = (port, ip.parse()) {
            found.push(SocketAddr::new(ip, port));
        }
    }
    found
}

fn controller(megaco: Megaco, port: u16, script: &Script) -> Peer {
    megaco.controller(DIALECT, port, &script.0, LIMIT).expect("escript starts")
}

fn must_say(peer: &mut Peer, words: &str) {
    peer.wait_for(words).unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn media_never_stops_while_controllers_die_take_over_and_hand_back_and_nothing_leaks() {
    let Some(megaco) = interop::require("erlang-megaco", Megaco::find) else { return };
    let (first, second) = (ports::free_port(), ports::free_port());
    let sockets = [(); 2].map(|()| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"));
    let remote = |at: usize| sockets[at].local_addr().expect("bound");
    let call = format!(
        "Context = $ {{ {}, {} }}\n---\n@sleep 80000\n",
        add("access", remote(0)),
        add("core", remote(1))
    );
    let call = Script::new("call", &call);
    // Both the list of contexts and what is in them; the first controller is designated when it is there again.
    let audits = "@expect Context = 1\nContext = * { AuditValue = ROOT { Audit { } } }\n---\n\
                  @expect ip/1/access/1\n@expect ip/1/core/2\nContext = * { AuditValue = * { Audit { } } }\n---\n";
    let take_over = Script::new("take-over", &format!("{audits}@sleep 80000\n"));
    let reconcile = Script::new(
        "reconcile",
        &format!("{audits}@sleep 5000\nContext = * {{ Subtract = * {{ Audit {{ Statistics }} }} }}\n"),
    );

    let dying = controller(megaco, first, &call);
    let gateway = Gateway::start(&format!(
        "[iq]\ncontrollers = [\"tcp:127.0.0.1:{first}\", \"tcp:127.0.0.1:{second}\"]\n"
    ));
    let local = addresses_of_the_call(&dying);
    let ends: Vec<_> = sockets.into_iter().zip(&local).map(|(socket, to)| End::start(socket, *to)).collect();

    let mut other = controller(megaco, second, &take_over);
    drop(dying);
    must_say(&mut other, "Method = Failover");
    must_say(&mut other, "909 MGC impending failure");
    must_say(&mut other, "AuditValue = ip/1/core/2");

    let mut back = controller(megaco, first, &reconcile);
    hand_off(gateway.iq(), first);
    must_say(&mut back, "Method = HandOff");
    must_say(&mut back, "903 MGC directed change");
    must_say(&mut back, "AuditValue = ip/1/core/2");
    ends.iter().for_each(|end| end.stop.store(true, Ordering::Relaxed));
    let carried: Vec<_> = ends.into_iter().map(End::stop).collect();
    let [(from_access, at_access), (from_core, at_core)] = carried.as_slice() else { panic!("two ends") };
    assert!(*from_access > 100 && *from_core > 100, "{from_access}, {from_core}");
    assert_eq!(*at_core, (0..*from_access).collect::<Vec<_>>(), "every packet, in order, once");
    assert_eq!(*at_access, (0..*from_core).collect::<Vec<_>>(), "every packet, in order, once");

    let output = back.wait().expect_success("audit and subtract");
    assert!(
        output.contains("Subtract = ip/1/access/1") && output.contains("Subtract = ip/1/core/2"),
        "{output}"
    );
    assert!(gateway.metric("agw_iq_events_total", &["event=\"association_lost\""]) >= 1.0);
    assert_eq!(gateway.metric("agw_contexts", &[]), 0.0);
    assert_eq!(gateway.metric("agw_ports_in_use", &[]), 0.0);
    assert!(!other.output().contains("!!!"), "{}", other.output());
    drop(other);
    gateway.stop();
}

/// Waits for the reply to the call that a controller's script sets up.
fn addresses_of_the_call(peer: &Peer) -> Vec<SocketAddr> {
    for _ in 0..3000 {
        let output = peer.output();
        let found = output.rsplit_once("<<< (").map(|(_, reply)| given(reply)).unwrap_or_default();
        if found.len() == 2 {
            return found;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("no call: {}", peer.output());
}

/// What the controller in command says when it goes: who shall command next. It comes from its host, which is all that counts.
fn hand_off(gateway: SocketAddr, to: u16) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a time limit is accepted");
    let order = format!(
        "MEGACO/2 <mgc.test> Transaction = 77 {{ Context = - {{ ServiceChange = ROOT {{ Services {{ Method = HandOff, \
         Reason = \"903 MGC Directed Change\", MgcIdToTry = [127.0.0.1]:{to} }} }} }} }}"
    );
    socket.send_to(order.as_bytes(), gateway).expect("loopback takes a packet");
    let mut buffer = [0; 2048];
    let length = socket.recv(&mut buffer).expect("an answer");
    let reply = String::from_utf8_lossy(&buffer[..length]).into_owned();
    assert!(!reply.contains("Error"), "{reply}");
}
