//! The `a=crypto` attribute: parsed into a value that is right by its type, and printed for the echo over Iq.
//!
//! Grammar and rules are those of RFC 4568 sections 4, 6 and 9. An error names the rule that was broken and never
//! quotes the text, because the text holds keys (SRTP-12). Debug and Display are redacted; only
//! [`CryptoAttribute::print`] writes keys. Keeps SRTP-7, SRTP-9 (equality) and SRTP-11.

mod parse;

use std::fmt::{self, Write as _};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::keys::MasterKey;
use crate::profile::{Family, Suite};

/// The most master keys in one attribute (SRTP-7). More are refused: each costs memory in every session.
pub const MAX_MASTER_KEYS: usize = 8;
/// The longest attribute that is looked at, in bytes.
pub const MAX_ATTRIBUTE_BYTES: usize = 4096;
/// The largest key derivation rate, as an exponent of two (RFC 4568 section 6.3.1).
pub const MAX_KDR: u8 = 24;

/// One `a=crypto` attribute.
///
/// Two attributes are equal when they ask for the same thing with the same keys, however they were written; keys
/// are compared in constant time (SRTP-9). The keys are on the heap and stay there until they are wiped, however often
/// the attribute moves.
#[derive(Clone, PartialEq, Eq)]
pub struct CryptoAttribute {
    tag: u32,
    suite: Suite,
    keys: Box<[MasterKey]>,
    params: SessionParams,
    fec_keys: Box<[MasterKey]>,
}

/// The session parameters of an attribute (RFC 4568 section 6.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionParams {
    /// Key derivation rate as an exponent of two, 1 to 24; `None` derives once.
    pub kdr: Option<u8>,
    /// RTP payloads are not encrypted.
    pub unencrypted_srtp: bool,
    /// RTCP payloads are not encrypted.
    pub unencrypted_srtcp: bool,
    /// RTP packets carry no authentication tag.
    pub unauthenticated_srtp: bool,
    /// The order of forward error correction and SRTP, if it was given.
    pub fec_order: Option<FecOrder>,
    /// The peer's hint for the replay window, in packets.
    pub window_size_hint: Option<u32>,
}

/// Which comes first at the sender, forward error correction or SRTP (RFC 4568 section 6.3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FecOrder {
    /// FEC, then SRTP: the default.
    FecSrtp,
    /// SRTP, then FEC.
    SrtpFec,
}

impl FecOrder {
    const fn name(self) -> &'static str {
        match self {
            FecOrder::FecSrtp => "FEC_SRTP",
            FecOrder::SrtpFec => "SRTP_FEC",
        }
    }
}

/// What is wrong with an `a=crypto` attribute. No variant holds a piece of the attribute's key material.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SdesError {
    /// More text than any sensible attribute.
    #[error("crypto attribute is longer than {MAX_ATTRIBUTE_BYTES} bytes")]
    TooLong,
    /// A control character or a byte outside ASCII.
    #[error("crypto attribute holds a character that is not printable ASCII")]
    Character,
    /// A field of the attribute is not there.
    #[error("crypto attribute has no {0}")]
    Missing(&'static str),
    /// The tag is not a decimal number of 1 to 9 digits without leading zeros.
    #[error("crypto tag must be a number of 1 to 9 digits without leading zeros")]
    Tag,
    /// The suite is not one of ours.
    #[error("crypto suite is not supported")]
    UnknownSuite,
    /// A key method other than `inline`.
    #[error("key method of key {key} is not inline")]
    KeyMethod {
        /// Which key, counted from 1.
        key: usize,
    },
    /// The key is not valid base64.
    #[error("key {key} is not valid base64")]
    Base64 {
        /// Which key, counted from 1.
        key: usize,
    },
    /// Key and salt together are not as long as the suite says.
    #[error("key and salt for {suite} must be {expected_bytes} bytes, found {found_bytes}")]
    KeyLength {
        /// The suite that decides.
        suite: Suite,
        /// Bytes that key and salt must have together.
        expected_bytes: usize,
        /// Bytes that were there.
        found_bytes: usize,
    },
    /// The lifetime is no number, zero, has leading zeros or exceeds 2^48.
    #[error(
        "lifetime of key {key} must be 1 to 2^48 packets, decimal or as a power of two, without leading zeros"
    )]
    Lifetime {
        /// Which key, counted from 1.
        key: usize,
    },
    /// The MKI is no number, zero, has leading zeros, or its length is not 1 to 128, or it does not fit.
    #[error("MKI of key {key} must be a positive number and a length of 1 to 128 bytes that holds it")]
    Mki {
        /// Which key, counted from 1.
        key: usize,
    },
    /// Something follows the MKI of a key, or fields stand in the wrong order.
    #[error("key {key} has fields beyond lifetime and MKI")]
    KeyFields {
        /// Which key, counted from 1.
        key: usize,
    },
    /// Several keys, and not each of them has an MKI.
    #[error("with several keys each one needs an MKI")]
    MkiMissing,
    /// The MKI lengths differ.
    #[error("all keys must have an MKI of the same length")]
    MkiLengths,
    /// Two keys share an MKI.
    #[error("two keys have the same MKI")]
    MkiTwice,
    /// Two keys are the same bytes (RFC 4568 section 6.1 wants each unique).
    #[error("two keys are the same")]
    KeyTwice,
    /// More keys than we hold.
    #[error("more than {MAX_MASTER_KEYS} keys")]
    TooManyKeys,
    /// A session parameter has a value outside its grammar or range.
    #[error("value of session parameter {0} is invalid")]
    ParameterValue(&'static str),
    /// A session parameter is there twice.
    #[error("session parameter {0} is there twice")]
    ParameterTwice(&'static str),
    /// A session parameter that this suite forbids (RFC 7714 section 8.2).
    #[error("session parameter {parameter} is not possible with {suite}")]
    ParameterForSuite {
        /// The parameter.
        parameter: &'static str,
        /// The suite.
        suite: Suite,
    },
    /// A session parameter that is unknown and not marked optional with a dash (RFC 4568 section 6.3.7).
    #[error("session parameter {position} is unknown and mandatory")]
    UnknownParameter {
        /// Which session parameter, counted from 1.
        position: usize,
    },
}

impl CryptoAttribute {
    /// Parses the value of an attribute, with or without `a=crypto:` before it.
    pub fn parse(text: &str) -> Result<CryptoAttribute, SdesError> {
        parse::attribute(text)
    }

    /// An attribute of our own making, for controllers and tests.
    pub fn new(
        tag: u32,
        suite: Suite,
        keys: impl IntoIterator<Item = MasterKey>,
    ) -> Result<CryptoAttribute, SdesError> {
        // One more than may be, to see that there are too many without taking them all.
        let keys: Box<[MasterKey]> = keys.into_iter().take(MAX_MASTER_KEYS + 1).collect();
        if keys.len() > MAX_MASTER_KEYS {
            return Err(SdesError::TooManyKeys);
        }
        let params = SessionParams::default();
        let attribute = CryptoAttribute { tag, suite, keys, params, fec_keys: Box::default() };
        attribute.check()?;
        Ok(attribute)
    }

    /// The same attribute with other session parameters.
    pub fn with_params(mut self, params: SessionParams) -> Result<CryptoAttribute, SdesError> {
        self.params = params;
        self.check()?;
        Ok(self)
    }

    /// The attribute's tag.
    pub fn tag(&self) -> u32 {
        self.tag
    }

    /// The crypto suite.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The master keys, first the one to send with; at least one.
    pub fn keys(&self) -> &[MasterKey] {
        &self.keys
    }

    /// The session parameters.
    pub fn params(&self) -> &SessionParams {
        &self.params
    }

    /// The master keys for a separate FEC stream, often none.
    pub fn fec_keys(&self) -> &[MasterKey] {
        &self.fec_keys
    }

    /// The attribute's value as text, keys included. Only for the reply to the command that set it (SRTP-12).
    pub fn print(&self) -> String {
        // Sized so that growing never leaves a copy of the keys behind in freed memory.
        let mut text = String::with_capacity(128 + 224 * (self.keys.len() + self.fec_keys.len()));
        let _ = write!(text, "{} {} ", self.tag, self.suite);
        print_keys(&mut text, &self.keys);
        self.print_params(&mut text);
        text
    }

    fn print_params(&self, text: &mut String) {
        if let Some(kdr) = self.params.kdr {
            let _ = write!(text, " KDR={kdr}");
        }
        for (set, name) in [
            (self.params.unencrypted_srtp, "UNENCRYPTED_SRTP"),
            (self.params.unencrypted_srtcp, "UNENCRYPTED_SRTCP"),
            (self.params.unauthenticated_srtp, "UNAUTHENTICATED_SRTP"),
        ] {
            if set {
                let _ = write!(text, " {name}");
            }
        }
        if let Some(order) = self.params.fec_order {
            let _ = write!(text, " FEC_ORDER={}", order.name());
        }
        if !self.fec_keys.is_empty() {
            text.push_str(" FEC_KEY=");
            print_keys(text, &self.fec_keys);
        }
        if let Some(window) = self.params.window_size_hint {
            let _ = write!(text, " WSH={window}");
        }
    }

    /// The rules that hold between the fields, wherever they came from.
    fn check(&self) -> Result<(), SdesError> {
        if self.tag > MAX_TAG {
            return Err(SdesError::Tag);
        }
        if self.keys.is_empty() {
            return Err(SdesError::Missing("key"));
        }
        check_keys(self.suite, &self.keys)?;
        check_keys(self.suite, &self.fec_keys)?;
        let shared = self.keys.iter().any(|key| self.fec_keys.iter().any(|fec| key.same_secret(fec)));
        if shared {
            return Err(SdesError::KeyTwice);
        }
        self.check_params()
    }

    fn check_params(&self) -> Result<(), SdesError> {
        if self.params.kdr.is_some_and(|kdr| !(1..=MAX_KDR).contains(&kdr)) {
            return Err(SdesError::ParameterValue("KDR"));
        }
        if self.params.window_size_hint.is_some_and(|window| window < 64) {
            return Err(SdesError::ParameterValue("WSH"));
        }
        if self.suite.family() == Family::Gcm {
            let forbidden = [
                (self.params.unencrypted_srtp, "UNENCRYPTED_SRTP"),
                (self.params.unauthenticated_srtp, "UNAUTHENTICATED_SRTP"),
            ];
            if let Some((_, parameter)) = forbidden.into_iter().find(|(set, _)| *set) {
                return Err(SdesError::ParameterForSuite { parameter, suite: self.suite });
            }
        }
        Ok(())
    }
}

/// A tag has at most nine digits (RFC 4568 section 9.1).
const MAX_TAG: u32 = 999_999_999;

fn check_keys(suite: Suite, keys: &[MasterKey]) -> Result<(), SdesError> {
    let expected_bytes = suite.master_key_len() + suite.master_salt_len();
    for (position, key) in keys.iter().enumerate() {
        let found_bytes = key.key().len() + key.salt().len();
        if found_bytes != expected_bytes {
            return Err(SdesError::KeyLength { suite, expected_bytes, found_bytes });
        }
        if keys.len() > 1 && key.mki().is_none() {
            return Err(SdesError::MkiMissing);
        }
        for other in keys.iter().take(position) {
            if let (Some(mine), Some(theirs)) = (key.mki(), other.mki()) {
                if mine.field_len() != theirs.field_len() {
                    return Err(SdesError::MkiLengths);
                }
                if mine == theirs {
                    return Err(SdesError::MkiTwice);
                }
            }
            if key.same_secret(other) {
                return Err(SdesError::KeyTwice);
            }
        }
    }
    Ok(())
}

fn print_keys(text: &mut String, keys: &[MasterKey]) {
    for (position, key) in keys.iter().enumerate() {
        let mut secret = Zeroizing::new([0_u8; 46]);
        let (key_bytes, salt) = (key.key(), key.salt());
        let secret_len = key_bytes.len() + salt.len();
        secret[..key_bytes.len()].copy_from_slice(key_bytes);
        secret[key_bytes.len()..secret_len].copy_from_slice(salt);
        text.push_str(if position == 0 { "inline:" } else { ";inline:" });
        STANDARD.encode_string(&secret[..secret_len], text);
        if let Some(lifetime) = key.lifetime() {
            let _ = write!(text, "|{lifetime}");
        }
        if let Some(mki) = key.mki() {
            let _ = write!(text, "|{mki}");
        }
    }
}

/// What the attribute says, with every key blanked.
impl fmt::Display for CryptoAttribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.tag, self.suite)?;
        for (position, key) in self.keys.iter().enumerate() {
            f.write_str(if position == 0 { "inline:***" } else { ";inline:***" })?;
            if let Some(lifetime) = key.lifetime() {
                write!(f, "|{lifetime}")?;
            }
            if let Some(mki) = key.mki() {
                write!(f, "|{mki}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for CryptoAttribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CryptoAttribute")
            .field("tag", &self.tag)
            .field("suite", &self.suite)
            .field("keys", &self.keys)
            .field("params", &self.params)
            .field("fec_keys", &self.fec_keys)
            .finish()
    }
}

#[cfg(test)]
mod tests;
