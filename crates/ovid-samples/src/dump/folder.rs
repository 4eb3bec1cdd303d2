//! The folder of a dump while it grows.
//!
//! `plan.json` first; each part's lines behind one another in `NAME.jsonl.partial`, synced as they come; then `NAME.jsonl` and `NAME.txt` in one step each; `manifest.json` last.
//! So a folder with a manifest is whole, and one that was left at any moment can be gone on with.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ovid_generate::Generation;
use ovid_io::atomic::write_atomic;
use ovid_io::documents::{Limits, Lines};
use ovid_io::{Silent, digest};

use super::manifest::{DumpFile, FileDigest, MANIFEST, Manifest, plain_file};
use super::{Plan, append_text};
use crate::Error;

const PLAN: &str = "plan.json";
/// Lines are synced at least this often.
const SYNC_EVERY: Duration = Duration::from_secs(2);

/// A folder that this run alone works in.
pub(super) struct Folder {
    path: PathBuf,
    plan: Plan,
    /// Held while the run lives; the system lets go of it when the process ends, however it ends.
    _lock: File,
}

impl Folder {
    /// Makes the folder, or takes the one that an earlier run of the same plan left.
    pub(super) fn open(path: &Path, plan: &Plan) -> Result<Self, Error> {
        let refuse = |cause| ovid_io::Error::io(path, "write", cause);
        let asked = |cause: String| Err(Error::Asked(format!("'{}': {cause}", path.display())));
        std::fs::create_dir_all(path).map_err(refuse)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(path.join(".lock")).map_err(refuse)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return asked("another run is dumping into it".into()),
            Err(TryLockError::Error(cause)) => return Err(refuse(cause).into()),
        }
        let folder = Self { path: path.to_owned(), plan: plan.clone(), _lock: lock };
        if path.join(MANIFEST).exists() {
            return Ok(folder);
        }
        let plan_path = path.join(PLAN);
        match std::fs::read(&plan_path) {
            Ok(bytes) => match serde_json::from_slice::<Plan>(&bytes) {
                Ok(found) if found == *plan => {}
                Ok(_) => return asked(
                    "it holds an unfinished dump of another model, other settings, numbers or prompts; finish that one or dump elsewhere"
                        .into(),
                ),
                Err(e) => return Err(ovid_io::Error::malformed(&plan_path, ovid_io::Place::Line(e.line() as u64), e.to_string()).into()),
            },
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let mut entries = std::fs::read_dir(path).map_err(refuse)?;
                if entries.any(|e| e.is_ok_and(|e| !e.file_name().as_encoded_bytes().starts_with(b"."))) {
                    return asked("it is there already, and holds something else than a dump".into());
                }
                write_json(&plan_path, plan)?;
            }
            Err(e) => return Err(ovid_io::Error::io(&plan_path, "read", e).into()),
        }
        Ok(folder)
    }

    /// The manifest, where an earlier run finished the same plan.
    pub(super) fn whole(&self) -> Result<Option<Manifest>, Error> {
        if !self.path.join(MANIFEST).exists() {
            return Ok(None);
        }
        let (manifest, _) = Manifest::read(&self.path)?;
        if manifest.plan == self.plan {
            Ok(Some(manifest))
        } else {
            Err(Error::Asked(format!("'{}' holds a whole dump of another plan", self.path.display())))
        }
    }

    /// The part's lines so far; `None` where it is whole.
    pub(super) fn part(&self, name: &str, n_samples: u32) -> Result<Option<Part>, Error> {
        let whole = self.path.join(format!("{name}.jsonl"));
        if whole.exists() {
            // Killed between the two files of a part: the text is made from the lines.
            write_text(&whole)?;
            return Ok(None);
        }
        let partial = self.path.join(format!("{name}.jsonl.partial"));
        let refuse = |cause| ovid_io::Error::io(&partial, "write", cause);
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&partial).map_err(refuse)?;
        let (n_lines, n_bytes) = good_lines(&partial, n_samples)?;
        // A line that was being written when the program was killed.
        file.set_len(n_bytes).map_err(refuse)?;
        file.seek(std::io::SeekFrom::End(0)).map_err(refuse)?;
        Ok(Some(Part { partial, whole, file, n_lines, synced: Instant::now() }))
    }

    /// Writes the manifest: from here on the folder is a dump.
    pub(super) fn finish(self, plan: &Plan) -> Result<Manifest, Error> {
        let mut files = Vec::new();
        for (name, setting, conditional) in plan.parts() {
            let digest = |extension: &str| {
                let name = format!("{name}.{extension}");
                let path = plain_file(&self.path, &name)?;
                let n_bytes = std::fs::metadata(&path).map_err(|e| ovid_io::Error::io(&path, "read", e))?.len();
                Ok::<_, Error>(FileDigest { name, n_bytes, sha256: digest::sha256_file(&path, &Silent)? })
            };
            let (json_lines, text) = (digest("jsonl")?, digest("txt")?);
            let sampler = setting.settings(plan.max_tokens);
            files.push(DumpFile { setting, sampler, conditional, n_samples: plan.n_samples, json_lines, text });
        }
        let manifest = Manifest::new(plan, files);
        write_json(&self.path.join(MANIFEST), &manifest)?;
        // Left-overs are harmless, since the manifest is there: what cannot be removed may stay.
        let _ = std::fs::remove_file(self.path.join(PLAN));
        let _ = std::fs::remove_file(self.path.join(".lock"));
        Ok(manifest)
    }
}

/// One file of JSON Lines while it grows.
pub(super) struct Part {
    partial: PathBuf,
    whole: PathBuf,
    file: File,
    n_lines: u32,
    synced: Instant,
}

impl Part {
    /// Lines so far.
    pub(super) fn n_lines(&self) -> u32 {
        self.n_lines
    }

    /// Appends a sample.
    pub(super) fn push(&mut self, sample: &Generation) -> Result<(), Error> {
        let refuse = |cause| ovid_io::Error::io(&self.partial, "write", cause);
        let line = serde_json::to_string(sample).map_err(|e| refuse(e.into()))? + "\n";
        self.file.write_all(line.as_bytes()).map_err(refuse)?;
        self.n_lines += 1;
        if self.synced.elapsed() > SYNC_EVERY {
            self.file.sync_data().map_err(refuse)?;
            self.synced = Instant::now();
        }
        Ok(())
    }

    /// Gives the whole file its name, and writes the text beside it.
    pub(super) fn finish(self) -> Result<(), Error> {
        let refuse = |cause| ovid_io::Error::io(&self.partial, "write", cause);
        self.file.sync_all().map_err(refuse)?;
        std::fs::rename(&self.partial, &self.whole).map_err(refuse)?;
        write_text(&self.whole)
    }
}

/// How many lines, and bytes of them, are samples with the seeds from 0 in order.
fn good_lines(path: &Path, n_samples: u32) -> Result<(u32, u64), Error> {
    let mut lines = Lines::open(path, Limits::default())?;
    let (mut n_lines, mut n_bytes) = (0, 0);
    let length = std::fs::metadata(path).map_err(|e| ovid_io::Error::io(path, "read", e))?.len();
    while n_lines < n_samples
        && let Some(line) = lines.next_line()?
    {
        let end = n_bytes + line.len() as u64 + 1;
        let good = serde_json::from_slice::<Generation>(line).is_ok_and(|g| g.seed == u64::from(n_lines));
        if !good || end > length {
            break;
        }
        (n_lines, n_bytes) = (n_lines + 1, end);
    }
    Ok((n_lines, n_bytes))
}

/// The text file beside a file of JSON Lines.
fn write_text(json_lines: &Path) -> Result<(), Error> {
    Ok(write_atomic(&json_lines.with_extension("txt"), |out| {
        let mut text = String::new();
        let mut lines = Lines::open(json_lines, Limits::default()).map_err(std::io::Error::other)?;
        let mut number = 0;
        while let Some(sample) = lines.next_json::<Generation>().map_err(std::io::Error::other)? {
            number += 1;
            text.clear();
            append_text(&mut text, number, &sample.text);
            out.write_all(text.as_bytes())?;
        }
        Ok(())
    })?)
}

fn write_json(path: &Path, what: &impl serde::Serialize) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(what).map_err(|e| ovid_io::Error::io(path, "write", e.into()))?;
    Ok(write_atomic(path, |out| writeln!(out, "{text}"))?)
}
