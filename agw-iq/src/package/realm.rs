//! `ipdc/realm` (H.248.41): the address pool of a stream, and the interface field of `ip/<group>/<interface>/<id>` that stands for it.
//!
//! The interface that a termination is named with is its realm. A realm's name may hold characters that a TerminationID may not, so
//! such a name is written as `r` and its place in the configuration.

use agw_core::model::RealmName;

/// The longest realm name that an interface field repeats: the whole identifier has 64 characters.
const MAX_INTERFACE_CHARS: usize = 32;

/// The realms that the gateway has, in the order of the configuration.
#[derive(Clone, Debug, Default)]
pub struct Realms {
    names: Vec<RealmName>,
    default: Option<RealmName>,
}

impl Realms {
    /// These realms, none of which serves streams that name no realm.
    pub fn new(names: Vec<RealmName>) -> Self {
        Self { names, default: None }
    }

    /// The same, with the one that serves streams that name no realm.
    #[must_use]
    pub fn with_default(self, default: Option<RealmName>) -> Self {
        Self { default, ..self }
    }

    /// The realm of a stream that names none.
    pub fn default_realm(&self) -> Option<&RealmName> {
        self.default.as_ref()
    }

    /// Their names.
    pub fn iter(&self) -> impl Iterator<Item = &RealmName> {
        self.names.iter()
    }

    /// The realm of this name: exactly so spelled, else but for case.
    pub fn named(&self, name: &str) -> Option<&RealmName> {
        let exact = self.names.iter().find(|realm| realm.as_str() == name);
        exact.or_else(|| self.names.iter().find(|realm| realm.as_str().eq_ignore_ascii_case(name)))
    }

    /// The realm that an interface field stands for.
    pub fn of_interface(&self, interface: &str) -> Option<&RealmName> {
        self.names.iter().find(|realm| self.interface(realm).eq_ignore_ascii_case(interface))
    }

    /// The interface field that stands for a realm.
    pub fn interface(&self, realm: &RealmName) -> String {
        let name = realm.as_str();
        if name.len() <= MAX_INTERFACE_CHARS && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return name.to_owned();
        }
        let at = self.names.iter().position(|known| known == realm).unwrap_or(self.names.len());
        format!("r{at}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn realms(names: &[&str]) -> Realms {
        Realms::new(names.iter().filter_map(|name| RealmName::new(name)).collect())
    }

    #[test]
    fn a_realm_is_its_own_interface_where_its_name_allows() {
        let realms = realms(&["access1", "ims.example.net"]);
        let odd = realms.named("ims.example.net").expect("configured").clone();
        assert_eq!(realms.interface(&odd), "r1");
        assert_eq!(realms.of_interface("r1"), Some(&odd));
        assert_eq!(realms.of_interface("ACCESS1").map(RealmName::as_str), Some("access1"));
        assert_eq!(realms.of_interface("access2"), None);
    }
}
