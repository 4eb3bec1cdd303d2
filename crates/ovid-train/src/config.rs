//! The settings of a run: one flat table, so that every key of the TOML file is also a flag of the same name.
//!
//! In: a TOML file and a table of what was given on the command line, which wins. Out: a checked [`TrainConfig`], which is written beside the result.
//! The defaults are those of `impl Default for TrainConfig` and stand nowhere else; the optimiser's are GPT-2's as nanoGPT reproduced them.

use std::path::{Path, PathBuf};

use ovid_io::Dtype;
use serde::{Deserialize, Serialize};

use crate::Error;

/// How rows are taken from the data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Documents cut into pieces, shuffled, packed into one stream, its rows shuffled: every token once an epoch.
    #[default]
    Packed,
    /// Every row begins at a random place, as nanoGPT does.
    Windows,
}

/// Which rule turns gradients into steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Optimiser {
    /// Adam with decoupled weight decay (Loshchilov and Hutter 2019).
    #[default]
    Adamw,
    /// Orthogonalised momentum (Jordan et al. 2024) for the hidden matrices, `AdamW` for the rest.
    Muon,
}

/// How the learning rate falls after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decay {
    /// Half a cosine wave down to the minimum (Loshchilov and Hutter 2017).
    #[default]
    Cosine,
    /// A straight line down to the minimum.
    Linear,
    /// Not at all.
    Constant,
    /// Constant, then a straight line over the last `cooldown_steps` (warm-up, stable, decay: Hu et al. 2024).
    Wsd,
}

/// In which numbers matrices are multiplied; parameters, gradients and moments are f32 always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// f32.
    #[default]
    F32,
    /// bf16 factors, f32 sums: twice the speed where the processor has the instruction.
    Bf16,
}

impl Precision {
    /// The type of the factors.
    pub(crate) fn dtype(self) -> Dtype {
        match self {
            Self::F32 => Dtype::F32,
            Self::Bf16 => Dtype::BF16,
        }
    }
}

/// Everything that a run depends on. See the fields; the keys of the TOML file are their names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Folder of the run: checkpoints, metrics, figure, resolved configuration, the newest model.
    pub out: PathBuf,
    /// Folders of token shards (`ovid tokenize shard`).
    pub data: Vec<PathBuf>,
    /// Files or folders of JSON Lines or plain text, tokenised once into shards beside the run.
    pub text: Vec<PathBuf>,
    /// How often the training pieces of each entry of `data` (then of `text`, which counts as one) are seen in an epoch: 0.25 takes another quarter of them each
    /// time, 2 takes each twice. Empty means 1 for all.
    pub weights: Vec<f64>,
    /// Tokenizer folder or file; by default the one of `from`. Needed for `text`; with it, bits per byte are exact and the saved model carries it.
    pub tokenizer: Option<PathBuf>,
    /// Model to fine-tune; its shape wins over the keys below.
    pub from: Option<PathBuf>,

    /// Layers.
    pub n_layer: usize,
    /// Attention heads of a layer; divides `n_embd`.
    pub n_head: usize,
    /// Width.
    pub n_embd: usize,
    /// Positions that the model can see.
    pub n_ctx: usize,
    /// Tokens in the vocabulary; by default that of the data.
    pub vocab_size: Option<usize>,
    /// Biases in the linear layers and layer norms, as GPT-2 has them.
    pub bias: bool,
    /// Share of activations dropped while training, in the embedding, the attention and the residual.
    pub dropout: f32,

    /// How rows are taken from the data.
    pub order: Order,
    /// A document longer than this many contexts is cut into equal pieces no longer than that.
    pub piece_contexts: usize,
    /// Tokens of a row; by default `n_ctx`.
    pub context: Option<usize>,
    /// Rows of a micro-batch.
    pub batch_size: usize,
    /// Micro-batches of a step, over all ranks.
    pub accumulation: usize,
    /// Steps of the run.
    pub steps: u64,
    /// Seed of the initial weights, the data order and dropout.
    pub seed: u64,

    /// In which numbers matrices are multiplied.
    pub precision: Precision,
    /// Which rule turns gradients into steps.
    pub optimiser: Optimiser,
    /// Highest learning rate.
    pub learning_rate: f64,
    /// Learning rate at the end of the decay.
    pub min_learning_rate: f64,
    /// Steps over which the learning rate rises from nothing.
    pub warmup_steps: u64,
    /// How the learning rate falls after the warm-up.
    pub decay: Decay,
    /// Length of the last decline of `decay = "wsd"`.
    pub cooldown_steps: u64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// What keeps the division by the second moment finite.
    pub epsilon: f64,
    /// Decoupled weight decay of tensors with two dimensions; biases and gains have none.
    pub weight_decay: f64,
    /// Greatest global norm of the gradient; 0 turns clipping off.
    pub clip_norm: f64,
    /// Highest learning rate of Muon's matrices; it follows the same schedule.
    pub muon_learning_rate: f64,
    /// Momentum of Muon.
    pub muon_momentum: f64,

    /// A step whose gradient norm is this many times its running mean is skipped; 0 turns the guard off.
    pub spike_factor: f64,
    /// Training stops when this many steps in a row are skipped.
    pub most_skipped: u64,

    /// Steps between rows of the metrics.
    pub log_every: u64,
    /// Steps between validations; 0 means none.
    pub validate_every: u64,
    /// Batches of a validation; by default the whole split.
    pub validation_batches: Option<u64>,
    /// Steps between checkpoints; there is always one at the end.
    pub checkpoint_every: u64,
    /// Newest checkpoints that are kept; the one with the lowest validation loss is kept besides.
    pub keep_checkpoints: usize,
    /// Steps between samples; 0 means none.
    pub sample_every: u64,
    /// What samples continue; without any, one sample begins from end-of-text.
    pub sample_prompts: Vec<String>,
    /// New tokens of a sample.
    pub sample_tokens: usize,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            out: PathBuf::from("out"),
            data: Vec::new(),
            text: Vec::new(),
            weights: Vec::new(),
            tokenizer: None,
            from: None,
            // GPT-2 124M (Radford et al. 2019, table 2).
            n_layer: 12,
            n_head: 12,
            n_embd: 768,
            n_ctx: 1024,
            vocab_size: None,
            bias: true,
            dropout: 0.0,
            order: Order::Packed,
            piece_contexts: 4,
            context: None,
            batch_size: 12,
            accumulation: 1,
            steps: 10_000,
            seed: 1337,
            precision: Precision::F32,
            optimiser: Optimiser::Adamw,
            // nanoGPT's train.py for GPT-2 124M.
            learning_rate: 6e-4,
            min_learning_rate: 6e-5,
            warmup_steps: 200,
            decay: Decay::Cosine,
            cooldown_steps: 0,
            beta1: 0.9,
            beta2: 0.95,
            epsilon: 1e-8,
            weight_decay: 0.1,
            clip_norm: 1.0,
            // Jordan et al. 2024.
            muon_learning_rate: 0.02,
            muon_momentum: 0.95,
            spike_factor: 20.0,
            most_skipped: 10,
            log_every: 10,
            validate_every: 250,
            validation_batches: None,
            checkpoint_every: 250,
            keep_checkpoints: 2,
            sample_every: 0,
            sample_prompts: Vec::new(),
            sample_tokens: 128,
        }
    }
}

impl TrainConfig {
    /// The defaults where a model is trained further (`from`): small steps, since it has learnt already; nanoGPT's for fine-tuning, with a warm-up and a decay.
    pub fn fine_tuning() -> Self {
        Self {
            batch_size: 2,
            accumulation: 4,
            steps: 100,
            learning_rate: 3e-5,
            min_learning_rate: 3e-6,
            warmup_steps: 10,
            validate_every: 25,
            checkpoint_every: 25,
            log_every: 1,
            ..Self::default()
        }
    }
}

/// Keys that change where a run lies, how often it speaks and when it gives up, but not a bit of what it learns: a run may go on with others.
const FREE_KEYS: [&str; 10] = [
    "out",
    "sample_prompts",
    "sample_tokens",
    "log_every",
    "validate_every",
    "validation_batches",
    "checkpoint_every",
    "keep_checkpoints",
    "sample_every",
    "most_skipped",
];

impl TrainConfig {
    /// The settings of a TOML file, overridden by `flags`, checked.
    ///
    /// ```
    /// use ovid_train::TrainConfig;
    /// let mut flags = toml::Table::new();
    /// flags.insert("steps".into(), 100.into());
    /// flags.insert("data".into(), vec!["shards"].into());
    /// let config = TrainConfig::resolve(None, flags)?;
    /// assert_eq!((config.steps, config.beta2), (100, 0.95));
    /// # Ok::<(), ovid_train::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the file cannot be read, a key is unknown, or a value is out of its range.
    pub fn resolve(file: Option<&Path>, flags: toml::Table) -> Result<Self, Error> {
        let mut table = match file {
            None => toml::Table::new(),
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|cause| ovid_io::Error::io(path, "read", cause))?;
                text.parse().map_err(|cause: toml::de::Error| Error::data(path, cause.to_string().trim_end().to_owned()))?
            }
        };
        table.extend(flags);
        if table.contains_key("from") {
            let gentle = toml::Table::try_from(Self::fine_tuning());
            let given = std::mem::replace(&mut table, gentle.map_err(|cause| Error::Config { key: None, cause: cause.to_string() })?);
            table.extend(given);
        }
        let config: Self = table
            .try_into()
            .map_err(|cause: toml::de::Error| Error::Config { key: None, cause: cause.to_string().trim_end().to_owned() })?;
        config.check()?;
        Ok(config)
    }

    /// The settings as TOML.
    ///
    /// # Errors
    /// If a path is not UTF-8 or a number is over 2^63 - 1, which TOML cannot hold.
    pub fn to_toml(&self) -> Result<String, Error> {
        toml::to_string(self).map_err(|cause| Error::Config { key: None, cause: cause.to_string() })
    }

    /// Tokens of a row.
    pub fn context(&self) -> usize {
        self.context.unwrap_or(self.n_ctx)
    }

    /// Tokens that a step learns from.
    pub fn tokens_per_step(&self) -> u64 {
        (self.context() * self.batch_size * self.accumulation) as u64
    }

    /// Checks every range.
    ///
    /// # Errors
    /// Names the first key that is out of its range.
    pub fn check(&self) -> Result<(), Error> {
        let positive = [
            ("n_layer", self.n_layer),
            ("n_head", self.n_head),
            ("n_embd", self.n_embd),
            ("n_ctx", self.n_ctx),
            ("batch_size", self.batch_size),
            ("accumulation", self.accumulation),
            ("piece_contexts", self.piece_contexts),
            ("context", self.context()),
            ("keep_checkpoints", self.keep_checkpoints),
            ("steps", self.steps as usize),
            ("log_every", self.log_every as usize),
            ("checkpoint_every", self.checkpoint_every as usize),
            ("most_skipped", self.most_skipped as usize),
            ("vocab_size", self.vocab_size.unwrap_or(1)),
            ("validation_batches", self.validation_batches.unwrap_or(1) as usize),
        ];
        if let Some((key, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return Err(Error::config(key, "must be at least 1"));
        }
        let ranges = [
            ("learning_rate", self.learning_rate, 0.0, f64::MAX),
            ("min_learning_rate", self.min_learning_rate, 0.0, self.learning_rate),
            ("beta1", self.beta1, 0.0, 1.0 - f64::EPSILON),
            ("beta2", self.beta2, 0.0, 1.0 - f64::EPSILON),
            ("epsilon", self.epsilon, f64::from(f32::MIN_POSITIVE), f64::MAX),
            ("weight_decay", self.weight_decay, 0.0, f64::MAX),
            ("clip_norm", self.clip_norm, 0.0, f64::MAX),
            ("muon_learning_rate", self.muon_learning_rate, 0.0, f64::MAX),
            ("muon_momentum", self.muon_momentum, 0.0, 1.0 - f64::EPSILON),
            ("spike_factor", self.spike_factor, 0.0, f64::MAX),
            ("dropout", f64::from(self.dropout), 0.0, 0.99),
        ];
        for (key, value, low, high) in ranges {
            // Written so that NaN is refused.
            if !(low..=high).contains(&value) {
                return Err(Error::config(key, format!("{value} is not between {low} and {high}")));
            }
        }
        if !self.n_embd.is_multiple_of(self.n_head) {
            return Err(Error::config("n_head", format!("{} heads do not divide a width of {}", self.n_head, self.n_embd)));
        }
        if self.context() > self.n_ctx {
            return Err(Error::config("context", format!("{} is more than the {} positions of the model", self.context(), self.n_ctx)));
        }
        if self.data.is_empty() && self.text.is_empty() {
            return Err(Error::config("data", "nothing to learn from: give folders of token shards as data, or files as text"));
        }
        let n_entries = self.data.len() + usize::from(!self.text.is_empty());
        if !self.weights.is_empty() && self.weights.len() != n_entries {
            return Err(Error::config("weights", format!("{} weights for {n_entries} entries of data", self.weights.len())));
        }
        if let Some(weight) = self.weights.iter().find(|weight| !(0.0..=1000.0).contains(*weight)) {
            return Err(Error::config("weights", format!("{weight} is not between 0 and 1000")));
        }
        if self.order == Order::Windows && self.weights.iter().any(|weight| *weight != 1.0) {
            return Err(Error::config("weights", "order = \"windows\" takes all data alike"));
        }
        if self.decay == Decay::Wsd && !(1..=self.steps).contains(&self.cooldown_steps) {
            return Err(Error::config(
                "cooldown_steps",
                format!("{} is not between 1 and steps, which decay = \"wsd\" needs", self.cooldown_steps),
            ));
        }
        Ok(())
    }

    /// The settings that [`TrainConfig::deciding`] listed, the others at their defaults.
    pub(crate) fn from_deciding(settings: &[(String, String)]) -> Result<Self, Error> {
        let text: String = settings.iter().flat_map(|(key, value)| [key, " = ", value, "\n"]).collect();
        toml::from_str(&text).map_err(|cause| Error::Config { key: None, cause: cause.to_string() })
    }

    /// Steps from the first that do not depend on `steps` and `cooldown_steps`.
    pub(crate) fn n_open_steps(&self) -> u64 {
        match self.decay {
            Decay::Constant => u64::MAX,
            Decay::Wsd => self.steps.saturating_sub(self.cooldown_steps).max(self.warmup_steps),
            Decay::Cosine | Decay::Linear => self.warmup_steps,
        }
    }

    /// The keys that decide what is learnt, as sorted lines `key = value`: two runs with the same lines, model and data learn the same.
    pub(crate) fn deciding(&self) -> Result<Vec<(String, String)>, Error> {
        let table = toml::Table::try_from(self).map_err(|cause| Error::Config { key: None, cause: cause.to_string() })?;
        // Paths are left out: the data's digest says what lies there.
        let left_out = |key: &str| FREE_KEYS.contains(&key) || ["data", "text", "tokenizer", "from"].contains(&key);
        Ok(table.into_iter().filter(|(key, _)| !left_out(key)).map(|(key, value)| (key, value.to_string())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(toml: &str, expected: &str) {
        let flags = format!("data = ['d']\n{toml}").parse().unwrap();
        let error = TrainConfig::resolve(None, flags).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        check("n_layer = 0", "key 'n_layer': must be at least 1");
        check("learning_rate = -1.0", "'learning_rate'");
        check("learning_rate = nan", "'learning_rate'");
        check("min_learning_rate = 1.0", "'min_learning_rate'");
        check("n_head = 7", "7 heads do not divide a width of 768");
        check("context = 2048", "'context'");
        check("weights = [1.0, 2.0]", "2 weights for 1 entries");
        check("decay = 'wsd'", "'cooldown_steps'");
        check("stesp = 5", "stesp");
        check("steps = 'many'", "steps");
        check("decay = 'quadratic'", "quadratic");
    }

    #[test]
    fn what_is_written_is_read_and_the_flag_wins() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        let config = TrainConfig { data: vec!["a".into()], weights: vec![0.25], context: Some(512), ..TrainConfig::default() };
        std::fs::write(&path, config.to_toml().unwrap()).unwrap();
        assert_eq!(TrainConfig::resolve(Some(&path), toml::Table::new()).unwrap(), config);
        let flags = "seed = 7\nlearning_rate = 1e-3".parse().unwrap();
        assert_eq!(TrainConfig::resolve(Some(&path), flags).unwrap(), TrainConfig { seed: 7, learning_rate: 1e-3, ..config });
    }
}
