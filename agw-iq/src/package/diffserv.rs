//! `ds/dscp` (H.248.52): the DiffServ code point of what the gateway sends.
//!
//! Peers write it in hexadecimal or decimal and, because H.248.1 Annex B.3 mirrors the bits of octet strings, some of them mirrored;
//! so both the radix and the mirroring are configured.

use crate::ast::Value;

/// How unprefixed digits are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Radix {
    /// Hexadecimal with `0x` or with a letter among the digits, else decimal.
    #[default]
    Guess,
    /// Decimal unless prefixed with `0x`.
    Decimal,
    /// Always hexadecimal.
    Hexadecimal,
}

/// How code points are written on this association.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DscpForm {
    /// How digits are read.
    pub radix: Radix,
    /// The peer mirrors the bits of the octet (Annex B.3).
    pub mirrored: bool,
}

impl DscpForm {
    /// The code point, 0 to 63; `None` when the value is none.
    pub fn read(self, value: &Value) -> Option<u8> {
        let text = value.as_str();
        let prefixed = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
        let digits = prefixed.unwrap_or(text);
        if digits.is_empty() || digits.len() > 3 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let letters = digits.bytes().any(|b| b.is_ascii_alphabetic());
        let hexadecimal = prefixed.is_some()
            || match self.radix {
                // A mirrored value is an octet string, and those are hexadecimal.
                Radix::Guess => letters || self.mirrored,
                Radix::Decimal => false,
                Radix::Hexadecimal => true,
            };
        let octet = u8::from_str_radix(digits, if hexadecimal { 16 } else { 10 }).ok()?;
        let point = if self.mirrored { octet.reverse_bits() } else { octet };
        (point < 64).then_some(point)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: DscpForm, text: &str) -> Option<u8> {
        form.read(&Value::token(text))
    }

    #[test]
    fn prefixed_and_lettered_digits_are_hexadecimal_others_decimal() {
        let form = DscpForm::default();
        assert_eq!(read(form, "0x2E"), Some(46));
        assert_eq!(read(form, "2e"), Some(46));
        assert_eq!(read(form, "46"), Some(46));
        assert_eq!(read(form, "0"), Some(0));
        assert_eq!(read(form, "64"), None);
        assert_eq!(read(form, "0x"), None);
        assert_eq!(read(form, "+1"), None);
        assert_eq!(read(form, "0000000000000001"), None);
    }

    #[test]
    fn the_radix_can_be_forced() {
        let hexadecimal = DscpForm { radix: Radix::Hexadecimal, mirrored: false };
        assert_eq!(read(hexadecimal, "28"), Some(40));
        let decimal = DscpForm { radix: Radix::Decimal, mirrored: false };
        assert_eq!(read(decimal, "2E"), None);
        assert_eq!(read(decimal, "28"), Some(28));
    }

    #[test]
    fn mirrored_octets_are_turned_round() {
        let form = DscpForm { radix: Radix::Guess, mirrored: true };
        assert_eq!(read(form, "74"), Some(46));
        assert_eq!(read(form, "0x74"), Some(46));
        assert_eq!(read(form, "01"), None);
    }
}
