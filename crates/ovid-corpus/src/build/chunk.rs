//! A chunk on disk: its documents, the rows of what was left out, the sketches, and the marker that is written last.

use std::path::{Path, PathBuf};

use ovid_io::npy::{TokenWriter, Width};
use serde::{Deserialize, Serialize};

use super::counts::StageCounts;
use super::plan::How;
use super::split::Sources;
use crate::files::{FAST, PackedLines, read_json, read_lines, write_json};
use crate::near::{Signature, band_key, exact_slots, signature};
use crate::{Document, Error, Row};

/// The folder of a pass.
#[derive(Clone, Debug)]
pub(super) struct Folder(pub PathBuf);

/// What is known of a finished chunk.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Marker {
    pub n_documents: u32,
    pub counts: Vec<StageCounts>,
    /// For the split: only the last pass's are used.
    pub sources: Sources,
}

/// What a pass made of a chunk.
#[derive(Debug, Default)]
pub(super) struct Made {
    pub documents: Vec<Document>,
    pub rows: Vec<Row>,
    pub counts: Vec<StageCounts>,
}

impl Folder {
    pub fn file(&self, chunk: usize, kind: &str) -> PathBuf {
        self.0.join(format!("{chunk:06}.{kind}"))
    }

    pub fn documents(&self, chunk: usize) -> Result<impl Iterator<Item = Result<Document, Error>> + use<>, Error> {
        read_lines(&self.file(chunk, "jsonl.zst"))
    }

    pub fn rows_file(&self, chunk: usize) -> PathBuf {
        self.file(chunk, "dropped.jsonl.zst")
    }

    pub fn is_done(&self, chunk: usize) -> bool {
        self.file(chunk, "json").is_file()
    }

    pub fn marker(&self, chunk: usize) -> Result<Marker, Error> {
        let path = self.file(chunk, "json");
        read_json(&path)?.ok_or_else(|| Error::data(&path, "is gone; delete the folder 'work' and build again"))
    }

    /// Writes a chunk, the marker last.
    pub fn write(&self, chunk: usize, made: &Made, sketch: Option<How>, keep_documents: bool) -> Result<(), Error> {
        let mut rows = PackedLines::create(&self.rows_file(chunk), FAST)?;
        made.rows.iter().try_for_each(|row| rows.write(row))?;
        rows.finish()?;
        if keep_documents {
            let mut documents = PackedLines::create(&self.file(chunk, "jsonl.zst"), FAST)?;
            made.documents.iter().try_for_each(|document| documents.write(document))?;
            documents.finish()?;
        }
        if let Some(how) = sketch {
            write_names(&self.file(chunk, "names"), &made.documents)?;
            write_sketches(&self.file(chunk, "npy"), &made.documents, how)?;
        }
        let n_documents = made.documents.len() as u32;
        write_json(&self.file(chunk, "json"), &Marker { n_documents, counts: made.counts.clone(), sources: Sources::of(&made.documents) })
    }

    /// Frees what the next pass has read; rows and markers stay.
    pub fn forget_documents(&self, n_chunks: usize) {
        for chunk in 0..n_chunks {
            for kind in ["jsonl.zst", "npy"] {
                // What cannot be deleted now goes with the work folder in the end.
                let _ = std::fs::remove_file(self.file(chunk, kind));
            }
        }
    }
}

/// `source`, a zero byte, `id`, a line feed, for each document; where each ends stands in the sketches.
fn write_names(path: &Path, documents: &[Document]) -> Result<(), Error> {
    let text: String = documents.iter().map(name_line).collect();
    Ok(ovid_io::atomic::write_atomic(path, |out| std::io::Write::write_all(out, text.as_bytes()))?)
}

fn name_line(document: &Document) -> String {
    format!("{}\0{}\n", document.source, document.id)
}

/// Numbers of a chunk's sketches, as one array: how many sketches, the keys band by band, the slots sketch by sketch, which document each is of, where each document's name ends.
fn write_sketches(path: &Path, documents: &[Document], how: How) -> Result<(), Error> {
    let mut of: Vec<u32> = Vec::new();
    let mut keys: Vec<Vec<u32>> = vec![Vec::new(); how.n_bands()];
    let mut slots: Vec<u32> = Vec::new();
    for (i, document) in documents.iter().enumerate() {
        match how {
            How::Exact => {
                let exact = exact_slots(&document.text);
                keys[0].push(exact[0]);
                slots.extend(exact);
            }
            How::Near { .. } => {
                let Some(signature) = signature(&document.text) else { continue };
                keys.iter_mut().enumerate().for_each(|(band, keys)| keys.push(band_key(&signature, band)));
                slots.extend(signature.0);
            }
        }
        of.push(i as u32);
    }
    let mut end = 0;
    let ends: Vec<u32> = documents
        .iter()
        .map(|d| {
            end += name_line(d).len() as u32;
            end
        })
        .collect();
    let mut out = TokenWriter::create(path, Width::U32)?;
    out.write(&[of.len() as u32])?;
    for numbers in keys.iter().chain([&slots, &of, &ends]) {
        out.write(numbers)?;
    }
    out.finish()?;
    Ok(())
}

impl How {
    pub fn n_bands(self) -> usize {
        if self == Self::Exact { 1 } else { Signature::BANDS }
    }

    pub fn n_slots(self) -> usize {
        if self == Self::Exact { 4 } else { Signature::SLOTS }
    }
}
