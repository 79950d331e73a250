//! Payload types and extension numbers on their way from one side of a context to the other. Each side has chosen its own numbers for the same
//! formats and extensions (RFC 3264 section 5.1, RFC 8285 section 5); the table is made when a description changes, so that a packet costs two look-ups.

use crate::model::{Format, RtpNames};
use crate::wire::extension;

const PAYLOAD_TYPES: usize = 128;
/// Means something else at the other side, so that it cannot pass.
const NO_COUNTERPART: u8 = 0xff;
/// The retransmission format (RFC 4588), whose parameter names another payload type.
const RETRANSMISSION: &str = "rtx/";

/// How packets that come by `from` are numbered when they leave by `to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renumbering {
    payload_types: [u8; PAYLOAD_TYPES],
    /// 0: turned into padding. `None`: they stay as they are.
    extensions: Option<Box<[u8; 256]>>,
}

impl Renumbering {
    /// `None` when every packet may pass as it is: the numbers are the same, or one side has described nothing.
    pub fn between(from: &RtpNames, to: &RtpNames) -> Option<Self> {
        let payload_types = payload_types(&from.formats, &to.formats);
        let extensions = extensions(from, to);
        let stays = payload_types.iter().enumerate().all(|(old, new)| usize::from(*new) == old);
        (!stays || extensions.is_some()).then_some(Self { payload_types, extensions })
    }

    /// Renumbers a packet of RTP in its plain form; false when its format has no counterpart and must not pass. RTCP has no such numbers.
    #[must_use]
    pub fn apply(&self, rtp: &mut [u8]) -> bool {
        let Some(second) = rtp.get_mut(1) else { return false };
        let new = self.payload_types[usize::from(*second & 0x7f)];
        if new == NO_COUNTERPART {
            return false;
        }
        *second = *second & 0x80 | new;
        if let Some(extensions) = &self.extensions {
            extension::renumber(rtp, |id| Some(extensions[usize::from(id)]).filter(|new| *new != 0));
        }
        true
    }
}

fn payload_types(from: &[Format], to: &[Format]) -> [u8; PAYLOAD_TYPES] {
    let mut table = std::array::from_fn(|number| number as u8);
    if from.is_empty() || to.is_empty() {
        return table;
    }
    let is_retransmission = |format: &Format| {
        format
            .encoding
            .as_bytes()
            .get(..4)
            .is_some_and(|start| start.eq_ignore_ascii_case(RETRANSMISSION.as_bytes()))
    };
    // Retransmissions come second, since they speak of the others.
    for retransmissions in [false, true] {
        for format in from.iter().filter(|format| is_retransmission(format) == retransmissions) {
            let counterpart = match retransmissions {
                false => counterpart(format, to),
                true => retransmission(format, to, &table),
            };
            let number = format.payload_type & 0x7f;
            let is_taken = to.iter().any(|other| other.payload_type == number);
            table[usize::from(number)] = match counterpart {
                Some(new) => new,
                None if is_taken => NO_COUNTERPART,
                None => number,
            };
        }
    }
    table
}

/// The same encoding with the same parameters, else the first of the same encoding.
fn counterpart(format: &Format, among: &[Format]) -> Option<u8> {
    let alike = || among.iter().filter(|other| same_encoding(&format.encoding, &other.encoding));
    let same = alike().find(|other| other.parameters.eq_ignore_ascii_case(&format.parameters));
    same.or_else(|| alike().next()).map(|other| other.payload_type & 0x7f)
}

fn retransmission(format: &Format, among: &[Format], table: &[u8; PAYLOAD_TYPES]) -> Option<u8> {
    let associated = *table.get(usize::from(associated(format)?))?;
    let same = |other: &&Format| {
        same_encoding(&format.encoding, &other.encoding) && self::associated(other) == Some(associated)
    };
    among.iter().find(same).map(|other| other.payload_type & 0x7f)
}

/// `apt` of RFC 4588 section 8.1.
fn associated(format: &Format) -> Option<u8> {
    format.parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("apt=")?.parse().ok())
}

/// One channel need not be said (RFC 8866 section 6.6).
fn same_encoding(one: &str, other: &str) -> bool {
    fn whole(encoding: &str) -> &str {
        match encoding.strip_suffix("/1") {
            Some(rest) if rest.contains('/') => rest,
            _ => encoding,
        }
    }
    whole(one).eq_ignore_ascii_case(whole(other))
}

fn extensions(from: &RtpNames, to: &RtpNames) -> Option<Box<[u8; 256]>> {
    // A side that describes its formats and no extension has agreed on none.
    if from.formats.is_empty() || to.formats.is_empty() {
        return None;
    }
    let mut table = Box::new([0; 256]);
    for extension in &from.extensions {
        let other = to.extensions.iter().find(|other| other.uri == extension.uri);
        table[usize::from(extension.id)] = other.map_or(0, |other| other.id);
    }
    let stays = from.extensions.iter().all(|extension| table[usize::from(extension.id)] == extension.id);
    (!stays).then_some(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::HeaderExtension;

    fn names(formats: &[(u8, &str, &str)], extensions: &[(u8, &str)]) -> RtpNames {
        RtpNames {
            formats: formats
                .iter()
                .map(|(payload_type, encoding, parameters)| Format {
                    payload_type: *payload_type,
                    encoding: (*encoding).into(),
                    parameters: (*parameters).into(),
                })
                .collect(),
            extensions: extensions
                .iter()
                .map(|(id, uri)| HeaderExtension { id: *id, uri: (*uri).into() })
                .collect(),
        }
    }

    fn payload_type_after(renumbering: &Renumbering, number: u8) -> Option<u8> {
        let mut packet = [0x80, 0x80 | number, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7];
        renumbering.apply(&mut packet).then(|| {
            assert_eq!(packet[1] & 0x80, 0x80, "the marker stays");
            packet[1] & 0x7f
        })
    }

    #[test]
    fn the_same_numbers_need_no_table() {
        let browser = names(&[(111, "opus/48000/2", "minptime=10"), (0, "PCMU/8000", "")], &[(1, "a")]);
        assert_eq!(Renumbering::between(&browser, &browser), None);
        assert_eq!(Renumbering::between(&browser, &RtpNames::default()), None);
        assert_eq!(Renumbering::between(&RtpNames::default(), &browser), None);
    }

    #[test]
    fn a_format_gets_the_number_that_the_other_side_has_for_it() {
        let from = names(
            &[
                (111, "opus/48000/2", ""),
                (96, "H264/90000", "packetization-mode=0"),
                (97, "rtx/90000", "apt=96"),
                (98, "H264/90000", "packetization-mode=1"),
                (99, "rtx/90000", "apt=98"),
                (126, "telephone-event/8000/1", ""),
                (13, "CN/8000", ""),
            ],
            &[],
        );
        let to = names(
            &[
                (96, "OPUS/48000/2", "useinbandfec=1"),
                (100, "h264/90000", "packetization-mode=1"),
                (101, "rtx/90000", "apt=100"),
                (102, "H264/90000", "packetization-mode=0"),
                (103, "rtx/90000", "apt=102"),
                (13, "telephone-event/8000", ""),
            ],
            &[],
        );
        let renumbering = Renumbering::between(&from, &to).unwrap();
        for (old, new) in [(111, 96), (96, 102), (97, 103), (98, 100), (99, 101), (126, 13)] {
            assert_eq!(payload_type_after(&renumbering, old), Some(new), "{old}");
        }
        assert_eq!(payload_type_after(&renumbering, 13), None, "13 is something else there");
        assert_eq!(payload_type_after(&renumbering, 55), Some(55), "nobody has described it");
    }

    #[test]
    fn extensions_that_the_other_side_has_not_agreed_on_become_padding() {
        let from = names(&[(0, "PCMU/8000", "")], &[(1, "level"), (4, "mid")]);
        let to = names(&[(0, "PCMU/8000", "")], &[(2, "level")]);
        let renumbering = Renumbering::between(&from, &to).unwrap();
        let mut packet = [0x90, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0xbe, 0xde, 0, 1, 0x10, 0x55, 0x40, b'a'];
        assert!(renumbering.apply(&mut packet));
        assert_eq!(packet[16..], [0x20, 0x55, 0, 0]);
    }
}
