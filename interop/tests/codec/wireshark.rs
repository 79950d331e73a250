//! Reference messages and single values, in the eyes of OTP and of Wireshark's dissectors.
//!
//! Wireshark's dissector of H.248 knows the types of few packages, but its dissector of BER reads any value: so the octets of each value are
//! taken from what the first shows, and shown to the second.

use std::path::{Path, PathBuf};

use agw_iq::ast::Message;
use agw_iq::ber;
use agw_iq::text::{Style, parse_strictly, print};
use interop::pcap::{Judge, Recording};

use crate::ber::naming;
use crate::known::common_form;
use crate::start;

const TEXT_PORT: u16 = 2944;
const BINARY_PORT: u16 = 2945;
/// Where single values go: any port that nothing else is known by.
const VALUE_PORT: u16 = 9999;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.pcap", std::process::id()))
}

fn record(recording: &mut Recording, port: u16, octets: &[u8]) {
    let address = ([127, 0, 0, 1], port).into();
    recording.udp(address, address, octets);
}

/// The messages of the reference stack, by name.
fn references() -> Vec<(String, Message)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../agw-iq/tests/vectors/otp");
    let files = std::fs::read_dir(folder).expect("vectors").map(|entry| entry.expect("an entry").path());
    let mut all: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|ending| ending == "pretty"))
        .map(|path| {
            let message = parse_strictly(&std::fs::read(&path).expect("readable")).expect("a good message");
            (path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), message)
        })
        .collect();
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    all
}

#[test]
fn every_reference_message_is_taken_by_otp_and_by_wireshark_in_every_encoding() {
    let Some(codec) = start() else { return };
    let Some(judge) = interop::require("tshark", Judge::find) else { return };
    let (mut recording, references) = (Recording::new(), references());
    assert_eq!(references.len(), 31);
    for (name, message) in references {
        let mut expected = message.clone();
        common_form(&mut expected);
        let binary = ber::print(&message, &naming()).unwrap_or_else(|error| panic!("{name}: {error}"));
        record(&mut recording, BINARY_PORT, &binary);
        let texts = [Style::Pretty, Style::Compact].map(|style| print(&message, style));
        texts.iter().for_each(|text| record(&mut recording, TEXT_PORT, text.as_bytes()));
        let [pretty, compact] = texts;
        let mut questions = vec![("pretty", pretty.as_bytes()), ("compact", compact.as_bytes())];
        // OTP's binary encoding has no IPv6 senders.
        if !name.contains("ip6") {
            questions.push(("berstd", &binary[..]));
        }
        for (from, octets) in questions {
            let back = codec.borrow_mut().convert(from, "compact", octets);
            let back = back.unwrap_or_else(|why| panic!("{name} {from}: {why}"));
            // OTP knows no enumerations: the number of LATCH stays one.
            let back = String::from_utf8_lossy(&back).replace("napt=1", "napt=latch").into_bytes();
            let mut read = parse_strictly(&back).unwrap_or_else(|error| panic!("{name} {from}: {error}"));
            common_form(&mut read);
            assert_eq!(read, expected, "{name} {from}");
        }
    }
    let capture = file("references");
    recording.save(&capture).expect("a capture");
    let report = judge.approve(&capture, &["-d", "udp.port==2945,h248"], &["megaco", "h248"]);
    let report = report.expect("nothing is malformed");
    assert!(report.contains("packets: 93"), "{report}");
    std::fs::remove_file(capture).expect("it was there");
}

/// Messages, and for each of their values the type and what Wireshark shows of it, in order.
const VALUES: &[(&str, &[(&str, &str)])] = &[
    // Integers.
    (
        "T=1{C=1{MF=ip/1/access/7{M{ST=1{O{tman/sdr=12000,tman/mbs=128}}}}}}",
        &[("INTEGER", "12000"), ("INTEGER", "128")],
    ),
    ("T=1{C=1{MF=ip/1/access/7{E=5{hangterm/thb{timerx=300}}}}}", &[("INTEGER", "300")]),
    // Booleans.
    (
        "T=1{C=1{MF=ip/1/access/7{M{ST=1{O{gm/saf=ON,gm/spf=OFF}}}}}}",
        &[("BOOLEAN", "0x01"), ("BOOLEAN", "0x00")],
    ),
    // Enumerations.
    ("T=1{C=1{MF=ip/1/access/7{SG{ipnapt/latch{napt=RELATCH}}}}}", &[("ENUMERATED", "2")]),
    // Strings.
    ("T=1{C=1{MF=ip/1/access/7{M{ST=1{O{ipdc/realm=\"core.example\"}}}}}}", &[("IA5String", "core.example")]),
    // Octet strings.
    ("T=1{C=1{MF=ip/1/access/7{M{ST=1{O{ds/dscp=0x2E}}}}}}", &[("OCTETSTRING", "2e")]),
    // Lists.
    (
        "T=1{C=1{MF=ip/1/access/7{M{ST=1{O{gm/sam=[\"192.0.2.0/24\",\"2001:db8::/32\"]}}}}}}",
        &[("IA5String", "192.0.2.0/24"), ("IA5String", "2001:db8::/32")],
    ),
    // Statistics, whole and with a fraction of 32 bits (E.12.4).
    (
        "P=1{C=1{S=ip/1/access/7{SA{nt/dur=12345,nt/os=482100,rtp/ps=5000000000,rtp/pl=0.5}}}}",
        &[("INTEGER", "12345"), ("INTEGER", "482100"), ("INTEGER", "5000000000"), ("INTEGER", "2147483648")],
    ),
    // Descriptions (Annex C.11).
    (
        "T=1{C=1{MF=ip/1/access/7{M{ST=1{L{\nv=0\nc=IN IP4 $\nm=audio $ RTP/AVP 8\n}}}}}}",
        &[("IA5String", "0"), ("IA5String", "IN IP4 $"), ("IA5String", "audio $ RTP/AVP 8")],
    ),
];

/// What holds values in the packet details of H.248.
const HOLDERS: [&str; 4] =
    ["h248.propertyParamValue", "h248.statValue", "h248.value", "h248.eventParamValue"];

/// The text of an attribute in a line of packet details.
fn attribute<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split_once(&format!(" {name}=\""))?.1.split('"').next()
}

fn octets(hex: &str) -> Vec<u8> {
    let pair = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits");
    (0..hex.len()).step_by(2).map(pair).collect()
}

/// The insides of OCTET STRINGs that stand one after the other, none longer than 127.
fn insides(mut octets: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    while let [4, length, rest @ ..] = octets {
        let (inside, after) = rest.split_at(usize::from(*length));
        all.push(inside.to_vec());
        octets = after;
    }
    assert!(octets.is_empty(), "{octets:02x?}");
    all
}

#[test]
fn wireshark_reads_in_our_binary_the_values_that_the_text_says() {
    let Some(judge) = interop::require("tshark", Judge::find) else { return };
    let mut messages = Recording::new();
    for (text, _) in VALUES {
        let message = parse_strictly(format!("!/2 <mgc.test> {text}").as_bytes()).expect(text);
        record(&mut messages, BINARY_PORT, &ber::print(&message, &naming()).expect(text));
    }
    let capture = file("values");
    messages.save(&capture).expect("a capture");
    let details = judge.dissect(&capture, &["-d", "udp.port==2945,h248", "-T", "pdml"]).expect("tshark runs");
    let mut values = Recording::new();
    let mut found = Vec::new();
    let holders =
        details.lines().filter(|line| attribute(line, "name").is_some_and(|name| HOLDERS.contains(&name)));
    for line in holders {
        for inside in insides(&octets(attribute(line, "value").expect("octets"))) {
            record(&mut values, VALUE_PORT, &inside);
        }
    }
    values.save(&capture).expect("a capture");
    let details = judge.dissect(&capture, &["-d", "udp.port==9999,ber", "-T", "pdml"]).expect("tshark runs");
    for line in details.lines() {
        if let Some(kind) = attribute(line, "name").and_then(|name| name.strip_prefix("ber.unknown.")) {
            found.push((kind.to_owned(), attribute(line, "show").unwrap_or_default().to_owned()));
        }
    }
    let expected: Vec<_> = VALUES
        .iter()
        .flat_map(|(_, values)| *values)
        .map(|(kind, shown)| ((*kind).to_owned(), (*shown).to_owned()))
        .collect();
    assert_eq!(found, expected);
    std::fs::remove_file(capture).expect("it was there");
}

#[test]
fn wireshark_knows_our_packages_items_and_descriptions_by_name() {
    let Some(judge) = interop::require("tshark", Judge::find) else { return };
    let text = "!/2 <mgc.test> T=1{C=1{A=ip/1/access/${M{ST=1{O{MO=SR},L{\nv=0\nc=IN IP4 $\nm=audio $ RTP/AVP 8\n}}}}}}\
                P=2{C=1{S=ip/1/access/7{SA{nt/os=482100,rtp/ps=1000}}}}";
    let message = parse_strictly(text.as_bytes()).expect("a good message");
    let mut recording = Recording::new();
    record(&mut recording, BINARY_PORT, &ber::print(&message, &naming()).expect("sayable"));
    let capture = file("names");
    recording.save(&capture).expect("a capture");
    let details = judge.dissect(&capture, &["-d", "udp.port==2945,h248", "-V"]).expect("tshark runs");
    for words in [
        "SDP_C (connection)",
        "sdp_m: audio $ RTP/AVP 8",
        "Network Package (nt) (0x000b)",
        "Octets Sent (os)",
        "ps (Packets Sent)",
        "sendRecv",
    ] {
        assert!(details.contains(words), "no {words} in\n{details}");
    }
    std::fs::remove_file(capture).expect("it was there");
}
