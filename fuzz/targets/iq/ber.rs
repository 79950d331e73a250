//! Binary messages from a controller: any octets are read or refused, and what was read says the same once printed.
#![no_main]

use std::sync::LazyLock;

use agw_core::model::RealmName;
use agw_iq::ber::{Naming, parse, parse_strictly, print};
use agw_iq::codec::MAX_MESSAGE_BYTES;
use agw_iq::package::{diffserv::DscpForm, realm::Realms};
use libfuzzer_sys::fuzz_target;

static NAMING: LazyLock<Naming> = LazyLock::new(|| {
    let realms = ["access", "core"].iter().filter_map(|name| RealmName::new(name)).collect();
    Naming::of(&Realms::new(realms), DscpForm::default())
});

fuzz_target!(|input: &[u8]| {
    let Ok(parsed) = parse(input, &NAMING) else { return };
    let printed = print(&parsed.message, &NAMING).expect("what was read has a binary form");
    // A message all of whose transactions were refused is none to read again, and bare values grow.
    if parsed.errors.is_empty() && printed.len() <= MAX_MESSAGE_BYTES {
        assert_eq!(parse_strictly(&printed, &NAMING).as_ref(), Ok(&parsed.message));
    }
});
