//! The loss on what is held out.
//!
//! Every entry's held-out part is read in rows of T tokens, one after the other without overlap, so that every token but the first is a target once. Nothing is drawn:
//! two validations at the same parameters give the same bits.

use ovid_kernels::Backend;

use crate::data::{Corpus, Entry};
use crate::metrics::{PartRow, ValidationRow};
use crate::model::{Model, NO_TARGET};
use crate::{Bytes, Error};

/// How much is measured, and in which portions.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Tokens of a row.
    pub context: usize,
    /// Rows of a batch.
    pub batch_size: usize,
    /// Batches of each entry; `None` is all of it.
    pub n_batches: Option<u64>,
}

#[derive(Clone, Copy, Default)]
struct Sums {
    nats: f64,
    n_scored: u64,
    n_bytes: f64,
}

/// Measures the parameters that the model was given last; `None` where nothing is held out, or where `cancelled` says to stop.
///
/// # Errors
/// Those of the model.
pub fn validate<B: Backend>(
    model: &mut dyn Model<B>,
    corpus: &Corpus,
    bytes: &Bytes,
    extent: Extent,
    cancelled: &dyn Fn() -> bool,
) -> Result<Option<ValidationRow>, Error> {
    let mut total = Sums::default();
    let mut by_data = Vec::new();
    for entry in corpus.entries.iter().filter(|entry| entry.validation.len() > 1) {
        let Some(sums) = entry_sums(model, entry, bytes, extent, cancelled)? else { return Ok(None) };
        total.nats += sums.nats;
        total.n_scored += sums.n_scored;
        total.n_bytes += sums.n_bytes;
        let data = entry.path.file_name().unwrap_or(entry.path.as_os_str()).to_string_lossy().into_owned();
        by_data.push(PartRow { data, loss_nats: sums.loss(), bits_per_byte: sums.bits_per_byte(), n_scored: sums.n_scored });
    }
    if by_data.len() < 2 {
        by_data.clear();
    }
    let row = ValidationRow {
        step: 0,
        n_tokens: 0,
        loss_nats: total.loss(),
        bits_per_byte: total.bits_per_byte(),
        n_scored: total.n_scored,
        by_data,
    };
    Ok((total.n_scored > 0).then_some(row))
}

impl Sums {
    fn loss(&self) -> f64 {
        self.nats / self.n_scored as f64
    }

    fn bits_per_byte(&self) -> Option<f64> {
        (self.n_bytes > 0.0).then(|| self.nats / std::f64::consts::LN_2 / self.n_bytes)
    }
}

fn entry_sums<B: Backend>(
    model: &mut dyn Model<B>,
    entry: &Entry,
    bytes: &Bytes,
    extent: Extent,
    cancelled: &dyn Fn() -> bool,
) -> Result<Option<Sums>, Error> {
    let Extent { context, batch_size, n_batches } = extent;
    let n_targets = entry.validation.len() - 1;
    let n_rows = n_targets.div_ceil(context as u64);
    let n_rows = n_batches.map_or(n_rows, |n| n_rows.min(n.saturating_mul(batch_size as u64)));
    // Without a tokenizer the entry's own mean is nearer than that of all.
    let own = match bytes {
        Bytes::Each(_) => None,
        _ => (entry.validation_bytes > 0).then(|| Bytes::Mean(entry.validation_bytes as f64 / entry.validation.len() as f64)),
    };
    let bytes = own.as_ref().unwrap_or(bytes);
    let mut sums = Sums::default();
    let mut row = vec![0; context + 1];
    let (mut tokens, mut targets) = (Vec::new(), Vec::new());
    for first in (0..n_rows).step_by(batch_size) {
        if cancelled() {
            return Ok(None);
        }
        let n = batch_size.min((n_rows - first) as usize);
        tokens.clear();
        targets.clear();
        for r in first..first + n as u64 {
            let start = r * context as u64;
            let have = context.min((n_targets - start) as usize);
            entry.validation.copy(start, &mut row[..=have]);
            tokens.extend_from_slice(&row[..have]);
            targets.extend_from_slice(&row[1..=have]);
            // The last row is filled up with what is not counted; causal attention keeps it from mattering.
            tokens.resize(tokens.len() + context - have, 0);
            targets.resize(targets.len() + context - have, NO_TARGET);
        }
        sums.nats += model.loss(&tokens, &targets, n)?;
        let scored = targets.iter().filter(|t| **t != NO_TARGET);
        sums.n_scored += scored.clone().count() as u64;
        sums.n_bytes += bytes.of(scored.copied());
    }
    Ok(Some(sums))
}
