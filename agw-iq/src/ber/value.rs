//! Values of properties, parameters and statistics.
//!
//! Annex A puts the BER of a value, by its type in the package, into an OCTET STRING. So it is sent: BOOLEAN, INTEGER, ENUMERATED,
//! OCTET STRING, IA5String, or UTF8String where the text is not ASCII. Some peers put the text of the text encoding there instead, with
//! nothing around it; text never begins like an element, and is read as well. Values of unknown items go by what they look like; what
//! looks like nothing is kept as `0x` and its octets, and written back the same.

use super::names::{digits, hex};
use super::tlv::{Class, Elements, NUMBERS, Res, Tlv, fault, fault_as, universal};
use super::writer::{OCTET_STRING, Writer, constructed, primitive};
use crate::ast::{ParmValue, Relation, Value};
use crate::errors::ErrorCode;
use crate::package::Kind;
use crate::package::diffserv::DscpForm;

/// Other strings that are read as text (X.680 section 41).
const PRINTABLE_STRING: u32 = 19;
const VISIBLE_STRING: u32 = 26;

/// The type of a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Type {
    /// Of an item that the registry does not know.
    Unknown,
    /// Of one that it does; octets that are DiffServ code points are kept in the form of the association.
    Known(Kind, DscpForm),
    /// A statistic: a whole number.
    Whole,
    /// A statistic whose low 32 bits are a fraction (H.248.1 E.12.4).
    Fraction,
}

impl Type {
    pub(super) fn of(kind: Option<Kind>, dscp: DscpForm) -> Self {
        kind.map_or(Type::Unknown, |kind| Type::Known(kind, dscp))
    }

    /// One value from the inside of its OCTET STRING, in the spelling that the type has for it.
    pub(super) fn read(self, octets: &[u8]) -> Value {
        let value = match element(octets) {
            Some(inner) => self.element(&inner).unwrap_or_else(|| raw(octets)),
            None => self.bare(octets),
        };
        self.spelled(value)
    }

    /// A value with tag and length; `None` where the tree would lose what it is.
    fn element(self, inner: &Tlv<'_>) -> Option<Value> {
        let unknown = matches!(self, Type::Unknown);
        match inner.number {
            universal::BOOLEAN => inner.boolean().ok().map(Value::boolean),
            universal::OCTET_STRING | universal::ENUMERATED if unknown => None,
            universal::INTEGER | universal::ENUMERATED => {
                inner.integer().ok().map(|number| self.number(number))
            }
            universal::OCTET_STRING => inner.octets().ok().and_then(|octets| self.octet(&octets)),
            number => {
                let text = inner.text("a value").ok()?;
                let ours = if text.is_ascii() { universal::IA5_STRING } else { universal::UTF8_STRING };
                let kept = number == ours && text == Value::quoted(text.as_ref()).as_str();
                (kept || !unknown).then(|| self.text(&text))
            }
        }
    }

    /// A value without.
    fn bare(self, octets: &[u8]) -> Value {
        if let Some(value) = self.octet(octets) {
            return value;
        }
        match std::str::from_utf8(octets) {
            Ok(text) if text.is_empty() || text.contains(|c: char| c.is_control() && c != '\t') => {
                raw(octets)
            }
            Err(_) => raw(octets),
            Ok(text)
                if matches!(self, Type::Unknown)
                    && (is_number(text) || Value::token(text).as_bool().is_some()) =>
            {
                Value::token(text)
            }
            Ok(text) => self.text(text),
        }
    }

    fn number(self, number: i128) -> Value {
        match self {
            Type::Fraction => decimal(number as f64 / FRACTION),
            _ => Value::token(number.to_string()),
        }
    }

    /// Text is a string where the type is one or is not known, or where it could be taken for octets; else it is a token.
    fn text(self, text: &str) -> Value {
        match self {
            Type::Known(Kind::Text(_), _) | Type::Unknown => Value::quoted(text),
            _ if text.starts_with("0x") => Value::quoted(text),
            // What a string cannot carry is replaced first, or the text would be a token only when it is read again.
            _ => Value::token(Value::quoted(text).as_str()),
        }
    }

    fn octet(self, octets: &[u8]) -> Option<Value> {
        match (self, octets) {
            (Type::Known(Kind::Octet, dscp), [octet]) => {
                let octet = if dscp.mirrored { octet.reverse_bits() } else { *octet };
                Some(Value::token(format!("0x{octet:02X}")))
            }
            (Type::Known(Kind::Octets(_), _), octets) if !octets.is_empty() => {
                Some(Value::token(octets.iter().map(|octet| format!("{octet:02X}")).collect::<String>()))
            }
            _ => None,
        }
    }

    /// The one spelling of a value that the type admits, whatever its octets looked like.
    fn spelled(self, value: Value) -> Value {
        let spelling = match self {
            Type::Known(Kind::Boolean, _) => value.as_bool().map(Value::boolean),
            Type::Unknown => value.as_bool().filter(|_| matches!(value, Value::Token(_))).map(Value::boolean),
            Type::Known(Kind::Integer { .. }, _) => value.as_u64().map(Value::from),
            Type::Known(Kind::Enumeration(words), _) => {
                let word =
                    words.iter().find(|(word, id)| value.is(word) || value.as_u64() == Some(u64::from(*id)));
                word.map(|(word, _)| Value::token(word)).or_else(|| value.as_u64().map(Value::from))
            }
            Type::Known(Kind::Octet, dscp) => dscp.read(&value).and_then(|point| self.octet(&[point])),
            Type::Known(kind @ Kind::Octets(_), _) => {
                kind.admits(&value).then(|| Value::token(value.as_str().to_ascii_uppercase()))
            }
            Type::Known(Kind::Text(_), _) => Some(Value::quoted(value.as_str())),
            Type::Whole => whole(&value).map(Value::from),
            Type::Fraction => fraction(&value).map(decimal),
        };
        spelling.unwrap_or(value)
    }

    /// One value as an element of a SEQUENCE OF OCTET STRING.
    pub(super) fn write(self, w: &mut Writer, value: &Value) {
        w.nest(OCTET_STRING, |w| self.write_inside(w, value));
    }

    /// One value as the inside of an OCTET STRING.
    pub(super) fn write_inside(self, w: &mut Writer, value: &Value) {
        if !self.write_typed(w, value) {
            write_untyped(w, value);
        }
    }

    /// False if the value is not of this type.
    fn write_typed(self, w: &mut Writer, value: &Value) -> bool {
        let written = match self {
            Type::Unknown => None,
            Type::Known(Kind::Boolean, _) => value.as_bool().map(|on| w.boolean(BOOLEAN, on)),
            Type::Known(Kind::Integer { .. }, _) => value.as_u64().map(|number| w.uint(INTEGER, number)),
            Type::Known(Kind::Enumeration(words), _) => {
                let word = words.iter().find(|(word, _)| value.is(word)).map(|(_, id)| u64::from(*id));
                word.or_else(|| value.as_u64()).map(|id| w.uint(ENUMERATED, id))
            }
            Type::Known(Kind::Octet, dscp) => dscp.read(value).map(|octet| w.octets(OCTET_STRING, &[octet])),
            Type::Known(kind @ Kind::Octets(_), _) => {
                let digits = value.as_str().as_bytes().chunks_exact(2);
                let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
                let octets: Option<Vec<u8>> = digits.map(octet).collect();
                octets.filter(|_| kind.admits(value)).map(|octets| w.octets(OCTET_STRING, &octets))
            }
            Type::Known(Kind::Text(_), _) => {
                write_text(w, value.as_str());
                Some(())
            }
            Type::Whole => whole(value).map(|number| w.uint(INTEGER, number)),
            Type::Fraction => match fraction(value) {
                Some(number) => {
                    w.integer(INTEGER, (number * FRACTION).round() as i128);
                    Some(())
                }
                // As an INTEGER it would be another number.
                None if is_number(value.as_str()) => {
                    write_text(w, value.as_str());
                    Some(())
                }
                None => None,
            },
        };
        written.is_some()
    }
}

/// One, where the low 32 bits are a fraction.
const FRACTION: f64 = 4_294_967_296.0;

/// The whole number that a statistic is; a double of the tree is rounded.
fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| fraction(value).map(|number| number.round() as u64))
}

/// The number of at most 32 bits before the point that a statistic is.
fn fraction(value: &Value) -> Option<f64> {
    let plain = value.as_str().bytes().all(|b| b.is_ascii_digit() || b == b'.');
    value.as_str().parse().ok().filter(|number: &f64| plain && *number < FRACTION)
}

/// A double with at most six decimals and without those that say nothing.
fn decimal(number: f64) -> Value {
    let text = format!("{number:.6}");
    Value::token(text.trim_end_matches('0').trim_end_matches('.'))
}

const BOOLEAN: u8 = universal::BOOLEAN as u8;
const INTEGER: u8 = universal::INTEGER as u8;
const ENUMERATED: u8 = universal::ENUMERATED as u8;

/// The one element that the octets are, if they are one of a type that values have.
fn element(octets: &[u8]) -> Option<Tlv<'_>> {
    let mut elements = Elements::new(octets, 0);
    let first = elements.next().ok().flatten()?;
    let typed = matches!(
        first.number,
        universal::BOOLEAN
            | universal::INTEGER
            | universal::OCTET_STRING
            | universal::ENUMERATED
            | universal::UTF8_STRING
            | universal::IA5_STRING
            | PRINTABLE_STRING
            | VISIBLE_STRING
    );
    // A constructed string would begin like text.
    (first.class == Class::Universal && typed && !first.constructed && elements.is_empty()).then_some(first)
}

/// The inside of a string that is an element; `None` where the octets are none.
pub(super) fn string(octets: &[u8]) -> Option<&[u8]> {
    let inner = element(octets)?;
    let is_string = !matches!(inner.number, universal::BOOLEAN | universal::INTEGER | universal::ENUMERATED);
    is_string.then(|| inner.bare())
}

/// Octets as they are.
fn raw(octets: &[u8]) -> Value {
    Value::Token(format!("0x{}", digits(octets)).into())
}

/// A value by what it looks like.
fn write_untyped(w: &mut Writer, value: &Value) {
    let Value::Token(text) = value else { return write_text(w, value.as_str()) };
    if let Some(octets) = text.strip_prefix("0x").and_then(hex) {
        w.raw(&octets);
    } else if let Some(on) = value.as_bool() {
        w.boolean(BOOLEAN, on);
    } else if let Some(number) = text.parse().ok().filter(|_| is_number(text)) {
        w.integer(INTEGER, number);
    } else {
        write_text(w, text);
    }
}

/// Whether this is the only spelling of a number of at most eight octets.
fn is_number(text: &str) -> bool {
    text.parse().is_ok_and(|number: i128| NUMBERS.contains(&number) && number.to_string() == text)
}

pub(super) fn write_text(w: &mut Writer, text: &str) {
    let tag = if text.is_ascii() { universal::IA5_STRING } else { universal::UTF8_STRING };
    w.octets(tag as u8, text.as_bytes());
}

/// `value` and `extraInfo` of a property or parameter.
pub(super) fn read_parm(kind: Type, values: &Tlv<'_>, extra: Option<Tlv<'_>>) -> Res<ParmValue> {
    let at = values.at;
    let mut values = values.list(|value| read_one(kind, &value))?;
    let Some(extra) = extra.map(|extra| extra.choice()).transpose()? else {
        return Ok(without_extra(values));
    };
    let mut only = |count: usize, what: &str| {
        if values.len() == count {
            Ok(std::mem::take(&mut values))
        } else {
            fault(at, format!("a {what} needs {count} values"))
        }
    };
    match extra.number {
        0 => {
            let relation = match extra.enumerated()? {
                0 => Relation::Greater,
                1 => Relation::Smaller,
                2 => Relation::Unequal,
                other => {
                    return fault_as(
                        ErrorCode::UNSUPPORTED_VALUE,
                        extra.at,
                        format!("unknown relation {other}"),
                    );
                }
            };
            Ok(ParmValue::Relation(relation, only(1, "relation")?.remove(0)))
        }
        1 if extra.boolean()? => {
            let mut ends = only(2, "range")?;
            let high = ends.remove(1);
            Ok(ParmValue::Range(ends.remove(0), high))
        }
        2 if extra.boolean()? => Ok(ParmValue::All(values)),
        // Neither a range nor a sublist, or of a later version.
        _ => Ok(without_extra(values)),
    }
}

/// No value is CHOOSE, several are alternatives.
fn without_extra(mut values: Vec<Value>) -> ParmValue {
    match values.len() {
        0 => ParmValue::One(Value::token("$")),
        1 => ParmValue::One(values.remove(0)),
        _ => ParmValue::Any(values),
    }
}

/// One value of a SEQUENCE OF OCTET STRING.
pub(super) fn read_one(kind: Type, value: &Tlv<'_>) -> Res<Value> {
    if !value.is_universal(universal::OCTET_STRING) {
        return fault(value.at, format!("an OCTET STRING expected, found {}", value.shown()));
    }
    Ok(kind.read(&value.octets()?))
}

/// Writes `value` as tag 1 and `extraInfo` as tag 2.
pub(super) fn write_parm(w: &mut Writer, kind: Type, value: &ParmValue) {
    let values = |w: &mut Writer, values: &[&Value]| {
        w.list(constructed(1), values, |w, value| kind.write(w, value));
    };
    let extra = |w: &mut Writer, number: u8| {
        w.nest(constructed(2), |w| w.boolean(primitive(number), true));
    };
    match value {
        ParmValue::One(value) if value.is_choose() => values(w, &[]),
        ParmValue::One(value) => values(w, &[value]),
        ParmValue::Any(all) => values(w, &all.iter().collect::<Vec<_>>()),
        ParmValue::All(all) => {
            values(w, &all.iter().collect::<Vec<_>>());
            extra(w, 2);
        }
        ParmValue::Range(low, high) => {
            values(w, &[low, high]);
            extra(w, 1);
        }
        ParmValue::Relation(relation, value) => {
            values(w, &[value]);
            let relation: u8 = match relation {
                Relation::Greater => 0,
                Relation::Smaller => 1,
                Relation::Unequal => 2,
            };
            w.nest(constructed(2), |w| w.uint(primitive(0), relation));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::{find, registry};

    const FORM: DscpForm = DscpForm { radix: crate::package::diffserv::Radix::Guess, mirrored: false };

    fn known(kind: Kind) -> Type {
        Type::Known(kind, FORM)
    }

    fn written(kind: Type, value: &Value) -> Vec<u8> {
        let mut w = Writer::new();
        kind.write(&mut w, value);
        // Without the OCTET STRING around it.
        w.finish().expect("sayable").get(2..).expect("a value").to_vec()
    }

    #[test]
    fn each_type_is_written_as_an_element_and_read_with_and_without_one() {
        let number = known(Kind::Integer { min: 0, max: 1000 });
        let mode = known(Kind::Enumeration(&[("OFF", 0), ("LATCH", 1), ("RELATCH", 2)]));
        let text = known(Kind::Text(64));
        for (kind, value, element, bare) in [
            (known(Kind::Boolean), Value::boolean(true), &[1, 1, 0xff][..], &b"ON"[..]),
            (known(Kind::Boolean), Value::boolean(false), &[1, 1, 0], b"off"),
            (number, Value::token("300"), &[2, 2, 1, 44], b"300"),
            (mode, Value::token("LATCH"), &[10, 1, 1], b"latch"),
            (text, Value::quoted("access1"), b"\x16\x07access1", b"access1"),
            (text, Value::quoted("caf\u{e9}"), b"\x0c\x05caf\xc3\xa9", b"caf\xc3\xa9"),
            (known(Kind::Octet), Value::token("0x2E"), &[4, 1, 0x2e], &[0x2e]),
            (known(Kind::Octets(8)), Value::token("12ABCD"), &[4, 3, 0x12, 0xab, 0xcd], &[0x12, 0xab, 0xcd]),
            (Type::Whole, Value::token("160000"), &[2, 3, 2, 0x71, 0], b"160000"),
            (Type::Fraction, Value::token("0.5"), &[2, 5, 0, 0x80, 0, 0, 0], b"0.5"),
        ] {
            assert_eq!(written(kind, &value), element);
            assert_eq!(kind.read(element), value);
            assert!(kind.read(bare).is(value.as_str()), "{value:?}");
        }
    }

    #[test]
    fn a_fraction_comes_back_as_the_decimals_it_was() {
        for text in ["0", "0.1", "12.34", "100", "0.01"] {
            let value = Value::token(text);
            assert_eq!(Type::Fraction.read(&written(Type::Fraction, &value)), value);
        }
        assert_eq!(Type::Whole.read(&written(Type::Whole, &Value::token("3.6"))), Value::token("4"));
        // What is no such number keeps its octets or its text.
        for octets in [&b"\x02\x09\x98"[..], b"\x16\x0a5000000000", b"\x16\x02-1"] {
            assert_eq!(written(Type::Fraction, &Type::Fraction.read(octets)), octets);
        }
    }

    #[test]
    fn mirrored_code_points_are_mirrored_in_the_tree_only() {
        let mirrored = Type::Known(Kind::Octet, DscpForm { mirrored: true, ..FORM });
        assert_eq!(mirrored.read(&[4, 1, 0x2e]), Value::token("0x74"));
        assert_eq!(written(mirrored, &Value::token("0x74")), [4, 1, 0x2e]);
    }

    #[test]
    fn values_of_unknown_items_keep_their_octets() {
        for octets in [
            &b"\x02\x01\x05"[..],
            b"\x02\x02\xff\x01",
            b"\x01\x01\xff",
            b"\x0a\x01\x03",
            b"\x16\x03abc",
            b"\x16\x030x1",
            b"\x16\x00",
            b"\x04\x02\x00\x01",
            b"\x30\x03\x02\x01\x05",
            b"",
            b"\x00\xff",
            b"\x16\x02\"\"",
        ] {
            let value = Type::Unknown.read(octets);
            assert_eq!(written(Type::Unknown, &value), octets, "{value:?}");
        }
        assert_eq!(Type::Unknown.read(b"icmp"), Value::quoted("icmp"));
        assert_eq!(Type::Unknown.read(b"50"), Value::token("50"));
    }

    #[test]
    fn a_value_of_the_wrong_type_survives_for_the_error_that_shows_it() {
        let number = known(Kind::Integer { min: 0, max: 9 });
        assert_eq!(number.read(b"\x16\x05maybe"), Value::token("maybe"));
        assert_eq!(number.read(b"\x16\x03a\"b"), Value::token("a'b"));
        assert_eq!(number.read(b"\x01\x01\xff"), Value::boolean(true));
        assert_eq!(known(Kind::Enumeration(&[("A", 1)])).read(&[10, 1, 7]), Value::token("7"));
        assert_eq!(written(number, &Value::quoted("may be")), b"\x16\x06may be");
    }

    #[test]
    fn every_default_of_the_registry_comes_back() {
        for property in registry::PACKAGES.iter().flat_map(|package| package.properties) {
            if let Some(default) = property.default {
                let value = Value::token(default);
                let kind = known(property.kind);
                assert!(kind.read(&written(kind, &value)).is(default), "{}", property.name);
            }
        }
        assert!(find("gm").is_some());
    }
}
