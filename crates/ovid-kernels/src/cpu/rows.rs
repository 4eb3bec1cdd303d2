//! Activations packed for the tiles: strips of rows, and inside a strip k runs slowest.

use super::simd::{Kernel, LANES, Lanes};
use super::tile::{BLOCK, Bf16, Format, least_magnitude};
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

/// Packs one strip of at most 12 rows for a format; gives the least magnitude of its values (see [`least_magnitude`]), which bf16 alone needs.
pub struct PackStrip<F: Format> {
    pub source: Source,
    pub first_row: usize,
    pub rows: usize,
    /// The strip's place in the first piece of k: each piece takes `piece * tile_rows(rows) * ROW_BYTES` bytes, and begins `piece_stride` bytes behind the one before.
    pub out: *mut u8,
    /// Units of k in a piece; whole vectors of k.
    pub piece: usize,
    pub piece_stride: usize,
    pub format: PhantomData<F>,
}

impl<F: Format> Kernel for PackStrip<F> {
    type Out = u32;

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) -> u32 {
        match F::DTYPE {
            Dtype::Q8_0 => self.blocks::<L>(128, if L::WIDE { 1 } else { 2 }),
            Dtype::Q4_0 => self.blocks::<L>(8, 1),
            _ => return self.plain::<L>(),
        }
        u32::MAX
    }
}

impl<F: Format> PackStrip<F> {
    #[inline(always)]
    unsafe fn plain<L: Lanes>(&self) -> u32 {
        let m_tile = tile_rows(self.rows);
        let Source { row_stride, k_stride, n_k, .. } = self.source;
        let first = self.source.at.add(self.first_row * row_stride);
        let rows = self.rows;
        let bytes = m_tile * F::ROW_BYTES[usize::from(!L::WIDE)];
        let mut least = [u32::MAX; LANES];
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
            let unit = k0 / F::UNIT;
            let piece = self.out.add(unit / self.piece * self.piece_stride);
            let out = piece.add(unit % self.piece * bytes).cast::<f32>();
            // Whole vectors are stored where they end inside the piece: what they write beyond their rows, the next ones write over.
            let end = piece.add(self.piece.min(n_k.div_ceil(F::UNIT) - unit / self.piece * self.piece) * bytes).cast::<f32>();
            let store = |at: *mut f32, x: L::F| {
                if end.offset_from(at) >= LANES as isize { L::store(at, x) } else { L::store_part(at, x, m_tile) }
            };
            if F::DTYPE == Bf16::DTYPE {
                for pair in 0..steps.div_ceil(2) {
                    let (even, odd) = (tile[2 * pair], tile[2 * pair + 1]);
                    let both = L::pair_bf16(even, odd);
                    if L::WIDE {
                        store(out.add(pair * m_tile), L::as_f(both));
                    } else {
                        least_magnitude(&mut least, L::to_array(even));
                        least_magnitude(&mut least, L::to_array(odd));
                        store(out.add(2 * pair * m_tile), L::even_bf16(both));
                        store(out.add((2 * pair + 1) * m_tile), L::odd_bf16(both));
                    }
                }
            } else {
                for k in 0..steps {
                    store(out.add(k * m_tile), tile[k]);
                }
            }
            k0 += LANES;
        }
        least.into_iter().fold(u32::MAX, u32::min)
    }

    /// Each four bytes of a row take `words` words: as they are, or the even and the odd two as 16-bit pairs.
    #[inline(always)]
    unsafe fn blocks<L: Lanes>(&self, offset: i32, words: usize) {
        let m_tile = tile_rows(self.rows);
        let Source { row_stride, k_stride, n_k, .. } = self.source;
        let first = self.source.at.add(self.first_row * row_stride);
        for unit in 0..n_k.div_ceil(BLOCK) {
            let piece = self.out.add(unit / self.piece * self.piece_stride);
            let out = piece.add(unit % self.piece * m_tile * F::ROW_BYTES[usize::from(!L::WIDE)]);
            for m in 0..m_tile {
                let mut block = [0f32; BLOCK];
                if m < self.rows {
                    let row = first.add(m * row_stride + unit * BLOCK * k_stride);
                    for (i, x) in block.iter_mut().enumerate().take(BLOCK.min(n_k - unit * BLOCK)) {
                        *x = *row.add(i * k_stride);
                    }
                }
                quantise_row::<L>(&block, offset, m, m_tile, words, out);
            }
        }
    }
}

/// One block of one row: scale amax / 127, q to the nearest, ties to even; then the scale and minus the offset times the sum of q, which takes the weights' offset out.
#[inline(always)]
unsafe fn quantise_row<L: Lanes>(block: &[f32; BLOCK], offset: i32, m: usize, m_tile: usize, words: usize, out: *mut u8) {
    let halves = [L::load(block.as_ptr()), L::load(block.as_ptr().add(LANES))];
    let abs = |x| L::max(L::sub(L::splat(0.0), x), x);
    // Not-a-number has no part in the maximum, and becomes 0 below.
    let amax = L::max(abs(halves[1]), L::max(abs(halves[0]), L::splat(0.0)));
    let amax = L::to_array(amax).into_iter().fold(0f32, |a, x| if x > a { x } else { a });
    let scale = amax / 127.0;
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    let mut q = [0i32; BLOCK];
    for (half, q) in halves.into_iter().zip(q.chunks_exact_mut(LANES)) {
        // A subnormal amax makes the inverse overflow: the bounds keep the byte in range.
        let x = L::max(L::splat(-127.0), L::min(L::splat(127.0), L::round(L::mul(half, L::splat(inverse)))));
        for (q, x) in q.iter_mut().zip(L::to_array(x)) {
            *q = x as i32;
        }
    }
    let out_words = out.cast::<i32>();
    for g in 0..BLOCK / 4 {
        let [a, b, c, d] = [q[4 * g], q[4 * g + 1], q[4 * g + 2], q[4 * g + 3]];
        if words == 1 {
            *out_words.add(g * m_tile + m) = i32::from_le_bytes([a as u8, b as u8, c as u8, d as u8]);
        } else {
            *out_words.add(2 * g * m_tile + m) = a & 0xffff | c << 16;
            *out_words.add((2 * g + 1) * m_tile + m) = b & 0xffff | d << 16;
        }
    }
    let tail = out_words.add(words * m_tile * BLOCK / 4);
    *tail.add(m).cast::<f32>() = scale;
    *tail.add(m_tile + m) = -offset * q.iter().sum::<i32>();
}
