//! What is only measured: criterion benches, and the side-by-side run against another gateway (`src/bin/compare`).
