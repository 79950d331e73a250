//! Reference messages in the binary encoding: what an independent implementation writes is read to the tree of its text, and written
//! as Wireshark reads it.

use std::fs;
use std::path::{Path, PathBuf};

use agw_core::model::RealmName;
use agw_iq::ast::Message;
use agw_iq::ber::{self, Naming};
use agw_iq::package::{diffserv::DscpForm, realm::Realms};
use agw_iq::text;

/// The interfaces of the reference messages, in the order of their numbers.
fn naming() -> Naming {
    let realms = ["access", "core"].iter().filter_map(|name| RealmName::new(name)).collect();
    Naming::of(&Realms::new(realms), DscpForm::default())
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair =
        |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("digits");
    digits.chunks(2).map(pair).collect()
}

fn shown(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn vectors(ending: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/otp");
    let files = fs::read_dir(&folder).expect("vectors").map(|entry| entry.expect("entry").path());
    let mut files: Vec<_> = files.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    files.sort();
    files
}

fn octets(path: &Path) -> Vec<u8> {
    hex(&fs::read_to_string(path).expect("a readable vector"))
}

/// The text of the same number.
fn text_of(path: &Path) -> Message {
    let stem = path.to_string_lossy().replace(".berstd.hex", "").replace(".hex", "");
    let text = fs::read_to_string(format!("{stem}.pretty")).expect("a readable vector");
    // The reference leaves the quotation marks off the cause of a network failure, which E.11.2 calls a string.
    // A number gives the registry's spelling of a word.
    let text = text.replace("cs=icmp", "cs=\"icmp\"").replace("napt=latch", "napt=LATCH");
    text::parse_strictly(text.as_bytes()).expect("a good message")
}

fn read(path: &Path) -> Message {
    ber::parse_strictly(&octets(path), &naming())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn octets_and_text_of_a_number_are_the_same_tree() {
    let paths = vectors(".hex");
    assert_eq!(paths.len(), 2 * 30);
    for path in paths {
        assert_eq!(read(&path), text_of(&path), "{}", path.display());
    }
}

/// What the reference writes differently from Annex A, and what we write there.
const DIFFERENT: [(&str, &str, &str); 1] = [
    // ipnapt/latch: the parameter is an enumeration; the reference knows no types and has an IA5String for all but digits.
    ("09_modify_signal_latch", "04071605 6c61746368", "0403 0a0101"),
];

#[test]
fn the_tree_is_written_as_the_octets_it_came_from() {
    let mut different = 0;
    for path in vectors(".berstd.hex") {
        let message = text_of(&path);
        let printed = ber::print(&message, &naming()).expect("sayable");
        let (ours, theirs) = (shown(&printed), shown(&octets(&path)));
        match DIFFERENT.iter().find(|(name, ..)| path.to_string_lossy().contains(name)) {
            None => assert_eq!(ours, theirs, "{}", path.display()),
            Some((_, before, after)) => {
                different += 1;
                assert!(theirs.contains(&before.replace(' ', "")), "{theirs}");
                assert!(ours.contains(&after.replace(' ', "")), "{ours}");
                let again = ber::parse_strictly(&printed, &naming()).expect("a good message");
                assert_eq!(ber::print(&again, &naming()).as_deref(), Ok(&*printed));
            }
        }
    }
    assert_eq!(different, DIFFERENT.len());
}

#[test]
fn a_sender_beyond_the_reference_has_an_address_of_sixteen_octets() {
    // The reference has no binary form for IPv6 senders (number 29).
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/otp/29_sc_disconnected_ip6.pretty");
    let message = text::parse_strictly(&fs::read(path).expect("a readable vector")).expect("a good message");
    let printed = ber::print(&message, &naming()).expect("sayable");
    assert!(shown(&printed).contains("a116801020010db8000000000000000000000005"), "{}", shown(&printed));
    assert_eq!(ber::parse_strictly(&printed, &naming()), Ok(message));
}

#[test]
fn four_octets_of_a_profile_like_that_of_mn_are_understood() {
    // Made with the reference's encoder of version 2, identifiers as in TS 29.332 clause A.6.
    let audit = "3038A136800102A10CA00A8004C000020A81020B81A223A121A01F8002041AA1193017800100A3123010A00EA50CA008A0008104FFFFFFFFA100";
    let restart = "3061A15F800102A10CA00A8004C000021481020B81A24CA14AA048800101A1433041800100A33C303AA038A736A00A3008A0008104FFFFFFFFA128800103820102A30F800D50524F46494C454E414D452F31A40F040D39303120436F6C6420426F6F74";
    let add = "3068A166800102A10CA00A8004C000020A81020B81A253A151A04F800203E9A1493047800500FFFFFFFEA33E303CA03AA038A00D300BA00304015C810420000000A127A025A123A121301F800101A11AA018800102A31330118004009D0001A109040761636365737331";
    for (octets, text) in [
        (audit, "!/2 [192.0.2.10]:2945 T=1050{C=-{AV=ROOT{AT{}}}}"),
        (
            restart,
            "!/2 [192.0.2.20]:2945 T=1{C=-{SC=ROOT{SV{MT=RS,RE=\"901 Cold Boot\",V=2,PF=PROFILENAME/1}}}}",
        ),
        (add, "!/2 [192.0.2.10]:2945 T=1001{C=${A=ip/${M{ST=1{O{MO=SR,ipdc/realm=\"access1\"}}}}}}"),
    ] {
        let parsed = ber::parse(&hex(octets), &naming()).expect("a message");
        assert_eq!(parsed.id_octets, Some(4));
        let expected = text::parse_strictly(text.as_bytes()).expect("a good message");
        assert_eq!(parsed.message, expected);
        // An answer has identifiers of the same length.
        let printed = ber::print(&expected, &naming().with_id_octets(parsed.id_octets)).expect("sayable");
        let again = ber::parse(&printed, &naming()).expect("a message");
        assert_eq!((again.message, again.id_octets), (expected, Some(4)));
    }
}

/// Names, numbers and values of connections (H.248.69, H.248.89, H.248.90, H.248.92).
#[test]
fn what_concerns_browsers_says_the_same_in_octets() {
    for text in [
        "!/2 [192.0.2.10]:2945 T=7{C=1{MF=ip/1/access/1{E=7{ostuncc/ccr{ST=1},ostuncc/nprc,stnconfres/conff},\
         SG{mgastuns/actas}}}}",
        "!/2 [192.0.2.20]:2945 T=8{C=1{N=ip/1/access/1{OE=7{ostuncc/ccr{ST=1,res=Success,addr=\"203.0.113.9\",port=6000},\
         ostuncc/nprc{ST=1,addr=\"203.0.113.9\",port=6000},stnconfres/conff{ST=1}}}}}",
    ] {
        let message = text::parse_strictly(text.as_bytes()).expect("a good message");
        let octets = ber::print(&message, &naming()).expect("sayable");
        assert_eq!(ber::parse_strictly(&octets, &naming()), Ok(message), "{text}");
        for word in [&b"ccr"[..], b"nprc", b"conff", b"actas", b"Success"] {
            assert!(!octets.windows(word.len()).any(|window| window == word), "{text}");
        }
    }
}

#[test]
fn what_concerns_connections_says_the_same_in_octets() {
    for text in [
        "!/2 [192.0.2.10]:2945 T=7{C=1{MF=ip/1/access/1{M{ST=1{O{seplink/trigger=tls,tcpbcc/framing=ON}}},\
         E=7{tcpbcc/BNCChange{ST=1},tlsbsc/BNCChange,g/cause},SG{tcpbcc/EstBNC{ST=1},tlsbsc/EstBNC}}}}",
        "!/2 [192.0.2.20]:2945 T=8{C=1{N=ip/1/access/1{OE=7{tlsbsc/BNCChange{ST=1,Type=Fail,\
         Failurecause=\"the handshake took too long\"},tcpbcc/BNCChange{ST=1,Type=Rel}}}}}",
        "!/2 [192.0.2.20]:2945 P=9{C=1{AV=ip/1/access/1{M{ST=1{O{msrpcs/status=Secured}}},SA{msrpstat/ms=3,msrpstat/mr=4}}}}",
    ] {
        let message = text::parse_strictly(text.as_bytes()).expect("a good message");
        let octets = ber::print(&message, &naming()).expect("sayable");
        assert_eq!(ber::parse_strictly(&octets, &naming()), Ok(message), "{text}");
        // Numbers went, and no words.
        for word in [&b"EstBNC"[..], b"BNCChange", b"trigger", b"msrp", b"Fail"] {
            assert!(!octets.windows(word.len()).any(|window| window == word), "{text}");
        }
    }
}
