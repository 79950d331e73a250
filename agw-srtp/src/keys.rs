//! Master keys as they were given: key, salt, lifetime and identifier, wiped when dropped and never printed.
//!
//! What a session needs from a master key to count its use (RFC 3711 section 9.2, SRTP-6) stands here too, so
//! that a controller can be told in time that a key is about to end.

use std::fmt;

use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::profile::{MAX_RTCP_LIFETIME_PACKETS, MAX_RTP_LIFETIME_PACKETS, Suite};
use crate::sdes::SdesError;

/// The longest master key of any suite, in bytes.
pub(crate) const MAX_MASTER_KEY_BYTES: usize = 32;
/// The longest master salt of any suite, in bytes.
pub(crate) const MAX_MASTER_SALT_BYTES: usize = 14;
/// The longest MKI field on the wire, in bytes (RFC 4568 section 6.1).
pub(crate) const MAX_MKI_BYTES: usize = 128;

/// Key and salt. They are written where they will stay, on the heap: a value that moves would leave copies on the stack that nobody
/// wipes.
#[derive(Zeroize, ZeroizeOnDrop)]
struct Secret {
    key: [u8; MAX_MASTER_KEY_BYTES],
    salt: [u8; MAX_MASTER_SALT_BYTES],
}

impl Secret {
    /// `key` and `salt`, not longer than their fields, with zeros after them.
    fn boxed(key: &[u8], salt: &[u8]) -> Box<Secret> {
        let mut secret =
            Box::new(Secret { key: [0; MAX_MASTER_KEY_BYTES], salt: [0; MAX_MASTER_SALT_BYTES] });
        secret.key[..key.len()].copy_from_slice(key);
        secret.salt[..salt.len()].copy_from_slice(salt);
        secret
    }
}

/// One master key with its salt, and what the attribute said of its use.
///
/// Equality is decided in constant time over key and salt (SRTP-9 compares attributes that came from outside).
pub struct MasterKey {
    secret: Box<Secret>,
    key_len: u8,
    salt_len: u8,
    lifetime: Option<Lifetime>,
    mki: Option<Mki>,
}

impl MasterKey {
    /// What each key holds on the heap.
    pub(crate) const HEAP_BYTES: usize = size_of::<Secret>();

    /// A master key for `suite`; key and salt must have exactly the suite's lengths.
    pub fn new(suite: Suite, key: &[u8], salt: &[u8]) -> Result<MasterKey, SdesError> {
        let expected_bytes = suite.master_key_len() + suite.master_salt_len();
        if key.len() != suite.master_key_len() || salt.len() != suite.master_salt_len() {
            return Err(SdesError::KeyLength { suite, expected_bytes, found_bytes: key.len() + salt.len() });
        }
        Ok(MasterKey {
            secret: Secret::boxed(key, salt),
            key_len: suite.master_key_len() as u8,
            salt_len: suite.master_salt_len() as u8,
            lifetime: None,
            mki: None,
        })
    }

    /// The same key with an identifier: packets will carry it.
    #[must_use]
    pub fn with_mki(mut self, mki: Mki) -> MasterKey {
        self.mki = Some(mki);
        self
    }

    /// The same key, to be used for no more packets than `lifetime` says.
    #[must_use]
    pub fn with_lifetime(mut self, lifetime: Lifetime) -> MasterKey {
        self.lifetime = Some(lifetime);
        self
    }

    /// The lifetime, if the attribute gave one.
    pub fn lifetime(&self) -> Option<Lifetime> {
        self.lifetime
    }

    /// The identifier, if the attribute gave one.
    pub fn mki(&self) -> Option<Mki> {
        self.mki
    }

    /// The key itself. Secret: for the key derivation and for the echo over Iq only.
    pub fn key(&self) -> &[u8] {
        &self.secret.key[..usize::from(self.key_len)]
    }

    /// The salt. Treated as secret like the key.
    pub fn salt(&self) -> &[u8] {
        &self.secret.salt[..usize::from(self.salt_len)]
    }

    /// Whether key and salt are the same bytes, decided in constant time.
    pub fn same_secret(&self, other: &MasterKey) -> bool {
        let lengths =
            Choice::from(u8::from((self.key_len, self.salt_len) == (other.key_len, other.salt_len)));
        let (mine, theirs) = (&*self.secret, &*other.secret);
        (mine.key.ct_eq(&theirs.key) & mine.salt.ct_eq(&theirs.salt) & lengths).into()
    }
}

impl Clone for MasterKey {
    fn clone(&self) -> MasterKey {
        MasterKey { secret: Secret::boxed(self.key(), self.salt()), ..*self }
    }
}

impl PartialEq for MasterKey {
    fn eq(&self, other: &MasterKey) -> bool {
        self.same_secret(other) & (self.mki == other.mki) & (self.lifetime == other.lifetime)
    }
}

impl Eq for MasterKey {}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKey")
            .field("secret", &"redacted")
            .field("lifetime", &self.lifetime)
            .field("mki", &self.mki)
            .finish()
    }
}

/// How many SRTP packets, and how many SRTCP packets, a master key may protect (RFC 4568 section 6.1).
#[derive(Clone, Copy, Debug)]
pub struct Lifetime {
    packets: u64,
    power_of_two: bool,
}

impl Lifetime {
    /// A lifetime of `packets`, 1 to 2^48, printed as a decimal number.
    pub fn packets(packets: u64) -> Option<Lifetime> {
        (1..=MAX_RTP_LIFETIME_PACKETS).contains(&packets).then_some(Lifetime { packets, power_of_two: false })
    }

    /// A lifetime of 2^`exponent` packets, exponent 0 to 48, printed in that form.
    pub fn power_of_two(exponent: u32) -> Option<Lifetime> {
        (exponent <= 48).then(|| Lifetime { packets: 1 << exponent, power_of_two: true })
    }

    /// The number of packets.
    pub fn count(self) -> u64 {
        self.packets
    }
}

/// Two ways to write one number are one lifetime.
impl PartialEq for Lifetime {
    fn eq(&self, other: &Lifetime) -> bool {
        self.packets == other.packets
    }
}

impl Eq for Lifetime {}

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.power_of_two {
            write!(f, "2^{}", self.packets.trailing_zeros())
        } else {
            write!(f, "{}", self.packets)
        }
    }
}

/// A master key identifier: a positive number and the length of its field in packets (RFC 4568 section 6.1).
///
/// The field may be up to 128 bytes long; the number is held in 128 bits, which is more than anyone sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mki {
    value: u128,
    len: u8,
}

impl Mki {
    /// An identifier of `value` in a field of `len` bytes; `None` if the field is empty, too long or too short for it.
    pub fn new(value: u128, len: usize) -> Option<Mki> {
        if !(1..=MAX_MKI_BYTES).contains(&len) {
            return None;
        }
        let needed_bytes = (128 - value.leading_zeros()).div_ceil(8) as usize;
        (needed_bytes <= len).then_some(Mki { value, len: len as u8 })
    }

    /// The number.
    pub fn value(self) -> u128 {
        self.value
    }

    /// Bytes that the identifier takes in each packet.
    pub fn field_len(self) -> usize {
        usize::from(self.len)
    }

    /// Writes the field, big-endian; `field` is as long as the identifier's field.
    pub(crate) fn write(self, field: &mut [u8]) {
        let bytes = self.value.to_be_bytes();
        field.fill(0);
        for (to, from) in field.iter_mut().rev().zip(bytes.iter().rev()) {
            *to = *from;
        }
    }

    /// Whether `field`, as it stands in a packet, is this identifier.
    pub(crate) fn matches(self, field: &[u8]) -> bool {
        let bytes = self.value.to_be_bytes();
        let significant = field.len().min(bytes.len());
        let (padding, low) = field.split_at(field.len() - significant);
        field.len() == self.field_len()
            && padding.iter().all(|byte| *byte == 0)
            && low == &bytes[bytes.len() - significant..]
    }
}

impl fmt::Display for Mki {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.value, self.len)
    }
}

/// How far a master key has been used up (SRTP-6).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LifetimeState {
    /// Less than nine tenths of the packets that the key may protect.
    Fresh,
    /// Nine tenths have been reached: time for the controller to bring a new key.
    NearEnd,
    /// The lifetime is over: nothing more is sent or accepted under this key.
    Ended,
}

/// What one master key has been used for so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyUse {
    /// The key's identifier, if it has one.
    pub mki: Option<Mki>,
    /// SRTP packets under the key, over all SSRCs.
    pub rtp_packets: u64,
    /// SRTCP packets under the key, over all SSRCs.
    pub rtcp_packets: u64,
    /// The most SRTP packets that it may protect.
    pub rtp_limit_packets: u64,
    /// The most SRTCP packets that it may protect.
    pub rtcp_limit_packets: u64,
}

impl KeyUse {
    pub(crate) fn new(suite: Suite, key: &MasterKey) -> KeyUse {
        let named = key.lifetime().map(Lifetime::count);
        KeyUse {
            mki: key.mki(),
            rtp_packets: 0,
            rtcp_packets: 0,
            rtp_limit_packets: named.unwrap_or(suite.default_rtp_lifetime_packets()),
            rtcp_limit_packets: named.unwrap_or(MAX_RTCP_LIFETIME_PACKETS).min(MAX_RTCP_LIFETIME_PACKETS),
        }
    }

    /// Whether nothing more may be protected or accepted under the key.
    pub fn is_ended(&self) -> bool {
        self.rtp_packets >= self.rtp_limit_packets || self.rtcp_packets >= self.rtcp_limit_packets
    }

    /// How far the key is used up: whichever of SRTP and SRTCP comes first decides (RFC 3711 section 9.2).
    pub fn state(&self) -> LifetimeState {
        let is_near = |used: u64, limit: u64| used >= limit - limit / 10;
        if self.is_ended() {
            LifetimeState::Ended
        } else if is_near(self.rtp_packets, self.rtp_limit_packets)
            || is_near(self.rtcp_packets, self.rtcp_limit_packets)
        {
            LifetimeState::NearEnd
        } else {
            LifetimeState::Fresh
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_mki_is_written_big_endian_and_found_again() {
        let mki = Mki::new(1066, 4).unwrap();
        let mut field = [0xff; 4];
        mki.write(&mut field);
        assert_eq!(field, [0, 0, 4, 42]);
        assert!(mki.matches(&field));
        assert!(!mki.matches(&[0, 0, 4, 43]));
        assert!(!mki.matches(&[0, 4, 42]));
    }

    #[test]
    fn an_mki_field_longer_than_its_number_is_padded_with_zeros() {
        let mki = Mki::new(7, 128).unwrap();
        let mut field = [0xff; 128];
        mki.write(&mut field);
        assert!(mki.matches(&field));
        field[0] = 1;
        assert!(!mki.matches(&field));
    }

    #[test]
    fn an_mki_that_does_not_fit_its_field_is_refused() {
        assert_eq!(Mki::new(256, 1), None);
        assert_eq!(Mki::new(1, 0), None);
        assert_eq!(Mki::new(1, 129), None);
        assert!(Mki::new(255, 1).is_some());
    }

    #[test]
    fn a_key_is_near_its_end_at_nine_tenths_and_ended_at_the_limit() {
        let key = MasterKey::new(Suite::AesCm128HmacSha1_80, &[1; 16], &[2; 14]).unwrap();
        let mut used =
            KeyUse::new(Suite::AesCm128HmacSha1_80, &key.with_lifetime(Lifetime::packets(100).unwrap()));
        used.rtp_packets = 89;
        assert_eq!(used.state(), LifetimeState::Fresh);
        used.rtp_packets = 90;
        assert_eq!(used.state(), LifetimeState::NearEnd);
        used.rtcp_packets = 100;
        assert_eq!(used.state(), LifetimeState::Ended);
    }

    #[test]
    fn debug_output_holds_no_key() {
        let key = MasterKey::new(Suite::AesCm128HmacSha1_80, &[0xab; 16], &[0xcd; 14]).unwrap();
        let text = format!("{key:?}");
        assert!(text.contains("redacted") && !text.contains("171") && !text.contains("ab"));
    }
}
