//! H.248 packages: what the gateway knows by name, what it may be told, and in which words it refuses.
//!
//! The registry is data ([`registry`]): text and binary identifiers, versions, types, defaults, where an item is legal, and whether the
//! identifier was verified or is provisional. The files beside it give the items of one package their meaning. An unknown package is
//! error 440, an unknown item 450 to 453, an item that is known but not done here 445, 512 or 513, and a bad value 449 or 454 with the
//! value in the text (TS 29.334 clauses 5.2 and 5.17.1; IQ-1).

pub mod address;
pub mod availability;
pub mod bearer;
pub mod congestion;
pub mod diffserv;
pub mod gate;
pub mod generic;
pub mod hanging;
pub mod ice;
pub mod inactivity;
pub mod napt;
pub mod realm;
pub mod registry;
pub mod root;
pub mod silence;
pub mod srtp;
pub mod statistics;
pub mod traffic;

use crate::ast::{ErrorDescriptor, PkgdName, SignalType, Value};
use crate::errors::ErrorCode;
use crate::secret::redact;

/// One package.
#[derive(Debug)]
pub struct Package {
    /// The text identifier.
    pub name: &'static str,
    /// The binary identifier.
    pub id: u16,
    /// The version that this gateway reports.
    pub version: u16,
    /// Whether audits list it: something of it works here.
    pub realized: bool,
    /// Properties.
    pub properties: &'static [Property],
    /// Events.
    pub events: &'static [Event],
    /// Signals.
    pub signals: &'static [Signal],
    /// Statistics.
    pub statistics: &'static [Statistic],
}

impl Package {
    /// Whether something of it belongs to terminations, and not to ROOT alone.
    pub fn is_of_terminations(&self) -> bool {
        self.properties.iter().any(|property| property.place != Place::Root)
            || self.events.iter().any(|event| !event.on_root)
            || !self.signals.is_empty()
            || !self.statistics.is_empty()
    }
}

/// How far an identifier can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Found in a source that can be named.
    Verified,
    /// Recalled, inferred or made up: corrected here, in one line, once the source is at hand. Never called conforming.
    Provisional,
}

/// What the gateway does with an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// All of it.
    Done,
    /// The value is checked, kept and audited, but has no effect yet.
    Stored,
    /// Known by name, refused.
    Absent,
}

/// Where a property stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In LocalControl of a stream.
    LocalControl,
    /// In TerminationState of ROOT.
    Root,
    /// In LocalControl, in TerminationState, and of ROOT.
    Anywhere,
}

/// A property.
#[derive(Clone, Copy, Debug)]
pub struct Property {
    /// The text identifier.
    pub name: &'static str,
    /// The binary identifier; `None` where no source gives it.
    pub id: Option<u16>,
    /// The type of its value.
    pub kind: Kind,
    /// The value where none was given.
    pub default: Option<&'static str>,
    /// Whether it may have several values at once, as in `[a, b]`.
    pub list: bool,
    /// Where it stands.
    pub place: Place,
    /// Whether the controller may set it.
    pub writable: bool,
    /// What is done with it.
    pub support: Support,
    /// Whether its identifiers are verified.
    pub mark: Mark,
}

/// A parameter of an event or signal.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// The text identifier.
    pub name: &'static str,
    /// The binary identifier; `None` where no source gives it.
    pub id: Option<u16>,
    /// The type of its value.
    pub kind: Kind,
    /// Whether it must be given.
    pub required: bool,
}

/// An event.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// The text identifier.
    pub name: &'static str,
    /// The binary identifier; `None` where no source gives it.
    pub id: Option<u16>,
    /// Parameters in an Events descriptor.
    pub requested: &'static [Parameter],
    /// Parameters in an ObservedEvents descriptor.
    pub observed: &'static [Parameter],
    /// Whether it is set on ROOT, and not on terminations.
    pub on_root: bool,
    /// What is done with it.
    pub support: Support,
    /// Whether its identifiers are verified.
    pub mark: Mark,
}

/// A signal.
#[derive(Clone, Copy, Debug)]
pub struct Signal {
    /// The text identifier.
    pub name: &'static str,
    /// The binary identifier; `None` where no source gives it.
    pub id: Option<u16>,
    /// How it ends unless the request says otherwise.
    pub kind: SignalType,
    /// Parameters.
    pub parameters: &'static [Parameter],
    /// What is done with it.
    pub support: Support,
    /// Whether its identifiers are verified.
    pub mark: Mark,
}

/// A statistic.
#[derive(Clone, Copy, Debug)]
pub struct Statistic {
    /// The text identifier.
    pub name: &'static str,
    /// The binary identifier; `None` where no source gives it.
    pub id: Option<u16>,
    /// In the binary encoding a whole number of 32 bits and a fraction of 32 bits.
    pub fraction: bool,
    /// What is done with it.
    pub support: Support,
    /// Whether its identifiers are verified.
    pub mark: Mark,
}

/// The type of a value, and its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `ON` or `OFF`.
    Boolean,
    /// A whole number, both ends included.
    Integer {
        /// The least.
        min: u64,
        /// The greatest.
        max: u64,
    },
    /// One of these words.
    Enumeration(&'static [(&'static str, u16)]),
    /// Text of at most this many octets, not empty.
    Text(usize),
    /// An octet in hexadecimal or decimal; its package reads it.
    Octet,
    /// At least one and at most this many octets, as pairs of hexadecimal digits.
    Octets(usize),
}

impl Kind {
    /// Whether the value is of this type and in range.
    pub fn admits(self, value: &Value) -> bool {
        match self {
            Kind::Boolean => value.as_bool().is_some(),
            Kind::Integer { min, max } => value.as_u64().is_some_and(|number| (min..=max).contains(&number)),
            Kind::Enumeration(words) => words.iter().any(|(word, _)| value.is(word)),
            Kind::Text(max) => (1..=max).contains(&value.as_str().len()),
            Kind::Octet => (1..=8).contains(&value.as_str().len()),
            Kind::Octets(max) => {
                let digits = value.as_str();
                let pairs = digits.len() / 2;
                digits.len().is_multiple_of(2)
                    && (1..=max).contains(&pairs)
                    && digits.bytes().all(|b| b.is_ascii_hexdigit())
            }
        }
    }
}

/// The package of this name.
pub fn find(name: &str) -> Option<&'static Package> {
    registry::PACKAGES.iter().copied().find(|package| package.name.eq_ignore_ascii_case(name))
}

/// The packages that audits list.
pub fn realized() -> impl Iterator<Item = &'static Package> {
    registry::PACKAGES.iter().copied().filter(|package| package.realized)
}

fn package(name: &PkgdName) -> Result<&'static Package, ErrorDescriptor> {
    find(name.package.as_str())
        .ok_or_else(|| ErrorDescriptor::with_text(ErrorCode::UNKNOWN_PACKAGE, name.package.to_string()))
}

fn no_such(code: ErrorCode, name: &PkgdName) -> ErrorDescriptor {
    ErrorDescriptor::with_text(code, name.to_string())
}

/// The property of this name, which must be one that something is done with.
///
/// # Errors
/// 440, 450, or 445 when it is known but not supported.
pub fn property(name: &PkgdName) -> Result<&'static Property, ErrorDescriptor> {
    let found = package(name)?.properties.iter().find(|property| name.item == property.name);
    let found = found.ok_or_else(|| no_such(ErrorCode::NO_SUCH_PROPERTY, name))?;
    match found.support {
        Support::Absent => Err(no_such(ErrorCode::UNKNOWN_PROPERTY, name)),
        Support::Done | Support::Stored => Ok(found),
    }
}

/// The event of this name, which must be one that is detected.
///
/// # Errors
/// 440, 451, or 512 when it is known but not detected.
pub fn event(name: &PkgdName) -> Result<&'static Event, ErrorDescriptor> {
    let found = package(name)?.events.iter().find(|event| name.item == event.name);
    let found = found.ok_or_else(|| no_such(ErrorCode::NO_SUCH_EVENT, name))?;
    match found.support {
        Support::Absent => Err(no_such(ErrorCode::CANNOT_DETECT_EVENT, name)),
        Support::Done | Support::Stored => Ok(found),
    }
}

/// The events of a package that are detected, at least one.
///
/// # Errors
/// 440, or 512 when none is.
pub fn events_of(name: &PkgdName) -> Result<impl Iterator<Item = &'static Event>, ErrorDescriptor> {
    let detected = |event: &&Event| event.support != Support::Absent;
    let events = package(name)?.events;
    if !events.iter().any(|event| detected(&event)) {
        return Err(no_such(ErrorCode::CANNOT_DETECT_EVENT, name));
    }
    Ok(events.iter().filter(detected))
}

/// The signal of this name, which must be one that is obeyed.
///
/// # Errors
/// 440, 452, or 513 when it is known but not obeyed.
pub fn signal(name: &PkgdName) -> Result<&'static Signal, ErrorDescriptor> {
    let found = package(name)?.signals.iter().find(|signal| name.item == signal.name);
    let found = found.ok_or_else(|| no_such(ErrorCode::NO_SUCH_SIGNAL, name))?;
    match found.support {
        Support::Absent => Err(no_such(ErrorCode::CANNOT_GENERATE_SIGNAL, name)),
        Support::Done | Support::Stored => Ok(found),
    }
}

/// The statistic of this name, which must be one that is counted.
///
/// # Errors
/// 440 or 453.
pub fn statistic(name: &PkgdName) -> Result<&'static Statistic, ErrorDescriptor> {
    let found = package(name)?.statistics.iter().find(|statistic| name.item == statistic.name);
    found
        .filter(|statistic| statistic.support != Support::Absent)
        .ok_or_else(|| no_such(ErrorCode::NO_SUCH_STATISTIC, name))
}

/// The parameters of an event or signal, checked against its table; later ones of the same name are refused.
///
/// # Errors
/// 446 for an unknown or repeated parameter, 454 for a bad value, 457 for a missing one.
pub fn check_parameters(
    owner: &PkgdName,
    table: &'static [Parameter],
    given: &[crate::ast::Parm],
) -> Result<(), ErrorDescriptor> {
    for (at, parm) in given.iter().enumerate() {
        let twice = given[..at].iter().any(|earlier| earlier.name == parm.name);
        let known = table.iter().find(|parameter| parm.name == parameter.name);
        let Some(known) = known.filter(|_| !twice) else {
            let text = format!("{owner} {}", parm.name);
            return Err(ErrorDescriptor::with_text(ErrorCode::UNKNOWN_PARAMETER, text));
        };
        let Some(value) = parm.value.single().filter(|value| known.kind.admits(value)) else {
            let text = format!("{owner} {} = {}", parm.name, shown(&parm.value));
            return Err(ErrorDescriptor::with_text(ErrorCode::NO_SUCH_PARAMETER_VALUE, text));
        };
        debug_assert!(known.kind.admits(value));
    }
    let missing =
        table.iter().find(|known| known.required && !given.iter().any(|parm| parm.name == known.name));
    match missing {
        None => Ok(()),
        Some(parameter) => {
            let text = format!("{owner} {}", parameter.name);
            Err(ErrorDescriptor::with_text(ErrorCode::MISSING_PARAMETER, text))
        }
    }
}

/// The most characters of an offending value that an error text repeats.
const MAX_SHOWN_CHARS: usize = 64;

/// A value as an error text shows it: short, without keys.
pub fn shown(value: &crate::ast::ParmValue) -> String {
    use crate::ast::{ParmValue, Relation};
    let list = |values: &[Value]| values.iter().map(Value::as_str).collect::<Vec<_>>().join(",");
    let text = match value {
        ParmValue::One(value) => value.as_str().to_owned(),
        ParmValue::All(values) => format!("[{}]", list(values)),
        ParmValue::Any(values) => format!("({})", list(values)),
        ParmValue::Range(low, high) => format!("[{}:{}]", low.as_str(), high.as_str()),
        ParmValue::Relation(relation, value) => {
            let sign = match relation {
                Relation::Greater => '>',
                Relation::Smaller => '<',
                Relation::Unequal => '#',
            };
            format!("{sign}{}", value.as_str())
        }
    };
    redact(&text).chars().take(MAX_SHOWN_CHARS).collect()
}

/// Error 449 with the offending value in its text (TS 29.334 clause 5.17.1).
pub fn unsupported(name: impl std::fmt::Display, value: &crate::ast::ParmValue) -> ErrorDescriptor {
    ErrorDescriptor::with_text(ErrorCode::UNSUPPORTED_VALUE, format!("{name} = {}", shown(value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ast::{Name, Parm};
    use std::collections::BTreeSet;

    fn code<T: std::fmt::Debug>(result: Result<T, ErrorDescriptor>) -> u16 {
        result.expect_err("an error").code.0
    }

    #[test]
    fn packages_and_their_items_are_named_once() {
        let names: BTreeSet<_> = registry::PACKAGES.iter().map(|package| package.name).collect();
        let ids: BTreeSet<_> = registry::PACKAGES.iter().map(|package| package.id).collect();
        assert_eq!(names.len(), registry::PACKAGES.len());
        assert_eq!(ids.len(), registry::PACKAGES.len());
        for package in registry::PACKAGES {
            let properties: BTreeSet<_> = package.properties.iter().map(|property| property.name).collect();
            assert_eq!(properties.len(), package.properties.len(), "{}", package.name);
            let ids: BTreeSet<_> = package.properties.iter().filter_map(|property| property.id).collect();
            let with_id = package.properties.iter().filter(|property| property.id.is_some()).count();
            assert_eq!(ids.len(), with_id, "{}", package.name);
        }
    }

    #[test]
    fn a_default_is_a_legal_value() {
        for package in registry::PACKAGES {
            for property in package.properties {
                if let Some(default) = property.default {
                    assert!(
                        property.kind.admits(&Value::token(default)),
                        "{}/{}",
                        package.name,
                        property.name
                    );
                }
            }
        }
    }

    #[test]
    fn unknown_names_are_told_apart_by_what_is_unknown() {
        assert_eq!(code(property(&PkgdName::new("nosuch", "x"))), 440);
        assert_eq!(code(property(&PkgdName::new("gm", "nosuch"))), 450);
        assert_eq!(code(event(&PkgdName::new("g", "nosuch"))), 451);
        assert_eq!(code(signal(&PkgdName::new("ipnapt", "nosuch"))), 452);
        assert_eq!(code(statistic(&PkgdName::new("rtp", "nosuch"))), 453);
        // Registered packages whose items no source gives: never 440.
        assert_eq!(code(signal(&PkgdName::new("tcphp", "x"))), 452);
    }

    #[test]
    fn what_is_known_but_not_done_is_refused_by_its_kind() {
        assert_eq!(code(property(&PkgdName::new("nt", "jit"))), 445);
        assert_eq!(code(event(&PkgdName::new("nt", "netfail"))), 512);
        assert_eq!(code(signal(&PkgdName::new("sctpbcc", "EstBNC"))), 513);
    }

    #[test]
    fn parameters_are_checked_against_their_table() {
        let name = PkgdName::new("ipnapt", "latch");
        let table = signal(&name).expect("known").parameters;
        let parm = |parameter: &str, value: &str| Parm {
            name: Name::new(parameter),
            value: Value::token(value).into(),
        };
        assert!(check_parameters(&name, table, &[parm("NAPT", "relatch")]).is_ok());
        assert_eq!(code(check_parameters(&name, table, &[])), 457);
        assert_eq!(code(check_parameters(&name, table, &[parm("napt", "maybe")])), 454);
        assert_eq!(code(check_parameters(&name, table, &[parm("x", "1"), parm("napt", "OFF")])), 446);
        assert_eq!(code(check_parameters(&name, table, &[parm("napt", "OFF"), parm("napt", "OFF")])), 446);
    }
}
