//! Media over TCP through a whole gateway on the pretend network: a controller that is commanded, a worker that carries, and far hosts that connect, send,
//! stall and break off.

mod ending;
mod msrp;
mod phone;
mod pressure;
mod rig;
mod set_up;
mod tls;
mod tls_ending;
mod unproven;
