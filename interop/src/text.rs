//! Keys as peers want them written.

use std::fmt::Write as _;

/// RFC 4648 section 4, with padding, as `inline:` has it.
pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bytes
        .chunks(3)
        .flat_map(|chunk| {
            let value =
                (0..).zip(chunk).fold(0u32, |value, (at, &byte)| value | u32::from(byte) << (16 - 8 * at));
            (0..4).map(move |digit| {
                let six = (value >> (18 - 6 * digit) & 63) as usize;
                if digit <= chunk.len() { char::from(DIGITS[six]) } else { '=' }
            })
        })
        .collect()
}

/// Two lower-case digits a byte.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_as_rfc_4648_writes_it() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(hex(&[0, 0xab]), "00ab");
    }
}
