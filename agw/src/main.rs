//! The `agw` program; everything is in the library beside it.

use std::process::ExitCode;

/// Setting a call up and taking it down is some hundreds of small allocations among others that live for half a minute; the C library's
/// allocator spends a quarter of a busy gateway's time on them (docs/performance.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    agw::main()
}
