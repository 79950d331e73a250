//! `a=crypto` values from a controller: read or refused, and what was read means the same once printed (SRTP-11).
#![no_main]

use agw_srtp::CryptoAttribute;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(read) = CryptoAttribute::parse(text) {
        assert!(CryptoAttribute::parse(&read.print()).is_ok_and(|again| again == read));
    }
});
