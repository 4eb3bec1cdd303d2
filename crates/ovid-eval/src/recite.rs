//! Does a model know a text by heart? Its first words are given, and what it writes after them is held against what follows.
//!
//! The question of Radford et al. 2019, appendix 8.2, of the Gettysburg Address. Words are compared as the overlap audit does (lower case, letters and numbers).

use std::num::NonZeroU32;
use std::sync::Arc;

use ovid_bpe::Tokenizer;
use ovid_generate::sampling::Temperature;
use ovid_generate::{Completion, Engine, Event, Options as EngineOptions, Request, Settings};
use ovid_io::{Observer, Progress};
use ovid_model::Gpt2;
use ovid_overlap::Words;
use serde::{Deserialize, Serialize};

use crate::Error;

/// The Gettysburg Address in the wording of the Bliss copy (Lincoln, 1863; in the public domain).
pub const GETTYSBURG: &str = include_str!("../data/gettysburg.txt");

/// How a text is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct ReciteOptions {
    /// Words given.
    pub n_prompt_words: usize,
    /// Samples beside the greedy continuation.
    pub n_samples: u32,
    /// How samples are drawn; `max_tokens` bounds the greedy continuation too.
    pub settings: Settings,
    /// Sample i is drawn with this seed + i.
    pub seed: u64,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recital {
    /// What the model was given.
    pub prompt: String,
    /// What follows in the text, as far as the model could have gone in so many tokens.
    pub reference: String,
    /// Words of it.
    pub n_reference_words: usize,
    /// Always the most probable token.
    pub greedy: Attempt,
    /// Drawn.
    pub samples: Vec<Attempt>,
}

/// One continuation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its seed; null where nothing was drawn.
    pub seed: Option<u64>,
    /// What the model wrote.
    pub text: String,
    /// How many words it follows the text.
    pub n_words_recited: usize,
    /// Bytes of `text` until it leaves the text: what comes before was recited.
    pub left_at: usize,
    /// The word that the text has there; null where the model got to the end.
    pub expected: Option<String>,
    /// The word that the model has there; null where it stopped.
    pub written: Option<String>,
}

/// Asks a model for a text.
///
/// # Errors
/// [`Error::TooShort`] where the text has no word beyond the prompt, [`Error::Generate`] where the model cannot be asked, [`Error::Cancelled`] where the observer
/// asked to stop.
pub fn recite(
    model: &Arc<Gpt2>,
    tokenizer: &Arc<Tokenizer>,
    text: &str,
    options: &ReciteOptions,
    observer: &dyn Observer,
) -> Result<Recital, Error> {
    let words = Words::of(text);
    if options.n_prompt_words == 0 || words.len() <= options.n_prompt_words {
        return Err(Error::TooShort { n_words: words.len(), needed: options.n_prompt_words + 1 });
    }
    let (prompt, rest) = text.split_at(words.bytes_of(options.n_prompt_words - 1).end);
    let rest_ids = tokenizer.encode(rest.as_bytes());
    let prompt_ids = tokenizer.encode(prompt.as_bytes());
    // No more than the text has, nor than the model can see at once.
    let room = model.config().n_ctx.saturating_sub(prompt_ids.len()).max(1);
    let max_tokens = options.settings.max_tokens.min(rest_ids.len()).min(room);
    let reference_bytes: usize = rest_ids[..max_tokens].iter().filter_map(|&id| tokenizer.token_bytes(id)).map(<[u8]>::len).sum();
    let reference = String::from_utf8_lossy(&rest.as_bytes()[..reference_bytes.min(rest.len())]).into_owned();
    let settings = Settings { max_tokens, ..options.settings.clone() };

    let mut engine = Engine::new(Arc::clone(model), Arc::clone(tokenizer), EngineOptions::default())?;
    let greedy = Settings { temperature: Temperature::GREEDY, ..settings.clone() };
    let greedy = engine.submit(Request::new(prompt_ids.clone(), greedy, 0))?;
    if let Some(n_samples) = NonZeroU32::new(options.n_samples) {
        engine.submit(Request { n_samples, ..Request::new(prompt_ids, settings, options.seed) })?;
    }
    let mut found: Vec<(Option<u32>, Completion)> = Vec::new();
    let n_all = u64::from(options.n_samples) + 1;
    while !engine.is_idle() {
        if observer.cancelled() {
            return Err(Error::Cancelled);
        }
        for event in engine.step() {
            match event {
                Event::Finished { request, sample, completion } => found.push(((request != greedy).then_some(sample), *completion)),
                Event::Failed { error, .. } => return Err(error.into()),
                Event::Token { .. } => {}
            }
        }
        observer.progress(Progress { stage: "reciting", done: found.len() as u64, total: Some(n_all), unit: "texts" });
    }
    found.sort_by_key(|(sample, _)| *sample);
    let expected = Words::of(&reference);
    let mut attempts =
        found.into_iter().map(|(sample, c)| attempt(c.text, sample.map(|_| c.seed), &expected)).collect::<Vec<_>>().into_iter();
    let greedy = attempts.next().expect("the greedy request ended or failed");
    Ok(Recital { prompt: prompt.to_owned(), reference, n_reference_words: expected.len(), greedy, samples: attempts.collect() })
}

fn attempt(text: String, seed: Option<u64>, expected: &Words) -> Attempt {
    let written = Words::of(&text);
    let n = (0..expected.len().min(written.len())).take_while(|&i| expected.slice(i, 1) == written.slice(i, 1)).count();
    let left_at = if n == 0 { 0 } else { written.bytes_of(n - 1).end };
    let word = |words: &Words| (n < words.len()).then(|| words.slice(n, 1).to_owned());
    let (expected, written) = (word(expected), word(&written));
    Attempt { seed, text, n_words_recited: n, left_at, expected, written }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_continuation_is_recited_up_to_its_first_other_word() {
        let expected = Words::of("in Liberty, and dedicated to");
        let check = |text: &str, n: usize, left_at: usize, words: (Option<&str>, Option<&str>)| {
            let found = attempt(text.to_owned(), None, &expected);
            assert_eq!((found.n_words_recited, found.left_at), (n, left_at), "{text}");
            assert_eq!((found.expected.as_deref(), found.written.as_deref()), words, "{text}");
        };
        check(" IN liberty -- and so on", 3, 18, (Some("dedicated"), Some("so")));
        check("in Liberty", 2, 10, (Some("and"), None));
        check("in Liberty, and dedicated to the", 5, 28, (None, Some("the")));
        check("never", 0, 0, (Some("in"), Some("never")));
        check("", 0, 0, (Some("in"), None));
    }

    #[test]
    fn the_address_is_whole() {
        let words = Words::of(GETTYSBURG);
        assert_eq!(words.slice(0, 6), "four score and seven years ago");
        assert!(words.text().ends_with("shall not perish from the earth"));
        assert!((266..=274).contains(&words.len()), "{} words", words.len());
    }
}
