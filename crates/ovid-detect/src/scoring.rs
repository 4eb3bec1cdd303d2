//! Texts through the scoring model, many at once, in the order in which they come.

use std::collections::VecDeque;

use ovid_bpe::Tokenizer;
use ovid_eval::{DocumentScore, Options, Place, Scorer, TokenScore};
use ovid_generate::ModelId;
use ovid_io::Observer;
use ovid_model::Gpt2;

use crate::binoculars::Pair;
use crate::{Error, Statistics, Text, clean};

/// What texts are scored with.
pub struct Scoring<'a> {
    /// The model.
    pub model: &'a Gpt2,
    /// Its tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// Which it is.
    pub name: ModelId,
    /// Whether texts pass through [`clean`]; calibrations are made with it, and a text that does not is judged by what they do not hold for.
    pub cleaned: bool,
    /// The second model of Binoculars.
    pub second: Option<(&'a Gpt2, ModelId)>,
}

/// A text that the model has scored.
#[derive(Clone, Debug)]
pub struct ScoredText {
    /// The text as it came.
    pub text: Text,
    /// Scores of the cleaned text's tokens.
    pub tokens: Vec<TokenScore>,
    /// Cross-entropies with the second model, where there is one.
    pub cross_entropies: Option<Vec<f64>>,
    /// Whether the text goes on behind the last of the tokens.
    pub is_cut: bool,
}

impl ScoredText {
    /// The statistics of the first `n_tokens`; `None` where there are fewer.
    pub fn prefix(&self, n_tokens: usize) -> Option<Statistics> {
        let tokens = self.tokens.get(..n_tokens)?;
        Statistics::of(tokens, self.cross_entropies.as_deref())
    }

    /// The statistics of all of it; `None` where nothing was scored.
    pub fn statistics(&self) -> Option<Statistics> {
        Statistics::of(&self.tokens, self.cross_entropies.as_deref())
    }

    /// The cleaned text of the first `n_tokens`.
    pub fn prefix_text(&self, n_tokens: usize) -> String {
        let bytes: Vec<u8> = self.tokens.iter().take(n_tokens).flat_map(|t| t.bytes.iter().copied()).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Of one text, no more bytes than this are read: a document of 100 MB costs what its beginning costs.
const MAX_BYTES: usize = 1 << 16;

/// Scores the first `max_tokens` tokens of each text after the clean-up and gives them to `each`, in their order. No prompt is put before a text: end-of-text is.
///
/// # Errors
/// If a text cannot be read, the model fails, `each` fails, or the observer cancels.
pub fn score(
    scoring: &Scoring<'_>,
    texts: impl IntoIterator<Item = Result<Text, Error>>,
    max_tokens: usize,
    observer: &dyn Observer,
    mut each: impl FnMut(ScoredText) -> Result<(), Error>,
) -> Result<(), Error> {
    let options = Options::new(scoring.model, scoring.tokenizer);
    let mut scorer = Scorer::new(scoring.model, scoring.tokenizer, options, observer)?;
    let mut pair = scoring.second.as_ref().map(|(second, _)| Pair::new(scoring.model, second)).transpose()?;
    let mut waiting: VecDeque<(Text, bool)> = VecDeque::new();
    let mut give = |scores: Vec<DocumentScore>, waiting: &mut VecDeque<(Text, bool)>| -> Result<(), Error> {
        for score in scores {
            let Some((text, is_cut)) = waiting.pop_front() else { break };
            let ids: Vec<u32> = score.tokens.iter().map(|t| t.id).collect();
            let cross_entropies = match (&mut pair, options.begin) {
                (Some(pair), Some(begin)) => Some(pair.cross_entropies(begin, &ids)?),
                _ => None,
            };
            let mut tokens = score.tokens;
            if let Some(cross) = &cross_entropies {
                tokens.truncate(cross.len());
            }
            each(ScoredText { text, tokens, cross_entropies, is_cut })?;
        }
        Ok(())
    };
    for text in texts {
        let text = text?;
        let head = &text.text[..text.text.floor_char_boundary(MAX_BYTES)];
        let mut ids =
            if scoring.cleaned { scoring.tokenizer.encode(clean(head).as_bytes()) } else { scoring.tokenizer.encode(head.as_bytes()) };
        let is_cut = head.len() < text.text.len() || ids.len() > max_tokens;
        ids.truncate(max_tokens);
        let place = Place { file: text.file.clone(), line: text.line };
        waiting.push_back((text, is_cut));
        give(scorer.push_ids(&ids, place)?, &mut waiting)?;
    }
    give(scorer.finish()?, &mut waiting)
}
