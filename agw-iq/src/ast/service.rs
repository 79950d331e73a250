//! ServiceChange (H.248.1 sections 7.1.13 and 7.2.8).

use super::*;

/// What a ServiceChange request says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceChangeRequest {
    /// What happens.
    pub method: ServiceChangeMethod,
    /// Why: a decimal code, then a space and words (`901 Cold Boot`).
    pub reason: String,
    /// In seconds.
    pub delay: Option<u32>,
    /// Where to send from now on.
    pub address: Option<ServiceChangeAddress>,
    /// The protocol version offered.
    pub version: Option<u8>,
    /// The profile offered.
    pub profile: Option<Profile>,
    /// The controller to try instead.
    pub mgc_id: Option<Mid>,
    /// When.
    pub timestamp: Option<TimeStamp>,
    /// Version 2: what the change concerns; an Audit item.
    pub info: Option<AuditItem>,
    /// Version 3: the reply need not be complete.
    pub incomplete: bool,
    /// Extensions, `X-` or `X+`.
    pub extensions: Vec<Parm>,
}

impl ServiceChangeRequest {
    /// A request with only what is required; the reason is the code with its registered wording.
    pub fn new(method: ServiceChangeMethod, reason: ErrorCode) -> Self {
        ServiceChangeRequest {
            method,
            reason: reason.to_string(),
            delay: None,
            address: None,
            version: None,
            profile: None,
            mgc_id: None,
            timestamp: None,
            info: None,
            incomplete: false,
            extensions: Vec::new(),
        }
    }

    /// The code at the front of the reason.
    pub fn reason_code(&self) -> Option<ErrorCode> {
        let digits = self.reason.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok().map(ErrorCode)
    }
}

/// The methods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceChangeMethod {
    /// Out of service after the delay; existing calls may end.
    Graceful,
    /// Out of service at once.
    Forced,
    /// Back in service.
    Restart,
    /// Contact was lost and is back; nothing was lost.
    Disconnected,
    /// The controller hands over, or a gateway arrives from another controller.
    HandOff,
    /// Another gateway takes over.
    Failover,
    /// `X-` or `X+` and up to six letters or digits.
    Extension(Name),
}

/// Where to send further messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceChangeAddress {
    /// The same address, this port.
    Port(u16),
    /// Another address.
    Mid(Mid),
}

/// A profile and its version, `NAME/1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// 1 to 64 characters.
    pub name: Name,
    /// 0 to 99.
    pub version: u8,
}

/// The answer to ServiceChange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceChangeResult {
    /// Accepted, nothing more to say.
    Accepted,
    /// Refused.
    Error(ErrorDescriptor),
    /// Accepted, with parameters.
    Parms(Box<ServiceChangeReply>),
}

/// The parameters of an accepted ServiceChange; at least one is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceChangeReply {
    /// Where to send from now on.
    pub address: Option<ServiceChangeAddress>,
    /// The controller to try instead.
    pub mgc_id: Option<Mid>,
    /// The protocol version chosen.
    pub version: Option<u8>,
    /// The profile chosen.
    pub profile: Option<Profile>,
    /// When.
    pub timestamp: Option<TimeStamp>,
}
