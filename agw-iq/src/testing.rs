//! Strategies that make any tree the codecs must carry, for property tests here and elsewhere (feature `testing`).
//!
//! They stay within what the tree's own documentation promises (an Events descriptor has a request identifier exactly when it has
//! events, a list that must not be empty is not), and within what both encodings can say. Inside that they are unkind: terminations
//! named like tokens, SDP full of braces, quotes and comments.

mod binary;
mod command;
mod descriptor;
mod sdp;

pub use binary::binary_message;
pub use command::{action_reply, action_request, command_reply, command_request, message, transaction};
pub use descriptor::{audit, events, media, service_change, signals};
pub use sdp::{sdp, sdp_text};

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use crate::ast::*;
use crate::errors::ErrorCode;

/// A parameter name: NAME, but none of the tokens that stand beside parameters.
fn name() -> impl Strategy<Value = Name> {
    "p[a-zA-Z0-9_]{0,12}".prop_map(Name::new)
}

/// `package/item` with and without wildcards.
fn pkgd_name() -> impl Strategy<Value = PkgdName> {
    prop_oneof![
        8 => ("[a-z][a-z0-9_]{0,9}", "[A-Za-z][A-Za-z0-9_]{0,9}").prop_map(|(package, item)| PkgdName::new(&package, &item)),
        1 => "[a-z][a-z0-9_]{0,9}".prop_map(|package| PkgdName::new(&package, "*")),
        1 => Just(PkgdName::new("*", "*")),
    ]
}

/// Text that fits between quotation marks.
fn text() -> impl Strategy<Value = String> {
    "[ -!#-~\té€]{0,24}"
}

/// Tokens and strings.
fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<u64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::boolean),
        "[-a-zA-Z0-9+&!_/'?@^`~*$\\\\()%|.]{1,16}".prop_map(Value::token),
        text().prop_map(Value::quoted),
    ]
}

fn parm_value() -> impl Strategy<Value = ParmValue> {
    prop_oneof![
        6 => value().prop_map(ParmValue::One),
        1 => vec(value(), 1..4).prop_map(ParmValue::All),
        1 => vec(value(), 1..4).prop_map(ParmValue::Any),
        1 => (value(), value()).prop_map(|(low, high)| ParmValue::Range(low, high)),
        1 => (select(vec![Relation::Greater, Relation::Smaller, Relation::Unequal]), value())
            .prop_map(|(relation, value)| ParmValue::Relation(relation, value)),
    ]
}

fn property() -> impl Strategy<Value = PropertyParm> {
    (pkgd_name(), parm_value()).prop_map(|(name, value)| PropertyParm { name, value })
}

fn parm() -> impl Strategy<Value = Parm> {
    (name(), parm_value()).prop_map(|(name, value)| Parm { name, value })
}

/// Paths with and without wildcards, ROOT, `$`, `*`, and names that are tokens elsewhere.
pub fn termination_id() -> impl Strategy<Value = TerminationId> {
    let path = "ip(/([$*]|[a-z0-9_]{1,8})){0,4}(@[a-z0-9.-]{1,8})?";
    let unkind = select(vec!["A", "L", "R", "O", "M", "ER", "ST", "T", "IA", "E", "Services"]);
    prop_oneof![
        6 => path.prop_map(|path| TerminationId::Path(path.as_str().into())),
        1 => unkind.prop_map(|path| TerminationId::Path(path.into())),
        1 => select(vec![TerminationId::Root, TerminationId::Choose, TerminationId::All]),
    ]
}

/// Identifiers and wildcards of contexts.
pub fn context_id() -> impl Strategy<Value = ContextId> {
    prop_oneof![
        3 => (1..=0xFFFF_FFFD_u32).prop_map(ContextId::Id),
        1 => select(vec![ContextId::Null, ContextId::Choose, ContextId::All]),
    ]
}

fn request_id() -> impl Strategy<Value = RequestId> {
    prop_oneof![4 => any::<u32>().prop_map(RequestId::Id), 1 => Just(RequestId::All)]
}

fn timestamp() -> impl Strategy<Value = TimeStamp> {
    (0..=99_999_999_u32, 0..=99_999_999_u32).prop_map(|(date, time)| TimeStamp { date, time })
}

/// Message identifiers in all forms.
pub fn mid() -> impl Strategy<Value = Mid> {
    let port = || of(any::<u16>());
    prop_oneof![
        (any::<std::net::Ipv4Addr>(), port()).prop_map(|(address, port)| Mid::Ip4 { address, port }),
        (any::<std::net::Ipv6Addr>(), port()).prop_map(|(address, port)| Mid::Ip6 { address, port }),
        ("[a-z0-9][a-z0-9.-]{0,20}", port())
            .prop_map(|(name, port)| Mid::Domain { name: name.as_str().into(), port }),
        "gw[a-z0-9/_]{0,8}(@[a-z0-9.-]{1,8})?".prop_map(|name| Mid::Device(name.as_str().into())),
        vec(any::<u8>(), 2..=4).prop_map(Mid::Mtp),
    ]
}

/// Error descriptors.
pub fn error() -> impl Strategy<Value = ErrorDescriptor> {
    (0..=9999_u16, of(text())).prop_map(|(code, text)| ErrorDescriptor { code: ErrorCode(code), text })
}

fn extension() -> impl Strategy<Value = Name> {
    "X[-+][A-Za-z0-9]{1,6}".prop_map(Name::new)
}
