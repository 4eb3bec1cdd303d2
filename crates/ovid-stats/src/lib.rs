//! Statistics without a model. In: seeds, counts, samples. Out: random numbers that are a pure function of their place, intervals, tests.
//!
//! Random numbers: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3" (Philox4x32-10).

mod philox;

pub use philox::{Draws, philox4x32};
