//! What a ClientHello says about the library that can answer it (RFC 5246 section 7.4.1.2, RFC 6347 section 4.2.1). Nothing is trusted: a hello
//! that is cut, fragmented or malformed says nothing, and the library that gets it judges for itself.
//!
//! ```text
//! | version (2) | random (32) | n, session id | n, cookie | n (2), suites | n, compressions | n (2), extensions |     ClientHello
//! | type (2) | n (2), body |                                                                                         an extension
//! ```

use crate::keys::SrtpProfile;

const RANDOM_BYTES: usize = 32;
const RECORD_BYTES: usize = 13;
const HANDSHAKE_BYTES: usize = 12;
const HELLO_RANDOM_AT: usize = RECORD_BYTES + HANDSHAKE_BYTES + 2;

/// Types of extensions, as IANA numbers them.
mod extension {
    pub(super) const SIGNATURE_ALGORITHMS: u16 = 13;
    pub(super) const USE_SRTP: u16 = 14;
    pub(super) const EXTENDED_MASTER_SECRET: u16 = 23;
    pub(super) const SUPPORTED_VERSIONS: u16 = 43;
}

/// DTLS 1.3 in `supported_versions` (RFC 9147 section 5.3).
const DTLS_13: [u8; 2] = [0xfe, 0xfc];

/// The random of a ClientHello, if the datagram begins with the first fragment of one in the clear.
pub(crate) fn hello_random(datagram: &[u8]) -> Option<[u8; RANDOM_BYTES]> {
    let begins = matches!(datagram, [22, _, _, 0, 0, _, _, _, _, _, _, _, _, 1, _, _, _, _, _, 0, 0, 0, ..]);
    begins.then_some(())?;
    datagram.get(HELLO_RANDOM_AT..HELLO_RANDOM_AT + RANDOM_BYTES)?.try_into().ok()
}

/// A whole ClientHello, as lists of the pairs of octets that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientHello<'a> {
    suites: &'a [u8],
    versions: Option<&'a [u8]>,
    signatures: Option<&'a [u8]>,
    srtp: Option<&'a [u8]>,
    extended_master_secret: bool,
}

impl<'a> ClientHello<'a> {
    /// Reads the hello that a datagram begins with; `None` if there is none, or not all of it.
    pub fn parse(datagram: &'a [u8]) -> Option<Self> {
        hello_random(datagram)?;
        let mut rest = datagram.get(RECORD_BYTES..)?;
        let header = take(&mut rest, HANDSHAKE_BYTES)?;
        if header[1..4] != header[9..12] {
            return None; // A fragment.
        }
        let mut body = take(&mut rest, length(&header[1..4]))?;
        take(&mut body, 2 + RANDOM_BYTES)?;
        counted(&mut body, 1)?;
        counted(&mut body, 1)?;
        let suites = counted(&mut body, 2)?;
        counted(&mut body, 1)?;
        let mut hello =
            Self { suites, versions: None, signatures: None, srtp: None, extended_master_secret: false };
        if !body.is_empty() {
            hello.read_extensions(counted(&mut body, 2)?)?;
        }
        Some(hello)
    }

    fn read_extensions(&mut self, mut extensions: &'a [u8]) -> Option<()> {
        while !extensions.is_empty() {
            let kind = take(&mut extensions, 2)?;
            let mut body = counted(&mut extensions, 2)?;
            match u16::from_be_bytes([kind[0], kind[1]]) {
                extension::SIGNATURE_ALGORITHMS => self.signatures = Some(counted(&mut body, 2)?),
                extension::USE_SRTP => self.srtp = Some(counted(&mut body, 2)?),
                extension::SUPPORTED_VERSIONS => self.versions = Some(counted(&mut body, 1)?),
                extension::EXTENDED_MASTER_SECRET => self.extended_master_secret = true,
                _ => {}
            }
        }
        Some(())
    }

    /// Whether it offers DTLS 1.3.
    pub fn offers_13(&self) -> bool {
        self.versions.is_some_and(|versions| pairs(versions).any(|version| version == DTLS_13))
    }

    /// Whether it offers the extended master secret (RFC 7627).
    pub const fn offers_extended_master_secret(&self) -> bool {
        self.extended_master_secret
    }

    /// Whether it offers one of these cipher suites.
    pub fn offers_suite(&self, suites: &[[u8; 2]]) -> bool {
        pairs(self.suites).any(|suite| suites.contains(&suite))
    }

    /// Whether it takes one of these signature algorithms. One that names none takes SHA-1 alone (RFC 5246 section 7.4.1.4.1).
    pub fn takes_signature(&self, algorithms: &[[u8; 2]]) -> bool {
        self.signatures.is_some_and(|named| pairs(named).any(|algorithm| algorithms.contains(&algorithm)))
    }

    /// The first of these profiles that it offers in `use_srtp`.
    pub fn first_srtp(&self, preferred: &[SrtpProfile]) -> Option<SrtpProfile> {
        let offered = self.srtp?;
        preferred.iter().copied().find(|profile| pairs(offered).any(|pair| pair == profile.number()))
    }
}

/// Pairs of octets; an odd one at the end is none.
fn pairs(list: &[u8]) -> impl Iterator<Item = [u8; 2]> {
    list.chunks_exact(2).map(|pair| [pair[0], pair[1]])
}

fn length(octets: &[u8]) -> usize {
    octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet))
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, tail) = rest.split_at_checked(len)?;
    *rest = tail;
    Some(taken)
}

/// What follows a count of so many octets.
fn counted<'a>(rest: &mut &'a [u8], octets: usize) -> Option<&'a [u8]> {
    let len = length(take(rest, octets)?);
    take(rest, len)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hello with these suites and extensions in one datagram.
    fn hello(suites: &[u8], extensions: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = vec![254, 253];
        body.extend([7; RANDOM_BYTES]);
        body.extend([1, 9, 2, 8, 8, 0, suites.len() as u8]);
        body.extend(suites);
        body.extend([1, 0]);
        let mut all = Vec::new();
        for (kind, content) in extensions {
            all.extend(kind.to_be_bytes());
            all.extend((content.len() as u16).to_be_bytes());
            all.extend(*content);
        }
        body.extend((all.len() as u16).to_be_bytes());
        body.extend(all);
        let len = (body.len() as u32).to_be_bytes();
        let mut datagram = vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0];
        datagram.extend(((body.len() + HANDSHAKE_BYTES) as u16).to_be_bytes());
        datagram.extend([1, len[1], len[2], len[3], 0, 0, 0, 0, 0, len[1], len[2], len[3]]);
        datagram.extend(body);
        datagram
    }

    #[test]
    fn a_hello_says_what_it_offers() {
        let datagram = hello(
            &[0xc0, 0x2b, 0xc0, 0x13],
            &[
                (extension::SIGNATURE_ALGORITHMS, &[0, 4, 4, 1, 4, 3]),
                (extension::USE_SRTP, &[0, 4, 0, 1, 0, 7, 0]),
                (0xff01, &[0]),
                (extension::SUPPORTED_VERSIONS, &[4, 0xfe, 0xfc, 0xfe, 0xfd]),
                (extension::EXTENDED_MASTER_SECRET, &[]),
            ],
        );
        assert_eq!(hello_random(&datagram), Some([7; RANDOM_BYTES]));
        let hello = ClientHello::parse(&datagram).unwrap();
        assert!(hello.offers_13() && hello.offers_extended_master_secret());
        assert!(hello.offers_suite(&[[0xc0, 0x2b]]) && !hello.offers_suite(&[[0x2b, 0xc0]]));
        assert!(hello.takes_signature(&[[4, 3]]) && !hello.takes_signature(&[[5, 3]]));
        assert_eq!(hello.first_srtp(&SrtpProfile::ALL), Some(SrtpProfile::AeadAes128Gcm));
        assert_eq!(hello.first_srtp(&[SrtpProfile::AeadAes256Gcm]), None);
    }

    #[test]
    fn a_hello_without_extensions_offers_none() {
        let whole = hello(&[0, 47], &[]);
        let parsed = ClientHello::parse(&whole).unwrap();
        assert!(!parsed.offers_13() && !parsed.offers_extended_master_secret());
        assert!(!parsed.takes_signature(&[[4, 3]]));
        assert_eq!(parsed.first_srtp(&SrtpProfile::ALL), None);
    }

    #[test]
    fn a_cut_or_fragmented_hello_says_nothing() {
        let whole = hello(&[0xc0, 0x2b], &[(extension::EXTENDED_MASTER_SECRET, &[])]);
        for len in 0..whole.len() {
            assert_eq!(ClientHello::parse(&whole[..len]), None, "{len}");
        }
        let mut fragment = whole;
        fragment[RECORD_BYTES + 3] += 1;
        assert_eq!(ClientHello::parse(&fragment), None);
    }
}
