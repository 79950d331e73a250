//! TerminationIDs: `ip/<group>/<interface>/<id>` (TS 183 018 clause 5.6; `iq-decisions`).
//!
//! The group is the controller's, the interface is the realm, the number is ours. A new termination may leave any field but the
//! first to us with `$`; wildcards take `*` in any field, and a last `*` stands for all fields below it.

use crate::ast::{ErrorDescriptor, Name, TerminationId};
use crate::errors::ErrorCode;
use crate::package::realm::Realms;
use agw_core::model::{self, RealmName};

/// The group of a termination whose controller left it to us.
const DEFAULT_GROUP: &str = "1";
/// The longest group: the whole identifier has 64 characters.
const MAX_GROUP_CHARS: usize = 16;

/// What an Add says of the name of its termination.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NewName {
    pub(super) group: Name,
    /// The realm that was named as the interface.
    pub(super) realm: Option<RealmName>,
}

/// What a command other than Add is for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    Root,
    /// One number; the rest of its name is still to be compared.
    One(model::TerminationId),
    Several(Pattern),
}

/// A wildcard: each field that is not `*`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pattern {
    group: Option<Name>,
    interface: Option<Name>,
    number: Option<u32>,
}

impl Pattern {
    /// Whether it takes in the termination of this name.
    pub(super) fn admits(&self, name: &TerminationId) -> bool {
        let mut fields = name.segments().skip(1);
        let group = fields.next().unwrap_or_default();
        let interface = fields.next().unwrap_or_default();
        let number = fields.next().and_then(decimal);
        self.group.as_ref().is_none_or(|wanted| *wanted == group)
            && self.interface.as_ref().is_none_or(|wanted| *wanted == interface)
            && self.number.is_none_or(|wanted| number == Some(wanted))
    }
}

pub(super) fn unknown(id: &TerminationId) -> ErrorDescriptor {
    ErrorDescriptor::with_text(ErrorCode::UNKNOWN_TERMINATION, id.to_string())
}

fn decimal(text: &str) -> Option<u32> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// Reads the name in an Add.
///
/// # Errors
/// 430 for a name that is none of ours, 431 for a wildcard (no termination waits outside a context), 433 where a number is given that
/// may exist (`exists` is asked), 449 for an interface that is no realm, 542 for ROOT.
pub(super) fn new_name(
    id: &TerminationId,
    realms: &Realms,
    exists: impl Fn(&TerminationId) -> bool,
) -> Result<NewName, ErrorDescriptor> {
    let path = match id {
        TerminationId::Root => return Err(ErrorDescriptor::new(ErrorCode::COMMAND_NOT_ALLOWED)),
        TerminationId::Choose => return Ok(NewName { group: DEFAULT_GROUP.into(), realm: None }),
        _ if id.has_all() => {
            return Err(ErrorDescriptor::with_text(ErrorCode::NO_MATCH_FOR_WILDCARD, id.to_string()));
        }
        TerminationId::All => return Err(ErrorDescriptor::new(ErrorCode::NO_MATCH_FOR_WILDCARD)),
        TerminationId::Path(path) => path,
    };
    let mut fields = path.as_str().split('/');
    let kind = fields.next().unwrap_or_default();
    if !kind.eq_ignore_ascii_case("ip") {
        return Err(unknown(id));
    }
    let rest: Vec<&str> = fields.collect();
    let (group, interface, number) = match *rest.as_slice() {
        [group, interface, number] => (group, interface, number),
        [group, "$"] => (group, "$", "$"),
        ["$"] => ("$", "$", "$"),
        _ => return Err(unknown(id)),
    };
    if number != "$" {
        let code =
            if exists(id) { ErrorCode::TERMINATION_IN_CONTEXT } else { ErrorCode::UNKNOWN_TERMINATION };
        return Err(ErrorDescriptor::with_text(code, id.to_string()));
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let group = match group {
        "$" => DEFAULT_GROUP,
        _ if (1..=MAX_GROUP_CHARS).contains(&group.len()) && group.bytes().all(plain) => group,
        _ => return Err(unknown(id)),
    };
    let realm = match interface {
        "$" => None,
        _ => Some(realms.of_interface(interface).cloned().ok_or_else(|| {
            ErrorDescriptor::with_text(
                ErrorCode::UNSUPPORTED_VALUE,
                format!("no realm for interface {interface}"),
            )
        })?),
    };
    Ok(NewName { group: group.into(), realm })
}

/// The name of a termination.
pub(super) fn name_of(
    group: &Name,
    realm: &RealmName,
    realms: &Realms,
    number: model::TerminationId,
) -> TerminationId {
    TerminationId::Path(Name::new(format!("ip/{group}/{}/{number}", realms.interface(realm))))
}

/// Reads the name in a command for terminations that exist.
///
/// # Errors
/// 410 for `$`, 430 for a name that is none of ours.
pub(super) fn target(id: &TerminationId) -> Result<Target, ErrorDescriptor> {
    let path = match id {
        TerminationId::Root => return Ok(Target::Root),
        TerminationId::All => return Ok(Target::Several(Pattern::default())),
        _ if id.has_choose() => {
            return Err(ErrorDescriptor::with_text(ErrorCode::INCORRECT_IDENTIFIER, id.to_string()));
        }
        TerminationId::Choose => return Err(ErrorDescriptor::new(ErrorCode::INCORRECT_IDENTIFIER)),
        TerminationId::Path(path) => path,
    };
    let mut fields = path.as_str().split('/');
    let kind = fields.next().unwrap_or_default();
    if !kind.eq_ignore_ascii_case("ip") && kind != "*" {
        return Err(unknown(id));
    }
    let rest: Vec<&str> = fields.collect();
    let (group, interface, number) = match *rest.as_slice() {
        [group, interface, number] => (group, interface, number),
        [group, "*"] => (group, "*", "*"),
        ["*"] => ("*", "*", "*"),
        _ => return Err(unknown(id)),
    };
    let wild = |field: &str| (field != "*").then(|| Name::new(field));
    match (id.has_all(), number) {
        (false, number) => Ok(Target::One(model::TerminationId(decimal(number).ok_or_else(|| unknown(id))?))),
        (true, "*") => {
            Ok(Target::Several(Pattern { group: wild(group), interface: wild(interface), number: None }))
        }
        (true, number) => {
            let number = Some(decimal(number).ok_or_else(|| unknown(id))?);
            Ok(Target::Several(Pattern { group: wild(group), interface: wild(interface), number }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn realms() -> Realms {
        Realms::new(["access", "core"].iter().filter_map(|name| RealmName::new(name)).collect())
    }

    fn path(text: &str) -> TerminationId {
        match text {
            "$" => TerminationId::Choose,
            "*" => TerminationId::All,
            _ => TerminationId::Path(text.into()),
        }
    }

    fn add(text: &str) -> Result<(String, Option<String>), u16> {
        new_name(&path(text), &realms(), |id| id.as_str() == "ip/1/access/7")
            .map(|new| (new.group.to_string(), new.realm.map(|realm| realm.to_string())))
            .map_err(|error| error.code.0)
    }

    #[test]
    fn a_new_termination_may_leave_every_field_to_us() {
        let default = Ok(("1".to_owned(), None));
        for text in ["$", "ip/$", "ip/$/$", "ip/$/$/$", "ip/1/$", "ip/1/$/$", "IP/1/$/$"] {
            assert_eq!(add(text), default, "{text}");
        }
        assert_eq!(add("ip/7/access/$"), Ok(("7".to_owned(), Some("access".to_owned()))));
        assert_eq!(add("ip/7/CORE/$"), Ok(("7".to_owned(), Some("core".to_owned()))));
    }

    #[test]
    fn names_that_cannot_be_made_are_refused() {
        assert_eq!(add("ip/1/nowhere/$"), Err(449));
        assert_eq!(add("ip/1/access/7"), Err(433));
        assert_eq!(add("ip/1/access/8"), Err(430));
        assert_eq!(add("aln/1"), Err(430));
        assert_eq!(add("ip/1/access/$/$"), Err(430));
        assert_eq!(add("ip/12345678901234567/access/$"), Err(430));
        assert_eq!(add("*"), Err(431));
        assert_eq!(add("ip/1/*/$"), Err(431));
        assert_eq!(new_name(&TerminationId::Root, &realms(), |_| false).unwrap_err().code.0, 542);
    }

    #[test]
    fn wildcards_take_in_what_agrees_with_each_field() {
        let name = path("ip/1/access/7");
        let admits = |text: &str| match target(&path(text)) {
            Ok(Target::Several(pattern)) => pattern.admits(&name),
            other => panic!("{text}: {other:?}"),
        };
        for text in ["*", "ip/*", "ip/1/*", "ip/*/ACCESS/*", "ip/*/*/7", "*/1/access/*"] {
            assert!(admits(text), "{text}");
        }
        for text in ["ip/2/*", "ip/*/core/*", "ip/*/*/8"] {
            assert!(!admits(text), "{text}");
        }
        assert_eq!(target(&name), Ok(Target::One(model::TerminationId(7))));
        assert_eq!(target(&path("ip/1/$/7")).map_err(|e| e.code.0), Err(410));
        assert_eq!(target(&path("ip/1/access/x")).map_err(|e| e.code.0), Err(430));
        assert_eq!(target(&path("ip/1/access/99999999999")).map_err(|e| e.code.0), Err(430));
    }
}
