//! What a run writes down about itself: `metrics.jsonl`, `samples.jsonl` and `timing.jsonl` in its folder, one JSON object a line.
//!
//! The first two hold nothing that depends on the clock, so that a run that was killed and went on ends in the same bytes as one that was not: going on cuts off the rows after
//! the checkpoint. What the clock says stands in `timing.jsonl` alone.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use ovid_figures::{LineChart, Series};
use serde::{Deserialize, Serialize};

use crate::Error;

/// A row of `metrics.jsonl`. `step` counts the steps done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Row {
    /// A training step.
    Step(StepRow),
    /// A validation.
    Validation(ValidationRow),
    /// A step that was skipped.
    Skipped(SkippedRow),
}

/// What a training step gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRow {
    /// Steps done.
    pub step: u64,
    /// Tokens learnt from so far.
    pub n_tokens: u64,
    /// Passes over the data so far.
    pub epoch: f64,
    /// Mean loss of the step's targets, in nats, before the update and with dropout where there is any.
    pub loss_nats: f64,
    /// The same as bits per byte of text, where the bytes are known.
    pub bits_per_byte: Option<f64>,
    /// Learning rate of the step.
    pub learning_rate: f64,
    /// Global norm of the gradient before clipping.
    pub grad_norm: f64,
}

/// What a validation gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValidationRow {
    /// Steps done.
    pub step: u64,
    /// Tokens learnt from so far.
    pub n_tokens: u64,
    /// Mean loss of the held-out targets, in nats.
    pub loss_nats: f64,
    /// The same as bits per byte of text, where the bytes are known.
    pub bits_per_byte: Option<f64>,
    /// Targets measured.
    pub n_scored: u64,
    /// Each entry of the data on its own, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_data: Vec<PartRow>,
}

/// What a validation gave on one entry of the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartRow {
    /// Name of the entry's folder.
    pub data: String,
    /// Mean loss, in nats.
    pub loss_nats: f64,
    /// The same as bits per byte of text, where the bytes are known.
    pub bits_per_byte: Option<f64>,
    /// Targets measured.
    pub n_scored: u64,
}

/// Why a step was skipped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SkippedRow {
    /// Steps done, this one counted.
    pub step: u64,
    /// The reason.
    pub cause: String,
}

/// A row of `timing.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimingRow {
    /// Steps done.
    pub step: u64,
    /// Seconds since this process began to train.
    pub seconds: f64,
    /// Tokens a second since the row before, validations and checkpoints left out.
    pub tokens_per_s: f64,
    /// Operations a second as a share of the machine's measured peak, where that was given.
    pub peak_share: Option<f64>,
}

/// A row of `samples.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleRow {
    /// Steps done.
    pub step: u64,
    /// Seed of the sample.
    pub seed: u64,
    /// What it was to continue.
    pub prompt: String,
    /// What the model wrote.
    pub text: String,
}

/// A file of rows that grows.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    /// Opens a file of rows and cuts off those after `step`, and a last one that was not written out. Step 0 leaves none.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub fn resume(path: &Path, step: u64) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Place {
            step: u64,
        }
        let refuse = |cause| ovid_io::Error::io(path, "write", cause);
        let old = match std::fs::read(path) {
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            old => old.map_err(|cause| ovid_io::Error::io(path, "read", cause))?,
        };
        let is_kept =
            |line: &&[u8]| line.ends_with(b"\n") && serde_json::from_slice::<Place>(line).is_ok_and(|row| step > 0 && row.step <= step);
        let n_kept = old.split_inclusive(|b| *b == b'\n').take_while(is_kept).map(<[u8]>::len).sum::<usize>();
        if n_kept != old.len() {
            ovid_io::atomic::write_atomic(path, |file| file.write_all(&old[..n_kept]))?;
        }
        let file = OpenOptions::new().append(true).create(true).open(path).map_err(refuse)?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Appends a row in one write.
    ///
    /// # Errors
    /// If the file cannot be written, such as on a full disk.
    pub fn append(&mut self, row: &impl Serialize) -> Result<(), Error> {
        let written = serde_json::to_vec(row).map_err(std::io::Error::from).and_then(|mut line| {
            line.push(b'\n');
            self.file.write_all(&line)
        });
        Ok(written.map_err(|cause| ovid_io::Error::io(&self.path, "write", cause))?)
    }

    /// Makes the rows outlast a loss of power.
    ///
    /// # Errors
    /// If the system cannot sync.
    pub fn sync(&self) -> Result<(), Error> {
        Ok(self.file.sync_data().map_err(|cause| ovid_io::Error::io(&self.path, "sync", cause))?)
    }
}

/// Reads `metrics.jsonl`.
///
/// # Errors
/// If it cannot be read or a line is no row.
pub fn read(path: &Path) -> Result<Vec<Row>, Error> {
    let text = std::fs::read_to_string(path).map_err(|cause| ovid_io::Error::io(path, "read", cause))?;
    let row = |(i, line): (usize, &str)| {
        serde_json::from_str(line)
            .map_err(|cause| ovid_io::Error::malformed(path, ovid_io::Place::Line(i as u64 + 1), cause.to_string()).into())
    };
    text.lines().enumerate().map(row).collect()
}

/// The loss curve of a run: training and validation, in nats per token.
pub fn loss_curve(title: &str, rows: &[Row]) -> LineChart {
    let (mut training, mut validation) = (Vec::new(), Vec::new());
    for row in rows {
        match row {
            Row::Step(row) => training.push((row.step as f64, row.loss_nats)),
            Row::Validation(row) => validation.push((row.step as f64, row.loss_nats)),
            Row::Skipped(_) => {}
        }
    }
    let mut chart = LineChart::new(title, "step", "loss (nats per token)");
    for (name, points) in [("training", training), ("validation", validation)] {
        if !points.is_empty() {
            chart = chart.with(Series::new(name, points));
        }
    }
    chart
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn going_on_cuts_off_what_came_after_the_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let row = |step| Row::Skipped(SkippedRow { step, cause: "x".into() });
        let mut log = Log::resume(&path, 0).unwrap();
        (1..=6).for_each(|step| log.append(&row(step)).unwrap());
        log.file.write_all(b"{\"kind\":\"skip").unwrap();
        let check = |step, expected: u64| {
            drop(Log::resume(&path, step).unwrap());
            assert_eq!(read(&path).unwrap(), (1..=expected).map(row).collect::<Vec<_>>());
        };
        check(9, 6);
        check(4, 4);
        check(4, 4);
        check(0, 0);
    }
}
