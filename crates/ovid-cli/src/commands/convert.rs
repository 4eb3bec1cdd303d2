//! `ovid convert`: a model from one layout to another.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use ovid_bpe::Tokenizer;
use ovid_io::atomic::{IfExists, write_folder};
use ovid_io::{Dtype, Observer as _};
use ovid_model::{Converted, load_params, save_gguf, save_hf};

use crate::failure::Failure;
use crate::interrupt;
use crate::models;
use crate::output::{self, Voice};
use crate::progress::Bar;

/// Convert a model: Hugging Face folder, GGUF file, or TensorFlow checkpoint of 2019 to a folder or GGUF file
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ovid convert gpt2 -o gpt2.Q8_0.gguf --dtype q8_0\n  ovid convert models/124M -o gpt2-from-tensorflow")]
pub struct Convert {
    /// A Hugging Face folder, a GGUF file, a TensorFlow checkpoint folder, or a fetched model's name; ovid-mini is the built-in one
    #[arg(value_name = "MODEL")]
    from: String,
    /// What to write: a GGUF file where the name ends in .gguf, else a Hugging Face folder
    #[arg(long, short, value_name = "FOLDER|GGUF")]
    out: PathBuf,
    /// How to store the weights
    #[arg(long, value_enum, default_value = "f32")]
    dtype: Stored,
    /// Take the tokenizer from another folder, tokenizer.json or GGUF file
    #[arg(long, value_name = "PATH")]
    tokenizer: Option<PathBuf>,
    /// Replace what is there
    #[arg(long)]
    force: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Stored {
    F32,
    F16,
    Bf16,
    /// Blocks of 32 eight-bit numbers (GGUF only)
    #[value(name = "q8_0")]
    Q8_0,
    /// Blocks of 32 four-bit numbers (GGUF only)
    #[value(name = "q4_0")]
    Q4_0,
}

impl Stored {
    fn dtype(self) -> Dtype {
        match self {
            Self::F32 => Dtype::F32,
            Self::F16 => Dtype::F16,
            Self::Bf16 => Dtype::BF16,
            Self::Q8_0 => Dtype::Q8_0,
            Self::Q4_0 => Dtype::Q4_0,
        }
    }
}

impl Convert {
    /// Reads, writes, and says what was written.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = interrupt::graceful();
        let bar = Bar::new(voice);
        let to_gguf = self.out.extension().is_some_and(|e| e == "gguf");
        if !to_gguf && matches!(self.dtype, Stored::Q8_0 | Stored::Q4_0) {
            return Err(Failure::input("a Hugging Face folder holds no quantised weights").hint("write a GGUF file: -o NAME.gguf"));
        }
        if to_gguf && !self.force && self.out.exists() {
            return Err(Failure::input(format!("'{}' is there already", self.out.display())).hint("replace it with --force"));
        }
        let written = tempfile::tempdir().map_err(|e| ovid_io::Error::io(&std::env::temp_dir(), "write", e))?;
        let path = models::place(Some(&self.from))?.on_disk(written.path())?;
        let params = load_params(&path, &bar)?;
        let tokenizer = self.tokenizer(&path)?;
        if tokenizer.is_none() {
            bar.note("no tokenizer beside the model: the result has none (--tokenizer PATH takes one from elsewhere)");
        }
        if to_gguf {
            let metadata = tokenizer.map(|t| t.gguf_metadata()).unwrap_or_default();
            save_gguf(&self.out, &params, self.dtype.dtype(), &metadata, &bar)?;
        } else {
            let if_exists = if self.force { IfExists::Replace } else { IfExists::Refuse };
            write_folder::<Failure>(&self.out, if_exists, |folder| {
                save_hf(folder, &params, self.dtype.dtype(), &bar)?;
                tokenizer.map_or(Ok(()), |t| Ok(t.save_hf(folder)?))
            })
            .map_err(|e| if self.out.exists() { e.hint("replace it with --force") } else { e })?;
        }
        bar.clear();
        let n_params = params.values.len() as u64;
        if voice.json {
            return output::object(&Converted { path: self.out, n_params, dtype: self.dtype.dtype() });
        }
        voice.say(&format!("{}: {} parameters as {}", self.out.display(), output::human_count(n_params), self.dtype.dtype()));
        Ok(())
    }

    /// The tokenizer that was named, else the one beside the model where there is one.
    fn tokenizer(&self, model: &Path) -> Result<Option<Tokenizer>, Failure> {
        if let Some(path) = &self.tokenizer {
            return Ok(Some(Tokenizer::load(&models::locate(&path.to_string_lossy())?)?));
        }
        match Tokenizer::load(model) {
            Ok(tokenizer) => Ok(Some(tokenizer)),
            Err(ovid_bpe::Error::NoVocabulary { .. }) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }
}
