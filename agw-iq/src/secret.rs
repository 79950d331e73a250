//! Keys in text: a buffer that leaves no copies behind, and the blanking of keys in what people read.
//!
//! SDES keys travel as `a=crypto` lines inside messages (RFC 4568), so whatever holds message text holds keys. [`SecretBuf`] grows
//! without leaving its old block unwiped and wipes itself when dropped; [`redact`] blanks keys in any text that goes to a log, a
//! trace or an error reply, whether or not the text parses.

use std::fmt;
use std::ops::Range;

/// Wipes octets before their memory is freed: in one go, where `zeroize` writes them one by one, which for whole messages costs as much
/// as printing them.
pub(crate) fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    // To the compiler the zeros are read here, so it cannot leave them out.
    zeroize::optimization_barrier(bytes);
}

/// A growing text that is wiped when it grows out of its memory and when it is dropped. It never becomes shorter, so there is nothing
/// behind its end.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretBuf(String);

impl SecretBuf {
    /// An empty buffer with room for so many octets.
    pub fn with_capacity(bytes: usize) -> Self {
        SecretBuf(String::with_capacity(bytes))
    }

    /// Appends text; memory that becomes too small is wiped before it is freed.
    pub fn push_str(&mut self, text: &str) {
        let needed = self.0.len() + text.len();
        if needed > self.0.capacity() {
            let mut larger = String::with_capacity(needed.max(self.0.capacity() * 2));
            larger.push_str(&self.0);
            drop(std::mem::replace(self, SecretBuf(larger)));
        }
        self.0.push_str(text);
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::ops::Deref for SecretBuf {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<[u8]> for SecretBuf {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Write for SecretBuf {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_str(text);
        Ok(())
    }
}

impl fmt::Debug for SecretBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", redact(&self.0))
    }
}

impl Drop for SecretBuf {
    fn drop(&mut self) {
        wipe(&mut std::mem::take(&mut self.0).into_bytes());
    }
}

/// What stands in place of a key.
pub const BLANK: &str = "***";

/// What announces a key, in lower case, and the characters that end it.
const MARKS: [(&[u8], &[u8]); 4] = [
    // RFC 4568: key||salt, then lifetime and MKI after a bar; several keys are separated by semicolons. Key material is base64, but a
    // mistyped key is a key still, so everything up to a separator goes.
    (b"inline:", b"|;\r\n \t\"}"),
    // RFC 4567: MIKEY.
    (b"a=key-mgmt:", b"\r\n\"}"),
    // RFC 4566, obsolete; a letter `k` begins the line.
    (b"\nk=", b"\r\n\"}"),
    // RFC 8839: whoever knows it can steer the media.
    (b"a=ice-pwd:", b"\r\n \t\"}"),
];

/// The text with every key blanked; safe on any input, message or fragment.
pub fn redact(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let (mut copied, mut at) = (0, 0);
    while at < bytes.len() {
        match key_at(bytes, at) {
            Some(key) => {
                // Both ends stand beside ASCII characters or at the end, so the slices fall between characters.
                out.push_str(text.get(copied..key.start).unwrap_or_default());
                out.push_str(BLANK);
                copied = key.end;
                at = key.end;
            }
            None => at += 1,
        }
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    out
}

/// Whether an SDES key is announced anywhere in the text.
pub(crate) fn holds_inline_key(text: &str) -> bool {
    let (mark, _) = MARKS[0];
    // Colons are rare, so only what stands before one is compared.
    let announces = |colon: usize| {
        let start = (colon + 1).checked_sub(mark.len());
        start
            .and_then(|start| text.as_bytes().get(start..=colon))
            .is_some_and(|s| s.eq_ignore_ascii_case(mark))
    };
    text.match_indices(':').any(|(colon, _)| announces(colon))
}

/// The key announced exactly at this place. `$` asks for a value and is shown.
fn key_at(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    if at == 0 && bytes.get(..2).is_some_and(|start| start.eq_ignore_ascii_case(b"k=")) {
        return key_after(bytes, 2, MARKS[2].1);
    }
    let rest = bytes.get(at..)?;
    let (mark, ends) = MARKS
        .iter()
        .find(|(mark, _)| rest.get(..mark.len()).is_some_and(|s| s.eq_ignore_ascii_case(mark)))?;
    key_after(bytes, at + mark.len(), ends)
}

fn key_after(bytes: &[u8], start: usize, ends: &[u8]) -> Option<Range<usize>> {
    let rest = bytes.get(start..)?;
    let length = rest.iter().position(|b| ends.contains(b)).unwrap_or(rest.len());
    (length > 0 && rest.get(..length) != Some(b"$")).then_some(start..start + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_inline_key_is_blanked_and_its_parameters_stay() {
        let line =
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0|2^20|1:4;inline:b3RoZXI=|2^20|2:4 KDR=1";
        assert_eq!(
            redact(line),
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:***|2^20|1:4;inline:***|2^20|2:4 KDR=1"
        );
    }

    #[test]
    fn keys_are_blanked_in_any_case_anywhere_in_a_message() {
        assert_eq!(redact("L{\nv=0\na=crypto:1 X INLINE:abc}"), "L{\nv=0\na=crypto:1 X INLINE:***}");
        assert_eq!(redact("\"bad inline:abc\""), "\"bad inline:***\"");
        assert_eq!(redact("inline:ab\u{e9}c d"), "inline:*** d");
    }

    #[test]
    fn other_secrets_of_sdp_are_blanked() {
        assert_eq!(redact("k=clear:x\nk=base64:y\n"), "k=***\nk=***\n");
        assert_eq!(redact("a=key-mgmt:mikey AAA bbb\na=x"), "a=key-mgmt:***\na=x");
        assert_eq!(redact("a=ice-pwd:secret\n"), "a=ice-pwd:***\n");
    }

    #[test]
    fn a_request_for_a_value_is_shown() {
        assert_eq!(redact("a=ice-pwd:$\n"), "a=ice-pwd:$\n");
        assert_eq!(redact("look=x ok=y"), "look=x ok=y");
    }

    #[test]
    fn a_buffer_keeps_its_text_while_it_grows_and_hides_keys() {
        let mut buffer = SecretBuf::with_capacity(4);
        for _ in 0..100 {
            buffer.push_str("inline:abc ");
        }
        assert_eq!(buffer.len(), 1100);
        assert!(!format!("{buffer:?}").contains("abc"));
    }
}
