//! Properties of reader and printer together.

use agw_core::model::RealmName;
use proptest::prelude::*;

use super::*;
use crate::codec::MAX_MESSAGE_BYTES;
use crate::package::{diffserv::DscpForm, realm::Realms};
use crate::{testing, text};

fn naming() -> Naming {
    let realms = ["access", "core"].iter().filter_map(|name| RealmName::new(name)).collect();
    Naming::of(&Realms::new(realms), DscpForm::default())
}

/// The same elements with an indefinite length wherever there may be one.
fn with_indefinite_lengths(mut input: &[u8], out: &mut Vec<u8>) {
    while let [tag, first, rest @ ..] = input {
        let (length, rest) = match usize::from(*first) {
            length @ 0..0x80 => (length, rest),
            count => {
                let (digits, rest) = rest.split_at(count - 0x80);
                (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
            }
        };
        let (body, rest) = rest.split_at(length);
        if tag & 0x20 == 0 {
            out.extend_from_slice(&input[..input.len() - rest.len()]);
        } else {
            out.extend([*tag, 0x80]);
            with_indefinite_lengths(body, out);
            out.extend([0, 0]);
        }
        input = rest;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, max_global_rejects: 100_000, ..ProptestConfig::default() })]

    #[test]
    fn tree_octets_and_text_agree(message in testing::binary_message()) {
        let octets = print(&message, &naming()).expect("a message with a binary form");
        prop_assume!(octets.len() <= MAX_MESSAGE_BYTES);
        let again = parse_strictly(&octets, &naming());
        prop_assert_eq!(again.as_ref(), Ok(&message));
        let words = text::print(&message, text::Style::Compact);
        prop_assume!(words.len() <= MAX_MESSAGE_BYTES);
        let from_text = text::parse_strictly(words.as_bytes());
        prop_assert_eq!(from_text.as_ref(), Ok(&message), "{}", words.as_str());
    }

    #[test]
    fn indefinite_lengths_change_nothing(message in testing::binary_message()) {
        let octets = print(&message, &naming()).expect("a message with a binary form");
        let mut indefinite = Vec::new();
        with_indefinite_lengths(&octets, &mut indefinite);
        prop_assume!(indefinite.len() <= MAX_MESSAGE_BYTES);
        prop_assert_eq!(parse_strictly(&indefinite, &naming()), Ok(message));
    }

    #[test]
    fn arbitrary_octets_never_panic(input in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&input, &naming());
    }

    #[test]
    fn a_good_message_with_octets_changed_never_panics(
        message in testing::binary_message(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut octets = print(&message, &naming()).expect("a message with a binary form").to_vec();
        for (index, octet) in changes {
            let at = index.index(octets.len());
            octets[at] = octet;
        }
        // Whatever is still read is a message like any other.
        if let Ok(parsed) = parse(&octets, &naming()) {
            let printed = print(&parsed.message, &naming());
            prop_assert!(printed.is_ok(), "{printed:?}");
            let printed = printed.unwrap_or_default();
            if parsed.errors.is_empty() && printed.len() <= MAX_MESSAGE_BYTES {
                prop_assert_eq!(parse_strictly(&printed, &naming()), Ok(parsed.message));
            }
        }
    }

    #[test]
    fn a_message_cut_short_is_an_error(message in testing::binary_message(), cut in any::<prop::sample::Index>()) {
        let octets = print(&message, &naming()).expect("a message with a binary form");
        prop_assert!(parse(&octets[..cut.index(octets.len())], &naming()).is_err());
        let mut indefinite = Vec::new();
        with_indefinite_lengths(&octets, &mut indefinite);
        prop_assert!(parse(&indefinite[..cut.index(indefinite.len())], &naming()).is_err());
    }
}
