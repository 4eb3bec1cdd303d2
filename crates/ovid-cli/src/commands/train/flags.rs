//! The keys of [`TrainConfig`](ovid_train::TrainConfig) as flags. The defaults are its own; help only repeats them, and a test holds that it does.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::failure::Failure;

/// One flag a key, with hyphens for underscores.
#[derive(Debug, Default, Args, Serialize)]
pub struct TrainFlags {
    /// Folder of the run: checkpoints, metrics, figure, resolved configuration, the newest model [default: out]
    #[arg(long, short, value_name = "PATH")]
    #[serde(skip_serializing_if = "Option::is_none")]
    out: Option<PathBuf>,
    /// Folders of token shards (ovid tokenize shard)
    #[arg(long, value_name = "PATH")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    data: Vec<PathBuf>,
    /// Files or folders of JSON Lines or plain text, tokenised once into shards beside the run
    #[arg(long, value_name = "PATH")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    text: Vec<PathBuf>,
    /// How often the training pieces of each entry of data (then of text, which counts as one) are seen in an epoch: 0.25 takes another quarter of them each time, 2 takes each twice. Empty means 1 for all
    #[arg(long, value_name = "X")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    weights: Vec<f64>,
    /// Tokenizer folder or file; by default the one of from. Needed for text; with it, bits per byte are exact and the saved model carries it
    #[arg(long, value_name = "PATH")]
    #[serde(skip_serializing_if = "Option::is_none")]
    tokenizer: Option<PathBuf>,
    /// Model to fine-tune; its shape wins over the keys below
    #[arg(long, value_name = "PATH")]
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<PathBuf>,
    /// Layers [default: 12]
    #[arg(long, value_name = "N", help_heading = "Model")]
    #[serde(skip_serializing_if = "Option::is_none")]
    n_layer: Option<usize>,
    /// Attention heads of a layer; divides n_embd [default: 12]
    #[arg(long, value_name = "N", help_heading = "Model")]
    #[serde(skip_serializing_if = "Option::is_none")]
    n_head: Option<usize>,
    /// Width [default: 768]
    #[arg(long, value_name = "N", help_heading = "Model")]
    #[serde(skip_serializing_if = "Option::is_none")]
    n_embd: Option<usize>,
    /// Positions that the model can see [default: 1024]
    #[arg(long, value_name = "N", help_heading = "Model")]
    #[serde(skip_serializing_if = "Option::is_none")]
    n_ctx: Option<usize>,
    /// Tokens in the vocabulary; by default that of the data
    #[arg(long, value_name = "N", help_heading = "Model")]
    #[serde(skip_serializing_if = "Option::is_none")]
    vocab_size: Option<usize>,
    /// Biases in the linear layers and layer norms, as GPT-2 has them [default: true]
    #[arg(long, value_name = "true|false", help_heading = "Model")]
    #[serde(skip_serializing_if = "Option::is_none")]
    bias: Option<bool>,
    /// Share of activations dropped while training, in the embedding, the attention and the residual [default: 0.0]
    #[arg(long, value_name = "X", help_heading = "Model")]
    #[serde(skip_serializing_if = "Option::is_none")]
    dropout: Option<f32>,
    /// How rows are taken from the data [default: packed]
    #[arg(long, value_name = "packed|windows", help_heading = "Data")]
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<String>,
    /// A document longer than this many contexts is cut into equal pieces no longer than that [default: 4]
    #[arg(long, value_name = "N", help_heading = "Data")]
    #[serde(skip_serializing_if = "Option::is_none")]
    piece_contexts: Option<usize>,
    /// Tokens of a row; by default n_ctx
    #[arg(long, value_name = "N", help_heading = "Data")]
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<usize>,
    /// Rows of a micro-batch [default: 12]
    #[arg(long, value_name = "N", help_heading = "Data")]
    #[serde(skip_serializing_if = "Option::is_none")]
    batch_size: Option<usize>,
    /// Micro-batches of a step, over all ranks [default: 1]
    #[arg(long, value_name = "N", help_heading = "Data")]
    #[serde(skip_serializing_if = "Option::is_none")]
    accumulation: Option<usize>,
    /// Steps of the run [default: 10000]
    #[arg(long, value_name = "N", help_heading = "Data")]
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<u64>,
    /// Seed of the initial weights, the data order and dropout [default: 1337]
    #[arg(long, value_name = "N", help_heading = "Data")]
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    /// In which numbers matrices are multiplied [default: f32]
    #[arg(long, value_name = "f32|bf16", help_heading = "Optimisation")]
    #[serde(skip_serializing_if = "Option::is_none")]
    precision: Option<String>,
    /// Which rule turns gradients into steps [default: adamw]
    #[arg(long, value_name = "adamw|muon", help_heading = "Optimisation")]
    #[serde(skip_serializing_if = "Option::is_none")]
    optimiser: Option<String>,
    /// Highest learning rate [default: 6e-4]
    #[arg(long, value_name = "X", help_heading = "Optimisation")]
    #[serde(skip_serializing_if = "Option::is_none")]
    learning_rate: Option<f64>,
    /// Learning rate at the end of the decay [default: 6e-5]
    #[arg(long, value_name = "X", help_heading = "Optimisation")]
    #[serde(skip_serializing_if = "Option::is_none")]
    min_learning_rate: Option<f64>,
    /// Steps over which the learning rate rises from nothing [default: 200]
    #[arg(long, value_name = "N", help_heading = "Optimisation")]
    #[serde(skip_serializing_if = "Option::is_none")]
    warmup_steps: Option<u64>,
    /// How the learning rate falls after the warm-up [default: cosine]
    #[arg(long, value_name = "cosine|linear|constant|wsd", help_heading = "Optimisation")]
    #[serde(skip_serializing_if = "Option::is_none")]
    decay: Option<String>,
    /// Length of the last decline of decay = "wsd" [default: 0]
    #[arg(long, value_name = "N", help_heading = "Optimisation")]
    #[serde(skip_serializing_if = "Option::is_none")]
    cooldown_steps: Option<u64>,
    /// Decay of the first moment [default: 0.9]
    #[arg(long, value_name = "X", help_heading = "Optimisation")]
    #[serde(skip_serializing_if = "Option::is_none")]
    beta1: Option<f64>,
    /// Decay of the second moment [default: 0.95]
    #[arg(long, value_name = "X", help_heading = "Optimisation")]
    #[serde(skip_serializing_if = "Option::is_none")]
    beta2: Option<f64>,
    /// What keeps the division by the second moment finite [default: 1e-8]
    #[arg(long, value_name = "X", help_heading = "Optimisation")]
    #[serde(skip_serializing_if = "Option::is_none")]
    epsilon: Option<f64>,
    /// Decoupled weight decay of tensors with two dimensions; biases and gains have none [default: 0.1]
    #[arg(long, value_name = "X", help_heading = "Optimisation")]
    #[serde(skip_serializing_if = "Option::is_none")]
    weight_decay: Option<f64>,
    /// Greatest global norm of the gradient; 0 turns clipping off [default: 1.0]
    #[arg(long, value_name = "X", help_heading = "Optimisation")]
    #[serde(skip_serializing_if = "Option::is_none")]
    clip_norm: Option<f64>,
    /// Highest learning rate of Muon's matrices; it follows the same schedule [default: 0.02]
    #[arg(long, value_name = "X", help_heading = "Optimisation")]
    #[serde(skip_serializing_if = "Option::is_none")]
    muon_learning_rate: Option<f64>,
    /// Momentum of Muon [default: 0.95]
    #[arg(long, value_name = "X", help_heading = "Optimisation")]
    #[serde(skip_serializing_if = "Option::is_none")]
    muon_momentum: Option<f64>,
    /// A step whose gradient norm is this many times its running mean is skipped; 0 turns the guard off [default: 20.0]
    #[arg(long, value_name = "X", help_heading = "Guards")]
    #[serde(skip_serializing_if = "Option::is_none")]
    spike_factor: Option<f64>,
    /// Training stops when this many steps in a row are skipped [default: 10]
    #[arg(long, value_name = "N", help_heading = "Guards")]
    #[serde(skip_serializing_if = "Option::is_none")]
    most_skipped: Option<u64>,
    /// Steps between rows of the metrics [default: 10]
    #[arg(long, value_name = "N", help_heading = "Records")]
    #[serde(skip_serializing_if = "Option::is_none")]
    log_every: Option<u64>,
    /// Steps between validations; 0 means none [default: 250]
    #[arg(long, value_name = "N", help_heading = "Records")]
    #[serde(skip_serializing_if = "Option::is_none")]
    validate_every: Option<u64>,
    /// Batches of a validation; by default the whole split
    #[arg(long, value_name = "N", help_heading = "Records")]
    #[serde(skip_serializing_if = "Option::is_none")]
    validation_batches: Option<u64>,
    /// Steps between checkpoints; there is always one at the end [default: 250]
    #[arg(long, value_name = "N", help_heading = "Records")]
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint_every: Option<u64>,
    /// Newest checkpoints that are kept; the one with the lowest validation loss is kept besides [default: 2]
    #[arg(long, value_name = "N", help_heading = "Records")]
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_checkpoints: Option<usize>,
    /// Steps between samples; 0 means none [default: 0]
    #[arg(long, value_name = "N", help_heading = "Records")]
    #[serde(skip_serializing_if = "Option::is_none")]
    sample_every: Option<u64>,
    /// What samples continue; without any, one sample begins from end-of-text
    #[arg(long, value_name = "TEXT", help_heading = "Records")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sample_prompts: Vec<String>,
    /// New tokens of a sample [default: 128]
    #[arg(long, value_name = "N", help_heading = "Records")]
    #[serde(skip_serializing_if = "Option::is_none")]
    sample_tokens: Option<usize>,
}

impl TrainFlags {
    /// The keys that were given.
    pub fn table(&self) -> Result<toml::Table, Failure> {
        toml::Table::try_from(self).map_err(|e| Failure::input(format!("these settings cannot be written as TOML: {e}")))
    }
}

#[cfg(test)]
mod tests {
    use clap::Command;
    use ovid_train::TrainConfig;

    use super::*;

    #[test]
    fn every_key_is_a_flag_whose_help_names_the_default() {
        let command = TrainFlags::augment_args(Command::new("train"));
        let defaults = toml::Table::try_from(TrainConfig::default()).unwrap();
        for (key, value) in &defaults {
            let long = key.replace('_', "-");
            let argument = command.get_arguments().find(|a| a.get_long() == Some(&long));
            let help = argument.unwrap_or_else(|| panic!("no flag --{long}")).get_help().unwrap().to_string();
            let stated = help.split("[default: ").nth(1).and_then(|h| h.split(']').next());
            let same = match (value, stated) {
                (toml::Value::Array(_), None) => true,
                (toml::Value::Float(x), Some(s)) => s.parse::<f32>().is_ok_and(|s| s == *x as f32),
                (toml::Value::String(v), Some(s)) => v == s,
                (v, Some(s)) => v.to_string() == s,
                (_, None) => false,
            };
            assert!(same, "--{long}: the default is {value}, the help says {stated:?}");
        }
    }
}
