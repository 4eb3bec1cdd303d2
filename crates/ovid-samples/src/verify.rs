//! Verification: every sample is made again before the published text is read, and compared to the bit.
//!
//! In: a dump's folder, or JSON Lines of samples, and the model. Out: which are the same, which differ and where. A first reading takes how each sample is said to have been made
//! (`Recipe`); its type has no place for the text. The samples are made; then the file is read again and compared.

mod compare;
mod recipe;

use std::path::Path;
use std::sync::Arc;

use ovid_generate::{Generation, ModelId, Origin};
use ovid_io::Silent;
use ovid_io::documents::{Limits, Lines};
use ovid_stats::Draws;
use ovid_watermark::Key;
use serde::{Deserialize, Serialize};

pub use compare::Difference;
use compare::first_difference;
use recipe::Recipe;

use crate::batch::Step;
use crate::dump::{FileDigest, Manifest, PromptSet, append_text};
use crate::{Batch, Error, dump, tokenizer_sha256};

/// Which samples are made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// All of them.
    All,
    /// So many of them, chosen by the seed.
    Random {
        /// How many, over all files together.
        n_samples: u32,
        /// What chooses them.
        seed: u64,
    },
}

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VerifyReport {
    /// Whether everything that was looked at is the same: the answer.
    pub verified: bool,
    /// The file or folder, as it was named.
    pub source: String,
    /// SHA-256 of the dump's manifest, where it is a dump.
    pub manifest_sha256: Option<String>,
    /// The model that made the samples again.
    pub model: ModelId,
    /// The rule of the arithmetic.
    pub arithmetic: String,
    /// Which samples were made again.
    pub part: Part,
    /// Samples in the source.
    pub n_samples: u64,
    /// Samples made again.
    pub n_checked: u64,
    /// Of these, how many are the same to the bit.
    pub n_same: u64,
    /// The first 100 that differ, and where.
    pub differences: Vec<Difference>,
    /// Samples that nobody can verify: made on a device, or by an arithmetic, that does not keep the same-bits rule.
    pub refused: Vec<Refusal>,
    /// What else does not hold: changed files, seeds or settings that are not the plan's.
    pub faults: Vec<String>,
}

/// A sample that cannot be verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The file.
    pub file: String,
    /// The sample in it, from 1.
    pub sample: u64,
    /// Why not.
    pub why: String,
}

/// After this many of a kind the rest is counted and not told.
const MOST_TOLD: usize = 100;
/// Random choices of samples: what the draws are for.
const PURPOSE: u64 = 0x7665_7269_6679;

/// Verifies a dump's folder, or a file of JSON Lines (or one JSON object) as `ovid generate --json` and `ovid samples publish` write it.
///
/// # Errors
/// Where something cannot be read, the samples are said to be of another model or tokenizer than the ones given, or the observer cancels.
pub fn verify(path: &Path, batch: &Batch<'_>, origin: &Origin, part: Part, key: Option<&Arc<Key>>) -> Result<VerifyReport, Error> {
    let mut report = VerifyReport {
        verified: false,
        source: path.display().to_string(),
        manifest_sha256: None,
        model: origin.model.clone(),
        arithmetic: origin.arithmetic.clone(),
        part,
        n_samples: 0,
        n_checked: 0,
        n_same: 0,
        differences: Vec::new(),
        refused: Vec::new(),
        faults: Vec::new(),
    };
    if path.is_dir() {
        verify_dump(path, batch, origin, part, key, &mut report)?;
    } else {
        let recipes = recipe::read(path, Form::Loose)?;
        report.n_samples = recipes.len() as u64;
        let chosen = choose(recipes.len(), part);
        verify_file(path, &recipes, &chosen, batch, origin, key, &mut report)?;
    }
    report.verified = report.n_checked > 0 && report.n_same == report.n_checked && report.refused.is_empty() && report.faults.is_empty();
    Ok(report)
}

/// How strict a file is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// One sample a line.
    Lines,
    /// One sample a line, or one in the whole file.
    Loose,
}

fn verify_dump(
    folder: &Path,
    batch: &Batch<'_>,
    origin: &Origin,
    part: Part,
    key: Option<&Arc<Key>>,
    report: &mut VerifyReport,
) -> Result<(), Error> {
    let (manifest, sha256) = Manifest::read(folder)?;
    report.manifest_sha256 = Some(sha256);
    report.faults.extend(
        manifest.changed_files(folder, batch.observer)?.into_iter().map(|f| format!("{f}: its bytes are not those of the manifest")),
    );
    let tokenizer = tokenizer_sha256(batch.tokenizer);
    if manifest.plan.tokenizer_sha256 != tokenizer {
        return Err(Error::Asked("the dump was made with another tokenizer than the one given".into()));
    }
    let files: Vec<_> = manifest
        .files
        .iter()
        .map(|file| {
            let path = dump::plain_file(folder, &file.json_lines.name)?;
            let recipes = recipe::read(&path, Form::Lines)?;
            Ok((file, path, recipes))
        })
        .collect::<Result<_, Error>>()?;
    for (file, _, recipes) in &files {
        report.faults.extend(against_plan(file, recipes, &manifest));
    }
    report.n_samples = files.iter().map(|f| f.2.len() as u64).sum();
    let chosen = choose(report.n_samples as usize, part);
    let mut first = 0;
    for (file, path, recipes) in &files {
        let here: Vec<usize> = chosen.iter().filter(|&&i| (first..first + recipes.len()).contains(&i)).map(|i| i - first).collect();
        first += recipes.len();
        verify_file(path, recipes, &here, batch, origin, key, report)?;
        if !same_text(folder, &file.json_lines, &file.text)? {
            report.faults.push(format!("{}: its texts are not those of {}", file.text.name, file.json_lines.name));
        }
    }
    Ok(())
}

/// What in a file is not as the dump's plan has it.
fn against_plan(file: &dump::DumpFile, recipes: &[Recipe], manifest: &Manifest) -> Vec<String> {
    let name = &file.json_lines.name;
    let mut faults = Vec::new();
    if recipes.len() != file.n_samples as usize {
        faults.push(format!("{name}: {} samples, but the plan has {}", recipes.len(), file.n_samples));
    }
    let wrong = |r: &(usize, &Recipe)| r.1.seed != r.0 as u64 || r.1.sampler != file.sampler || r.1.model != manifest.plan.model;
    if let Some((i, _)) = recipes.iter().enumerate().find(wrong) {
        faults.push(format!("{name}, sample {}: its seed, settings or model are not the plan's", i + 1));
    }
    let Some(set) = manifest.plan.prompts.as_ref().filter(|_| file.conditional) else {
        if let Some(i) = recipes.iter().position(|r| !r.prompt.is_empty()) {
            faults.push(format!("{name}, sample {}: it has a prompt, and the plan has none here", i + 1));
        }
        return faults;
    };
    // With fewer samples than prompts the set cannot be made again; each sample still stands for itself.
    let n_prompts = set.n_prompts as usize;
    let prompts: Vec<String> = recipes.iter().take(n_prompts).map(|r| r.prompt.clone()).collect();
    if n_prompts == 0 || prompts.len() == n_prompts && PromptSet::new(&prompts).ok().as_ref() != Some(set) {
        faults.push(format!("{name}: its prompts are not the plan's"));
    } else if let Some(i) = (n_prompts..recipes.len()).find(|&i| recipes[i].prompt != recipes[i % n_prompts].prompt) {
        faults.push(format!("{name}, sample {}: its prompt is not the one whose turn it is", i + 1));
    }
    faults
}

/// Makes the chosen samples of a file again and compares them with what it says.
fn verify_file(
    path: &Path,
    recipes: &[Recipe],
    chosen: &[usize],
    batch: &Batch<'_>,
    origin: &Origin,
    key: Option<&Arc<Key>>,
    report: &mut VerifyReport,
) -> Result<(), Error> {
    let file = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let mut at = Vec::new();
    for &i in chosen {
        let recipe = &recipes[i];
        if let Some(why) = recipe.refusal(origin, key) {
            report.refused.push(Refusal { file: file.clone(), sample: i as u64 + 1, why });
        } else if recipe.model.sha256 != origin.model.sha256 {
            return Err(Error::Asked(format!(
                "'{}', sample {}: it is said to be of '{}' with the SHA-256 {}, but the model given has {}",
                path.display(),
                i + 1,
                recipe.model.name,
                recipe.model.sha256,
                origin.model.sha256
            )));
        } else {
            at.push(i);
        }
    }
    let requests: Vec<_> = at.iter().map(|&i| recipes[i].request(batch, key)).collect();
    // All of them are made before any published text is read.
    let mut made = Vec::with_capacity(at.len());
    batch.run(&requests, &format!("verifying {file}"), |step| {
        if let Step::Ended(_, completions) = step {
            made.push(completions);
        }
        Ok(())
    })?;
    let mut published = recipe::Published::open(path)?;
    for (&i, made) in at.iter().zip(&made) {
        let published: Generation = published.sample(i, recipes.len())?;
        report.n_checked += 1;
        // One drawn sample; or the beams of a search, of which the file may show any.
        let differences = made.iter().map(|made| first_difference(&published, made, batch.tokenizer));
        match differences.min_by_key(Option::is_some).flatten() {
            None => report.n_same += 1,
            Some(what) if report.differences.len() < MOST_TOLD => {
                report.differences.push(Difference { file: file.clone(), sample: i as u64 + 1, seed: published.seed, ..what });
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// The samples to make again, in order.
fn choose(n: usize, part: Part) -> Vec<usize> {
    match part {
        Part::All => (0..n).collect(),
        Part::Random { n_samples, seed } => {
            let mut chosen = Draws::new(seed, PURPOSE).permutation(n);
            chosen.truncate(n_samples as usize);
            chosen.sort_unstable();
            chosen
        }
    }
}

/// Whether the text file of a dump is what its JSON Lines come to.
fn same_text(folder: &Path, json_lines: &FileDigest, text: &FileDigest) -> Result<bool, Error> {
    let mut lines = Lines::open(&dump::plain_file(folder, &json_lines.name)?, Limits::default())?;
    let mut expected = String::new();
    let mut number = 0;
    while let Some(sample) = lines.next_json::<Generation>()? {
        number += 1;
        append_text(&mut expected, number, &sample.text);
    }
    let path = dump::plain_file(folder, &text.name)?;
    Ok(ovid_io::digest::sha256_file(&path, &Silent)? == ovid_io::digest::sha256(expected.as_bytes()))
}
