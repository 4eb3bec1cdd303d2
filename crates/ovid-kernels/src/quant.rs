//! ggml's block formats: what a block of bytes means, and how blocks are made.
//!
//! Layouts: `ggml-common.h` of llama.cpp. Q8_0 and Q4_0 are written as its reference quantiser does (scale amax/127 in f16; for Q4_0 max/-8), Q4_K and Q6_K are read only.

use half::f16;
use ovid_io::Dtype;

/// Turns whole blocks into f32. Plain types are converted.
///
/// # Panics
/// If `data` is not exactly the bytes of `out.len()` values.
pub fn dequantise(dtype: Dtype, data: &[u8], out: &mut [f32]) {
    assert_eq!(dtype.bytes_of(out.len()), Some(data.len()), "the bytes of a tensor fit its values");
    let blocks = data.chunks_exact(dtype.block_bytes()).zip(out.chunks_exact_mut(dtype.block_len()));
    match dtype {
        Dtype::F32 => blocks.for_each(|(b, y)| y[0] = f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
        Dtype::F16 => blocks.for_each(|(b, y)| y[0] = half(b)),
        Dtype::BF16 => blocks.for_each(|(b, y)| y[0] = f32::from_bits(u32::from(b[0]) << 16 | u32::from(b[1]) << 24)),
        Dtype::Q8_0 => blocks.for_each(|(b, y)| {
            let d = half(b);
            for (y, q) in y.iter_mut().zip(&b[2..]) {
                *y = d * f32::from(*q as i8);
            }
        }),
        Dtype::Q4_0 => blocks.for_each(|(b, y)| {
            let d = half(b);
            for (i, q) in b[2..].iter().enumerate() {
                y[i] = d * (f32::from(q & 15) - 8.0);
                y[i + 16] = d * (f32::from(q >> 4) - 8.0);
            }
        }),
        Dtype::Q4K => blocks.for_each(|(b, y)| q4_k(b, y)),
        Dtype::Q6K => blocks.for_each(|(b, y)| q6_k(b, y)),
        _ => unreachable!("every type has a meaning here"),
    }
}

fn half(b: &[u8]) -> f32 {
    f16::from_le_bytes([b[0], b[1]]).to_f32()
}

/// 256 values: d, dmin (f16), eight 6-bit scales and minima in 12 bytes, nibbles.
fn q4_k(b: &[u8], y: &mut [f32]) {
    let (d, d_min) = (half(b), half(&b[2..]));
    let (scales, q) = (&b[4..16], &b[16..]);
    let scale_min = |j: usize| {
        if j < 4 {
            (scales[j] & 63, scales[j + 4] & 63)
        } else {
            (scales[j + 4] & 15 | scales[j - 4] >> 6 << 4, scales[j + 4] >> 4 | scales[j] >> 6 << 4)
        }
    };
    for (j, y) in y.chunks_exact_mut(32).enumerate() {
        let (scale, min) = scale_min(j);
        let (scale, min) = (d * f32::from(scale), d_min * f32::from(min));
        for (y, q) in y.iter_mut().zip(&q[j / 2 * 32..]) {
            *y = scale * f32::from(if j % 2 == 0 { q & 15 } else { q >> 4 }) - min;
        }
    }
}

/// 256 values: 128 bytes of low nibbles, 64 of upper bit pairs, 16 signed scales, d (f16).
fn q6_k(b: &[u8], y: &mut [f32]) {
    let (low, high, scales, d) = (&b[..128], &b[128..192], &b[192..208], half(&b[208..]));
    for (i, y) in y.iter_mut().enumerate() {
        let (side, within) = (i / 128, i % 128);
        let (row, l) = (within / 32, within % 32);
        let nibble = low[side * 64 + row % 2 * 32 + l] >> (row / 2 * 4) & 15;
        let upper = high[side * 32 + l] >> (row * 2) & 3;
        let q = i32::from(nibble | upper << 4) - 32;
        *y = d * f32::from(scales[i / 16] as i8) * q as f32;
    }
}

/// Writes f32 values as blocks of a type (plain types, Q8_0, Q4_0).
///
/// # Panics
/// If the values are no whole number of blocks, or the type is read only here (Q4_K, Q6_K).
pub fn quantise(dtype: Dtype, values: &[f32], out: &mut Vec<u8>) {
    assert!(values.len().is_multiple_of(dtype.block_len()), "whole blocks");
    for block in values.chunks_exact(dtype.block_len()) {
        match dtype {
            Dtype::F32 => out.extend(block[0].to_le_bytes()),
            Dtype::F16 => out.extend(f16::from_f32(block[0]).to_le_bytes()),
            Dtype::BF16 => out.extend(half::bf16::from_f32(block[0]).to_le_bytes()),
            Dtype::Q8_0 => {
                let amax = block.iter().fold(0f32, |a, x| a.max(x.abs()));
                let d = amax / 127.0;
                let inverse = if d > 0.0 { 1.0 / d } else { 0.0 };
                out.extend(f16::from_f32(d).to_le_bytes());
                // ggml rounds half away from zero here.
                out.extend(block.iter().map(|x| (x * inverse).round() as i8 as u8));
            }
            Dtype::Q4_0 => {
                let max = block.iter().fold(0f32, |a, x| if x.abs() > a.abs() { *x } else { a });
                let d = max / -8.0;
                let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
                out.extend(f16::from_f32(d).to_le_bytes());
                let nibble = |x: f32| ((x * inverse + 8.5) as i32).clamp(0, 15) as u8;
                out.extend((0..16).map(|i| nibble(block[i]) | nibble(block[i + 16]) << 4));
            }
            Dtype::Q4K | Dtype::Q6K => panic!("{dtype} is read only"),
            _ => unreachable!("every type has a meaning here"),
        }
    }
}
