//! The calls of a run: what is asked of the gateway for each, and what came of it.

use agw_srtp::{CryptoAttribute, MasterKey, SdesError, Suite};
use std::net::SocketAddr;
use zeroize::Zeroizing;

/// The most calls of one run: what the payload stamp and the SSRC can name.
pub const MAX_CALLS: u32 = 1 << 22;

/// The SDES keys of the access side. They are never printed: the attribute's own `Debug` blanks them.
#[derive(Debug, Clone, PartialEq)]
pub struct CallKeys {
    /// What the access end protects with.
    pub to_gateway: CryptoAttribute,
    /// What the gateway is to protect with. A protocol in which the gateway chooses its own key ignores it.
    pub from_gateway: CryptoAttribute,
}

impl CallKeys {
    /// Fresh random keys.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn random(suite: Suite) -> Result<Self, KeyError> {
        Ok(Self { to_gateway: random_attribute(suite)?, from_gateway: random_attribute(suite)? })
    }
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The system gives no random bytes.
    #[error("no randomness: {0}")]
    Randomness(getrandom::Error),
    /// They make no attribute.
    #[error(transparent)]
    Sdes(#[from] SdesError),
}

fn random_attribute(suite: Suite) -> Result<CryptoAttribute, KeyError> {
    let mut secret = Zeroizing::new([0; 64]);
    let (key, rest) = secret.split_at_mut(suite.master_key_len());
    let (salt, _) = rest.split_at_mut(suite.master_salt_len());
    getrandom::fill(key).map_err(KeyError::Randomness)?;
    getrandom::fill(salt).map_err(KeyError::Randomness)?;
    Ok(CryptoAttribute::new(1, suite, [MasterKey::new(suite, key, salt)?])?)
}

/// A call that is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct CallPlan {
    /// Its number in the run, below [`MAX_CALLS`].
    pub call: u32,
    /// Where the access end (the phone) sends from and listens.
    pub access: SocketAddr,
    /// Where the core end sends from and listens.
    pub core: SocketAddr,
    /// SRTP on the access side; `None`: plain RTP on both sides.
    pub keys: Option<CallKeys>,
}

/// A call that the gateway has set up.
#[derive(Debug, Clone, PartialEq)]
pub struct Established {
    /// Its number in the run.
    pub call: u32,
    /// The gateway's address towards the access end.
    pub access: SocketAddr,
    /// The gateway's address towards the core end.
    pub core: SocketAddr,
    /// SRTP on the access side: the key as planned, and the one that the gateway really protects with.
    pub keys: Option<CallKeys>,
    /// What else the gateway told of its media, access then core: attributes, without keys.
    pub told: [Vec<String>; 2],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_gets_keys_that_differ_and_are_not_printed() {
        for suite in Suite::ALL {
            let keys = CallKeys::random(suite).unwrap();
            assert_ne!(keys.to_gateway, keys.from_gateway);
            let text = keys.to_gateway.print();
            let secret = text.split("inline:").nth(1).unwrap();
            assert!(!format!("{keys:?}").contains(secret));
        }
    }
}
