//! Verification as a stranger makes it: with the folder, and with nothing else but, at best, the signer's key from elsewhere.

use std::path::Path;

use ovid_io::Observer;
use ovid_model::load_params;
use serde::{Deserialize, Serialize};

use crate::check::{self, CheckReport, Options, Status, Subject};
use crate::files::{self, Fault, read_json, read_small, same_digest};
use crate::identity::values_sha256;
use crate::manifest::{self, GGUF, MODEL, Manifest, RELEASE, TRAINING, TRAINING_INDEX};
use crate::{Error, Identity, Release, export, keys};

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyReport {
    /// Whether nothing was found that is not as it should be.
    pub verified: bool,
    /// The manifest, where it could be read.
    pub manifest: Option<Manifest>,
    /// The identity of the key that signed it, as minisign prints it.
    pub key_id: Option<String>,
    /// Whether the key is one that the caller gave; else it is only the one that the folder itself names.
    pub key_known: bool,
    /// What is not as it should be.
    pub faults: Vec<Fault>,
    /// The check of the evidence.
    pub evidence: Option<CheckReport>,
    /// What could not be looked at, and why.
    pub not_checked: Vec<String>,
}

/// Verifies an export. `key` is the signer's public key from elsewhere.
///
/// # Errors
/// If the folder cannot be read; that something is wrong with it is the answer and no error.
pub fn verify(
    folder: &Path,
    key: Option<&str>,
    n_samples: u32,
    seed: u64,
    n_threads: usize,
    unit: Option<ovid_model::Unit>,
    observer: &dyn Observer,
) -> Result<VerifyReport, Error> {
    let mut report = VerifyReport {
        verified: false,
        manifest: None,
        key_id: None,
        key_known: false,
        faults: Vec::new(),
        evidence: None,
        not_checked: Vec::new(),
    };
    if !folder.is_dir() {
        return Err(ovid_io::Error::io(folder, "read", std::io::ErrorKind::NotADirectory.into()).into());
    }
    let Some(manifest) = signed_manifest(folder, key, &mut report)? else { return Ok(report) };
    report.faults.extend(files::compare(folder, &manifest.files, manifest::is_manifest, observer)?);
    // Files that are not what was signed are not read any further.
    if report.faults.is_empty() {
        let options = Options { stage: manifest.stage, n_samples, seed, n_threads, unit };
        contents(folder, &manifest, &options, &mut report, observer)?;
    } else {
        report.not_checked.push("the evidence: files are not those that were signed".to_owned());
    }
    report.verified = report.faults.is_empty();
    report.manifest = Some(manifest);
    Ok(report)
}

/// The manifest and its signature.
fn signed_manifest(folder: &Path, key: Option<&str>, report: &mut VerifyReport) -> Result<Option<Manifest>, Error> {
    let (path, signature_path) = (folder.join(manifest::FILE), folder.join(manifest::SIGNATURE));
    for (path, name) in [(&path, manifest::FILE), (&signature_path, manifest::SIGNATURE)] {
        let what = match std::fs::symlink_metadata(path) {
            Ok(found) if found.is_file() => continue,
            Ok(_) => "it is no file, or a link",
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => "it is missing: this is no whole release",
            Err(e) => return Err(ovid_io::Error::io(path, "read", e).into()),
        };
        fault(report, name, what);
        return Ok(None);
    }
    let bytes = read_small(&path)?;
    let manifest: Manifest = match read_json(&path) {
        Ok(manifest) => manifest,
        Err(e) => {
            fault(report, manifest::FILE, &e.to_string());
            return Ok(None);
        }
    };
    if manifest.format != manifest::FORMAT {
        fault(report, manifest::FILE, &format!("its form is '{}', not {}", manifest.format, manifest::FORMAT));
        return Ok(None);
    }
    let public_key = key.unwrap_or(&manifest.signer.public_key);
    report.key_known = key.is_some_and(|key| key == manifest.signer.public_key);
    report.key_id = keys::key_id(&manifest.signer.public_key).ok();
    if key.is_some() && !report.key_known {
        fault(report, manifest::SIGNATURE, "the release was signed with another key than the one given");
    }
    let signature = String::from_utf8_lossy(&read_small(&signature_path)?).into_owned();
    if let Err(cause) = keys::verify(public_key, &bytes, &signature) {
        fault(report, manifest::SIGNATURE, &format!("the signature does not hold ({cause})"));
        // Nothing in an unsigned list is worth looking at.
        return Ok(None);
    }
    Ok(Some(manifest))
}

/// Whether the files, which are those that were signed, are what the manifest says of them, and whether the evidence holds.
fn contents(
    folder: &Path,
    manifest: &Manifest,
    options: &Options,
    report: &mut VerifyReport,
    observer: &dyn Observer,
) -> Result<(), Error> {
    let model = folder.join(MODEL);
    let params = load_params(&model, observer)?;
    if !same_digest(&values_sha256(&params), &manifest.values_sha256) {
        fault(report, MODEL, "its numbers are not those that the manifest names");
    }
    let is_source = same_digest(&manifest.values_sha256, &manifest.source.values_sha256);
    match (is_source, &manifest.to) {
        (false, None) => fault(report, MODEL, "its numbers are not those that the evidence is about"),
        (false, Some(name)) => report
            .not_checked
            .push(format!("that model/ is the model of the evidence but for the mark of the copy for {name}: the signer says so")),
        (true, Some(_)) => fault(report, MODEL, "a copy for a named person carries no mark"),
        (true, None) => {}
    }
    let training: export::Training = read_json(&folder.join(TRAINING))?;
    let listed = manifest.files.iter().find(|f| f.path == TRAINING_INDEX);
    if training.model_sha256 != manifest.source.sha256 || listed.is_none_or(|f| !same_digest(&f.sha256, &training.sha256)) {
        fault(report, TRAINING, "it is about another model or another index");
    }
    let release = Release::open(&folder.join(RELEASE))?;
    let subject = subject(folder, manifest, report, observer)?;
    let evidence = check::check(&release, &subject, options, observer)?;
    for item in &evidence.items {
        match item.status {
            Status::Failed => item.missing.iter().for_each(|cause| fault(report, &format!("{RELEASE}: {}", item.id), cause)),
            Status::NotChecked => report.not_checked.push(format!("{}: {}", item.id, item.found.clone().unwrap_or_default())),
            Status::Passed | Status::NotNeeded => {}
        }
    }
    report.evidence = Some(evidence);
    Ok(())
}

/// The model that the evidence is held against: the file in the export whose digest all evidence names, where it is there.
fn subject(folder: &Path, manifest: &Manifest, report: &mut VerifyReport, observer: &dyn Observer) -> Result<Subject, Error> {
    let gguf = folder.join(GGUF).join(format!("{}.gguf", manifest.name));
    for path in [gguf, folder.join(MODEL)] {
        if path.exists() && ovid_io::digest::sha256_tree(&path, observer)? == manifest.source.sha256 {
            let identity = Identity::of(&path, None, observer)?;
            if identity != manifest.source {
                fault(report, manifest::FILE, "numbers or tokenizer are not those that the manifest names for the model");
            }
            return Ok(Subject { identity, files: Some((path, None)) });
        }
    }
    report
        .not_checked
        .push(format!("that the numbers in {MODEL}/ came from the file with sha256 {}: it is not in the release", manifest.source.sha256));
    Ok(Subject { identity: manifest.source.clone(), files: None })
}

fn fault(report: &mut VerifyReport, path: &str, what: &str) {
    report.faults.push(Fault { path: path.to_owned(), what: what.to_owned() });
}
