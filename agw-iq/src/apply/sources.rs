//! `gm` (H.248.43): which sources a stream listens to, and from where it sends.
//!
//! An explicit mask or range always holds; without one the filter follows the peer, whether it was signalled or learned. Each stream sends
//! from the very port on which it receives (RFC 4961), so an explicit local source address or port is that of Local: it takes the
//! place of `$` there, and anything else contradicts it.

use super::media::unsupported;
use super::stream::Stream;
use crate::ast::{ErrorDescriptor, Value};
use crate::errors::ErrorCode;
use crate::package::gate;
use agw_core::model::{Family, SourceFilter, SourceRule, StreamSpec};
use std::net::IpAddr;

/// The filter that a stream's properties ask for.
pub(super) fn filter(stream: &Stream) -> SourceFilter {
    SourceFilter {
        addresses: rule(stream, "saf", "sam", gate::address_mask),
        ports: rule(stream, "spf", "spr", gate::port_range),
    }
}

/// The values were checked when they were set.
fn rule<T>(stream: &Stream, switch: &str, values: &str, read: impl Fn(&str) -> Option<T>) -> SourceRule<T> {
    match (stream.is_on("gm", switch), stream.values("gm", values)) {
        (None | Some(false), _) => SourceRule::Any,
        (Some(true), []) => SourceRule::Peer,
        (Some(true), values) => SourceRule::listed(values.iter().filter_map(|value| read(value.as_str()))),
    }
}

/// Takes `esas` with `lsa` and `esps` with `lsp` into the specification.
///
/// # Errors
/// 472 for a switch without its value, 473 for a value that contradicts Local.
pub(super) fn take_explicit(spec: &mut StreamSpec, stream: &Stream) -> Result<(), ErrorDescriptor> {
    if let Some(value) = switched(stream, "esas", "lsa")? {
        let address: IpAddr =
            value.as_str().parse().map_err(|_| unsupported(format!("gm/lsa = {}", value.as_str())))?;
        if spec.family.is_some_and(|family| family != Family::of(address)) {
            return Err(contradicts(value, "lsa"));
        }
        if spec.local_address.replace(address).is_some_and(|named| named != address) {
            return Err(contradicts(value, "lsa"));
        }
    }
    if let Some(value) = switched(stream, "esps", "lsp")? {
        let port = value.as_u64().and_then(|port| u16::try_from(port).ok()).filter(|port| *port != 0);
        let port = port.ok_or_else(|| unsupported(format!("gm/lsp = {}", value.as_str())))?;
        if spec.local_port.replace(port).is_some_and(|named| named != port) {
            return Err(contradicts(value, "lsp"));
        }
    }
    Ok(())
}

fn switched<'a>(stream: &'a Stream, switch: &str, item: &str) -> Result<Option<&'a Value>, ErrorDescriptor> {
    if stream.is_on("gm", switch) != Some(true) {
        return Ok(None);
    }
    let missing = || {
        ErrorDescriptor::with_text(
            ErrorCode::INFORMATION_MISSING,
            format!("gm/{switch} = ON without gm/{item}"),
        )
    };
    stream.property("gm", item).map(Some).ok_or_else(missing)
}

fn contradicts(value: &Value, item: &str) -> ErrorDescriptor {
    let text = format!(
        "gm/{item} = {} is not what Local has: media leaves from where it is received",
        value.as_str()
    );
    ErrorDescriptor::with_text(ErrorCode::CONFLICTING_VALUES, text)
}
