//! The properties of ROOT (H.248.1 E.2): limits of the gateway, and the timers of transactions.
//!
//! Those that the controller may write rule how long a transaction may take and how often `Pending` may be said (section 8.2.3).

use crate::ast::{ErrorDescriptor, ParmValue, PkgdName, PropertyParm, Value};
use crate::errors::ErrorCode;
use crate::package::{self, Place};
use std::time::Duration;

/// The properties as they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RootProperties {
    /// How many contexts there may be.
    pub max_contexts: u32,
    /// How many terminations one may hold.
    pub max_terminations_per_context: u32,
    /// Within which the controller expects an answer from us.
    pub normal_mg_execution_ms: u32,
    /// Within which we expect an answer from the controller.
    pub normal_mgc_execution_ms: u32,
    /// After which we say `Pending`.
    pub mg_provisional_ms: u32,
    /// After which the controller says `Pending`.
    pub mgc_provisional_ms: u32,
    /// How often the controller may say `Pending`.
    pub mgc_pending_limit: u32,
    /// How often we may say `Pending`.
    pub mg_pending_limit: u32,
}

impl Default for RootProperties {
    fn default() -> Self {
        Self {
            max_contexts: 1_000_000,
            max_terminations_per_context: 2,
            normal_mg_execution_ms: 500,
            normal_mgc_execution_ms: 500,
            mg_provisional_ms: 1000,
            mgc_provisional_ms: 1000,
            mgc_pending_limit: 30,
            mg_pending_limit: 10,
        }
    }
}

/// The least provisional timer that is obeyed: below it `Pending` would be a flood.
const MIN_PROVISIONAL_MS: u32 = 50;

impl RootProperties {
    fn field(&mut self, item: &str) -> Option<&mut u32> {
        Some(match item {
            "maxNumberOfContexts" => &mut self.max_contexts,
            "maxTerminationsPerContext" => &mut self.max_terminations_per_context,
            "normalMGExecutionTime" => &mut self.normal_mg_execution_ms,
            "normalMGCExecutionTime" => &mut self.normal_mgc_execution_ms,
            "MGProvisionalResponseTimerValue" => &mut self.mg_provisional_ms,
            "MGCProvisionalResponseTimerValue" => &mut self.mgc_provisional_ms,
            "MGCOriginatedPendingLimit" => &mut self.mgc_pending_limit,
            "MGOriginatedPendingLimit" => &mut self.mg_pending_limit,
            _ => return None,
        })
    }

    /// One property; `None` when there is none of that name.
    pub fn get(mut self, item: &str) -> Option<PropertyParm> {
        let known =
            package::registry::ROOT.properties.iter().find(|known| known.name.eq_ignore_ascii_case(item))?;
        let value = u64::from(*self.field(known.name)?);
        Some(PropertyParm { name: PkgdName::new("root", known.name), value: Value::from(value).into() })
    }

    /// All properties.
    pub fn all(self) -> Vec<PropertyParm> {
        package::registry::ROOT.properties.iter().filter_map(|property| self.get(property.name)).collect()
    }

    /// Sets one property.
    ///
    /// # Errors
    /// 440, 450, 455 for one that belongs to streams, 534 for one that is only read, 449 for a bad value.
    pub fn set(&mut self, name: &PkgdName, value: &ParmValue) -> Result<(), ErrorDescriptor> {
        let known = package::property(name)?;
        if known.place != Place::Root {
            return Err(ErrorDescriptor::with_text(ErrorCode::PROPERTY_ILLEGAL_HERE, name.to_string()));
        }
        if !known.writable {
            return Err(ErrorDescriptor::with_text(ErrorCode::ILLEGAL_WRITE_OR_READ, name.to_string()));
        }
        let number = value.single().and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
        let field = self.field(known.name);
        match (field, number) {
            (Some(field), Some(number)) => *field = number,
            _ => return Err(package::unsupported(name, value)),
        }
        Ok(())
    }

    /// After which we say `Pending`.
    pub fn provisional_timer(&self) -> Duration {
        Duration::from_millis(u64::from(self.mg_provisional_ms.max(MIN_PROVISIONAL_MS)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writable_properties_are_set_and_the_others_refused() {
        let mut root = RootProperties::default();
        let set = |root: &mut RootProperties, item: &str, value: &str| {
            root.set(&PkgdName::new("root", item), &Value::token(value).into()).map_err(|error| error.code.0)
        };
        assert_eq!(set(&mut root, "mgoriginatedpendinglimit", "3"), Ok(()));
        assert_eq!(root.mg_pending_limit, 3);
        assert_eq!(set(&mut root, "maxNumberOfContexts", "3"), Err(534));
        assert_eq!(set(&mut root, "nosuch", "3"), Err(450));
        assert_eq!(set(&mut root, "normalMGExecutionTime", "soon"), Err(449));
        assert_eq!(root.all().len(), 8);
        assert_eq!(
            root.set(&PkgdName::new("gm", "saf"), &Value::boolean(true).into()).map_err(|e| e.code.0),
            Err(455)
        );
    }
}
