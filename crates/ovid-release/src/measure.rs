//! The evidence that this crate makes itself: evaluation by style, probes, and the tries of a ledger, each with the model that it is about.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ovid_bpe::Tokenizer;
use ovid_eval::probes::{ProbeReport, probe};
use ovid_eval::{StyleBits, bits_by_style};
use ovid_generate::ModelId;
use ovid_io::documents::{Limits, Lines};
use ovid_io::{Observer, digest};
use ovid_model::Gpt2;
use ovid_samples::Ledger;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::files::write_json;

/// Evaluation on held-out text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Names this form and its version.
    pub format: String,
    /// The model.
    pub model: ModelId,
    /// Ovid's version.
    pub version: String,
    /// The documents, by name and digest of their files.
    pub documents: Vec<(String, String)>,
    /// All styles together.
    pub all: StyleBits,
    /// Each by itself.
    pub styles: BTreeMap<String, StyleBits>,
}

/// Probes of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probes {
    /// Names this form and its version.
    pub format: String,
    /// The model.
    pub model: ModelId,
    /// Ovid's version.
    pub version: String,
    /// What was found.
    #[serde(flatten)]
    pub report: ProbeReport,
}

/// What a ledger says of a model's samples.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tries {
    /// Names this form and its version.
    pub format: String,
    /// The model.
    pub model: ModelId,
    /// Ovid's version.
    pub version: String,
    /// The hash that vouches for the ledger as it was read.
    pub head: String,
    /// Samples of this model that were begun: the tries.
    pub n_samples: u64,
    /// Of these, whole.
    pub n_completed: u64,
    /// Not whole: broken off, or never ended.
    pub n_cut: u64,
    /// Samples of other models in the same ledger.
    pub n_of_others: u64,
    /// Entries that do not hold.
    pub n_faults: u64,
}

/// A document of an evaluation.
#[derive(Deserialize)]
struct HeldOut {
    text: String,
    style: Option<String>,
    source: Option<String>,
}

/// Reads held-out documents as (style, text): JSON Lines with `text`, and `style` or else `source`. Stops after `most_bytes` of text, at a document's end.
///
/// # Errors
/// If a file cannot be read or there is no document.
pub fn held_out(paths: &[PathBuf], most_bytes: usize) -> Result<Vec<(String, String)>, Error> {
    let (mut documents, mut n_bytes) = (Vec::new(), 0);
    'all: for path in paths {
        let mut lines = Lines::open(path, Limits::default())?;
        while let Some(HeldOut { text, style, source }) = lines.next_json()? {
            n_bytes += text.len();
            documents.push((style.or(source).unwrap_or_else(|| "all".to_owned()), text));
            if n_bytes >= most_bytes {
                break 'all;
            }
        }
    }
    if documents.is_empty() {
        return Err(Error::Asked("there is no held-out text: name files of it in release.toml (data.held_out)".to_owned()));
    }
    Ok(documents)
}

/// Evaluates a model on held-out text and writes `evidence/evaluation.json`.
///
/// # Errors
/// If the text cannot be read, the model fails, or the file cannot be written.
pub fn evaluation(
    folder: &Path,
    model: &Gpt2,
    tokenizer: &Tokenizer,
    id: &ModelId,
    paths: &[PathBuf],
    observer: &dyn Observer,
) -> Result<Evaluation, Error> {
    let styles = bits_by_style(model, tokenizer, &held_out(paths, usize::MAX)?, observer)?;
    let mut documents = Vec::new();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        documents.push((name, digest::sha256_file(path, observer)?));
    }
    let evaluation = Evaluation {
        format: "ovid-evaluation-1".to_owned(),
        model: id.clone(),
        version: version(),
        documents,
        all: all_styles(&styles),
        styles,
    };
    write_json(&evidence(folder, "evaluation.json")?, &evaluation)?;
    Ok(evaluation)
}

/// Asks a model the probes and writes `evidence/probes.json`.
///
/// # Errors
/// If the model fails or the file cannot be written.
pub fn probes(folder: &Path, model: &Gpt2, tokenizer: &Tokenizer, id: &ModelId, observer: &dyn Observer) -> Result<Probes, Error> {
    let report = probe(model, tokenizer, 0, observer)?;
    let probes = Probes { format: "ovid-probes-1".to_owned(), model: id.clone(), version: version(), report };
    write_json(&evidence(folder, "probes.json")?, &probes)?;
    Ok(probes)
}

/// Counts a ledger's samples of a model, checks its chain, and writes `evidence/tries.json`.
///
/// # Errors
/// If the ledger cannot be read or the file cannot be written.
pub fn tries(folder: &Path, ledger: &Path, id: &ModelId, observer: &dyn Observer) -> Result<Tries, Error> {
    let ledger = Ledger::open_to_read(ledger)?;
    let check = ledger.check(None, observer)?;
    let (mut n_samples, mut n_completed, mut n_of_others) = (0, 0, 0);
    ledger.for_each(|sample| {
        if sample.run.model.sha256 == id.sha256 {
            n_samples += 1;
            n_completed += u64::from(sample.state == ovid_samples::ledger::State::Completed);
        } else {
            n_of_others += 1;
        }
        Ok(())
    })?;
    let tries = Tries {
        format: "ovid-tries-1".to_owned(),
        model: id.clone(),
        version: version(),
        head: check.head.hash,
        n_samples,
        n_completed,
        n_cut: n_samples - n_completed,
        n_of_others,
        n_faults: check.faults.len() as u64,
    };
    write_json(&evidence(folder, "tries.json")?, &tries)?;
    Ok(tries)
}

/// The sums over all styles.
pub(crate) fn all_styles(styles: &BTreeMap<String, StyleBits>) -> StyleBits {
    let mut all = StyleBits::default();
    for style in styles.values() {
        all.n_documents += style.n_documents;
        all.n_tokens += style.n_tokens;
        all.n_bytes += style.n_bytes;
        all.loss_nats += style.loss_nats;
    }
    all.bits_per_byte = all.loss_nats / std::f64::consts::LN_2 / all.n_bytes.max(1) as f64;
    all
}

fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

fn evidence(folder: &Path, file: &str) -> Result<PathBuf, Error> {
    let folder = folder.join("evidence");
    std::fs::create_dir_all(&folder).map_err(|e| ovid_io::Error::io(&folder, "make the folder", e))?;
    Ok(folder.join(file))
}
