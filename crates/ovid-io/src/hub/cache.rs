//! The cache on disk: `models--OWNER--NAME/{blobs,refs,snapshots}`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::ModelName;
use crate::shards::is_plain_name;
use crate::{Error, atomic};

/// The branch that is pulled.
pub(super) const BRANCH: &str = "main";
pub(super) const CONFIG: &str = "config.json";
pub(super) const WEIGHTS: &str = "model.safetensors";
pub(super) const INDEX: &str = "model.safetensors.index.json";

/// The folder of a model that is whole.
pub(super) fn find(cache: &Path, name: &ModelName) -> Option<PathBuf> {
    name.folders().find_map(|folder| {
        let model = cache.join(folder);
        let commit = fs::read_to_string(model.join("refs").join(BRANCH)).ok()?;
        let commit = commit.trim();
        let snapshot = model.join("snapshots").join(is_plain_name(commit).then_some(commit)?);
        is_whole(&snapshot).then_some(snapshot)
    })
}

fn is_whole(snapshot: &Path) -> bool {
    let has = |name: &str| snapshot.join(name).is_file();
    let has_shards = || {
        let index = fs::read(snapshot.join(INDEX)).ok()?;
        Some(shard_names(&index).ok()?.iter().all(|shard| has(shard)))
    };
    has(CONFIG) && (has(WEIGHTS) || has_shards() == Some(true))
}

/// The shards that an index names, each once.
pub(super) fn shard_names(index: &[u8]) -> Result<Vec<String>, String> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: std::collections::BTreeMap<String, String>,
    }
    let index: Index = serde_json::from_slice(index).map_err(|cause| cause.to_string())?;
    let mut names: Vec<_> = index.weight_map.into_values().collect();
    names.sort();
    names.dedup();
    match names.iter().find(|name| !is_plain_name(name) || Path::new(name).extension().is_none_or(|e| e != "safetensors")) {
        Some(name) => Err(format!("the shard {name:?} is not the name of a .safetensors file beside the index")),
        None if names.is_empty() => Err("the index names no shards".to_owned()),
        None => Ok(names),
    }
}

/// A model's part of the cache, ready to be filled.
pub(super) struct Repository {
    model: PathBuf,
}

impl Repository {
    pub(super) fn create(cache: &Path, name: &ModelName) -> Result<Self, Error> {
        let folder = name.folders().next().expect("a name has at least one folder");
        let model = cache.join(folder);
        for part in ["blobs", "refs", "snapshots"] {
            let path = model.join(part);
            fs::create_dir_all(&path).map_err(|cause| Error::io(&path, "create", cause))?;
        }
        Ok(Self { model })
    }

    pub(super) fn blob(&self, etag: &str) -> PathBuf {
        self.model.join("blobs").join(etag)
    }

    pub(super) fn snapshot(&self, commit: &str) -> PathBuf {
        self.model.join("snapshots").join(commit)
    }

    /// Gives a blob its name in a snapshot.
    pub(super) fn link(&self, commit: &str, file: &str, etag: &str) -> Result<(), Error> {
        let folder = self.snapshot(commit);
        let path = folder.join(file);
        let refuse = |cause| Error::io(&path, "link", cause);
        fs::create_dir_all(&folder).map_err(refuse)?;
        match fs::remove_file(&path) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(refuse(cause)),
            _ => {}
        }
        link(&self.blob(etag), &Path::new("../../blobs").join(etag), &path).map_err(refuse)
    }

    /// Says which commit the branch is at: the last step, so that who finds a branch finds its files.
    pub(super) fn set_branch(&self, commit: &str) -> Result<(), Error> {
        let path = self.model.join("refs").join(BRANCH);
        atomic::write_atomic(&path, |out| io::Write::write_all(out, commit.as_bytes()))
    }
}

#[cfg(unix)]
fn link(_: &Path, relative: &Path, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(relative, path)
}

/// Links need a privilege there; a second name for the same bytes does not.
#[cfg(not(unix))]
fn link(blob: &Path, _: &Path, path: &Path) -> io::Result<()> {
    fs::hard_link(blob, path).or_else(|_| fs::copy(blob, path).map(drop))
}
