//! Weights packed for the tiles: panels of 32 outputs, and inside a panel k runs slowest, so that both the matrix-vector product of decoding and the matrix-matrix
//! product of prefill and training read one straight line of memory.

use super::tile::{BLOCK, Bf16, F16, F32, Format, PANEL, Q4, Q8};
use crate::backend::{Layout, Matrix};
use crate::{Aligned, Error, Pool, quant};
use ovid_io::Dtype;

/// One packed matrix.
pub struct Panels {
    pub(super) dtype: Dtype,
    pub(super) n_in: usize,
    pub(super) n_out: usize,
    /// Units of k in a panel.
    pub(super) units: usize,
    pub(super) panel_bytes: usize,
    pub(super) memory: Aligned,
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
        let bytes = n_out.div_ceil(PANEL).saturating_mul(panel_bytes);
        Ok(Self { dtype, n_in, n_out, units, panel_bytes, memory: buffer(bytes.div_ceil(4))? })
    }

    /// Packs `source` into this memory. Plain types become F32, F16 or BF16 panels; Q8_0 and Q4_0 stay what they are; other block types become F32.
    ///
    /// # Errors
    /// If the bytes do not fit the shape, or blocks do not lie along k.
    pub fn pack(&mut self, pool: &Pool, source: &Matrix<'_>) -> Result<(), Error> {
        check(source)?;
        assert!(self.n_in == source.n_in && self.n_out == source.n_out, "panels are filled by a matrix of their own shape");
        assert!(source.dtype.block_len() == 1 || self.dtype == packed_dtype(source.dtype), "blocks are packed as what they are");
        let (panel_bytes, n_out, dtype) = (self.panel_bytes, self.n_out, self.dtype);
        if panel_bytes == 0 {
            return Ok(());
        }
        let memory = super::Shared::new(self.memory.bytes_mut());
        pool.run(n_out.div_ceil(PANEL), |p| {
            // SAFETY: panels are disjoint, and each task has its own.
            let panel = unsafe { memory.slice(p * panel_bytes, panel_bytes) };
            let columns = p * PANEL..((p + 1) * PANEL).min(n_out);
            match (source.dtype, dtype) {
                (Dtype::Q8_0, _) => q8(source, columns, panel),
                (Dtype::Q4_0, _) => q4(source, columns, panel),
                (Dtype::Q4K | Dtype::Q6K, _) => dequantised(source, columns, panel),
                (Dtype::F32, _) => plain::<4>(source, columns, |bits| f32::from_le_bytes(bits), dtype, panel),
                (Dtype::F16, Dtype::F16) => raw_f16(source, columns, panel),
                (Dtype::F16, _) => plain::<2>(source, columns, |bits| half::f16::from_le_bytes(bits).to_f32(), dtype, panel),
                (Dtype::BF16, _) => {
                    plain::<2>(source, columns, |bits| f32::from_bits(u32::from(u16::from_le_bytes(bits)) << 16), dtype, panel)
                }
                _ => unreachable!("Dtype is matched in full"),
            }
        });
        Ok(())
    }

    /// Writes row `n` of the matrix (the weights of output n: an embedding) as f32 into `out` (n_in values).
    pub fn row(&self, n: usize, out: &mut [f32]) {
        let panel = &self.memory.bytes()[n / PANEL * self.panel_bytes..][..self.panel_bytes];
        let lane = n % PANEL;
        let u16_at = |at: usize| u16::from_le_bytes([panel[at], panel[at + 1]]);
        let f16_at = |at: usize| half::f16::from_bits(u16_at(at)).to_f32();
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

/// Steps of k that are turned round at a time.
const STEP: usize = 16;

/// The values of `STEP` steps of k for one panel, k slowest; lanes and steps beyond the matrix stay what they were (zero).
#[inline]
fn gather<const SIZE: usize, T: Copy>(
    source: &Matrix<'_>,
    k0: usize,
    columns: &std::ops::Range<usize>,
    read: impl Fn([u8; SIZE]) -> T,
    tile: &mut [[T; PANEL]; STEP],
) {
    let steps = STEP.min(source.n_in - k0);
    let at = |chunk: &[u8]| -> [u8; SIZE] { std::array::from_fn(|i| chunk[i]) };
    match source.layout {
        Layout::InOut => {
            for (k, row) in tile.iter_mut().enumerate().take(steps) {
                let begin = ((k0 + k) * source.n_out + columns.start) * SIZE;
                let values = &source.data[begin..begin + columns.len() * SIZE];
                for (y, chunk) in row.iter_mut().zip(values.chunks_exact(SIZE)) {
                    *y = read(at(chunk));
                }
            }
        }
        Layout::OutIn => {
            for (lane, n) in columns.clone().enumerate() {
                let begin = (n * source.n_in + k0) * SIZE;
                let values = &source.data[begin..begin + steps * SIZE];
                for (k, chunk) in values.chunks_exact(SIZE).enumerate() {
                    tile[k][lane] = read(at(chunk));
                }
            }
        }
    }
}

/// Plain values of any stored type to panels of F32, F16 or BF16.
fn plain<const SIZE: usize>(
    source: &Matrix<'_>,
    columns: std::ops::Range<usize>,
    read: impl Fn([u8; SIZE]) -> f32 + Copy,
    dtype: Dtype,
    panel: &mut [u8],
) {
    let mut tile = [[0f32; PANEL]; STEP];
    for k0 in (0..source.n_in).step_by(STEP) {
        if source.n_in - k0 < STEP {
            tile = [[0f32; PANEL]; STEP];
        }
        gather(source, k0, &columns, read, &mut tile);
        let steps = STEP.min(source.n_in - k0);
        match dtype {
            Dtype::F16 => {
                for (k, row) in tile.iter().enumerate().take(steps) {
                    let out = &mut panel[(k0 + k) * PANEL * 2..][..PANEL * 2];
                    for (y, x) in out.chunks_exact_mut(2).zip(row) {
                        y.copy_from_slice(&half::f16::from_f32(*x).to_le_bytes());
                    }
                }
            }
            Dtype::BF16 => {
                for pair in 0..steps.div_ceil(2) {
                    let out = &mut panel[(k0 / 2 + pair) * PANEL * 4..][..PANEL * 4];
                    for (lane, y) in out.chunks_exact_mut(4).enumerate() {
                        y.copy_from_slice(&bf16_pair(tile[2 * pair][lane], tile[2 * pair + 1][lane]).to_le_bytes());
                    }
                }
            }
            _ => {
                let out = &mut panel[k0 * PANEL * 4..][..steps * PANEL * 4];
                out.copy_from_slice(&bytemuck::cast_slice::<[f32; PANEL], u8>(&tile)[..steps * PANEL * 4]);
            }
        }
    }
}

/// f16 to f16: the bits as they are.
fn raw_f16(source: &Matrix<'_>, columns: std::ops::Range<usize>, panel: &mut [u8]) {
    let mut tile = [[0u16; PANEL]; STEP];
    for k0 in (0..source.n_in).step_by(STEP) {
        let steps = STEP.min(source.n_in - k0);
        gather(source, k0, &columns, u16::from_le_bytes, &mut tile);
        panel[k0 * PANEL * 2..][..steps * PANEL * 2].copy_from_slice(&bytemuck::cast_slice::<[u16; PANEL], u8>(&tile)[..steps * PANEL * 2]);
    }
}

/// The bf16 nearest to `x` (ties to even), subnormals flushed to zero: the bits.
#[inline(always)]
pub(super) fn bf16_bits(x: f32) -> u32 {
    let bits = x.to_bits();
    let rounded = (bits.wrapping_add(0x7fff + (bits >> 16 & 1))) >> 16;
    let rounded = if x.is_nan() { bits >> 16 | 0x40 } else { rounded };
    if rounded & 0x7f80 == 0 { rounded & 0x8000 } else { rounded }
}

/// Two steps of k in one 32-bit lane, the even one low.
#[inline(always)]
pub(super) fn bf16_pair(even: f32, odd: f32) -> u32 {
    bf16_bits(even) | bf16_bits(odd) << 16
}

fn q8(source: &Matrix<'_>, columns: std::ops::Range<usize>, panel: &mut [u8]) {
    let size = Dtype::Q8_0.block_bytes();
    for (block, out) in panel.chunks_exact_mut(Q8::PANEL_BYTES).enumerate() {
        for lane in 0..PANEL {
            let Some(n) = Some(columns.start + lane).filter(|n| *n < columns.end) else { continue };
            let stored = &source.data[(n * source.n_in / BLOCK + block) * size..][..size];
            for g in 0..BLOCK / 4 {
                let four: [u8; 4] = std::array::from_fn(|i| stored[2 + 4 * g + i] ^ 0x80);
                out[(g * PANEL + lane) * 4..][..4].copy_from_slice(&four);
            }
            out[BLOCK * PANEL + lane * 2..][..2].copy_from_slice(&stored[..2]);
        }
    }
}

fn q4(source: &Matrix<'_>, columns: std::ops::Range<usize>, panel: &mut [u8]) {
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

fn dequantised(source: &Matrix<'_>, columns: std::ops::Range<usize>, panel: &mut [u8]) {
    let bytes = source.dtype.bytes_of(source.n_in).expect("whole blocks a row: checked by `pack`");
    let mut row = vec![0f32; source.n_in];
    for (lane, n) in columns.enumerate() {
        quant::dequantise(source.dtype, &source.data[n * bytes..][..bytes], &mut row);
        for (k, x) in row.iter().enumerate() {
            panel[(k * PANEL + lane) * 4..][..4].copy_from_slice(&x.to_le_bytes());
        }
    }
}
