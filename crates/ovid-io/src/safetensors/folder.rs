//! A Hugging Face folder's weights: one file, or shards with an index that says which tensor lies in which.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use serde::Deserialize;

use super::SafeTensors;
use crate::shards::is_plain_name;
use crate::{Error, Place, TensorView};

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// The weights of a folder, whether they lie in one file or in several.
#[derive(Debug)]
pub struct SafeTensorsFolder {
    files: Vec<SafeTensors>,
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl SafeTensorsFolder {
    /// Opens `model.safetensors`, or else every shard that `model.safetensors.index.json` names, and holds index and shards against each other.
    ///
    /// # Errors
    /// If neither is there, a file cannot be read or is not true, a shard's name leaves the folder, or index and shards disagree.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let single = folder.join(SINGLE);
        if single.exists() {
            return Ok(Self { files: vec![SafeTensors::open(&single)?] });
        }
        let index = folder.join(INDEX);
        if !index.exists() {
            let pickled = folder.join("pytorch_model.bin").exists();
            let hint = if pickled { "; pytorch_model.bin is a pickle, which could run any code, and is not read" } else { "" };
            return Err(Error::malformed(folder, Place::Whole, format!("holds neither {SINGLE} nor {INDEX}{hint}")));
        }
        Self::open_sharded(folder, &index)
    }

    fn open_sharded(folder: &Path, path: &Path) -> Result<Self, Error> {
        let bytes = std::fs::read(path).map_err(|cause| Error::io(path, "read", cause))?;
        let index: Index =
            serde_json::from_slice(&bytes).map_err(|cause| Error::malformed(path, Place::Line(cause.line() as u64), cause.to_string()))?;
        let mut shard_names: Vec<&str> = Vec::new();
        for (tensor, shard) in &index.weight_map {
            // Only weights, only here: an index that names itself, another index or a path elsewhere is refused.
            let extension = Path::new(shard).extension().and_then(|e| e.to_str());
            if !is_plain_name(shard) || extension != Some("safetensors") {
                let cause = format!("its shard {shard:?} is not the name of a .safetensors file in this folder");
                return Err(Error::malformed(path, Place::Key(tensor.clone()), cause));
            }
            shard_names.push(shard);
        }
        shard_names.sort_unstable();
        shard_names.dedup();
        let mut files = Vec::new();
        let mut seen = HashSet::new();
        for name in shard_names {
            let file = SafeTensors::open(&folder.join(name))?;
            for tensor in file.names() {
                let wrong = |cause| Error::malformed(file.path(), Place::Key(tensor.to_owned()), cause);
                match index.weight_map.get(tensor) {
                    Some(shard) if shard == name => {}
                    Some(other) => return Err(wrong(format!("{INDEX} says that this tensor lies in {other:?}"))),
                    None => return Err(wrong(format!("{INDEX} does not name this tensor"))),
                }
                seen.insert(tensor.to_owned());
            }
            files.push(file);
        }
        if let Some((tensor, shard)) = index.weight_map.iter().find(|(tensor, _)| !seen.contains(*tensor)) {
            return Err(Error::malformed(path, Place::Key(tensor.clone()), format!("is not in {shard:?}, where the index says it is")));
        }
        Ok(Self { files })
    }

    /// Gives the memory of a tensor's bytes back: see [`SafeTensors::release`].
    pub fn release(&self, data: &[u8]) {
        self.files.iter().for_each(|file| file.release(data));
    }

    /// The files.
    pub fn files(&self) -> &[SafeTensors] {
        &self.files
    }

    /// The tensors that can be lent, file by file.
    pub fn tensors(&self) -> impl Iterator<Item = TensorView<'_>> {
        self.files.iter().flat_map(SafeTensors::tensors)
    }

    /// The tensor of that name, where there is one.
    ///
    /// # Errors
    /// If it is there, but of a type that cannot be lent.
    pub fn tensor(&self, name: &str) -> Result<Option<TensorView<'_>>, Error> {
        for file in &self.files {
            if let Some(view) = file.tensor(name)? {
                return Ok(Some(view));
            }
        }
        Ok(None)
    }
}
