//! `corpus.toml` to documents, rows and token shards, in passes over chunks.
//!
//! A pass ends where a stage must see all documents (duplicates, likeness to articles): its chunks leave sketches, the sketches are compared, and the next pass begins with the verdicts.
//! A chunk is 8 MiB of text and is written whole or not at all; what is written is a function of the configuration and the inputs alone, so that a run which was killed goes on with the
//! chunks that are missing and ends in the same bytes. Memory: a few chunks a thread, and 9 bytes a document while sketches are compared.

mod chunk;
mod counts;
mod output;
mod pass;
mod plan;
mod sketches;
mod source;
mod split;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use ovid_bpe::Tokenizer;
use ovid_io::Observer;
use ovid_io::digest::sha256;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::extract::Workers;
use crate::files::{make_folder, read_json, remove_folder, write_json};
use crate::{Error, read};

pub use counts::{Build, SplitCounts, StageCounts};
pub(crate) use output::{SHARDS, parts_of, read_part, write_part};

/// The file that tells what was built; its presence means that the folder is whole.
pub const BUILD: &str = "build.json";
/// The configuration as it was resolved.
pub const CONFIG: &str = "corpus.toml";
const WORK: &str = "work";
const STATE: &str = "state.json";

/// A text or page that is longer becomes a row `too-large`.
const RECORD_BYTES: usize = 16 << 20;

/// What was being built when a run was cut off: it is gone on with only if nothing of it has changed.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    inputs_sha256: String,
}

/// What every step is given.
pub(crate) struct Run<'a> {
    pub config: &'a Config,
    pub tokenizer: Option<&'a Tokenizer>,
    pub workers: &'a Workers,
    pub out: &'a Path,
    pub n_threads: usize,
    pub observer: &'a dyn Observer,
}

/// Builds a corpus into the folder `out`, or goes on with one.
///
/// # Errors
/// If the configuration cannot be carried out, `out` holds another corpus or is in use, a file cannot be written, or the observer cancels. What is wrong with an input file or a document is a row.
pub fn build(
    config: &Config,
    tokenizer: Option<&Tokenizer>,
    workers: &Workers,
    out: &Path,
    n_threads: usize,
    observer: &dyn Observer,
) -> Result<Build, Error> {
    let run = Run { config, tokenizer, workers, out, n_threads: n_threads.max(1), observer };
    let state = State { inputs_sha256: run.inputs_digest()? };
    if let Some(build) = read_json::<Build>(&out.join(BUILD))? {
        return if build.inputs_sha256 == state.inputs_sha256 { Ok(build) } else { Err(run.other()) };
    }
    let work = run.work();
    make_folder(&work)?;
    let _lock = lock(&work)?;
    match read_json::<State>(&work.join(STATE))? {
        Some(found) if found != state => return Err(run.other()),
        Some(_) => observer.note("going on where it was cut off"),
        None => write_json(&work.join(STATE), &state)?,
    }
    let n_chunks = run.passes()?;
    let build = run.output(n_chunks, state.inputs_sha256)?;
    let toml = toml::to_string(config).map_err(|cause| Error::config(&out.join(CONFIG), cause.to_string()))?;
    ovid_io::atomic::write_atomic(&out.join(CONFIG), |file| std::io::Write::write_all(file, toml.as_bytes()))?;
    write_json(&out.join(BUILD), &build)?;
    remove_folder(&work)?;
    Ok(build)
}

/// Holds the folder for this process; the system lets go of it when the process ends, however it ends.
pub(crate) fn lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join("lock");
    let file = File::create(&path).map_err(|cause| crate::files::refuse(&path, cause))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::data(folder, "another process works in this folder")),
        Err(std::fs::TryLockError::Error(cause)) => Err(crate::files::refuse(&path, cause)),
    }
}

impl Run<'_> {
    fn work(&self) -> PathBuf {
        self.out.join(WORK)
    }

    fn other(&self) -> Error {
        Error::data(self.out, "holds a corpus of another configuration or of inputs that have changed since; choose another folder")
    }

    /// Names everything that the result depends on. Inputs are told by path, length and time of change: reading them twice would take hours.
    fn inputs_digest(&self) -> Result<String, Error> {
        let mut lines = toml::to_string(self.config).map_err(|cause| Error::config(Path::new(CONFIG), cause.to_string()))?;
        let of_stages = plan::articles(self.config).into_iter().chain(plan::link_lists(self.config));
        let paths: Vec<&PathBuf> = self.config.inputs.iter().flat_map(|input| &input.paths).chain(of_stages).collect();
        for path in ovid_io::documents::list(&paths)? {
            let about = std::fs::metadata(&path).map_err(|cause| ovid_io::Error::Io { path: path.clone(), doing: "read", cause })?;
            let changed = about.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok()).unwrap_or_default();
            lines.push_str(&format!("{} {} {}\n", path.display(), about.len(), changed.as_nanos()));
        }
        if let Some(tokenizer) = self.tokenizer {
            let tokens: Vec<u8> = (0..tokenizer.vocab_size() as u32)
                .flat_map(|id| tokenizer.token_bytes(id).unwrap_or_default().iter().copied().chain([0]))
                .collect();
            lines.push_str(&sha256(&tokens));
        }
        Ok(sha256(lines.as_bytes()))
    }

    /// Calls `each` on all items, on as many threads as there are to be. The first error ends it.
    fn parallel<T: Send>(&self, items: impl Iterator<Item = T> + Send, each: impl Fn(T) -> Result<(), Error> + Sync) -> Result<(), Error> {
        let items = Mutex::new(items);
        let (stop, failed) = (AtomicBool::new(false), Mutex::new(None));
        std::thread::scope(|scope| {
            for _ in 0..self.n_threads {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        let Some(item) = items.lock().ok().and_then(|mut items| items.next()) else { return };
                        let done = if self.observer.cancelled() { Err(ovid_io::Error::Cancelled.into()) } else { each(item) };
                        if let Err(error) = done {
                            stop.store(true, Ordering::Relaxed);
                            if let Ok(mut first) = failed.lock() {
                                first.get_or_insert(error);
                            }
                        }
                    }
                });
            }
        });
        failed.into_inner().ok().flatten().map_or(Ok(()), Err)
    }

    fn limits() -> read::Limits {
        read::Limits { record_bytes: RECORD_BYTES }
    }
}
