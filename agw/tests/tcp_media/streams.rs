//! MSRP that does not end: heads, and small chunks that the gateway makes larger, for a reader that takes nothing.

use crate::common::{Gateway, eventually, peak_bytes};
use crate::ground::{Beside, Line, connected, is_over};
use agw_core::flow::tcp::BUFFER_BYTES;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

#[test]
fn heads_of_msrp_without_end_end_the_stream_and_nothing_is_kept_of_them() {
    let gateway = Gateway::start(&[]);
    let beside = Beside::start(&gateway);
    let mut controller = gateway.controller();
    let start = b"MSRP a786hjs2 SEND\r\n";
    let cases = [
        (&b"X: "[..], "line_too_long"),
        (b"Subject: a header more\r\n", "headers_too_long"),
        (b"\0", "header"),
        (b" folded", "header"),
    ];
    let mut before = 0;
    for (number, (piece, reason)) in (0..5).flat_map(|_| cases).enumerate() {
        if number == cases.len() {
            // What any first stream brings into memory is there.
            before = peak_bytes(gateway.pid());
        }
        let line = Line::msrp(&mut controller);
        let (mut phone, core) = (connected(line.access), connected(line.core));
        phone.write_all(start).unwrap();
        // Until it is reset; a megabyte is far more than any limit.
        let piece = if reason == "header" { [piece, b"\r\n"].concat() } else { piece.to_vec() };
        for _ in 0..(1 << 20) / piece.len() {
            if phone.write_all(&piece).is_err() {
                break;
            }
        }
        assert!(is_over(&phone) && is_over(&core), "{reason}");
        let labels = ["leg=\"access\"", "application=\"msrp\"", &format!("reason=\"{reason}\"")];
        let times = (number / cases.len() + 1) as f64;
        eventually(reason, || {
            (gateway.metric("agw_streams_malformed_total", &labels) >= times).then_some(())
        });
    }
    let grown = peak_bytes(gateway.pid()).saturating_sub(before);
    assert!(grown < 8 * BUFFER_BYTES + (1 << 20), "{grown} bytes more");
    beside.was_not_disturbed();
}

/// What every small chunk ends with.
const END: &str = "\r\n\r\na\r\n-------t1+\r\n";

/// Reads until so many chunks are there.
fn read_chunks(mut from: &TcpStream, text: &mut String, chunks: usize) {
    let mut buffer = vec![0; 1 << 16];
    while text.matches(END).count() < chunks {
        let came = from.read(&mut buffer).expect("the rest comes");
        assert!(came > 0, "it ended");
        text.push_str(std::str::from_utf8(&buffer[..came]).unwrap());
    }
}

/// Each is a message that gets longer on its way, by our path and the peer's; the reader takes nothing until the writer can write no more.
#[test]
fn a_bomb_of_small_chunks_waits_with_its_sender_and_arrives_whole() {
    let gateway = Gateway::start(&[]);
    let beside = Beside::start(&gateway);
    let line = Line::msrp(&mut gateway.controller());
    let (mut phone, core) = (connected(line.access), connected(line.core));
    let chunk = format!(
        "MSRP t1 SEND\r\nTo-Path: {}\r\nFrom-Path: msrp://p/s;tcp\r\nMessage-ID: m\r\nByte-Range: 1-1/*\r\n\r\na\r\n-------t1+\r\n",
        line.paths[0]
    );
    let many = chunk.repeat(100);
    // Once, so that what any first stream brings into memory is there.
    phone.write_all(many.as_bytes()).unwrap();
    let mut text = String::new();
    read_chunks(&core, &mut text, 100);
    gateway.metric("agw_stream_buffer_bytes", &[]);
    let before = peak_bytes(gateway.pid());
    phone.set_nonblocking(true).unwrap();
    let (mut written, mut waited) = (0, 0);
    while waited < 50 {
        match phone.write(&many.as_bytes()[written % many.len()..]) {
            Ok(more) => (written, waited) = (written + more, 0),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                waited += 1;
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(error) => panic!("{error}"),
        }
        assert!(written < 64 << 20, "the sender is never stopped");
    }
    let grown = peak_bytes(gateway.pid()).saturating_sub(before);
    assert!(grown < 8 * BUFFER_BYTES + (1 << 20), "{grown} bytes more");
    let held = gateway.metric("agw_stream_buffer_bytes", &[]);
    assert!(held > 0.0 && held <= 12.0 * BUFFER_BYTES as f64, "{held} bytes");

    phone.set_nonblocking(false).unwrap();
    let left = &many.as_bytes()[written % many.len()..];
    let sender = std::thread::spawn({
        let left = left.to_vec();
        move || phone.write_all(&left).map(|()| phone)
    });
    let chunks = 100 + (written + left.len()) / chunk.len();
    read_chunks(&core, &mut text, chunks);
    sender.join().unwrap().unwrap();
    assert_eq!(text.matches("MSRP t1 SEND\r\n").count(), chunks);
    assert!(
        text.starts_with("MSRP t1 SEND\r\nTo-Path: msrp://core.example:2855/s1;tcp\r\nFrom-Path: msrp://")
    );
    assert!(text.ends_with(END));
    let counted = gateway.metric("agw_msrp_chunks_total", &["leg=\"access\""]);
    assert_eq!(counted, chunks as f64);
    beside.was_not_disturbed();
}
