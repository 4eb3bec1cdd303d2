//! TensorFlow V2 checkpoints, as OpenAI released GPT-2: `NAME.index`, a sorted table of protobufs, and the tensors' bytes in `NAME.data-00000-of-00001`.
//!
//! In: a folder or the path `.../NAME`. Out: [`TensorView`]s over the mapped data files, every checksum verified before their values are used.
//! Follows `tensor_bundle.proto` and `table/format.txt` of TensorFlow; read-only. Weights in slices (partitioned variables), compressed index blocks and
//! big-endian files are refused by name. Tensors of types that no weight has (step counters) are checked for their place, but are not lent.

mod crc32c;
mod proto;
mod table;

use std::collections::{BTreeMap, btree_map};
use std::path::{Path, PathBuf};

use crate::tensor::n_values;
use crate::{Dtype, Error, Mapped, Observer, Place, Progress, TensorView};
use proto::{Entry, Header};
use table::Checksums;

/// A checked checkpoint.
#[derive(Debug)]
pub struct TfBundle {
    index: PathBuf,
    shards: BTreeMap<u32, Mapped>,
    /// In the order of their names.
    entries: Vec<Entry>,
}

impl TfBundle {
    /// Opens `path`: a checkpoint's path without `.index`, or a folder that holds one checkpoint or whose file `checkpoint` names one. The index is checked, the
    /// tensors' values are not: [`TfBundle::verify`] does that.
    ///
    /// # Errors
    /// If a file cannot be read or is not true of itself.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let prefix = if path.is_dir() { in_folder(path)? } else { path.to_owned() };
        let index = Mapped::open(&with_suffix(&prefix, ".index"))?;
        let (header, entries) = read_index(&index, Checksums::Verify)?;
        let mut shards = BTreeMap::new();
        for entry in &entries {
            if let btree_map::Entry::Vacant(place) = shards.entry(entry.shard) {
                let file = with_suffix(&prefix, &format!(".data-{:05}-of-{:05}", entry.shard, header.n_shards));
                place.insert(Mapped::open(&file)?);
            }
        }
        let bundle = Self { index: index.path().to_owned(), shards, entries };
        bundle.check_places()?;
        Ok(bundle)
    }

    /// The index file.
    pub fn path(&self) -> &Path {
        &self.index
    }

    /// The tensors that can be lent, in the order of their names.
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
        let Ok(found) = self.entries.binary_search_by_key(&name, |entry| &entry.name) else { return Ok(None) };
        let entry = &self.entries[found];
        let refused = || {
            Error::unsupported(
                &self.index,
                Place::Key(name.to_owned()),
                format!("a tensor of type {}", proto::type_name(entry.type_number)),
            )
        };
        self.view(entry).ok_or_else(refused).map(Some)
    }

    fn view<'a>(&'a self, entry: &'a Entry) -> Option<TensorView<'a>> {
        let dtype = dtype(entry.type_number)?;
        Some(TensorView { name: &entry.name, dtype, shape: entry.shape.clone(), data: self.bytes(entry) })
    }

    fn bytes(&self, entry: &Entry) -> &[u8] {
        &self.shards[&entry.shard][entry.begin..entry.end]
    }

    /// Every tensor lies within its data file, none over another, and the last one ends where the file ends.
    fn check_places(&self) -> Result<(), Error> {
        let mut order: Vec<&Entry> = self.entries.iter().collect();
        order.sort_by_key(|entry| (entry.shard, entry.begin, entry.end));
        let mut ends = BTreeMap::<u32, usize>::new();
        for entry in order {
            let shard = &self.shards[&entry.shard];
            let end = ends.entry(entry.shard).or_default();
            let wrong = |cause: String| Err(Error::malformed(&self.index, Place::Key(entry.name.clone()), cause));
            if entry.end > shard.len() {
                let (begin, stop, size) = (entry.begin, entry.end, shard.len());
                return wrong(format!("its bytes {begin}..{stop} do not lie within the {size} bytes of '{}'", shard.path().display()));
            }
            if entry.begin < *end {
                return wrong(format!("overlaps another tensor: it begins at byte {}, which is taken up to {end}", entry.begin));
            }
            *end = entry.end;
            if let Some(dtype) = dtype(entry.type_number)
                && n_values(&entry.shape).and_then(|n| dtype.bytes_of(n)) != Some(entry.end - entry.begin)
            {
                return wrong(format!("{dtype} of shape {:?} does not take the {} bytes given", entry.shape, entry.end - entry.begin));
            }
        }
        for (shard, end) in ends {
            let shard = &self.shards[&shard];
            if end != shard.len() {
                let cause = format!("{} bytes follow the last tensor and belong to nothing", shard.len() - end);
                return Err(Error::malformed(shard.path(), Place::Byte(end as u64), cause));
            }
        }
        Ok(())
    }

    /// Holds every value against its checksum, which reads all of the files.
    ///
    /// # Errors
    /// If a checksum does not match, or the observer cancels.
    pub fn verify(&self, observer: &dyn Observer) -> Result<(), Error> {
        // Checksums of strings and the like are taken over something else than their bytes; they are never lent.
        let lent = || self.entries.iter().filter(|entry| dtype(entry.type_number).is_some());
        let total = lent().map(|entry| (entry.end - entry.begin) as u64).sum();
        let mut done = 0;
        for entry in lent() {
            let mut crc = crc32c::Crc32c::new();
            for piece in self.bytes(entry).chunks(1 << 20) {
                crc.update(piece);
                done += piece.len() as u64;
                observer.progress(Progress { stage: "verifying", done, total: Some(total), unit: "bytes" });
                if observer.cancelled() {
                    return Err(Error::Cancelled);
                }
            }
            if crc.masked() != entry.masked_crc {
                let shard = self.shards[&entry.shard].path();
                let cause = format!("the checksum of {:?} does not match its bytes: the file is damaged", entry.name);
                return Err(Error::malformed(shard, Place::Byte(entry.begin as u64), cause));
            }
        }
        Ok(())
    }
}

/// Reads an index: the header, and the entries in the order of their names.
fn read_index(index: &Mapped, checksums: Checksums) -> Result<(Header, Vec<Entry>), Error> {
    let mut header = None;
    let mut entries = Vec::new();
    table::read(index, checksums, |key, value, at| {
        let malformed = |cause: String| {
            let place = std::str::from_utf8(key).map_or(Place::Byte(at as u64), |key| Place::Key(key.to_owned()));
            Error::malformed(index.path(), place, cause)
        };
        if key.is_empty() {
            header = Some(Header::parse(index.path(), value).map_err(|cause| cause.into_error(malformed))?);
            return Ok(());
        }
        let Some(header) = &header else { return Err(malformed("the header does not come first".to_owned())) };
        if key[0] == 0 {
            // Slices are stored under binary keys, which begin with a zero byte and so come before all names.
            return Err(Error::unsupported(index.path(), Place::Byte(at as u64), proto::SLICES));
        }
        let name = std::str::from_utf8(key).map_err(|_| malformed("a name that is not UTF-8".to_owned()))?;
        entries.push(Entry::parse(index.path(), name, value, header.n_shards).map_err(|cause| cause.into_error(malformed))?);
        Ok(())
    })?;
    let header = header.ok_or_else(|| Error::malformed(index.path(), Place::Whole, "the index has no header"))?;
    Ok((header, entries))
}

/// The checkpoint of a folder: the one that the file `checkpoint` names, or the only one.
fn in_folder(folder: &Path) -> Result<PathBuf, Error> {
    let pointer = folder.join("checkpoint");
    if let Ok(text) = std::fs::read_to_string(&pointer) {
        let name =
            text.lines().find_map(|line| line.trim().strip_prefix("model_checkpoint_path:")?.trim().strip_prefix('"')?.strip_suffix('"'));
        let name = name.ok_or_else(|| Error::malformed(&pointer, Place::Whole, "does not name a model_checkpoint_path"))?;
        // Training writes the path of the machine it ran on: only the last part means anything here.
        let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
        return Ok(folder.join(name));
    }
    let refuse = |cause| Error::io(folder, "list", cause);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(refuse)? {
        let path = entry.map_err(refuse)?.path();
        if path.extension().is_some_and(|extension| extension == "index") {
            found.push(path.with_extension(""));
        }
    }
    match found.len() {
        1 => Ok(found.remove(0)),
        n => Err(Error::malformed(folder, Place::Whole, format!("holds {n} TensorFlow checkpoints (files *.index) where one is wanted"))),
    }
}

fn with_suffix(prefix: &Path, suffix: &str) -> PathBuf {
    let mut path = prefix.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// The type of a tensor by its number in `types.proto`.
fn dtype(number: u64) -> Option<Dtype> {
    match number {
        1 => Some(Dtype::F32),
        14 => Some(Dtype::BF16),
        19 => Some(Dtype::F16),
        _ => None,
    }
}

/// Reads an index, without its checksums, and gives the number of its tensors: what the fuzz target presses on.
///
/// # Errors
/// If the index is not true of itself.
#[doc(hidden)]
pub fn index_for_fuzzing(index: &Mapped) -> Result<usize, Error> {
    read_index(index, Checksums::Ignore).map(|(_, entries)| entries.len())
}

#[cfg(test)]
mod tests;
