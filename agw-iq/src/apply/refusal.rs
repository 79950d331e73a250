//! The model's refusals in the codes of H.248.1, with the offending value in the text (TS 29.334 clause 5.17.1).

use crate::ast::ErrorDescriptor;
use crate::errors::ErrorCode;
use crate::secret::redact;
use agw_core::command::Refusal;

/// The Error descriptor of a refusal.
pub(super) fn descriptor(refusal: &Refusal) -> ErrorDescriptor {
    ErrorDescriptor::with_text(code(refusal), redact(&refusal.to_string()))
}

fn code(refusal: &Refusal) -> ErrorCode {
    match refusal {
        Refusal::UnknownContext(_) => ErrorCode::UNKNOWN_CONTEXT,
        Refusal::UnknownTermination(_) => ErrorCode::UNKNOWN_TERMINATION,
        Refusal::UnknownRealm(_)
        | Refusal::NoSuchLocalAddress(_)
        | Refusal::PortUnavailable(_)
        | Refusal::CryptoNotAllowed(_)
        | Refusal::CryptoPolicy(..) => ErrorCode::UNSUPPORTED_VALUE,
        Refusal::NoDefaultRealm => ErrorCode::INFORMATION_MISSING,
        Refusal::OutOfResources("terminations") => ErrorCode::OUT_OF_TERMINATIONS,
        // 412 is for numbers that ran out, which they do not; a controller queues a call of priority on 510 (TS 23.334 clause 6.2.15.2).
        Refusal::OutOfContexts
        | Refusal::OutOfPorts(_)
        | Refusal::OutOfResources(_)
        | Refusal::TooManyStreams => ErrorCode::INSUFFICIENT_RESOURCES,
        Refusal::TooManyTerminations(_) => ErrorCode::CONTEXT_FULL,
        Refusal::DuplicateStream(_) => ErrorCode::DESCRIPTOR_TWICE,
        Refusal::CryptoChanged(..) | Refusal::FixedAtSetup(..) | Refusal::Unjoinable(_) => {
            ErrorCode::CONFLICTING_VALUES
        }
        Refusal::NotImplemented(what) if what.to_ascii_lowercase().contains("loopback") => {
            ErrorCode::UNSUPPORTED_MODE
        }
        Refusal::NotImplemented(_) => ErrorCode::NOT_IMPLEMENTED,
        Refusal::System(_) => ErrorCode::INTERNAL_FAILURE,
    }
}

/// Whether the same command may succeed once the workers have caught up.
pub(super) fn passes(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::OutOfResources("worker queue"))
}
