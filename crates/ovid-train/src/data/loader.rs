//! Rows of tokens by their number.
//!
//! Packed order. An epoch's stream holds the pieces (an entry of weight w gives each of its pieces ⌊w⌋ times, and once more with the probability of the rest) in an order drawn for
//! (seed, epoch). Row j of the stream is its tokens jT to jT + T, both included, so that every token but the stream's first is a target once; what is left at the end, at most T tokens,
//! waits for another epoch's order. The rows of an epoch are then taken in a second drawn order, so that no batch is one book.
//!
//! Windows. Row g begins at a place drawn for (seed, g).

use ovid_stats::Draws;

use super::{Corpus, Piece, cut};
use crate::Error;
use crate::config::Order;

// Purposes of the draws; an epoch's number stands in the upper half.
const PIECES: u64 = 0x7472_0001;
const ROWS: u64 = 0x7472_0002;
const COPIES: u64 = 0x7472_0003;
const WINDOWS: u64 = 0x7472_0004;

fn draws(seed: u64, purpose: u64, epoch: u64) -> Draws {
    Draws::new(seed, purpose | epoch << 32)
}

/// Gives the rows of a run.
#[derive(Debug)]
pub struct Loader<'a> {
    corpus: &'a Corpus,
    context: usize,
    seed: u64,
    order: Order,
    pieces: Vec<Piece>,
    epoch: Epoch,
}

/// One epoch's stream and the order of its rows; without rows before the first was asked for.
#[derive(Debug, Default)]
struct Epoch {
    number: u64,
    /// Row number of its first row.
    first_row: u64,
    /// Pieces in the order of the stream, each with where it begins there.
    stream: Vec<(u64, u32)>,
    rows: Vec<usize>,
}

impl<'a> Loader<'a> {
    /// A loader of rows of `context` + 1 tokens; documents longer than `piece_tokens` are cut.
    ///
    /// # Errors
    /// If there are too few tokens for one row.
    pub fn new(corpus: &'a Corpus, order: Order, context: usize, piece_tokens: usize, seed: u64) -> Result<Self, Error> {
        let mut pieces = Vec::new();
        if order == Order::Packed {
            for (i, entry) in corpus.entries.iter().enumerate() {
                pieces.extend(cut(&entry.train, i as u32, corpus.end_of_text, piece_tokens.min(u32::MAX as usize)));
            }
        }
        let mut loader = Self { corpus, context, seed, order, pieces, epoch: Epoch::default() };
        match order {
            Order::Packed => loader.seek(0)?,
            Order::Windows if loader.n_stored() <= context as u64 => return Err(loader.too_short(loader.n_stored())),
            Order::Windows => {}
        }
        Ok(loader)
    }

    /// Fills `out` with row `row` of the run: the context and the token after it.
    ///
    /// # Errors
    /// If an epoch has too few tokens for one row.
    ///
    /// # Panics
    /// If `out` is not one longer than the context.
    pub fn row(&mut self, row: u64, out: &mut [u32]) -> Result<(), Error> {
        assert_eq!(out.len(), self.context + 1, "a row is the context and one token more");
        match self.order {
            Order::Packed => {
                self.seek(row)?;
                self.packed(row, out);
            }
            Order::Windows => {
                let start = draws(self.seed, WINDOWS, 0).below_at(row, self.n_stored() - self.context as u64);
                self.copy_across_entries(start, out);
            }
        }
        Ok(())
    }

    /// Which pass over the data `row` belongs to, with the share of it that came before.
    ///
    /// # Errors
    /// If an epoch has too few tokens for one row.
    pub fn epoch_of(&mut self, row: u64) -> Result<f64, Error> {
        match self.order {
            Order::Packed => {
                self.seek(row)?;
                Ok(self.epoch.number as f64 + (row - self.epoch.first_row) as f64 / self.epoch.rows.len() as f64)
            }
            Order::Windows => Ok(row as f64 * self.context as f64 / self.n_stored() as f64),
        }
    }

    fn n_stored(&self) -> u64 {
        self.corpus.entries.iter().map(|entry| entry.train.len()).sum()
    }

    fn copy_across_entries(&self, mut start: u64, mut out: &mut [u32]) {
        for entry in &self.corpus.entries {
            let len = entry.train.len();
            if start >= len {
                start -= len;
                continue;
            }
            let n = out.len().min((len - start) as usize);
            let (now, later) = out.split_at_mut(n);
            entry.train.copy(start, now);
            (start, out) = (0, later);
            if out.is_empty() {
                return;
            }
        }
    }

    fn packed(&self, row: u64, out: &mut [u32]) {
        let epoch = &self.epoch;
        let mut at = epoch.rows[(row - epoch.first_row) as usize] as u64 * self.context as u64;
        let mut next = epoch.stream.partition_point(|(start, _)| *start <= at) - 1;
        let mut filled = 0;
        while filled < out.len() {
            let (start, piece) = epoch.stream[next];
            let piece = &self.pieces[piece as usize];
            let within = at - start;
            let stored = (u64::from(piece.n_stored).saturating_sub(within) as usize).min(out.len() - filled);
            self.corpus.entries[piece.entry as usize].train.copy(piece.start + within, &mut out[filled..filled + stored]);
            filled += stored;
            if piece.closed && filled < out.len() {
                out[filled] = self.corpus.end_of_text.expect("only data with an end-of-text token close their pieces");
                filled += 1;
            }
            next += 1;
            at = start + piece.len();
        }
    }

    /// Makes the epoch of `row` the current one.
    fn seek(&mut self, row: u64) -> Result<(), Error> {
        let current = &self.epoch;
        if (current.first_row..current.first_row + current.rows.len() as u64).contains(&row) {
            return Ok(());
        }
        let (mut number, mut first_row) = if row < current.first_row || current.rows.is_empty() {
            (0, 0)
        } else {
            (current.number + 1, current.first_row + current.rows.len() as u64)
        };
        loop {
            let (order, n_rows) = self.drawn(number)?;
            if row - first_row < n_rows {
                self.epoch = self.plan(number, first_row, &order, n_rows);
                return Ok(());
            }
            number += 1;
            first_row += n_rows;
        }
    }

    /// The pieces of an epoch, those of a weight other than 1 as often as was drawn, and the number of rows that they fill.
    fn drawn(&self, number: u64) -> Result<(Vec<u32>, u64), Error> {
        let extra = draws(self.seed, COPIES, number);
        let mut order = Vec::with_capacity(self.pieces.len());
        let mut n_tokens = 0;
        for (i, piece) in self.pieces.iter().enumerate() {
            let weight = self.corpus.entries[piece.entry as usize].weight;
            let copies = weight as usize + usize::from(extra.unit_at(i as u64) < weight.fract());
            order.extend(std::iter::repeat_n(i as u32, copies));
            n_tokens += copies as u64 * piece.len();
        }
        let n_rows = n_tokens.saturating_sub(1) / self.context as u64;
        if n_rows == 0 { Err(self.too_short(n_tokens)) } else { Ok((order, n_rows)) }
    }

    fn plan(&self, number: u64, first_row: u64, order: &[u32], n_rows: u64) -> Epoch {
        let mut at = 0;
        let mut stream = Vec::with_capacity(order.len());
        for place in draws(self.seed, PIECES, number).permutation(order.len()) {
            stream.push((at, order[place]));
            at += self.pieces[order[place] as usize].len();
        }
        Epoch { number, first_row, stream, rows: draws(self.seed, ROWS, number).permutation(n_rows as usize) }
    }

    fn too_short(&self, n_tokens: u64) -> Error {
        let path = &self.corpus.entries[0].path;
        Error::data(path, format!("{n_tokens} training tokens are too few for one row of {} and the token after it", self.context))
    }
}
