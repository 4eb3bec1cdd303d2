//! One pass after the other over all chunks.

use ovid_io::Progress;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Run;
use super::chunk::{Folder, Made};
use super::counts::StageCounts;
use super::plan::{Comparison, Pass, passes};
use super::sketches::{Stored, Verdicts};
use crate::{Error, Outcome, extract, read};

impl Run<'_> {
    pub(super) fn folder(&self, pass: usize) -> Folder {
        Folder(self.work().join(format!("pass-{pass}")))
    }

    /// Runs all passes. Returns the number of chunks.
    pub(super) fn passes(&self) -> Result<usize, Error> {
        let passes = passes(self.config)?;
        let first = self.folder(0);
        let n_chunks = self.from_inputs(&self.config.inputs, &first, |chunk, outcomes| {
            let counts = vec![StageCounts::new(read::STAGE), StageCounts::new(extract::STAGE)];
            let mut made = Making::new(counts, &passes[0]);
            outcomes.into_iter().for_each(|outcome| made.first(outcome));
            made.write(&first, chunk)
        })?;
        for (i, pair) in passes.windows(2).enumerate() {
            let Some(comparison) = &pair[0].then else { continue };
            let (before, after) = (self.folder(i), self.folder(i + 1));
            self.next(comparison, &pair[1], i, &before, &after, n_chunks)?;
        }
        Ok(n_chunks)
    }

    /// The pass behind a comparison: its verdicts, then the stages that look at one document.
    fn next(&self, comparison: &Comparison, pass: &Pass, i: usize, before: &Folder, after: &Folder, n_chunks: usize) -> Result<(), Error> {
        crate::files::make_folder(&after.0)?;
        if (0..n_chunks).all(|chunk| after.is_done(chunk)) {
            return Ok(());
        }
        let articles = Folder(self.work().join(format!("articles-{i}")));
        let n_articles = if comparison.articles.is_empty() { 0 } else { self.articles(&comparison.articles, comparison.how, &articles)? };
        let of_articles = (!comparison.articles.is_empty()).then_some((&articles, n_articles));
        let stored = Stored::open(comparison.how, of_articles, (before, n_chunks), self.observer)?;
        let verdicts = Verdicts::decide(stored, &before.0.join("verdicts.npy"))?;
        let n_done = AtomicU64::new(0);
        self.parallel(0..n_chunks, |chunk| {
            if !after.is_done(chunk) {
                let mut made = Making::new(vec![StageCounts::new(comparison.stage)], pass);
                for (index, document) in before.documents(chunk)?.enumerate() {
                    let mut document = document?;
                    let n_bytes = document.text.len();
                    match verdicts.of(comparison, chunk, index, &mut document) {
                        Ok(()) => {
                            made.made.counts[0].kept(n_bytes, n_bytes, false);
                            made.stages(Outcome::Kept(document));
                        }
                        Err(detail) => {
                            made.made.counts[0].dropped(n_bytes, comparison.reason);
                            made.made.rows.push(document.row(comparison.stage, comparison.reason, detail));
                        }
                    }
                }
                made.write(after, chunk)?;
            }
            let done = n_done.fetch_add(1, Ordering::Relaxed) + 1;
            self.observer.progress(Progress {
                stage: pass.names.first().copied().unwrap_or(comparison.stage),
                done,
                total: Some(n_chunks as u64),
                unit: "chunks",
            });
            Ok(())
        })?;
        before.forget_documents(n_chunks);
        Ok(())
    }
}

/// A chunk in the making.
struct Making<'a> {
    pass: &'a Pass,
    made: Made,
    /// Counts that stand before those of the pass's stages.
    n_before: usize,
}

impl<'a> Making<'a> {
    fn new(mut counts: Vec<StageCounts>, pass: &'a Pass) -> Self {
        let n_before = counts.len();
        counts.extend(pass.names.iter().map(|name| StageCounts::new(name)));
        Self { pass, made: Made { counts, ..Made::default() }, n_before }
    }

    /// What comes out of reading and extraction.
    fn first(&mut self, outcome: Outcome) {
        let [read, extract, ..] = &mut self.made.counts[..] else { return };
        match &outcome {
            Outcome::Kept(document) => {
                let n = document.text.len();
                let is_changed = document.touched.iter().any(|t| t.stage == read::STAGE);
                read.kept(n, n, is_changed);
                extract.kept(n, n, document.touched.iter().any(|t| t.stage == extract::STAGE));
            }
            Outcome::Dropped(row) if row.stage == read::STAGE => read.dropped(row.n_bytes as usize, &row.reason),
            Outcome::Dropped(row) => {
                read.kept(row.n_bytes as usize, row.n_bytes as usize, false);
                extract.dropped(row.n_bytes as usize, &row.reason);
            }
        }
        self.stages(outcome);
    }

    fn stages(&mut self, outcome: Outcome) {
        let counts = &mut self.made.counts[self.n_before..];
        let mut at = 0;
        let outcome = match outcome {
            Outcome::Kept(document) => self.pass.stages.apply_watched(document, |_, n_bytes, change, row| {
                match row {
                    None => counts[at].kept(n_bytes, change.n_bytes, change.touched),
                    Some(row) => counts[at].dropped(n_bytes, &row.reason),
                }
                at += 1;
            }),
            dropped @ Outcome::Dropped(_) => dropped,
        };
        match outcome {
            Outcome::Kept(document) => self.made.documents.push(document),
            Outcome::Dropped(row) => self.made.rows.push(row),
        }
    }

    fn write(self, folder: &Folder, chunk: usize) -> Result<(), Error> {
        folder.write(chunk, &self.made, self.pass.then.as_ref().map(|then| then.how), true)
    }
}
