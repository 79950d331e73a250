//! `agw iq send` and `agw iq trace`: tools for whoever integrates a controller. Keys are blanked in everything they print.

mod send;
mod trace;

pub use send::send;
pub use trace::trace;
