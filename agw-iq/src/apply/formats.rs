//! What descriptions say of the packets of an RTP stream: formats (`a=rtpmap`, `a=fmtp`), header extensions (`a=extmap`, RFC 8285), and its part
//! in a bundle (`a=group:BUNDLE`, `a=mid`, `a=ssrc`; RFC 8843). The gateway looks into no codec: it needs the names to renumber packets
//! where the sides of a context have chosen different ones, and to tell apart the streams that share a port.

use super::media::unsupported;
use crate::ast::ErrorDescriptor;
use crate::sdp::{Attribute, Group, Media};
use agw_core::model::{
    BundleMember, Format, HeaderExtension, MAX_EXTENSIONS, MAX_FORMATS, MAX_MID_BYTES, MAX_SIGNALLED_SSRCS,
    RtpNames, RtpSpec, StreamSpec, Transport,
};

/// The most tags of one group; more are refused.
const MAX_BUNDLED: usize = 32;

/// What one alternative says of its packets.
#[derive(Debug, Default, PartialEq)]
pub(super) struct RtpTerms {
    names: RtpNames,
    group: Vec<Box<str>>,
    mid: Option<Box<str>>,
    ssrcs: Vec<u32>,
}

/// What both sides have said.
#[derive(Clone, Debug, Default)]
pub(super) struct RtpSides {
    local: RtpNames,
    remote: RtpNames,
    group: Vec<Box<str>>,
    mid: Option<Box<str>>,
    ssrcs: Vec<u32>,
    /// Remote is there, and does not bundle.
    is_split: bool,
}

impl RtpTerms {
    /// Reads one media description.
    ///
    /// # Errors
    /// 449 with the value that is none, or for too many of a kind.
    pub(super) fn read(group: &Group, media: &Media, transport: Transport) -> Result<Self, ErrorDescriptor> {
        if !transport.is_rtp() {
            return Ok(Self::default());
        }
        let names = RtpNames { formats: formats(media)?, extensions: extensions(group, media)? };
        let mid = media.attribute("mid").map(|line| tag(line.value().unwrap_or_default())).transpose()?;
        Ok(Self { names, group: bundle(group)?, mid, ssrcs: ssrcs(media)? })
    }
}

impl RtpSides {
    /// Takes in what Local says.
    pub(super) fn take_local(&mut self, terms: &RtpTerms) {
        self.local.clone_from(&terms.names);
        self.group.clone_from(&terms.group);
        self.mid.clone_from(&terms.mid);
    }

    /// Takes in what Remote says. A peer that does not bundle has its own port for each stream (RFC 8843 section 7.3).
    pub(super) fn take_remote(&mut self, terms: &RtpTerms) {
        self.remote.clone_from(&terms.names);
        self.ssrcs.clone_from(&terms.ssrcs);
        self.is_split = terms.group.is_empty();
    }

    /// Remote was taken away.
    pub(super) fn forget_remote(&mut self) {
        (self.remote, self.ssrcs, self.is_split) = (RtpNames::default(), Vec::new(), false);
    }

    /// What the model shall know of it.
    pub(super) fn derive(&self, spec: &mut StreamSpec) {
        let mid = self.mid.as_ref().filter(|mid| !self.is_split && self.group.contains(mid));
        let bundle = mid.map(|mid| BundleMember {
            group: self.group.clone(),
            mid: mid.clone(),
            ssrcs: self.ssrcs.clone(),
        });
        let (local, remote) = (self.local.clone(), self.remote.clone());
        let rtp = RtpSpec { local, remote, mid: self.mid.clone(), bundle };
        spec.rtp = (spec.transport.is_rtp() && rtp != RtpSpec::default()).then(|| Box::new(rtp));
    }
}

/// The formats of the m-line that have a meaning: from `a=rtpmap`, or by RFC 3551 section 6.
fn formats(media: &Media) -> Result<Vec<Format>, ErrorDescriptor> {
    let numbers = media.formats.iter().filter_map(|format| format.parse::<u8>().ok());
    let mut formats: Vec<Format> = Vec::new();
    for payload_type in numbers.filter(|payload_type| *payload_type < 128) {
        let encoding = of_format(media, "rtpmap", payload_type).or_else(|| static_encoding(payload_type));
        let Some(encoding) = encoding else { continue };
        if formats.len() == MAX_FORMATS {
            return Err(unsupported(format!("more than {MAX_FORMATS} formats")));
        }
        let parameters = of_format(media, "fmtp", payload_type).unwrap_or_default();
        formats.push(Format { payload_type, encoding: encoding.into(), parameters: parameters.into() });
    }
    Ok(formats)
}

/// The value of `a=rtpmap` or `a=fmtp` for a payload type.
fn of_format<'a>(media: &'a Media, name: &'a str, payload_type: u8) -> Option<&'a str> {
    media.attributes(name).filter_map(Attribute::value).find_map(|value| {
        let (number, rest) = value.trim().split_once(' ')?;
        (number.parse() == Ok(payload_type)).then_some(rest.trim())
    })
}

const fn static_encoding(payload_type: u8) -> Option<&'static str> {
    Some(match payload_type {
        0 => "PCMU/8000",
        3 => "GSM/8000",
        4 => "G723/8000",
        5 => "DVI4/8000",
        6 => "DVI4/16000",
        7 => "LPC/8000",
        8 => "PCMA/8000",
        9 => "G722/8000",
        10 => "L16/44100/2",
        11 => "L16/44100",
        12 => "QCELP/8000",
        13 => "CN/8000",
        14 => "MPA/90000",
        15 => "G728/8000",
        16 => "DVI4/11025",
        17 => "DVI4/22050",
        18 => "G729/8000",
        25 => "CelB/90000",
        26 => "JPEG/90000",
        28 => "nv/90000",
        31 => "H261/90000",
        32 => "MPV/90000",
        33 => "MP2T/90000",
        34 => "H263/90000",
        _ => return None,
    })
}

/// `a=extmap:ID[/DIRECTION] URI ...`, of the media description or of the whole session (RFC 8285 section 5).
fn extensions(group: &Group, media: &Media) -> Result<Vec<HeaderExtension>, ErrorDescriptor> {
    let mut extensions: Vec<HeaderExtension> = Vec::new();
    for value in media.attributes("extmap").chain(group.attributes("extmap")).filter_map(Attribute::value) {
        let wrong = || unsupported(format!("a=extmap:{}", super::connection::shown(value)));
        let (number, rest) = value.trim().split_once(' ').ok_or_else(wrong)?;
        let number = number.split('/').next().unwrap_or_default();
        let uri = rest.split_ascii_whitespace().next().ok_or_else(wrong)?;
        // Numbers beyond those of packets are for offers of more than fit (RFC 8285 section 6); nothing carries them.
        let id: u16 = number.parse().ok().filter(|id| (1..=4351).contains(id)).ok_or_else(wrong)?;
        let Ok(id) = u8::try_from(id) else { continue };
        if extensions.iter().any(|held| held.id == id) {
            return Err(unsupported(format!("a=extmap:{id} comes twice")));
        }
        if extensions.len() == MAX_EXTENSIONS {
            return Err(unsupported(format!("more than {MAX_EXTENSIONS} a=extmap lines")));
        }
        extensions.push(HeaderExtension { id, uri: uri.into() });
    }
    Ok(extensions)
}

/// The tags of `a=group:BUNDLE`; empty where there is none.
fn bundle(group: &Group) -> Result<Vec<Box<str>>, ErrorDescriptor> {
    let mut lines = group.attributes("group").filter_map(Attribute::value).filter_map(|value| {
        let (semantics, tags) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
        semantics.eq_ignore_ascii_case("BUNDLE").then_some(tags)
    });
    let (first, second) = (lines.next(), lines.next());
    if second.is_some() {
        return Err(unsupported("second a=group:BUNDLE line"));
    }
    let tags: Vec<_> =
        first.unwrap_or_default().split_ascii_whitespace().map(tag).collect::<Result<_, _>>()?;
    if tags.len() > MAX_BUNDLED {
        return Err(unsupported(format!("a=group:BUNDLE of more than {MAX_BUNDLED}")));
    }
    Ok(tags)
}

/// An identification tag (RFC 5888 section 4), no longer than packets can carry.
fn tag(value: &str) -> Result<Box<str>, ErrorDescriptor> {
    let value = value.trim();
    let is_token = |byte: u8| byte.is_ascii_graphic() && !br#"",/:;<=>?@[\]()"#.contains(&byte);
    let is_tag = (1..=MAX_MID_BYTES).contains(&value.len()) && value.bytes().all(is_token);
    if !is_tag {
        return Err(unsupported(format!("a=mid:{}", super::connection::shown(value))));
    }
    Ok(value.into())
}

/// The SSRCs of `a=ssrc` lines (RFC 5576), each once.
fn ssrcs(media: &Media) -> Result<Vec<u32>, ErrorDescriptor> {
    let mut ssrcs: Vec<u32> = Vec::new();
    for value in media.attributes("ssrc").filter_map(Attribute::value) {
        let number = value.split_ascii_whitespace().next().unwrap_or_default();
        let ssrc =
            number.parse().map_err(|_| unsupported(format!("a=ssrc:{}", super::connection::shown(value))))?;
        if ssrcs.contains(&ssrc) {
            continue;
        }
        if ssrcs.len() == MAX_SIGNALLED_SSRCS {
            return Err(unsupported(format!("a=ssrc of more than {MAX_SIGNALLED_SSRCS} sources")));
        }
        ssrcs.push(ssrc);
    }
    Ok(ssrcs)
}
