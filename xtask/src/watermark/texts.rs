//! Prompts from held-out documents, and what the built-in model makes of them with and without a watermark.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use ovid_bpe::Tokenizer;
use ovid_generate::sampling::Text;
use ovid_generate::{Completion, Engine, Event, Options, Request, Sampler, Settings};
use ovid_io::documents::{Documents, Limits};
use ovid_io::gguf::Gguf;
use ovid_io::{Mapped, Silent};
use ovid_model::{Cpu, Gpt2, Output, Segment, Want};
use ovid_stats::Draws;
use ovid_watermark::{Detector, Judgement, Key, Scheme, Watermark};
use sha2::{Digest as _, Sha256};

/// Tokens of a prompt.
pub const N_PROMPT: usize = 32;
/// Tokens of a continuation.
pub const N_NEW: usize = 200;
/// Texts that run side by side.
const SIDE_BY_SIDE: usize = 32;
/// Texts over which the entropy is averaged.
const N_ENTROPY: usize = 40;

/// The model and the prompts.
pub struct Ground {
    model: Arc<Gpt2>,
    tokenizer: Arc<Tokenizer>,
    prompts: Vec<Prompt>,
}

struct Prompt {
    source: String,
    ids: Vec<u32>,
    /// What the human wrote next.
    human: String,
}

/// A continuation.
pub struct Continued {
    prompt: usize,
    ids: Vec<u32>,
    pub text: String,
    /// Mean over tokens, under the model at temperature 1.
    pub loss_nats: f64,
}

impl Ground {
    /// The built-in model, and `n` prompts: as many from each source, in the order of their hashes.
    pub fn open(root: &Path, n: usize) -> Result<Self> {
        let file = Gguf::new(Mapped::from_static(ovid_mini::NAME, ovid_mini::GGUF))?;
        // One thread: this may run beside other work, and threads that wait for each other are slow there.
        let model = Arc::new(Gpt2::from_gguf(&file, Cpu::new(1), &Silent)?);
        let tokenizer = Arc::new(Tokenizer::from_gguf(&file)?);
        let corpus = root.join("../shared/data/corpus");
        let mut by_source: BTreeMap<String, BTreeMap<[u8; 32], Prompt>> = BTreeMap::new();
        for document in Documents::open(&[&corpus], Limits::default()).context("the corpus of ../shared is needed")? {
            let document = document?;
            if !document.is_validation() {
                continue;
            }
            let text = &document.text[..document.text.floor_char_boundary(6000)];
            let ids = tokenizer.encode(text.as_bytes());
            if ids.len() < N_PROMPT + N_NEW {
                continue;
            }
            let human = String::from_utf8_lossy(&tokenizer.decode(&ids[N_PROMPT..N_PROMPT + N_NEW])?).into_owned();
            let place = Sha256::digest(format!("{} {}", document.source, document.id)).into();
            let prompt = Prompt { source: document.source.clone(), ids: ids[..N_PROMPT].to_vec(), human };
            by_source.entry(document.source).or_default().insert(place, prompt);
        }
        let mut queues: Vec<_> = by_source.into_values().map(BTreeMap::into_values).collect();
        let mut prompts = Vec::new();
        while prompts.len() < n {
            let before = prompts.len();
            prompts.extend(queues.iter_mut().filter_map(Iterator::next));
            ensure!(prompts.len() > before, "the corpus has {before} held-out documents that are long enough, not {n}");
        }
        prompts.truncate(n);
        Ok(Self { model, tokenizer, prompts })
    }

    /// How many sources the prompts come from.
    pub fn n_sources(&self) -> usize {
        self.prompts.iter().map(|p| &p.source).collect::<BTreeSet<_>>().len()
    }

    /// What the human wrote where the i-th text goes on.
    pub fn human(&self, i: usize) -> &str {
        &self.prompts[i].human
    }

    /// Each prompt continued once, the i-th with seed i and key i.
    pub fn continued(&self, settings: &Settings, scheme: Option<Scheme>) -> Result<Vec<Continued>> {
        let requests = (0..self.prompts.len()).map(|i| (i, self.request(i, settings.clone(), scheme, i as u64, 1)));
        self.run(requests.collect())
    }

    /// The first prompts continued again and again by 100 tokens, under one key, by prompt.
    pub fn again(&self, settings: &Settings, scheme: Option<Scheme>, (n_prompts, times): (usize, usize)) -> Result<Vec<Vec<String>>> {
        let mut settings = settings.clone();
        (settings.min_tokens, settings.max_tokens) = (100, 100);
        let requests = (0..n_prompts).map(|i| (i, self.request(i, settings.clone(), scheme, 1000, times as u32)));
        let mut texts = vec![Vec::new(); n_prompts];
        for text in self.run(requests.collect())? {
            texts[text.prompt].push(text.text);
        }
        Ok(texts)
    }

    fn request(&self, i: usize, settings: Settings, scheme: Option<Scheme>, seed: u64, n_samples: u32) -> Request {
        Request {
            prompt: self.prompts[i].ids.clone(),
            settings,
            seed,
            n_samples: NonZeroU32::new(n_samples).unwrap_or(NonZeroU32::MIN),
            logprobs: Some(0),
            watermark: scheme.map(|scheme| Watermark::new(key(i), scheme)),
        }
    }

    fn run(&self, requests: Vec<(usize, Request)>) -> Result<Vec<Continued>> {
        let options = Options { n_positions: SIDE_BY_SIDE * 256, ..Options::default() };
        let mut engine = Engine::new(Arc::clone(&self.model), Arc::clone(&self.tokenizer), options)?;
        let asked = requests.into_iter().map(|(i, r)| Ok((engine.submit(r)?, i))).collect::<Result<BTreeMap<_, _>>>()?;
        let mut done = BTreeMap::new();
        while !engine.is_idle() {
            for event in engine.step() {
                match event {
                    Event::Token { .. } => {}
                    Event::Finished { request, sample, completion } => {
                        done.insert((request, sample), continued(asked[&request], *completion));
                    }
                    Event::Failed { error, .. } => return Err(error.into()),
                }
            }
        }
        Ok(done.into_values().collect())
    }

    /// The mean entropy of what the sampler drew from, in nats.
    pub fn entropy(&self, settings: &Settings, texts: &[Continued]) -> Result<f64> {
        let mut sampler = Sampler::new(Settings { min_tokens: 0, ..settings.clone() }, self.tokenizer.vocab_size(), None)?;
        let (mut sum, mut n) = (0.0, 0u32);
        for text in texts.iter().take(N_ENTROPY) {
            let ids = [&self.prompts[text.prompt].ids[..], &text.ids].concat();
            let mut kv = self.model.kv_pool(ids.len().next_multiple_of(16))?;
            let sequence = kv.sequence();
            let out = self.model.forward(&[Segment { sequence, tokens: &ids }], &mut kv, Want::AllLogits)?;
            let Output::Logits { vocab, values, .. } = out else { anyhow::bail!("the model gave no logits") };
            for (row, logits) in values.chunks_exact(vocab).enumerate().skip(N_PROMPT - 1).take(text.ids.len()) {
                let so_far = Text { ids: &ids[..=row], n_prompt: N_PROMPT };
                let kept = sampler.kept(&logits[..self.tokenizer.vocab_size()], so_far)?;
                sum -= kept.probabilities().filter(|(_, p)| *p > 0.0).map(|(_, p)| p * p.ln()).sum::<f64>();
                n += 1;
            }
        }
        Ok(sum / f64::from(n))
    }

    /// What key i says of the first `n` tokens of a text.
    pub fn judged(&self, i: usize, scheme: Scheme, text: &str, n: usize) -> Judgement {
        let ids = self.tokenizer.encode(text.as_bytes());
        Detector::new(vec![Watermark::new(key(i), scheme)], super::FPR, 0).judge(&ids[..ids.len().min(n)], 0)
    }
}

fn continued(prompt: usize, completion: Completion) -> Continued {
    let logprobs = completion.logprobs.unwrap_or_default();
    let loss_nats = -logprobs.iter().map(|l| f64::from(l.logprob)).sum::<f64>() / logprobs.len() as f64;
    Continued { prompt, ids: completion.ids, text: completion.text, loss_nats }
}

fn key(i: usize) -> Arc<Key> {
    let draws = Draws::new(i as u64, 0);
    Arc::new(Key::new(std::array::from_fn(|byte| draws.u64_at(byte as u64) as u8), None))
}
