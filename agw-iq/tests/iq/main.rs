//! The gateway's end of Iq from outside: messages in, messages out, with a pretend model behind it.

#![allow(unreachable_pub, missing_docs, reason = "a test's helpers are read, not published")]

mod association;
mod audits;
mod calls;
mod codes;
mod connections;
mod errors;
mod examples;
mod lab;
mod lossy;
mod model;
mod notify;
mod overload;
mod random;
mod realms;
mod reserve;
mod root;
mod secrets;
mod security;
mod service;
mod traffic;
mod transactions;
mod webrtc;
mod whole;
