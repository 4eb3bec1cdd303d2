//! `ovid info`: what a model file holds.

use clap::Args;
use ovid_model::Cpu;
use serde::Serialize;

use crate::failure::Failure;
use crate::interrupt;
use crate::models::{self, Place};
use crate::output::{self, Voice};
use crate::progress::Bar;

/// Say what a model is: shape, parameters, tokenizer, digest
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ovid info\n  ovid info gpt2")]
pub struct Info {
    /// A Hugging Face folder, a GGUF file, a TensorFlow checkpoint folder, or a fetched model's name; without any, the built-in model
    #[arg(value_name = "MODEL")]
    models: Vec<String>,
}

/// What `--json` prints for each model.
#[derive(Serialize)]
struct Facts {
    name: String,
    /// Null for the built-in model.
    path: Option<String>,
    sha256: String,
    n_params: u64,
    n_layer: usize,
    n_head: usize,
    n_embd: usize,
    n_ctx: usize,
    vocab_size: usize,
    bias: bool,
    tied_head: bool,
    /// The type that most weights are stored in.
    dtype: String,
    /// Tokens of the tokenizer beside it, where there is one.
    tokenizer_size: Option<usize>,
}

impl Info {
    /// Prints the facts of each model.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = interrupt::graceful();
        let names = if self.models.is_empty() { vec![ovid_mini::NAME.to_string()] } else { self.models };
        for name in names {
            let facts = facts(name, voice)?;
            if voice.json { output::object(&facts)? } else { output::text(&table(&facts))? }
        }
        Ok(())
    }
}

fn facts(name: String, voice: Voice) -> Result<Facts, Failure> {
    let place = models::place(Some(&name))?;
    let bar = Bar::new(voice);
    let model = place.model(Cpu::new(1), &bar)?;
    let sha256 = place.sha256(&bar)?;
    let config = model.config();
    Ok(Facts {
        name,
        path: match &place {
            Place::BuiltIn => None,
            Place::Path { path, .. } => Some(path.display().to_string()),
        },
        sha256,
        n_params: config.n_params() as u64,
        n_layer: config.n_layer,
        n_head: config.n_head,
        n_embd: config.n_embd,
        n_ctx: config.n_ctx,
        vocab_size: config.vocab_size,
        bias: config.bias,
        tied_head: config.tie_word_embeddings,
        dtype: model.dtype().to_string(),
        tokenizer_size: place.tokenizer().ok().map(|t| t.vocab_size()),
    })
}

fn table(facts: &Facts) -> String {
    let yes = |b: bool| if b { "yes" } else { "no" }.to_string();
    let rows = [
        ("model", facts.name.clone()),
        ("path", facts.path.clone().unwrap_or_else(|| "in the program".to_string())),
        ("sha256", facts.sha256.clone()),
        ("parameters", output::human_count(facts.n_params)),
        ("layers", facts.n_layer.to_string()),
        ("heads", facts.n_head.to_string()),
        ("width", facts.n_embd.to_string()),
        ("context", facts.n_ctx.to_string()),
        ("vocabulary", output::human_count(facts.vocab_size as u64)),
        ("biases", yes(facts.bias)),
        ("tied head", yes(facts.tied_head)),
        ("weights", facts.dtype.clone()),
        ("tokenizer", facts.tokenizer_size.map_or_else(|| "none".to_string(), |n| format!("{} tokens", output::human_count(n as u64)))),
    ];
    rows.map(|(key, value)| format!("{key:<12}{value}\n")).concat()
}
