//! What can go wrong below the model.

/// An error of the arithmetic.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system did not give the memory.
    #[error("out of memory: {what} needs {bytes} bytes")]
    OutOfMemory {
        /// The buffer.
        what: &'static str,
        /// How much was asked for.
        bytes: usize,
    },
    /// Weights whose bytes do not fit their shape, or a type that has no product.
    #[error("weights of {n_in} by {n_out} in {dtype}: {cause}")]
    Weights {
        /// Inputs.
        n_in: usize,
        /// Outputs.
        n_out: usize,
        /// Stored type.
        dtype: ovid_io::Dtype,
        /// Why they are refused.
        cause: &'static str,
    },
    /// The vector unit asked for is not there.
    #[error("this processor has no {0}")]
    NoUnit(cpu_unit::Unit),
}

use crate::cpu::simd as cpu_unit;
