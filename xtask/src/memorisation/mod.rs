//! What the built-in model recites of its training text, and GPT-2 1.5B of the same corpus: `cargo xtask memorisation`.
//!
//! In: `../shared/data`, the built-in model. Out: `docs/memorisation.md`, and the two reports under `docs/memorisation/` that it shows. What lies between (indexes,
//! prompts, samples) is under `local/memorisation/`. Follows Radford et al. 2019, appendix 8.2.

mod draw;
mod gpt2;
mod page;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use ovid_io::Silent;
use ovid_io::atomic::IfExists;
use ovid_overlap::report::{self, Comparison, Figures, OverlapReport};
use ovid_overlap::{Ask, Build, Built, Index, Measured, Read, Set, Split, measure};

/// The seed of samples and intervals.
const SEED: u64 = 1;

/// One report, and what the page says beside it.
struct Audit {
    built: Built,
    report: OverlapReport,
    /// The same by kind of text: name, human, samples, and the one against the other.
    kinds: Vec<(String, Figures, Figures, Option<Comparison>)>,
}

/// Makes the page and both reports.
///
/// # Errors
/// When the data are not there, cannot be read, or something cannot be written.
pub fn run(root: &Path) -> anyhow::Result<()> {
    let data = root.join("../shared/data");
    let work = root.join("local/memorisation");
    fs::create_dir_all(&work).with_context(|| format!("making '{}'", work.display()))?;
    fs::create_dir_all(root.join("docs/memorisation"))?;
    // Paths in reports are those that a reader of the repository knows.
    std::env::set_current_dir(root).context("entering the repository")?;
    if !data.join("corpus").is_dir() {
        bail!("'{}' is not there", data.join("corpus").display());
    }
    let mini = mini(&work)?;
    let gpt2 = gpt2(&work)?;
    let text = page::page(&mini, &gpt2, draw::PROMPT_TOKENS, draw::CONTINUATION_TOKENS);
    fs::write("docs/memorisation.md", text).context("writing 'docs/memorisation.md'")
}

fn mini(work: &Path) -> anyhow::Result<Audit> {
    let (built, index) = index(&[PathBuf::from("../shared/data/corpus")], Split::Train, &work.join("train.index"))?;
    let pairs = draw::pairs(Path::new("../shared/data/corpus"), SEED)?;
    eprintln!("{} samples drawn", pairs.len());
    let (real, samples) = (Path::new("local/memorisation/real.jsonl"), Path::new("local/memorisation/samples.jsonl"));
    draw::write(pairs.iter(), real, samples)?;
    let sets = [set("real", real), set("samples", samples)];
    let report = audit(&index, &sets, Path::new("docs/memorisation/ovid-mini"))?;
    let mut kinds = Vec::new();
    for kind in draw::KINDS {
        let of_kind: Vec<_> = pairs.iter().filter(|p| draw::kind(&p.source) == *kind).collect();
        if of_kind.is_empty() {
            continue;
        }
        let (real, samples) = (work.join("kind.real.jsonl"), work.join("kind.samples.jsonl"));
        draw::write(of_kind.into_iter(), &real, &samples)?;
        let found = |path: &Path| -> anyhow::Result<Measured> {
            Ok(measure(&index, &set(kind, path), Ask { spans: true, ..Ask::default() }, &Silent)?)
        };
        let (real, samples) = (found(&real)?, found(&samples)?);
        let comparison = report::compare(("samples", &samples), ("real", &real), SEED);
        kinds.push(((*kind).to_owned(), real.figures, samples.figures, comparison));
    }
    Ok(Audit { built, report, kinds })
}

fn gpt2(work: &Path) -> anyhow::Result<Audit> {
    let corpus: Vec<PathBuf> = gpt2::SEEN.iter().map(|name| PathBuf::from(format!("../shared/data/corpus/{name}.jsonl.zst"))).collect();
    let (built, index) = index(&corpus, Split::All, &work.join("seen.index"))?;
    let sets = gpt2::sets(Path::new("../shared/data/detect"), Path::new("local/memorisation"))?;
    let sets: Vec<Set> = sets.iter().map(|(name, path)| set(name, path)).collect();
    let report = audit(&index, &sets, Path::new("docs/memorisation/gpt2-1542M"))?;
    Ok(Audit { built, report, kinds: Vec::new() })
}

fn index(paths: &[PathBuf], split: Split, out: &Path) -> anyhow::Result<(Built, Index)> {
    let built = Build::default().write(paths, split, out, &Silent)?;
    eprintln!("{}: {} different n-grams", out.display(), built.index.distinct);
    Ok((built, Index::open(out)?))
}

fn audit(index: &Index, sets: &[Set], out: &Path) -> anyhow::Result<OverlapReport> {
    let options = report::Options { n_worst: 8, seed: SEED, if_exists: IfExists::Replace, ..report::Options::default() };
    let report = report::write(index, sets, &options, out, &Silent)?;
    eprintln!("{}: written", out.display());
    Ok(report)
}

fn set(name: &str, path: &Path) -> Set {
    Set::new(name, vec![path.to_owned()], Read::default())
}
