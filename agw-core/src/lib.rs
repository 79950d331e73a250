//! agw-core
