//! Which samples look memorised? The metrics of Carlini et al. 2021, "Extracting Training Data from Large Language Models", section 5, each candidate held against
//! the exact index of the training text.
//!
//! Every metric is made so that greater is more suspicious, as the paper ranks them. Perplexities are over the whole sample after end-of-text.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use ovid_bpe::Tokenizer;
use ovid_io::{Observer, Progress};
use ovid_model::Gpt2;
use ovid_overlap::{Index, SetDocument, Words, spans};
use serde::{Deserialize, Serialize};

use crate::{DocumentScore, Error, Options, Place, Scorer};

/// Tokens of the sliding window.
const WINDOW: usize = 50;

/// What is said of one sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Extraction {
    /// The sample's source.
    pub source: String,
    /// Its id.
    pub id: String,
    /// Tokens.
    pub n_tokens: usize,
    /// Perplexity under the model.
    pub perplexity: f64,
    /// Bytes of the text after zlib at its default level.
    pub zlib_bytes: usize,
    /// Perplexity of the text in lower case.
    pub lowercase_perplexity: f64,
    /// Perplexity under the small model, where there is one.
    pub small_perplexity: Option<f64>,
    /// The least perplexity of 50 tokens in a row (of the whole, where it is shorter).
    pub window_perplexity: f64,
    /// The metrics; null where one has no value (a perplexity of 1).
    pub metrics: Metrics,
    /// What the exact index says, where one was given.
    pub overlap: Option<Confirmed>,
}

/// Greater is more suspicious.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// -ln of the perplexity.
    pub perplexity: f64,
    /// Bytes after zlib by the logarithm of the perplexity.
    pub zlib_ratio: Option<f64>,
    /// The logarithm of the lower-case text's perplexity by that of the text's.
    pub lowercase_ratio: Option<f64>,
    /// The logarithm of the small model's perplexity by that of the model's.
    pub small_model_ratio: Option<f64>,
    /// -ln of the window's perplexity.
    pub window: f64,
}

/// How much of a sample stands in the training text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Confirmed {
    /// N-grams of the sample.
    pub n_grams: usize,
    /// Those in the index.
    pub hits: usize,
    /// Words of the longest run that stands in one training document.
    pub longest_span_words: usize,
    /// That run.
    pub longest_span: Option<String>,
    /// The training document that it stands in: source.
    pub train_source: Option<String>,
    /// The training document that it stands in: id.
    pub train_id: Option<String>,
}

/// A model with its tokenizer.
pub type Judge<'a> = (&'a Gpt2, &'a Tokenizer);

/// Works the metrics out for each sample; samples without a token are left out, and said to the observer.
///
/// # Errors
/// Those of the scorer.
pub fn extraction(
    samples: &[SetDocument],
    model: Judge<'_>,
    small: Option<Judge<'_>>,
    index: Option<&Index>,
    observer: &dyn Observer,
) -> Result<Vec<Extraction>, Error> {
    let samples: Vec<&SetDocument> = samples.iter().filter(|s| !s.text.is_empty()).collect();
    let scores = score(&samples, model, "scoring", str::to_owned, observer)?;
    let lower = score(&samples, model, "scoring in lower case", str::to_lowercase, observer)?;
    let small = small.map(|small| score(&samples, small, "scoring with the small model", str::to_owned, observer)).transpose()?;
    let mut found = Vec::with_capacity(samples.len());
    for (i, (sample, score)) in samples.iter().zip(&scores).enumerate() {
        let (Some(perplexity), Some(lowercase_perplexity)) = (score.perplexity, lower[i].perplexity) else {
            observer.note(&format!("left out: sample {} {} has nothing to score", sample.source, sample.id));
            continue;
        };
        let small_perplexity = small.as_ref().and_then(|s| s[i].perplexity);
        let window_perplexity = window(score);
        let zlib_bytes = zlib_bytes(&sample.text);
        let over = |x: f64| Some(x / perplexity.ln()).filter(|r| r.is_finite());
        found.push(Extraction {
            source: sample.source.clone(),
            id: sample.id.clone(),
            n_tokens: score.n_scored,
            perplexity,
            zlib_bytes,
            lowercase_perplexity,
            small_perplexity,
            window_perplexity,
            metrics: Metrics {
                perplexity: -perplexity.ln(),
                zlib_ratio: over(zlib_bytes as f64),
                lowercase_ratio: over(lowercase_perplexity.ln()),
                small_model_ratio: small_perplexity.and_then(|p| over(p.ln())),
                window: -window_perplexity.ln(),
            },
            overlap: index.map(|index| confirm(index, &sample.text)),
        });
    }
    Ok(found)
}

fn score(
    samples: &[&SetDocument],
    (model, tokenizer): Judge<'_>,
    stage: &str,
    form: fn(&str) -> String,
    observer: &dyn Observer,
) -> Result<Vec<DocumentScore>, Error> {
    let mut scorer = Scorer::new(model, tokenizer, Options::new(model, tokenizer), observer)?;
    let mut scores = Vec::with_capacity(samples.len());
    for sample in samples {
        let place = Place { file: Some(sample.file.display().to_string()), line: Some(sample.line) };
        scores.extend(scorer.push(form(&sample.text).as_bytes(), place)?);
        observer.progress(Progress { stage, done: scores.len() as u64, total: Some(samples.len() as u64), unit: "samples" });
    }
    scores.extend(scorer.finish()?);
    Ok(scores)
}

fn window(score: &DocumentScore) -> f64 {
    let logprobs: Vec<f64> = score.tokens.iter().filter_map(|t| t.logprob).map(f64::from).collect();
    let n = WINDOW.min(logprobs.len()).max(1);
    let best = logprobs.windows(n).map(|w| w.iter().sum::<f64>() / n as f64).fold(f64::NEG_INFINITY, f64::max);
    (-best).exp()
}

fn zlib_bytes(text: &str) -> usize {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    let written = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
    written.expect("writing into memory cannot fail").len()
}

fn confirm(index: &Index, text: &str) -> Confirmed {
    let words = Words::of(text);
    let hits = index.hits(&words);
    let longest = spans(index, &words).into_iter().max_by_key(|s| s.n_words);
    let entry = longest.and_then(|s| index.document(s.place.document));
    let shown =
        |s: &ovid_overlap::Span| text[words.bytes_of(s.first_word).start..words.bytes_of(s.first_word + s.n_words - 1).end].to_owned();
    Confirmed {
        n_grams: hits.len(),
        hits: hits.iter().filter(|h| **h).count(),
        longest_span_words: longest.map_or(0, |s| s.n_words),
        longest_span: longest.as_ref().map(shown),
        train_source: entry.as_ref().map(|e| e.source.clone()),
        train_id: entry.map(|e| e.id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zlib_is_about_as_short_as_pythons() {
        // len(zlib.compress(text.encode())) of Python 3.11: 55 and 17. Another zlib may differ by a few bytes.
        let check = |text: &str, python: usize| assert!(zlib_bytes(text).abs_diff(python) <= 4, "{} for {python}", zlib_bytes(text));
        check("the quick brown fox jumps over the lazy dog. the end", 55);
        check(&"la ".repeat(200), 17);
    }
}
