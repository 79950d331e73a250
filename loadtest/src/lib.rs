//! Load against media gateways, and what became of it, packet by packet.
//!
//! [`control`] sets calls up (over Iq, or over the NG protocol of rtpengine), the generator sends their media at a fixed rate and receives what
//! the gateway makes of it, and every packet says in its [`payload`] what it is, so that loss, order, duplicates, corruption and
//! delay are counted exactly. The generator watches itself as well: when it was late or lost packets of its own, the result is invalid.
//! Nothing here shares code with the gateway's packet path.

pub mod calls;
pub mod control;
pub mod dtls;
pub mod endpoints;
mod flow;
pub mod generator;
pub mod html;
pub mod measure;
pub mod msrp;
pub mod pace;
pub mod payload;
pub mod process;
pub mod report;
pub mod rtp;
pub mod run;
pub mod search;
pub mod setup;
mod shard;
pub mod tally;
