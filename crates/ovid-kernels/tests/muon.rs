//! Muon against its formulas in f64, and what they promise: an update whose singular values are near 1.

use ovid_io::Dtype;
use ovid_kernels::backend::{At, Backend, Muon};
use ovid_kernels::{Cpu, Unit};
use ovid_stats::Draws;

fn values(seed: u64, n: usize) -> Vec<f32> {
    let draws = Draws::new(seed, 0);
    (0..n).map(|i| draws.normal_at(i as u64) as f32).collect()
}

/// (rows, inner) times (inner, columns).
fn multiply(a: &[f64], b: &[f64], rows: usize, inner: usize, columns: usize) -> Vec<f64> {
    (0..rows * columns).map(|i| (0..inner).map(|k| a[i / columns * inner + k] * b[k * columns + i % columns]).sum()).collect()
}

fn turned(a: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    (0..rows * columns).map(|i| a[i % rows * columns + i / rows]).collect()
}

/// The parameters after one update from zero momentum (Jordan et al. 2024).
fn reference(params: &[f32], grads: &[f32], (n_in, n_out): (usize, usize), how: &Muon) -> Vec<f64> {
    let mut x: Vec<f64> = grads.iter().map(|g| f64::from(*g) * f64::from(how.grad_scale) * (1.0 + f64::from(how.momentum))).collect();
    let norm = x.iter().map(|x| x * x).sum::<f64>().sqrt();
    for x in &mut x {
        *x /= norm + 1e-7;
    }
    let (r, c) = (n_in.min(n_out), n_in.max(n_out));
    if n_in > n_out {
        x = turned(&x, n_in, n_out);
    }
    for _ in 0..5 {
        let s = multiply(&x, &turned(&x, r, c), r, c, r);
        let ss = multiply(&s, &s, r, r, r);
        let poly: Vec<f64> = s.iter().zip(&ss).map(|(s, ss)| -4.7750 * s + 2.0315 * ss).collect();
        let more = multiply(&poly, &x, r, r, c);
        for (x, y) in x.iter_mut().zip(more) {
            *x = 3.4445 * *x + y;
        }
    }
    if n_in > n_out {
        x = turned(&x, r, c);
    }
    let scale = f64::from(how.lr) * (n_out as f64 / n_in as f64).max(1.0).sqrt();
    params.iter().zip(x).map(|(p, x)| f64::from(*p) * (1.0 - f64::from(how.lr) * f64::from(how.weight_decay)) - scale * x).collect()
}

#[test]
fn an_update_is_that_of_the_formulas_on_every_unit() {
    let how = Muon { lr: 0.02, momentum: 0.95, weight_decay: 0.1, grad_scale: 0.5, dtype: Dtype::F32 };
    for shape in [(1, 1), (5, 17), (33, 8), (40, 40)] {
        let n = shape.0 * shape.1;
        let (params, grads) = (values(1, n), values(2, n));
        let want = reference(&params, &grads, shape, &how);
        let mut first: Option<Vec<f32>> = None;
        for unit in [Unit::Avx512, Unit::Avx2, Unit::Scalar].into_iter().filter(|u| u.is_available()) {
            let cpu = Cpu::with_unit(2, unit).unwrap();
            let buffer = |v: &[f32]| {
                let mut b = cpu.zeros(n + 3, "buffer").unwrap();
                cpu.upload(v, &mut b, 3);
                b
            };
            let (mut p, g, mut m) = (buffer(&params), buffer(&grads), buffer(&vec![0.0; n]));
            cpu.muon(&mut p, &g, &mut m, &At(3..3 + n), shape, &how).unwrap();
            for (got, want) in p[3..].iter().zip(&want) {
                assert!((f64::from(*got) - want).abs() < 1e-4, "{shape:?} on {unit}: {got}, not {want}");
            }
            assert!(p[..3].iter().all(|x| *x == 0.0), "nothing before the matrix is touched");
            let first = first.get_or_insert_with(|| p.to_vec());
            assert!(first.iter().zip(p.iter()).all(|(a, b)| a.to_bits() == b.to_bits()), "{unit}");
        }
    }
}

#[test]
fn the_step_is_nearly_orthogonal() {
    let (n_in, n_out) = (24, 60);
    let cpu = Cpu::new(1);
    let how = Muon { lr: 1.0, momentum: 0.0, weight_decay: 0.0, grad_scale: 1.0, dtype: Dtype::F32 };
    let mut p = cpu.zeros(n_in * n_out, "parameters").unwrap();
    let mut m = cpu.zeros(n_in * n_out, "momentum").unwrap();
    let mut g = cpu.zeros(n_in * n_out, "gradient").unwrap();
    cpu.upload(&values(3, n_in * n_out), &mut g, 0);
    cpu.muon(&mut p, &g, &mut m, &At(0..n_in * n_out), (n_in, n_out), &how).unwrap();
    let x: Vec<f64> = p.iter().map(|x| f64::from(*x) / (n_out as f64 / n_in as f64).sqrt()).collect();
    let gram = multiply(&x, &turned(&x, n_in, n_out), n_in, n_out, n_in);
    for i in 0..n_in {
        for j in 0..n_in {
            let want = if i == j { 1.0 } else { 0.0 };
            // Five steps leave singular values between 0.7 and 1.2: their squares between 0.49 and 1.44.
            assert!((gram[i * n_in + j] - want).abs() < 0.55, "({i}, {j}): {}", gram[i * n_in + j]);
        }
    }
}
