//! The built-in model, made again from the corpus: `cargo xtask remake-mini STAGE`.
//!
//! Stages, each of which reads what the one before wrote under `local/mini/`: `prepare` (clean documents), `vocabulary`, `shards`, `train`, `convert`,
//! `measure`, `card`; `all` runs them in this order. The recipe with its reasons is `xtask/mini.toml`; the words about it are in `docs/ovid-mini.md`.

mod clean;
mod duplicates;
mod prepare;
mod recipe;
mod shards;

use std::path::{Path, PathBuf};

use recipe::Recipe;

/// Where things lie.
struct Places {
    recipe: PathBuf,
    corpus: PathBuf,
    work: PathBuf,
}

/// Runs `remake-mini` in the project at `root` with the arguments behind its name.
///
/// # Errors
/// When the corpus is absent, or a file cannot be read or written.
pub fn remake(root: &Path, args: &[&str]) -> anyhow::Result<()> {
    let places = Places { recipe: root.join("xtask/mini.toml"), corpus: root.join("../shared/data/corpus"), work: root.join("local/mini") };
    let recipe = Recipe::read(&places.recipe)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    match args {
        ["prepare"] => {
            prepare::prepare(&recipe, &places.corpus, &places.work)?;
        }
        ["vocabulary"] => shards::vocabulary(&recipe, &places.work, threads)?,
        ["shards"] => shards::shards(&recipe, &places.work, threads)?,
        _ => anyhow::bail!("no stage of remake-mini is called '{}'; stages: prepare, vocabulary, shards", args.join(" ")),
    }
    Ok(())
}
