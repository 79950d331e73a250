//! Properties of reader and printer together.

use proptest::prelude::*;

use super::*;
use crate::testing;

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, max_global_rejects: 100_000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_is_read_to_the_same_tree(message in testing::message()) {
        for style in [Style::Pretty, Style::Compact] {
            let text = print(&message, style);
            prop_assume!(text.len() <= MAX_MESSAGE_BYTES);
            let again = parse_strictly(text.as_bytes());
            prop_assert_eq!(again.as_ref(), Ok(&message), "{}", text.as_str());
        }
    }

    #[test]
    fn comments_and_white_space_change_nothing(message in testing::message()) {
        let text = print(&message, Style::Compact);
        // Only where neither a string nor SDP stands can anything be put in blindly.
        prop_assume!(!text.contains('"') && !text.contains("L{") && !text.contains("R{"));
        let padded = text.replace('}', "\n}").replace(',', "\r\n,\t").replace('{', " ; comment } \" { \n\t{ ");
        prop_assert_eq!(parse_strictly(padded.as_bytes()), Ok(message), "{}", padded);
    }

    #[test]
    fn arbitrary_octets_never_panic(input in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&input);
    }

    #[test]
    fn a_good_message_with_octets_changed_never_panics(
        message in testing::message(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut octets = print(&message, Style::Compact).as_bytes().to_vec();
        for (index, octet) in changes {
            let at = index.index(octets.len());
            octets[at] = octet;
        }
        // Whatever is still read is a message like any other.
        if let Ok(parsed) = parse(&octets) {
            let text = print(&parsed.message, Style::Pretty);
            if parsed.errors.is_empty() && text.len() <= MAX_MESSAGE_BYTES {
                prop_assert_eq!(parse_strictly(text.as_bytes()), Ok(parsed.message), "{}", text.as_str());
            }
        }
    }

    #[test]
    fn a_message_cut_short_is_an_error_or_its_beginning(message in testing::message(), cut in any::<prop::sample::Index>()) {
        let text = print(&message, Style::Compact);
        let _ = parse(&text.as_bytes()[..cut.index(text.len())]);
    }
}

#[test]
fn events_of_a_reply_that_name_a_request_and_no_event_are_an_empty_descriptor() {
    // Found by fuzzing: it was read as events, and printed as what is read as empty.
    let asked = parse_strictly(b"MEGACO/2 [1.0.0.1]\nReply=7{C=4{A=t{E=2}}}");
    assert_eq!(asked, parse_strictly(b"MEGACO/2 [1.0.0.1]\nReply=7{C=4{A=t{E}}}"));
    assert!(asked.is_ok());
}

#[test]
fn pending_of_a_segment_is_refused() {
    // Found beside another implementation: the segment was read and forgotten.
    assert!(parse_strictly(b"!/3 gw PN=7{}").is_ok());
    assert!(parse_strictly(b"!/3 gw PN=7/2{}").is_err());
}

#[test]
fn the_tokens_of_version_3_are_spelled_as_the_other_stacks_spell_them() {
    let text = "MEGACO/3 gw Transaction = 1 { Context = 1 { ContextAudit { IEPSCall = ON, ORLgc }, Modify = a { Signals { a/b { Intersignal = 9 } } } } }";
    let message = parse_strictly(text.as_bytes()).expect("OTP writes it so");
    let pretty = print(&message, Style::Pretty);
    assert!(pretty.contains("Intersignal = 9") && pretty.contains("ORLgc"), "{}", pretty.as_str());
}
