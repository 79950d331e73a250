//! Reading and writing H.248, ours beside Erlang/OTP megaco's for text (the baseline of the ratios), on the messages that make and end a
//! call.
//!
//! `cargo bench -p benches --bench iq` prints median nanoseconds per message, and ratios to megaco.

use agw_iq::ber::{self, Naming};
use agw_iq::text::{Style, parse, print};
use benches::harness::median;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

const BLOCKS: usize = 41;
const MESSAGES_PER_BLOCK: u32 = 500;
const MESSAGES: [&str; 4] =
    ["03_add_wild_srtp_rtp", "04_add_reply", "10_modify_reply", "12_subtract_stats_reply"];

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../agw-iq/tests/vectors/otp")
}

fn time(mut work: impl FnMut()) -> f64 {
    let mut block = || {
        let start = Instant::now();
        (0..MESSAGES_PER_BLOCK).for_each(|_| work());
        start.elapsed().as_nanos() as f64 / f64::from(MESSAGES_PER_BLOCK)
    };
    block();
    median(&mut (0..BLOCKS).map(|_| block()).collect::<Vec<_>>())
}

/// Megaco's median nanoseconds for decoding and encoding, or nothing when Erlang is not installed.
fn megaco(style: &str, file: &Path) -> Option<(f64, f64)> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/megaco_bench.escript");
    let output = Command::new("escript").arg(script).arg(style).arg(file).arg("2000").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (decode, encode) = text.trim().split_once(' ')?;
    Some((decode.parse().ok()?, encode.parse().ok()?))
}

fn row(message: &str, operation: &str, bytes: usize, ours: f64, theirs: Option<f64>) {
    let (theirs, ratio) = theirs.map_or_else(
        || ("-".to_owned(), "-".to_owned()),
        |theirs| (format!("{theirs:.0}"), format!("{:.3}", ours / theirs)),
    );
    println!("{message:<34} {operation:<6} {bytes:>6} {ours:>8.0} {theirs:>8} {ratio:>14}");
}

/// The same message in BER, values with a BER of their own.
fn binary(name: &str) {
    let digits = std::fs::read_to_string(vectors().join(format!("{name}.berstd.hex")));
    let digits = digits.expect("the vectors are part of the project");
    let pair = |at| u8::from_str_radix(digits.get(at..at + 2).unwrap_or_default(), 16).expect("digits");
    let octets: Vec<u8> = (0..digits.trim().len()).step_by(2).map(pair).collect();
    let naming = Naming::default();
    let message = ber::parse_strictly(&octets, &naming).expect("a good message");
    let label = format!("{name}.ber");
    let parsing = time(|| drop(black_box(ber::parse(black_box(&octets), &naming))));
    row(&label, "parse", octets.len(), parsing, None);
    let printing = time(|| drop(black_box(ber::print(black_box(&message), &naming))));
    row(&label, "print", octets.len(), printing, None);
}

fn main() {
    println!("median ns per message, one thread\n");
    println!(
        "{:<34} {:<6} {:>6} {:>8} {:>8} {:>14}",
        "message", "", "bytes", "agw-iq", "megaco", "agw : megaco"
    );
    for name in MESSAGES {
        for (extension, style) in [("pretty", Style::Pretty), ("compact", Style::Compact)] {
            let file = vectors().join(format!("{name}.{extension}"));
            let text = std::fs::read(&file).expect("the vectors are part of the project");
            let message = parse(&text).expect("a good message").complete().expect("good transactions");
            let theirs = megaco(extension, &file);
            let label = format!("{name}.{extension}");
            let parsing = time(|| drop(black_box(parse(black_box(&text)))));
            row(&label, "parse", text.len(), parsing, theirs.map(|(decode, _)| decode));
            let printing = time(|| drop(black_box(print(black_box(&message), style))));
            row(&label, "print", text.len(), printing, theirs.map(|(_, encode)| encode));
        }
        binary(name);
    }
}
