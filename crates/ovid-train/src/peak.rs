//! What the machine's matrix product reaches: what the share of the peak is a share of.

use std::time::Instant;

use ovid_io::Dtype;
use ovid_kernels::Backend;
use ovid_kernels::backend::{At, Layout, Then};

use crate::Error;

/// A product of GPT-2 124M's feed-forward layer on 512 tokens.
const SHAPE: (usize, usize, usize) = (512, 768, 3072);
const RUNS: usize = 8;

/// Operations a second of the device's own matrix product with factors of type `dtype`, the best of eight runs; another program on the machine makes it less.
///
/// # Errors
/// If memory is short.
pub fn measure_peak<B: Backend>(device: &B, dtype: Dtype) -> Result<f64, Error> {
    let (n_rows, n_in, n_out) = SHAPE;
    let flat = device.zeros(n_in * n_out, "a matrix to measure with")?;
    let weight = device.pack(&flat, &At(0..n_in * n_out), (n_in, n_out), Layout::InOut, dtype, None)?;
    let x = device.zeros(n_rows * n_in, "rows to measure with")?;
    let mut out = device.zeros(n_rows * n_out, "products to measure with")?;
    let mut best = f64::INFINITY;
    for _ in 0..RUNS {
        let began = Instant::now();
        device.linear(&x, n_rows, &weight, None, Then::Store, &mut out)?;
        // Reading a value waits for a device that works on its own.
        device.download(&out, 0..1);
        best = best.min(began.elapsed().as_secs_f64());
    }
    Ok((2 * n_rows * n_in * n_out) as f64 / best.max(1e-9))
}
