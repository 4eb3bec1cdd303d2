//! The built-in model, made again from the corpus: `cargo xtask remake-mini STAGE`.
//!
//! Stages, each of which reads what the one before wrote under `local/mini/`: `prepare` (clean documents), `vocabulary`, `shards`, `train`, `convert`,
//! `measure`, `card`, `release`; `all` runs them in this order. The recipe with its reasons is `xtask/mini.toml`; the words about it are in `docs/ovid-mini.md`.

mod card;
mod clean;
mod duplicates;
mod measure;
mod prepare;
mod recipe;
mod release;
mod shards;
mod train;

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use recipe::Recipe;

/// Everything in the project that hangs on the model, and must be made again with it.
pub const ARTEFACTS: &[(&str, &str)] = &[
    ("crates/ovid-mini/ovid-mini.gguf", "the model, with its vocabulary (`convert`)"),
    ("crates/ovid-mini/MODEL_CARD.md", "its card (`card`)"),
    ("docs/ovid-mini.md", "this page (`card`)"),
    ("docs/samples.md", "twenty samples (`card`)"),
    ("docs/ovid-mini-loss.svg", "the loss curve (`convert`, from the run)"),
    ("docs/ovid-mini-loss.csv", "the numbers behind it (`convert`, from the run)"),
    ("models/ovid-mini/release", "the release folder with all evidence (`release`)"),
];

/// The stages in their order.
const STAGES: [&str; 8] = ["prepare", "vocabulary", "shards", "train", "convert", "measure", "card", "release"];

/// Where things lie.
struct Places {
    root: PathBuf,
    corpus: PathBuf,
    work: PathBuf,
    gguf: PathBuf,
}

/// Runs `remake-mini` in the project at `root` with the arguments behind its name.
///
/// # Errors
/// When the corpus is absent, a file cannot be read or written, or a stage is not known.
pub fn remake(root: &Path, args: &[&str]) -> anyhow::Result<()> {
    let places = Places {
        root: root.to_owned(),
        corpus: root.join("../shared/data/corpus"),
        work: root.join("local/mini"),
        gguf: root.join(ARTEFACTS[0].0),
    };
    let recipe = Recipe::read(&root.join("xtask/mini.toml"))?;
    match args {
        ["all"] => STAGES.iter().try_for_each(|stage| run(stage, &recipe, &places)),
        [stage] => run(stage, &recipe, &places),
        _ => bail!("usage: cargo xtask remake-mini all|{}|measure-human", STAGES.join("|")),
    }
}

fn run(stage: &str, recipe: &Recipe, places: &Places) -> anyhow::Result<()> {
    let Places { root, corpus, work, gguf } = places;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    match stage {
        "prepare" => prepare::prepare(recipe, corpus, work).map(drop),
        "vocabulary" => shards::vocabulary(recipe, work, threads),
        "shards" => {
            shards::shards(recipe, work, threads)?;
            train::write_config(recipe, work)
        }
        "train" => train::train(recipe, root, work),
        "convert" => {
            train::convert(&work.join("run/model"), &work.join("tokenizer"), gguf)?;
            for ending in ["svg", "csv"] {
                let (from, to) = (work.join(format!("run/loss.{ending}")), root.join(format!("docs/ovid-mini-loss.{ending}")));
                std::fs::copy(&from, &to).with_context(|| format!("copying '{}' to '{}'", from.display(), to.display()))?;
            }
            Ok(())
        }
        "measure" => {
            let report = measure::run(recipe, work, gguf, threads)?;
            println!("{}", serde_json::to_string_pretty(&report)?);
            Ok(())
        }
        "measure-human" => {
            let ground = measure::ground(recipe, work)?;
            println!("{}", serde_json::to_string_pretty(&ground.measure(recipe, &ground.human_samples())?)?);
            Ok(())
        }
        "card" => card::Facts {
            recipe,
            counts: read(&work.join("counts.json"))?,
            report: read(&work.join("measure.json"))?,
            samples: measure::read_samples(work)?,
        }
        .write(root),
        "release" => release::release(recipe, places),
        _ => bail!("no stage of remake-mini is called '{stage}'; stages: all, {}, measure-human", STAGES.join(", ")),
    }
}

/// Reads what an earlier stage wrote as JSON.
fn read<T: serde::de::DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let file = File::open(path).with_context(|| format!("'{}' is written by an earlier stage", path.display()))?;
    serde_json::from_reader(std::io::BufReader::new(file)).with_context(|| format!("reading '{}'", path.display()))
}
