//! `ipra` (H.248.41): which realms can be used now, as a property of ROOT and as an event when that changes. All realms that there are,
//! usable or not, are told by AuditCapability of `ipdc/realm`.

use crate::ast::{EventSpec, Name, Parm, ParmValue, PkgdName, PropertyParm, Value};
use agw_core::model::RealmName;

/// `ipra/ar`; with no realm available, an empty string.
pub fn available<'a>(realms: impl Iterator<Item = &'a RealmName>) -> PropertyParm {
    let names: Vec<_> = realms.map(|realm| Value::quoted(realm.as_str())).collect();
    let value = if names.is_empty() { Value::quoted("").into() } else { ParmValue::All(names) };
    PropertyParm { name: PkgdName::new("ipra", "ar"), value }
}

/// `ipra/arc`: a realm is available now (`nar`), or is not any more (`nur`).
pub fn changed(realm: &RealmName, is_available: bool) -> EventSpec {
    let list = if is_available { "nar" } else { "nur" };
    let value = ParmValue::All(vec![Value::quoted(realm.as_str())]);
    EventSpec {
        name: PkgdName::new("ipra", "arc"),
        stream: None,
        parms: vec![Parm { name: Name::new(list), value }],
    }
}
