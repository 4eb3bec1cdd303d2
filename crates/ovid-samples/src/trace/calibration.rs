//! How often texts that were not generated here overlap with a ledger all the same: measured by looking human texts up.
//!
//! For each length the human texts' best overlaps are kept. The false-match rate of an overlap is (1 + how many of them are as great) / (1 + how many there are): the p-value of a
//! conformal test, valid for any human text that is drawn as the calibration texts were.

use std::path::Path;

use ovid_io::Place;
use ovid_io::atomic::write_atomic;
use ovid_io::{Observer, Progress};
use serde::{Deserialize, Serialize};

use super::{Tracer, beside};
use crate::words::words;
use crate::{Error, Ledger};

/// The lengths in words that are calibrated; a text is judged by the greatest that it reaches.
const LENGTHS: [usize; 6] = [12, 25, 50, 100, 200, 400];
const ENDING: &str = ".calibration.json";

/// The overlaps of human texts with a ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Texts that the ledger held then.
    pub n_texts: u64,
    /// By length, shortest first.
    pub classes: Vec<Class>,
}

/// Human texts of one length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// Words a text.
    pub n_words: usize,
    /// The best overlap of each, ascending.
    pub overlaps: Vec<f64>,
}

impl Class {
    /// Texts.
    pub(super) fn len(&self) -> usize {
        self.overlaps.len()
    }

    /// The share of human texts that overlap as much or more, never less than what so many texts can show.
    pub(super) fn false_match_rate(&self, overlap: f64) -> f64 {
        let below = self.overlaps.partition_point(|&o| o < overlap);
        (1 + self.overlaps.len() - below) as f64 / (1 + self.overlaps.len()) as f64
    }
}

impl Calibration {
    /// The one beside a ledger, if there is one.
    ///
    /// # Errors
    /// Where it is not what it should be.
    pub(super) fn read(ledger: &Path) -> Result<Option<Self>, Error> {
        let path = beside(ledger, ENDING);
        let bytes = match std::fs::read(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            bytes => bytes.map_err(|e| ovid_io::Error::io(&path, "read", e))?,
        };
        let wrong = |place, cause: String| Err(ovid_io::Error::malformed(&path, place, cause).into());
        match serde_json::from_slice::<Self>(&bytes) {
            Ok(c) if c.classes.iter().all(|class| class.overlaps.is_sorted()) && c.classes.is_sorted_by_key(|c| c.n_words) => Ok(Some(c)),
            Ok(_) => wrong(Place::Whole, "the overlaps do not ascend".into()),
            Err(e) => wrong(Place::Line(e.line() as u64), e.to_string()),
        }
    }

    /// The class by which a text of so many words is judged.
    pub(super) fn class(&self, n_words: usize) -> Option<&Class> {
        self.classes.iter().rev().find(|class| class.n_words <= n_words && !class.overlaps.is_empty())
    }
}

/// Looks human texts up and writes what they overlap beside the ledger. Each text gives one passage of every length that it reaches, its first words.
///
/// # Errors
/// Where no text is long enough, something cannot be read or written, or the observer cancels.
pub fn calibrate(ledger: &Ledger, texts: &[String], observer: &dyn Observer) -> Result<Calibration, Error> {
    let tracer = Tracer { calibration: None, ..Tracer::open(ledger, observer)? };
    let mut classes: Vec<Class> = LENGTHS.iter().map(|&n_words| Class { n_words, overlaps: Vec::new() }).collect();
    for (done, text) in texts.iter().enumerate() {
        let words = words(text);
        for class in classes.iter_mut().filter(|c| c.n_words <= words.len()) {
            let report = tracer.look_up(&words[..class.n_words].join(" "), 1, 1.0)?;
            class.overlaps.push(report.matches.first().map_or(0.0, |m| m.overlap));
        }
        observer.progress(Progress { stage: "calibrating", done: done as u64 + 1, total: Some(texts.len() as u64), unit: "texts" });
        if observer.cancelled() {
            return Err(Error::Cancelled);
        }
    }
    classes.retain(|class| !class.overlaps.is_empty());
    if classes.is_empty() {
        return Err(Error::Asked(format!("no text has the {} words that calibrating takes", LENGTHS[0])));
    }
    for class in &mut classes {
        class.overlaps.sort_by(f64::total_cmp);
    }
    let calibration = Calibration { n_texts: tracer.index.n_texts(), classes };
    let path = beside(ledger.path(), ENDING);
    write_atomic(&path, |out| Ok(serde_json::to_writer(out, &calibration)?))?;
    Ok(calibration)
}
