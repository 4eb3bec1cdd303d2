//! Weights packed for the tiles: panels of 32 outputs, and inside a panel k runs slowest, so that both the matrix-vector product of decoding and the matrix-matrix
//! product of prefill and training read one straight line of memory.

use super::simd::{Kernel, LANES, Lanes, Unit};
use super::tile::{BLOCK, Bf16, F16, F32, Format, PANEL, Q4, Q8, VECS, least_magnitude};
use crate::backend::{Layout, Matrix};
use crate::{Aligned, Error, Pool, quant};
use half::f16;
use ovid_io::Dtype;
use std::marker::PhantomData;
use std::ops::Range;

/// One packed matrix.
pub struct Panels {
    pub(super) dtype: Dtype,
    pub(super) n_in: usize,
    pub(super) n_out: usize,
    /// Units of k in a panel.
    pub(super) units: usize,
    pub(super) panel_bytes: usize,
    pub(super) memory: Aligned,
    /// Of each panel of bf16: its least magnitude, see [`least_magnitude`].
    least: Vec<u32>,
}

/// (values of k in a unit, bytes of a unit of one panel) of a packed type.
fn geometry(dtype: Dtype) -> (usize, usize) {
    match dtype {
        Dtype::F16 => (F16::UNIT, F16::PANEL_BYTES),
        Dtype::BF16 => (Bf16::UNIT, Bf16::PANEL_BYTES),
        Dtype::Q8_0 => (Q8::UNIT, Q8::PANEL_BYTES),
        Dtype::Q4_0 => (Q4::UNIT, Q4::PANEL_BYTES),
        _ => (F32::UNIT, F32::PANEL_BYTES),
    }
}

impl Panels {
    /// Room of the shape and type in a buffer of at least the asked number of f32; `pack` fills it.
    pub fn room(source: &Matrix<'_>, dtype: Dtype, buffer: impl FnOnce(usize) -> Result<Aligned, Error>) -> Result<Self, Error> {
        check(source)?;
        let Matrix { n_in, n_out, .. } = *source;
        let (unit, unit_bytes) = geometry(dtype);
        let units = n_in.div_ceil(unit);
        let panel_bytes = units * unit_bytes;
        let n_panels = n_out.div_ceil(PANEL);
        let least = if dtype == Dtype::BF16 { vec![0; n_panels] } else { Vec::new() };
        Ok(Self { dtype, n_in, n_out, units, panel_bytes, memory: buffer(n_panels.saturating_mul(panel_bytes).div_ceil(4))?, least })
    }

    /// Packs `source` into this memory. Plain types become F32, F16 or BF16 panels; Q8_0 and Q4_0 stay what they are; other block types become F32.
    ///
    /// # Errors
    /// If the bytes do not fit the shape, or blocks do not lie along k.
    ///
    /// # Panics
    /// If the panels were made for another shape or type.
    pub fn pack(&mut self, unit: Unit, pool: &Pool, source: &Matrix<'_>) -> Result<(), Error> {
        check(source)?;
        assert!(self.n_in == source.n_in && self.n_out == source.n_out, "panels are filled by a matrix of their own shape");
        assert!(source.dtype.block_len() == 1 || self.dtype == packed_dtype(source.dtype), "blocks are packed as what they are");
        let (panel_bytes, n_out, dtype) = (self.panel_bytes, self.n_out, self.dtype);
        if panel_bytes == 0 {
            return Ok(());
        }
        let memory = super::Shared::new(self.memory.bytes_mut());
        let kept = super::Shared::new(&mut self.least);
        pool.run(n_out.div_ceil(PANEL), |p| {
            // SAFETY: panels are disjoint, and each task has its own.
            let panel = unsafe { memory.slice(p * panel_bytes, panel_bytes) };
            let columns = p * PANEL..((p + 1) * PANEL).min(n_out);
            let least = match source.dtype {
                Dtype::Q8_0 => return q8(source, columns, panel),
                Dtype::Q4_0 => return q4(source, columns, panel),
                Dtype::Q4K | Dtype::Q6K => return dequantised(source, columns, panel),
                // SAFETY: `check` has held the bytes against the shape, and the panel has room for all units of k.
                Dtype::F32 => unsafe { unit.run(PackPanel { source, columns, dtype, panel, element: PhantomData::<StoredF32> }) },
                // SAFETY: as above.
                Dtype::F16 => unsafe { unit.run(PackPanel { source, columns, dtype, panel, element: PhantomData::<StoredF16> }) },
                // SAFETY: as above.
                _ => unsafe { unit.run(PackPanel { source, columns, dtype, panel, element: PhantomData::<StoredBf16> }) },
            };
            if dtype == Dtype::BF16 {
                // SAFETY: one value a panel.
                unsafe { kept.slice(p, 1)[0] = least };
            }
        });
        Ok(())
    }

    /// Writes row `n` of the matrix (the weights of output n: an embedding) as f32 into `out` (n_in values).
    pub fn row(&self, n: usize, out: &mut [f32]) {
        let panel = &self.memory.bytes()[n / PANEL * self.panel_bytes..][..self.panel_bytes];
        let lane = n % PANEL;
        let u16_at = |at: usize| u16::from_le_bytes([panel[at], panel[at + 1]]);
        let f16_at = |at: usize| f16::from_bits(u16_at(at)).to_f32();
        for (k, y) in out.iter_mut().enumerate().take(self.n_in) {
            *y = match self.dtype {
                Dtype::F16 => f16_at((k * PANEL + lane) * 2),
                Dtype::BF16 => f32::from_bits(u32::from(u16_at((k / 2 * PANEL + lane) * 4 + k % 2 * 2)) << 16),
                Dtype::Q8_0 => {
                    let (block, k) = (k / BLOCK * Q8::PANEL_BYTES, k % BLOCK);
                    let q = i32::from(panel[block + (k / 4 * PANEL + lane) * 4 + k % 4]) - 128;
                    q as f32 * f16_at(block + BLOCK * PANEL + lane * 2)
                }
                Dtype::Q4_0 => {
                    let (block, k) = (k / BLOCK * Q4::PANEL_BYTES, k % BLOCK);
                    let byte = panel[block + (k % 16 / 4 * PANEL + lane) * 4 + k % 4];
                    let q = i32::from(if k < 16 { byte & 15 } else { byte >> 4 }) - 8;
                    q as f32 * f16_at(block + BLOCK / 2 * PANEL + lane * 2)
                }
                _ => {
                    let at = (k * PANEL + lane) * 4;
                    f32::from_le_bytes([panel[at], panel[at + 1], panel[at + 2], panel[at + 3]])
                }
            };
        }
    }

    /// The least magnitude of a panel of bf16; of other types nothing is known.
    pub(super) fn least_of(&self, panel: usize) -> u32 {
        self.least.get(panel).copied().unwrap_or(0)
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        self.memory.bytes().len()
    }
}

/// Refuses bytes that do not fit their shape, before anything is made of them.
fn check(source: &Matrix<'_>) -> Result<(), Error> {
    let refuse = |cause| Err(Error::Weights { n_in: source.n_in, n_out: source.n_out, dtype: source.dtype, cause });
    let expected = source.n_in.checked_mul(source.n_out).and_then(|n| source.dtype.bytes_of(n));
    if expected != Some(source.data.len()) {
        return refuse("the bytes do not fit the shape");
    }
    if source.dtype.block_len() > 1 && (source.layout != Layout::OutIn || !source.n_in.is_multiple_of(source.dtype.block_len())) {
        return refuse("blocks must lie along the inputs and fill them");
    }
    Ok(())
}

/// What a stored type is packed as.
pub fn packed_dtype(stored: Dtype) -> Dtype {
    match stored {
        Dtype::Q4K | Dtype::Q6K => Dtype::F32,
        other => other,
    }
}

/// How a stored value is read.
trait Element: Copy {
    const SIZE: usize;
    unsafe fn read(at: *const u8) -> f32;
    /// Sixteen neighbouring values.
    unsafe fn read_lanes<L: Lanes>(at: *const u8) -> L::F;
}

#[derive(Clone, Copy)]
struct StoredF32;
#[derive(Clone, Copy)]
struct StoredF16;
#[derive(Clone, Copy)]
struct StoredBf16;

impl Element for StoredF32 {
    const SIZE: usize = 4;
    #[inline(always)]
    unsafe fn read(at: *const u8) -> f32 {
        at.cast::<f32>().read_unaligned()
    }
    #[inline(always)]
    unsafe fn read_lanes<L: Lanes>(at: *const u8) -> L::F {
        L::load(at.cast())
    }
}

impl Element for StoredF16 {
    const SIZE: usize = 2;
    #[inline(always)]
    unsafe fn read(at: *const u8) -> f32 {
        f16::from_bits(at.cast::<u16>().read_unaligned()).to_f32_const()
    }
    #[inline(always)]
    unsafe fn read_lanes<L: Lanes>(at: *const u8) -> L::F {
        L::load_f16(at.cast())
    }
}

impl Element for StoredBf16 {
    const SIZE: usize = 2;
    #[inline(always)]
    unsafe fn read(at: *const u8) -> f32 {
        f32::from_bits(u32::from(at.cast::<u16>().read_unaligned()) << 16)
    }
    #[inline(always)]
    unsafe fn read_lanes<L: Lanes>(at: *const u8) -> L::F {
        let mut lanes = [0f32; LANES];
        for i in 0..LANES {
            lanes[i] = Self::read(at.add(i * 2));
        }
        L::load(lanes.as_ptr())
    }
}

/// Packs plain values of one panel as F32, F16 or BF16; gives the least magnitude of the last.
struct PackPanel<'a, E> {
    source: &'a Matrix<'a>,
    columns: Range<usize>,
    dtype: Dtype,
    panel: &'a mut [u8],
    element: PhantomData<E>,
}

impl<E: Element> Kernel for PackPanel<'_, E> {
    type Out = u32;

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) -> u32 {
        let mut least = [u32::MAX; LANES];
        // Sixteen steps of k by the panel's two vectors of outputs; lanes beyond the matrix are 0.
        let mut tile = [[L::splat(0.0); LANES]; VECS];
        let n_in = self.source.n_in;
        let data = self.source.data.as_ptr();
        let mut k0 = 0;
        while k0 < n_in {
            let steps = LANES.min(n_in - k0);
            for v in 0..VECS {
                let first = self.columns.start + v * LANES;
                let n = self.columns.end.saturating_sub(first).min(LANES);
                let rows = &mut tile[v];
                *rows = [L::splat(0.0); LANES];
                match self.source.layout {
                    Layout::InOut => {
                        for k in 0..steps {
                            let at = data.add(((k0 + k) * self.source.n_out + first) * E::SIZE);
                            rows[k] = read_part::<L, E>(at, n);
                        }
                    }
                    Layout::OutIn => {
                        for i in 0..n {
                            rows[i] = read_part::<L, E>(data.add(((first + i) * n_in + k0) * E::SIZE), steps);
                        }
                        L::transpose(rows);
                    }
                }
            }
            match self.dtype {
                Dtype::BF16 => {
                    let out = self.panel.as_mut_ptr().cast::<i32>().add(k0 / 2 * PANEL);
                    for pair in 0..steps.div_ceil(2) {
                        for v in 0..VECS {
                            let (even, odd) = (tile[v][2 * pair], tile[v][2 * pair + 1]);
                            L::store_i(out.add(pair * PANEL + v * LANES), L::pair_bf16(even, odd));
                            if !L::WIDE {
                                least_magnitude(&mut least, L::to_array(even));
                                least_magnitude(&mut least, L::to_array(odd));
                            }
                        }
                    }
                }
                Dtype::F16 => {
                    let out = self.panel.as_mut_ptr().cast::<u16>().add(k0 * PANEL);
                    for k in 0..steps {
                        for v in 0..VECS {
                            let lanes = L::to_array(tile[v][k]);
                            for i in 0..LANES {
                                out.add(k * PANEL + v * LANES + i).write_unaligned(f16::from_f32_const(lanes[i]).to_bits());
                            }
                        }
                    }
                }
                _ => {
                    let out = self.panel.as_mut_ptr().cast::<f32>().add(k0 * PANEL);
                    for k in 0..steps {
                        for v in 0..VECS {
                            L::store(out.add(k * PANEL + v * LANES), tile[v][k]);
                        }
                    }
                }
            }
            k0 += LANES;
        }
        least.into_iter().fold(u32::MAX, u32::min)
    }
}

/// The first `n` of sixteen values, the others 0.
#[inline(always)]
unsafe fn read_part<L: Lanes, E: Element>(at: *const u8, n: usize) -> L::F {
    if n == LANES {
        return E::read_lanes::<L>(at);
    }
    let mut lanes = [0f32; LANES];
    for i in 0..n {
        lanes[i] = E::read(at.add(i * E::SIZE));
    }
    L::load(lanes.as_ptr())
}

fn q8(source: &Matrix<'_>, columns: Range<usize>, panel: &mut [u8]) {
    let size = Dtype::Q8_0.block_bytes();
    for (block, out) in panel.chunks_exact_mut(Q8::PANEL_BYTES).enumerate() {
        for lane in 0..PANEL {
            let Some(n) = Some(columns.start + lane).filter(|n| *n < columns.end) else { continue };
            let stored = &source.data[(n * source.n_in / BLOCK + block) * size..][..size];
            let (scale, bytes) = stored.split_at(2);
            for (four, out) in bytes.chunks_exact(4).zip(out.chunks_exact_mut(4 * PANEL)) {
                // All four at once: this is what loading a model waits for.
                let with_offset = u32::from_ne_bytes([four[0], four[1], four[2], four[3]]) ^ 0x8080_8080;
                out[4 * lane..][..4].copy_from_slice(&with_offset.to_ne_bytes());
            }
            out[BLOCK * PANEL + lane * 2..][..2].copy_from_slice(scale);
        }
    }
}

fn q4(source: &Matrix<'_>, columns: Range<usize>, panel: &mut [u8]) {
    let size = Dtype::Q4_0.block_bytes();
    for (block, out) in panel.chunks_exact_mut(Q4::PANEL_BYTES).enumerate() {
        for lane in 0..PANEL {
            let Some(n) = Some(columns.start + lane).filter(|n| *n < columns.end) else { continue };
            let stored = &source.data[(n * source.n_in / BLOCK + block) * size..][..size];
            for g in 0..BLOCK / 8 {
                out[(g * PANEL + lane) * 4..][..4].copy_from_slice(&stored[2 + 4 * g..][..4]);
            }
            out[BLOCK / 2 * PANEL + lane * 2..][..2].copy_from_slice(&stored[..2]);
        }
    }
}

fn dequantised(source: &Matrix<'_>, columns: Range<usize>, panel: &mut [u8]) {
    let bytes = source.dtype.bytes_of(source.n_in).expect("whole blocks a row: checked by `pack`");
    let mut row = vec![0f32; source.n_in];
    for (lane, n) in columns.enumerate() {
        quant::dequantise(source.dtype, &source.data[n * bytes..][..bytes], &mut row);
        for (k, x) in row.iter().enumerate() {
            panel[(k * PANEL + lane) * 4..][..4].copy_from_slice(&x.to_le_bytes());
        }
    }
}
