//! The raw dump: there, long enough, of this model, and a random part of it the same when made again.

use std::num::NonZeroUsize;
use std::sync::Arc;

use ovid_bpe::Tokenizer;
use ovid_generate::{ModelId, Origin};
use ovid_model::Gpt2;
use ovid_samples::Batch;
use ovid_samples::dump::{MANIFEST, Manifest};
use ovid_samples::verify::{Part, VerifyReport, verify};

use super::{Context, Finding};
use crate::Error;
use crate::checklist::Samples;
use crate::files::same_digest;
use crate::statement::short;

impl Context<'_> {
    pub(super) fn samples(&self, wanted: &Samples) -> Result<Finding, Error> {
        let folder = self.release.folder.join(&wanted.folder);
        if !folder.join(MANIFEST).is_file() {
            return Ok(Finding::missing(format!("{}/{MANIFEST} is missing: there is no dump of raw samples", wanted.folder)));
        }
        let (manifest, sha256) = match Manifest::read(&folder) {
            Ok(read) => read,
            Err(e) if !e.is_bad_input() => return Err(e.into()),
            Err(e) => return Ok(Finding::missing(e.to_string())),
        };
        let evidence = Some((format!("{}/{MANIFEST}", wanted.folder), sha256));
        let missing = |cause: String| Finding::Missing { causes: vec![cause], evidence: evidence.clone() };
        let n_samples: u64 = manifest.files.iter().map(|file| u64::from(file.n_samples)).sum();
        let made_for = &manifest.plan.model.sha256;
        if !same_digest(made_for, &self.subject.identity.sha256) {
            return Ok(missing(format!("the dump in {} is stale: it is of other weights ({})", wanted.folder, short(made_for))));
        }
        if n_samples < wanted.min_samples {
            return Ok(missing(format!("the dump has {n_samples} samples, and {} are asked for", wanted.min_samples)));
        }
        let Some(report) = self.made_again(&folder, &manifest.plan.model.name)? else {
            return Ok(Finding::NotChecked(format!(
                "{n_samples} samples; not made again: the weights in the form that made them are not here"
            )));
        };
        let report = match report {
            Ok(report) => report,
            Err(cause) => return Ok(missing(cause)),
        };
        if !report.verified {
            let differences =
                report.differences.iter().map(|d| format!("{}, sample {}: its {} is not what the model makes", d.file, d.sample, d.field));
            let refused = report.refused.iter().map(|r| format!("{}, sample {}: {}", r.file, r.sample, r.why));
            let mut causes: Vec<String> = report.faults.iter().cloned().chain(differences).chain(refused).collect();
            if causes.is_empty() {
                causes.push("no sample was made again".to_owned());
            }
            return Ok(Finding::Missing { causes, evidence });
        }
        Ok(Finding::Holds { found: format!("{n_samples} samples, {} of them made again, the same to the bit", report.n_checked), evidence })
    }

    /// The verification of a random part; `None` where the weights are not at hand, a cause where the dump is not to be verified.
    fn made_again(&self, folder: &std::path::Path, name: &str) -> Result<Option<Result<VerifyReport, String>>, Error> {
        let Some((model, tokenizer)) = &self.subject.files else { return Ok(None) };
        let tokenizer = Arc::new(Tokenizer::load(tokenizer.as_ref().unwrap_or(model))?);
        let model = Arc::new(Gpt2::load(model, self.options.device()?, self.observer)?);
        let batch = Batch {
            model: &model,
            tokenizer: &tokenizer,
            n_side_by_side: NonZeroUsize::new(8).unwrap_or(NonZeroUsize::MIN),
            observer: self.observer,
        };
        let origin = Origin::exact(ModelId { name: name.to_owned(), sha256: self.subject.identity.sha256.clone() });
        let part = Part::Random { n_samples: self.options.n_samples, seed: self.options.seed };
        match verify(folder, &batch, &origin, part, None) {
            Ok(report) => Ok(Some(Ok(report))),
            Err(e) if e.is_cancelled() || !e.is_bad_input() => Err(e.into()),
            Err(e) => Ok(Some(Err(e.to_string()))),
        }
    }
}
