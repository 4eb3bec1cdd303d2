//! The export: refused until the check passes, written whole or not at all.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use ovid_bpe::Tokenizer;
use ovid_eval::bits_by_style;
use ovid_io::atomic::{IfExists, write_folder};
use ovid_io::{Dtype, Observer, Silent};
use ovid_model::{Gpt2, Params, load_params, save_gguf, save_hf};
use ovid_overlap::{Build, Split};
use serde::{Deserialize, Serialize};

use crate::check::{self, CheckReport, Options, Subject};
use crate::files::{self, json_text, read_small, write_json};
use crate::fingerprint::{FingerprintKey, mark};
use crate::folder::{CARD, CARD_HTML, COPIES};
use crate::identity::values_sha256;
use crate::keys::SecretKey;
use crate::manifest::{self, FINGERPRINT, GGUF, MODEL, Manifest, RELEASE, TERMS, TRAINING, TRAINING_INDEX};
use crate::measure::{all_styles, held_out};
use crate::record::{self, Record};
use crate::{Error, Release, Stage};

/// What is asked for.
pub struct Ask<'a> {
    /// How the check is made, and the stage.
    pub check: Options,
    /// Where the export goes.
    pub out: &'a Path,
    /// Who signs it.
    pub key: &'a SecretKey,
    /// The day.
    pub date: &'a str,
    /// Whether a GGUF file goes along.
    pub gguf: bool,
    /// The person that the copy is for, and the issuer's key.
    pub to: Option<(&'a str, &'a FingerprintKey)>,
}

/// What became of it.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It was written.
    Written(Box<Manifest>),
    /// The check did not pass, and nothing was written.
    Refused(CheckReport),
}

/// What is said of the index of the training text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// The model that was trained on it.
    pub model_sha256: String,
    /// The index's file.
    pub file: String,
    /// Its SHA-256.
    pub sha256: String,
    /// What `ovid overlap index` said of it.
    pub index: ovid_overlap::Built,
}

/// What a mark costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MarkCost {
    /// Weights that carry the mark.
    pub n_marked: u64,
    /// Bytes of held-out text scored.
    pub n_bytes: u64,
    /// Bits per byte before.
    pub bits_per_byte_before: f64,
    /// Bits per byte after.
    pub bits_per_byte_after: f64,
    /// The change, in percent of what it was before.
    pub change_percent: f64,
}

/// A copy may cost this much, in percent of its bits per byte.
pub const MOST_CHANGE_PERCENT: f64 = 0.1;
/// Held-out text on which a mark's cost is measured.
const MEASURED_BYTES: usize = 64_000;

/// Exports a release.
///
/// # Errors
/// If what is asked for does not fit together, something cannot be read or written, or a mark costs too much. Nothing is left where the export was to be.
pub fn export(release: &Release, ask: &Ask<'_>, observer: &dyn Observer) -> Result<Outcome, Error> {
    match (ask.check.stage, &ask.to) {
        (Stage::Researchers, None) => {
            return Err(Error::Asked("the stage researchers is for named persons: --to NAME and --fingerprint KEY".to_owned()));
        }
        (stage, Some(_)) if stage != Stage::Researchers => {
            return Err(Error::Asked(format!("a copy at the stage {stage} is for anybody, and not for one name")));
        }
        _ => {}
    }
    if let Some((name, _)) = ask.to.filter(|(name, _)| name.trim().is_empty() || name.chars().any(char::is_control)) {
        return Err(Error::Asked(format!("{name:?} is no name")));
    }
    let signer = ask.key.signer(&release.signers)?.clone();
    let subject = Subject::of(release, observer)?;
    let report = check::check(release, &subject, &ask.check, observer)?;
    if !report.passed {
        return Ok(Outcome::Refused(report));
    }
    let record = record::read(&release.folder, &release.signers, ask.check.stage).map_err(Error::Asked)?;
    if let Some((name, _)) = ask.to {
        // Before the copy is made: a name too many is harmless, a copy that nobody wrote down is not.
        enter_copy(&release.folder, name, ask.date)?;
    }
    let mut written = None;
    write_folder::<Error>(ask.out, IfExists::Refuse, |folder| {
        copy_release(release, &record, folder)?;
        let tokenizer = Tokenizer::load(&release.tokenizer().unwrap_or_else(|| release.model()))?;
        let values_sha256 = write_model(release, ask, &tokenizer, folder, observer)?;
        write_training(release, &subject.identity.sha256, folder, observer)?;
        if let (Some(terms), Some((name, _))) = (&release.plan.access.terms, ask.to) {
            let text = String::from_utf8_lossy(&read_small(&release.folder.join(terms))?).into_owned();
            let text =
                format!("This copy of {} {} was made for {name} on {}.\n\n{text}", release.plan.name, release.plan.version, ask.date);
            write(&folder.join(TERMS), text.as_bytes())?;
        }
        let manifest = Manifest {
            format: manifest::FORMAT.to_owned(),
            name: release.plan.name.clone(),
            version: release.plan.version.clone(),
            stage: ask.check.stage,
            who_may_have_it: ask.check.stage.who_may_have_it().to_owned(),
            to: ask.to.map(|(name, _)| name.to_owned()),
            date: ask.date.to_owned(),
            ovid: env!("CARGO_PKG_VERSION").to_owned(),
            source: subject.identity.clone(),
            values_sha256,
            signer: signer.clone(),
            files: files::list(folder, manifest::is_manifest, observer)?,
        };
        manifest.write(folder, ask.key)?;
        written = Some(manifest);
        Ok(())
    })?;
    written.map(|m| Outcome::Written(Box::new(m))).ok_or_else(|| Error::Asked("nothing was written".to_owned()))
}

/// The release folder as it was recorded, and the card on top.
fn copy_release(release: &Release, record: &Record, folder: &Path) -> Result<(), Error> {
    let paths = record.files.iter().map(|f| f.path.as_str()).chain([record::FILE, record::SIGNATURE, CARD, CARD_HTML]);
    for path in paths {
        let to = folder.join(RELEASE).join(path);
        copy(&release.folder.join(path), &to)?;
    }
    for file in [CARD, CARD_HTML] {
        copy(&release.folder.join(file), &folder.join(file))?;
    }
    Ok(())
}

/// Writes the model (and what was measured of its mark); the digest of its numbers.
fn write_model(release: &Release, ask: &Ask<'_>, tokenizer: &Tokenizer, folder: &Path, observer: &dyn Observer) -> Result<String, Error> {
    let source = release.model();
    let model = folder.join(MODEL);
    let mut params = load_params(&source, observer)?;
    if let Some((name, key)) = ask.to {
        let cost = marked(release, &mut params, tokenizer, name, key, ask, folder, observer)?;
        write_json(&folder.join(FINGERPRINT), &cost)?;
        write_params(&model, &params, tokenizer, observer)?;
    } else if source.is_dir() && source.join("config.json").is_file() && release.tokenizer().is_none() {
        copy_model(&source, &model)?;
    } else {
        write_params(&model, &params, tokenizer, observer)?;
    }
    if ask.gguf {
        let file = folder.join(GGUF).join(format!("{}.gguf", release.plan.name));
        if source.is_file() && ask.to.is_none() {
            copy(&source, &file)?;
        } else {
            fs::create_dir_all(folder.join(GGUF)).map_err(|e| ovid_io::Error::io(&file, "write", e))?;
            // Q8_0 would wipe out a mark.
            let dtype = if ask.to.is_some() { Dtype::F16 } else { Dtype::Q8_0 };
            save_gguf(&file, &params, dtype, &tokenizer.gguf_metadata(), observer)?;
        }
    }
    Ok(values_sha256(&params))
}

/// A model's folder as it is, so that its digest stays the one that all evidence names. Links to files (the hub's cache is made of them) are followed.
fn copy_model(from: &Path, to: &Path) -> Result<(), Error> {
    let refuse = |cause| ovid_io::Error::io(from, "list", cause);
    for entry in fs::read_dir(from).map_err(refuse)? {
        let entry = entry.map_err(refuse)?;
        let (name, path) = (entry.file_name(), entry.path());
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if !path.is_file() {
            return Err(Error::Asked(format!("'{}' is no file of a model: move it out of the model's folder", path.display())));
        }
        copy(&path, &to.join(name))?;
    }
    Ok(())
}

fn write_params(folder: &Path, params: &Params, tokenizer: &Tokenizer, observer: &dyn Observer) -> Result<(), Error> {
    save_hf(folder, params, Dtype::F32, observer)?;
    Ok(tokenizer.save_hf(folder)?)
}

/// Marks the weights and measures what that costs.
fn marked(
    release: &Release,
    params: &mut Params,
    tokenizer: &Tokenizer,
    name: &str,
    key: &FingerprintKey,
    ask: &Ask<'_>,
    beside: &Path,
    observer: &dyn Observer,
) -> Result<MarkCost, Error> {
    let paths: Vec<PathBuf> = release.plan.data.held_out.iter().map(|p| release.folder.join(p)).collect();
    let documents = held_out(&paths, MEASURED_BYTES)?;
    let scratch = tempfile::Builder::new().prefix(".scratch.").tempdir_in(beside).map_err(|e| ovid_io::Error::io(beside, "write", e))?;
    let score = |params: &Params| {
        save_hf(scratch.path(), params, Dtype::F32, &Silent)?;
        let model = Gpt2::load(scratch.path(), ask.check.device()?, &Silent)?;
        Ok::<_, Error>(all_styles(&bits_by_style(&model, tokenizer, &documents, observer)?))
    };
    let before = score(params)?;
    let n_marked = mark(params, key, name);
    let after = score(params)?;
    let change_percent = 100.0 * (after.bits_per_byte / before.bits_per_byte - 1.0);
    if change_percent.abs() >= MOST_CHANGE_PERCENT {
        return Err(Error::Asked(format!(
            "the mark changes the model's bits per byte by {change_percent:.3}%, and {MOST_CHANGE_PERCENT}% is the most"
        )));
    }
    let (bits_per_byte_before, bits_per_byte_after) = (before.bits_per_byte, after.bits_per_byte);
    Ok(MarkCost { n_marked, n_bytes: before.n_bytes as u64, bits_per_byte_before, bits_per_byte_after, change_percent })
}

/// The n-grams of the training text, so that others can ask what a text shares with it.
fn write_training(release: &Release, model_sha256: &str, folder: &Path, observer: &dyn Observer) -> Result<(), Error> {
    let paths: Vec<PathBuf> = release.plan.data.training.iter().map(|p| release.folder.join(p)).collect();
    if paths.is_empty() {
        return Err(Error::Asked(
            "release.toml names no training documents (data.training), and others could not ask what a text shares with them".to_owned(),
        ));
    }
    let file = folder.join(TRAINING_INDEX);
    let index = ovid_overlap::Built { path: TRAINING_INDEX.to_owned(), ..Build::default().write(&paths, Split::All, &file, observer)? };
    let sha256 = ovid_io::digest::sha256_file(&file, observer)?;
    let training = Training { model_sha256: model_sha256.to_owned(), file: TRAINING_INDEX.to_owned(), sha256, index };
    write_json(&folder.join(TRAINING), &training)
}

/// A copy that was asked for.
#[derive(Serialize, Deserialize)]
struct Copy {
    name: String,
    date: String,
}

/// Writes down for whom a copy is made, where it is not written down already. Writers wait for one another.
fn enter_copy(folder: &Path, name: &str, date: &str) -> Result<(), Error> {
    let path = folder.join(COPIES);
    let refuse = |cause| ovid_io::Error::io(&path, "write", cause);
    let mut file = fs::OpenOptions::new().create(true).append(true).read(true).open(&path).map_err(refuse)?;
    file.lock().map_err(refuse)?;
    if copies(&path)?.iter().any(|known| known == name) {
        return Ok(());
    }
    let line = json_text(&path, &Copy { name: name.to_owned(), date: date.to_owned() })?.replace('\n', "") + "\n";
    Ok(file.write_all(line.as_bytes()).and_then(|()| file.sync_all()).map_err(refuse)?)
}

/// The names for which copies were made, from a `copies.jsonl`.
///
/// # Errors
/// If it cannot be read.
pub fn copies(path: &Path) -> Result<Vec<String>, Error> {
    let text = String::from_utf8_lossy(&read_small(path)?).into_owned();
    let wrong = |n: usize, e: serde_json::Error| ovid_io::Error::malformed(path, ovid_io::Place::Line(n as u64 + 1), e.to_string());
    let whole = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let names = whole.map(|(n, line)| serde_json::from_str::<Copy>(line).map(|copy| copy.name).map_err(|e| wrong(n, e)));
    Ok(names.collect::<Result<_, _>>()?)
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(|e| ovid_io::Error::io(folder, "make the folder", e))?;
    }
    // Not fs::copy: the mode of a file need not be that of a release.
    let mut source = fs::File::open(from).map_err(|e| ovid_io::Error::io(from, "read", e))?;
    let mut out = fs::File::create(to).map_err(|e| ovid_io::Error::io(to, "write", e))?;
    std::io::copy(&mut source, &mut out).map_err(|e| ovid_io::Error::io(to, "write", e))?;
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    Ok(fs::write(path, bytes).map_err(|e| ovid_io::Error::io(path, "write", e))?)
}
