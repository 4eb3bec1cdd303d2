//! Causal attention over the cache.
//!
//! `exact-1`: score = chain in rising head index; the maximum over all keys; exp; the sum by absolute key position modulo 16; output = chain in rising key position;
//! divide last. Keys lie in blocks of 16 positions so that lanes are positions, and no row's result depends on the rows beside it.
//! Operations: 4 N_keys D a row and head; bytes in decoding: the sequence's keys and values once.

use super::rows::tile_rows;
use super::simd::{Kernel, LANES, Lanes, Unit};
use super::{Shared, elementwise};
use crate::backend::{Dropout, Heads, KV_BLOCK, Run};
use crate::math::{exp_lanes, tree_sum};
use crate::{Aligned, Error, Pool};

/// Keys and values of one layer. Keys: (block, head, D, 16); values: (block, head, 16, D rounded up to 16).
pub struct KvLayer {
    pub(super) k: Aligned,
    pub(super) v: Aligned,
}

/// D rounded up to whole vectors.
pub fn padded(head_size: usize) -> usize {
    head_size.next_multiple_of(LANES)
}

impl KvLayer {
    /// Room for `n_blocks` blocks.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub fn new(heads: &Heads, n_blocks: usize) -> Result<Self, Error> {
        let blocks = n_blocks.saturating_mul(heads.n_head).saturating_mul(KV_BLOCK);
        Ok(Self {
            k: Aligned::zeros(blocks.saturating_mul(heads.head_size), "keys")?,
            v: Aligned::zeros(blocks.saturating_mul(padded(heads.head_size)), "values")?,
        })
    }
}

/// Rows of one task.
pub const fn task_rows(wide: bool) -> usize {
    if wide { 12 } else { 6 }
}

/// Numbers of the lanes.
pub const IOTA: [f32; LANES] = [0., 1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 11., 12., 13., 14., 15.];

/// Appends keys and values, then attends.
pub fn attention(
    unit: Unit,
    pool: &Pool,
    qkv: &[f32],
    heads: &Heads,
    runs: &[Run<'_>],
    kv: &mut KvLayer,
    dropout: Option<&Dropout>,
    out: &mut [f32],
) {
    let c = heads.n_head * heads.head_size;
    let n_rows = runs.iter().map(|r| r.first_row + r.n_rows).max().unwrap_or(0);
    assert!(qkv.len() >= n_rows * 3 * c && out.len() >= n_rows * c, "attention's buffers hold all rows");
    append(pool, qkv, heads, runs, kv);
    let rows = task_rows(unit == Unit::Avx512);
    let mut tasks = Vec::new();
    for (r, run) in runs.iter().enumerate() {
        for first in (0..run.n_rows).step_by(rows) {
            tasks.push((r, first));
        }
    }
    let out = Shared::new(out);
    // The last rows of a run see the most keys: they go first, so that no long task is left at the end.
    pool.run(tasks.len() * heads.n_head, |i| {
        let (r, first) = tasks[tasks.len() - 1 - i / heads.n_head];
        let task = Forward {
            qkv,
            heads,
            run: &runs[r],
            first,
            n_rows: rows.min(runs[r].n_rows - first),
            head: i % heads.n_head,
            kv,
            dropout,
            out,
        };
        // SAFETY: tasks write disjoint rows and heads of `out`; the cache is only read now.
        unsafe { unit.run(task) }
    });
}

fn append(pool: &Pool, qkv: &[f32], heads: &Heads, runs: &[Run<'_>], kv: &mut KvLayer) {
    let (d, dp, c) = (heads.head_size, padded(heads.head_size), heads.n_head * heads.head_size);
    for run in runs {
        assert!(run.blocks.len() * KV_BLOCK >= run.first_position + run.n_rows, "a run's blocks reach its last position");
        let last = run.blocks.iter().max().map_or(0, |b| *b as usize + 1);
        assert!(kv.k.len() >= last * heads.n_head * d * KV_BLOCK, "a run's blocks lie in the cache");
    }
    let (k, v) = (Shared::new(&mut kv.k), Shared::new(&mut kv.v));
    let one = |run: &Run<'_>, head: usize| {
        for i in 0..run.n_rows {
            let row = &qkv[(run.first_row + i) * 3 * c..][..3 * c];
            let position = run.first_position + i;
            let slot = run.blocks[position / KV_BLOCK] as usize * heads.n_head + head;
            let lane = position % KV_BLOCK;
            // SAFETY: a block belongs to one sequence, and each task has one head of one run.
            let keys = unsafe { k.slice(slot * d * KV_BLOCK, d * KV_BLOCK) };
            for (j, x) in row[c + head * d..][..d].iter().enumerate() {
                keys[j * KV_BLOCK + lane] = *x;
            }
            // SAFETY: as above.
            let values = unsafe { v.slice((slot * KV_BLOCK + lane) * dp, d) };
            values.copy_from_slice(&row[2 * c + head * d..][..d]);
        }
    };
    if n_values(runs) * c < 1 << 13 {
        for run in runs {
            (0..heads.n_head).for_each(|head| one(run, head));
        }
    } else {
        pool.run(runs.len() * heads.n_head, |i| one(&runs[i / heads.n_head], i % heads.n_head));
    }
}

fn n_values(runs: &[Run<'_>]) -> usize {
    runs.iter().map(|r| r.n_rows).sum()
}

struct Forward<'a> {
    qkv: &'a [f32],
    heads: &'a Heads,
    run: &'a Run<'a>,
    first: usize,
    n_rows: usize,
    head: usize,
    kv: &'a KvLayer,
    dropout: Option<&'a Dropout>,
    out: Shared<f32>,
}

impl Kernel for Forward<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        match tile_rows(self.n_rows) {
            1 => self.rows::<L, 1>(),
            2 => self.rows::<L, 2>(),
            4 => self.rows::<L, 4>(),
            6 => self.rows::<L, 6>(),
            8 => self.rows::<L, 8>(),
            _ => self.rows::<L, 12>(),
        }
    }
}

impl Forward<'_> {
    #[inline(always)]
    unsafe fn rows<L: Lanes, const M: usize>(&self) {
        if M > task_rows(L::WIDE) {
            return;
        }
        let Heads { n_head, head_size: d, scale } = *self.heads;
        let (dp, c) = (padded(d), n_head * d);
        let first_position = self.run.first_position + self.first;
        let n_keys = first_position + self.n_rows;
        let n_blocks = n_keys.div_ceil(KV_BLOCK);
        let slot = |block: usize| *self.run.blocks.get_unchecked(block) as usize * n_head + self.head;

        let mut scratch = Vec::<f32>::with_capacity(d * M + n_blocks * M * LANES);
        let q = scratch.as_mut_ptr();
        let s = q.add(d * M);
        let first_row = self.run.first_row + self.first;
        for m in 0..M {
            for j in 0..d {
                *q.add(j * M + m) = if m < self.n_rows { self.qkv[(first_row + m) * 3 * c + self.head * d + j] } else { 0.0 };
            }
        }
        for block in 0..n_blocks {
            let k = self.kv.k.as_ptr().add(slot(block) * d * KV_BLOCK);
            scores::<L, M>(d, q, k, s.add(block * M * LANES));
        }
        let mut sums = [1f32; M];
        for m in 0..self.n_rows {
            sums[m] = softmax::<L>(s.add(m * LANES), M * LANES, n_blocks, first_position + m + 1, scale);
            if let Some(how) = self.dropout {
                drop_row::<L>(s.add(m * LANES), M * LANES, n_blocks, how, (first_row + m) as u64, self.head);
            }
        }
        // Rows that only fill the tile up have no probabilities: their part of the scratch holds scores of zero queries, which are finite or not used.
        let mut v0 = 0;
        while v0 < dp {
            let mut acc = [L::splat(0.0); M];
            for block in 0..n_blocks {
                let v = self.kv.v.as_ptr().add(slot(block) * KV_BLOCK * dp + v0);
                weighted::<L, M>(KV_BLOCK.min(n_keys - block * KV_BLOCK), s.add(block * M * LANES), v, dp, &mut acc);
            }
            for m in 0..self.n_rows {
                let y = L::div(acc[m], L::splat(sums[m]));
                L::store_part(self.out.pointer().add((first_row + m) * c + self.head * d + v0), y, (d - v0).min(LANES));
            }
            v0 += LANES;
        }
    }
}

/// `s` (M, 16) = the chains of M queries (D, M) with the 16 keys of a block (D, 16).
#[inline(always)]
pub unsafe fn scores<L: Lanes, const M: usize>(d: usize, q: *const f32, k: *const f32, s: *mut f32) {
    let mut acc = [L::splat(0.0); M];
    for j in 0..d {
        let keys = L::load(k.add(j * KV_BLOCK));
        for m in 0..M {
            acc[m] = L::fma(L::splat(*q.add(j * M + m)), keys, acc[m]);
        }
    }
    for m in 0..M {
        L::store(s.add(m * LANES), acc[m]);
    }
}

/// `acc` (M) goes on over `n` positions of a block: probabilities (M, 16) times values (16, stride).
#[inline(always)]
pub unsafe fn weighted<L: Lanes, const M: usize>(n: usize, p: *const f32, v: *const f32, stride: usize, acc: &mut [L::F; M]) {
    for t in 0..n {
        let values = L::load(v.add(t * stride));
        for m in 0..M {
            acc[m] = L::fma(L::splat(*p.add(m * LANES + t)), values, acc[m]);
        }
    }
}

/// Drops probabilities of one row, in vectors `stride` apart.
#[inline(always)]
pub unsafe fn drop_row<L: Lanes>(s: *mut f32, stride: usize, n_blocks: usize, how: &Dropout, row: u64, head: usize) {
    for block in 0..n_blocks {
        let mask = elementwise::keep_mask(how, row, (head << 16 | block) as u32);
        let at = s.add(block * stride);
        L::store(at, L::mul(L::load(at), L::load(mask.as_ptr())));
    }
}

/// One row of scores, in vectors `stride` apart: `s` becomes exp(scale s - max), 0 from key `n_keys` on; gives the sum.
#[inline(always)]
pub unsafe fn softmax<L: Lanes>(s: *mut f32, stride: usize, n_blocks: usize, n_keys: usize, scale: f32) -> f32 {
    let iota = L::load(IOTA.as_ptr());
    let scale = L::splat(scale);
    let lowest = L::splat(f32::NEG_INFINITY);
    let mut max = lowest;
    for block in 0..n_blocks {
        let at = s.add(block * stride);
        let left = (n_keys as isize - (block * LANES) as isize).clamp(0, LANES as isize) as f32;
        let x = L::select_lt(iota, L::splat(left), L::mul(L::load(at), scale), lowest);
        L::store(at, x);
        max = L::max(x, max);
    }
    let max = L::to_array(max).into_iter().fold(f32::NEG_INFINITY, |a, b| if b > a { b } else { a });
    let max = L::splat(max);
    let mut partials = L::splat(0.0);
    for block in 0..n_blocks {
        let at = s.add(block * stride);
        let e = exp_lanes::<L>(L::sub(L::load(at), max));
        L::store(at, e);
        partials = L::add(partials, e);
    }
    tree_sum(L::to_array(partials))
}
