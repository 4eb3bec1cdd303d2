//! `ovid info`: what a model file holds, read from its header alone.

use clap::Args;

use crate::failure::Failure;
use crate::interrupt;
use crate::models;
use crate::output::{self, Voice};
use crate::progress::Bar;

/// Say what a model is: shape, parameters, tokenizer
///
/// Only headers are read, so that it is quick with a model of any size. A digest needs all of the bytes: --sha256.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ovid info\n  ovid info gpt2 --sha256")]
pub struct Info {
    /// A Hugging Face folder, a GGUF file, a TensorFlow checkpoint folder, or a fetched model's name; without any, the built-in model
    #[arg(value_name = "MODEL")]
    models: Vec<String>,
    /// Also the digest by which `ovid generate --json` names the model
    #[arg(long)]
    sha256: bool,
}

impl Info {
    /// Prints the facts of each model.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = interrupt::graceful();
        let names = if self.models.is_empty() { vec![ovid_mini::NAME.to_string()] } else { self.models };
        for name in names {
            let info = about(&name, self.sha256, voice)?;
            if voice.json { output::object(&info)? } else { output::text(&table(&info))? }
        }
        Ok(())
    }
}

fn about(name: &str, with_digest: bool, voice: Voice) -> Result<ovid_model::Info, Failure> {
    let place = models::place(Some(name))?;
    let mut info = place.info()?;
    if with_digest {
        info.sha256 = Some(place.sha256(&Bar::new(voice))?);
    }
    info.tokenizer_size = place.tokenizer().ok().map(|t| t.vocab_size());
    Ok(info)
}

fn table(facts: &ovid_model::Info) -> String {
    let yes = |b: bool| if b { "yes" } else { "no" }.to_string();
    let rows = [
        ("model", facts.name.clone()),
        ("path", facts.path.as_ref().map_or_else(|| "in the program".to_string(), |path| path.display().to_string())),
        ("sha256", facts.sha256.clone().unwrap_or_default()),
        ("parameters", output::human_count(facts.n_params)),
        ("layers", facts.n_layer.to_string()),
        ("heads", facts.n_head.to_string()),
        ("width", facts.n_embd.to_string()),
        ("context", facts.n_ctx.to_string()),
        ("vocabulary", output::human_count(facts.vocab_size as u64)),
        ("biases", yes(facts.bias)),
        ("tied head", yes(facts.tied_head)),
        ("weights", facts.dtype.to_string()),
        ("tokenizer", facts.tokenizer_size.map_or_else(|| "none".to_string(), |n| format!("{} tokens", output::human_count(n as u64)))),
    ];
    rows.into_iter().filter(|(_, value)| !value.is_empty()).map(|(key, value)| format!("{key:<12}{value}\n")).collect()
}
