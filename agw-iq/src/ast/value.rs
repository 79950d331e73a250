//! Values and parameters of packages.
//!
//! What a value means (integer, boolean, enumeration, octet string) is known to the package that defines it, not to the grammar, so
//! the tree keeps the text. Whether it is a string must be kept, because H.248.1 Annex B.2 demands quotation marks for strings and
//! forbids them for the rest, and Annex A encodes strings and numbers differently.

use super::{Name, PkgdName};

/// One value, by its text.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// Number, boolean, enumeration or hexadecimal octets: characters of the SafeChar set only.
    Token(compact_str::CompactString),
    /// A string or character; no quotation mark and no control character but tab inside.
    Quoted(String),
}

impl Value {
    /// A value that is not a string; text outside the SafeChar set makes it a string after all.
    pub fn token(text: impl AsRef<str>) -> Self {
        let text = text.as_ref();
        if !text.is_empty() && text.bytes().all(is_safe_char) {
            Value::Token(text.into())
        } else {
            Value::quoted(text)
        }
    }

    /// A string; characters that a quoted string cannot carry are replaced.
    pub fn quoted(text: impl Into<String>) -> Self {
        Value::Quoted(quotable(text.into()))
    }

    /// The registered spelling of a boolean.
    pub fn boolean(on: bool) -> Self {
        Value::Token(if on { "ON" } else { "OFF" }.into())
    }

    /// The text, without quotation marks.
    pub fn as_str(&self) -> &str {
        match self {
            Value::Token(text) => text,
            Value::Quoted(text) => text,
        }
    }

    /// Whether the text is this word, whatever its case.
    pub fn is(&self, word: &str) -> bool {
        self.as_str().eq_ignore_ascii_case(word)
    }

    /// Whether this is the CHOOSE wildcard `$`.
    pub fn is_choose(&self) -> bool {
        matches!(self, Value::Token(text) if text == "$")
    }

    /// `ON` or `OFF` as a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        if self.is("on") {
            Some(true)
        } else if self.is("off") {
            Some(false)
        } else {
            None
        }
    }

    /// Decimal digits, or hexadecimal ones after `0x`, as an unsigned integer (Annex B.2).
    pub fn as_u64(&self) -> Option<u64> {
        let text = self.as_str();
        match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            Some(hex) if hex.bytes().all(|b| b.is_ascii_hexdigit()) => u64::from_str_radix(hex, 16).ok(),
            None if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
            _ => None,
        }
    }
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Token(text) => f.write_str(&crate::secret::redact(text)),
            Value::Quoted(text) => write!(f, "{:?}", crate::secret::redact(text)),
        }
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Value::Token(compact_str::format_compact!("{number}"))
    }
}

/// What stands after the name of a property or parameter. `$` (a single CHOOSE value) is the empty sequence of Annex A.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParmValue {
    /// `= v`
    One(Value),
    /// `= [a, b]`: a list-valued property, a AND b.
    All(Vec<Value>),
    /// `= {a, b}`: choose one of them, a OR b.
    Any(Vec<Value>),
    /// `= [a:b]`: choose between them, both included.
    Range(Value, Value),
    /// `> v`, `< v`, `# v`: choose a value with this relation.
    Relation(Relation, Value),
}

impl ParmValue {
    /// The value, where there is exactly one and no relation.
    pub fn single(&self) -> Option<&Value> {
        match self {
            ParmValue::One(value) => Some(value),
            ParmValue::All(values) | ParmValue::Any(values) => match values.as_slice() {
                [value] => Some(value),
                _ => None,
            },
            ParmValue::Range(..) | ParmValue::Relation(..) => None,
        }
    }

    /// Whether the gateway is asked to choose: `$`, alternatives, a range or a relation.
    pub fn is_choice(&self) -> bool {
        match self {
            ParmValue::One(value) => value.is_choose(),
            ParmValue::All(_) => false,
            ParmValue::Any(_) | ParmValue::Range(..) | ParmValue::Relation(..) => true,
        }
    }
}

impl From<Value> for ParmValue {
    fn from(value: Value) -> Self {
        ParmValue::One(value)
    }
}

/// How the chosen value must relate to the given one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// `>`
    Greater,
    /// `<`
    Smaller,
    /// `#`
    Unequal,
}

/// A package property and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropertyParm {
    /// `package/property`.
    pub name: PkgdName,
    /// Its value.
    pub value: ParmValue,
}

/// A parameter of an event, a signal or an extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parm {
    /// The parameter's name within its event or signal.
    pub name: Name,
    /// Its value.
    pub value: ParmValue,
}

/// Annex B.2 SafeChar.
pub(crate) const fn is_safe_char(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(
            b,
            b'+' | b'-'
                | b'&'
                | b'!'
                | b'_'
                | b'/'
                | b'\''
                | b'?'
                | b'@'
                | b'^'
                | b'`'
                | b'~'
                | b'*'
                | b'$'
                | b'\\'
                | b'('
                | b')'
                | b'%'
                | b'|'
                | b'.'
        )
}

/// Replaces what a quoted string cannot carry: quotation marks and control characters other than tab.
pub(crate) fn quotable(text: String) -> String {
    let bad = |c: char| c == '"' || (c.is_control() && c != '\t');
    if text.contains(bad) { text.replace('"', "'").replace(bad, " ") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_decimal_or_prefixed_hexadecimal() {
        assert_eq!(Value::token("46").as_u64(), Some(46));
        assert_eq!(Value::token("0x2E").as_u64(), Some(46));
        assert_eq!(Value::token("2E").as_u64(), None);
        assert_eq!(Value::token("+1").as_u64(), None);
        assert_eq!(Value::token("0x+1").as_u64(), None);
    }

    #[test]
    fn text_that_is_no_token_becomes_a_string() {
        assert_eq!(Value::token("a b"), Value::Quoted("a b".into()));
        assert_eq!(Value::quoted("say \"x\"\n"), Value::Quoted("say 'x' ".into()));
    }
}
