//! Any bytes as a certificate: its key is found in it or it is refused, and what is shorter or longer than a certificate is none (TLS-2). A reader that
//! looks at tags and lengths in another way finds the same key.
#![no_main]

use agw_tls::subject_key::SubjectKey;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let found = SubjectKey::of(input);
    assert_eq!(found.map(|key| (key.algorithm, key.key)), second_opinion(input));
    let Some(key) = found else { return };
    let _any_number = key.rsa_bits();
    for less in [1, 2, 3, input.len() / 2, input.len()] {
        assert_eq!(SubjectKey::of(&input[..input.len().saturating_sub(less)]), None);
    }
    assert_eq!(SubjectKey::of(&[input, &[0]].concat()), None);
});

/// The elements at the start of a level, each with its tag, and what follows the last that is whole.
fn elements(mut input: &[u8]) -> (Vec<(u8, &[u8])>, &[u8]) {
    let mut all = vec![];
    while let [tag, first, rest @ ..] = input {
        let octets = usize::from(first.saturating_sub(0x80));
        let (length, start) = match first {
            0x80 | 0x84.. => break,
            0x81..=0x83 if rest.len() < octets => break,
            0x81..=0x83 => {
                (rest[..octets].iter().fold(0, |sum, octet| sum * 256 + usize::from(*octet)), octets)
            }
            short => (usize::from(*short), 0),
        };
        if start + length > rest.len() {
            break;
        }
        all.push((*tag, &rest[start..start + length]));
        input = &rest[start + length..];
    }
    (all, input)
}

/// The elements of a level; `None` if they do not fill it.
fn level(input: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let (all, rest) = elements(input);
    rest.is_empty().then_some(all)
}

fn second_opinion(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let [(0x30, certificate)] = level(input)?[..] else { return None };
    let [(0x30, tbs), (0x30, _), (0x03, _)] = level(certificate)?[..] else { return None };
    // Behind the key anything may stand, which is not looked at.
    let (mut found, _) = elements(tbs);
    if found.first().is_some_and(|(tag, _)| *tag == 0xa0) {
        found.remove(0);
    }
    let [(0x02, _), (0x30, _), (0x30, _), (0x30, _), (0x30, _), (0x30, info), ..] = found[..] else {
        return None;
    };
    let [(0x30, algorithm), (0x03, [0, key @ ..])] = level(info)?[..] else { return None };
    Some((algorithm, key))
}
