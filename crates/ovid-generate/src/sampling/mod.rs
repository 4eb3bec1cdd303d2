//! Which token comes next, given the model's scores.
//!
//! In: the scores of one position, the ids so far, [`Settings`], a uniform number. Out: a token id. Nothing here knows a model.
//! Rules, order and sets are those of transformers 5.23 (`_get_logits_processor`): bias, repetition penalty, presence and frequency penalty, no-repeat
//! n-gram, banned phrases, minimum length; then, when drawing, temperature, top-k, top-p, min-p, typical, each over the distribution the one before it left.
//!
//! A watermark's green list raises scores last before temperature; its other schemes choose among what is left at the end, or change its weights.
//!
//! Ties: top-k keeps everything that ties with the k-th; top-p keeps the higher ids of equal tokens at its border (transformers' stable ascending
//! sort); min-p and typical treat equal tokens alike; the greedy choice takes the lowest id.
//!
//! The draw: [`uniform`] gives one number for (seed, position), position counting from 0 over prompt and text; the token is the inverse of the
//! cumulative distribution over ascending ids at that number ([`Kept::choose`]). All sums run in written orders and `e^x` is our own, so the same scores give
//! the same token on every machine.

mod kept;
mod process;
mod settings;

pub use kept::Kept;
pub use process::Text;
pub use settings::{
    AtEndOfText, Beams, Bias, EarlyStopping, LengthPenalty, LogitBias, MinP, Phrase, RepetitionPenalty, Settings, Temperature, TopK, TopP,
    TopPRule, TypicalP,
};

use crate::{Error, math};
use ovid_kernels::Unit;
use ovid_watermark::{Mark, Marker, Watermark};

/// The purpose of sampling among the families of random numbers ("sampling" in ASCII).
pub const SAMPLING: u64 = 0x7361_6d70_6c69_6e67;

/// The uniform number that chooses the token at `position` (from 0, over prompt and text together) under `seed`.
pub fn uniform(seed: u64, position: usize) -> f64 {
    ovid_stats::Draws::new(seed, SAMPLING).unit_at(position as u64)
}

/// One request's sampler: its settings, and scratch memory that is reused from token to token.
#[derive(Clone, Debug)]
pub struct Sampler {
    /// The bits are the same on every unit, so nobody needs to say which.
    unit: Unit,
    settings: Settings,
    end_of_text: Option<u32>,
    scores: Vec<f32>,
    counts: Vec<u32>,
    kept: Kept,
    marker: Option<Marker>,
}

impl Sampler {
    /// A sampler over `n_vocab` tokens.
    ///
    /// # Errors
    /// [`Error::Setting`] where the settings contradict each other or the vocabulary.
    pub fn new(settings: Settings, n_vocab: usize, end_of_text: Option<u32>) -> Result<Self, Error> {
        settings.check(n_vocab)?;
        Ok(Self {
            unit: Unit::detect(),
            settings,
            end_of_text,
            scores: Vec::new(),
            counts: vec![0; n_vocab],
            kept: Kept::default(),
            marker: None,
        })
    }

    /// The same sampler, whose choices bear `watermark`.
    ///
    /// # Errors
    /// [`Error::Setting`] where the scheme marks draws and the settings draw nothing.
    pub fn with_watermark(mut self, watermark: Option<Watermark>) -> Result<Self, Error> {
        let draws = self.settings.temperature != Temperature::GREEDY && self.settings.beams.is_none();
        if let Some(scheme) = watermark.as_ref().map(Watermark::scheme).filter(|s| s.needs_draws() && !draws) {
            let must = "green-list where nothing is drawn (temperature 0 or beams)";
            return Err(Error::Setting { name: "the watermark's scheme", value: scheme.name().to_owned(), must });
        }
        self.marker = watermark.map(Marker::new);
        Ok(self)
    }

    /// What records say of the watermark.
    pub fn mark(&self) -> Option<Mark> {
        self.marker.as_ref().map(|m| m.watermark().mark())
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The vector unit it computes with.
    pub(crate) fn unit(&self) -> Unit {
        self.unit
    }

    /// Tokens that can be drawn.
    pub fn n_vocab(&self) -> usize {
        self.counts.len()
    }

    /// The next token: by [`uniform`] at the position after `text`, or the most probable one at temperature 0.
    ///
    /// # Errors
    /// [`Error::Scores`] where the scores are no numbers, [`Error::NothingLeft`] where the rules leave no token.
    pub fn next(&mut self, logits: &[f32], text: Text<'_>, seed: u64) -> Result<u32, Error> {
        if self.settings.temperature != Temperature::GREEDY {
            self.kept(logits, text)?;
            let marked = self.marker.as_mut().and_then(|marker| self.kept.mark(marker, text));
            return Ok(marked.unwrap_or_else(|| self.kept.choose(uniform(seed, text.ids.len()))));
        }
        let Self { settings, marker, .. } = self;
        let (scores, greatest) = processed(settings, self.end_of_text, marker.as_mut(), text, logits, &mut self.scores, &mut self.counts)?;
        Ok(scores.iter().position(|&score| score == greatest).unwrap_or_default() as u32)
    }

    /// The tokens left to draw from and their probabilities, before a watermark chooses among them. At temperature 0: the most probable token and its equals.
    ///
    /// # Errors
    /// As [`Sampler::next`].
    pub fn kept(&mut self, logits: &[f32], text: Text<'_>) -> Result<&Kept, Error> {
        let Self { unit, settings, kept, marker, .. } = self;
        let (scores, greatest) = processed(settings, self.end_of_text, marker.as_mut(), text, logits, &mut self.scores, &mut self.counts)?;
        if settings.temperature == Temperature::GREEDY {
            kept.start(*unit, scores, greatest, 1.0, std::num::NonZeroU32::new(1).map(TopK));
            return Ok(kept);
        }
        let temperature = settings.temperature.get() as f32;
        if !(greatest / temperature).is_finite() {
            return Err(Error::Scores { position: text.ids.len(), found: "numbers beyond the range of single precision" });
        }
        kept.start(*unit, scores, greatest, temperature, settings.top_k);
        if let Some(p) = settings.top_p {
            kept.top_p(p, settings.top_p_rule);
        }
        if let Some(p) = settings.min_p {
            kept.min_p(p);
        }
        if let Some(p) = settings.typical_p {
            kept.typical(*unit, p);
        }
        Ok(kept)
    }

    /// Applies the rules that change scores one by one to `scores`, in place: for beam search, whose scores are log-probabilities.
    pub(crate) fn process(&mut self, scores: &mut [f32], text: Text<'_>) {
        process::apply(&self.settings, self.end_of_text, text, scores, &mut self.counts);
        if let Some(marker) = &mut self.marker {
            marker.raise(text.ids, text.n_prompt, scores);
        }
    }
}

/// The scores after the rules that change them one by one, and the greatest of them.
fn processed<'a>(
    settings: &Settings,
    end_of_text: Option<u32>,
    marker: Option<&mut Marker>,
    text: Text<'_>,
    logits: &'a [f32],
    scores: &'a mut Vec<f32>,
    counts: &mut [u32],
) -> Result<(&'a [f32], f32), Error> {
    let position = text.ids.len();
    let marker = marker.filter(|marker| marker.raises(text.ids, text.n_prompt));
    let scores = if process::any(settings) || marker.is_some() {
        scores.clear();
        scores.extend_from_slice(logits);
        process::apply(settings, end_of_text, text, scores, counts);
        if let Some(marker) = marker {
            marker.raise(text.ids, text.n_prompt, scores);
        }
        scores
    } else {
        logits
    };
    match math::max(scores) {
        None => Err(Error::Scores { position, found: "a value that is no number" }),
        Some(f32::INFINITY) => Err(Error::Scores { position, found: "infinity" }),
        Some(f32::NEG_INFINITY) => Err(Error::NothingLeft { position }),
        Some(greatest) => Ok((scores, greatest)),
    }
}
