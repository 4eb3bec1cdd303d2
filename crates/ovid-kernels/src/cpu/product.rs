//! y = x W (+ b), the product behind every linear layer, its two gradients and the head.
//!
//! Rows are packed into strips, weights lie in panels; a task is a few panels by a few strips, walked in pieces of k that stay in the first-level cache. A tile that
//! goes on along k starts from the stored partial, so the pieces do not change the chain.
//! Cost: 2 M K N operations; bytes: the panels once (decoding: the limit), or strips once for every 128 outputs (prefill: far below the limit).

use super::panels::Panels;
use super::rows::{PackStrip, Source, tile_rows};
use super::simd::{Kernel, LANES, Lanes, Unit};
use super::tile::{Bf16, F16, F32, Format, PANEL, Q4, Q8, VECS};
use super::{Scratch, Shared};
use crate::math::Activation;
use crate::{Error, Pool};
use ovid_io::Dtype;
use std::marker::PhantomData;

/// What becomes of the finished chains.
#[derive(Clone, Copy)]
pub enum Finish<'a> {
    /// `out = activation(chain + bias)`.
    Store { bias: Option<&'a [f32]>, activation: Option<Activation> },
    /// `out = out + (chain + bias)`: the residual.
    AddTo { bias: Option<&'a [f32]> },
    /// The chain starts from `out` instead of 0: sums over several calls.
    Continue,
}

/// Values of k in a piece: 256 f32 of a panel are 32 KiB.
const PIECE: usize = 256;
/// Panels and strips of a task.
const TASK_PANELS: usize = 4;
const TASK_STRIPS: usize = 16;

/// Multiplies `n_rows` rows of `x` with packed weights; `out` is (n_rows, n_out).
pub fn product(
    unit: Unit,
    pool: &Pool,
    scratch: &Scratch,
    x: Source,
    n_rows: usize,
    w: &Panels,
    finish: Finish<'_>,
    out: &mut [f32],
) -> Result<(), Error> {
    assert_eq!(x.n_k, w.n_in, "rows and weights of a product agree in k");
    assert!(out.len() >= n_rows * w.n_out, "the output of a product holds all rows");
    if n_rows == 0 || w.n_out == 0 {
        return Ok(());
    }
    let job = Job { unit, x, n_rows, w, finish, out: Shared::new(out) };
    match w.dtype {
        Dtype::F16 => job.go::<F16>(pool, scratch),
        Dtype::BF16 => job.go::<Bf16>(pool, scratch),
        Dtype::Q8_0 => job.go::<Q8>(pool, scratch),
        Dtype::Q4_0 => job.go::<Q4>(pool, scratch),
        _ => job.go::<F32>(pool, scratch),
    }
}

struct Job<'a> {
    unit: Unit,
    x: Source,
    n_rows: usize,
    w: &'a Panels,
    finish: Finish<'a>,
    out: Shared<f32>,
}

impl Job<'_> {
    fn go<F: Format>(&self, pool: &Pool, scratch: &Scratch) -> Result<(), Error> {
        let wide = self.unit == Unit::Avx512;
        let strip_rows = F::MAX_ROWS[usize::from(!wide)];
        let n_strips = self.n_rows.div_ceil(strip_rows);
        let strip_bytes = self.w.units * strip_rows * F::ROW_BYTES;
        let mut packed = scratch.take((n_strips * strip_bytes).div_ceil(4), "packed rows")?;
        let strips = Shared::new(packed.bytes_mut());
        let rows_of = |s: usize| strip_rows.min(self.n_rows - s * strip_rows);
        let pack = |s: usize| {
            // SAFETY: each strip is packed by one task into its own bytes.
            unsafe {
                let out = strips.slice(s * strip_bytes, strip_bytes).as_mut_ptr();
                self.unit.run(PackStrip { source: self.x, first_row: s * strip_rows, rows: rows_of(s), out, format: PhantomData::<F> });
            }
        };
        if self.n_rows * self.x.n_k < 1 << 14 {
            (0..n_strips).for_each(pack);
        } else {
            pool.run(n_strips, pack);
        }

        let n_panels = self.w.n_out.div_ceil(PANEL);
        let strip_groups = n_strips.div_ceil(TASK_STRIPS);
        let task_panels = (n_panels * strip_groups / (pool.n_threads() * 8)).clamp(1, TASK_PANELS);
        // Panel groups run slowest within a strip group, so that a group's strips stay in the second-level cache.
        let panel_groups = n_panels.div_ceil(task_panels);
        pool.run(panel_groups * strip_groups, |task| {
            let (sg, pg) = (task / panel_groups, task % panel_groups);
            let panels = pg * task_panels..((pg + 1) * task_panels).min(n_panels);
            let group = sg * TASK_STRIPS..((sg + 1) * TASK_STRIPS).min(n_strips);
            // SAFETY: tasks write disjoint parts of the output, and read packed memory that nobody writes any more.
            unsafe {
                self.unit.run(Task::<F> {
                    job: self,
                    strips: strips.pointer(),
                    strip_rows,
                    strip_bytes,
                    panels,
                    group,
                    format: PhantomData,
                });
            }
        });
        scratch.give_back(packed);
        Ok(())
    }
}

struct Task<'a, F: Format> {
    job: &'a Job<'a>,
    strips: *const u8,
    strip_rows: usize,
    strip_bytes: usize,
    panels: std::ops::Range<usize>,
    group: std::ops::Range<usize>,
    format: PhantomData<F>,
}

/// A tile's outputs while its chain is not finished.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Partial([f32; 12 * PANEL]);

impl<F: Format> Kernel for Task<'_, F> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let job = self.job;
        let pieces = job.w.units.div_ceil((PIECE / F::UNIT).max(1));
        // With one strip nothing is gained by pieces.
        let piece = if self.group.len() == 1 || pieces <= 1 { job.w.units } else { (PIECE / F::UNIT).max(1) };
        let mut one = Partial([0.0; 12 * PANEL]);
        let mut many = Vec::new();
        let whole = piece >= job.w.units;
        if !whole {
            many.resize(self.panels.len() * self.group.len(), Partial([0.0; 12 * PANEL]));
        }
        let mut begin = 0;
        while begin < job.w.units {
            let end = (begin + piece).min(job.w.units);
            for (i, p) in self.panels.clone().enumerate() {
                let b = job.w.memory.bytes().as_ptr().add(p * job.w.panel_bytes + begin * F::PANEL_BYTES);
                for (j, s) in self.group.clone().enumerate() {
                    let rows = self.strip_rows.min(job.n_rows - s * self.strip_rows);
                    let m_tile = tile_rows(rows);
                    let a = self.strips.add(s * self.strip_bytes + begin * m_tile * F::ROW_BYTES);
                    let partial = if whole { &mut one } else { &mut many[i * self.group.len() + j] };
                    let place = Place { first_row: s * self.strip_rows, rows, first_column: p * PANEL };
                    if begin == 0 {
                        start::<L>(job, &place, partial);
                    }
                    let c = partial.0.as_mut_ptr();
                    match m_tile {
                        1 => tile::<L, F, 1>(end - begin, a, b, c),
                        2 => tile::<L, F, 2>(end - begin, a, b, c),
                        4 => tile::<L, F, 4>(end - begin, a, b, c),
                        6 => tile::<L, F, 6>(end - begin, a, b, c),
                        8 => tile::<L, F, 8>(end - begin, a, b, c),
                        _ => tile::<L, F, 12>(end - begin, a, b, c),
                    }
                    if end == job.w.units {
                        finish::<L>(job, &place, partial);
                    }
                }
            }
            begin = end;
        }
        if job.w.units == 0 {
            for p in self.panels.clone() {
                for s in self.group.clone() {
                    let rows = self.strip_rows.min(job.n_rows - s * self.strip_rows);
                    let place = Place { first_row: s * self.strip_rows, rows, first_column: p * PANEL };
                    start::<L>(job, &place, &mut one);
                    finish::<L>(job, &place, &one);
                }
            }
        }
    }
}

struct Place {
    first_row: usize,
    rows: usize,
    first_column: usize,
}

#[inline(always)]
unsafe fn tile<L: Lanes, F: Format, const M: usize>(units: usize, a: *const u8, b: *const u8, c: *mut f32) {
    if M > F::MAX_ROWS[usize::from(!L::WIDE)] {
        return;
    }
    if L::WIDE {
        tile_of::<L, F, M, VECS>(units, a, b, 0, c);
    } else {
        for v in 0..VECS {
            tile_of::<L, F, M, 1>(units, a, b, v, c);
        }
    }
}

#[inline(always)]
unsafe fn tile_of<L: Lanes, F: Format, const M: usize, const V: usize>(units: usize, a: *const u8, b: *const u8, v0: usize, c: *mut f32) {
    let c = c.add(v0 * LANES);
    let mut acc = [[L::splat(0.0); V]; M];
    for m in 0..M {
        for v in 0..V {
            acc[m][v] = L::load(c.add(m * PANEL + v * LANES));
        }
    }
    F::chain::<L, M, V>(units, a, b, v0, &mut acc);
    for m in 0..M {
        for v in 0..V {
            L::store(c.add(m * PANEL + v * LANES), acc[m][v]);
        }
    }
}

/// The chains begin at +0, or at what the output holds.
#[inline(always)]
unsafe fn start<L: Lanes>(job: &Job<'_>, place: &Place, partial: &mut Partial) {
    let c = partial.0.as_mut_ptr();
    if !matches!(job.finish, Finish::Continue) {
        for i in 0..12 * VECS {
            L::store(c.add(i * LANES), L::splat(0.0));
        }
        return;
    }
    for m in 0..place.rows {
        for v in 0..VECS {
            let column = place.first_column + v * LANES;
            let n = job.w.n_out.saturating_sub(column).min(LANES);
            if n > 0 {
                let y = job.out.pointer().add((place.first_row + m) * job.w.n_out + column);
                L::store(c.add(m * PANEL + v * LANES), L::load_part(y, n));
            }
        }
    }
}

#[inline(always)]
unsafe fn finish<L: Lanes>(job: &Job<'_>, place: &Place, partial: &Partial) {
    let bias = match job.finish {
        Finish::Store { bias, .. } | Finish::AddTo { bias } => bias,
        Finish::Continue => None,
    };
    for v in 0..VECS {
        let column = place.first_column + v * LANES;
        let n = job.w.n_out.saturating_sub(column).min(LANES);
        if n == 0 {
            return;
        }
        let b = match bias {
            Some(b) => L::load_part(b.as_ptr().add(column), n),
            None => L::splat(0.0),
        };
        for m in 0..place.rows {
            let out = job.out.pointer().add((place.first_row + m) * job.w.n_out + column);
            let mut y = L::load(partial.0.as_ptr().add(m * PANEL + v * LANES));
            if bias.is_some() {
                y = L::add(y, b);
            }
            match job.finish {
                Finish::Store { activation: Some(activation), .. } => y = activation.lanes::<L>(y),
                Finish::AddTo { .. } => y = L::add(L::load_part(out, n), y),
                _ => {}
            }
            L::store_part(out, y, n);
        }
    }
}
