//! What the packets of an RTP stream mean: formats, header extensions, and how the streams of a bundle are told apart (RFC 8843, RFC 8285). Payload types
//! and extension numbers are only names, each side of a context may have chosen its own; where both describe them, packets are
//! renumbered on their way.

/// The most formats of one description that are kept; more are refused.
pub const MAX_FORMATS: usize = 64;
/// The most header extensions of one description that are kept; more are refused.
pub const MAX_EXTENSIONS: usize = 32;
/// The longest `a=mid`, in bytes: as long as an element of a one-byte header extension (RFC 8285 section 4.2).
pub const MAX_MID_BYTES: usize = 16;
/// The most SSRCs that are signalled for one stream and kept; more are refused.
pub const MAX_SIGNALLED_SSRCS: usize = 16;

/// A payload type with what it means: the rest of `a=rtpmap` and `a=fmtp`, compared without case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    /// 0 to 127.
    pub payload_type: u8,
    /// Such as `opus/48000/2`; of a static payload type without `a=rtpmap` what RFC 3551 section 6 says.
    pub encoding: Box<str>,
    /// The value of `a=fmtp` after the payload type; empty: none.
    pub parameters: Box<str>,
}

/// A header extension: `a=extmap` (RFC 8285 section 8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderExtension {
    /// 1 to 14 in the one-byte form, to 255 in the two-byte form.
    pub id: u8,
    /// What it is.
    pub uri: Box<str>,
}

/// One description's names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RtpNames {
    /// Its formats, in the order of the m-line.
    pub formats: Vec<Format>,
    /// Its header extensions.
    pub extensions: Vec<HeaderExtension>,
}

/// A stream's part in a bundle: the streams of one termination with the same group share the port, ICE and DTLS of the one that comes first in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleMember {
    /// The identification tags of `a=group:BUNDLE`, in order; the first is the one whose port is used.
    pub group: Vec<Box<str>>,
    /// This stream's tag (`a=mid`).
    pub mid: Box<str>,
    /// SSRCs that the peer signalled for it (`a=ssrc`).
    pub ssrcs: Vec<u32>,
}

/// What is known of the packets of an RTP stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RtpSpec {
    /// How the peer shall number what it sends to us: Local's.
    pub local: RtpNames,
    /// How the peer wants what we send numbered: Remote's.
    pub remote: RtpNames,
    /// The stream's tag (`a=mid`), which what we send carries where the peer has agreed on that extension (RFC 8843 section 14).
    pub mid: Option<Box<str>>,
    /// Its part in a bundle.
    pub bundle: Option<BundleMember>,
}
