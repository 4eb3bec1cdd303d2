//! Human texts with the model's own beside them: the same prompt, the same length, so that the two differ in who wrote on and in nothing else.
//!
//! A document is entered every prompt and continuation; what the human wrote next is the human text, what the model wrote next the machine text. The prompt is in neither.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ovid_bpe::Tokenizer;
use ovid_generate::sampling::{Temperature, TopK, TopP};
use ovid_generate::{Engine, Event, Options, Request, Settings};
use ovid_io::documents::{Documents, JsonLinesWriter, Limits};
use ovid_io::{Observer, Progress};
use ovid_model::Gpt2;
use serde::Serialize;

use crate::{Error, clean};

/// What is taken from which documents.
#[derive(Clone, Debug)]
pub struct Pairs {
    /// Files and folders of human documents.
    pub documents: Vec<PathBuf>,
    /// Which of them, by the project's split between training and validation.
    pub split: Split,
    /// Tokens of a prompt.
    pub prompt_tokens: usize,
    /// Tokens of a continuation, at most; never more than the model's context leaves.
    pub new_tokens: usize,
    /// Pairs of one document, at most.
    pub per_document: usize,
    /// Pairs of one source, at most.
    pub per_source: usize,
    /// Pair i is drawn with seed + i.
    pub seed: u64,
}

/// A side of the split between training and validation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Documents held out from training.
    HeldOut,
    /// Documents for training.
    Training,
    /// All.
    All,
}

impl std::str::FromStr for Split {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "held-out" => Ok(Self::HeldOut),
            "training" => Ok(Self::Training),
            "all" => Ok(Self::All),
            _ => Err("the splits are held-out, training and all"),
        }
    }
}

/// One line of either file.
#[derive(Serialize)]
struct Line<'a> {
    text: &'a str,
    id: &'a str,
    domain: &'a str,
    sampler: &'a str,
}

struct Pair {
    prompt: Vec<u32>,
    human: String,
    n_tokens: usize,
    id: String,
    domain: String,
}

/// Texts that are drawn side by side.
const SIDE_BY_SIDE: usize = 32;
/// Shorter continuations are no text.
const LEAST_TOKENS: usize = 30;

/// The samplers, each for every fourth pair.
pub fn samplers() -> [(&'static str, Settings); 4] {
    let plain = || Settings { top_k: None, ..Settings::default() };
    let number = "the numbers are in range";
    [
        ("temperature 1", plain()),
        ("top-k 40", Settings { top_k: NonZeroU32::new(40).map(TopK), ..plain() }),
        ("top-p 0.9", Settings { top_p: Some(TopP::new(0.9).expect(number)), ..plain() }),
        ("temperature 0.7", Settings { temperature: Temperature::new(0.7).expect(number), ..plain() }),
    ]
}

impl Pairs {
    /// Writes `human.jsonl` and `machine.jsonl` into `folder`. Returns how many pairs.
    ///
    /// # Errors
    /// If a document cannot be read, the model fails, a file cannot be written, or the observer cancels.
    pub fn write(&self, model: &Arc<Gpt2>, tokenizer: &Arc<Tokenizer>, folder: &Path, observer: &dyn Observer) -> Result<usize, Error> {
        let pairs = self.pairs(model, tokenizer)?;
        if pairs.is_empty() {
            return Err(Error::TooFew { what: "documents".to_owned(), n: 0, least: 1 });
        }
        let samplers = samplers();
        let failed = |e: ovid_generate::Error| Error::Generate(e);
        let context = model.config().n_ctx;
        let options = Options { n_positions: SIDE_BY_SIDE * context, ..Options::default() };
        let mut engine = Engine::new(Arc::clone(model), Arc::clone(tokenizer), options).map_err(failed)?;
        let mut asked = HashMap::new();
        for (i, pair) in pairs.iter().enumerate() {
            let settings = Settings { max_tokens: pair.n_tokens, ..samplers[i % samplers.len()].1.clone() };
            let id = engine.submit(Request::new(pair.prompt.clone(), settings, self.seed.wrapping_add(i as u64))).map_err(failed)?;
            asked.insert(id, i);
        }
        let mut drawn: Vec<Option<String>> = pairs.iter().map(|_| None).collect();
        let mut n_done = 0;
        while !engine.is_idle() {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            for event in engine.step() {
                match event {
                    Event::Finished { request, completion, .. } => {
                        if let Some(&i) = asked.get(&request) {
                            drawn[i] = Some(completion.text);
                        }
                        n_done += 1;
                        observer.progress(Progress { stage: "drawing", done: n_done, total: Some(pairs.len() as u64), unit: "texts" });
                    }
                    Event::Failed { error, .. } => return Err(Error::Generate(error)),
                    Event::Token { .. } => {}
                }
            }
        }
        std::fs::create_dir_all(folder).map_err(|e| ovid_io::Error::io(folder, "make", e))?;
        let mut human = JsonLinesWriter::create(&folder.join("human.jsonl"))?;
        let mut machine = JsonLinesWriter::create(&folder.join("machine.jsonl"))?;
        for (i, (pair, text)) in pairs.iter().zip(&drawn).enumerate() {
            let Some(text) = text else { continue };
            let Pair { id, domain, .. } = pair;
            human.write(&Line { text: &pair.human, id, domain, sampler: "human" })?;
            machine.write(&Line { text, id, domain, sampler: samplers[i % samplers.len()].0 })?;
        }
        human.finish()?;
        machine.finish()?;
        Ok(pairs.len())
    }

    fn pairs(&self, model: &Gpt2, tokenizer: &Tokenizer) -> Result<Vec<Pair>, Error> {
        let new_tokens = self.new_tokens.min(model.config().n_ctx.saturating_sub(self.prompt_tokens));
        let mut of_source: BTreeMap<String, usize> = BTreeMap::new();
        let mut pairs = Vec::new();
        for document in Documents::open(&self.documents, Limits::default())? {
            let document = document?;
            let taken = of_source.entry(document.source.clone()).or_default();
            let is_wanted = match self.split {
                Split::HeldOut => document.is_validation(),
                Split::Training => !document.is_validation(),
                Split::All => true,
            };
            if !is_wanted || *taken >= self.per_source {
                continue;
            }
            // What a document can give at most, and a little more, is read of it.
            let most = self.per_document.saturating_mul(self.prompt_tokens + new_tokens).saturating_mul(16);
            let text = clean(&document.text[..document.text.floor_char_boundary(most)]);
            let ids = tokenizer.encode(text.as_bytes());
            for piece in ids.chunks(self.prompt_tokens + new_tokens).take(self.per_document.min(self.per_source - *taken)) {
                if piece.len() < self.prompt_tokens + LEAST_TOKENS {
                    break;
                }
                let (prompt, next) = piece.split_at(self.prompt_tokens);
                let bytes: Vec<u8> = next.iter().filter_map(|id| tokenizer.token_bytes(*id)).flatten().copied().collect();
                let Ok(human) = String::from_utf8(bytes) else { continue };
                *taken += 1;
                let id = format!("{} {}", document.source, document.id);
                pairs.push(Pair { prompt: prompt.to_vec(), human, n_tokens: next.len(), id, domain: document.source.clone() });
            }
        }
        Ok(pairs)
    }
}
