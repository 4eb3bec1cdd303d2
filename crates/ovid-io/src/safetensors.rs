//! Safetensors (<https://github.com/huggingface/safetensors>): 8 bytes of header length, a JSON header, the tensors' bytes without gaps.
//!
//! In: a file, or a folder with `model.safetensors` or with shards and their `model.safetensors.index.json`. Out: [`TensorView`]s over a map; or such a
//! file, streamed. Tensors of types that no GPT-2 weight has (old checkpoints carry boolean masks) are checked like the others, but are not lent.

mod folder;
mod header;
mod write;

use std::collections::BTreeMap;
use std::path::Path;

pub use folder::SafeTensorsFolder;
pub use write::SafeTensorsWriter;

use crate::{Dtype, Error, Mapped, Place, TensorView};
use header::{Entry, Kind};

/// A checked file of tensors.
#[derive(Debug)]
pub struct SafeTensors {
    map: Mapped,
    data_at: usize,
    metadata: BTreeMap<String, String>,
    /// In the order of their bytes.
    entries: Vec<Entry>,
    by_name: BTreeMap<String, usize>,
}

/// A tensor whose type may be one that no weight has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawTensor<'a> {
    /// The type as the file names it: `I64`, `BOOL`, ...
    pub dtype: &'static str,
    /// Dimensions, slowest first.
    pub shape: &'a [usize],
    /// The bytes, as many as type and shape ask for.
    pub data: &'a [u8],
}

impl SafeTensors {
    /// Maps a file and checks its header against its size.
    ///
    /// # Errors
    /// If the file cannot be read or its header is not true of it.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::new(Mapped::open(path)?)
    }

    /// Checks bytes that are mapped already.
    ///
    /// # Errors
    /// If the header is not true of the bytes.
    pub fn new(map: Mapped) -> Result<Self, Error> {
        let (data_at, header) = header::read(&map)?;
        let by_name = header.entries.iter().enumerate().map(|(i, entry)| (entry.name.clone(), i)).collect();
        Ok(Self { map, data_at, metadata: header.metadata, entries: header.entries, by_name })
    }

    /// Gives the memory of a tensor's bytes back: see [`Mapped::release`].
    pub fn release(&self, data: &[u8]) {
        self.map.release(data);
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.map.path()
    }

    /// The free-form metadata.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// The tensors that can be lent, in the order of their bytes.
    pub fn tensors(&self) -> impl Iterator<Item = TensorView<'_>> {
        self.entries.iter().filter_map(|entry| self.view(entry))
    }

    /// Names of all tensors, those of other types too.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name.as_str())
    }

    /// The tensor of that name, where there is one.
    ///
    /// # Errors
    /// If it is there, but of a type that cannot be lent.
    pub fn tensor(&self, name: &str) -> Result<Option<TensorView<'_>>, Error> {
        let Some(entry) = self.by_name.get(name).map(|i| &self.entries[*i]) else { return Ok(None) };
        let refused = || Error::unsupported(self.path(), Place::Key(name.to_owned()), format!("a tensor of type {}", entry.kind.name()));
        self.view(entry).ok_or_else(refused).map(Some)
    }

    /// A tensor of any type, as it lies in the file.
    pub fn raw(&self, name: &str) -> Option<RawTensor<'_>> {
        let entry = &self.entries[*self.by_name.get(name)?];
        let data = &self.map[self.data_at..][entry.begin..entry.end];
        Some(RawTensor { dtype: entry.kind.name(), shape: &entry.shape, data })
    }

    fn view<'a>(&'a self, entry: &'a Entry) -> Option<TensorView<'a>> {
        let dtype = match entry.kind {
            Kind::F32 => Dtype::F32,
            Kind::F16 => Dtype::F16,
            Kind::Bf16 => Dtype::BF16,
            Kind::Other(..) => return None,
        };
        let data = &self.map[self.data_at..][entry.begin..entry.end];
        Some(TensorView { name: &entry.name, dtype, shape: entry.shape.clone(), data })
    }
}

#[cfg(test)]
mod tests;
