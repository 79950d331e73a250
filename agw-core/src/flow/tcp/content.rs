//! What the bytes that come at one side are, and what becomes of them on the way to the other (TLS-9, TLS-10).

use crate::command::order::TcpPlan;
use crate::flow::bfcp::BfcpFraming;
use crate::flow::msrp::MsrpStream;
use crate::model::{Application, Malformation};
use crate::worker::stats::MsrpCount;

/// One direction of a stream.
#[derive(Debug)]
pub(crate) enum Content {
    /// Not looked into.
    Opaque,
    /// Told apart and counted, and with new paths where there are some.
    Msrp(Box<MsrpStream>),
    /// Checked.
    Bfcp(BfcpFraming),
}

impl Content {
    /// The beginning of a stream by this plan, whose paths it takes.
    pub(crate) fn new(plan: &mut TcpPlan) -> Self {
        match plan.application {
            Application::Msrp => Self::Msrp(Box::new(MsrpStream::new(plan.rewrite.take()))),
            Application::Bfcp if plan.check_framing => Self::Bfcp(BfcpFraming::default()),
            Application::Bfcp | Application::Opaque => Self::Opaque,
        }
    }

    /// Goes on by another plan, whose paths it takes: they count from the next message on.
    pub(crate) fn follow(&mut self, plan: &mut TcpPlan) {
        if let Self::Msrp(stream) = self {
            stream.set_rewrite(plan.rewrite.take());
        }
    }

    /// Another connection comes in the place of the one there was: its first message is at its beginning. What was counted stays.
    pub(crate) fn begin_anew(&mut self) {
        match self {
            Self::Opaque => {}
            Self::Msrp(stream) => stream.begin_anew(),
            Self::Bfcp(framing) => *framing = BfcpFraming::default(),
        }
    }

    /// Takes of `input` what there is room for in `output`; how many bytes it took, and how many it put.
    pub(crate) fn transform(
        &mut self,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<(usize, usize), Malformation> {
        if let Self::Msrp(stream) = self {
            return stream.transform(input, output).map_err(Malformation::Msrp);
        }
        let n = input.len().min(output.len());
        if let Self::Bfcp(framing) = self {
            framing.feed(&input[..n]).map_err(Malformation::Bfcp)?;
        }
        output[..n].copy_from_slice(&input[..n]);
        Ok((n, n))
    }

    /// Whether something waits to go out without more input.
    pub(crate) fn has_output(&self) -> bool {
        matches!(self, Self::Msrp(stream) if stream.has_output())
    }

    /// What of MSRP has passed, but for its bytes: see [`MsrpCount`].
    pub(crate) fn msrp_counts(&self) -> Option<[(MsrpCount, u64); 3]> {
        let Self::Msrp(stream) = self else { return None };
        Some([
            (MsrpCount::Chunks, stream.requests()),
            (MsrpCount::Messages, stream.whole_messages()),
            (MsrpCount::Responses, stream.responses()),
        ])
    }

    /// Whole messages of MSRP that have passed.
    pub(crate) fn messages(&self) -> u64 {
        match self {
            Self::Msrp(stream) => stream.messages(),
            Self::Opaque | Self::Bfcp(_) => 0,
        }
    }
}
