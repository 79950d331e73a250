//! What MSRP costs per byte: bodies looked through for their end-line, beside a plain copy of the same bytes (the baseline of the ratios), which is the
//! least that a gateway between two sockets can do; and whole small messages with paths that are rewritten.
//!
//! `cargo bench -p benches --bench msrp` prints medians.

use agw_core::flow::msrp::{MsrpStream, Rewrite};
use benches::harness::median;
use std::hint::black_box;
use std::time::Instant;

/// What is read from a connection at once.
const READ_BYTES: usize = 16 << 10;
const BODY_BYTES: usize = 8 << 20;
const ROUNDS: usize = 31;

/// A message whose body has no runs, or is lines of text, or looks like an end-line everywhere.
fn message(body: impl Iterator<Item = u8>, bytes: usize) -> Vec<u8> {
    let mut message = b"MSRP d93kswow SEND\r\nTo-Path: msrps://192.0.2.1:10000/a;tcp\r\nFrom-Path: msrps://ue.example.net:2855/b;tcp\r\n\
        Message-ID: 12339sdqwer\r\nByte-Range: 1-*/*\r\nContent-Type: application/octet-stream\r\n\r\n"
        .to_vec();
    message.extend(body.take(bytes));
    message.extend_from_slice(b"\r\n-------d93kswow$\r\n");
    message
}

fn random() -> impl Iterator<Item = u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::from_fn(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        Some((state >> 32) as u8)
    })
}

/// Nanoseconds per byte.
fn time(bytes: usize, mut work: impl FnMut()) -> f64 {
    let mut round = || {
        let start = Instant::now();
        work();
        start.elapsed().as_nanos() as f64 / bytes as f64
    };
    round();
    median(&mut (0..ROUNDS).map(|_| round()).collect::<Vec<_>>())
}

fn copied(input: &[u8], output: &mut [u8]) {
    for piece in input.chunks(READ_BYTES) {
        output[..piece.len()].copy_from_slice(black_box(piece));
        black_box(&mut *output);
    }
}

fn transformed(stream: &mut MsrpStream, input: &[u8], output: &mut [u8]) {
    for piece in input.chunks(READ_BYTES) {
        let mut rest = piece;
        while !rest.is_empty() {
            let (taken, _) = stream.transform(black_box(rest), output).expect("MSRP");
            rest = &rest[taken..];
            black_box(&mut *output);
        }
    }
}

fn main() {
    let mut output = vec![0; READ_BYTES];
    let lines = b"a line of text, as people write them\r\n".iter().copied().cycle();
    let endings = b"\r\n-------d93kswo".iter().copied().cycle();
    let rows: [(&str, Vec<u8>); 3] = [
        ("binary body", message(random(), BODY_BYTES)),
        ("lines of text", message(lines, BODY_BYTES)),
        ("look-alikes of the end-line", message(endings, BODY_BYTES)),
    ];
    println!(
        "{:<30} {:>12} {:>12} {:>16}",
        "8 MiB in one chunk", "agw GB/s", "copy GB/s", "agw : copy (time)"
    );
    for (name, input) in &rows {
        let mut stream = MsrpStream::new(None);
        let copy = time(input.len(), || copied(input, &mut output));
        let ours = time(input.len(), || transformed(&mut stream, input, &mut output));
        println!("{name:<30} {:>12.2} {:>12.2} {:>16.2}", 1.0 / ours, 1.0 / copy, ours / copy);
    }
    let small = message(random(), 200);
    let many = small.repeat(10_000);
    let paths = Rewrite {
        to_path: "msrp://core.example.net:7777/c;tcp".into(),
        from_path: "msrp://192.0.2.2:20000/d;tcp".into(),
    };
    let mut stream = MsrpStream::new(Some(paths));
    let ours = time(many.len(), || transformed(&mut stream, &many, &mut output));
    println!("\nmessages of 200 bytes, paths rewritten: {:.0} ns each", ours * small.len() as f64);
}
