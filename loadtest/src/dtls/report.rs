//! What became of the handshakes of a `dtls` run.

use crate::measure::QuantilesUs;
use serde::Serialize;
use std::fmt;

/// Handshakes in numbers. The names of the keys are a promise to scripts.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct DtlsReport {
    /// Handshakes that were to begin per second.
    pub asked_per_second: f64,
    /// Handshakes that began per second.
    pub offered_per_second: f64,
    /// Those that ended well, with the fingerprint that was told.
    pub handshakes: u64,
    /// Those that did not.
    pub failed: u64,
    /// Those that ended well, per second, from the first beginning to the last end.
    pub per_second: f64,
    /// From the first ClientHello to the keys.
    pub handshake_us: QuantilesUs,
    /// How much later than planned they began, at the 99th percentile.
    pub late_us_p99: f64,
    /// CPU time of the gateway's process for each while they went on, in microseconds, where the process is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway_us_per_handshake: Option<f64>,
    /// What failed first, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_failure: Option<String>,
}

impl fmt::Display for DtlsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { handshakes, failed, per_second, asked_per_second, offered_per_second, .. } = self;
        writeln!(
            f,
            "  handshakes {handshakes} ({per_second:.0}/s; {offered_per_second:.0}/s of {asked_per_second:.0}/s begun), {failed} failed, \
             p50 {:.0} p99 {:.0} max {:.0} us",
            self.handshake_us.p50, self.handshake_us.p99, self.handshake_us.max
        )?;
        if let Some(us) = self.gateway_us_per_handshake {
            writeln!(f, "  processor  {us:.0} us of the gateway's process for each handshake")?;
        }
        if let Some(reason) = &self.first_failure {
            writeln!(f, "  first failure: {reason}")?;
        }
        Ok(())
    }
}
