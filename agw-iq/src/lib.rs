//! H.248 for the Iq reference point: words in, commands out.
//!
//! The message tree in [`ast`] is the one meaning of a message, whichever encoding carried it. [`text`] turns the text encoding of
//! H.248.1 Annex B into that tree and back, [`sdp`] reads and writes the session descriptions of Local and Remote, with the `$` and
//! `-` that only gateway control knows, and [`errors`] says what was wrong in the words and codes of H.248.1.

pub mod ast;
pub mod errors;
pub mod sdp;
pub mod secret;
pub mod text;
