//! Any datagram as a ClientHello: it is read or not, and what was read can be asked everything (DTLS-5).
#![no_main]

use agw_dtls::{ClientHello, SrtpProfile};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|datagram: &[u8]| {
    if let Some(hello) = ClientHello::parse(datagram) {
        let pair = [datagram[0], datagram[datagram.len() - 1]];
        let _ = hello.offers_13() | hello.offers_suite(&[pair]) | hello.takes_signature(&[pair]);
        if let Some(first) = hello.first_srtp(&SrtpProfile::ALL) {
            assert_eq!(hello.first_srtp(&[first]), Some(first));
        }
        // No shorter datagram says as much, or anything.
        assert!(datagram.len() > 60 && ClientHello::parse(&datagram[..60]).is_none());
    }
});
