//! Phones of WebRTC as the far end of calls: a real browser or aiortc ([`phone`]), and what they describe ([`description`]).

pub mod description;
pub mod phone;
