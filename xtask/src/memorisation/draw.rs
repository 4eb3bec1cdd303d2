//! Samples of the built-in model from the beginnings of held-out documents, and those documents' own continuations of the same length.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use ovid_bpe::Tokenizer;
use ovid_generate::{Engine, Event, ModelId, Options, Request, Settings};
use ovid_io::documents::{Documents, JsonLinesWriter, Limits};
use ovid_io::gguf::Gguf;
use ovid_io::{Mapped, Silent, digest};
use ovid_model::{Cpu, Gpt2};
use ovid_overlap::Words;
use serde::Serialize;

/// Tokens of a document that the model is given.
pub const PROMPT_TOKENS: usize = 64;
/// Tokens that it writes at most.
pub const CONTINUATION_TOKENS: usize = 128;
/// A pair of fewer words has too few 8-grams to say anything.
const LEAST_WORDS: usize = 32;

/// The kinds of text by which the page tells sources apart.
pub const KINDS: &[&str] = &["encyclopaedia", "web, manuals and textbooks", "books and speeches", "dialogue"];

/// A sample and what the document has in its place, in as many words.
pub struct Pair {
    pub source: String,
    id: String,
    prompt: String,
    human: String,
    sample: String,
    seed: u64,
    model: ModelId,
}

/// The kind of a source's text.
pub fn kind(source: &str) -> &'static str {
    match source {
        s if s.starts_with("wikipedia") || s == "factbook" => KINDS[0],
        s if s.starts_with("dialogue") => KINDS[3],
        "classic_books" | "nltk" => KINDS[2],
        _ => KINDS[1],
    }
}

/// One pair for every held-out document of the corpus that is long enough, drawn with the paper's top-k of 40 and seed + i.
pub fn pairs(corpus: &Path, seed: u64) -> anyhow::Result<Vec<Pair>> {
    let file = Gguf::new(Mapped::from_static(ovid_mini::NAME, ovid_mini::GGUF))?;
    let tokenizer = Arc::new(Tokenizer::from_gguf(&file)?);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let model = Arc::new(Gpt2::from_gguf(&file, Cpu::new(threads), &Silent)?);
    let name = ModelId { name: ovid_mini::NAME.to_owned(), sha256: digest::sha256(ovid_mini::GGUF) };

    let mut engine = Engine::new(model, Arc::clone(&tokenizer), Options { n_positions: 16 * 1024, ..Options::default() })?;
    let settings = Settings { max_tokens: CONTINUATION_TOKENS, ..Settings::default() };
    let text_of = |ids: &[u32]| tokenizer.decode(ids).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let mut pairs = Vec::new();
    let mut requests = std::collections::HashMap::new();
    for document in Documents::open(&[corpus], Limits::default())? {
        let document = document?;
        if !document.is_validation() {
            continue;
        }
        // Enough characters for the tokens that are wanted; a book need not be read to its end.
        let most = 32 * (PROMPT_TOKENS + CONTINUATION_TOKENS);
        let beginning: String = document.text.chars().take(most).collect();
        let ids = tokenizer.encode(beginning.as_bytes());
        let Some(ids) = ids.get(..PROMPT_TOKENS + CONTINUATION_TOKENS) else { continue };
        let (prompt, human) = ids.split_at(PROMPT_TOKENS);
        let seed = seed + pairs.len() as u64;
        let request = engine.submit(Request::new(prompt.to_vec(), settings.clone(), seed))?;
        requests.insert(request, pairs.len());
        let (prompt, human) = (text_of(prompt)?, text_of(human)?);
        pairs.push(Pair { source: document.source, id: document.id, prompt, human, sample: String::new(), seed, model: name.clone() });
    }
    while !engine.is_idle() {
        for event in engine.step() {
            match event {
                Event::Finished { request, completion, .. } => {
                    let pair = requests.get(&request).context("an answer to a request that nobody made")?;
                    pairs[*pair].sample = completion.text;
                }
                Event::Failed { error, .. } => return Err(error.into()),
                Event::Token { .. } => {}
            }
        }
    }
    Ok(pairs.into_iter().filter_map(Pair::of_equal_length).collect())
}

impl Pair {
    /// Both sides cut to the words of the shorter one; `None` where they are too few.
    fn of_equal_length(mut self) -> Option<Self> {
        let n = Words::of(&self.human).len().min(Words::of(&self.sample).len());
        if n < LEAST_WORDS {
            return None;
        }
        self.human = first_words(&self.human, n);
        self.sample = first_words(&self.sample, n);
        Some(self)
    }
}

/// A text up to the end of its n-th word.
pub fn first_words(text: &str, n: usize) -> String {
    let words = Words::of(text);
    let n = n.min(words.len());
    if n == 0 { String::new() } else { text[..words.bytes_of(n - 1).end].to_owned() }
}

#[derive(Serialize)]
struct Line<'a> {
    source: &'a str,
    id: &'a str,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a ModelId>,
}

/// Writes both sides, document by document in the same order.
pub fn write<'a>(pairs: impl Iterator<Item = &'a Pair>, real: &Path, samples: &Path) -> anyhow::Result<()> {
    let (mut real, mut samples) = (JsonLinesWriter::create(real)?, JsonLinesWriter::create(samples)?);
    for pair in pairs {
        let human = Line { source: &pair.source, id: &pair.id, text: &pair.human, prompt: None, seed: None, model: None };
        real.write(&human)?;
        let (prompt, seed, model) = (Some(pair.prompt.as_str()), Some(pair.seed), Some(&pair.model));
        samples.write(&Line { text: &pair.sample, prompt, seed, model, ..human })?;
    }
    real.finish()?;
    samples.finish()?;
    Ok(())
}
