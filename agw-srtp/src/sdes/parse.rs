//! The reader of `a=crypto` lines (RFC 4568 section 9), field by field from the left.
//!
//! It works on a text whose length and characters were checked first, and every failure names a rule and a place.

use arrayvec::ArrayVec;
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use zeroize::Zeroizing;

use super::{
    CryptoAttribute, FecOrder, MAX_ATTRIBUTE_BYTES, MAX_MASTER_KEYS, MAX_TAG, SdesError, SessionParams,
};
use crate::keys::{Lifetime, MasterKey, Mki};
use crate::profile::Suite;

/// Padding may be there or not (RFC 4568 section 6.1 discards it); stray low bits are let pass, as peers send them.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Room for the longest key that is decoded before its length is judged; longer text is refused unseen.
const DECODE_BYTES: usize = 96;

pub(super) fn attribute(text: &str) -> Result<CryptoAttribute, SdesError> {
    if text.len() > MAX_ATTRIBUTE_BYTES {
        return Err(SdesError::TooLong);
    }
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    if !text.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte)) {
        return Err(SdesError::Character);
    }
    let value = strip_prefix_ignore_case(text, "a=").unwrap_or(text);
    let value = strip_prefix_ignore_case(value, "crypto:").unwrap_or(value);
    let mut fields = value.split([' ', '\t']).filter(|field| !field.is_empty());

    let tag = tag(fields.next().ok_or(SdesError::Missing("tag"))?)?;
    let suite = fields.next().ok_or(SdesError::Missing("suite"))?;
    let suite = Suite::from_name(suite).ok_or(SdesError::UnknownSuite)?;
    let keys = keys(suite, fields.next().ok_or(SdesError::Missing("key"))?)?;
    let params = SessionParams::default();
    let mut attribute = CryptoAttribute { tag, suite, keys, params, fec_keys: Box::default() };
    let mut seen = Seen::default();
    for (position, field) in fields.enumerate() {
        session_parameter(&mut attribute, &mut seen, field, position + 1)?;
    }
    attribute.check()?;
    Ok(attribute)
}

fn strip_prefix_ignore_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, tail) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(tail)
}

/// A decimal number without leading zeros and sign; `None` if it is anything else or larger than `u128`.
fn decimal(text: &str) -> Option<u128> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

fn tag(text: &str) -> Result<u32, SdesError> {
    match decimal(text).and_then(|tag| u32::try_from(tag).ok()) {
        Some(tag) if tag <= MAX_TAG => Ok(tag),
        _ => Err(SdesError::Tag),
    }
}

/// `inline:...` key parameters, separated by semicolons.
fn keys(suite: Suite, text: &str) -> Result<Box<[MasterKey]>, SdesError> {
    let mut keys = ArrayVec::<MasterKey, MAX_MASTER_KEYS>::new();
    for (position, parameter) in text.split(';').enumerate() {
        let key = key(suite, parameter, position + 1)?;
        keys.try_push(key).map_err(|_| SdesError::TooManyKeys)?;
    }
    Ok(keys.into_iter().collect())
}

/// `inline:` key||salt [`|` lifetime] [`|` MKI `:` length]; a colon tells the MKI from the lifetime.
fn key(suite: Suite, parameter: &str, key: usize) -> Result<MasterKey, SdesError> {
    let info = strip_prefix_ignore_case(parameter, "inline:").ok_or(SdesError::KeyMethod { key })?;
    let mut fields = info.split('|');
    let mut master = secret(suite, fields.next().unwrap_or_default(), key)?;
    let mut next = fields.next();
    if let Some(text) = next.filter(|text| !text.contains(':')) {
        master = master.with_lifetime(lifetime(text).ok_or(SdesError::Lifetime { key })?);
        next = fields.next();
    }
    if let Some(text) = next {
        master = master.with_mki(mki(text).ok_or(SdesError::Mki { key })?);
    }
    if fields.next().is_some() { Err(SdesError::KeyFields { key }) } else { Ok(master) }
}

fn secret(suite: Suite, text: &str, key: usize) -> Result<MasterKey, SdesError> {
    let expected_bytes = suite.master_key_len() + suite.master_salt_len();
    let mut decoded = Zeroizing::new([0_u8; DECODE_BYTES]);
    // The estimate of a decoder may exceed the true length by two bytes.
    if base64::decoded_len_estimate(text.len()) > DECODE_BYTES {
        let found_bytes = text.trim_end_matches('=').len() * 3 / 4;
        return Err(SdesError::KeyLength { suite, expected_bytes, found_bytes });
    }
    let found_bytes =
        BASE64.decode_slice(text, decoded.as_mut_slice()).map_err(|_| SdesError::Base64 { key })?;
    if found_bytes != expected_bytes {
        return Err(SdesError::KeyLength { suite, expected_bytes, found_bytes });
    }
    let (key, salt) = decoded[..found_bytes].split_at(suite.master_key_len());
    MasterKey::new(suite, key, salt)
}

fn lifetime(text: &str) -> Option<Lifetime> {
    match text.strip_prefix("2^") {
        Some(exponent) => Lifetime::power_of_two(u32::try_from(decimal(exponent)?).ok()?),
        None => Lifetime::packets(u64::try_from(decimal(text)?).ok()?),
    }
}

fn mki(text: &str) -> Option<Mki> {
    let (value, length) = text.split_once(':')?;
    let value = decimal(value).filter(|value| *value > 0)?;
    Mki::new(value, usize::try_from(decimal(length)?).ok()?)
}

/// Which parameters have been met, so that a second one is noticed.
#[derive(Default)]
struct Seen {
    names: ArrayVec<&'static str, 8>,
}

impl Seen {
    fn once(&mut self, name: &'static str) -> Result<(), SdesError> {
        if self.names.contains(&name) || self.names.try_push(name).is_err() {
            return Err(SdesError::ParameterTwice(name));
        }
        Ok(())
    }
}

fn session_parameter(
    attribute: &mut CryptoAttribute,
    seen: &mut Seen,
    field: &str,
    position: usize,
) -> Result<(), SdesError> {
    let params = &mut attribute.params;
    let (name, value) = match field.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (field, None),
    };
    let known = ["KDR", "UNENCRYPTED_SRTP", "UNENCRYPTED_SRTCP", "UNAUTHENTICATED_SRTP"]
        .into_iter()
        .chain(["FEC_ORDER", "FEC_KEY", "WSH"])
        .find(|known| known.eq_ignore_ascii_case(name));
    let Some(name) = known else {
        // A dash marks what may be ignored (RFC 4568 section 6.3.7).
        return if field.starts_with('-') { Ok(()) } else { Err(SdesError::UnknownParameter { position }) };
    };
    seen.once(name)?;
    match (name, value) {
        ("UNENCRYPTED_SRTP", None) => params.unencrypted_srtp = true,
        ("UNENCRYPTED_SRTCP", None) => params.unencrypted_srtcp = true,
        ("UNAUTHENTICATED_SRTP", None) => params.unauthenticated_srtp = true,
        ("KDR", Some(value)) => {
            let kdr = decimal(value).filter(|kdr| *kdr <= u128::from(super::MAX_KDR));
            // The grammar allows 0, the text does not; both mean one derivation (RFC 3711 section 4.3.1).
            let kdr = kdr.ok_or(SdesError::ParameterValue(name))? as u8;
            params.kdr = (kdr > 0).then_some(kdr);
        }
        ("FEC_ORDER", Some(value)) => {
            let order = [FecOrder::FecSrtp, FecOrder::SrtpFec]
                .into_iter()
                .find(|order| order.name().eq_ignore_ascii_case(value));
            params.fec_order = Some(order.ok_or(SdesError::ParameterValue(name))?);
        }
        ("FEC_KEY", Some(value)) => attribute.fec_keys = keys(attribute.suite, value)?,
        ("WSH", Some(value)) => {
            let window = decimal(value).and_then(|window| u32::try_from(window).ok());
            params.window_size_hint = Some(window.ok_or(SdesError::ParameterValue(name))?);
        }
        _ => return Err(SdesError::ParameterValue(name)),
    }
    Ok(())
}
