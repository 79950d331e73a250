//! agw-iq
