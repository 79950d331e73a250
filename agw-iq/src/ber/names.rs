//! Package and item names as the numbers of Annex A, by the registry.
//!
//! A number that the registry does not know becomes `x` and four hexadecimal digits, which is a name in the text encoding too and is
//! written back as the same number; so an unknown package is answered with error 440 and an unknown item with 450 to 453 like any other.

use super::value::Type;
use crate::ast::{Name, PkgdName};
use crate::package::{self, Kind, Package, Parameter, registry};

/// `*` for a package or an item.
const ALL: u16 = 0xffff;

/// The octets of hexadecimal digits.
pub(super) fn hex(digits: &str) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

/// Hexadecimal digits for octets.
pub(super) fn digits(octets: &[u8]) -> String {
    octets
        .iter()
        .flat_map(|octet| [octet >> 4, octet & 0xf])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

/// What an item of a package is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Property,
    Event,
    Signal,
    Statistic,
}

/// The name of a number that has none.
pub(super) fn unnamed(number: u16) -> Name {
    Name::new(format!("x{number:04x}"))
}

/// The number of such a name.
pub(super) fn unnamed_number(name: &Name) -> Option<u16> {
    match hex(name.as_str().strip_prefix(['x', 'X'])?)?.as_slice() {
        [high, low] => Some(u16::from_be_bytes([*high, *low])),
        _ => None,
    }
}

fn package_of(number: u16) -> Option<&'static Package> {
    registry::PACKAGES.iter().copied().find(|package| package.id == number)
}

/// The name of a package.
pub(super) fn package_name(number: u16) -> Name {
    match package_of(number) {
        _ if number == ALL => "*".into(),
        Some(package) => package.name.into(),
        None => unnamed(number),
    }
}

/// The number of a package; `None` for a name that is in no registry.
pub(super) fn package_number(name: &Name) -> Option<u16> {
    if name.is_all() {
        return Some(ALL);
    }
    package::find(name.as_str()).map(|package| package.id).or_else(|| unnamed_number(name))
}

/// The name and number of an item of a package.
fn find(
    package: &'static Package,
    item: Item,
    wanted: impl Fn(&str, Option<u16>) -> bool,
) -> Option<(&'static str, Option<u16>)> {
    let wanted = |found: &(&'static str, Option<u16>)| wanted(found.0, found.1);
    match item {
        Item::Property => package.properties.iter().map(|found| (found.name, found.id)).find(wanted),
        Item::Event => package.events.iter().map(|found| (found.name, found.id)).find(wanted),
        Item::Signal => package.signals.iter().map(|found| (found.name, found.id)).find(wanted),
        Item::Statistic => package.statistics.iter().map(|found| (found.name, found.id)).find(wanted),
    }
}

/// The name of a PkgdName.
pub(super) fn pkgd_name(item: Item, octets: [u8; 4]) -> PkgdName {
    let [a, b, c, d] = octets;
    let (package, number) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    let known = package_of(package).and_then(|package| find(package, item, |_, id| id == Some(number)));
    let item = match known {
        _ if number == ALL => "*".into(),
        Some((name, _)) => name.into(),
        None => unnamed(number),
    };
    PkgdName { package: package_name(package), item }
}

/// The octets of a PkgdName; `None` for a name that is in no registry.
pub(super) fn pkgd_octets(item: Item, name: &PkgdName) -> Option<[u8; 4]> {
    let package = package_number(&name.package)?;
    let known = package::find(name.package.as_str())
        .and_then(|package| find(package, item, |known, _| name.item == *known));
    let number = match known {
        _ if name.item.is_all() => Some(ALL),
        Some((_, id)) => id,
        None => unnamed_number(&name.item),
    };
    let ([a, b], [c, d]) = (package.to_be_bytes(), number?.to_be_bytes());
    Some([a, b, c, d])
}

/// The type of a property's value.
pub(super) fn property_kind(name: &PkgdName) -> Option<Kind> {
    let properties = package::find(name.package.as_str())?.properties;
    properties.iter().find(|property| name.item == property.name).map(|property| property.kind)
}

/// The type of a statistic's value.
pub(super) fn statistic_type(name: &PkgdName) -> Type {
    let known = package::find(name.package.as_str()).map(|package| package.statistics).unwrap_or_default();
    match known.iter().find(|statistic| name.item == statistic.name) {
        None => Type::Unknown,
        Some(statistic) if statistic.fraction => Type::Fraction,
        Some(_) => Type::Whole,
    }
}

/// The parameters that an event or signal may have.
#[derive(Clone, Copy)]
pub(super) struct Parameters([&'static [Parameter]; 2]);

impl Parameters {
    pub(super) fn of_event(name: &PkgdName) -> Self {
        let events = package::find(name.package.as_str()).map(|package| package.events).unwrap_or_default();
        let event = events.iter().find(|event| name.item == event.name);
        Parameters(event.map_or([&[], &[]], |event| [event.requested, event.observed]))
    }

    pub(super) fn of_signal(name: &PkgdName) -> Self {
        let signals = package::find(name.package.as_str()).map(|package| package.signals).unwrap_or_default();
        let signal = signals.iter().find(|signal| name.item == signal.name);
        Parameters(signal.map_or([&[], &[]], |signal| [signal.parameters, &[]]))
    }

    fn find(self, matches: impl Fn(&Parameter) -> bool) -> Option<&'static Parameter> {
        self.0.into_iter().flatten().find(|parameter| matches(parameter))
    }

    /// The name and type of a parameter by its number.
    pub(super) fn by_number(self, number: u16) -> (Name, Option<Kind>) {
        match self.find(|parameter| parameter.id == Some(number)) {
            Some(parameter) => (parameter.name.into(), Some(parameter.kind)),
            None => (unnamed(number), None),
        }
    }

    /// The number and type of a parameter by its name.
    pub(super) fn by_name(self, name: &Name) -> Option<(u16, Option<Kind>)> {
        match self.find(|parameter| *name == parameter.name) {
            Some(parameter) => Some((parameter.id?, Some(parameter.kind))),
            None => Some((unnamed_number(name)?, None)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_the_registry_has_a_number_of_its_own() {
        for package in registry::PACKAGES {
            let name = Name::new(package.name);
            assert_eq!(package_number(&name), Some(package.id));
            let items = package.properties.iter().map(|found| (Item::Property, found.name));
            let items = items.chain(package.events.iter().map(|found| (Item::Event, found.name)));
            let items = items.chain(package.signals.iter().map(|found| (Item::Signal, found.name)));
            let items = items.chain(package.statistics.iter().map(|found| (Item::Statistic, found.name)));
            for (item, known) in items {
                let name = PkgdName::new(package.name, known);
                let octets = pkgd_octets(item, &name).unwrap_or_else(|| panic!("{name} has no number"));
                assert_eq!(pkgd_name(item, octets), name);
            }
            let owners = package.events.iter().map(|event| [event.requested, event.observed]);
            for tables in owners.chain(package.signals.iter().map(|signal| [signal.parameters, &[]])) {
                for parameter in tables.into_iter().flatten() {
                    let id = parameter.id.unwrap_or_else(|| panic!("{} {}", package.name, parameter.name));
                    assert_eq!(Parameters(tables).by_number(id).0, parameter.name);
                }
            }
        }
    }

    #[test]
    fn numbers_without_a_name_are_kept() {
        for octets in
            [[0x00, 0xab, 0x00, 0x01], [0x00, 0x8c, 0x12, 0x34], [0x00, 0x0b, 0xff, 0xff], [0xff; 4]]
        {
            let name = pkgd_name(Item::Property, octets);
            assert_eq!(pkgd_octets(Item::Property, &name), Some(octets), "{name}");
        }
        assert_eq!(pkgd_name(Item::Signal, [0x00, 0xab, 0x00, 0x01]).to_string(), "x00ab/x0001");
        assert_eq!(pkgd_octets(Item::Event, &PkgdName::new("nosuch", "x0001")), None);
        assert_eq!(pkgd_octets(Item::Event, &PkgdName::new("g", "nosuch")), None);
    }
}
