//! `agw-loadtest dtls`: calls of DTLS-SRTP are set up over Iq, their phones shake hands one after the other at a rate, and then media flow with the keys
//! that came of it, judged packet by packet as those of `agw-loadtest rtp` are.
//!
//! The ends speak DTLS with the gateway's own library: whether it is DTLS is for foreign peers to say; here is counted how much of it there is.
//! There is no ICE, so the gateway believes the address that was signalled.

pub mod report;
mod storm;

use crate::control::iq::Iq;
use crate::control::{Dialer, Protocol};
use crate::report::{MIN_OFFERED_SHARE, Report, Second};
use crate::run::{RtpRun, RunError};
use agw_dtls::Profile;
use agw_tls::{HashFunction, Identity, TlsFailure, identity::IdentityError};
pub(crate) use storm::Storm;

/// The most calls of one run: sessions that are kept.
pub const MAX_CALLS: u32 = 16_000;

/// What `dtls` is to do.
#[derive(Debug, Clone)]
pub struct DtlsRun {
    /// The calls and their media. The suite is that of the handshake.
    pub media: RtpRun,
    /// Handshakes that begin per second.
    pub per_second: f64,
}

/// Why the ends have no DTLS.
#[derive(Debug, thiserror::Error)]
pub enum DtlsError {
    /// No certificate.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The library refuses it.
    #[error("DTLS: {0}")]
    Tls(#[from] TlsFailure),
    /// The library refuses what it shall do.
    #[error("DTLS: {0}")]
    Settings(#[from] agw_dtls::SettingsError),
    /// A call that was not planned.
    #[error("call {0} has no socket")]
    Call(u32),
}

impl DtlsRun {
    /// Runs; `live` is shown every second of media.
    ///
    /// # Errors
    /// When calls could not be set up or media not be sent. Handshakes that fail are no error but a result.
    pub fn run(&self, live: &mut dyn FnMut(&Second)) -> Result<Report, RunError> {
        let gateway = &self.media.gateway;
        if gateway.protocol != Protocol::Iq {
            return Err(RunError::OnlyIq);
        }
        let identity = Identity::generate().map_err(DtlsError::from)?;
        let profile = Profile::new(agw_dtls::Settings::default()).map_err(DtlsError::from)?;
        let fingerprint = identity.fingerprint(HashFunction::Sha256).to_string();
        let mut storm = Storm::new(identity, profile, self.per_second, self.media.pid);
        let control = Box::new(Iq::for_handshakes(gateway.address, fingerprint));
        let dialer = Dialer::with(control, gateway.address)?;
        let mut report = self.media.run_with(dialer, Some(&mut storm), live)?;
        let dtls = storm.report();
        report.passed &= dtls.failed == 0 && dtls.handshakes == u64::from(self.media.calls);
        if dtls.offered_per_second < self.per_second * MIN_OFFERED_SHARE {
            let offered = dtls.offered_per_second;
            report.invalidate(&format!("only {offered:.0} of {} handshakes/s were begun", self.per_second));
        }
        report.asked.direction = format!("dtls {}", report.asked.direction);
        report.asked.suite = Some("DTLS-SRTP".to_owned());
        report.dtls = Some(dtls);
        Ok(report)
    }
}
