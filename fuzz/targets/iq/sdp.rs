//! Session descriptions from a controller: any text is read or refused, and what was read means the same once printed.
#![no_main]

use agw_iq::sdp::SdpText;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &str| {
    if let Ok(read) = SdpText::new(raw).parse() {
        assert_eq!(read.print().parse().as_ref(), Ok(&read));
    }
});
