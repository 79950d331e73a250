//! Names and values of the registry in place of random ones, picked by what stood there.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::super::*;
use crate::package::{Kind, Parameter, registry};

/// A number made of what stands there, so that a smaller tree has smaller numbers or at least the same.
pub(super) fn seed(of: &(impl Hash + ?Sized)) -> usize {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish() as usize
}

/// A number without a name.
pub(super) fn unnamed(name: &Name) -> Name {
    Name::new(format!("x7{:03x}", seed(name) & 0xfff))
}

pub(super) fn package_of(name: &Name) -> Name {
    let seed = seed(name);
    if seed.is_multiple_of(5) {
        unnamed(name)
    } else {
        registry::PACKAGES[seed % registry::PACKAGES.len()].name.into()
    }
}

/// One of all items in place of a name; wildcards stay, and now and then the number is one that has no name.
pub(super) fn pick<T: Copy>(
    name: &mut PkgdName,
    all: &[(&'static str, &'static str, T)],
) -> Option<(&'static str, &'static str, T)> {
    let seed = seed(name);
    if name.package.is_all() {
        return None;
    }
    if name.item.is_all() {
        name.package = package_of(&name.package);
        return None;
    }
    let picked = all[seed % all.len()];
    match seed / 11 % 8 {
        // Numbers that no registry has.
        0 => *name = PkgdName::new("x00fe", "x0001"),
        1 => *name = PkgdName::new(picked.0, "x0ffe"),
        _ => {
            *name = PkgdName::new(picked.0, picked.1);
            return Some(picked);
        }
    }
    None
}

pub(super) fn property_of(name: &PkgdName) -> (PkgdName, Option<Kind>) {
    let all: Vec<_> = registry::PACKAGES
        .iter()
        .flat_map(|package| {
            package.properties.iter().map(|property| (package.name, property.name, property.kind))
        })
        .collect();
    let mut name = name.clone();
    let kind = pick(&mut name, &all).map(|(_, _, kind)| kind);
    (name, kind)
}

pub(super) fn property(property: &mut PropertyParm) {
    let (name, kind) = property_of(&property.name);
    property.name = name;
    parm_value(&mut property.value, kind);
}

/// Picks an event and tells its parameters, each number once.
pub(super) fn event_name(name: &mut PkgdName) -> Vec<Parameter> {
    let all: Vec<_> = registry::PACKAGES
        .iter()
        .flat_map(|package| package.events.iter().map(|event| (package.name, event.name, event)))
        .collect();
    let event = pick(name, &all).map(|(_, _, event)| event);
    let tables = event.map_or([&[][..], &[]], |event| [event.requested, event.observed]);
    let mut parameters: Vec<Parameter> = Vec::new();
    for parameter in tables.into_iter().flatten() {
        if !parameters.iter().any(|known| known.name == parameter.name) {
            parameters.push(*parameter);
        }
    }
    parameters
}

pub(super) fn parms(parms: &mut [Parm], table: &[Parameter]) {
    for parm in parms {
        let seed = seed(&parm.name);
        let picked = (!table.is_empty() && seed % 4 != 0).then(|| table[seed % table.len()]);
        parm.name = picked.map_or_else(|| "x0ffd".into(), |parameter| parameter.name.into());
        parm_value(&mut parm.value, picked.map(|parameter| parameter.kind));
    }
}

pub(super) fn parm_value(value: &mut ParmValue, kind: Option<Kind>) {
    match value {
        ParmValue::One(found) if found.is_choose() => {}
        ParmValue::One(found) | ParmValue::Relation(_, found) => *found = typed(found, kind),
        ParmValue::All(all) => all.iter_mut().for_each(|found| *found = typed(found, kind)),
        ParmValue::Any(all) => {
            all.iter_mut().for_each(|found| *found = typed(found, kind));
            // One alternative is a value.
            if let [only] = all.as_slice() {
                *value = ParmValue::One(only.clone());
            }
        }
        ParmValue::Range(low, high) => {
            *low = typed(low, kind);
            *high = typed(high, kind);
        }
    }
}

/// A value of this type, in its one spelling.
pub(super) fn typed(value: &Value, kind: Option<Kind>) -> Value {
    let seed = seed(value.as_str());
    match kind {
        Some(Kind::Boolean) => Value::boolean(seed.is_multiple_of(2)),
        Some(Kind::Integer { min, max }) => (min + seed as u64 % (max - min).saturating_add(1).max(1)).into(),
        Some(Kind::Enumeration(words)) => Value::token(words[seed % words.len()].0),
        Some(Kind::Octet) => Value::token(format!("0x{:02X}", seed % 64)),
        Some(Kind::Octets(_)) => Value::token(format!("{:02X}", seed % 256)),
        Some(Kind::Text(_)) => Value::quoted(value.as_str()),
        None => match seed % 4 {
            0 => Value::token((seed as i64).to_string()),
            1 => Value::boolean(seed % 8 == 1),
            2 => Value::token(format!("0x0a01{:02x}", seed / 4 % 256)),
            _ => Value::quoted(value.as_str()),
        },
    }
}

pub(super) fn statistic(statistic: &mut Statistic) {
    let all: Vec<_> = registry::PACKAGES
        .iter()
        .flat_map(|package| package.statistics.iter().map(|found| (package.name, found.name, found.fraction)))
        .collect();
    let picked = pick(&mut statistic.name, &all).map(|(_, _, fraction)| fraction);
    for value in &mut statistic.value {
        let seed = seed(value.as_str());
        *value = match picked {
            Some(true) => Value::token(format!("{}.{}", seed / 10 % 100, seed % 9 + 1)),
            Some(false) => (seed as u64).into(),
            None => typed(value, None),
        };
    }
}

pub(super) fn statistic_name(name: &PkgdName) -> PkgdName {
    let mut found = Statistic { name: name.clone(), value: Vec::new() };
    statistic(&mut found);
    found.name
}

pub(super) fn signal(signal: &mut Signal) {
    let all: Vec<_> = registry::PACKAGES
        .iter()
        .flat_map(|package| {
            package.signals.iter().map(|signal| (package.name, signal.name, signal.parameters))
        })
        .collect();
    let picked = pick(&mut signal.name, &all);
    parms(&mut signal.parms, &picked.map(|(_, _, parameters)| parameters.to_vec()).unwrap_or_default());
}
