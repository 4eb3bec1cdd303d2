//! From a configuration to a run: tokenizer, data, model and what is written beside the checkpoints.
//!
//! In: a [`TrainConfig`] and a device. Out: a trained model in the run's folder. Everything that the loop leaves to its caller is done here for a GPT-2 on the CPU:
//! texts are tokenised once, the model begins at random or from a checkpoint, samples are drawn by ovid-generate, the newest model is a Hugging Face folder with its tokenizer.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ovid_bpe::Tokenizer;
use ovid_generate::{Engine, Event as Drawn, Options, Request, Settings};
use ovid_io::{Dtype, Observer, Silent};
use ovid_model::{Config, Cpu, Gpt2, Params, TrainModel, load_params, save_hf};

use crate::config::TrainConfig;
use crate::data::{Corpus, shard_texts};
use crate::metrics::SampleRow;
use crate::run::{Event, Hooks, Outcome, Run, train};
use crate::{Bytes, Collective, Error, measure_peak};

/// Trains a GPT-2 as `config` says, or goes on with the run that its folder holds. `show` is told what happens. Where the machine's peak is not given, it is measured.
///
/// # Errors
/// If the configuration, the data, the tokenizer or a checkpoint is wrong, a file cannot be written, or training had to stop; checkpoints written before remain.
pub fn launch(
    config: &TrainConfig,
    device: &Cpu,
    collective: &dyn Collective<Cpu>,
    peak_operations_per_s: Option<f64>,
    observer: &dyn Observer,
    show: &mut dyn FnMut(&Event<'_>),
) -> Result<Outcome, Error> {
    config.check()?;
    let n_threads = device.pool().n_threads();
    let tokenizer = tokenizer(config, show)?.map(Arc::new);
    let mut folders = config.data.clone();
    if !config.text.is_empty() {
        let Some(tokenizer) = &tokenizer else {
            return Err(Error::config("tokenizer", "needed to read text: give the folder of one, or a model that has one as from"));
        };
        folders.push(shard_texts(&config.text, tokenizer, &config.out.join("tokens"), n_threads, observer)?);
    }
    let corpus = Corpus::open(&folders, &config.weights)?;
    let start = config.from.as_ref().map(|path| load_params(path, observer)).transpose()?;
    let shape = shape(config, start.as_ref(), &corpus, tokenizer.as_deref())?;
    let dtype = config.precision.dtype();
    // The checkpoint's shape wins, and what is written beside the result says what was trained.
    let resolved = TrainConfig {
        n_layer: shape.n_layer,
        n_head: shape.n_head,
        n_embd: shape.n_embd,
        n_ctx: shape.n_ctx,
        vocab_size: Some(shape.vocab_size),
        bias: shape.bias,
        context: Some(config.context.unwrap_or(shape.n_ctx)),
        ..config.clone()
    };
    // Each part has its own handle of the processor; the threads of those that wait sleep.
    let another = || Cpu::with_unit(n_threads, device.unit()).map_err(Error::from);
    let mut model = TrainModel::new(shape.clone(), another()?, dtype)?;
    let mut hooks = Gpt2Hooks { config: &resolved, shape: &shape, another: &another, tokenizer: tokenizer.clone(), show };
    let peak = peak_operations_per_s.map_or_else(|| measure_peak(device, dtype), Ok)?;
    let run = Run {
        config: &resolved,
        corpus: &corpus,
        bytes: bytes(tokenizer.as_deref(), &corpus),
        collective,
        device,
        operations_per_token: operations_per_token(&shape, resolved.context()),
        peak_operations_per_s: Some(peak),
        observer,
    };
    let initial = || match start {
        Some(params) => Ok(params.values),
        None => Ok(TrainModel::new(shape.clone(), another()?, dtype)?.init(config.seed)?.to_vec()),
    };
    train(&run, &mut model, initial, &mut hooks)
}

/// The tokenizer of the configuration, or of the model that is trained further; a model without one is no fault.
fn tokenizer(config: &TrainConfig, show: &mut dyn FnMut(&Event<'_>)) -> Result<Option<Tokenizer>, Error> {
    match (&config.tokenizer, &config.from) {
        (Some(path), _) => Ok(Some(Tokenizer::load(path)?)),
        (None, Some(path)) => match Tokenizer::load(path) {
            Ok(tokenizer) => Ok(Some(tokenizer)),
            Err(error) => {
                show(&Event::Note(&format!("the model brings no tokenizer: {error}")));
                Ok(None)
            }
        },
        (None, None) => Ok(None),
    }
}

/// The shape of the model: the checkpoint's, or that of the configuration over the data's vocabulary.
fn shape(config: &TrainConfig, start: Option<&Params>, corpus: &Corpus, tokenizer: Option<&Tokenizer>) -> Result<Config, Error> {
    let mut shape = if let Some(params) = start {
        params.config.clone()
    } else {
        let vocab_size = config.vocab_size.unwrap_or(corpus.vocab_size);
        Config { bias: config.bias, ..Config::new(vocab_size, config.n_ctx, config.n_embd, config.n_layer, config.n_head) }
    };
    if corpus.vocab_size > shape.vocab_size {
        let cause = format!("the data have {} tokens, the model {}", corpus.vocab_size, shape.vocab_size);
        return Err(Error::config("vocab_size", cause));
    }
    if let Some(tokenizer) = tokenizer.filter(|t| t.vocab_size() != corpus.vocab_size) {
        let cause = format!("the tokenizer has {} tokens, the one that made the data {}", tokenizer.vocab_size(), corpus.vocab_size);
        return Err(Error::config("tokenizer", cause));
    }
    if let Some(context) = config.context.filter(|context| *context > shape.n_ctx) {
        return Err(Error::config("context", format!("{context} is more than the {} positions of the model", shape.n_ctx)));
    }
    (shape.embd_pdrop, shape.attn_pdrop, shape.resid_pdrop) = (config.dropout, config.dropout, config.dropout);
    if start.is_none() {
        (shape.bos_token_id, shape.eos_token_id) = (corpus.end_of_text, corpus.end_of_text);
    }
    Ok(shape)
}

fn bytes(tokenizer: Option<&Tokenizer>, corpus: &Corpus) -> Bytes {
    match tokenizer {
        Some(tokenizer) => {
            let of = |id| match tokenizer.token_bytes(id) {
                Some(bytes) if Some(id) != corpus.end_of_text => bytes.len() as u32,
                _ => 0,
            };
            Bytes::Each((0..tokenizer.vocab_size() as u32).map(of).collect())
        }
        None => corpus.train_bytes_per_token().map_or(Bytes::Unknown, Bytes::Mean),
    }
}

/// Operations of forward and backward for a token: 6N + 12LTd (Chowdhery et al. 2022, appendix B), N without the position embedding, as nanoGPT counts.
pub fn operations_per_token(shape: &Config, context: usize) -> f64 {
    let n = shape.n_params() - shape.n_ctx * shape.n_embd;
    6.0 * n as f64 + 12.0 * (shape.n_layer * shape.n_embd * context) as f64
}

struct Gpt2Hooks<'a> {
    config: &'a TrainConfig,
    shape: &'a Config,
    another: &'a dyn Fn() -> Result<Cpu, Error>,
    tokenizer: Option<Arc<Tokenizer>>,
    show: &'a mut dyn FnMut(&Event<'_>),
}

impl Hooks for Gpt2Hooks<'_> {
    fn event(&mut self, event: &Event<'_>) {
        (self.show)(event);
    }

    fn export(&mut self, params: &[f32], folder: &Path) -> Result<(), Error> {
        let params = Params { config: self.shape.clone(), values: params.to_vec() };
        save_hf(folder, &params, Dtype::F32, &Silent)?;
        if let Some(tokenizer) = &self.tokenizer {
            tokenizer.save_hf(folder)?;
        }
        Ok(())
    }

    /// One sample a prompt, the first with the run's seed; without prompts one from end-of-text.
    fn sample(&mut self, params: &[f32]) -> Result<Vec<SampleRow>, Error> {
        let Some(tokenizer) = self.tokenizer.clone() else { return Ok(Vec::new()) };
        let folder = SampleFolder::new(&self.config.out)?;
        self.export(params, &folder.0)?;
        let model = Gpt2::load(&folder.0, (self.another)()?, &Silent)?;
        let options = Options { n_positions: self.shape.n_ctx.next_multiple_of(16), ..Options::default() };
        let mut engine = Engine::new(Arc::new(model), Arc::clone(&tokenizer), options)?;
        let settings = Settings { max_tokens: self.config.sample_tokens, ..Settings::default() };
        let mut rows = Vec::new();
        let empty = [String::new()];
        let prompts: &[String] = if self.config.sample_prompts.is_empty() { &empty } else { &self.config.sample_prompts };
        for (i, prompt) in prompts.iter().enumerate() {
            let seed = self.config.seed.wrapping_add(i as u64);
            engine.submit(Request::new(tokenizer.encode(prompt.as_bytes()), settings.clone(), seed))?;
            while !engine.is_idle() {
                for event in engine.step() {
                    match event {
                        Drawn::Finished { completion, .. } => {
                            rows.push(SampleRow { step: 0, seed: completion.seed, prompt: prompt.clone(), text: completion.text });
                        }
                        Drawn::Failed { error, .. } => return Err(error.into()),
                        Drawn::Token { .. } => {}
                    }
                }
            }
        }
        Ok(rows)
    }
}

/// Where the model lies while it is read for sampling; taken away afterwards, and by the next start where a kill came between.
struct SampleFolder(PathBuf);

impl SampleFolder {
    fn new(out: &Path) -> Result<Self, Error> {
        let path = out.join(".sample.partial");
        std::fs::create_dir_all(&path).map_err(|cause| ovid_io::Error::io(&path, "make", cause))?;
        Ok(Self(path))
    }
}

impl Drop for SampleFolder {
    fn drop(&mut self) {
        // What stays is removed by the next start.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
