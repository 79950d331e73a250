//! Which stream of a bundle a packet belongs to (RFC 8843 section 9.2): by the MID that it carries, by its SSRC once that is known, by its payload type
//! where only one stream has it. All of it is asked of packets that have authenticated: what is learned here no stranger can teach.
//! The tables are small and bounded, so a packet costs a short walk and no hash.

use crate::model::{BundleMember, RtpNames};
use crate::wire::extension;
use crate::wire::rtcp::Compound;
use crate::wire::rtp::RtpHeader;
use arrayvec::ArrayVec;

/// The most streams of one bundle; more are refused.
pub const MAX_BUNDLE_MEMBERS: usize = 16;
/// The most sources of one direction that are remembered; one more takes the place of the oldest.
pub const MAX_BUNDLE_SOURCES: usize = 64;
/// The header extension that carries the MID (RFC 8843 section 15).
pub const MID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";

/// Nobody, or more than one, has this payload type.
const NOBODY: u8 = 0xff;
const SHARED: u8 = 0xfe;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Member {
    mid: Box<str>,
}

/// Sources with the streams that they belong to, the oldest first to go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Sources {
    known: ArrayVec<(u32, u8), MAX_BUNDLE_SOURCES>,
    oldest: usize,
}

impl Sources {
    fn find(&self, ssrc: u32) -> Option<u8> {
        self.known.iter().find(|(known, _)| *known == ssrc).map(|(_, member)| *member)
    }

    fn learn(&mut self, ssrc: u32, member: u8) {
        if let Some(found) = self.known.iter_mut().find(|(known, _)| *known == ssrc) {
            found.1 = member;
        } else if self.known.try_push((ssrc, member)).is_err() {
            self.known[self.oldest] = (ssrc, member);
            self.oldest = (self.oldest + 1) % MAX_BUNDLE_SOURCES;
        }
    }
}

/// Tells the streams of one bundle apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Router {
    members: ArrayVec<Member, MAX_BUNDLE_MEMBERS>,
    /// The number of the MID's extension, if it was agreed on.
    mid_extension: Option<u8>,
    payload_types: Box<[u8; 128]>,
    /// What the peer sends.
    theirs: Sources,
    /// What we send to the peer: its reports and feedback speak of these.
    ours: Sources,
}

impl Router {
    /// For streams in the order in which they are answered with; `None` when there are too many.
    pub fn new(members: &[(&BundleMember, &RtpNames)]) -> Option<Self> {
        if members.len() > MAX_BUNDLE_MEMBERS {
            return None;
        }
        let mut payload_types = Box::new([NOBODY; 128]);
        let mut theirs = Sources::default();
        for (at, (member, names)) in members.iter().enumerate() {
            for format in &names.formats {
                let place = &mut payload_types[usize::from(format.payload_type & 0x7f)];
                *place = if *place == NOBODY || *place == at as u8 { at as u8 } else { SHARED };
            }
            member.ssrcs.iter().for_each(|ssrc| theirs.learn(*ssrc, at as u8));
        }
        let mut extensions = members.iter().flat_map(|(_, names)| &names.extensions);
        Some(Self {
            members: members.iter().map(|(member, _)| Member { mid: member.mid.clone() }).collect(),
            mid_extension: extensions
                .find(|extension| &*extension.uri == MID_URI)
                .map(|extension| extension.id),
            payload_types,
            theirs,
            ours: Sources::default(),
        })
    }

    /// Goes on with what `before` has learned, as far as its streams are still the same.
    pub fn inherit(&mut self, before: &Self) {
        for (to, from) in [(&mut self.theirs, &before.theirs), (&mut self.ours, &before.ours)] {
            for (ssrc, member) in &from.known {
                let mid = before.members.get(usize::from(*member)).map(|member| &member.mid);
                let now = self.members.iter().position(|member| Some(&member.mid) == mid);
                if let Some(now) = now.filter(|_| to.find(*ssrc).is_none()) {
                    to.learn(*ssrc, now as u8);
                }
            }
        }
    }

    /// Whose a packet of RTP is, in its plain form; `None`: nobody's.
    pub fn route_rtp(&mut self, rtp: &[u8]) -> Option<usize> {
        let header = RtpHeader::parse(rtp)?;
        if let Some(mid) = self.mid_extension.and_then(|id| extension::value_of(rtp, id)) {
            // Section 9.2: a MID that nobody has is not guessed at.
            let member = self.members.iter().position(|member| member.mid.as_bytes() == mid)?;
            self.theirs.learn(header.ssrc, member as u8);
            return Some(member);
        }
        if let Some(member) = self.theirs.find(header.ssrc) {
            return Some(usize::from(member));
        }
        let member = self.payload_types[usize::from(header.payload_type)];
        if member == NOBODY || member == SHARED {
            return None;
        }
        self.theirs.learn(header.ssrc, member);
        Some(usize::from(member))
    }

    /// Whose a compound packet of RTCP is, in its plain form: that stream's of whose sources it first speaks, or whose source sends it, or else the
    /// first one's. (Endpoints make compounds per stream; one that speaks of several goes to one.)
    pub fn route_rtcp(&self, compound: Compound<'_>) -> usize {
        let spoken_of =
            compound.packets().find_map(|packet| packet.targets().find_map(|ssrc| self.ours.find(ssrc)));
        let sender = || compound.packets().find_map(|packet| self.theirs.find(packet.sender()?));
        spoken_of.or_else(sender).map_or(0, usize::from)
    }

    /// A packet of RTP leaves to the peer, for this stream.
    pub fn note_leaving(&mut self, rtp: &[u8], member: usize) {
        if let Some(header) = RtpHeader::parse(rtp)
            && self.ours.find(header.ssrc) != Some(member as u8)
        {
            self.ours.learn(header.ssrc, member as u8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Format, HeaderExtension};

    fn member(mid: &str, ssrcs: &[u32]) -> BundleMember {
        BundleMember { group: vec!["a".into(), "v".into()], mid: mid.into(), ssrcs: ssrcs.to_vec() }
    }

    fn names(payload_types: &[u8]) -> RtpNames {
        let format = |payload_type: &u8| Format {
            payload_type: *payload_type,
            encoding: "x/8000".into(),
            parameters: "".into(),
        };
        RtpNames {
            formats: payload_types.iter().map(format).collect(),
            extensions: vec![HeaderExtension { id: 4, uri: MID_URI.into() }],
        }
    }

    fn router() -> Router {
        Router::new(&[(&member("a", &[]), &names(&[0, 111])), (&member("v", &[77]), &names(&[96, 111]))])
            .unwrap()
    }

    fn rtp(payload_type: u8, ssrc: u32, mid: Option<&str>) -> Vec<u8> {
        let mut packet = vec![0x80, payload_type, 0, 1, 0, 0, 0, 0];
        packet.extend(ssrc.to_be_bytes());
        if let Some(mid) = mid {
            packet[0] |= 0x10;
            let mut elements = vec![0x40 | (mid.len() as u8 - 1)];
            elements.extend(mid.as_bytes());
            elements.resize(elements.len().next_multiple_of(4), 0);
            packet.extend([0xbe, 0xde, 0, elements.len() as u8 / 4]);
            packet.extend(elements);
        }
        packet
    }

    #[test]
    fn a_packet_is_told_by_its_mid_then_its_source_then_its_payload_type() {
        let mut router = router();
        assert_eq!(router.route_rtp(&rtp(111, 1, None)), None, "both have 111");
        assert_eq!(router.route_rtp(&rtp(111, 1, Some("v"))), Some(1));
        assert_eq!(router.route_rtp(&rtp(111, 1, None)), Some(1), "its source is known now");
        assert_eq!(router.route_rtp(&rtp(111, 77, None)), Some(1), "signalled");
        assert_eq!(router.route_rtp(&rtp(96, 2, None)), Some(1));
        assert_eq!(router.route_rtp(&rtp(111, 2, None)), Some(1), "learned of its payload type");
        assert_eq!(router.route_rtp(&rtp(0, 3, None)), Some(0));
        assert_eq!(router.route_rtp(&rtp(5, 4, None)), None);
        assert_eq!(router.route_rtp(&rtp(0, 5, Some("x"))), None, "a MID of nobody");
        assert_eq!(router.route_rtp(&rtp(0, 1, Some("a"))), Some(0), "a source that changes its stream");
        assert_eq!(router.route_rtp(&rtp(111, 1, None)), Some(0));
    }

    #[test]
    fn reports_go_to_the_stream_that_they_speak_of() {
        let mut router = router();
        router.note_leaving(&rtp(0, 500, None), 0);
        router.note_leaving(&rtp(96, 600, None), 1);
        router.route_rtp(&rtp(96, 9, None));
        let report = |sender: u32, about: u32| {
            let mut bytes = vec![0x81, 201, 0, 7];
            bytes.extend(sender.to_be_bytes());
            bytes.extend(about.to_be_bytes());
            bytes.extend([0; 20]);
            bytes
        };
        let mut pli = vec![0x81, 206, 0, 2];
        pli.extend([0, 0, 0, 1]);
        pli.extend(600_u32.to_be_bytes());
        let route = |bytes: &[u8]| router.route_rtcp(Compound::parse(bytes).unwrap());
        assert_eq!(route(&report(1, 600)), 1);
        assert_eq!(route(&report(9, 500)), 0);
        assert_eq!(route(&report(9, 5)), 1, "by who sends it");
        assert_eq!(route(&report(1, 5)), 0, "the first has to take it");
        assert_eq!(route(&pli), 1);
    }

    #[test]
    fn sources_are_bounded_and_inherited() {
        let mut router = router();
        for ssrc in 1000..2000 {
            assert_eq!(router.route_rtp(&rtp(0, ssrc, None)), Some(0));
        }
        assert_eq!(router.theirs.known.len(), MAX_BUNDLE_SOURCES);
        let mut after =
            Router::new(&[(&member("v", &[]), &names(&[96])), (&member("a", &[]), &names(&[0]))]).unwrap();
        after.inherit(&router);
        assert_eq!(after.route_rtp(&rtp(50, 1999, None)), Some(1));
    }
}
