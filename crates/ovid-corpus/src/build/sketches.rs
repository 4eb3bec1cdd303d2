//! Sketches of all chunks, compared; and the verdicts that come of it.

use std::path::Path;

use ovid_io::npy::{TokenArray, TokenWriter, Width};
use ovid_io::{Mapped, Observer};

use super::chunk::Folder;
use super::plan::{Comparison, How};
use crate::near::{NONE, Sketches, find};
use crate::{Document, Error, Name};

/// The sketches of one or two passes (articles before documents), on disk.
pub(super) struct Stored<'a> {
    chunks: Vec<Chunk>,
    how: How,
    /// Documents before each chunk, and in all.
    starts: Vec<u32>,
    n_compared_with: u32,
    observer: &'a dyn Observer,
}

struct Chunk {
    array: TokenArray,
    names: Mapped,
    n_documents: u32,
    n_sketches: usize,
}

impl<'a> Stored<'a> {
    /// Opens the chunks of a pass, behind those of the articles that it is compared with.
    pub fn open(
        how: How,
        articles: Option<(&Folder, usize)>,
        documents: (&Folder, usize),
        observer: &'a dyn Observer,
    ) -> Result<Self, Error> {
        let mut stored = Self { chunks: Vec::new(), how, starts: vec![0], n_compared_with: 0, observer };
        if let Some((folder, n_chunks)) = articles {
            stored.add(folder, n_chunks)?;
            stored.n_compared_with = stored.n_documents();
        }
        stored.add(documents.0, documents.1)?;
        Ok(stored)
    }

    fn add(&mut self, folder: &Folder, n_chunks: usize) -> Result<(), Error> {
        for chunk in 0..n_chunks {
            let n_documents = folder.marker(chunk)?.n_documents;
            let path = folder.file(chunk, "npy");
            let array = TokenArray::open(&path)?;
            let n_sketches = array.ids().get(0).unwrap_or_default() as usize;
            if array.len() != 1 + n_sketches * (self.how.n_bands() + self.how.n_slots() + 1) + n_documents as usize {
                return Err(Error::data(&path, "has not the length that its first number asks for"));
            }
            self.chunks.push(Chunk { array, names: Mapped::open(&folder.file(chunk, "names"))?, n_documents, n_sketches });
            let end = self.n_documents().checked_add(n_documents).filter(|n| *n < NONE);
            self.starts.push(end.ok_or_else(|| Error::data(&folder.0, "more than four billion documents cannot be compared"))?);
        }
        Ok(())
    }

    /// Documents are numbered across all chunks; this is the first of the compared ones' chunk.
    fn start(&self, chunk: usize) -> u32 {
        let of_articles = self.starts.partition_point(|s| *s < self.n_compared_with).min(self.chunks.len() - 1);
        self.starts[if self.n_compared_with == 0 { chunk } else { of_articles + chunk }]
    }

    fn place(&self, document: u32) -> (&Chunk, u32) {
        let i = self.starts.partition_point(|s| *s <= document) - 1;
        (&self.chunks[i], document - self.starts[i])
    }

    fn slots(&self, document: u32) -> Option<Vec<u32>> {
        let (chunk, index) = self.place(document);
        let (n, ids) = (chunk.n_sketches, chunk.array.ids());
        let of = 1 + n * (self.how.n_bands() + self.how.n_slots());
        // Documents are in rising order, those without a sketch left out.
        let (mut low, mut high) = (0, n);
        while low < high {
            let middle = usize::midpoint(low, high);
            if ids.get(of + middle)? < index { low = middle + 1 } else { high = middle }
        }
        (low < n && ids.get(of + low)? == index).then_some(())?;
        let mut slots = vec![0; self.how.n_slots()];
        ids.copy_to(1 + n * self.how.n_bands() + low * slots.len(), &mut slots).then_some(slots)
    }

    pub fn name(&self, document: u32) -> Name {
        let (chunk, index) = self.place(document);
        let (ids, first) = (chunk.array.ids(), chunk.array.len() - chunk.n_documents as usize);
        let end = |i: u32| ids.get(first + i as usize).unwrap_or_default() as usize;
        let begin = if index == 0 { 0 } else { end(index - 1) };
        let line = String::from_utf8_lossy(chunk.names.get(begin..end(index).saturating_sub(1)).unwrap_or_default()).into_owned();
        let (source, id) = line.split_once('\0').unwrap_or((&line, ""));
        Name { source: source.to_owned(), id: id.to_owned() }
    }
}

impl Sketches for Stored<'_> {
    fn n_documents(&self) -> u32 {
        self.starts.last().copied().unwrap_or_default()
    }

    fn n_compared_with(&self) -> u32 {
        self.n_compared_with
    }

    fn n_bands(&self) -> usize {
        self.how.n_bands()
    }

    fn keys(&self, band: usize, each: &mut dyn FnMut(u32, u32)) -> Result<(), Error> {
        if self.observer.cancelled() {
            return Err(ovid_io::Error::Cancelled.into());
        }
        self.observer.progress(ovid_io::Progress {
            stage: "comparing",
            done: band as u64,
            total: Some(self.n_bands() as u64),
            unit: "bands",
        });
        for (chunk, start) in self.chunks.iter().zip(&self.starts) {
            let n = chunk.n_sketches;
            let (mut keys, mut of) = (vec![0; n], vec![0; n]);
            let ids = chunk.array.ids();
            ids.copy_to(1 + band * n, &mut keys);
            ids.copy_to(1 + n * (self.how.n_bands() + self.how.n_slots()), &mut of);
            keys.iter().zip(&of).for_each(|(key, of)| each(*key, start + of));
        }
        Ok(())
    }

    fn similarity(&self, a: u32, b: u32) -> Result<f64, Error> {
        Ok(self.slots(a).zip(self.slots(b)).map_or(0.0, |(a, b)| crate::near::share_equal(&a, &b)))
    }
}

/// What a comparison decided of every document.
pub(super) struct Verdicts<'a> {
    stored: Stored<'a>,
    found: TokenArray,
}

impl<'a> Verdicts<'a> {
    /// Compares, or takes what was found before the run was cut off.
    pub fn decide(stored: Stored<'a>, path: &Path) -> Result<Self, Error> {
        if !path.is_file() {
            let (drop_at, together_at) = match stored.how {
                How::Exact => (1.0, 1.0),
                How::Near { drop_at, together_at } => (drop_at, together_at),
            };
            let pairs = find(&stored, drop_at, together_at)?;
            let mut out = TokenWriter::create(path, Width::U32)?;
            out.write(&pairs.original)?;
            out.write(&pairs.cluster)?;
            out.write(&pairs.percent.iter().map(|p| u32::from(*p)).collect::<Vec<_>>())?;
            out.finish()?;
        }
        let found = TokenArray::open(path)?;
        if found.len() != 3 * stored.n_documents() as usize {
            return Err(Error::data(path, "is of other documents; delete the folder 'work' and build again"));
        }
        Ok(Self { stored, found })
    }

    /// What becomes of a chunk's document: the particulars of why it is left out, or the cluster that it belongs to.
    pub fn of(&self, comparison: &Comparison, chunk: usize, index: usize, document: &mut Document) -> Result<(), String> {
        let n = self.stored.n_documents() as usize;
        let at = self.stored.start(chunk) as usize + index;
        let get = |part: usize| self.found.ids().get(part * n + at).unwrap_or(NONE);
        let (original, root) = (get(0), get(1));
        if original != NONE {
            let Name { source, id } = self.stored.name(original);
            return Err(if comparison.how == How::Exact { format!("{source}/{id}") } else { format!("{}% like {source}/{id}", get(2)) });
        }
        if comparison.articles.is_empty() && comparison.how != How::Exact && root as usize != at {
            document.cluster = Some(self.stored.name(root));
        }
        Ok(())
    }
}
