//! The manifest of an export: what it is, for whom, and every file by its digest. Signed; untrusted input to whoever verifies.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::files::{FileEntry, json_text};
use crate::keys::{SecretKey, Signer};
use crate::{Error, Identity, Stage};

/// The manifest's file.
pub const FILE: &str = "manifest.json";
/// Its signature's.
pub const SIGNATURE: &str = "manifest.json.minisig";
/// Names the form and its version.
pub const FORMAT: &str = "ovid-release-1";
/// The release folder in an export.
pub const RELEASE: &str = "release";
/// The model's folder in an export.
pub const MODEL: &str = "model";
/// The folder of the GGUF file in an export.
pub const GGUF: &str = "gguf";
/// The index of the training text's n-grams in an export.
pub const TRAINING_INDEX: &str = "training.index";
/// What is said of it.
pub const TRAINING: &str = "training.json";
/// What was measured of a copy's mark.
pub const FINGERPRINT: &str = "fingerprint.json";
/// The terms of a copy.
pub const TERMS: &str = "TERMS.md";

/// What the manifest says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// The model's name.
    pub name: String,
    /// The version of the release.
    pub version: String,
    /// The stage.
    pub stage: Stage,
    /// Who may have this copy.
    pub who_may_have_it: String,
    /// The person that this copy was made for.
    pub to: Option<String>,
    /// The day, as the signer's clock had it.
    pub date: String,
    /// Ovid's version.
    pub ovid: String,
    /// The model that all evidence is about.
    pub source: Identity,
    /// SHA-256 of the numbers in `model/`: the source's own, or another one where the copy is marked.
    pub values_sha256: String,
    /// Who signed it.
    pub signer: Signer,
    /// The files, all but the manifest and its signature.
    pub files: Vec<FileEntry>,
}

/// Whether a path is the manifest itself or its signature.
pub(crate) fn is_manifest(path: &str) -> bool {
    path == FILE || path == SIGNATURE
}

impl Manifest {
    /// Writes and signs it: the signature last, so that a folder with one is whole.
    pub(crate) fn write(&self, folder: &Path, key: &SecretKey) -> Result<(), Error> {
        let path = folder.join(FILE);
        let text = json_text(&path, self)?;
        let signature = key.sign(text.as_bytes(), &format!("{} {} {} {}", self.name, self.version, self.stage, self.date))?;
        ovid_io::atomic::write_atomic(&path, |out| std::io::Write::write_all(out, text.as_bytes()))?;
        Ok(ovid_io::atomic::write_atomic(&folder.join(SIGNATURE), |out| std::io::Write::write_all(out, signature.as_bytes()))?)
    }
}
