//! The record of a release folder: every file with its digest and the model that they are about, signed. What changes after it is seen.

use std::path::Path;

use ovid_io::Observer;
use serde::{Deserialize, Serialize};

use crate::files::{self, Fault, FileEntry, json_text, read_json, read_small};
use crate::folder::{CARD, CARD_HTML, COPIES};
use crate::keys::{self, Kind, SecretKey, Signer};
use crate::{Error, Identity, Release, Stage};

/// The record's file.
pub const FILE: &str = "record.json";
/// Its signature's.
pub const SIGNATURE: &str = "record.json.minisig";
const FORMAT: &str = "ovid-release-record-1";

/// What the record says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Names this form and its version.
    pub format: String,
    /// The model's name.
    pub name: String,
    /// The version of the release.
    pub version: String,
    /// The weights and the tokenizer.
    pub model: Identity,
    /// Who signed it.
    pub signer: Signer,
    /// The day, as the signer's clock had it.
    pub date: String,
    /// Ovid's version.
    pub ovid: String,
    /// The files.
    pub files: Vec<FileEntry>,
}

/// What a record vouches for: everything but itself, the card (which is made from the rest), the list of copies (which never leaves) and hidden files.
fn is_outside(path: &str) -> bool {
    [FILE, SIGNATURE, CARD, CARD_HTML, COPIES].contains(&path) || path.rsplit('/').next().is_some_and(|name| name.starts_with('.'))
}

/// Lists and signs what the folder holds now.
///
/// # Errors
/// If the model or a file cannot be read, the folder holds a link, or the key is not among the signers.
pub fn seal(release: &Release, key: &SecretKey, date: &str, observer: &dyn Observer) -> Result<Record, Error> {
    let signer = key.signer(&release.signers)?.clone();
    let record = Record {
        format: FORMAT.to_owned(),
        name: release.plan.name.clone(),
        version: release.plan.version.clone(),
        model: Identity::of(&release.model(), release.tokenizer().as_deref(), observer)?,
        signer,
        date: date.to_owned(),
        ovid: env!("CARGO_PKG_VERSION").to_owned(),
        files: files::list(&release.folder, is_outside, observer)?,
    };
    let path = release.folder.join(FILE);
    let text = json_text(&path, &record)?;
    let signature = key.sign(text.as_bytes(), &format!("{} {} {date}", record.name, record.version))?;
    ovid_io::atomic::write_atomic(&release.folder.join(SIGNATURE), |out| std::io::Write::write_all(out, signature.as_bytes()))?;
    ovid_io::atomic::write_atomic(&path, |out| std::io::Write::write_all(out, text.as_bytes()))?;
    Ok(record)
}

/// Reads the record; the reason where there is none that counts.
///
/// # Errors
/// The reason, in words.
pub fn read(folder: &Path, signers: &[Signer], stage: Stage) -> Result<Record, String> {
    let path = folder.join(FILE);
    if !path.exists() {
        return Err(format!("{FILE} is missing"));
    }
    let words = |e: Error| e.to_string();
    let bytes = read_small(&path).map_err(words)?;
    let record: Record = read_json(&path).map_err(words)?;
    if record.format != FORMAT {
        return Err(format!("{FILE}: its form is '{}', not {FORMAT}", record.format));
    }
    if !folder.join(SIGNATURE).exists() {
        return Err(format!("{SIGNATURE} is missing: nobody signed the record"));
    }
    let signature = String::from_utf8_lossy(&read_small(&folder.join(SIGNATURE)).map_err(words)?).into_owned();
    let signer = signers.iter().find(|s| **s == record.signer);
    let signer = signer.ok_or_else(|| format!("{FILE}: '{}' is none of the signers in signers.toml", record.signer.name))?;
    keys::verify(&signer.public_key, &bytes, &signature)
        .map_err(|cause| format!("{SIGNATURE}: the signature is not that of '{}' ({cause})", signer.name))?;
    if stage.needs_person() && signer.kind != Kind::Person {
        return Err(format!("{FILE}: the stage {stage} asks for a person's signature, and '{}' is a program", signer.name));
    }
    Ok(record)
}

/// What is not as the record says.
///
/// # Errors
/// If something cannot be read.
pub fn faults(folder: &Path, record: &Record, observer: &dyn Observer) -> Result<Vec<Fault>, Error> {
    files::compare(folder, &record.files, is_outside, observer)
}
