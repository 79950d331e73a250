//! `it/ito` (H.248.14): the controller was not heard for a time, so it is asked for a sign of life.

use crate::ast::{EventSpec, PkgdName, RequestedEvent, Value};
use std::time::Duration;

/// The unit of `mit`.
const UNIT: Duration = Duration::from_millis(10);
/// The least period that is obeyed: below it the Notify would be a flood.
pub const MIN_PERIOD: Duration = Duration::from_millis(100);

/// Whether this is the inactivity event.
pub fn is_timeout(name: &PkgdName) -> bool {
    name.is("it", "ito")
}

/// For how long nothing may be heard. The registry has checked that `mit` is there.
pub fn period(event: &RequestedEvent) -> Option<Duration> {
    let units = event.parms.iter().find(|parm| parm.name == "mit")?.value.single().and_then(Value::as_u64)?;
    Some(UNIT.saturating_mul(u32::try_from(units).unwrap_or(u32::MAX)).max(MIN_PERIOD))
}

/// The event as it is told; it has no parameters.
pub fn timed_out() -> EventSpec {
    EventSpec { name: PkgdName::new("it", "ito"), stream: None, parms: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ast::{Name, Parm};

    #[test]
    fn the_period_counts_hundredths_of_a_second_and_is_not_a_flood() {
        let event = |units: &str| {
            let parm = Parm { name: Name::new("mit"), value: Value::token(units).into() };
            RequestedEvent::new(PkgdName::new("it", "ito"), vec![parm])
        };
        assert_eq!(period(&event("3000")), Some(Duration::from_secs(30)));
        assert_eq!(period(&event("1")), Some(MIN_PERIOD));
        assert_eq!(period(&RequestedEvent::new(PkgdName::new("it", "ito"), Vec::new())), None);
    }
}
