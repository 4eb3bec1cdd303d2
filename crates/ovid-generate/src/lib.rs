//! Sampling, and the engine that continues many texts at once.
