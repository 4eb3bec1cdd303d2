//! Where the first pass's chunks come from: records of all inputs, cut into chunks before their text is taken out, so that a run which goes on does not extract what is done.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use ovid_io::Progress;

use super::Run;
use super::chunk::{Folder, Made};
use crate::config::Input;
use crate::extract;
use crate::files::{make_folder, read_json, write_json};
use crate::read::Records;
use crate::{Document, Error, Outcome, Record};

/// A chunk is full with so many bytes of text or pages, or so many records.
const CHUNK_BYTES: usize = 8 << 20;
const CHUNK_RECORDS: usize = 1 << 14;

/// Which chunk each record that was handed out belongs to, in order.
type Order = Arc<Mutex<VecDeque<usize>>>;

/// Hands out the records of chunks that are not done.
struct Chunked<I> {
    records: I,
    folder: Folder,
    order: Order,
    chunk: usize,
    is_done: bool,
    n_bytes: usize,
    n_records: usize,
    n_chunks: Arc<Mutex<usize>>,
}

impl<I: Iterator<Item = Record>> Iterator for Chunked<I> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        loop {
            let record = self.records.next()?;
            if self.n_records == 0 {
                self.is_done = self.folder.is_done(self.chunk);
                *self.n_chunks.lock().unwrap_or_else(PoisonError::into_inner) = self.chunk + 1;
            }
            let (chunk, is_done) = (self.chunk, self.is_done);
            self.n_bytes += size(&record);
            self.n_records += 1;
            if self.n_bytes >= CHUNK_BYTES || self.n_records >= CHUNK_RECORDS {
                (self.chunk, self.n_bytes, self.n_records) = (chunk + 1, 0, 0);
            }
            if !is_done {
                self.order.lock().unwrap_or_else(PoisonError::into_inner).push_back(chunk);
                return Some(record);
            }
        }
    }
}

fn size(record: &Record) -> usize {
    match record {
        Record::Document(document) => document.text.len(),
        Record::Page(page) => page.bytes.len(),
        Record::Dropped(_) => 0,
    }
}

impl Run<'_> {
    /// Reads all of `inputs` in chunks, extracts, and has `make` work on each chunk that is not done. Returns the number of chunks.
    pub(super) fn from_inputs(
        &self,
        inputs: &[Input],
        folder: &Folder,
        make: impl Fn(usize, Vec<Outcome>) -> Result<(), Error> + Sync,
    ) -> Result<usize, Error> {
        make_folder(&folder.0)?;
        let done = folder.0.join("chunks.json");
        if let Some(n_chunks) = read_json(&done)? {
            return Ok(n_chunks);
        }
        let (order, n_chunks) = (Order::default(), Arc::<Mutex<usize>>::default());
        let records = Chunked {
            records: self.records(inputs)?,
            folder: folder.clone(),
            order: Arc::clone(&order),
            chunk: 0,
            is_done: false,
            n_bytes: 0,
            n_records: 0,
            n_chunks: Arc::clone(&n_chunks),
        };
        let (out, chunks) = sync_channel::<(usize, Vec<Outcome>)>(1);
        std::thread::scope(|scope| {
            let reader = scope.spawn(move || self.hand_out(records, &order, &out));
            let made = self.parallel(chunks.into_iter(), |(chunk, outcomes)| make(chunk, outcomes));
            let read = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            made.and(read)
        })?;
        let n_chunks = *n_chunks.lock().unwrap_or_else(PoisonError::into_inner);
        write_json(&done, &n_chunks)?;
        Ok(n_chunks)
    }

    fn hand_out(
        &self,
        records: impl Iterator<Item = Record> + Send,
        order: &Order,
        out: &SyncSender<(usize, Vec<Outcome>)>,
    ) -> Result<(), Error> {
        let mut current: (usize, Vec<Outcome>) = (0, Vec::new());
        // Nobody takes any more once a chunk has failed; that error is the one that counts.
        let send = |chunk| out.send(chunk).map_err(|_| Error::from(ovid_io::Error::Cancelled));
        extract::run(records, self.workers, self.observer, |outcome| {
            let chunk = order.lock().unwrap_or_else(PoisonError::into_inner).pop_front().unwrap_or(current.0);
            if chunk != current.0 && !current.1.is_empty() {
                send(std::mem::take(&mut current))?;
            }
            current.0 = chunk;
            current.1.push(outcome);
            Ok(())
        })?;
        if current.1.is_empty() { Ok(()) } else { send(current) }
    }

    /// The records of all inputs, with what the configuration says of them.
    fn records(&self, inputs: &[Input]) -> Result<impl Iterator<Item = Record> + Send + use<'_>, Error> {
        let mut all: Vec<(Input, Records)> = Vec::new();
        for input in inputs {
            all.push((input.clone(), Records::open(&input.paths, Self::limits())?));
        }
        let total = all.iter().map(|(_, records)| records.bytes_total()).sum();
        let counters: Vec<_> = all.iter().map(|(_, records)| records.counter()).collect();
        let observer = self.observer;
        let mut n = 0u64;
        Ok(all.into_iter().flat_map(|(input, records)| records.map(move |record| with(&input, record))).inspect(move |_| {
            n += 1;
            if n.is_multiple_of(64) {
                let done = counters.iter().map(|c| c.load(Ordering::Relaxed)).sum();
                observer.progress(Progress { stage: "reading", done, total: Some(total), unit: "bytes" });
            }
        }))
    }

    /// Sketches of the articles that a comparison names.
    pub(super) fn articles(&self, paths: &[PathBuf], how: super::plan::How, folder: &Folder) -> Result<usize, Error> {
        let input = Input { paths: paths.to_vec(), source: None, licence: None };
        self.from_inputs(&[input], folder, |chunk, outcomes| {
            let documents =
                outcomes.into_iter().filter_map(|o| if let Outcome::Kept(document) = o { Some(document) } else { None }).collect();
            folder.write(chunk, &Made { documents, ..Made::default() }, Some(how), false)
        })
    }
}

fn with(input: &Input, mut record: Record) -> Record {
    let document = match &mut record {
        Record::Document(document) => document,
        Record::Page(page) => &mut page.document,
        Record::Dropped(row) => {
            row.source = input.source.clone().unwrap_or(std::mem::take(&mut row.source));
            return record;
        }
    };
    let Document { source, licence, .. } = document;
    *source = input.source.clone().unwrap_or(std::mem::take(source));
    *licence = licence.take().or_else(|| input.licence.clone());
    record
}
