//! y = x W (+ b), the product behind every linear layer, its two gradients and the head.
//!
//! Rows are packed into strips, weights lie in panels; a task is a few panels by a few strips, walked in pieces of k that stay in the first-level cache. The strips of
//! one piece lie one behind the other, so that a panel meets them in one straight line of memory. A tile that goes on along k starts from the stored partial, so the
//! pieces do not change the chain.
//! Cost: 2 M K N operations; bytes: the panels once (decoding: the limit), or strips once for every 128 outputs (prefill: far below the limit).

use super::panels::Panels;
use super::rows::{PackStrip, Source, tile_rows};
use super::simd::{Kernel, LANES, Lanes, Unit};
use super::tile::{Bf16, F16, F32, Format, PANEL, Q4, Q8, VECS, least_magnitude, never_subnormal};
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

/// Values of k in a piece on wide units, and bytes of a panel in a piece on others, whose first-level cache is smaller and whose tiles read a panel twice.
const PIECE: usize = 256;
const NARROW_PIECE_BYTES: usize = 16 << 10;
/// Panels and strips of a task, on wide units and on others: each group of strips reads all panels again, and its partial sums stay in the second-level cache.
const TASK_PANELS: [usize; 2] = [4, 2];
const TASK_STRIPS: [usize; 2] = [16, 96];

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
        // With one strip nothing is gained by pieces.
        let piece = if n_strips == 1 { self.w.units.max(1) } else { piece_units::<F>(wide) };
        let strip_bytes = piece * strip_rows * F::ROW_BYTES[usize::from(!wide)];
        let piece_stride = n_strips * strip_bytes;
        let n_pieces = self.w.units.div_ceil(piece);
        let mut packed = scratch.take((n_pieces * piece_stride).div_ceil(4), "packed rows")?;
        let strips = Shared::new(packed.bytes_mut());
        let rows_of = |s: usize| strip_rows.min(self.n_rows - s * strip_rows);
        let mut least = vec![0; n_strips];
        let kept = Shared::new(&mut least);
        let pack = |s: usize| {
            // SAFETY: each strip is packed by one task into its own bytes of each piece.
            unsafe {
                let out = strips.pointer().add(s * strip_bytes);
                let (first_row, format) = (s * strip_rows, PhantomData::<F>);
                let strip = PackStrip { source: self.x, first_row, rows: rows_of(s), out, piece, piece_stride, format };
                kept.slice(s, 1)[0] = self.unit.run(strip);
            }
        };
        if self.n_rows * self.x.n_k < 1 << 14 {
            (0..n_strips).for_each(pack);
        } else {
            pool.run(n_strips, pack);
        }

        let n_panels = self.w.n_out.div_ceil(PANEL);
        let strip_groups = n_strips.div_ceil(TASK_STRIPS[usize::from(!wide)]);
        let task_strips = n_strips.div_ceil(strip_groups);
        let task_panels = (n_panels * strip_groups / (pool.n_threads() * 8)).clamp(1, TASK_PANELS[usize::from(!wide)]);
        // Panel groups run slowest within a strip group, so that a group's strips stay in the second-level cache.
        let panel_groups = n_panels.div_ceil(task_panels);
        pool.run(panel_groups * strip_groups, |task| {
            let (sg, pg) = (task / panel_groups, task % panel_groups);
            let panels = pg * task_panels..((pg + 1) * task_panels).min(n_panels);
            let group = sg * task_strips..((sg + 1) * task_strips).min(n_strips);
            // SAFETY: tasks write disjoint parts of the output, and read packed memory that nobody writes any more.
            unsafe {
                self.unit.run(Task::<F> {
                    job: self,
                    strips: strips.pointer(),
                    least: &least,
                    strip_rows,
                    strip_bytes,
                    piece,
                    piece_stride,
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

/// Units of k in a piece: whole vectors of k, so that no vector of packed rows lies in two.
fn piece_units<F: Format>(wide: bool) -> usize {
    if wide { (PIECE / F::UNIT).max(1) } else { (NARROW_PIECE_BYTES / F::PANEL_BYTES).next_multiple_of(LANES) }
}

struct Task<'a, F: Format> {
    job: &'a Job<'a>,
    strips: *const u8,
    /// Of each strip.
    least: &'a [u32],
    strip_rows: usize,
    /// Of one piece.
    strip_bytes: usize,
    /// Units of k.
    piece: usize,
    piece_stride: usize,
    panels: std::ops::Range<usize>,
    group: std::ops::Range<usize>,
    format: PhantomData<F>,
}

/// A tile's outputs while its chain is not finished, and whether its chains can meet no subnormal number.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Partial {
    values: [f32; 12 * PANEL],
    is_normal: bool,
}

const EMPTY: Partial = Partial { values: [0.0; 12 * PANEL], is_normal: false };

impl<F: Format> Kernel for Task<'_, F> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let job = self.job;
        let mut one = EMPTY;
        let whole = self.piece >= job.w.units;
        // Not written before `start` does: zeros would cost more than they are worth.
        let mut many = Vec::<Partial>::with_capacity(if whole { 0 } else { self.panels.len() * self.group.len() });
        let mut begin = 0;
        while begin < job.w.units {
            let end = (begin + self.piece).min(job.w.units);
            for (i, p) in self.panels.clone().enumerate() {
                let b = job.w.memory.bytes().as_ptr().add(p * job.w.panel_bytes + begin * F::PANEL_BYTES);
                for (j, s) in self.group.clone().enumerate() {
                    let rows = self.strip_rows.min(job.n_rows - s * self.strip_rows);
                    let m_tile = tile_rows(rows);
                    let a = self.strips.add(begin / self.piece * self.piece_stride + s * self.strip_bytes);
                    let partial = if whole { &raw mut one } else { many.as_mut_ptr().add(i * self.group.len() + j) };
                    let place = Place { first_row: s * self.strip_rows, rows, first_column: p * PANEL };
                    if begin == 0 {
                        let least = start::<L, F>(job, &place, partial);
                        (*partial).is_normal = never_subnormal(self.least[s], job.w.least_of(p), least);
                    }
                    let walk = Walk { units: end - begin, a, b };
                    match m_tile {
                        1 => tile::<L, F, 1>(&walk, partial),
                        2 => tile::<L, F, 2>(&walk, partial),
                        4 => tile::<L, F, 4>(&walk, partial),
                        6 => tile::<L, F, 6>(&walk, partial),
                        8 => tile::<L, F, 8>(&walk, partial),
                        _ => tile::<L, F, 12>(&walk, partial),
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
                    start::<L, F>(job, &place, &raw mut one);
                    finish::<L>(job, &place, &raw const one);
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

/// A way along k: units, rows, panel.
struct Walk {
    units: usize,
    a: *const u8,
    b: *const u8,
}

#[inline(always)]
unsafe fn tile<L: Lanes, F: Format, const M: usize>(walk: &Walk, partial: *mut Partial) {
    if M > F::MAX_ROWS[usize::from(!L::WIDE)] {
        return;
    }
    // One or two rows need both vectors: their chains alone would not keep the multiply units busy.
    if L::WIDE || M <= 2 {
        tile_of::<L, F, M, VECS>(walk, 0, partial);
    } else {
        for v in 0..VECS {
            tile_of::<L, F, M, 1>(walk, v, partial);
        }
    }
}

#[inline(always)]
unsafe fn tile_of<L: Lanes, F: Format, const M: usize, const V: usize>(walk: &Walk, v0: usize, partial: *mut Partial) {
    let c = (&raw mut (*partial).values).cast::<f32>().add(v0 * LANES);
    let mut acc = [[L::splat(0.0); V]; M];
    for m in 0..M {
        for v in 0..V {
            acc[m][v] = L::load(c.add(m * PANEL + v * LANES));
        }
    }
    F::chain::<L, M, V>(walk.units, walk.a, walk.b, v0, (*partial).is_normal, &mut acc);
    for m in 0..M {
        for v in 0..V {
            L::store(c.add(m * PANEL + v * LANES), acc[m][v]);
        }
    }
}

/// The chains begin at +0, or at what the output holds, whose least magnitude comes back (bf16 alone asks for it).
#[inline(always)]
unsafe fn start<L: Lanes, F: Format>(job: &Job<'_>, place: &Place, partial: *mut Partial) -> u32 {
    let c = (&raw mut (*partial).values).cast::<f32>();
    for i in 0..tile_rows(place.rows) * VECS {
        L::store(c.add(i * LANES), L::splat(0.0));
    }
    if !matches!(job.finish, Finish::Continue) {
        return u32::MAX;
    }
    let mut least = [u32::MAX; LANES];
    for m in 0..place.rows {
        for v in 0..VECS {
            let column = place.first_column + v * LANES;
            let n = job.w.n_out.saturating_sub(column).min(LANES);
            if n > 0 {
                let y = L::load_part(job.out.pointer().add((place.first_row + m) * job.w.n_out + column), n);
                L::store(c.add(m * PANEL + v * LANES), y);
                if F::DTYPE == Dtype::BF16 && !L::WIDE {
                    least_magnitude(&mut least, L::to_array(y));
                }
            }
        }
    }
    least.into_iter().fold(u32::MAX, u32::min)
}

#[inline(always)]
unsafe fn finish<L: Lanes>(job: &Job<'_>, place: &Place, partial: *const Partial) {
    let values = (&raw const (*partial).values).cast::<f32>();
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
            let mut y = L::load(values.add(m * PANEL + v * LANES));
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
