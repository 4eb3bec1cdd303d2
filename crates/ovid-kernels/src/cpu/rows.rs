//! Activations packed for the tiles: strips of rows, and inside a strip k runs slowest.

use super::simd::{Kernel, LANES, Lanes};
use super::tile::{BLOCK, Format};
use ovid_io::Dtype;
use std::marker::PhantomData;

/// Where the rows lie: element (m, k) at `m * row_stride + k * k_stride`.
#[derive(Clone, Copy)]
pub struct Source {
    pub at: *const f32,
    pub row_stride: usize,
    pub k_stride: usize,
    pub n_k: usize,
}

// SAFETY: a `Source` is read only, inside the call whose borrow it was made from.
unsafe impl Send for Source {}
// SAFETY: as above.
unsafe impl Sync for Source {}

/// The rows of the smallest tile that holds `rows`: strips are padded to it with zeros.
pub fn tile_rows(rows: usize) -> usize {
    [1, 2, 4, 6, 8, 12].into_iter().find(|m| *m >= rows).expect("strips have at most 12 rows")
}

/// Packs one strip of at most 12 rows for a format.
pub struct PackStrip<F: Format> {
    pub source: Source,
    pub first_row: usize,
    pub rows: usize,
    /// `units * tile_rows(rows) * ROW_BYTES` bytes.
    pub out: *mut u8,
    pub format: PhantomData<F>,
}

impl<F: Format> Kernel for PackStrip<F> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let m_tile = tile_rows(self.rows);
        let Source { at, row_stride, k_stride, n_k } = self.source;
        let first = at.add(self.first_row * row_stride);
        match F::DTYPE {
            Dtype::Q8_0 | Dtype::Q4_0 => {
                let offset = if F::DTYPE == Dtype::Q8_0 { 128 } else { 8 };
                for unit in 0..n_k.div_ceil(BLOCK) {
                    let out = self.out.add(unit * m_tile * F::ROW_BYTES);
                    for m in 0..m_tile {
                        let mut block = [0f32; BLOCK];
                        if m < self.rows {
                            let row = first.add(m * row_stride + unit * BLOCK * k_stride);
                            for (i, x) in block.iter_mut().enumerate().take(BLOCK.min(n_k - unit * BLOCK)) {
                                *x = *row.add(i * k_stride);
                            }
                        }
                        quantise_row(&block, offset, m, m_tile, out);
                    }
                }
            }
            _ => {
                let rows = self.rows;
                let mut k0 = 0;
                while k0 < n_k {
                    let steps = LANES.min(n_k - k0);
                    // (k, row), lanes are rows; those beyond the strip are 0.
                    let mut tile = [L::splat(0.0); LANES];
                    if row_stride == 1 {
                        for k in 0..steps {
                            tile[k] = L::load_part(first.add((k0 + k) * k_stride), rows);
                        }
                    } else if k_stride == 1 {
                        for m in 0..rows {
                            tile[m] = L::load_part(first.add(m * row_stride + k0), steps);
                        }
                        L::transpose(&mut tile);
                    } else {
                        let mut values = [[0f32; LANES]; LANES];
                        for m in 0..rows {
                            for k in 0..steps {
                                values[k][m] = *first.add(m * row_stride + (k0 + k) * k_stride);
                            }
                        }
                        for k in 0..steps {
                            tile[k] = L::load(values[k].as_ptr());
                        }
                    }
                    if F::DTYPE == Dtype::BF16 {
                        let out = self.out.cast::<f32>().add(k0 / 2 * m_tile);
                        for pair in 0..steps.div_ceil(2) {
                            let pairs = L::as_f(L::pair_bf16(tile[2 * pair], tile[2 * pair + 1]));
                            L::store_part(out.add(pair * m_tile), pairs, m_tile);
                        }
                    } else {
                        let out = self.out.cast::<f32>().add(k0 * m_tile);
                        for k in 0..steps {
                            L::store_part(out.add(k * m_tile), tile[k], m_tile);
                        }
                    }
                    k0 += LANES;
                }
            }
        }
    }
}

/// One block of one row: scale amax / 127, q to the nearest, ties to even; then the scale and minus the offset times the sum of q, which takes the weights' offset out.
#[inline(always)]
unsafe fn quantise_row(block: &[f32; BLOCK], offset: i32, m: usize, m_tile: usize, out: *mut u8) {
    let amax = block.iter().fold(0f32, |a, x| if x.abs() > a { x.abs() } else { a });
    let scale = amax / 127.0;
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    let mut sum = 0;
    for (i, x) in block.iter().enumerate() {
        // A subnormal amax makes the inverse overflow: the clamp keeps the byte in range.
        let q = (x * inverse).round_ties_even().clamp(-127.0, 127.0) as i32;
        sum += q;
        *out.add((i / 4 * m_tile + m) * 4 + i % 4) = q as i8 as u8;
    }
    *out.add(m_tile * BLOCK).cast::<f32>().add(m) = scale;
    *out.add(m_tile * (BLOCK + 4)).cast::<i32>().add(m) = -offset * sum;
}
