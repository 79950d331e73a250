//! Properties of reader and printer together.
