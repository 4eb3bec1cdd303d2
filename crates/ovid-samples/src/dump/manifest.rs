//! The manifest of a dump: which files, made how, with which digests. It is untrusted input to whoever verifies.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use ovid_generate::Settings;
use ovid_io::{Observer, Place, digest};
use serde::{Deserialize, Serialize};

use super::{Plan, Setting};
use crate::Error;

/// The manifest's name in its folder.
pub const MANIFEST: &str = "manifest.json";
const FORMAT: &str = "ovid-samples-dump-1";
/// No manifest is longer than this.
const MOST_BYTES: u64 = 16 << 20;

/// What a folder must hold to be a dump.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Names this form and its version.
    pub format: String,
    /// What was dumped.
    pub plan: Plan,
    /// The files.
    pub files: Vec<DumpFile>,
}

/// The samples of one setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DumpFile {
    /// The setting's short name.
    pub setting: Setting,
    /// The setting in full.
    pub sampler: Settings,
    /// Whether prompts were continued.
    pub conditional: bool,
    /// Samples, with the seeds from 0 in order.
    pub n_samples: u32,
    /// All of each sample.
    pub json_lines: FileDigest,
    /// The texts, in the layout of 2019.
    pub text: FileDigest,
}

/// A file by name and content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileDigest {
    /// Its name in the dump's folder.
    pub name: String,
    /// Its length in bytes.
    pub n_bytes: u64,
    /// Its SHA-256.
    pub sha256: String,
}

/// The prompts of a dump, by number and content; their texts stand with the samples.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptSet {
    /// How many.
    pub n_prompts: u32,
    /// SHA-256 of the prompts as JSON strings, one a line.
    pub sha256: String,
}

impl PromptSet {
    /// Names a list of prompts.
    ///
    /// # Errors
    /// Where there are none, or one is empty.
    pub fn new(prompts: &[String]) -> Result<Self, Error> {
        if let Some(empty) = prompts.iter().position(String::is_empty) {
            return Err(Error::Asked(format!("prompt {} is empty; samples without a prompt are made with --unconditional", empty + 1)));
        }
        if prompts.is_empty() {
            return Err(Error::Asked("there are no prompts".into()));
        }
        let lines = prompts.iter().map(|p| serde_json::to_string(p).map(|line| line + "\n"));
        let lines: String =
            lines.collect::<Result<_, _>>().map_err(|e| Error::Asked(format!("a prompt cannot be written as JSON: {e}")))?;
        Ok(Self { n_prompts: prompts.len() as u32, sha256: digest::sha256(lines.as_bytes()) })
    }
}

impl Manifest {
    pub(super) fn new(plan: &Plan, files: Vec<DumpFile>) -> Self {
        Self { format: FORMAT.into(), plan: plan.clone(), files }
    }

    /// Reads the manifest of a folder and holds it against itself; no other file is opened. With it the SHA-256 of its bytes.
    ///
    /// # Errors
    /// Where there is none, it is of another form, names files outside the folder, or is not what its plan comes to.
    pub fn read(folder: &Path) -> Result<(Self, String), Error> {
        let path = plain_file(folder, MANIFEST)?;
        let refuse = |cause| ovid_io::Error::io(&path, "read", cause);
        let wrong = |key: &str, cause: String| ovid_io::Error::malformed(&path, Place::Key(key.into()), cause);
        let mut bytes = Vec::new();
        std::fs::File::open(&path).and_then(|f| f.take(MOST_BYTES + 1).read_to_end(&mut bytes)).map_err(refuse)?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(ovid_io::Error::malformed(&path, Place::Whole, "it is longer than a manifest can be").into());
        }
        let manifest: Self =
            serde_json::from_slice(&bytes).map_err(|e| ovid_io::Error::malformed(&path, Place::Line(e.line() as u64), e.to_string()))?;
        if manifest.format != FORMAT {
            return Err(wrong("format", format!("it is {:?}, and this program knows {FORMAT:?}", manifest.format)).into());
        }
        let parts = manifest.plan.parts();
        let planned = parts.iter().map(|(name, setting, conditional)| {
            let sampler = setting.settings(manifest.plan.max_tokens);
            (format!("{name}.jsonl"), format!("{name}.txt"), *setting, sampler, *conditional, manifest.plan.n_samples)
        });
        let listed = manifest
            .files
            .iter()
            .map(|f| (f.json_lines.name.clone(), f.text.name.clone(), f.setting, f.sampler.clone(), f.conditional, f.n_samples));
        // The names are those that the plan comes to, and no plan comes to a path: the check is said twice, so that no later change of names opens a door.
        for file in manifest.files.iter().flat_map(|f| [&f.json_lines, &f.text]) {
            if !is_plain(&file.name) {
                return Err(wrong("files", format!("{:?} is no plain file name", file.name)).into());
            }
        }
        if !planned.eq(listed) {
            return Err(wrong("files", "they are not those that the plan comes to".into()).into());
        }
        Ok((manifest, digest::sha256(&bytes)))
    }

    /// The names of files whose length or digest is not the manifest's.
    ///
    /// # Errors
    /// Where a file is absent, a link or no file, or the observer cancels.
    pub fn changed_files(&self, folder: &Path, observer: &dyn Observer) -> Result<Vec<String>, Error> {
        let mut changed = Vec::new();
        for file in self.files.iter().flat_map(|f| [&f.json_lines, &f.text]) {
            let path = plain_file(folder, &file.name)?;
            let n_bytes = std::fs::metadata(&path).map_err(|e| ovid_io::Error::io(&path, "read", e))?.len();
            if n_bytes != file.n_bytes || digest::sha256_file(&path, observer)? != file.sha256 {
                changed.push(file.name.clone());
            }
        }
        Ok(changed)
    }
}

/// Whether a name is that of a file in a folder, and nothing else.
fn is_plain(name: &str) -> bool {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    !name.is_empty() && !name.starts_with('.') && name.len() < 200 && name.chars().all(safe)
}

/// The path of a file that lies in the folder itself: no link, which might lead anywhere.
pub(crate) fn plain_file(folder: &Path, name: &str) -> Result<PathBuf, Error> {
    let path = folder.join(name);
    if !is_plain(name) {
        return Err(ovid_io::Error::malformed(&path, Place::Whole, "the manifest names something that is no plain file name").into());
    }
    let found = std::fs::symlink_metadata(&path).map_err(|e| ovid_io::Error::io(&path, "read", e))?;
    if !found.is_file() {
        return Err(ovid_io::Error::malformed(&path, Place::Whole, "it is a link or no file; a dump holds its files itself").into());
    }
    Ok(path)
}
