//! The innermost loops of every product: a tile of M rows by V vectors of outputs, each output one chain along k.
//!
//! `exact-1`: y = chain of fused multiply-adds in rising k from +0 (bf16: the odd element of each pair first; blocks: the exact integer sum of a block times both
//! scales). Lanes and tiles run over outputs, never over k, so neither the unit nor the tile can change a bit.
//!
//! Cost of one tile of M = 12, V = 2 in f32: 2 loads, 12 broadcasts and 24 fused multiply-adds a step of k, so the multiply units are the limit; of M = 1: the loads are.

use super::simd::{LANES, Lanes};
use ovid_io::Dtype;

/// Outputs that lie side by side in one panel of packed weights.
pub const PANEL: usize = 32;

/// The most vectors a tile is wide.
pub const VECS: usize = PANEL / LANES;

/// How weights of one type and the rows they meet lie in memory, and how a tile walks them. A *unit* is the step of k: 1 (f32, f16), 2 (bf16), 32 (blocks).
pub trait Format: Copy + Send + Sync + 'static {
    /// The type of the weights.
    const DTYPE: Dtype;
    /// Values of k in one unit.
    const UNIT: usize;
    /// Bytes that one unit of one panel takes.
    const PANEL_BYTES: usize;
    /// Bytes that one unit of one row takes: on wide units, on others.
    const ROW_BYTES: [usize; 2];
    /// Rows of the largest tile: on wide units, on others.
    const MAX_ROWS: [usize; 2];

    /// Goes on with the chains in `acc` over `units` units of the rows at `a` and the panel at `b`, of which vector `v0 + v` is used. `is_normal` says that no
    /// subnormal number can arise.
    ///
    /// # Safety
    /// `a` holds `units * M * ROW_BYTES` bytes, `b` holds `units * PANEL_BYTES`.
    unsafe fn chain<L: Lanes, const M: usize, const V: usize>(
        units: usize,
        a: *const u8,
        b: *const u8,
        v0: usize,
        is_normal: bool,
        acc: &mut [[L::F; V]; M],
    );
}

// Closures would not be inlined into the function that switches the vector unit on, and each lane operation in one would be a call: hence loops over arrays here.

/// V neighbouring vectors of i32.
#[inline(always)]
unsafe fn load_is<L: Lanes, const V: usize>(at: *const i32) -> [L::I; V] {
    let mut w = [L::splat_i(0); V];
    for v in 0..V {
        w[v] = L::load_i(at.add(v * LANES));
    }
    w
}

/// V neighbouring vectors of f16, widened.
#[inline(always)]
unsafe fn load_f16s<L: Lanes, const V: usize>(at: *const u16) -> [L::F; V] {
    let mut w = [L::splat(0.0); V];
    for v in 0..V {
        w[v] = L::load_f16(at.add(v * LANES));
    }
    w
}

/// f32 weights.
#[derive(Clone, Copy)]
pub struct F32;

impl Format for F32 {
    const DTYPE: Dtype = Dtype::F32;
    const UNIT: usize = 1;
    const PANEL_BYTES: usize = 4 * PANEL;
    const ROW_BYTES: [usize; 2] = [4, 4];
    const MAX_ROWS: [usize; 2] = [12, 6];

    #[inline(always)]
    unsafe fn chain<L: Lanes, const M: usize, const V: usize>(
        units: usize,
        a: *const u8,
        b: *const u8,
        v0: usize,
        _is_normal: bool,
        acc: &mut [[L::F; V]; M],
    ) {
        let (mut a, mut b) = (a.cast::<f32>(), b.cast::<f32>().add(v0 * LANES));
        for _ in 0..units {
            let mut w = [L::splat(0.0); V];
            for v in 0..V {
                w[v] = L::load(b.add(v * LANES));
            }
            for m in 0..M {
                let x = L::splat(*a.add(m));
                for v in 0..V {
                    acc[m][v] = L::fma(x, w[v], acc[m][v]);
                }
            }
            a = a.add(M);
            b = b.add(PANEL);
        }
    }
}

/// f16 weights, widened as they are read.
#[derive(Clone, Copy)]
pub struct F16;

impl Format for F16 {
    const DTYPE: Dtype = Dtype::F16;
    const UNIT: usize = 1;
    const PANEL_BYTES: usize = 2 * PANEL;
    const ROW_BYTES: [usize; 2] = [4, 4];
    const MAX_ROWS: [usize; 2] = [12, 6];

    #[inline(always)]
    unsafe fn chain<L: Lanes, const M: usize, const V: usize>(
        units: usize,
        a: *const u8,
        b: *const u8,
        v0: usize,
        _is_normal: bool,
        acc: &mut [[L::F; V]; M],
    ) {
        let (mut a, mut b) = (a.cast::<f32>(), b.cast::<u16>().add(v0 * LANES));
        for _ in 0..units {
            let w = load_f16s::<L, V>(b);
            for m in 0..M {
                let x = L::splat(*a.add(m));
                for v in 0..V {
                    acc[m][v] = L::fma(x, w[v], acc[m][v]);
                }
            }
            a = a.add(M);
            b = b.add(PANEL);
        }
    }
}

/// bf16 weights, two of k in each 32-bit lane, the even one low; rows rounded to bf16, in the same pairs where the unit has bf16 products, else as f32, the even one
/// first.
#[derive(Clone, Copy)]
pub struct Bf16;

impl Format for Bf16 {
    const DTYPE: Dtype = Dtype::BF16;
    const UNIT: usize = 2;
    const PANEL_BYTES: usize = 4 * PANEL;
    const ROW_BYTES: [usize; 2] = [4, 8];
    const MAX_ROWS: [usize; 2] = [12, 4];

    #[inline(always)]
    unsafe fn chain<L: Lanes, const M: usize, const V: usize>(
        units: usize,
        a: *const u8,
        b: *const u8,
        v0: usize,
        is_normal: bool,
        acc: &mut [[L::F; V]; M],
    ) {
        let (a, b) = (a.cast::<i32>(), b.cast::<i32>().add(v0 * LANES));
        if is_normal && !L::WIDE {
            bf16_chain::<L, M, V, true>(units, a, b, acc);
        } else {
            bf16_chain::<L, M, V, false>(units, a, b, acc);
        }
    }
}

#[inline(always)]
unsafe fn bf16_chain<L: Lanes, const M: usize, const V: usize, const NORMAL: bool>(
    units: usize,
    mut a: *const i32,
    mut b: *const i32,
    acc: &mut [[L::F; V]; M],
) {
    for _ in 0..units {
        let w = load_is::<L, V>(b);
        if NORMAL {
            // The odd products of all rows first, then the even ones: neighbouring operations do not wait for each other.
            let rows = a.cast::<f32>();
            for m in 0..M {
                for v in 0..V {
                    acc[m][v] = L::fma(L::splat(*rows.add(M + m)), L::odd_bf16(w[v]), acc[m][v]);
                }
            }
            for m in 0..M {
                for v in 0..V {
                    acc[m][v] = L::fma(L::splat(*rows.add(m)), L::even_bf16(w[v]), acc[m][v]);
                }
            }
        } else {
            for m in 0..M {
                for v in 0..V {
                    acc[m][v] = L::dot_bf16(acc[m][v], w[v], a.add(m), M);
                }
            }
        }
        a = a.add(if L::WIDE { M } else { 2 * M });
        b = b.add(PANEL);
    }
}

/// The least magnitude of the values that are not 0, as bits less 1: with zeros wrapped round to the greatest number, one unsigned minimum finds it.
#[inline(always)]
pub fn least_magnitude(least: &mut [u32; LANES], x: [f32; LANES]) {
    for (least, x) in least.iter_mut().zip(x) {
        *least = (*least).min((x.to_bits() & 0x7fff_ffff).wrapping_sub(1));
    }
}

/// Whether chains of products of bf16 rows and weights of these least magnitudes, from a start of that least magnitude on, can meet no subnormal number.
///
/// A bf16 with exponent e is a whole multiple of 2^(e - 7), an f32 of 2^(e - 23); where all products and the start are multiples of 2^-126, every sum of them is,
/// rounded or not, and a multiple of 2^-126 is 0 or normal.
pub fn never_subnormal(row: u32, weights: u32, start: u32) -> bool {
    let exponent = |least: u32| if least == u32::MAX { 255 } else { (least + 1) >> 23 };
    exponent(row) + exponent(weights) >= 254 - 112 && exponent(row).min(exponent(weights)) > 0 && exponent(start) >= 127 - 103
}

/// Values in a block of the quantised formats.
pub const BLOCK: usize = 32;

/// Bytes of one row's scale (f32) and of minus the weights' offset times the sum of its bytes (i32), which follow the 32 values of a unit: bytes in groups of four, or
/// on units without a dot product of bytes, for `Q8_0`, 16-bit pairs (see `Lanes::dot_bytes`).
const BLOCK_TAIL: usize = 8;

/// `Q8_0` weights, stored as bytes with 128 added: groups of four along k in each 32-bit lane, then 32 scales in f16.
#[derive(Clone, Copy)]
pub struct Q8;

/// `Q4_0` weights, the nibbles of the file as they are: group g of four in the low nibbles, group g + 4 in the high ones, then 32 scales in f16.
#[derive(Clone, Copy)]
pub struct Q4;

/// Adds one block: the exact integer sum, times the row's and the weights' scales.
#[inline(always)]
unsafe fn add_block<L: Lanes, const M: usize, const V: usize>(
    tail: *const u8,
    scales: *const u16,
    sums: [[L::I; V]; M],
    acc: &mut [[L::F; V]; M],
) {
    let x_scales = tail.cast::<f32>();
    let w_scales = load_f16s::<L, V>(scales);
    for m in 0..M {
        let x_scale = L::splat(*x_scales.add(m));
        for v in 0..V {
            acc[m][v] = L::fma(L::to_f(sums[m][v]), L::mul(w_scales[v], x_scale), acc[m][v]);
        }
    }
}

#[inline(always)]
unsafe fn offsets<L: Lanes, const M: usize, const V: usize>(tail: *const u8) -> [[L::I; V]; M] {
    let offsets = tail.add(M * 4).cast::<i32>();
    let mut sums = [[L::splat_i(0); V]; M];
    for m in 0..M {
        sums[m] = [L::splat_i(*offsets.add(m)); V];
    }
    sums
}

impl Format for Q8 {
    const DTYPE: Dtype = Dtype::Q8_0;
    const UNIT: usize = BLOCK;
    const PANEL_BYTES: usize = (BLOCK + 2) * PANEL;
    const ROW_BYTES: [usize; 2] = [BLOCK + BLOCK_TAIL, 2 * BLOCK + BLOCK_TAIL];
    const MAX_ROWS: [usize; 2] = [6, 4];

    #[inline(always)]
    unsafe fn chain<L: Lanes, const M: usize, const V: usize>(
        units: usize,
        a: *const u8,
        b: *const u8,
        v0: usize,
        _is_normal: bool,
        acc: &mut [[L::F; V]; M],
    ) {
        let row_bytes = Self::ROW_BYTES[usize::from(!L::WIDE)];
        for unit in 0..units {
            let (a, b) = (a.add(unit * M * row_bytes), b.add(unit * Self::PANEL_BYTES));
            let tail = a.add(M * (row_bytes - BLOCK_TAIL));
            let w = b.cast::<i32>().add(v0 * LANES);
            let mut x = a.cast::<i32>();
            let mut sums = offsets::<L, M, V>(tail);
            for g in 0..BLOCK / 4 {
                for v in 0..V {
                    let w = L::bytes(L::load_i(w.add(g * PANEL + v * LANES)));
                    for m in 0..M {
                        sums[m][v] = L::dot_bytes(sums[m][v], w, x.add(m), M);
                    }
                }
                x = x.add(if L::WIDE { M } else { 2 * M });
            }
            add_block::<L, M, V>(tail, b.add(BLOCK * PANEL).cast::<u16>().add(v0 * LANES), sums, acc);
        }
    }
}

impl Format for Q4 {
    const DTYPE: Dtype = Dtype::Q4_0;
    const UNIT: usize = BLOCK;
    const PANEL_BYTES: usize = (BLOCK / 2 + 2) * PANEL;
    const ROW_BYTES: [usize; 2] = [BLOCK + BLOCK_TAIL; 2];
    const MAX_ROWS: [usize; 2] = [6, 4];

    #[inline(always)]
    unsafe fn chain<L: Lanes, const M: usize, const V: usize>(
        units: usize,
        a: *const u8,
        b: *const u8,
        v0: usize,
        _is_normal: bool,
        acc: &mut [[L::F; V]; M],
    ) {
        let row_bytes = Self::ROW_BYTES[0];
        for unit in 0..units {
            let (a, b) = (a.add(unit * M * row_bytes), b.add(unit * Self::PANEL_BYTES));
            let tail = a.add(M * BLOCK);
            let x = a.cast::<i32>();
            let w = b.cast::<i32>().add(v0 * LANES);
            let mut sums = [[L::splat_i(0); V]; M];
            for g in 0..BLOCK / 8 {
                for v in 0..V {
                    let both = L::load_i(w.add(g * PANEL + v * LANES));
                    let (low, high) = (L::low_nibbles(both), L::high_nibbles(both));
                    for m in 0..M {
                        let (x_low, x_high) = (L::splat_i(*x.add(g * M + m)), L::splat_i(*x.add((g + BLOCK / 8) * M + m)));
                        sums[m][v] = L::dot_nibbles(L::dot_nibbles(sums[m][v], low, x_low), high, x_high);
                    }
                }
            }
            let offsets = offsets::<L, M, V>(tail);
            for m in 0..M {
                for v in 0..V {
                    sums[m][v] = L::add_i(L::nibble_sums(sums[m][v]), offsets[m][v]);
                }
            }
            add_block::<L, M, V>(tail, b.add(BLOCK / 2 * PANEL).cast::<u16>().add(v0 * LANES), sums, acc);
        }
    }
}
