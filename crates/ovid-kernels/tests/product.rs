//! Products against the rule of `exact-1`, to the bit: every weight type, vector unit and thread count, awkward shapes.

use half::{bf16, f16};
use ovid_io::Dtype;
use ovid_kernels::backend::{Backend, Layout, Matrix, Then};
use ovid_kernels::{Activation, Cpu, Unit, quant};
use ovid_stats::Draws;

fn values(seed: u64, n: usize) -> Vec<f32> {
    let draws = Draws::new(seed, 0);
    (0..n).map(|i| draws.normal_at(i as u64) as f32).collect()
}

fn units() -> Vec<Unit> {
    [Unit::Avx512, Unit::Avx2, Unit::Scalar].into_iter().filter(|u| u.is_available()).collect()
}

/// The definition: one chain an output. `w` is (n_out, n_in) as stored bytes.
fn chain(dtype: Dtype, x: &[f32], stored: &[u8], n_in: usize, n: usize) -> f32 {
    let row_bytes = dtype.bytes_of(n_in).unwrap();
    let row = &stored[n * row_bytes..][..row_bytes];
    let mut w = vec![0f32; n_in];
    quant::dequantise(dtype, row, &mut w);
    match dtype {
        Dtype::BF16 => {
            let flush = |x: f32| if x.abs() < f32::MIN_POSITIVE { 0f32.copysign(x) } else { x };
            let at = |v: &[f32], k: usize| v.get(k).map_or(0.0, |x| flush(bf16::from_f32(*x).to_f32()));
            let mut y = 0f32;
            for k in (0..n_in).step_by(2) {
                y = flush(at(x, k + 1).mul_add(at(&w, k + 1), y));
                y = flush(at(x, k).mul_add(at(&w, k), y));
            }
            y
        }
        Dtype::Q8_0 | Dtype::Q4_0 => {
            let mut y = 0f32;
            for (block, x) in row.chunks_exact(dtype.block_bytes()).zip(x.chunks_exact(32)) {
                let scale = x.iter().fold(0f32, |a, x| a.max(x.abs())) / 127.0;
                let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
                let q = |i: usize| {
                    if dtype == Dtype::Q8_0 { block[2 + i] as i8 as i32 } else { (block[2 + i % 16] >> (i / 16 * 4) & 15) as i32 - 8 }
                };
                let sum: i32 = (0..32).map(|i| (x[i] * inverse).round_ties_even() as i32 * q(i)).sum();
                y = (sum as f32).mul_add(f16::from_le_bytes([block[0], block[1]]).to_f32() * scale, y);
            }
            y
        }
        _ => x.iter().zip(&w).fold(0f32, |y, (x, w)| x.mul_add(*w, y)),
    }
}

fn check(dtype: Dtype, n_rows: usize, n_in: usize, n_out: usize) {
    let x = values(1, n_rows * n_in);
    let w = values(2, n_in * n_out);
    let bias = values(3, n_out);
    let mut stored = Vec::new();
    quant::quantise(dtype, &w, &mut stored);
    let matrix = Matrix { dtype, layout: Layout::OutIn, n_in, n_out, data: &stored };
    let want: Vec<f32> =
        (0..n_rows * n_out).map(|i| chain(dtype, &x[i / n_out * n_in..][..n_in], &stored, n_in, i % n_out) + bias[i % n_out]).collect();
    for unit in units() {
        for n_threads in [1, 3] {
            let cpu = Cpu::with_unit(n_threads, unit).unwrap();
            let weight = cpu.weight(&matrix, dtype).unwrap();
            let mut rows = cpu.zeros(x.len(), "x").unwrap();
            cpu.upload(&x, &mut rows, 0);
            let mut b = cpu.zeros(n_out, "bias").unwrap();
            cpu.upload(&bias, &mut b, 0);
            let mut y = cpu.zeros(n_rows * n_out, "y").unwrap();
            y.fill(f32::NAN);
            cpu.linear(&rows, n_rows, &weight, Some(&b), Then::Store, &mut y).unwrap();
            for (i, (y, want)) in y.iter().zip(&want).enumerate() {
                assert_eq!(
                    y.to_bits(),
                    want.to_bits(),
                    "{dtype} {n_rows}x{n_in}x{n_out} {unit} {n_threads} threads, element {i}: {y} {want}"
                );
            }
            let before: Vec<f32> = y.to_vec();
            cpu.linear(&rows, n_rows, &weight, Some(&b), Then::AddTo, &mut y).unwrap();
            assert!(y.iter().zip(&before).zip(&want).all(|((y, a), b)| y.to_bits() == (a + b).to_bits()));
            cpu.linear(&rows, n_rows, &weight, Some(&b), Then::Activate(Activation::Relu), &mut y).unwrap();
            assert!(y.iter().zip(&want).all(|(y, b)| *y == b.max(0.0)));
            // An embedding is a row of the same packed matrix.
            let mut row = vec![0f32; n_in];
            weight.row(n_out - 1, &mut row);
            let mut plain = vec![0f32; n_in];
            quant::dequantise(dtype, &stored[(n_out - 1) * dtype.bytes_of(n_in).unwrap()..], &mut plain);
            assert_eq!(row, plain, "{dtype}");
        }
    }
}

#[test]
fn products_are_chains_to_the_bit() {
    for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16] {
        for (m, k, n) in [(1, 1, 1), (1, 17, 33), (2, 16, 31), (3, 300, 64), (5, 2, 100), (13, 513, 45), (29, 1023, 32), (200, 777, 70)] {
            check(dtype, m, k, n);
        }
    }
    for dtype in [Dtype::Q8_0, Dtype::Q4_0] {
        for (m, k, n) in [(1, 32, 1), (1, 96, 33), (3, 320, 64), (7, 64, 100), (13, 512, 45), (200, 768, 40)] {
            check(dtype, m, k, n);
        }
    }
}

#[test]
fn both_layouts_of_a_matrix_are_the_same_matrix() {
    let (n_in, n_out, n_rows) = (37, 50, 4);
    let w = values(5, n_in * n_out);
    let turned: Vec<f32> = (0..n_in * n_out).map(|i| w[i % n_out * n_in + i / n_out]).collect();
    let x = values(6, n_rows * n_in);
    let cpu = Cpu::new(2);
    for dtype in [Dtype::F32, Dtype::BF16] {
        let run = |layout, data: &[f32]| {
            let matrix = Matrix { dtype: Dtype::F32, layout, n_in, n_out, data: bytemuck::cast_slice(data) };
            let weight = cpu.weight(&matrix, dtype).unwrap();
            let mut rows = cpu.zeros(x.len(), "x").unwrap();
            cpu.upload(&x, &mut rows, 0);
            let mut y = cpu.zeros(n_rows * n_out, "y").unwrap();
            cpu.linear(&rows, n_rows, &weight, None, Then::Store, &mut y).unwrap();
            y.to_vec()
        };
        assert_eq!(run(Layout::OutIn, &w), run(Layout::InOut, &turned));
    }
}

#[test]
fn weight_gradients_are_chains_over_tokens_however_they_are_cut() {
    let (n_rows, n_in, n_out) = (301, 45, 67);
    let (x, dy) = (values(7, n_rows * n_in), values(8, n_rows * n_out));
    for unit in units() {
        let cpu = Cpu::with_unit(3, unit).unwrap();
        let mut grads = cpu.zeros(n_in * n_out + 5, "grads").unwrap();
        for (first, rows) in [(0, 100), (100, 7), (107, 194)] {
            let part = |v: &[f32], width: usize| {
                let mut b = cpu.zeros(rows * width, "part").unwrap();
                cpu.upload(&v[first * width..][..rows * width], &mut b, 0);
                b
            };
            let at = ovid_kernels::backend::At(5..5 + n_in * n_out);
            cpu.weight_grad(&part(&x, n_in), &part(&dy, n_out), rows, Dtype::F32, (n_in, n_out), &mut grads, &at).unwrap();
        }
        for i in 0..n_in {
            for n in 0..n_out {
                let want = (0..n_rows).fold(0f32, |g, t| x[t * n_in + i].mul_add(dy[t * n_out + n], g));
                assert_eq!(grads[5 + i * n_out + n].to_bits(), want.to_bits(), "{unit} {i} {n}");
            }
        }
    }
}

#[test]
fn bytes_that_do_not_fit_are_refused() {
    let cpu = Cpu::new(1);
    let refuse = |dtype, layout, n_in, n_out, n_bytes: usize| {
        let data = vec![0u8; n_bytes];
        assert!(cpu.weight(&Matrix { dtype, layout, n_in, n_out, data: &data }, dtype).is_err());
    };
    refuse(Dtype::F32, Layout::OutIn, 3, 4, 47);
    refuse(Dtype::Q8_0, Layout::OutIn, 48, 2, 102);
    refuse(Dtype::Q8_0, Layout::InOut, 32, 32, 1088);
    refuse(Dtype::F32, Layout::OutIn, usize::MAX, 4, 16);
}

/// Magnitudes around the bound beyond which no subnormal number can arise, and zeros between them: the quick way and the careful one give the same bits.
#[test]
fn bf16_products_flush_subnormal_numbers_wherever_they_arise() {
    let (n_rows, n_in, n_out) = (13, 60, 40);
    let flush = |x: f32| if x.abs() < f32::MIN_POSITIVE { 0f32.copysign(x) } else { x };
    let rounded = |x: f32| flush(bf16::from_f32(flush(x)).to_f32());
    for (x_exponent, w_exponent, start_exponent) in
        [(0, 0, 0), (-60, -60, 0), (-60, -40, 0), (-50, -70, -120), (-52, -58, 0), (-20, -20, -105), (-127, 0, 0), (-20, -20, -130)]
    {
        let scaled = |seed, n, exponent: i32| -> Vec<f32> {
            let zero = |i: usize| i.is_multiple_of(5);
            let values = values(seed, n).into_iter().enumerate();
            values.map(|(i, x)| if zero(i) { 0.0 } else { (f64::from(x) * f64::from(exponent).exp2()) as f32 }).collect()
        };
        // As a weight gradient: rows are summed over, from a start that is not 0.
        let (x, w) = (scaled(11, n_in * n_rows, x_exponent), scaled(12, n_in * n_out, w_exponent));
        let start = scaled(13, n_rows * n_out, start_exponent);
        for unit in units() {
            let cpu = Cpu::with_unit(2, unit).unwrap();
            let uploaded = |values: &[f32]| {
                let mut buf = cpu.zeros(values.len(), "values").unwrap();
                cpu.upload(values, &mut buf, 0);
                buf
            };
            let mut grads = uploaded(&start);
            let at = ovid_kernels::backend::At(0..n_rows * n_out);
            cpu.weight_grad(&uploaded(&x), &uploaded(&w), n_in, Dtype::BF16, (n_rows, n_out), &mut grads, &at).unwrap();
            for i in 0..n_rows * n_out {
                let (m, n) = (i / n_out, i % n_out);
                let product = |k: usize, y: f32| flush(rounded(x[k * n_rows + m]).mul_add(rounded(w[k * n_out + n]), flush(y)));
                let want = (0..n_in).step_by(2).fold(start[i], |y, k| product(k, product(k + 1, y)));
                assert_eq!(grads[i].to_bits(), want.to_bits(), "{unit} 2^{x_exponent} 2^{w_exponent} from 2^{start_exponent}, element {i}");
            }
        }
    }
}
