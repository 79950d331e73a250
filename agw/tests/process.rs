//! The process: signals, reload, drain, systemd, admin HTTP, and how it fails to start.

mod common;

use common::{Controller, Gateway, agw, context_of, eventually, media_end, tpkt_text};
use rustix::process::Signal;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::time::{Duration, Instant};

fn one_call(controller: &mut Controller) -> u32 {
    let end = media_end().local_addr().unwrap();
    context_of(&controller.add_plain_call(end, end))
}

#[test]
fn sigterm_without_calls_ends_at_once() {
    let mut gateway = Gateway::start(&[]);
    gateway.signal(Signal::TERM);
    assert!(gateway.ended().success());
}

#[test]
fn a_drain_refuses_new_calls_and_ends_with_the_last() {
    let mut gateway = Gateway::start(&[]);
    let mut controller = gateway.controller();
    let context = one_call(&mut controller);
    assert_eq!(gateway.get("/readyz").0, 200);
    let draining = gateway.ask(&["drain"]);
    assert_eq!((&draining["draining"], &draining["contexts"]), (&true.into(), &1.into()));
    assert_eq!(gateway.get("/readyz").0, 503);
    assert_eq!(gateway.get("/healthz").0, 200, "draining is no illness");
    let end = media_end().local_addr().unwrap();
    let refused = controller.add_plain_call(end, end);
    assert!(refused.contains("Error"), "{refused}");
    assert!(gateway.is_running());
    controller.transact(&format!("Context = {context} {{ Subtract = * }}"));
    assert!(gateway.ended().success());
}

#[test]
fn the_reply_that_ends_the_last_call_of_a_drain_still_goes_out_over_tcp() {
    let mut gateway = Gateway::start(&[]);
    let context = one_call(&mut gateway.controller());
    gateway.signal(Signal::TERM);
    gateway.logged("draining: no new calls are taken");
    let mut stream = TcpStream::connect(gateway.iq).unwrap();
    stream.set_read_timeout(Some(common::PATIENCE)).unwrap();
    let reply = tpkt_text(&mut stream, &format!("!/2 [127.0.0.1] T=77{{C={context}{{S=*}}}}"));
    assert!(reply.contains("P=77{") && !reply.contains("ER="), "{reply}");
    assert!(gateway.ended().success());
}

#[test]
fn a_drain_ends_at_its_deadline_and_a_second_signal_ends_at_once() {
    let mut patient = Gateway::start(&["drain_deadline_s=1"]);
    one_call(&mut patient.controller());
    let began = Instant::now();
    patient.signal(Signal::INT);
    assert!(patient.ended().success());
    assert!(began.elapsed() >= Duration::from_millis(900), "it did not wait for its call");

    let mut hurried = Gateway::start(&["drain_deadline_s=3600"]);
    one_call(&mut hurried.controller());
    hurried.signal(Signal::TERM);
    hurried.logged("draining: no new calls are taken");
    hurried.signal(Signal::TERM);
    assert!(hurried.ended().success());
}

#[test]
fn a_reload_applies_what_it_can_and_names_what_needs_a_restart() {
    let file = std::env::temp_dir().join(format!("agw-reload-{}.toml", std::process::id()));
    let path = file.to_str().unwrap().to_owned();
    std::fs::write(&file, "drain_deadline_s = 5\n").unwrap();
    let gateway = Gateway::with(&["-c", &path], &[], |_| {});
    std::fs::write(&file, "drain_deadline_s = 6\n[media]\nlatch = \"always\"\n").unwrap();
    gateway.signal(Signal::HUP);
    let waiting = gateway.logged("these keys have changed and need a restart");
    assert_eq!(waiting["keys"], "media.latch");
    assert_eq!(gateway.json("/config")["drain_deadline_s"], 6);
    assert_eq!(gateway.json("/config")["media"]["latch"], "signal", "it still runs with the old one");

    std::fs::write(&file, "drain_deadline_s = 7\nnonsense = true\n").unwrap();
    gateway.signal(Signal::HUP);
    gateway.logged("the configuration was not reloaded: the old one stays");
    assert!(gateway.log().contains(&format!("{path}:2: nonsense: unknown field")), "{}", gateway.log());
    assert_eq!(gateway.json("/config")["drain_deadline_s"], 6);
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn systemd_hears_ready_alive_reloading_and_stopping() {
    let path = std::env::temp_dir().join(format!("agw-notify-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(common::PATIENCE)).unwrap();
    let mut gateway = Gateway::with(&[], &[], |command| {
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "100000");
    });
    let hears = |wanted: &str| {
        let deadline = Instant::now() + common::PATIENCE;
        loop {
            let mut buffer = [0; 512];
            let length = socket.recv(&mut buffer).unwrap();
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.lines().any(|l| l == wanted) {
                return text;
            }
            assert!(Instant::now() < deadline, "never heard {wanted}");
        }
    };
    hears("READY=1");
    hears("WATCHDOG=1");
    gateway.signal(Signal::HUP);
    assert!(hears("RELOADING=1").contains("MONOTONIC_USEC="));
    hears("READY=1");
    gateway.signal(Signal::TERM);
    hears("STOPPING=1");
    assert!(gateway.ended().success());
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn it_is_ready_once_a_controller_has_taken_it() {
    let controller = UdpSocket::bind("127.0.0.1:0").unwrap();
    controller.set_read_timeout(Some(common::PATIENCE)).unwrap();
    let listed = format!("iq.controllers=[\"udp:{}\"]", controller.local_addr().unwrap());
    let gateway = Gateway::start(&[&listed, "iq.profile=\"AGW_TEST/1\""]);
    let mut buffer = [0; 4096];
    let (length, from) = controller.recv_from(&mut buffer).unwrap();
    let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
    assert_eq!(from, gateway.iq, "it registers from where it listens");
    assert!(request.contains("ServiceChange") && request.contains("AGW_TEST/1"), "{request}");
    assert_eq!(gateway.get("/readyz"), (503, "not registered with a controller\n".to_owned()));
    assert_eq!(gateway.ask(&["status"])["state"], "registering");
    let id = request.split("Transaction = ").nth(1).unwrap().split(' ').next().unwrap();
    let reply = format!("MEGACO/2 [127.0.0.1] Reply = {id} {{ Context = - {{ ServiceChange = ROOT }} }}");
    controller.send_to(reply.as_bytes(), from).unwrap();
    eventually("it is ready", || (gateway.get("/readyz").0 == 200).then_some(()));
    assert_eq!(gateway.ask(&["status"])["registered"], true);
    assert!(!gateway.log().contains("could not be sent"), "{}", gateway.log());
}

#[test]
fn what_cannot_start_says_why_in_one_line() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let text = format!("iq.text={}", taken.local_addr().unwrap());
    let output = agw(&["run", "--set", &text, "--set", "admin.listen=\"\""]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("agw: iq.text = "), "{said}");
    let output = agw(&["run", "--set", "iq.text=here"]);
    assert_eq!(output.status.code(), Some(1));
    let output = agw(&["status", "--admin", "127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stderr).lines().count(), 1);
}

/// A number of /proc/PID/status.
fn status(gateway: &Gateway, name: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).trim().parse().unwrap()
}

#[test]
fn what_would_stop_workers_for_milliseconds_is_done_before_calls_come() {
    let gateway = Gateway::start(&["realm.access.ports=20000-20999", "realm.core.ports=21000-21999"]);
    assert!(status(&gateway, "FDSize") >= 2000, "the table of descriptors grows while calls come");
    assert_eq!(status(&gateway, "THP_enabled"), 0, "memory comes in pages of 2 MB");
}

#[test]
fn admin_pages_refuse_what_is_not_theirs() {
    let gateway = Gateway::start(&[]);
    assert_eq!(gateway.get("/nonsense").0, 404);
    assert_eq!(gateway.get("/contexts/7").0, 404);
    assert_eq!(gateway.get("/contexts/seven").0, 400);
    assert_eq!(gateway.get("/contexts?after=x").0, 400);
    assert_eq!(gateway.get("/drain").0, 405);
    assert_eq!(gateway.http("POST", "/metrics", "").0, 405);
    assert_eq!(gateway.http("DELETE", "/contexts/1", "").0, 405);
    assert_eq!(gateway.http("POST", "/drain", "Origin: http://evil.example\r\n").0, 403);
    assert_eq!(gateway.get("/readyz").0, 200, "a web page could drain");
}

#[test]
fn admin_answers_while_clients_stall_and_garbage_comes() {
    let gateway = Gateway::start(&[]);
    let mut stalled: Vec<TcpStream> = (0..20).map(|_| TcpStream::connect(gateway.admin).unwrap()).collect();
    for stream in &mut stalled {
        // A request that never ends, and an answer that nobody reads.
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ").unwrap();
    }
    let mut garbage = TcpStream::connect(gateway.admin).unwrap();
    let _ = garbage.write_all(&[0xff; 100_000]);
    let mut rest = Vec::new();
    garbage.set_read_timeout(Some(common::PATIENCE)).unwrap();
    let _ = garbage.read_to_end(&mut rest);
    let began = Instant::now();
    assert_eq!(gateway.get("/healthz").0, 200);
    let end = media_end().local_addr().unwrap();
    let reply = gateway.controller().add_plain_call(end, end);
    assert!(!reply.contains("Error"), "{reply}");
    assert!(began.elapsed() < Duration::from_secs(4), "the stalled clients held it up");
}

#[test]
fn garbage_on_iq_is_counted_and_harms_nobody() {
    let gateway = Gateway::start(&["limits.rates.iq_messages_per_second=100"]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for n in 0..500u32 {
        socket.send_to(&n.to_be_bytes(), gateway.iq).unwrap();
    }
    let counted = |event: &str| gateway.metric("agw_iq_events_total", &[&format!("event=\"{event}\"")]);
    eventually("all of it is counted", || (counted("malformed") + counted("rate") >= 500.0).then_some(()));
    assert!(counted("rate") > 300.0, "the rate was not limited");
    let lines = gateway.log().lines().count();
    assert!(lines < 50, "{lines} log lines for one flood");
    let mut stream = TcpStream::connect(gateway.iq).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    stream.set_read_timeout(Some(common::PATIENCE)).unwrap();
    assert_eq!(stream.read(&mut [0; 16]).unwrap_or(0), 0, "what is not TPKT is closed");
    let end = media_end().local_addr().unwrap();
    let reply = gateway.controller().add_plain_call(end, end);
    assert!(!reply.contains("Error"), "{reply}");
}

#[test]
fn iq_send_prints_the_reply_with_keys_blanked_and_fails_on_an_error() {
    let gateway = Gateway::start(&[]);
    let send = |text: &str| {
        let file = std::env::temp_dir().join(format!("agw-send-{}-{}.h248", std::process::id(), text.len()));
        std::fs::write(&file, text).unwrap();
        let output = agw(&["iq", "send", file.to_str().unwrap(), "--to", &gateway.iq.to_string()]);
        std::fs::remove_file(&file).unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, shown) = send(
        "Context = $ { Add = ip/1/access/$ { Media { Stream = 1 { Local {\nv=0\nc=IN IP4 $\nm=audio $ RTP/SAVP 8\n\
         a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\n} } } } }",
    );
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("Add = ip/1/access/") && shown.contains("inline:***"), "{shown}");
    let (code, shown) = send("Context = 4711 { Subtract = ip/1/access/1 }");
    assert_eq!(code, Some(1));
    assert!(shown.contains("Error"), "{shown}");
    let (code, shown) = send("MEGACO/2 [127.0.0.1] Transaction = 1 { nonsense }");
    assert_eq!(code, Some(1));
    assert!(shown.contains("Error"), "{shown}");
}

#[test]
fn iq_trace_shows_messages_as_they_come() {
    let gateway = Gateway::start(&[]);
    let admin = gateway.admin.to_string();
    let tracing = std::process::Command::new(env!("CARGO_BIN_EXE_agw"))
        .args(["iq", "trace", "--json", "--count", "2", "--admin", &admin])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // Tracing begins with the first question; what came before it is not shown, so messages come until it has seen enough.
    let mut controller = gateway.controller();
    let mut tracing = Some(tracing);
    let output = eventually("the trace is full", || {
        controller.transact("Context = - { AuditValue = ROOT { Audit {} } }");
        let ended = tracing.as_mut().unwrap().try_wait().unwrap().is_some();
        ended.then(|| tracing.take().unwrap().wait_with_output().unwrap())
    });
    let lines: Vec<serde_json::Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["direction"], &lines[1]["direction"]), (&"received".into(), &"sent".into()));
    assert!(lines[1]["text"].as_str().unwrap().contains("Reply"));
}

#[test]
fn the_demo_loses_nothing() {
    for suite in ["AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM"] {
        let output = agw(&["demo", "--calls", "4", "--seconds", "1", "--suite", suite, "--json"]);
        let words = String::from_utf8_lossy(&output.stderr);
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).expect(&words);
        assert!(output.status.success(), "{said} {words}");
        for (key, value) in [("calls", 4), ("seconds", 1), ("lost", 0), ("corrupt", 0), ("refused", 0)] {
            assert_eq!(said[key], value, "{key} in {said}");
        }
        // A media end that was held up leaves packets out rather than sending them in a burst.
        let sent = said["sent"].as_u64().unwrap();
        assert!((1..=400).contains(&sent), "{said}");
        assert_eq!(said["received"], sent);
        assert!(said["setup"]["contexts_per_second"].as_f64().unwrap() > 0.0);
        for key in ["p50", "p99", "max"] {
            assert!(said["latency_us"][key].as_f64().unwrap() > 0.0);
        }
    }
    let output = agw(&["demo", "--suite", "ROT13"]);
    assert_eq!(output.status.code(), Some(2));
}

/// The files of a process that may not be dumped belong to root, whoever it runs as (proc(5)).
#[test]
fn the_process_cannot_be_dumped_or_debugged_by_its_own_user() {
    let mut program = std::path::PathBuf::from(env!("CARGO_BIN_EXE_agw"));
    let user = if rustix::process::geteuid().is_root() { Some(65_534) } else { None };
    let copy = std::env::temp_dir().join(format!("agw-undumpable-{}", std::process::id()));
    if user.is_some() {
        // The other user may not be able to reach the build directory.
        std::fs::copy(&program, &copy).unwrap();
        program.clone_from(&copy);
    }
    let gateway = Gateway::of(&program, &[], &[], |command| {
        if let Some(user) = user {
            command.uid(user).gid(user).current_dir("/");
        }
    });
    let owner = std::fs::metadata(format!("/proc/{}/environ", gateway.pid())).unwrap().uid();
    let _ = std::fs::remove_file(&copy);
    assert_eq!(owner, 0, "its own user could read its memory");
}

#[test]
fn workers_and_status_have_their_shapes() {
    let gateway = Gateway::start(&["workers=2"]);
    let workers = gateway.ask(&["workers"]);
    assert_eq!(workers.as_array().unwrap().len(), 2);
    for key in ["worker", "core", "flows", "busy_ratio", "packets"] {
        assert!(workers[0].get(key).is_some(), "{key} in {workers}");
    }
    let status = gateway.ask(&["status"]);
    assert_eq!((&status["state"], &status["workers"]), (&"ready".into(), &2.into()));
    assert_eq!(status["ports"]["access"]["total"], 10_000);
    assert_eq!(gateway.ask(&["drops"]), serde_json::json!([]));
    let _: SocketAddr = status["iq"].as_str().unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    let admin = gateway.admin.to_string();
    let table = agw(&["workers", "--admin", &admin]);
    assert!(String::from_utf8_lossy(&table.stdout).starts_with("WORKER"));
}
