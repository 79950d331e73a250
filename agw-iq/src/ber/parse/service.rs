//! ServiceChange: the parameters of requests and of replies.

use super::event::timestamp;
use super::*;
use crate::package::Kind;

/// The longest `NAME/version` (Annex A.2).
const MAX_PROFILE: usize = 67;
/// The longest reason.
const REASON: Kind = Kind::Text(255);

impl Parser<'_> {
    /// `ServiceChangeParm`
    pub(super) fn service_change_request(&mut self, element: &Tlv<'_>) -> Res<ServiceChangeRequest> {
        let mut fields = element.fields()?;
        let missing =
            |what| fault_as(ErrorCode::INFORMATION_MISSING, element.at, format!("{what} is missing"));
        let Some(method) = fields.optional(0)? else { return missing("serviceChangeMethod") };
        let method = match method.enumerated()? {
            0 => ServiceChangeMethod::Failover,
            1 => ServiceChangeMethod::Forced,
            2 => ServiceChangeMethod::Graceful,
            3 => ServiceChangeMethod::Restart,
            4 => ServiceChangeMethod::Disconnected,
            5 => ServiceChangeMethod::HandOff,
            other => return unknown_value(method.at, "method", other),
        };
        let address = address(&mut fields, 1)?;
        let version = version(&mut fields, 2)?;
        let profile = profile(&mut fields, 3)?;
        let kind = Type::of(Some(REASON), self.naming.dscp);
        let reason = list_if(fields.optional(4)?, |value| read_one(kind, &value))?;
        let Some(reason) = reason.into_iter().next() else { return missing("serviceChangeReason") };
        let delay = fields.optional(5)?.map(|delay| delay.uint("delay")).transpose()?;
        let mgc_id = fields.optional(6)?.map(|mid| mid_of(&mid.choice()?, 0)).transpose()?;
        let timestamp = fields.optional(7)?.map(|time| timestamp(&time)).transpose()?;
        let extensions = match fields.optional(8)? {
            Some(data) => non_standard(&data)?.into_iter().collect(),
            None => Vec::new(),
        };
        let info = fields.optional(9)?.map(|audit| self.audit(&audit)).transpose()?;
        let incomplete = flag(&mut fields, 10)?;
        fields.end()?;
        Ok(ServiceChangeRequest {
            method,
            reason: reason.as_str().to_owned(),
            delay,
            address,
            version,
            profile,
            mgc_id,
            timestamp,
            info: info.and_then(|audit| audit.items.into_iter().next()),
            incomplete,
            extensions,
        })
    }

    /// `ServiceChangeResParm`
    pub(super) fn service_change_reply(&mut self, element: &Tlv<'_>) -> Res<ServiceChangeResult> {
        let mut fields = element.fields()?;
        let mgc_id = fields.optional(0)?.map(|mid| mid_of(&mid.choice()?, 0)).transpose()?;
        let reply = ServiceChangeReply {
            mgc_id,
            address: address(&mut fields, 1)?,
            version: version(&mut fields, 2)?,
            profile: profile(&mut fields, 3)?,
            timestamp: fields.optional(4)?.map(|time| timestamp(&time)).transpose()?,
        };
        fields.end()?;
        Ok(if reply == ServiceChangeReply::default() {
            ServiceChangeResult::Accepted
        } else {
            ServiceChangeResult::Parms(Box::new(reply))
        })
    }
}

fn address(fields: &mut Fields<'_>, number: u32) -> Res<Option<ServiceChangeAddress>> {
    let Some(address) = fields.optional(number)? else { return Ok(None) };
    let chosen = address.choice()?;
    Ok(Some(match chosen.number {
        0 => ServiceChangeAddress::Port(chosen.uint("port")?),
        _ => ServiceChangeAddress::Mid(mid_of(&chosen, 1)?),
    }))
}

fn version(fields: &mut Fields<'_>, number: u32) -> Res<Option<u8>> {
    let Some(version) = fields.optional(number)? else { return Ok(None) };
    match version.uint("version")? {
        number @ 0..=99 => Ok(Some(number)),
        other => unknown_value(version.at, "version", other.into()),
    }
}

/// `NAME/version`
fn profile(fields: &mut Fields<'_>, number: u32) -> Res<Option<Profile>> {
    let Some(profile) = fields.optional(number)? else { return Ok(None) };
    let mut fields = profile.fields()?;
    let text = fields.required(0, "profileName")?.text("a profile")?;
    fields.end()?;
    let good = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    let digits = |version: &str| {
        let plain = matches!(version.len(), 1 | 2) && version.bytes().all(|b| b.is_ascii_digit());
        version.parse().ok().filter(|_| plain)
    };
    let parts = text.split_once('/').filter(|(name, _)| text.len() <= MAX_PROFILE && good(name));
    match parts.and_then(|(name, version)| Some(Profile { name: name.into(), version: digits(version)? })) {
        Some(profile) => Ok(Some(profile)),
        None => fault(profile.at, "a profile is NAME/version"),
    }
}

/// `NonStandardData`: an experimental one is an extension, others mean nothing here.
fn non_standard(element: &Tlv<'_>) -> Res<Option<Parm>> {
    let mut fields = element.fields()?;
    let identifier = fields.required(0, "nonStandardIdentifier")?.choice()?;
    let data = fields.required(1, "data")?.octets()?;
    fields.end()?;
    if identifier.number != 2 {
        return Ok(None);
    }
    let name = identifier.text("an experimental identifier")?;
    let name = name.trim_end();
    let rest = name.strip_prefix(['X', 'x']).and_then(|rest| rest.strip_prefix(['-', '+']));
    let good = rest
        .is_some_and(|rest| (1..=6).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_alphanumeric()));
    Ok(good.then(|| Parm { name: name.into(), value: Type::Unknown.read(&data).into() }))
}
