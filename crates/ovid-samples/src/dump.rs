//! Raw dumps: hundreds of samples as they come, in the layout in which OpenAI published GPT-2's in 2019.
//!
//! For each setting (and with and without prompts) two files: text, each sample behind a line of 40 `=`, ` SAMPLE i `, 40 `=`, and JSON Lines with all that is needed to make each
//! sample again. Sample i is drawn with seed i, from 0: nothing can be chosen. As in 2019, end-of-text does not end a sample. A manifest with digests, written last, makes the
//! folder a dump. A dump that was stopped or killed goes on where it was and ends in the same bytes.

mod folder;
mod manifest;
mod setting;

use std::num::NonZeroU32;

use ovid_generate::{Completion, Generation, ModelId, Origin, Recorder, Request};
use serde::{Deserialize, Serialize};

pub(crate) use manifest::plain_file;
pub use manifest::{DumpFile, FileDigest, MANIFEST, Manifest, PromptSet};
pub use setting::Setting;

use crate::batch::Step;
use crate::{Batch, Error, tokenizer_sha256};
use folder::Folder;

/// What is to be dumped. Written into the folder first, so that a run that goes on goes on with the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The model.
    pub model: ModelId,
    /// See [`crate::tokenizer_sha256`].
    pub tokenizer_sha256: String,
    /// The rule of the arithmetic.
    pub arithmetic: String,
    /// Where it runs.
    pub device: String,
    /// Ovid's version.
    pub version: String,
    /// Samples a file.
    pub n_samples: u32,
    /// The most tokens a sample.
    pub max_tokens: usize,
    /// How tokens are chosen, a file (or two) each.
    pub settings: Vec<Setting>,
    /// Whether there are samples without prompts.
    pub unconditional: bool,
    /// What the others continue: sample i prompt i modulo their number.
    pub prompts: Option<PromptSet>,
}

/// The text file of one sample behind another: what the 2019 program printed.
pub fn append_text(text: &mut String, number: usize, sample: &str) {
    let line = "=".repeat(40);
    text.extend([&line, " SAMPLE ", &number.to_string(), " ", &line, "\n", sample, "\n"]);
}

impl Plan {
    /// A plan for this model, held against itself.
    ///
    /// # Errors
    /// Where there is nothing to dump, a setting stands twice, or a prompt is empty.
    pub fn new(
        batch: &Batch<'_>,
        origin: &Origin,
        n_samples: NonZeroU32,
        max_tokens: usize,
        settings: Vec<Setting>,
        unconditional: bool,
        prompts: Option<&[String]>,
    ) -> Result<Self, Error> {
        let asked = |what: &str| Err(Error::Asked(what.to_owned()));
        if settings.is_empty() || !unconditional && prompts.is_none() {
            return asked("nothing to dump: it takes at least one setting, and samples without prompts or with");
        }
        if let Some((i, _)) = settings.iter().enumerate().find(|(i, s)| settings[..*i].contains(s)) {
            return Err(Error::Asked(format!("the setting {} stands twice", settings[i])));
        }
        let prompts = prompts.map(PromptSet::new).transpose()?;
        Ok(Self {
            model: origin.model.clone(),
            tokenizer_sha256: tokenizer_sha256(batch.tokenizer),
            arithmetic: origin.arithmetic.clone(),
            device: origin.device.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            n_samples: n_samples.get(),
            max_tokens,
            settings,
            unconditional,
            prompts,
        })
    }

    /// The files that it comes to: name without extension, setting, whether with prompts.
    pub fn parts(&self) -> Vec<(String, Setting, bool)> {
        let kinds = [(self.unconditional, "unconditional", false), (self.prompts.is_some(), "conditional", true)];
        let kinds = kinds.into_iter().filter(|k| k.0);
        kinds.flat_map(|(_, name, given)| self.settings.iter().map(move |s| (format!("{name}-{s}"), *s, given))).collect()
    }
}

/// Makes a dump in `folder`, or goes on with one. With a recorder every sample is also a try in its ledger.
///
/// # Errors
/// Where the folder holds something else or another run works in it, a file cannot be written, or the model fails. Cancelled, what there is stays and the next call goes on.
pub fn dump<R: Recorder<Error = Error>>(
    folder: &std::path::Path,
    plan: &Plan,
    prompts: &[String],
    batch: &Batch<'_>,
    mut recorder: Option<R>,
) -> Result<Manifest, Error> {
    let folder = Folder::open(folder, plan)?;
    if let Some(manifest) = folder.whole()? {
        return Ok(manifest);
    }
    let origin = Origin { model: plan.model.clone(), arithmetic: plan.arithmetic.clone(), device: plan.device.clone() };
    for (name, setting, conditional) in plan.parts() {
        let prompt = |i: u32| if conditional { prompts[i as usize % prompts.len()].as_str() } else { "" };
        let Some(mut part) = folder.part(&name, plan.n_samples)? else { continue };
        let first = part.n_lines();
        let settings = setting.settings(plan.max_tokens);
        let requests: Vec<_> = (first..plan.n_samples)
            .map(|i| Request::new(start(batch, batch.tokenizer.encode(prompt(i).as_bytes())), settings.clone(), u64::from(i)))
            .collect();
        let mut tries = vec![Vec::new(); requests.len()];
        batch.run(&requests, &name, |step| {
            match step {
                Step::Begins(i) => {
                    if let Some(recorder) = &mut recorder {
                        tries[i] = recorder.begin(prompt(first + i as u32), &requests[i], &origin)?;
                    }
                }
                Step::Ended(i, completions) => {
                    for completion in completions {
                        record(recorder.as_mut(), &tries[i], Some(&completion))?;
                        let prompt = prompt(first + i as u32).to_owned();
                        part.push(&Generation::new(prompt, completion, settings.clone(), &origin))?;
                    }
                }
                Step::Cut(i, completions) => {
                    // What had become whole out of turn is drawn again by the next run, as another try.
                    let so_far = completions.first();
                    for &sample in &tries[i] {
                        recorder.as_mut().map_or(Ok(()), |r| r.abort(sample, so_far))?;
                    }
                }
            }
            Ok(())
        })?;
        part.finish()?;
    }
    folder.finish(plan)
}

/// A prompt as the model is given it: end-of-text where it is empty.
pub(crate) fn start(batch: &Batch<'_>, mut ids: Vec<u32>) -> Vec<u32> {
    if ids.is_empty() {
        ids.extend(batch.tokenizer.end_of_text());
    }
    ids
}

fn record<R: Recorder<Error = Error>>(recorder: Option<&mut R>, tries: &[u64], completion: Option<&Completion>) -> Result<(), Error> {
    let Some(recorder) = recorder else { return Ok(()) };
    for (&sample, completion) in tries.iter().zip(completion) {
        recorder.complete(sample, completion)?;
    }
    Ok(())
}
