//! What can go wrong in detection.

use std::path::PathBuf;

/// Why something could not be detected, calibrated or trained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written.
    #[error(transparent)]
    Files(#[from] ovid_io::Error),
    /// The scoring model could not score a text.
    #[error(transparent)]
    Score(#[from] ovid_eval::Error),
    /// The model could not write a text.
    #[error(transparent)]
    Generate(ovid_generate::Error),
    /// A figure could not be drawn.
    #[error(transparent)]
    Figure(#[from] ovid_figures::Error),
    /// A calibration that was made with another model.
    #[error(
        "the calibration was made with the model '{calibrated}' (sha256 {calibrated_sha256:.12}), but the texts are scored with '{scoring}' (sha256 {scoring_sha256:.12})"
    )]
    OtherModel {
        /// The model of the calibration.
        calibrated: String,
        /// Its digest.
        calibrated_sha256: String,
        /// The model at hand.
        scoring: String,
        /// Its digest.
        scoring_sha256: String,
    },
    /// A calibration made with a second model is used without it, or the other way round.
    #[error("the calibration was made {0} a second model")]
    Second(&'static str),
    /// A file that is no calibration, or a damaged one.
    #[error("'{path}' is no calibration of this version of ovid: {cause}")]
    NoCalibration {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// A file that is no trained detector, or a damaged one.
    #[error("'{path}' is no trained detector of this version of ovid: {cause}")]
    NoDetector {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// The calibration has too few human texts for the rate asked for.
    #[error("a false-positive rate of {fpr} cannot be held with {n_human} human texts; the least is {least:.4}")]
    Rate {
        /// Asked for.
        fpr: f64,
        /// Human texts of the length with the most.
        n_human: usize,
        /// Three over that.
        least: f64,
    },
    /// Too little text for what was asked.
    #[error("{what}: {n} texts are too few, {least} are the least")]
    TooFew {
        /// Which texts.
        what: String,
        /// How many there are.
        n: usize,
        /// How many there must be.
        least: usize,
    },
    /// Two models whose tokens are not the same.
    #[error("the second model has {second} tokens and the first {first}; they must have one vocabulary")]
    Vocabularies {
        /// Of the first.
        first: usize,
        /// Of the second.
        second: usize,
    },
    /// A number outside what it may be.
    #[error("{name} is {value}, but must be {must}")]
    Setting {
        /// What it is called.
        name: &'static str,
        /// What was given.
        value: String,
        /// What it may be.
        must: &'static str,
    },
    /// The observer asked to stop.
    #[error("stopped on request")]
    Cancelled,
}

impl Error {
    /// Whether the input is at fault, and not the machine.
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::Files(e) => e.is_bad_input(),
            Self::Score(e) => !matches!(e, ovid_eval::Error::Model(_)),
            Self::Figure(_) | Self::Generate(_) => false,
            _ => true,
        }
    }

    /// Whether the observer asked to stop.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled | Self::Files(ovid_io::Error::Cancelled) | Self::Score(ovid_eval::Error::Cancelled))
    }
}
