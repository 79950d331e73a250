//! Streams that share a port, and numbers that differ between the sides: both follow from several streams together, and so are worked out here and not
//! by each stream for itself (RFC 8843, RFC 8285, RFC 3264 section 5.1).

use super::registry::Termination;
use super::stream::{Asked, Stream};
use crate::command::order::{BundlePlan, BundledFlow};
use crate::flow::bundle::MAX_BUNDLE_MEMBERS;
use crate::flow::renumber::Renumbering;
use crate::model::{RtpNames, RtpSpec, StreamSpec};

/// Payload types from here on mean what a description says (RFC 3551 section 3).
const FIRST_DYNAMIC: u8 = 96;

/// What of the packets' meaning is worth keeping: nothing where all numbers mean everywhere the same.
pub(super) fn worth_keeping(spec: &StreamSpec) -> Option<Box<RtpSpec>> {
    let rtp = spec.rtp.as_ref()?;
    let is_dynamic = [&rtp.local, &rtp.remote].into_iter().any(|names| {
        !names.extensions.is_empty()
            || names.formats.iter().any(|format| format.payload_type >= FIRST_DYNAMIC)
    });
    (is_dynamic || rtp.bundle.is_some()).then(|| rtp.clone())
}

/// Whether a stream says that it is in a bundle.
pub(super) fn is_bundled(asked: &Asked) -> bool {
    asked.rtp.as_ref().is_some_and(|rtp| rtp.bundle.is_some())
}

/// The stream whose port, ICE and DTLS a stream uses: that of the first tag of its group; often itself.
pub(super) fn head_of<'a>(termination: &'a Termination, stream: &'a Stream) -> &'a Stream {
    let Some(bundle) = stream.asked.rtp.as_ref().and_then(|rtp| rtp.bundle.as_ref()) else { return stream };
    let head = termination.streams.iter().find(|other| {
        let other = other.asked.rtp.as_ref().and_then(|rtp| rtp.bundle.as_ref());
        other.is_some_and(|other| other.group == bundle.group && bundle.group.first() == Some(&other.mid))
    });
    let Some(head) = head else { return stream };
    let has_room = members(termination, head).any(|member| member.id == stream.id);
    if has_room { head } else { stream }
}

/// The streams that use the port of `head`, itself first.
fn members<'a>(termination: &'a Termination, head: &'a Stream) -> impl Iterator<Item = &'a Stream> {
    let group = |stream: &'a Stream| Some(&stream.asked.rtp.as_ref()?.bundle.as_ref()?.group);
    let others = termination
        .streams
        .iter()
        .filter(move |other| other.id != head.id && group(other).is_some() && group(other) == group(head));
    std::iter::once(head).chain(others).take(MAX_BUNDLE_MEMBERS)
}

/// What the worker has to know to share the port of `head`; `None`: nobody else uses it.
pub(super) fn plan(termination: &Termination, head: &Stream) -> Option<Box<BundlePlan>> {
    let members: Vec<_> = members(termination, head)
        .filter_map(|stream| {
            let rtp = stream.asked.rtp.as_ref()?;
            let (member, names) = (rtp.bundle.clone()?, rtp.local.clone());
            Some(BundledFlow { flow: stream.flow, member, names })
        })
        .collect();
    (members.len() > 1).then(|| Box::new(BundlePlan { members }))
}

/// How packets that come by `from` are numbered when they leave by `to`.
pub(super) fn renumbering(from: &Stream, to: &Stream) -> Option<Box<Renumbering>> {
    let to = to.asked.rtp.as_ref()?;
    let nothing = RtpNames::default();
    let from = from.asked.rtp.as_ref().map_or(&nothing, |from| &from.local);
    Renumbering::between(from, &to.remote, to.mid.as_deref()).map(Box::new)
}
