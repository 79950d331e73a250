//! Phones of WebRTC as the far end of calls: a real browser or aiortc ([`phone`]), what they describe ([`description`]), an IMS-ALG that turns that
//! into H.248 and back ([`alg`]), a plain RTP peer at the core side that decodes what it gets ([`core_side`]), and what changes a phone's
//! address in the middle of a call ([`mover`]).

pub mod alg;
pub mod core_side;
pub mod description;
pub mod mover;
pub mod phone;
