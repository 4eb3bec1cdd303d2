//! Statistics: counter-based random numbers.
