//! Training and conversion, by the same commands that a user runs.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};
use ovid_bpe::Tokenizer;
use ovid_io::{Dtype, Silent};
use ovid_model::{load_params, save_gguf};

use super::recipe::Recipe;

/// Writes `work/train.toml`: the recipe's `[train]` table with the data that `shards` wrote.
///
/// # Errors
/// When the data are absent or the file cannot be written.
pub fn write_config(recipe: &Recipe, work: &Path) -> anyhow::Result<()> {
    let data = work.join("data.toml");
    let text = std::fs::read_to_string(&data).with_context(|| format!("'{}' is written by `remake-mini shards`", data.display()))?;
    let mut config: toml::Table = toml::from_str(&text).with_context(|| format!("reading '{}'", data.display()))?;
    config.extend(recipe.train.clone());
    config.insert("out".to_owned(), work.join("run").display().to_string().into());
    let path = work.join("train.toml");
    std::fs::write(&path, toml::to_string(&config)?).with_context(|| format!("writing '{}'", path.display()))
}

/// Trains by `ovid train`; a run that was broken off goes on.
///
/// # Errors
/// When the command cannot be run or fails.
pub fn train(recipe: &Recipe, root: &Path, work: &Path) -> anyhow::Result<()> {
    write_config(recipe, work)?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root).args(["run", "--release", "--package", "ovid-cli", "--", "train", "--config"]).arg(work.join("train.toml"));
    let status = command.status().context("running cargo")?;
    if !status.success() {
        bail!("`ovid train` ended with {status}");
    }
    Ok(())
}

/// Writes the trained model as the GGUF that is built in.
///
/// # Errors
/// When the run's model or the vocabulary cannot be read, or the file is larger than may be published.
pub fn convert(model: &Path, tokenizer: &Path, gguf: &Path) -> anyhow::Result<()> {
    /// What crates.io takes is 10 MB packed; quantised weights do not pack.
    const LARGEST: u64 = 9_500_000;
    let params = load_params(model, &Silent)?;
    let tokenizer = Tokenizer::load(tokenizer)?;
    save_gguf(gguf, &params, Dtype::Q8_0, &tokenizer.gguf_metadata(), &Silent)?;
    let size = std::fs::metadata(gguf).with_context(|| format!("reading '{}'", gguf.display()))?.len();
    if size > LARGEST {
        bail!("'{}' has {size} bytes, more than the {LARGEST} that can be published", gguf.display());
    }
    eprintln!("wrote '{}': {size} bytes", gguf.display());
    Ok(())
}
