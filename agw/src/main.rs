//! The media plane of an IMS Access Gateway: the process.
fn main() {}
