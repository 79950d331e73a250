//! agw-srtp
