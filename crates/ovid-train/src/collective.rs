//! How ranks share a sum.
//!
//! The micro-batches of a step are numbered; rank r of w computes those whose number is r modulo w, and after each round every rank's gradients are added to the total
//! in the order of the ranks, which is the order of the numbers. So the sum has the same bits for every number of ranks.

use crate::Error;

/// The ranks of a run, seen from one of them.
pub trait Collective: Sync {
    /// This rank, from 0.
    fn rank(&self) -> usize;

    /// Number of ranks.
    fn world(&self) -> usize;

    /// Adds every rank's `part` to `total`, rank 0 first, and leaves the same bits in every rank's `total`.
    ///
    /// # Errors
    /// If a rank cannot be reached.
    fn add_in_order(&self, part: &[f32], total: &mut [f32]) -> Result<(), Error>;

    /// The same for the loss.
    ///
    /// # Errors
    /// If a rank cannot be reached.
    fn add_loss_in_order(&self, part: f64, total: &mut f64) -> Result<(), Error>;
}

/// The only rank.
#[derive(Clone, Copy, Debug, Default)]
pub struct OneRank;

impl Collective for OneRank {
    fn rank(&self) -> usize {
        0
    }

    fn world(&self) -> usize {
        1
    }

    fn add_in_order(&self, part: &[f32], total: &mut [f32]) -> Result<(), Error> {
        total.iter_mut().zip(part).for_each(|(t, p)| *t += p);
        Ok(())
    }

    fn add_loss_in_order(&self, part: f64, total: &mut f64) -> Result<(), Error> {
        *total += part;
        Ok(())
    }
}
