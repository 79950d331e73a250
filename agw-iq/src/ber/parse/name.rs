//! Identifiers: message senders, contexts, streams, requests, items of packages.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;

/// The longest NAME and path (Annex A.2).
const MAX_NAME: usize = 64;

/// `MId`, and `ServiceChangeAddress`, whose first alternative is a port and whose others are numbered one higher.
pub(super) fn mid_of(chosen: &Tlv<'_>, shift: u32) -> Res<Mid> {
    let port = |fields: &mut Fields<'_>| fields.optional(1)?.map(|port| port.uint("port")).transpose();
    let mid = match chosen.number.checked_sub(shift) {
        Some(0) => {
            let mut fields = chosen.fields()?;
            let octets: [u8; 4] = fields.required(0, "address")?.exactly("an IPv4 address")?;
            Mid::Ip4 { address: Ipv4Addr::from(octets), port: port(&mut fields)? }
        }
        Some(1) => {
            let mut fields = chosen.fields()?;
            let octets: [u8; 16] = fields.required(0, "address")?.exactly("an IPv6 address")?;
            Mid::Ip6 { address: Ipv6Addr::from(octets), port: port(&mut fields)? }
        }
        Some(2) => {
            let mut fields = chosen.fields()?;
            let good = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
            let name = name_of(&fields.required(0, "name")?, "domain name", good)?;
            Mid::Domain { name, port: port(&mut fields)? }
        }
        Some(3) => {
            let good = |b: u8| b.is_ascii_alphanumeric() || b"_/*$@.-".contains(&b);
            let name = name_of(chosen, "device name", good)?;
            if !name.as_str().starts_with(|c: char| c.is_ascii_alphabetic() || c == '*') {
                return fault(chosen.at, "a device name begins with a letter");
            }
            Mid::Device(name)
        }
        Some(4) => {
            let octets = chosen.octets()?.into_owned();
            if !(2..=4).contains(&octets.len()) {
                return fault(chosen.at, "an MTP address has 2 to 4 octets");
            }
            Mid::Mtp(octets)
        }
        _ => return fault(chosen.at, format!("unknown address {}", chosen.shown())),
    };
    Ok(mid)
}

fn name_of(element: &Tlv<'_>, what: &str, good: impl Fn(u8) -> bool) -> Res<Name> {
    let text = element.text(what)?;
    if text.is_empty() || text.len() > MAX_NAME || !text.bytes().all(good) {
        return fault(element.at, format!("not a {what} of 1 to {MAX_NAME} characters"));
    }
    Ok(Name::new(text))
}

pub(super) fn context_id(id: &Tlv<'_>) -> Res<ContextId> {
    Ok(match id.uint("context identifier")? {
        0 => ContextId::Null,
        0xFFFF_FFFE => ContextId::Choose,
        0xFFFF_FFFF => ContextId::All,
        id => ContextId::Id(id),
    })
}

pub(super) fn priority_of(element: &Tlv<'_>) -> Res<u16> {
    match element.uint("priority")? {
        priority @ 0..=15 => Ok(priority),
        other => unknown_value(element.at, "priority", i128::from(other)),
    }
}

pub(super) fn stream_id(fields: &mut Fields<'_>, number: u32) -> Res<Option<StreamId>> {
    fields.optional(number)?.map(|id| id.uint("stream identifier")).transpose()
}

pub(super) fn request_id(id: &Tlv<'_>) -> Res<RequestId> {
    Ok(match id.uint("request identifier")? {
        u32::MAX => RequestId::All,
        id => RequestId::Id(id),
    })
}

pub(super) fn pkgd_name(item: Item, element: &Tlv<'_>) -> Res<PkgdName> {
    Ok(names::pkgd_name(item, element.exactly("a package and item name")?))
}
