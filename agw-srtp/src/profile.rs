//! The crypto suites: what each one is called, and how long its keys, salts and tags are.
//!
//! A suite is the whole protection profile of a session: the cipher, the authentication transform and their
//! sizes for RTP and RTCP (RFC 4568 section 6.2, RFC 6188 section 4, RFC 7714 section 12). Everything else in
//! this crate asks the suite and never compares names. Keeps SRTP-11.

use std::fmt;

/// A crypto suite, under the name that IANA registered for `a=crypto`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(non_camel_case_types)]
pub enum Suite {
    /// AES-128 in counter mode, HMAC-SHA1 with an 80-bit tag (RFC 4568 section 6.2.1).
    AesCm128HmacSha1_80,
    /// AES-128 in counter mode, HMAC-SHA1 with a 32-bit tag for RTP and 80 bits for RTCP (RFC 4568 section 6.2.2).
    AesCm128HmacSha1_32,
    /// AES-128 in f8 mode, HMAC-SHA1 with an 80-bit tag (RFC 4568 section 6.2.3).
    F8_128HmacSha1_80,
    /// AES-192 in counter mode, HMAC-SHA1 with an 80-bit tag (RFC 6188).
    AesCm192HmacSha1_80,
    /// AES-192 in counter mode, HMAC-SHA1 with a 32-bit tag for RTP and 80 bits for RTCP (RFC 6188).
    AesCm192HmacSha1_32,
    /// AES-256 in counter mode, HMAC-SHA1 with an 80-bit tag (RFC 6188).
    AesCm256HmacSha1_80,
    /// AES-256 in counter mode, HMAC-SHA1 with a 32-bit tag for RTP and 80 bits for RTCP (RFC 6188).
    AesCm256HmacSha1_32,
    /// AES-128 in Galois/counter mode with a 128-bit tag (RFC 7714).
    AeadAes128Gcm,
    /// AES-256 in Galois/counter mode with a 128-bit tag (RFC 7714).
    AeadAes256Gcm,
}

/// The family of transforms that a suite is built from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Family {
    /// AES counter mode with HMAC-SHA1 (RFC 3711 section 4.1.1).
    CounterMode,
    /// AES f8 mode with HMAC-SHA1 (RFC 3711 section 4.1.2).
    F8,
    /// AES-GCM (RFC 7714).
    Gcm,
}

impl Suite {
    /// Every suite; the one that every SRTP implementation must have leads.
    pub const ALL: [Suite; 9] = [
        Suite::AesCm128HmacSha1_80,
        Suite::AesCm128HmacSha1_32,
        Suite::F8_128HmacSha1_80,
        Suite::AesCm192HmacSha1_80,
        Suite::AesCm192HmacSha1_32,
        Suite::AesCm256HmacSha1_80,
        Suite::AesCm256HmacSha1_32,
        Suite::AeadAes128Gcm,
        Suite::AeadAes256Gcm,
    ];

    /// The registered name, as it stands in `a=crypto`.
    pub const fn name(self) -> &'static str {
        match self {
            Suite::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Suite::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Suite::F8_128HmacSha1_80 => "F8_128_HMAC_SHA1_80",
            Suite::AesCm192HmacSha1_80 => "AES_192_CM_HMAC_SHA1_80",
            Suite::AesCm192HmacSha1_32 => "AES_192_CM_HMAC_SHA1_32",
            Suite::AesCm256HmacSha1_80 => "AES_256_CM_HMAC_SHA1_80",
            Suite::AesCm256HmacSha1_32 => "AES_256_CM_HMAC_SHA1_32",
            Suite::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Suite::AeadAes256Gcm => "AEAD_AES_256_GCM",
        }
    }

    /// The suite of that name; ABNF literals do not mind the case (RFC 4234 section 2.3).
    pub fn from_name(name: &str) -> Option<Suite> {
        Suite::ALL.into_iter().find(|suite| suite.name().eq_ignore_ascii_case(name))
    }

    /// Bytes of the master key, which is also the length of the session encryption key.
    pub const fn master_key_len(self) -> usize {
        match self {
            Suite::AesCm128HmacSha1_80
            | Suite::AesCm128HmacSha1_32
            | Suite::F8_128HmacSha1_80
            | Suite::AeadAes128Gcm => 16,
            Suite::AesCm192HmacSha1_80 | Suite::AesCm192HmacSha1_32 => 24,
            Suite::AesCm256HmacSha1_80 | Suite::AesCm256HmacSha1_32 | Suite::AeadAes256Gcm => 32,
        }
    }

    /// Bytes of the master salt, which is also the length of the session salt.
    pub const fn master_salt_len(self) -> usize {
        match self.family() {
            Family::Gcm => 12,
            Family::CounterMode | Family::F8 => 14,
        }
    }

    /// Bytes of the authentication tag of an SRTP packet.
    pub const fn rtp_tag_len(self) -> usize {
        match self {
            Suite::AeadAes128Gcm | Suite::AeadAes256Gcm => 16,
            Suite::AesCm128HmacSha1_32 | Suite::AesCm192HmacSha1_32 | Suite::AesCm256HmacSha1_32 => 4,
            _ => 10,
        }
    }

    /// Bytes of the authentication tag of an SRTCP packet: never shortened to 32 bits (RFC 4568 section 6.2).
    pub const fn rtcp_tag_len(self) -> usize {
        match self.family() {
            Family::Gcm => 16,
            Family::CounterMode | Family::F8 => 10,
        }
    }

    /// How many SRTP packets a master key protects when the attribute names no lifetime (SRTP-6).
    ///
    /// RFC 3711 section 9.2 and RFC 7714 section 12 say 2^48; RFC 6188 section 4 gives its suites 2^31.
    pub const fn default_rtp_lifetime_packets(self) -> u64 {
        match self.master_key_len() {
            24 => 1 << 31,
            32 if matches!(self.family(), Family::CounterMode) => 1 << 31,
            _ => MAX_RTP_LIFETIME_PACKETS,
        }
    }

    pub(crate) const fn family(self) -> Family {
        match self {
            Suite::AeadAes128Gcm | Suite::AeadAes256Gcm => Family::Gcm,
            Suite::F8_128HmacSha1_80 => Family::F8,
            _ => Family::CounterMode,
        }
    }
}

/// The most SRTP packets that one master key may protect: the index has 48 bits (RFC 3711 section 9.2).
pub const MAX_RTP_LIFETIME_PACKETS: u64 = 1 << 48;

/// The most SRTCP packets that one master key may protect: the index has 31 bits (RFC 3711 section 9.2).
pub const MAX_RTCP_LIFETIME_PACKETS: u64 = 1 << 31;

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_is_found_by_its_own_name_in_any_case() {
        for suite in Suite::ALL {
            assert_eq!(Suite::from_name(suite.name()), Some(suite));
            assert_eq!(Suite::from_name(&suite.name().to_lowercase()), Some(suite));
        }
        assert_eq!(Suite::from_name("AES_CM_128_HMAC_SHA1_81"), None);
    }

    #[test]
    fn short_tags_are_for_rtp_only() {
        assert_eq!(Suite::AesCm128HmacSha1_32.rtp_tag_len(), 4);
        assert_eq!(Suite::AesCm128HmacSha1_32.rtcp_tag_len(), 10);
        assert_eq!(Suite::AesCm256HmacSha1_32.rtp_tag_len(), 4);
        assert_eq!(Suite::AeadAes256Gcm.rtcp_tag_len(), 16);
    }

    #[test]
    fn default_lifetimes_are_those_of_the_suites_own_rfc() {
        assert_eq!(Suite::AesCm128HmacSha1_80.default_rtp_lifetime_packets(), 1 << 48);
        assert_eq!(Suite::AesCm256HmacSha1_80.default_rtp_lifetime_packets(), 1 << 31);
        assert_eq!(Suite::AeadAes256Gcm.default_rtp_lifetime_packets(), 1 << 48);
    }
}
