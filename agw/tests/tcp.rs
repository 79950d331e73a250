//! Media over TCP through the real program: real sockets at both ends, messages written by hand.

mod common;

use agw_core::flow::tcp::BUFFER_BYTES;
use common::{Gateway, PATIENCE, context_of, eventually, peak_bytes};
use loadtest::control::{GatewayAddress, Protocol};
use loadtest::msrp::{Load, MessageWay, MsrpRun};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// Two Adds; each side with what its Local and Remote say besides address and transport.
fn call(access: (&str, &str, SocketAddr), core: (&str, &str, SocketAddr)) -> String {
    let add = |realm: &str, (ours, theirs, end): (&str, &str, SocketAddr)| {
        format!(
            "Add = ip/1/{realm}/$ {{ Media {{ Stream = 1 {{ LocalControl {{ Mode = SendReceive }}, Local {{\nv=0\n\
             c=IN IP4 $\nm=application $ TCP *\n{ours}}}, Remote {{\nv=0\nc=IN IP4 {}\nm=application {} TCP *\n\
             {theirs}}} }} }} }}",
            end.ip(),
            end.port()
        )
    };
    format!("Context = $ {{ {}, {} }}", add("access", access), add("core", core))
}

/// The addresses that the gateway gave, in the order of the reply.
fn given(reply: &str) -> Vec<SocketAddr> {
    let mut ip = "";
    let mut found = Vec::new();
    for line in reply.lines().map(str::trim) {
        ip = line.strip_prefix("c=IN IP4 ").unwrap_or(ip);
        if let Some(media) = line.strip_prefix("m=application ") {
            found.push(format!("{ip}:{}", media.split(' ').next().unwrap()).parse().unwrap());
        }
    }
    found
}

fn connected(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&to, PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn accepted(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    let (stream, _) = eventually("the gateway connects", || listener.accept().ok());
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends all of it, and reads as much at the other end meanwhile.
fn crosses(mut from: &TcpStream, mut to: &TcpStream, len: usize) {
    let bytes: Vec<u8> = (0..len).map(|at| (at / 7) as u8).collect();
    let mut read = vec![0; len];
    std::thread::scope(|scope| {
        scope.spawn(|| from.write_all(&bytes).unwrap());
        to.read_exact(&mut read).unwrap();
    });
    assert!(read == bytes, "every byte in order");
}

#[test]
fn without_roles_the_first_who_connects_makes_the_gateway_connect_the_other_side() {
    let gateway = Gateway::start(&[]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (phone, far) = ("127.0.0.1:9".parse().unwrap(), listener.local_addr().unwrap());
    let mut controller = gateway.controller();
    let reply = controller.transact(&call(("", "", phone), ("", "", far)));
    let at = given(&reply);
    assert_eq!(at.len(), 2, "{reply}");

    let access = connected(at[0]);
    let core = accepted(&listener);
    assert_eq!(core.peer_addr().unwrap(), at[1], "from the port that was told");
    crosses(&access, &core, 3_000_000);
    crosses(&core, &access, 1_000_000);

    // Each half ends by itself, after what was sent before.
    (&access).write_all(b"last").unwrap();
    access.shutdown(Shutdown::Write).unwrap();
    let mut rest = String::new();
    (&core).read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "last");
    crosses(&core, &access, 1000);
    drop(core);
    assert_eq!((&access).read(&mut [0; 1]).unwrap(), 0);

    let moved = |name: &str, leg: &str| gateway.metric(name, &[&format!("leg=\"{leg}\"")]);
    eventually("all bytes are counted", || {
        (moved("agw_stream_bytes_received_total", "access") == 3_000_004.0).then_some(())
    });
    assert_eq!(moved("agw_stream_bytes_sent_total", "core"), 3_000_004.0);
    assert_eq!(moved("agw_stream_bytes_received_total", "core"), 1_001_000.0);
    assert_eq!(moved("agw_stream_bytes_sent_total", "access"), 1_001_000.0);
    let events = |leg: &str, event: &str| {
        let labels = [format!("leg=\"{leg}\""), format!("event=\"{event}\"")];
        gateway.metric("agw_connections_total", &[&labels[0], &labels[1]])
    };
    assert_eq!((events("access", "accepted"), events("core", "connected")), (1.0, 1.0));
    assert_eq!(gateway.metric("agw_streams", &["transport=\"TCP\""]), 2.0);

    let ended = controller.transact(&format!("Context = {} {{ Subtract = * }}", context_of(&reply)));
    assert!(!ended.contains("Error"), "{ended}");
    eventually("the ports are closed", || TcpStream::connect(at[0]).is_err().then_some(()));
}

#[test]
fn a_far_side_that_refuses_is_passed_on_and_so_is_a_stranger_turned_away() {
    let gateway = Gateway::start(&[]);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let phone: SocketAddr = "127.0.0.1:9".parse().unwrap();
    let mut controller = gateway.controller();
    let reply = controller.transact(&call(("", "", phone), ("", "", nobody)));
    let at = given(&reply);
    assert_eq!(at.len(), 2, "{reply}");
    let events = |event: &str| gateway.metric("agw_connections_total", &[&format!("event=\"{event}\"")]);

    // Somebody at another address than the one that was signalled.
    let stranger = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    stranger.bind(&SocketAddr::from(([127, 99, 1, 1], 0)).into()).unwrap();
    stranger.set_read_timeout(Some(PATIENCE)).unwrap();
    if stranger.connect(&at[1].into()).is_ok() {
        let end = (&stranger).read(&mut [0; 1]);
        assert!(!matches!(end, Ok(1..)), "{end:?}");
    }
    eventually("turned away", || (events("turned_away") == 1.0).then_some(()));

    // The reset may be quicker than the end of the phone's own call.
    let end = TcpStream::connect_timeout(&at[0], PATIENCE).and_then(|access| {
        access.set_read_timeout(Some(PATIENCE))?;
        (&access).read(&mut [0; 1])
    });
    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset, "as the far side did");
    eventually("refused", || (events("refused") == 1.0).then_some(()));
}

// TCP-4: back-pressure from reader to writer, through TLS and MSRP.
#[test]
fn megabytes_of_msrp_arrive_whole_through_tls_while_the_reader_stalls_and_memory_stays_small() {
    const MEGABYTES: u64 = 64;
    let gateway = Gateway::start(&[]);
    let run = |seconds| {
        let run = MsrpRun {
            gateway: GatewayAddress { protocol: Protocol::Iq, address: gateway.iq },
            calls: 1,
            load: Load::Messages {
                message_bytes: 1_000_000,
                chunk_bytes: 100_000,
                per_second: 0.0,
                way: MessageWay::ToCore,
                duration: Duration::from_secs(seconds),
                drain: PATIENCE,
                stall: Duration::from_millis(150),
            },
            secured: [true, false],
            pid: None,
            window: 1,
            threads: 2,
            ends: None,
            stop: Arc::default(),
        };
        let report = run.run(&mut |_| ()).unwrap();
        // Whether the generator kept its pace is not what is tested here.
        let wrong = [report.lost, report.corrupt, report.misdirected, report.duplicated, report.reordered];
        assert_eq!(wrong, [0; 5], "{report}");
        report.msrp.unwrap().bytes
    };
    // Once, so that what any first stream brings into memory is there.
    let mut passed = run(1);
    let before = peak_bytes(gateway.pid());
    for _ in 0..20 {
        if passed >= MEGABYTES << 20 {
            break;
        }
        passed += run(2);
    }
    assert!(passed >= MEGABYTES << 20, "{passed} bytes");
    // Four places where bytes can wait, both ways, and what the allocator makes of it.
    let grown = peak_bytes(gateway.pid()).saturating_sub(before);
    assert!(grown < 8 * BUFFER_BYTES + (1 << 20), "{grown} bytes more");
}
