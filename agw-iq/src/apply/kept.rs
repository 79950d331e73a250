//! What a controller keeps with us: properties that mean nothing to the gateway (`mgcinfo/db`, H.248.45), of a termination or of ROOT.
//! They are bounded by their type, answered in audits as they were set, and go with their termination. Those of a stream are
//! kept with its other properties.

use crate::ast::{ErrorDescriptor, PkgdName, PropertyParm};
use crate::errors::ErrorCode;
use crate::package::{self, Place};

/// The properties of one termination or of ROOT.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct KeptProperties(Vec<PropertyParm>);

impl KeptProperties {
    /// Whether a property is one of those that are kept for the controller.
    ///
    /// # Errors
    /// 440, 445, 450.
    pub(super) fn takes(name: &PkgdName) -> Result<bool, ErrorDescriptor> {
        Ok(package::property(name)?.place == Place::Anywhere)
    }

    /// Takes the properties of a TerminationState in.
    ///
    /// # Errors
    /// 440, 445, 449, 450, 455 for one that does not belong there, 456 for one that comes twice.
    pub(super) fn set(&mut self, given: &[PropertyParm]) -> Result<(), ErrorDescriptor> {
        for (at, parm) in given.iter().enumerate() {
            if given[..at].iter().any(|earlier| earlier.name == parm.name) {
                return Err(ErrorDescriptor::with_text(ErrorCode::PROPERTY_TWICE, parm.name.to_string()));
            }
            if !Self::takes(&parm.name)? {
                return Err(ErrorDescriptor::with_text(
                    ErrorCode::PROPERTY_ILLEGAL_HERE,
                    parm.name.to_string(),
                ));
            }
            let known = package::property(&parm.name)?;
            if !parm.value.single().is_some_and(|value| known.kind.admits(value)) {
                return Err(package::unsupported(&parm.name, &parm.value));
            }
            match self.0.iter_mut().find(|held| held.name == parm.name) {
                Some(held) => *held = parm.clone(),
                None => self.0.push(parm.clone()),
            }
        }
        Ok(())
    }

    /// Those that a name or a wildcard takes in.
    pub(super) fn named(&self, name: &PkgdName) -> Vec<PropertyParm> {
        let named = |held: &&PropertyParm| {
            (name.package.is_all() || name.package == held.name.package)
                && (name.item.is_all() || name.item == held.name.item)
        };
        self.0.iter().filter(named).cloned().collect()
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<PropertyParm> {
        self.0.clone()
    }
}
