//! What the parser takes, what it refuses and under which name, and that no key ever leaves by Debug or an error.

use proptest::prelude::*;

use super::*;
use crate::keys::{Lifetime, Mki};

/// The example of RFC 4568 section 6.1.
const EXAMPLE: &str =
    "1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:4 FEC_ORDER=FEC_SRTP";
const KEY: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

fn parse(text: &str) -> Result<CryptoAttribute, SdesError> {
    CryptoAttribute::parse(text)
}

fn with_key_info(info: &str) -> Result<CryptoAttribute, SdesError> {
    parse(&format!("1 AES_CM_128_HMAC_SHA1_80 inline:{info}"))
}

fn with_params(params: &str) -> Result<CryptoAttribute, SdesError> {
    parse(&format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} {params}"))
}

#[test]
fn the_example_of_the_rfc_is_understood() {
    let attribute = parse(EXAMPLE).unwrap();
    assert_eq!(attribute.tag(), 1);
    assert_eq!(attribute.suite(), Suite::AesCm128HmacSha1_80);
    let [key] = attribute.keys() else { panic!("one key") };
    assert_eq!([key.key(), key.salt()].concat(), b"wDfvg&T+)xG7@fb5jU,RaA}\\|p0%*#");
    assert_eq!(key.lifetime().map(Lifetime::count), Some(1 << 20));
    assert_eq!(key.mki(), Mki::new(1, 4));
    assert_eq!(attribute.params().fec_order, Some(FecOrder::FecSrtp));
    assert_eq!(attribute.print(), EXAMPLE);
}

#[test]
fn the_prefix_the_line_end_and_extra_blanks_make_no_difference() {
    let plain = parse(EXAMPLE).unwrap();
    assert_eq!(parse(&format!("a=crypto:{EXAMPLE}\r\n")), Ok(plain.clone()));
    assert_eq!(parse(&format!("crypto:{EXAMPLE}")), Ok(plain.clone()));
    assert_eq!(parse(&EXAMPLE.replace(' ', "  \t")), Ok(plain));
}

#[test]
fn an_mki_may_stand_without_a_lifetime() {
    let attribute = with_key_info("YUJDZGVmZ2hpSktMbW9QUXJzVHVWd3l6MTIzNDU2|1066:4").unwrap();
    assert_eq!(attribute.keys()[0].mki(), Mki::new(1066, 4));
    assert_eq!(attribute.keys()[0].lifetime(), None);
}

#[test]
fn several_keys_need_distinct_mkis_of_one_length() {
    let two = |second: &str| with_key_info(&format!("{KEY}|1:4;inline:{second}"));
    let other = "YUJDZGVmZ2hpSktMbW9QUXJzVHVWd3l6MTIzNDU2";
    assert_eq!(two(&format!("{other}|2:4")).unwrap().keys().len(), 2);
    assert_eq!(two(other), Err(SdesError::MkiMissing));
    assert_eq!(two(&format!("{other}|2:2")), Err(SdesError::MkiLengths));
    assert_eq!(two(&format!("{other}|1:4")), Err(SdesError::MkiTwice));
    assert_eq!(two(&format!("{KEY}|2:4")), Err(SdesError::KeyTwice));
}

#[test]
fn more_keys_than_the_limit_are_refused() {
    let keys: Vec<String> =
        (1..=9_u8).map(|n| format!("inline:{}|{n}:1", STANDARD.encode([n; 30]))).collect();
    let text = |count: usize| format!("1 AES_CM_128_HMAC_SHA1_80 {}", keys[..count].join(";"));
    assert!(parse(&text(8)).is_ok());
    assert_eq!(parse(&text(9)), Err(SdesError::TooManyKeys));
}

#[test]
fn each_broken_rule_has_its_name() {
    assert_eq!(parse(""), Err(SdesError::Missing("tag")));
    assert_eq!(parse("1"), Err(SdesError::Missing("suite")));
    assert_eq!(parse("1 AES_CM_128_HMAC_SHA1_80"), Err(SdesError::Missing("key")));
    assert_eq!(parse(&EXAMPLE.replacen('1', "01", 1)), Err(SdesError::Tag));
    assert_eq!(parse(&EXAMPLE.replacen('1', "1234567890", 1)), Err(SdesError::Tag));
    assert_eq!(parse(&EXAMPLE.replace("SHA1_80", "SHA1_64")), Err(SdesError::UnknownSuite));
    assert_eq!(parse(&EXAMPLE.replace("inline", "uri")), Err(SdesError::KeyMethod { key: 1 }));
    assert_eq!(parse(&EXAMPLE.replace("d0Rm", "d0R*")), Err(SdesError::Base64 { key: 1 }));
    assert_eq!(parse(&EXAMPLE.replace("d0Rm", "d0R\u{e9}")), Err(SdesError::Character));
    assert_eq!(parse(&"1 ".repeat(3000)), Err(SdesError::TooLong));
}

#[test]
fn a_key_of_the_wrong_length_is_refused_with_both_lengths() {
    let length = |found_bytes| SdesError::KeyLength {
        suite: Suite::AesCm128HmacSha1_80,
        expected_bytes: 30,
        found_bytes,
    };
    assert_eq!(with_key_info(&KEY[..36]), Err(length(27)));
    assert_eq!(with_key_info(&format!("{KEY}{KEY}")), Err(length(60)));
    assert_eq!(with_key_info(&KEY.repeat(20)), Err(length(600)));
    assert_eq!(with_key_info(""), Err(length(0)));
}

#[test]
fn padding_of_base64_may_be_there_or_not() {
    let secret = [7_u8; 28];
    let padded = STANDARD.encode(secret);
    assert!(padded.ends_with('='));
    let line = |key: &str| parse(&format!("1 AEAD_AES_128_GCM inline:{key}")).unwrap();
    assert_eq!(line(&padded), line(padded.trim_end_matches('=')));
}

#[test]
fn lifetimes_outside_their_range_are_refused() {
    for good in ["1", "2^0", "2^48", "281474976710656", "1000"] {
        assert!(with_key_info(&format!("{KEY}|{good}")).is_ok(), "{good}");
    }
    for bad in
        ["0", "2^49", "2^", "2^01", "281474976710657", "010", "-1", "", "2^-1", "1e3", "99999999999999999999"]
    {
        assert_eq!(with_key_info(&format!("{KEY}|{bad}")), Err(SdesError::Lifetime { key: 1 }), "{bad}");
    }
}

#[test]
fn identifiers_outside_their_range_are_refused() {
    for good in ["1:1", "255:1", "4294967295:4", "1:128"] {
        assert!(with_key_info(&format!("{KEY}|{good}")).is_ok(), "{good}");
    }
    for bad in ["1:0", "1:129", "256:1", "0:4", "01:4", "1:04", ":4", "1:", "x:4", "1:4:4"] {
        assert_eq!(with_key_info(&format!("{KEY}|{bad}")), Err(SdesError::Mki { key: 1 }), "{bad}");
    }
    assert_eq!(with_key_info(&format!("{KEY}|1:4|1:4")), Err(SdesError::KeyFields { key: 1 }));
    assert_eq!(with_key_info(&format!("{KEY}|2^20|2^20")), Err(SdesError::Mki { key: 1 }));
}

#[test]
fn session_parameters_are_read_and_printed_back() {
    let text = "KDR=24 UNENCRYPTED_SRTP UNENCRYPTED_SRTCP UNAUTHENTICATED_SRTP FEC_ORDER=SRTP_FEC \
                FEC_KEY=inline:YUJDZGVmZ2hpSktMbW9QUXJzVHVWd3l6MTIzNDU2 WSH=128";
    let attribute = with_params(text).unwrap();
    let params = attribute.params();
    assert_eq!(params.kdr, Some(24));
    assert!(params.unencrypted_srtp && params.unencrypted_srtcp && params.unauthenticated_srtp);
    assert_eq!(params.fec_order, Some(FecOrder::SrtpFec));
    assert_eq!(params.window_size_hint, Some(128));
    assert_eq!(attribute.fec_keys().len(), 1);
    assert_eq!(attribute.print(), format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} {text}"));
}

#[test]
fn session_parameters_with_wrong_values_are_refused() {
    for (text, name) in [
        ("KDR=25", "KDR"),
        ("KDR=01", "KDR"),
        ("KDR", "KDR"),
        ("WSH=63", "WSH"),
        ("WSH=0128", "WSH"),
        ("FEC_ORDER=FEC", "FEC_ORDER"),
        ("UNENCRYPTED_SRTP=1", "UNENCRYPTED_SRTP"),
    ] {
        assert_eq!(with_params(text), Err(SdesError::ParameterValue(name)), "{text}");
    }
    assert_eq!(with_params("KDR=1 KDR=1"), Err(SdesError::ParameterTwice("KDR")));
    assert_eq!(with_params(&format!("FEC_KEY=inline:{KEY}")), Err(SdesError::KeyTwice));
}

#[test]
fn an_unknown_parameter_is_refused_unless_a_dash_makes_it_optional() {
    assert_eq!(with_params("WSH=64 NEW=1"), Err(SdesError::UnknownParameter { position: 2 }));
    assert!(with_params("-NEW=1 WSH=64").is_ok());
    assert!(with_params("-KDR=99").is_ok());
}

#[test]
fn gcm_is_never_unencrypted_or_unauthenticated_for_rtp() {
    let gcm = |param: &str| parse(&format!("1 AEAD_AES_128_GCM inline:{} {param}", STANDARD.encode([1; 28])));
    for parameter in ["UNENCRYPTED_SRTP", "UNAUTHENTICATED_SRTP"] {
        let suite = Suite::AeadAes128Gcm;
        assert_eq!(gcm(parameter), Err(SdesError::ParameterForSuite { parameter, suite }));
    }
    assert!(gcm("UNENCRYPTED_SRTCP").is_ok());
}

#[test]
fn debug_and_display_hold_no_key() {
    let attribute = parse(EXAMPLE).unwrap();
    for text in [format!("{attribute:?}"), format!("{attribute}")] {
        assert!(text.contains("AES") || text.contains("Aes"));
        for piece in KEY.as_bytes().windows(6) {
            assert!(!text.contains(std::str::from_utf8(piece).unwrap()));
        }
        assert!(!text.contains("wDfvg"));
    }
}

#[test]
fn repeating_an_attribute_is_recognised_however_it_is_written() {
    let again = EXAMPLE.replace("2^20", "1048576").replace("AES_CM", "aes_cm");
    assert_eq!(parse(EXAMPLE), parse(&again));
    assert_ne!(parse(EXAMPLE), parse(&EXAMPLE.replace("d0Rm", "d0Rn")));
    assert_ne!(parse(EXAMPLE), parse(&EXAMPLE.replace("|1:4", "|2:4")));
    assert_ne!(parse(EXAMPLE), parse(&EXAMPLE.replace("2^20", "2^21")));
}

fn any_attribute() -> impl Strategy<Value = CryptoAttribute> {
    let suite = prop::sample::select(Suite::ALL.to_vec());
    let lifetime = prop_oneof![
        Just(None),
        (0_u32..=48).prop_map(Lifetime::power_of_two),
        (1_u64..=1 << 48).prop_map(Lifetime::packets),
    ];
    let params = (prop::option::of(1_u8..=24), any::<bool>(), any::<bool>(), prop::option::of(64_u32..5000));
    (0_u32..=999_999_999, suite, 1_usize..=8, any::<[u8; 46]>(), lifetime, 1_usize..=128, params).prop_map(
        |(tag, suite, count, seed, lifetime, mki_len, (kdr, clear_rtp, clear_rtcp, window_size_hint))| {
            let keys = (0..count).map(|n| {
                let mut secret = seed;
                secret[0] = n as u8;
                let (key, rest) = secret.split_at(suite.master_key_len());
                let key = MasterKey::new(suite, key, &rest[..suite.master_salt_len()]).unwrap();
                let key = key.with_mki(Mki::new(n as u128 + 1, mki_len).unwrap());
                match lifetime {
                    Some(lifetime) => key.with_lifetime(lifetime),
                    None => key,
                }
            });
            let params = SessionParams {
                kdr,
                unencrypted_srtp: clear_rtp && suite.family() != Family::Gcm,
                unencrypted_srtcp: clear_rtcp,
                window_size_hint,
                ..SessionParams::default()
            };
            CryptoAttribute::new(tag, suite, keys).unwrap().with_params(params).unwrap()
        },
    )
}

proptest! {
    #[test]
    fn what_is_printed_parses_to_the_same(attribute in any_attribute()) {
        prop_assert_eq!(CryptoAttribute::parse(&attribute.print()), Ok(attribute));
    }

    #[test]
    fn any_text_is_answered_without_a_panic(text in "[ -~\t]{0,80}", tail in "\\PC{0,20}") {
        let _ = CryptoAttribute::parse(&text);
        let _ = CryptoAttribute::parse(&tail);
        let _ = CryptoAttribute::parse(&format!("1 AES_CM_128_HMAC_SHA1_80 inline:{text}"));
        let _ = CryptoAttribute::parse(&format!("{EXAMPLE} {text}"));
    }
}

#[test]
fn an_attribute_is_small_and_its_keys_stay_where_they_are_when_it_moves() {
    assert!(size_of::<CryptoAttribute>() <= 64, "{} bytes", size_of::<CryptoAttribute>());
    let attribute = parse(EXAMPLE).unwrap();
    let place = attribute.keys()[0].key().as_ptr();
    let moved = [Box::new(attribute)];
    let moved = &*moved[0];
    assert_eq!(moved.keys()[0].key().as_ptr(), place);
    let copy = moved.clone();
    assert_ne!(copy.keys()[0].key().as_ptr(), place, "a copy is wiped on its own");
    assert_eq!(copy, *moved);
}

#[test]
fn more_keys_than_a_session_holds_are_refused_however_they_come() {
    let key = |n: u8| {
        let key = MasterKey::new(Suite::AesCm128HmacSha1_80, &[n; 16], &[n; 14]).unwrap();
        key.with_mki(Mki::new(u128::from(n), 1).unwrap())
    };
    let attribute = |count: u8| CryptoAttribute::new(1, Suite::AesCm128HmacSha1_80, (1..=count).map(key));
    assert_eq!(attribute(8).unwrap().keys().len(), MAX_MASTER_KEYS);
    assert_eq!(attribute(9), Err(SdesError::TooManyKeys));
}
