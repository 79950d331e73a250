//! The text of a Local or Remote descriptor: carried by the message tree, read by those who know SDP.
//!
//! The message parser does not look inside, so that one bad line fails one command and not the whole transaction. The text is brought
//! to one form (lines end with a line feed, no empty lines, no white space before a line), because the encodings and the two styles
//! of the text encoding differ just there. It may hold SDES keys: it is wiped when dropped and blanked when shown.

use std::fmt;

use super::{Sdp, SdpError};
use crate::secret::{SecretBuf, redact};

/// SDP text in normal form.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SdpText(SecretBuf);

impl SdpText {
    /// Brings SDP to normal form: `CR LF`, `CR` and `LF` end a line, white space before a line and empty lines go.
    pub fn new(raw: &str) -> Self {
        let mut text = SecretBuf::with_capacity(raw.len() + 1);
        for line in raw.split(['\r', '\n']) {
            let line = line.trim_start_matches([' ', '\t']);
            if !line.is_empty() {
                text.push_str(line);
                text.push_str("\n");
            }
        }
        SdpText(text)
    }

    /// Takes over what was printed, which is in normal form, without the room that its buffer still has.
    pub(super) fn of_printed(text: &str) -> Self {
        debug_assert_eq!(Self::new(text).as_str(), text);
        let mut exact = SecretBuf::with_capacity(text.len());
        exact.push_str(text);
        SdpText(exact)
    }

    /// The lines, each ended by a line feed.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The lines without their ends.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.0.as_str().split_terminator('\n')
    }

    /// Whether there is no line at all; a Local or Remote without lines takes the description away.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads the description.
    pub fn parse(&self) -> Result<Sdp, SdpError> {
        Sdp::parse(self.as_str())
    }
}

impl fmt::Debug for SdpText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", redact(self.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_indentation_and_empty_lines_do_not_matter() {
        let text = SdpText::new(" \r\n  v=0\r\nc=IN IP4 $\r\n\r\n\tm=audio $ RTP/AVP 0\r\n   ");
        assert_eq!(text.as_str(), "v=0\nc=IN IP4 $\nm=audio $ RTP/AVP 0\n");
        assert_eq!(text, SdpText::new(text.as_str()));
    }

    #[test]
    fn keys_are_not_shown() {
        let text = SdpText::new("v=0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0|1:4\n");
        assert_eq!(format!("{text:?}"), r#""v=0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:***|1:4\n""#);
    }
}
