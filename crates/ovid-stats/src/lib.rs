//! Statistics without a model. In: seeds, counts, samples. Out: random numbers that are a pure function of their place, distributions, intervals, tests.
//!
//! Random numbers: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3" (Philox4x32-10). Tests and intervals are held against scipy 1.17
//! (`tools/reference/statistics.py`). Nothing is drawn from the system and nothing is global.

mod bootstrap;
pub mod distributions;
mod interval;
mod kolmogorov_smirnov;
mod ln;
mod multiple;
mod philox;
mod quantile;
mod ranks;
mod roc;
mod tails;

pub use bootstrap::bootstrap;
pub use interval::{Interval, clopper_pearson, wilson};
pub use kolmogorov_smirnov::{KolmogorovSmirnov, kolmogorov_smirnov};
pub use ln::ln;
pub use multiple::{benjamini_hochberg, discoveries};
pub use philox::{Draws, philox4x32};
pub use quantile::{mean, median, quantile};
pub use ranks::{MannWhitney, Shift, hodges_lehmann, mann_whitney};
pub use roc::{auroc, threshold_at_fpr, tpr_at_fpr};
pub use tails::{binomial_lower_tail, binomial_upper_tail, poisson_binomial_upper_tail};
