//! Bencode, as the NG protocol uses it: dictionaries, lists, byte strings and integers. What is read comes from the network, so depth and
//! size are bounded and every error is an error, not a panic.

use std::collections::BTreeMap;

/// How deep lists and dictionaries may nest in what is read.
pub const MAX_DEPTH: usize = 16;
/// How many items one message may hold in all.
pub const MAX_ITEMS: usize = 10_000;

/// A bencode value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `i42e`
    Integer(i64),
    /// `4:text`
    Bytes(Vec<u8>),
    /// `l...e`
    List(Vec<Value>),
    /// `d...e`; keys are written in ascending order.
    Dictionary(BTreeMap<Vec<u8>, Value>),
}

/// Why bytes are not bencode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BencodeError {
    /// It ends inside a value.
    #[error("the message ends too early")]
    Truncated,
    /// A byte that starts nothing, or a number that is none.
    #[error("byte {0} does not belong there")]
    Unexpected(usize),
    /// Deeper or longer than allowed.
    #[error("more nesting or more items than allowed")]
    TooMuch,
    /// Bytes after the value.
    #[error("{0} bytes follow the message")]
    Trailing(usize),
}

impl Value {
    /// A byte string.
    pub fn text(text: &str) -> Self {
        Self::Bytes(text.as_bytes().to_vec())
    }

    /// A list of byte strings.
    pub fn texts(texts: &[&str]) -> Self {
        Self::List(texts.iter().map(|text| Self::text(text)).collect())
    }

    /// A dictionary.
    pub fn dictionary<'a>(entries: impl IntoIterator<Item = (&'a str, Self)>) -> Self {
        Self::Dictionary(entries.into_iter().map(|(key, value)| (key.as_bytes().to_vec(), value)).collect())
    }

    /// What a dictionary has under `key`.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Dictionary(entries) => entries.get(key.as_bytes()),
            _ => None,
        }
    }

    /// A byte string that is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// Appends the encoding.
    pub fn print(&self, out: &mut Vec<u8>) {
        match self {
            Self::Integer(number) => out.extend_from_slice(format!("i{number}e").as_bytes()),
            Self::Bytes(bytes) => print_bytes(bytes, out),
            Self::List(items) => {
                out.push(b'l');
                items.iter().for_each(|item| item.print(out));
                out.push(b'e');
            }
            Self::Dictionary(entries) => {
                out.push(b'd');
                for (key, value) in entries {
                    print_bytes(key, out);
                    value.print(out);
                }
                out.push(b'e');
            }
        }
    }

    /// Reads exactly one value that fills `bytes`.
    ///
    /// # Errors
    /// What is wrong and where.
    pub fn parse(bytes: &[u8]) -> Result<Self, BencodeError> {
        let mut reader = Reader { bytes, at: 0, items: 0 };
        let value = reader.value(0)?;
        match bytes.len() - reader.at {
            0 => Ok(value),
            left => Err(BencodeError::Trailing(left)),
        }
    }
}

fn print_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(bytes.len().to_string().as_bytes());
    out.push(b':');
    out.extend_from_slice(bytes);
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    items: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Result<u8, BencodeError> {
        self.bytes.get(self.at).copied().ok_or(BencodeError::Truncated)
    }

    fn value(&mut self, depth: usize) -> Result<Value, BencodeError> {
        self.items += 1;
        if depth > MAX_DEPTH || self.items > MAX_ITEMS {
            return Err(BencodeError::TooMuch);
        }
        match self.peek()? {
            b'i' => {
                self.at += 1;
                self.number(b'e').map(Value::Integer)
            }
            b'0'..=b'9' => self.string().map(Value::Bytes),
            b'l' => {
                self.at += 1;
                let mut items = Vec::new();
                while self.peek()? != b'e' {
                    items.push(self.value(depth + 1)?);
                }
                self.at += 1;
                Ok(Value::List(items))
            }
            b'd' => {
                self.at += 1;
                let mut entries = BTreeMap::new();
                while self.peek()? != b'e' {
                    let key = self.string()?;
                    entries.insert(key, self.value(depth + 1)?);
                }
                self.at += 1;
                Ok(Value::Dictionary(entries))
            }
            _ => Err(BencodeError::Unexpected(self.at)),
        }
    }

    /// Digits up to `end`, which is taken too.
    fn number(&mut self, end: u8) -> Result<i64, BencodeError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|&byte| byte == end).ok_or(BencodeError::Truncated)?;
        let number = rest
            .get(..length)
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| digits.parse().ok())
            .ok_or(BencodeError::Unexpected(self.at))?;
        self.at += length + 1;
        Ok(number)
    }

    fn string(&mut self) -> Result<Vec<u8>, BencodeError> {
        let start = self.at;
        let length = usize::try_from(self.number(b':')?).map_err(|_| BencodeError::Unexpected(start))?;
        let end = self.at.checked_add(length).ok_or(BencodeError::Truncated)?;
        let bytes = self.bytes.get(self.at..end).ok_or(BencodeError::Truncated)?.to_vec();
        self.at = end;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_message_is_written_as_the_protocol_wants_it() {
        let message = Value::dictionary([
            ("command", Value::text("offer")),
            ("flags", Value::texts(&["trust-address"])),
            ("age", Value::Integer(-3)),
        ]);
        let mut out = Vec::new();
        message.print(&mut out);
        assert_eq!(out, b"d3:agei-3e7:command5:offer5:flagsl13:trust-addressee");
    }

    #[test]
    fn every_way_to_be_wrong_is_named() {
        assert_eq!(Value::parse(b""), Err(BencodeError::Truncated));
        assert_eq!(Value::parse(b"5:abc"), Err(BencodeError::Truncated));
        assert_eq!(Value::parse(b"i12"), Err(BencodeError::Truncated));
        assert_eq!(Value::parse(b"d1:a"), Err(BencodeError::Truncated));
        assert_eq!(Value::parse(b"x"), Err(BencodeError::Unexpected(0)));
        assert_eq!(Value::parse(b"di1e1:ae"), Err(BencodeError::Unexpected(1)));
        assert_eq!(Value::parse(b"i1ei2e"), Err(BencodeError::Trailing(3)));
        assert_eq!(Value::parse(b"99999999999999999999:a"), Err(BencodeError::Unexpected(0)));
        assert_eq!(Value::parse(b"9223372036854775807:a"), Err(BencodeError::Truncated));
        assert_eq!(Value::parse(&[b'l'; 100]), Err(BencodeError::TooMuch));
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(Value::Integer),
            prop::collection::vec(any::<u8>(), 0..20).prop_map(Value::Bytes)
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::List),
                prop::collection::btree_map(prop::collection::vec(any::<u8>(), 0..8), inner, 0..8)
                    .prop_map(Value::Dictionary),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_printed_is_parsed_back(value in any_value()) {
            let mut out = Vec::new();
            value.print(&mut out);
            prop_assert_eq!(Value::parse(&out), Ok(value));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Value::parse(&bytes);
        }
    }
}
