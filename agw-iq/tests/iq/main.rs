//! The gateway's end of Iq from outside: messages in, messages out, with a pretend model behind it.

#![allow(unreachable_pub, missing_docs, dead_code, reason = "a test's helpers are read, not published")]

mod calls;
mod lab;
mod model;
