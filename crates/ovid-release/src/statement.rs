//! What a person (or, at the stage `demo`, a program in the maintainers' place) says of an item, signed, for these weights.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::checklist::Item;
use crate::files::{json_text, read_json, read_small, same_digest};
use crate::folder::STATEMENTS;
use crate::keys::{self, Kind, SecretKey, Signer};
use crate::{Error, Release, Stage};

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The item of the checklist.
    pub item: String,
    /// The question as it was asked.
    pub question: String,
    /// The answer.
    pub text: String,
    /// Who says so.
    pub signer: String,
    /// Person or program.
    pub kind: Kind,
    /// The weights that it is about.
    pub model_sha256: String,
    /// The day, as the signer's clock had it.
    pub date: String,
}

/// Where the statement of an item lies, and its signature.
pub fn paths(folder: &Path, item: &str) -> (PathBuf, PathBuf) {
    let folder = folder.join(STATEMENTS);
    (folder.join(format!("{item}.json")), folder.join(format!("{item}.json.minisig")))
}

/// Signs an answer and puts it into the release folder. A statement that was there is replaced.
///
/// # Errors
/// If the item asks for no statement, the key is not among the signers, the answer is too short, or a file cannot be written.
pub fn sign(release: &Release, item: &str, text: &str, model_sha256: &str, key: &SecretKey, date: &str) -> Result<Statement, Error> {
    let asked = release.checklist.get(item).ok_or_else(|| Error::Asked(format!("the checklist has no item '{item}'")))?;
    let question =
        asked.statement.as_ref().ok_or_else(|| Error::Asked(format!("item '{item}' is not answered by a statement; {}", asked.make)))?;
    let n_words = text.split_whitespace().count();
    if n_words < question.min_words {
        return Err(Error::Asked(format!(
            "the answer has {n_words} words; '{item}' asks for {} at least: {}",
            question.min_words, question.question
        )));
    }
    let signer = key.signer(&release.signers)?;
    let statement = Statement {
        item: item.to_owned(),
        question: question.question.clone(),
        text: text.trim().to_owned(),
        signer: signer.name.clone(),
        kind: signer.kind,
        model_sha256: model_sha256.to_owned(),
        date: date.to_owned(),
    };
    let (path, signature_path) = paths(&release.folder, item);
    let folder = release.folder.join(STATEMENTS);
    std::fs::create_dir_all(&folder).map_err(|e| ovid_io::Error::io(&folder, "make the folder", e))?;
    let bytes = json_text(&path, &statement)?;
    let signature = key.sign(bytes.as_bytes(), &format!("{} {item} {date}", release.plan.name))?;
    // The signature first: a statement without its own would look finished.
    ovid_io::atomic::write_atomic(&signature_path, |out| std::io::Write::write_all(out, signature.as_bytes()))?;
    ovid_io::atomic::write_atomic(&path, |out| std::io::Write::write_all(out, bytes.as_bytes()))?;
    Ok(statement)
}

/// Reads the statement of an item and holds it against everything that it must be; the reason where it does not count.
///
/// # Errors
/// The reason, in words.
pub fn read(folder: &Path, signers: &[Signer], item: &Item, stage: Stage, model_sha256: &str) -> Result<Statement, String> {
    let (path, signature_path) = paths(folder, &item.id);
    let place = format!("{STATEMENTS}/{}.json", item.id);
    if !path.exists() {
        let who = if stage.needs_person() { "a person" } else { "the maintainers" };
        return Err(format!("{place} is missing: it is to be written and signed by {who}"));
    }
    let bytes = read_small(&path).map_err(|e| e.to_string())?;
    let statement: Statement = read_json(&path).map_err(|e| e.to_string())?;
    if !signature_path.exists() {
        return Err(format!("{place}.minisig is missing: nobody signed the statement"));
    }
    let signature = String::from_utf8_lossy(&read_small(&signature_path).map_err(|e| e.to_string())?).into_owned();
    let signer = signers.iter().find(|s| s.name == statement.signer && s.kind == statement.kind);
    let signer = signer.ok_or_else(|| format!("{place}: '{}' is none of the signers in signers.toml", statement.signer))?;
    keys::verify(&signer.public_key, &bytes, &signature)
        .map_err(|cause| format!("{place}: the signature is not that of '{}' ({cause})", signer.name))?;
    if statement.item != item.id {
        return Err(format!("{place}: it answers the item '{}'", statement.item));
    }
    let question = item.statement.as_ref().map(|q| q.question.as_str());
    if question != Some(&statement.question) {
        return Err(format!("{place}: the question has changed since it was answered"));
    }
    if !same_digest(&statement.model_sha256, model_sha256) {
        return Err(format!("{place} is stale: it was made for other weights ({})", short(&statement.model_sha256)));
    }
    if stage.needs_person() && statement.kind != Kind::Person {
        return Err(format!("{place}: the stage {stage} asks for a person, and '{}' is a program", statement.signer));
    }
    Ok(statement)
}

/// The beginning of a digest, for people.
pub(crate) fn short(sha256: &str) -> &str {
    sha256.get(..12).unwrap_or(sha256)
}
