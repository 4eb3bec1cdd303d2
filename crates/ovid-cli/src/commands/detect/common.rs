//! The scoring model and its calibration, as every command of `ovid detect` takes them.

use std::path::PathBuf;

use clap::Args;
use ovid_detect::{BUILT_IN, Calibration, Scoring};
use ovid_io::{Observer, digest};

use crate::arguments::{Machine, ModelChoice};
use crate::failure::Failure;
use crate::models::{self, Loaded};

/// What texts are scored with.
#[derive(Clone, Debug, Args)]
pub struct ScoringFlags {
    #[command(flatten)]
    pub choice: ModelChoice,
    /// A second model of the same vocabulary, for Binoculars' ratio
    #[arg(long, value_name = "NAME|FOLDER|GGUF")]
    pub second: Option<String>,
    #[command(flatten)]
    pub machine: Machine,
}

/// How verdicts are reached.
#[derive(Clone, Debug, Args)]
pub struct RuleFlags {
    /// A calibration made by `ovid detect calibrate` with the same model [default: the built-in one, for the built-in model]
    #[arg(long, value_name = "FILE")]
    pub calibration: Option<PathBuf>,
    /// The false-positive rate: how many of a hundred human texts may be called machine text, over a hundred
    #[arg(long, value_name = "RATE", default_value_t = 0.01)]
    pub fpr: f64,
}

/// Models that are loaded.
pub struct Models {
    first: Loaded,
    second: Option<Loaded>,
}

impl ScoringFlags {
    /// Loads the models.
    pub fn load(&self, observer: &dyn Observer) -> Result<Models, Failure> {
        let first = models::load(&self.choice, &self.machine, observer)?;
        let second = self.second.as_ref().map(|name| {
            let choice = ModelChoice { model: Some(name.clone()), tokenizer: self.choice.tokenizer.clone() };
            models::load(&choice, &self.machine, observer)
        });
        Ok(Models { first, second: second.transpose()? })
    }
}

impl Models {
    /// As the library takes them.
    pub fn scoring(&self) -> Result<Scoring<'_>, Failure> {
        let second = self.second.as_ref().map(|loaded| Ok::<_, Failure>((&*loaded.model, loaded.origin()?.model))).transpose()?;
        Ok(Scoring { model: &self.first.model, tokenizer: &self.first.tokenizer, name: self.first.origin()?.model, cleaned: true, second })
    }
}

impl RuleFlags {
    /// The calibration with its digest: the file that was given, else the built-in one where it fits the model; `None` where there is none for it.
    pub fn calibration(&self, scoring: &Scoring<'_>) -> Result<Option<(Calibration, String)>, Failure> {
        let (calibration, sha256) = if let Some(path) = &self.calibration {
            (Calibration::read(path)?, digest::sha256_file(path, &ovid_io::Silent)?)
        } else {
            // Where the built-in model was made anew and its calibration not yet, there is none.
            let Some(built_in) =
                Calibration::parse(BUILT_IN, "the built-in calibration".as_ref()).ok().filter(|c| c.check(scoring).is_ok())
            else {
                return Ok(None);
            };
            (built_in, digest::sha256(BUILT_IN))
        };
        calibration.check(scoring).map_err(|e| Failure::from(e).hint("make one for this model with: ovid detect calibrate"))?;
        calibration.check_rate(self.fpr)?;
        Ok(Some((calibration, sha256)))
    }
}
