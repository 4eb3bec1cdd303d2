//! How ranks share a sum.
//!
//! The micro-batches of a step are numbered; rank r of w computes those whose number is r modulo w, and after each round every rank's gradients are added to the total
//! in the order of the ranks, which is the order of the numbers. So the sum has the same bits for every number of ranks.

use ovid_kernels::Backend;

use crate::Error;

/// The ranks of a run, seen from one of them.
pub trait Collective<B: Backend> {
    /// This rank, from 0.
    fn rank(&self) -> usize;

    /// Number of ranks.
    fn world(&self) -> usize;

    /// Adds the first `len` values of every rank's `part` to `total`, rank 0 first, and leaves the same bits in every rank's `total`.
    ///
    /// # Errors
    /// If a rank cannot be reached.
    fn all_reduce_sum(&self, device: &B, part: &B::Buf, len: usize, total: &mut B::Buf) -> Result<(), Error>;

    /// The same for one number, such as the loss.
    ///
    /// # Errors
    /// If a rank cannot be reached.
    fn all_reduce_sum_f64(&self, part: f64, total: &mut f64) -> Result<(), Error>;
}

/// The only rank.
#[derive(Clone, Copy, Debug, Default)]
pub struct OneRank;

impl<B: Backend> Collective<B> for OneRank {
    fn rank(&self) -> usize {
        0
    }

    fn world(&self) -> usize {
        1
    }

    fn all_reduce_sum(&self, device: &B, part: &B::Buf, len: usize, total: &mut B::Buf) -> Result<(), Error> {
        device.add(part, len, total);
        Ok(())
    }

    fn all_reduce_sum_f64(&self, part: f64, total: &mut f64) -> Result<(), Error> {
        *total += part;
        Ok(())
    }
}
