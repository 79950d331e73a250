//! TerminationIDs as octets (Annex A.1): `ip/<group>/<interface>/<id>` in fields of bits, wildcards in octets of their own.
//!
//! Annex A leaves the split of the octets to provisioning, and the profile's is not public. [`LAYOUTS`] is therefore provisional, as
//! a whole, and the only place that knows it: one layout of four octets, after the pattern of TS 29.332 (three bits of type, 001
//! for an ephemeral termination), and one of eight, in which every number of the gateway fits. The length of a peer's own identifiers
//! tells which it uses. What fits no layout is kept by its octets, as `x`, digits, and `w` before each wildcard, and is written back
//! the same: it names no termination of this gateway, and the peer sees in the error what it sent.

use std::borrow::Cow;
use std::sync::Arc;

use super::names;
use crate::ast::{Name, TerminationId};
use crate::package::diffserv::DscpForm;
use crate::package::realm::Realms;
use agw_core::model;

/// The split of identifiers of one length, most significant bits first.
#[derive(Debug)]
struct Layout {
    octets: u8,
    /// Bits of type, group, interface and id.
    bits: [u32; 4],
    /// The type that stands for `ip`.
    ip: u64,
}

/// Provisional: no public text gives the split for Iq.
const LAYOUTS: [Layout; 2] =
    [Layout { octets: 4, bits: [3, 2, 6, 21], ip: 1 }, Layout { octets: 8, bits: [8, 8, 16, 32], ip: 1 }];

// What the gateway gives out has a place in every layout.
const _: () = assert!(model::TerminationId::MAX.0 as u64 <= mask(LAYOUTS[0].bits[3]));

/// The length that is written before the peer has shown its own; ROOT is then the 0xFFFFFFFFFFFFFFFF of Annex A.2.
pub const DEFAULT_ID_OCTETS: u8 = 8;

/// The lengths in which ROOT is known: eight octets in H.248.1, four in 3GPP profiles (TS 29.332 clause A.6).
const ROOT_OCTETS: [usize; 2] = [4, 8];

/// Wildcard octets (Annex A.1).
const ALL: u8 = 0x80;
const AND_BELOW: u8 = 0x40;
const POSITION: u8 = 0x3f;

/// What a binary message leaves to provisioning: how terminations are named, and in which form DiffServ code points are kept.
#[derive(Clone, Debug)]
pub struct Naming {
    /// Interface fields by number, which count from 1.
    interfaces: Arc<[Name]>,
    id_octets: u8,
    pub(super) dscp: DscpForm,
}

impl Default for Naming {
    fn default() -> Self {
        Naming { interfaces: Arc::default(), id_octets: DEFAULT_ID_OCTETS, dscp: DscpForm::default() }
    }
}

impl Naming {
    /// The interfaces that stand for these realms, numbered from 1 in the order of the configuration.
    pub fn of(realms: &Realms, dscp: DscpForm) -> Self {
        let interfaces = realms.iter().map(|realm| Name::new(realms.interface(realm))).collect();
        Naming { interfaces, dscp, ..Naming::default() }
    }

    /// The same for identifiers of another length: what [`Parsed::id_octets`](crate::codec::Parsed::id_octets) tells of the peer. A
    /// length without a layout changes nothing.
    pub fn with_id_octets(self, octets: Option<u8>) -> Self {
        let known = octets.filter(|octets| LAYOUTS.iter().any(|layout| layout.octets == *octets));
        Naming { id_octets: known.unwrap_or(self.id_octets), ..self }
    }

    /// How many octets identifiers are written with.
    pub fn id_octets(&self) -> u8 {
        self.id_octets
    }

    /// Reads an identifier and its wildcards.
    pub(super) fn read(&self, wildcards: &[u8], id: &[u8]) -> TerminationId {
        if wildcards.is_empty() && ROOT_OCTETS.contains(&id.len()) && id.iter().all(|octet| *octet == 0xff) {
            return TerminationId::Root;
        }
        let layout = LAYOUTS.iter().find(|layout| usize::from(layout.octets) == id.len());
        let read = layout.and_then(|layout| self.fields(layout, wildcards, id));
        read.unwrap_or_else(|| by_octets(wildcards, id))
    }

    fn fields(&self, layout: &Layout, wildcards: &[u8], id: &[u8]) -> Option<TerminationId> {
        let bits = id.iter().fold(0, |sum: u64, octet| sum << 8 | u64::from(*octet));
        let mut path = String::new();
        let mut used = 0;
        for (level, low, width) in layout.levels() {
            let top = low + width - 1;
            let wildcard = wildcards.iter().find(|octet| u32::from(*octet & POSITION) == top);
            if level > 0 {
                path.push('/');
            }
            if let Some(wildcard) = wildcard {
                used += 1;
                path.push(if wildcard & ALL == 0 { '$' } else { '*' });
                if wildcard & AND_BELOW != 0 {
                    break;
                }
            } else {
                let number = bits >> low & mask(width);
                path.push_str(&self.field(layout, level, number)?);
            }
        }
        // A wildcard that begins within a field, or below one that takes in everything, is not ours.
        if used != wildcards.len() {
            return None;
        }
        Some(match path.as_str() {
            "$" => TerminationId::Choose,
            "*" => TerminationId::All,
            path => TerminationId::Path(path.into()),
        })
    }

    /// The text of a field by its number.
    fn field(&self, layout: &Layout, level: usize, number: u64) -> Option<Cow<'_, str>> {
        match level {
            0 => (number == layout.ip).then_some("ip".into()),
            2 => {
                let known =
                    usize::try_from(number).ok()?.checked_sub(1).and_then(|at| self.interfaces.get(at));
                match known {
                    Some(name) => Some(name.as_str().into()),
                    // A number without a name, unless that is another's name.
                    None => {
                        Some(number.to_string()).filter(|text| self.interface(text).is_none()).map(Cow::Owned)
                    }
                }
            }
            _ => Some(number.to_string().into()),
        }
    }

    fn interface(&self, text: &str) -> Option<u64> {
        self.interfaces.iter().position(|name| *name == text).map(|at| at as u64 + 1)
    }

    /// The wildcards and octets of an identifier; `None` where it has no binary form.
    pub(super) fn write(&self, id: &TerminationId) -> Option<(Vec<u8>, Vec<u8>)> {
        if let TerminationId::Root = id {
            return Some((Vec::new(), vec![0xff; self.id_octets.into()]));
        }
        let layout = LAYOUTS.iter().find(|layout| layout.octets == self.id_octets)?;
        let mut texts = id.segments();
        let mut wildcards = Vec::new();
        let mut bits = 0;
        for (level, low, width) in layout.levels() {
            let Some(text) = texts.next() else {
                // A wildcard that ends the path takes in all below.
                *wildcards.last_mut().filter(|_| id.as_str().ends_with(['$', '*']))? |= AND_BELOW;
                break;
            };
            let top = (low + width - 1) as u8;
            match text {
                "$" => wildcards.push(top),
                "*" => wildcards.push(ALL | top),
                _ => bits |= self.number(layout, level, text).filter(|number| *number <= mask(width))? << low,
            }
        }
        if texts.next().is_some() {
            return None;
        }
        let octets = bits.to_be_bytes();
        Some((wildcards, octets.get(octets.len() - usize::from(layout.octets)..)?.to_vec()))
    }

    /// The number of a field by its text.
    fn number(&self, layout: &Layout, level: usize, text: &str) -> Option<u64> {
        let decimal = || {
            let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
            text.parse().ok().filter(|_| plain)
        };
        match level {
            0 => text.eq_ignore_ascii_case("ip").then_some(layout.ip),
            2 => self.interface(text).or_else(decimal),
            _ => decimal(),
        }
    }
}

impl Layout {
    /// Each field with its number, its lowest bit and its width.
    fn levels(&self) -> impl Iterator<Item = (usize, u32, u32)> {
        let mut low = u32::from(self.octets) * 8;
        self.bits.iter().enumerate().map(move |(level, width)| {
            low -= width;
            (level, low, *width)
        })
    }
}

const fn mask(width: u32) -> u64 {
    u64::MAX >> (64 - width)
}

/// An identifier that is none of ours, by its octets.
fn by_octets(wildcards: &[u8], id: &[u8]) -> TerminationId {
    let mut path = format!("x{}", names::digits(id));
    wildcards.iter().for_each(|octet| path.extend(["w", &names::digits(&[*octet])]));
    TerminationId::Path(path.as_str().into())
}

/// The wildcards and octets of what [`by_octets`] wrote.
pub(super) fn from_octets(id: &TerminationId) -> Option<(Vec<u8>, Vec<u8>)> {
    let TerminationId::Path(path) = id else { return None };
    let mut parts = path.as_str().strip_prefix(['x', 'X'])?.split(['w', 'W']);
    let id = names::hex(parts.next()?).filter(|octets| (1..=8).contains(&octets.len()))?;
    let wildcards = parts.map(|part| match names::hex(part)?.as_slice() {
        [octet] => Some(*octet),
        _ => None,
    });
    Some((wildcards.collect::<Option<_>>()?, id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use agw_core::model::RealmName;

    fn naming(octets: u8) -> Naming {
        let realms = Realms::new(["access", "core"].iter().filter_map(|name| RealmName::new(name)).collect());
        Naming::of(&realms, DscpForm::default()).with_id_octets(Some(octets))
    }

    fn path(text: &str) -> TerminationId {
        match text {
            "ROOT" => TerminationId::Root,
            "$" => TerminationId::Choose,
            "*" => TerminationId::All,
            _ => TerminationId::Path(text.into()),
        }
    }

    #[test]
    fn identifiers_go_into_bits_and_come_back() {
        for (octets, text, wildcards, id) in [
            (8, "ROOT", "", "ffffffffffffffff"),
            (8, "ip/1/access/$", "1f", "0101000100000000"),
            (8, "ip/1/core/2", "", "0101000200000002"),
            (8, "ip/1/$", "6f", "0101000000000000"),
            (8, "ip/*/access/*", "b79f", "0100000100000000"),
            (8, "ip/255/77/4294967295", "", "01ff004dffffffff"),
            (8, "*", "ff", "0000000000000000"),
            (8, "*/1/access/*", "bf9f", "0001000100000000"),
            (8, "$", "7f", "0000000000000000"),
            (4, "ROOT", "", "ffffffff"),
            (4, "ip/$", "5c", "20000000"),
            (4, "ip/1/$/$", "1a14", "28000000"),
            (4, "ip/3/core/2097151", "", "385fffff"),
            (4, "*", "df", "00000000"),
        ] {
            let hex = |digits| names::hex(digits).unwrap_or_default();
            let binary = (hex(wildcards), hex(id));
            assert_eq!(naming(octets).write(&path(text)).as_ref(), Some(&binary), "{text}");
            assert_eq!(naming(8).read(&binary.0, &binary.1), path(text), "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_has_no_binary_form() {
        for text in [
            "ip",
            "ip/1",
            "aln/1",
            "ip/4/access/1",
            "ip/1/access/2097152",
            "ip/1/nowhere/1",
            "ip/1/access/01",
            "ip/1/a/1/1",
        ] {
            assert_eq!(naming(4).write(&path(text)), None, "{text}");
        }
    }

    #[test]
    fn identifiers_of_another_kind_are_kept_by_their_octets() {
        for (wildcards, id, text) in [
            (&[][..], &[0x40, 0, 0, 1][..], "x40000001"),
            (&[0x87], &[1, 0x1e, 0x55], "x011e55w87"),
            (&[0x9e], &[0x21, 0, 0, 0], "x21000000w9e"),
            (&[0xff, 0x1f], &[1, 0, 0, 0, 0, 0, 0, 0], "x0100000000000000wffw1f"),
        ] {
            let read = naming(4).read(wildcards, id);
            assert_eq!(read, path(text));
            assert_eq!(from_octets(&read), Some((wildcards.to_vec(), id.to_vec())));
        }
        for text in ["x", "x1", "xgg", "x11w", "x112233445566778899", "ip/1/access/1"] {
            assert_eq!(from_octets(&path(text)), None, "{text}");
        }
    }

    #[test]
    fn a_number_without_an_interface_is_not_taken_for_one_that_is_named_like_it() {
        let realms = Realms::new(["7", "core"].iter().filter_map(|name| RealmName::new(name)).collect());
        let naming = Naming::of(&realms, DscpForm::default());
        assert_eq!(naming.read(&[], &[1, 1, 0, 1, 0, 0, 0, 5]), path("ip/1/7/5"));
        assert_eq!(naming.read(&[], &[1, 1, 0, 7, 0, 0, 0, 5]), path("x0101000700000005"));
    }
}
