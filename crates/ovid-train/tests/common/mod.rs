//! A model small enough to train in a blink, data for it, and a run over both.
#![allow(dead_code, reason = "each test file takes what it needs")]

use std::path::{Path, PathBuf};

use ovid_io::npy::{TokenWriter, Width};
use ovid_io::shards::{Manifest, Shard, Split};
use ovid_io::{Observer, Silent};
use ovid_kernels::Aligned;
use ovid_model::{Cpu, DropoutKey, Parameter};
use ovid_train::data::Corpus;
use ovid_train::{Bytes, Error, Hooks, Model, NO_TARGET, OneRank, Outcome, Run, TrainConfig, train};

pub const VOCAB: usize = 17;
pub const END_OF_TEXT: u32 = 16;
const WIDTH: usize = 6;

/// Next-token logits from the last token alone: W·E[token] + b. The gradient is written out by hand.
pub struct Bigram {
    parameters: Vec<Parameter>,
    params: Vec<f32>,
    /// Calls, from 1, whose loss is not a number.
    broken_calls: std::ops::Range<u64>,
    calls: u64,
}

impl Bigram {
    pub fn new() -> Self {
        let tensor = |name: &str, shape: Vec<usize>, offset, decay| Parameter {
            name: name.to_owned(),
            range: offset..offset + shape.iter().product::<usize>(),
            shape,
            decay,
        };
        let (e, w) = (VOCAB * WIDTH, WIDTH * VOCAB);
        let parameters = vec![
            tensor("e", vec![VOCAB, WIDTH], 0, true),
            tensor("w", vec![WIDTH, VOCAB], e, true),
            tensor("b", vec![VOCAB], e + w, false),
        ];
        Self { parameters, params: Vec::new(), broken_calls: 0..0, calls: 0 }
    }

    pub fn broken_in(calls: std::ops::Range<u64>) -> Self {
        Self { broken_calls: calls, ..Self::new() }
    }

    pub fn initial(seed: u64) -> Vec<f32> {
        let draws = ovid_stats::Draws::new(seed, 0);
        (0..2 * VOCAB * WIDTH + VOCAB).map(|i| draws.normal_at(i as u64) as f32 * 0.3).collect()
    }

    fn run(params: &[f32], tokens: &[u32], targets: &[u32], mut grads: Option<(&mut [f32], f32)>) -> f64 {
        let (e, rest) = params.split_at(VOCAB * WIDTH);
        let (w, b) = rest.split_at(WIDTH * VOCAB);
        let mut loss = 0.0;
        for (&token, &target) in tokens.iter().zip(targets).filter(|(_, target)| **target != NO_TARGET) {
            let x = &e[token as usize * WIDTH..][..WIDTH];
            let logits: Vec<f32> = (0..VOCAB).map(|j| b[j] + (0..WIDTH).map(|k| x[k] * w[k * VOCAB + j]).sum::<f32>()).collect();
            let total: f32 = logits.iter().map(|l| l.exp()).sum();
            loss += f64::from(total.ln() - logits[target as usize]);
            let Some((grads, scale)) = &mut grads else { continue };
            for j in 0..VOCAB {
                let d = (logits[j].exp() / total - f32::from(u8::from(j == target as usize))) * *scale;
                grads[2 * VOCAB * WIDTH + j] += d;
                for k in 0..WIDTH {
                    grads[VOCAB * WIDTH + k * VOCAB + j] += d * x[k];
                    grads[token as usize * WIDTH + k] += d * w[k * VOCAB + j];
                }
            }
        }
        loss
    }
}

impl Model<Cpu> for Bigram {
    fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    fn set_params(&mut self, params: &Aligned) -> Result<(), Error> {
        self.params = params.to_vec();
        Ok(())
    }

    fn step(
        &mut self,
        tokens: &[u32],
        targets: &[u32],
        _: usize,
        _: Option<DropoutKey>,
        scale: f32,
        grads: &mut Aligned,
    ) -> Result<f64, Error> {
        self.calls += 1;
        let loss = Self::run(&self.params, tokens, targets, Some((grads, scale)));
        Ok(if self.broken_calls.contains(&self.calls) { f64::NAN } else { loss })
    }

    fn loss(&mut self, tokens: &[u32], targets: &[u32], _: usize) -> Result<f64, Error> {
        Ok(Self::run(&self.params, tokens, targets, None))
    }
}

/// A folder of shards: documents whose tokens count up from a drawn one, so that there is something to learn.
pub fn shards(folder: &Path, train: &[&[u32]], validation: &[&[u32]]) -> PathBuf {
    std::fs::create_dir_all(folder).unwrap();
    let mut manifest = Manifest::new(VOCAB as u32, ovid_io::digest::sha256(b"no tokenizer"), Some(END_OF_TEXT));
    for (name, split, arrays) in [("train", Split::Train, train), ("validation", Split::Validation, validation)] {
        for (i, ids) in arrays.iter().enumerate() {
            let file = format!("{name}-{i}.npy");
            let mut out = TokenWriter::create(&folder.join(&file), Width::U16).unwrap();
            out.write(ids).unwrap();
            let n_tokens = out.finish().unwrap();
            let sha256 = ovid_io::digest::sha256_file(&folder.join(&file), &Silent).unwrap();
            manifest.shards.push(Shard { file, split, n_tokens, n_documents: 1, n_bytes: 2 * n_tokens, sha256 });
        }
    }
    manifest.save(folder).unwrap();
    folder.to_owned()
}

/// Documents of drawn lengths, each token the one before plus 1 or 2.
pub fn documents(seed: u64, n_documents: u64, longest: u64) -> Vec<u32> {
    let draws = ovid_stats::Draws::new(seed, 1);
    let mut ids = Vec::new();
    for d in 0..n_documents {
        let mut token = draws.below_at(d, 16) as u32;
        for i in 0..=draws.below_at(1000 + d, longest) {
            ids.push(token);
            token = (token + 1 + draws.below_at(10_000 + d * 1000 + i, 2) as u32) % 16;
        }
        ids.push(END_OF_TEXT);
    }
    ids
}

pub fn config(out: &Path, data: PathBuf) -> TrainConfig {
    TrainConfig {
        out: out.to_owned(),
        data: vec![data],
        n_ctx: 16,
        n_embd: 12,
        batch_size: 4,
        accumulation: 2,
        steps: 60,
        warmup_steps: 5,
        learning_rate: 3e-2,
        min_learning_rate: 3e-3,
        log_every: 3,
        validate_every: 10,
        checkpoint_every: 10,
        sample_every: 20,
        ..TrainConfig::default()
    }
}

/// Trains the small model as `config` says.
pub fn run(
    config: &TrainConfig,
    model: &mut Bigram,
    hooks: &mut dyn Hooks,
    observer: &dyn Observer,
    n_threads: usize,
) -> Result<Outcome, Error> {
    let corpus = Corpus::open(&config.data, &config.weights)?;
    let run = Run {
        config,
        corpus: &corpus,
        bytes: Bytes::Mean(2.0),
        collective: &OneRank,
        device: &Cpu::new(n_threads),
        operations_per_token: 1.0,
        peak_operations_per_s: None,
        observer,
    };
    train(&run, model, || Ok(Bigram::initial(config.seed)), hooks)
}

/// The bytes that two equal runs agree in: the last checkpoint, the metrics, the curve.
pub fn result(out: &Path) -> Vec<(String, Vec<u8>)> {
    let mut names: Vec<PathBuf> =
        ["metrics.jsonl", "samples.jsonl", "loss.csv", "loss.svg", "model/params"].iter().map(|n| out.join(n)).collect();
    names.extend(ovid_train::checkpoint::list(out).unwrap().into_iter().map(|(_, path)| path.join("state.safetensors")));
    names.into_iter().map(|path| (path.strip_prefix(out).unwrap().display().to_string(), std::fs::read(&path).unwrap())).collect()
}
