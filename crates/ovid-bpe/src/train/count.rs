//! Distinct words and how often each occurs, counted on several threads.

use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, PoisonError};

use ovid_io::{Observer, Progress};

use crate::Error;
use crate::split::words as split;
use crate::vocabulary::Map;

/// Documents are handed to the threads in batches of about this many.
const BATCH_BYTES: usize = 1 << 20;

/// A distinct word and how often it occurs.
pub(super) type Word = (Box<[u8]>, u64);

type Counts = Map<Box<[u8]>, u64>;

/// The words in rising order of their bytes, so that nothing depends on who counted what.
pub(super) fn words<D, I>(docs: I, threads: usize, observer: &dyn Observer) -> Result<Vec<Word>, Error>
where
    D: AsRef<[u8]> + Send,
    I: Iterator<Item = D>,
{
    let n_workers = threads.max(1);
    let (give, take) = sync_channel::<Vec<D>>(n_workers);
    let take = Mutex::new(take);
    let counts = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..n_workers).map(|_| scope.spawn(|| count(&take))).collect();
        let fed = feed(docs, observer, |batch| give.send(batch).is_ok());
        drop(give);
        let counts: Vec<Counts> = workers.into_iter().map(|w| w.join().expect("counting does not panic")).collect();
        fed.map(|()| counts)
    })?;
    let mut counts = counts.into_iter();
    let mut all = counts.next().unwrap_or_default();
    for other in counts {
        for (word, n) in other {
            *all.entry(word).or_default() += n;
        }
    }
    let mut sorted: Vec<Word> = all.into_iter().collect();
    sorted.sort_unstable();
    Ok(sorted)
}

fn feed<D: AsRef<[u8]>>(docs: impl Iterator<Item = D>, observer: &dyn Observer, give: impl Fn(Vec<D>) -> bool) -> Result<(), Error> {
    let (mut batch, mut n_batch, mut n_bytes) = (Vec::new(), 0, 0);
    for doc in docs {
        n_batch += doc.as_ref().len();
        n_bytes += doc.as_ref().len() as u64;
        batch.push(doc);
        if n_batch >= BATCH_BYTES {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            observer.progress(Progress { stage: "counting words", done: n_bytes, total: None, unit: "bytes" });
            n_batch = 0;
            if !give(std::mem::take(&mut batch)) {
                break;
            }
        }
    }
    give(batch);
    observer.progress(Progress { stage: "counting words", done: n_bytes, total: Some(n_bytes), unit: "bytes" });
    Ok(())
}

fn count<D: AsRef<[u8]>>(batches: &Mutex<Receiver<Vec<D>>>) -> Counts {
    let mut counts = Counts::default();
    loop {
        let next = batches.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(batch) = next else { return counts };
        for word in batch.iter().flat_map(|doc| split(doc.as_ref())) {
            if let Some(n) = counts.get_mut(word) {
                *n += 1;
            } else {
                counts.insert(word.into(), 1);
            }
        }
    }
}
