//! The lines of a description that speak of a connection: `a=setup` and `a=connection` (RFC 4145), `a=fingerprint` (RFC 8122), `a=path`
//! (RFC 4975 section 8.2), `a=tls-id` (RFC 8842 section 4) and the provisional `a=crypto` of TLS-PSK. Each stands in the media description, or else in that of the session.
//! What is no value of its line is refused with that value, and never with a key (SRTP-12).

use super::super::media::unsupported;
use crate::ast::ErrorDescriptor;
use crate::sdp::{Attribute, Group, Media};
use agw_core::model::{
    Application, Fingerprint, HashFunction, LocalStream, MAX_FINGERPRINTS, MAX_MSRP_PATH_BYTES, PreSharedKey,
    TcpSetup, Transport,
};

/// What one alternative says of a connection.
#[derive(Debug, Default, PartialEq)]
pub(in super::super) struct ConnectionTerms {
    pub(super) setup: Option<TcpSetup>,
    /// `a=connection`: `true` for `new`.
    pub(super) new: Option<bool>,
    pub(super) fingerprints: Fingerprints,
    pub(super) path: Option<Path>,
    /// `a=tls-id`, for DTLS.
    pub(super) tls_id: Option<Box<str>>,
    pub(in super::super) psk: Option<PreSharedKey>,
}

/// The `a=fingerprint` lines of one description.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Fingerprints {
    /// Ours are asked for, with these hash functions.
    pub(super) asked: Vec<HashFunction>,
    pub(super) said: Vec<Fingerprint>,
    /// There are some of hash functions that are not known here.
    pub(super) unknown: bool,
}

/// `a=path`.
#[derive(Debug, PartialEq)]
pub(super) enum Path {
    Asked,
    Said(Box<str>),
}

impl ConnectionTerms {
    /// Reads what stands in the media description, or else in that of the session.
    ///
    /// # Errors
    /// 449 with the value that is none.
    pub(in super::super) fn read(
        group: &Group,
        media: &Media,
        transport: Transport,
    ) -> Result<Option<Box<Self>>, ErrorDescriptor> {
        let (tls, application) = match transport {
            Transport::Tcp { tls, application } => (tls, application),
            Transport::DtlsRtp { .. } => return Self::read_dtls(group, media).map(Some),
            Transport::Rtp { .. } | Transport::Udp => return Ok(None),
        };
        let setup = one(group, media, "setup")?.map(setup).transpose()?;
        let new = one(group, media, "connection")?.map(new_connection).transpose()?;
        let fingerprints = if tls { Fingerprints::read(group, media)? } else { Fingerprints::default() };
        let path = match application {
            Application::Msrp => one(group, media, "path")?.map(path).transpose()?,
            Application::Opaque | Application::Bfcp => None,
        };
        Ok(Some(Box::new(Self { setup, new, fingerprints, path, tls_id: None, psk: psk(media, transport)? })))
    }

    /// `a=connection` says nothing of DTLS (RFC 8842 section 3).
    fn read_dtls(group: &Group, media: &Media) -> Result<Box<Self>, ErrorDescriptor> {
        let setup = one(group, media, "setup")?.map(setup).transpose()?;
        let tls_id = one(group, media, "tls-id")?.map(tls_id).transpose()?;
        let fingerprints = Fingerprints::read(group, media)?;
        Ok(Box::new(Self { setup, fingerprints, tls_id, ..Self::default() }))
    }
}

/// Writes our fingerprints and our path where they were asked for; lines that ask for what was not given go.
pub(in super::super) fn fill(line: &Attribute, given: &LocalStream) -> Option<Attribute> {
    let value = line.value()?;
    match line.name() {
        "fingerprint" => {
            let hash = asked_hash(value)?;
            let ours = given.fingerprints.iter().find(|fingerprint| fingerprint.hash() == hash)?;
            Some(Attribute::with_value("fingerprint", ours.to_string()))
        }
        "path" => Some(Attribute::with_value("path", given.msrp_path.as_deref()?)),
        _ => None,
    }
}

/// Whether a line with `$` in Local is one that [`fill`] fills for a stream of this transport.
pub(in super::super) fn is_fillable(line: &Attribute, transport: Transport) -> bool {
    let has_path = matches!(transport, Transport::Tcp { application: Application::Msrp, .. });
    match line.name() {
        "fingerprint" => transport.has_tls() && line.value().is_some_and(|value| asked_hash(value).is_some()),
        "path" => has_path && line.value() == Some("$"),
        _ => false,
    }
}

/// The hash function of `SHA-256 $`, and of `$` alone (TLS-2: ours is SHA-256 unless asked otherwise).
fn asked_hash(value: &str) -> Option<HashFunction> {
    match value.trim().split_once(' ') {
        None => (value.trim() == "$").then_some(HashFunction::Sha256),
        Some((hash, rest)) if rest.trim() == "$" => HashFunction::from_name(hash),
        Some(_) => None,
    }
}

impl Fingerprints {
    fn read(group: &Group, media: &Media) -> Result<Self, ErrorDescriptor> {
        let mut read = Self::default();
        let own = media.attributes("fingerprint").count();
        let lines: Vec<&Attribute> = match own {
            0 => group.attributes("fingerprint").collect(),
            _ => media.attributes("fingerprint").collect(),
        };
        if lines.len() > MAX_FINGERPRINTS {
            return Err(unsupported(format!("more than {MAX_FINGERPRINTS} a=fingerprint lines")));
        }
        for value in lines.into_iter().map(|line| line.value().unwrap_or_default().trim()) {
            let wrong = || unsupported(format!("a=fingerprint:{}", shown(value)));
            if value.split(' ').any(|part| part == "$") {
                let hash = asked_hash(value).ok_or_else(wrong)?;
                if read.asked.contains(&hash) {
                    return Err(unsupported(format!("a=fingerprint:{hash} $ comes twice")));
                }
                read.asked.push(hash);
                continue;
            }
            let name = value.split(' ').next().unwrap_or_default();
            if HashFunction::from_name(name).is_none() && value.contains(' ') {
                read.unknown = true;
                continue;
            }
            let fingerprint = Fingerprint::parse(value).map_err(|_| wrong())?;
            if !read.said.contains(&fingerprint) {
                read.said.push(fingerprint);
            }
        }
        Ok(read)
    }
}

/// The value of an attribute that may stand once, in the media description or else in that of the session.
pub(in super::super) fn one<'a>(
    group: &'a Group,
    media: &'a Media,
    name: &'static str,
) -> Result<Option<&'a str>, ErrorDescriptor> {
    let mut lines = media.attributes(name);
    let (first, second) = (lines.next(), lines.next());
    if second.is_some() {
        return Err(unsupported(format!("second a={name} line")));
    }
    let line = first.or_else(|| group.attributes(name).next());
    Ok(line.map(|line| line.value().unwrap_or_default().trim()))
}

fn setup(value: &str) -> Result<TcpSetup, ErrorDescriptor> {
    let known = [
        ("active", TcpSetup::Active),
        ("passive", TcpSetup::Passive),
        ("actpass", TcpSetup::ActPass),
        ("holdconn", TcpSetup::HoldConn),
    ];
    let found = known.into_iter().find(|(word, _)| value.eq_ignore_ascii_case(word));
    found.map(|(_, setup)| setup).ok_or_else(|| unsupported(format!("a=setup:{}", shown(value))))
}

/// RFC 8842 section 4: 20 to 255 characters.
fn tls_id(value: &str) -> Result<Box<str>, ErrorDescriptor> {
    let is_right = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte);
    let is_id = (20..=255).contains(&value.len()) && value.bytes().all(is_right);
    if is_id { Ok(value.into()) } else { Err(unsupported(format!("a=tls-id:{}", shown(value)))) }
}

fn new_connection(value: &str) -> Result<bool, ErrorDescriptor> {
    match () {
        () if value.eq_ignore_ascii_case("new") => Ok(true),
        () if value.eq_ignore_ascii_case("existing") => Ok(false),
        () => Err(unsupported(format!("a=connection:{}", shown(value)))),
    }
}

/// RFC 4975 section 8.2: one or more URIs of MSRP.
fn path(value: &str) -> Result<Path, ErrorDescriptor> {
    if value == "$" {
        return Ok(Path::Asked);
    }
    if value.len() > MAX_MSRP_PATH_BYTES {
        return Err(unsupported(format!(
            "a=path:{}: longer than {MAX_MSRP_PATH_BYTES} octets",
            shown(value)
        )));
    }
    let is_uri = |uri: &str| {
        let scheme = uri.split_once("://").map(|(scheme, rest)| (scheme.to_ascii_lowercase(), rest));
        scheme.is_some_and(|(scheme, rest)| matches!(scheme.as_str(), "msrp" | "msrps") && !rest.is_empty())
    };
    let is_path =
        value.split(' ').all(is_uri) && value.bytes().all(|octet| octet.is_ascii_graphic() || octet == b' ');
    if is_path { Ok(Path::Said(value.into())) } else { Err(unsupported(format!("a=path:{}", shown(value)))) }
}

/// `a=crypto:<tag> TLS_PSK inline:<key>|<identity>` (provisional; TLS-11). The key is in no error.
fn psk(media: &Media, transport: Transport) -> Result<Option<PreSharedKey>, ErrorDescriptor> {
    let mut lines = media.crypto();
    let Some(line) = lines.next() else { return Ok(None) };
    if lines.next().is_some() {
        return Err(unsupported("second a=crypto line"));
    }
    let mut fields = line.splitn(3, ' ');
    let (tag, suite) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
    let has_tls = matches!(transport, Transport::Tcp { tls: true, .. });
    if !has_tls || !suite.eq_ignore_ascii_case("TLS_PSK") {
        return Err(unsupported(format!("a=crypto:{tag} {suite} with {}", transport.as_str())));
    }
    let key = fields.next().and_then(PreSharedKey::parse);
    key.map(Some)
        .ok_or_else(|| unsupported(format!("a=crypto:{tag} {suite}: no key and identity that can be used")))
}

/// The beginning of a value, for an error.
pub(in super::super) fn shown(value: &str) -> &str {
    const MAX_SHOWN_BYTES: usize = 96;
    &value[..value.floor_char_boundary(MAX_SHOWN_BYTES)]
}
