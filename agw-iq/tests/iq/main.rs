//! The gateway's end of Iq from outside: messages in, messages out, with a pretend model behind it.

mod association;
mod calls;
mod errors;
mod examples;
mod lab;
mod model;
mod notify;
mod secrets;
mod transactions;
