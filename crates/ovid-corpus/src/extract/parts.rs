//! Extraction of a whole crawl into a folder, in parts that are each written whole: a run that was killed goes on behind the last of them, to the same bytes.
//!
//! `documents/part-00000.jsonl.zst` and `dropped/part-00000.jsonl.zst` hold what became of the first 10,000 records; `extract.json` says from what and how.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use ovid_io::atomic::write_atomic;
use ovid_io::documents::{JsonLinesWriter, Limits as LineLimits, Lines};
use ovid_io::{Observer, Progress};
use serde::{Deserialize, Serialize};

use super::{PageLimits, Settings, Workers, run};
use crate::read::{Limits, Records};
use crate::{Document, Error, Outcome, Row};

/// Records a part.
const PART_RECORDS: usize = 10_000;

/// What a run over a crawl came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Pages, texts and unreadable places together.
    pub n_records: u64,
    /// Documents written.
    pub n_documents: u64,
    /// Bytes of their texts.
    pub n_bytes: u64,
    /// Records left out, by reason.
    pub dropped: BTreeMap<String, u64>,
}

/// What a folder was made from and how; it stands in the folder as `extract.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Made {
    inputs: Vec<PathBuf>,
    input_bytes: u64,
    settings: Settings,
    limits: PageLimits,
    part_records: usize,
}

/// Takes the text out of everything in `inputs` and writes documents and rows to the folder `out`; a run that was stopped there goes on.
///
/// # Errors
/// If an input is absent, the folder holds another run, something cannot be written, or the observer cancels.
pub fn extract_to(inputs: &[PathBuf], out: &Path, limits: Limits, workers: &Workers, observer: &dyn Observer) -> Result<Report, Error> {
    let mut records = Records::open(inputs, limits)?;
    let made = Made {
        inputs: inputs.to_vec(),
        input_bytes: records.bytes_total(),
        settings: workers.settings,
        limits: workers.limits,
        part_records: PART_RECORDS,
    };
    begin(out, &made)?;
    let mut report = Report::default();
    let mut n_parts = 0;
    while let Some(part) = Part::existing(out, n_parts) {
        part.count(&mut report)?;
        n_parts += 1;
        observer.progress(Progress {
            stage: "reading again",
            done: records.bytes_read(),
            total: Some(records.bytes_total()),
            unit: "bytes",
        });
        if observer.cancelled() {
            return Err(ovid_io::Error::Cancelled.into());
        }
        records.by_ref().take(PART_RECORDS).for_each(drop);
    }
    let (read, total) = (records.counter(), Some(records.bytes_total()));
    let mut part: Option<Part> = None;
    run(records, workers, observer, |outcome| {
        if part.as_ref().is_some_and(|p| p.n_records == PART_RECORDS)
            && let Some(full) = part.take()
        {
            full.finish()?;
            n_parts += 1;
        }
        let current = match &mut part {
            Some(current) => current,
            none => none.insert(Part::create(out, n_parts)?),
        };
        report.add(&outcome);
        current.write(&outcome)?;
        observer.progress(Progress { stage: "extracting", done: read.load(Ordering::Relaxed), total, unit: "bytes" });
        Ok(())
    })?;
    part.map_or(Ok(()), Part::finish)?;
    Ok(report)
}

/// Makes the folder, or finds the same run in it.
fn begin(out: &Path, made: &Made) -> Result<(), Error> {
    let path = out.join("extract.json");
    match std::fs::read(&path) {
        Ok(bytes) => match serde_json::from_slice::<Made>(&bytes) {
            Ok(there) if there == *made => return Ok(()),
            Ok(_) => return Err(Error::data(out, "holds what came of other inputs or settings (see extract.json in it)")),
            Err(cause) => return Err(Error::data(&path, cause.to_string())),
        },
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {}
        Err(cause) => return Err(ovid_io::Error::io(&path, "read", cause).into()),
    }
    for folder in ["documents", "dropped"] {
        let folder = out.join(folder);
        std::fs::create_dir_all(&folder).map_err(|cause| ovid_io::Error::io(&folder, "make", cause))?;
    }
    write_atomic(&path, |file| serde_json::to_writer_pretty(file, made).map_err(Into::into))?;
    Ok(())
}

struct Part {
    documents: JsonLinesWriter,
    dropped: JsonLinesWriter,
    n_records: usize,
}

struct Existing {
    documents: PathBuf,
    dropped: PathBuf,
}

fn paths(out: &Path, number: usize) -> Existing {
    let file = |folder: &str| out.join(folder).join(format!("part-{number:05}.jsonl.zst"));
    Existing { documents: file("documents"), dropped: file("dropped") }
}

impl Part {
    /// A part that was finished; its documents are written last, so that they vouch for both files.
    fn existing(out: &Path, number: usize) -> Option<Existing> {
        Some(paths(out, number)).filter(|p| p.documents.exists())
    }

    fn create(out: &Path, number: usize) -> Result<Self, Error> {
        let paths = paths(out, number);
        for path in [&paths.documents, &paths.dropped] {
            ovid_io::atomic::remove_leftovers(path)?;
        }
        Ok(Self { documents: JsonLinesWriter::create(&paths.documents)?, dropped: JsonLinesWriter::create(&paths.dropped)?, n_records: 0 })
    }

    fn write(&mut self, outcome: &Outcome) -> Result<(), Error> {
        self.n_records += 1;
        match outcome {
            Outcome::Kept(document) => self.documents.write(document)?,
            Outcome::Dropped(row) => self.dropped.write(row)?,
        }
        Ok(())
    }

    fn finish(self) -> Result<(), Error> {
        self.dropped.finish()?;
        self.documents.finish()?;
        Ok(())
    }
}

impl Existing {
    fn count(&self, report: &mut Report) -> Result<(), Error> {
        let mut lines = Lines::open(&self.documents, LineLimits::default())?;
        while let Some(document) = lines.next_json::<Document>()? {
            report.add(&Outcome::Kept(document));
        }
        let mut lines = Lines::open(&self.dropped, LineLimits::default())?;
        while let Some(row) = lines.next_json::<Row>()? {
            report.add(&Outcome::Dropped(row));
        }
        Ok(())
    }
}

impl Report {
    fn add(&mut self, outcome: &Outcome) {
        self.n_records += 1;
        match outcome {
            Outcome::Kept(document) => {
                self.n_documents += 1;
                self.n_bytes += document.text.len() as u64;
            }
            Outcome::Dropped(row) => *self.dropped.entry(row.reason.clone()).or_default() += 1,
        }
    }
}
