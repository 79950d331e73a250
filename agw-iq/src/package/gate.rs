//! `gm/sam` and `gm/spr` (H.248.43): which sources a gate listens to, as text.
//!
//! The form of the two strings is not fixed by any text at hand, so every reasonable one is taken: an address, an address with a prefix
//! length (in brackets or not) or with a dotted mask; a port, or two ports joined by `-`, `:` or `,`.

use agw_core::model::{AddressMask, PortRange};
use std::net::{IpAddr, Ipv4Addr};

/// The set of addresses that a `gm/sam` value names; `None` when it names none.
pub fn address_mask(text: &str) -> Option<AddressMask> {
    let text = text.trim();
    let (address, prefix) = match text.split_once(['/', ' ']) {
        None => (text, None),
        Some((address, prefix)) => (address, Some(prefix.trim())),
    };
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    let address: IpAddr = bare.parse().ok()?;
    let Some(prefix) = prefix else { return Some(AddressMask::exactly(address)) };
    if !prefix.is_empty() && prefix.len() <= 3 && prefix.bytes().all(|b| b.is_ascii_digit()) {
        return AddressMask::new(address, prefix.parse().ok()?);
    }
    let mask: Ipv4Addr = prefix.parse().ok()?;
    let bits = mask.to_bits();
    // A mask with holes is not a prefix.
    let contiguous = bits.leading_ones() + bits.trailing_zeros() == 32 || bits == u32::MAX;
    if contiguous && address.is_ipv4() { AddressMask::new(address, bits.leading_ones() as u8) } else { None }
}

/// The ports that a `gm/spr` value names; `None` when it names none.
pub fn port_range(text: &str) -> Option<PortRange> {
    let text = text.trim();
    let text = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let (first, last) = text.split_once(['-', ':', ',']).unwrap_or((text, text));
    PortRange::new(port(first)?, port(last)?)
}

fn port(text: &str) -> Option<u16> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_read_in_every_usual_form() {
        let wide = address_mask("192.0.2.0/24").expect("a mask");
        assert_eq!(Some(wide), address_mask("192.0.2.0 255.255.255.0"));
        assert!(wide.contains("192.0.2.9".parse().expect("an address")));
        assert_eq!(address_mask("203.0.113.7"), address_mask("203.0.113.7/32"));
        assert_eq!(address_mask("[2001:db8::]/32"), address_mask("2001:db8::/32"));
        assert!(address_mask("0.0.0.0/0.0.0.0").is_some());
        for wrong in
            ["", "/", "192.0.2.0/33", "192.0.2.0/255.0.255.0", "host", "192.0.2.0/+8", "::/255.0.0.0"]
        {
            assert_eq!(address_mask(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn ranges_are_read_in_every_usual_form() {
        for text in ["1000-2000", "1000:2000", "[1000:2000]", " 1000 , 2000 "] {
            assert_eq!(port_range(text), PortRange::new(1000, 2000), "{text}");
        }
        assert_eq!(port_range("49170"), PortRange::new(49170, 49170));
        for wrong in ["", "-", "2000-1000", "65536", "1-2-3", "+1"] {
            assert_eq!(port_range(wrong), None, "{wrong}");
        }
    }
}
