//! Machine or human: evidence about one text, and about many.
//!
//! In: texts, a scoring model, a calibration. Out: the published statistics of each text, a verdict with its error, and for a campaign the fraction of machine text.
//! Follows Gehrmann et al. 2019, Su et al. 2023, Bao et al. 2024 and Hans et al. 2024 in its statistics, Vovk et al. 2005 in its error rates. A detector never sees a prompt.

pub mod attack;
mod binoculars;
mod calibrate;
mod calibration;
pub mod campaign;
mod clean;
mod error;
pub mod gltr;
mod logistic;
pub mod pairs;
mod report;
mod scoring;
mod statistics;
pub mod texts;
pub mod trained;
mod traits;
mod verdict;

pub use binoculars::{Pair, cross_entropy};
pub use calibrate::{Calibrated, LENGTHS, Plan, REPORTED};
pub use calibration::{CALIBRATION_FORMAT, Calibration, Evidence, LEAST_TPR, Length, Side};
pub use clean::clean;
pub use error::Error;
pub use ovid_generate::ModelId;
pub use report::{DetectionReport, Estimate, REPORT_FORMAT, Row};
pub use scoring::{ScoredText, Scoring, score};
pub use statistics::Statistics;
pub use texts::Text;
pub use traits::{TRAITS, traits};
pub use verdict::{Detection, Rule, Verdict};

/// The calibration for the built-in model; `tools/detection/built_in.sh` makes it again.
pub const BUILT_IN: &[u8] = include_bytes!("../data/ovid-mini.calibration.json");
