//! When a step is not taken.
//!
//! The rule: a step is skipped (parameters, moments and the running mean stay as they are; the data and the schedule go on) where the loss or the gradient's norm is not finite, or
//! where, after 100 steps taken, the norm exceeds `spike_factor` times its running mean (decay 0.99 over the steps taken). `most_skipped` skipped steps in a row end the run.

use serde::{Deserialize, Serialize};

const WARM: u64 = 100;
const MEMORY: f64 = 0.99;

/// What the guard remembers; part of every checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Guard {
    /// Running mean of the gradient's norm.
    pub mean_norm: f64,
    /// Steps taken: what bias correction counts.
    pub n_taken: u64,
    /// Steps skipped since the last one taken.
    pub n_skipped_in_row: u64,
    /// Steps skipped in all.
    pub n_skipped: u64,
}

impl Guard {
    /// Decides about a step: `None` takes it, a text says why it is skipped.
    pub fn judge(&mut self, loss_nats: f64, grad_norm: f64, spike_factor: f64) -> Option<String> {
        let cause = if !loss_nats.is_finite() {
            Some(format!("the loss is {loss_nats}"))
        } else if !grad_norm.is_finite() {
            Some(format!("the gradient's norm is {grad_norm}"))
        } else if spike_factor > 0.0 && self.n_taken >= WARM && grad_norm > spike_factor * self.mean_norm {
            Some(format!("the gradient's norm of {grad_norm:.3} is over {spike_factor} times its running mean of {:.3}", self.mean_norm))
        } else {
            None
        };
        if cause.is_some() {
            self.n_skipped_in_row += 1;
            self.n_skipped += 1;
        } else {
            self.n_skipped_in_row = 0;
            // A plain mean until there are enough steps for the decaying one.
            let share = (1.0 - MEMORY).max(1.0 / (self.n_taken + 1) as f64);
            self.mean_norm += (grad_norm - self.mean_norm) * share;
            self.n_taken += 1;
        }
        cause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finite_or_leaps_is_skipped() {
        let mut guard = Guard::default();
        // Early on nothing is known of the norm, so only what is not finite is refused.
        assert_eq!(guard.judge(9.0, 1000.0, 10.0), None);
        assert!(guard.judge(f64::NAN, 1.0, 10.0).unwrap().contains("the loss is NaN"));
        assert!(guard.judge(1.0, f64::INFINITY, 10.0).unwrap().contains("norm is inf"));
        assert_eq!((guard.n_taken, guard.n_skipped_in_row, guard.n_skipped), (1, 2, 2));
        for _ in 0..2000 {
            assert_eq!(guard.judge(9.0, 1.0, 10.0), None);
        }
        let before = guard;
        assert!(guard.judge(9.0, 11.0, 10.0).unwrap().contains("over 10 times its running mean of 1.0"));
        assert_eq!(guard, Guard { n_skipped_in_row: 1, n_skipped: 3, ..before });
        assert_eq!(guard.judge(9.0, 11.0, 0.0), None);
        assert_eq!(guard.n_skipped_in_row, 0);
    }
}
