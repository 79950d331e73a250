//! SRTP cost one packet at a time: ours with parsing, rollover counter and replay window, beside the bare primitives of aws-lc-rs (the
//! baseline of the ratios) and OpenSSL, and beside Debian's libsrtp2, all in one run.
//!
//! `cargo bench -p benches --bench srtp [-- ROUNDS]` prints median nanoseconds per packet, and ratios to aws-lc-rs.

mod candidate;
mod libsrtp;
mod ours;
mod turns;

use agw_srtp::Suite;
use candidate::{AwsCounter, AwsGcm, Candidate, OpensslCounter, OpensslGcm};
use libsrtp::Libsrtp;
use ours::Ours;
use turns::{Operation, time};

const PACKET_BYTES: [usize; 3] = [60, 172, 1200];
const DEFAULT_ROUNDS: usize = 61;

fn boxed<C: Candidate + 'static>(candidate: Option<C>) -> Option<Box<dyn Candidate>> {
    candidate.map(|candidate| Box::new(candidate) as Box<dyn Candidate>)
}

fn candidates(suite: Suite) -> Vec<Box<dyn Candidate>> {
    let all = [
        boxed(Ours::new(suite)),
        boxed(AwsCounter::new(suite)),
        boxed(AwsGcm::new(suite)),
        boxed(OpensslCounter::new(suite)),
        boxed(OpensslGcm::new(suite)),
    ];
    all.into_iter().flatten().collect()
}

fn cell(nanoseconds: Option<f64>) -> String {
    nanoseconds.map_or_else(|| "-".to_owned(), |value| format!("{value:.0}"))
}

fn row(suite: Suite, operation: Operation, bytes: usize, rounds: usize, libsrtp: Option<&Libsrtp>) {
    let mut candidates = candidates(suite);
    let medians = time(&mut candidates, operation, bytes, rounds);
    let of = |name| candidates.iter().position(|candidate| candidate.name() == name).map(|at| medians[at]);
    let (ours, aws) = (of("agw-srtp"), of("aws-lc-rs"));
    let ratio = ours.zip(aws).map_or_else(|| "-".to_owned(), |(ours, aws)| format!("{:.2}", ours / aws));
    let libsrtp = libsrtp.and_then(|library| library.time(suite.name(), operation, bytes));
    println!(
        "{:<26} {:<9} {:>5} {:>9} {:>10} {:>8} {:>9} {:>16}",
        suite.name(),
        operation.as_str(),
        bytes,
        cell(ours),
        cell(aws),
        cell(of("OpenSSL")),
        cell(libsrtp),
        ratio
    );
}

fn main() {
    // Cargo passes --bench; a number sets the rounds.
    let rounds = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(DEFAULT_ROUNDS);
    let libsrtp = Libsrtp::build();
    println!("median ns per packet of {rounds} rounds in turns; aws-lc-rs and OpenSSL are bare primitives\n");
    println!(
        "{:<26} {:<9} {:>5} {:>9} {:>10} {:>8} {:>9} {:>16}",
        "suite", "operation", "bytes", "agw-srtp", "aws-lc-rs", "OpenSSL", "libsrtp2", "agw : aws-lc-rs"
    );
    for suite in Suite::ALL {
        for bytes in PACKET_BYTES {
            row(suite, Operation::Protect, bytes, rounds, libsrtp.as_ref());
            row(suite, Operation::Unprotect, bytes, rounds, libsrtp.as_ref());
        }
    }
}
