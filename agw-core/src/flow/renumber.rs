//! Payload types and extension numbers on their way from one side of a context to the other. Each side has chosen its own numbers for the same
//! formats and extensions (RFC 3264 section 5.1, RFC 8285 section 5); the table is made when a description changes, so that a packet costs two look-ups.
//! A MID means something at one side only (RFC 8843): what comes with one leaves without it, and who has agreed on the extension gets his own,
//! since there are browsers that take no packet without.

use super::bundle::MID_URI;
use crate::io::{MAX_DATAGRAM_BYTES, SLOT_BYTES};
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
    mid: Option<Mid>,
}

/// What a packet is given on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mid {
    /// The number that the peer has for the extension.
    id: u8,
    tag: Box<str>,
}

impl Mid {
    /// `None`: the peer has not agreed on the extension.
    fn agreed(tag: &str, to: &RtpNames) -> Option<Self> {
        let extension = to.extensions.iter().find(|extension| &*extension.uri == MID_URI)?;
        Some(Self { id: extension.id, tag: tag.into() })
    }
}

impl Renumbering {
    /// `None` when every packet may pass as it is: the numbers are the same, or one side has described nothing, and the peer of `to` wants no MID;
    /// `mid` is that of the stream there.
    pub fn between(from: &RtpNames, to: &RtpNames, mid: Option<&str>) -> Option<Self> {
        let payload_types = payload_types(&from.formats, &to.formats);
        let extensions = extensions(from, to);
        let mid = mid.and_then(|tag| Mid::agreed(tag, to));
        let stays = payload_types.iter().enumerate().all(|(old, new)| usize::from(*new) == old);
        (!stays || extensions.is_some() || mid.is_some()).then_some(Self { payload_types, extensions, mid })
    }

    /// Renumbers a packet of RTP in its plain form, `len` bytes long, and gives it its MID. Says how long it is now; `None` when its format has no
    /// counterpart and must not pass. RTCP has no such numbers.
    #[must_use]
    pub fn apply(&self, packet: &mut [u8; SLOT_BYTES], len: usize) -> Option<usize> {
        let rtp = packet.get_mut(..len)?;
        let second = rtp.get_mut(1)?;
        let new = self.payload_types[usize::from(*second & 0x7f)];
        if new == NO_COUNTERPART {
            return None;
        }
        *second = *second & 0x80 | new;
        if let Some(extensions) = &self.extensions {
            extension::renumber(rtp, |id| Some(extensions[usize::from(id)]).filter(|new| *new != 0));
        }
        let Some(mid) = &self.mid else { return Some(len) };
        // One that has no room for it, or an extension of its own form, goes as it is: better heard by most than by nobody.
        let room = &mut packet[..MAX_DATAGRAM_BYTES.max(len)];
        Some(extension::insert(room, len, mid.id, mid.tag.as_bytes()).unwrap_or(len))
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
        let is_mid = &*extension.uri == MID_URI;
        let other = to.extensions.iter().find(|other| !is_mid && other.uri == extension.uri);
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

    fn applied(renumbering: &Renumbering, packet: &[u8]) -> Option<Vec<u8>> {
        let mut slot = [0; SLOT_BYTES];
        slot[..packet.len()].copy_from_slice(packet);
        let len = renumbering.apply(&mut slot, packet.len())?;
        Some(slot[..len].to_vec())
    }

    fn payload_type_after(renumbering: &Renumbering, number: u8) -> Option<u8> {
        let packet = applied(renumbering, &[0x80, 0x80 | number, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7])?;
        assert_eq!(packet[1] & 0x80, 0x80, "the marker stays");
        Some(packet[1] & 0x7f)
    }

    #[test]
    fn the_same_numbers_need_no_table() {
        let browser = names(&[(111, "opus/48000/2", "minptime=10"), (0, "PCMU/8000", "")], &[(1, "a")]);
        let nothing = RtpNames::default();
        assert_eq!(Renumbering::between(&browser, &browser, Some("0")), None);
        assert_eq!(Renumbering::between(&browser, &nothing, Some("0")), None);
        assert_eq!(Renumbering::between(&nothing, &browser, None), None);
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
        let renumbering = Renumbering::between(&from, &to, None).unwrap();
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
        let renumbering = Renumbering::between(&from, &to, None).unwrap();
        let packet = [0x90, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0xbe, 0xde, 0, 1, 0x10, 0x55, 0x40, b'a'];
        assert_eq!(applied(&renumbering, &packet).unwrap()[16..], [0x20, 0x55, 0, 0]);
    }

    #[test]
    fn a_mid_is_for_one_side_only_and_who_agreed_on_it_gets_his_own() {
        let from = names(&[(0, "PCMU/8000", "")], &[(4, MID_URI)]);
        let to = names(&[(0, "PCMU/8000", "")], &[(4, MID_URI)]);
        let renumbering = Renumbering::between(&from, &to, Some("7")).unwrap();
        let bare = [0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0xaa];
        assert_eq!(applied(&renumbering, &bare), Some(with_mid(b'7').to_vec()));
        let ours = [&[0x90], &bare[1..12], &[0xbe, 0xde, 0, 2, 0x40, b'7', 0, 0, 0, 0, 0, 0, 0xaa]].concat();
        assert_eq!(applied(&renumbering, &with_mid(b'0')), Some(ours));

        let plain = names(&[], &[]);
        assert!(
            Renumbering::between(&plain, &to, Some("7")).is_some(),
            "whatever the other side has described"
        );
        let to_plain = Renumbering::between(&from, &names(&[(0, "PCMU/8000", "")], &[]), None).unwrap();
        assert_eq!(applied(&to_plain, &with_mid(b'0')).unwrap()[16..20], [0; 4]);
    }

    fn with_mid(mid: u8) -> [u8; 21] {
        [0x90, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0xbe, 0xde, 0, 1, 0x40, mid, 0, 0, 0xaa]
    }

    #[test]
    fn a_packet_without_room_for_a_mid_goes_as_it_is() {
        let to = names(&[], &[(4, MID_URI)]);
        let renumbering = Renumbering::between(&names(&[], &[]), &to, Some("7")).unwrap();
        let mut packet = vec![0; MAX_DATAGRAM_BYTES - 7];
        packet[0] = 0x80;
        assert_eq!(applied(&renumbering, &packet), Some(packet));
    }
}
