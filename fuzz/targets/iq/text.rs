//! Messages from a controller: any octets are read or refused, and what was read says the same once printed, in both styles.
#![no_main]

use agw_iq::text::{MAX_MESSAGE_BYTES, Style, parse, parse_strictly, print};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(parsed) = parse(input) else { return };
    // A message all of whose transactions were refused has no body to print.
    if !parsed.errors.is_empty() {
        return;
    }
    for style in [Style::Pretty, Style::Compact] {
        let text = print(&parsed.message, style);
        // Indentation may make a message longer than one that is read.
        if text.len() <= MAX_MESSAGE_BYTES {
            assert_eq!(parse_strictly(text.as_bytes()).as_ref(), Ok(&parsed.message));
        }
    }
});
