//! How a sample is said to have been made, and, in a second reading, what it is said to be.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

use ovid_generate::{Generation, ModelId, Origin, Request, Settings};
use ovid_io::Place;
use ovid_io::documents::{Limits, Lines};
use ovid_watermark::{Key, Mark, Watermark};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::Form;
use crate::{Batch, Error, dump};

/// What is needed to make a sample, and nothing of what was made.
#[derive(Deserialize)]
pub(super) struct Recipe {
    pub(super) prompt: String,
    prompt_ids: Vec<u32>,
    pub(super) seed: u64,
    pub(super) sampler: Settings,
    pub(super) model: ModelId,
    arithmetic: String,
    device: String,
    #[serde(default)]
    watermark: Option<Mark>,
    /// Only how many alternatives were listed.
    #[serde(default)]
    logprobs: Option<Vec<Alternatives>>,
}

#[derive(Deserialize)]
struct Alternatives {
    top: Vec<IgnoredAny>,
}

impl Recipe {
    /// Why the sample cannot be verified, if so.
    pub(super) fn refusal(&self, origin: &Origin, key: Option<&Arc<Key>>) -> Option<String> {
        if let Some(mark) = self.watermark.filter(|mark| key.is_none_or(|key| key.id() != mark.key)) {
            return Some(format!("it bears a watermark of the key {}, which was not given", mark.key));
        }
        if self.device != origin.device {
            return Some(format!("it was made on {:?}, which does not keep the same-bits rule", self.device));
        }
        (self.arithmetic != origin.arithmetic)
            .then(|| format!("it was made by the arithmetic {:?}, and this program computes {:?}", self.arithmetic, origin.arithmetic))
    }

    /// What the engine is asked.
    pub(super) fn request(&self, batch: &Batch<'_>, key: Option<&Arc<Key>>) -> Request {
        let logprobs = self.logprobs.as_ref().map(|l| l.iter().map(|a| a.top.len()).max().unwrap_or(0));
        let n_samples = self.sampler.beams.and_then(|b| NonZeroU32::try_from(b.n_beams.get() as u32).ok()).unwrap_or(NonZeroU32::MIN);
        let watermark = self.watermark.zip(key).map(|(mark, key)| Watermark::new(Arc::clone(key), mark.scheme));
        let prompt = dump::start(batch, self.prompt_ids.clone());
        Request { prompt, settings: self.sampler.clone(), seed: self.seed, n_samples, logprobs, watermark }
    }
}

/// Reads all recipes of a file.
pub(super) fn read(path: &Path, form: Form) -> Result<Vec<Recipe>, Error> {
    if form == Form::Loose
        && let Some(one) = whole(path)?
    {
        return Ok(vec![one]);
    }
    let mut lines = Lines::open(path, Limits::default())?;
    let mut recipes = Vec::new();
    while let Some(recipe) = lines.next_json()? {
        recipes.push(recipe);
    }
    if recipes.is_empty() {
        return Err(ovid_io::Error::malformed(path, Place::Whole, "there is no sample in it").into());
    }
    Ok(recipes)
}

/// The one sample of a file that is a single JSON object over several lines.
fn whole<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    if path.extension().is_none_or(|e| e != "json") {
        return Ok(None);
    }
    let bytes = std::fs::read(path).map_err(|e| ovid_io::Error::io(path, "read", e))?;
    let wrong = |e: serde_json::Error| ovid_io::Error::malformed(path, Place::Line(e.line() as u64), e.to_string());
    serde_json::from_slice(&bytes).map(Some).map_err(|e| wrong(e).into())
}

/// The published samples, read behind the making.
pub(super) enum Published {
    One(Box<Option<Generation>>),
    Lines { lines: Lines, next: usize },
}

impl Published {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        Ok(match whole(path)? {
            Some(one) => Self::One(Box::new(Some(one))),
            None => Self::Lines { lines: Lines::open(path, Limits::default())?, next: 0 },
        })
    }

    /// The sample of an index; indices rise.
    pub(super) fn sample(&mut self, index: usize, n: usize) -> Result<Generation, Error> {
        let gone = || Error::Asked(format!("the file changed while it was verified: it had {n} samples"));
        match self {
            Self::One(one) => one.take().ok_or_else(gone),
            Self::Lines { lines, next } => loop {
                let sample = lines.next_json::<Generation>()?.ok_or_else(gone)?;
                *next += 1;
                if *next == index + 1 {
                    return Ok(sample);
                }
            },
        }
    }
}
