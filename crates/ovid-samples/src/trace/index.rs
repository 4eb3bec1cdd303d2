//! The index beside a ledger: every kept run with the sample it comes from, sorted, in one safetensors tensor that is looked into where it lies.
//!
//! A posting is a run's 32 bits above a sample's 32 bits, so that the samples of a run stand side by side. The file says up to which entry of the ledger it reaches and what that
//! entry's hash is: an index of another ledger, or of one that was changed, is not used. Samples that ended since are looked through in memory; when they are many, the index is
//! made anew.

use std::io::Write as _;
use std::path::Path;

use ovid_io::atomic::write_atomic;
use ovid_io::safetensors::SafeTensors;
use ovid_io::{Observer, Place, Progress};
use rayon::slice::ParallelSliceMut as _;

use super::{RUN, WINDOW, beside, kept_runs};
use crate::ledger::Head;
use crate::words::word_hashes;
use crate::{Error, Ledger};

const FORMAT: &str = "ovid-samples-trace-1";
const TENSOR: &str = "postings";
/// So many texts behind the index are looked through; from there on, and from a quarter of the index on, a new one pays.
const MOST_FRESH: u64 = 2000;

/// The index of a ledger, and what came since.
pub(super) struct Index {
    file: Option<SafeTensors>,
    n_indexed: u64,
    fresh: Vec<u64>,
    n_fresh: u64,
    /// How far the ledger was read.
    head: Head,
}

/// The samples in which a run was kept.
pub(super) struct Postings<'a> {
    old: &'a [u64],
    fresh: &'a [u64],
}

impl<'a> Postings<'a> {
    pub(super) fn len(&self) -> usize {
        self.old.len() + self.fresh.len()
    }

    pub(super) fn samples(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.old.iter().chain(self.fresh).map(|&posting| posting as u32)
    }
}

impl Index {
    pub(super) fn open(ledger: &Ledger, observer: &dyn Observer) -> Result<Self, Error> {
        let path = beside(ledger.path(), ".trace.safetensors");
        let found = if path.exists() { Self::read(&path, ledger)? } else { None };
        let (file, n_indexed, reaches) = found.map_or((None, 0, 0), |(file, n_texts, reaches)| (Some(file), n_texts, reaches));
        let (mut fresh, mut n_fresh) = (Vec::new(), 0);
        // What ends while this runs is found the next time.
        let head = ledger.head()?;
        ledger.texts_between(reaches, head.n_entries, |sample, text| {
            n_fresh += 1;
            observer.progress(Progress { stage: "indexing", done: n_fresh, total: None, unit: "texts" });
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let Ok(number) = u32::try_from(sample) else {
                return Err(Error::Asked("the ledger has more entries than the look-up index can number".into()));
            };
            kept_runs(&word_hashes(text), |run| fresh.push(u64::from(run) << 32 | u64::from(number)));
            Ok(())
        })?;
        fresh.par_sort_unstable();
        fresh.dedup();
        let mut index = Self { file, n_indexed, fresh, n_fresh, head };
        if n_fresh > MOST_FRESH.max(n_indexed / 4) {
            index.write(&path)?;
            let read = Self::read(&path, ledger)?;
            let (file, n_texts, _) = read.ok_or_else(|| Error::Asked(format!("'{}' changed while it was made", path.display())))?;
            index = Self { file: Some(file), n_indexed: n_texts, fresh: Vec::new(), n_fresh: 0, head: index.head };
        }
        Ok(index)
    }

    /// Texts that a look-up goes over.
    pub(super) fn n_texts(&self) -> u64 {
        self.n_indexed + self.n_fresh
    }

    /// The samples in which a run was kept.
    pub(super) fn postings(&self, run: u32) -> Postings<'_> {
        let of = |postings: &[u64]| {
            let from = postings.partition_point(|&p| p < u64::from(run) << 32);
            let n = postings[from..].partition_point(|&p| p >> 32 == u64::from(run));
            from..from + n
        };
        let old = self.old();
        Postings { old: &old[of(old)], fresh: &self.fresh[of(&self.fresh)] }
    }

    fn old(&self) -> &[u64] {
        self.file.as_ref().and_then(postings_of).unwrap_or_default()
    }

    /// The index in a file, its texts and the entry up to which it reaches; nothing where it is of another time or form, and has to be made again.
    fn read(path: &Path, ledger: &Ledger) -> Result<Option<(SafeTensors, u64, u64)>, Error> {
        let file = SafeTensors::open(path)?;
        let said = |key: &str| file.metadata().get(key).map(String::as_str).unwrap_or_default();
        let number = |key: &str| said(key).parse::<u64>().ok();
        let form = said("format") == FORMAT && number("run") == Some(RUN as u64) && number("window") == Some(WINDOW as u64);
        let (Some(reaches), Some(n_texts), true) = (number("n_entries"), number("n_texts"), form) else { return Ok(None) };
        if ledger.hash_of(reaches)?.as_deref() != Some(said("hash")) {
            return Ok(None);
        }
        if postings_of(&file).is_none() {
            return Err(ovid_io::Error::malformed(path, Place::Key(TENSOR.into()), "it is no list of 64-bit numbers").into());
        }
        Ok(Some((file, n_texts, reaches)))
    }

    /// Writes old and fresh postings together.
    fn write(&self, path: &Path) -> Result<(), Error> {
        let all = merge(self.old(), &self.fresh);
        let header = serde_json::json!({
            "__metadata__": {
                "format": FORMAT,
                "run": RUN.to_string(),
                "window": WINDOW.to_string(),
                "n_texts": self.n_texts().to_string(),
                "n_entries": self.head.n_entries.to_string(),
                "hash": self.head.hash,
            },
            TENSOR: { "dtype": "U64", "shape": [all.len()], "data_offsets": [0, all.len() * 8] },
        });
        let mut header = header.to_string();
        // The tensor lies where an 8-byte number may lie.
        header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
        Ok(write_atomic(path, |out| {
            out.write_all(&(header.len() as u64).to_le_bytes())?;
            out.write_all(header.as_bytes())?;
            if cfg!(target_endian = "little") {
                return out.write_all(bytemuck::cast_slice(&all));
            }
            all.iter().try_for_each(|posting| out.write_all(&posting.to_le_bytes()))
        })?)
    }
}

fn postings_of(file: &SafeTensors) -> Option<&[u64]> {
    let raw = file.raw(TENSOR).filter(|raw| raw.dtype == "U64" && raw.shape.len() == 1)?;
    bytemuck::try_cast_slice(raw.data).ok()
}

/// Two sorted lists as one.
fn merge(a: &[u64], b: &[u64]) -> Vec<u64> {
    let mut all = Vec::with_capacity(a.len() + b.len());
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        if a[i] <= b[j] {
            all.push(a[i]);
            i += 1;
        } else {
            all.push(b[j]);
            j += 1;
        }
    }
    all.extend(&a[i..]);
    all.extend(&b[j..]);
    all
}
