//! What every test of kernels needs: values that are the same each time, and the units of this processor.
#![allow(dead_code, reason = "each test program uses a part")]

use ovid_kernels::{Aligned, Backend, Cpu, Unit};
use ovid_stats::Draws;

pub fn values(seed: u64, n: usize) -> Vec<f32> {
    let draws = Draws::new(seed, 0);
    (0..n).map(|i| draws.normal_at(i as u64) as f32).collect()
}

pub fn units() -> Vec<Unit> {
    [Unit::Avx512, Unit::Avx2, Unit::Scalar].into_iter().filter(|u| u.is_available()).collect()
}

/// Every unit with one thread and with three.
pub fn devices() -> Vec<Cpu> {
    units().into_iter().flat_map(|unit| [1, 3].map(|n| Cpu::with_unit(n, unit).unwrap())).collect()
}

pub fn buffer(cpu: &Cpu, values: &[f32]) -> Aligned {
    let mut buf = cpu.zeros(values.len(), "values").unwrap();
    cpu.upload(values, &mut buf, 0);
    buf
}

pub fn same_bits(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}

/// Each value within `tolerance` of the f64 one, relative to the greatest of them.
pub fn close(got: &[f32], want: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    let size = want.iter().fold(1e-30, |m: f64, x| m.max(x.abs()));
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        assert!((f64::from(*got) - want).abs() <= tolerance * size, "{what}, element {i}: {got}, not {want}");
    }
}

/// Holds a computation on every device against f64, and the devices against each other to the bit.
pub fn check(what: &str, tolerance: f64, want: &[f64], compute: impl Fn(&Cpu) -> Vec<f32>) {
    let mut first: Option<Vec<f32>> = None;
    for cpu in devices() {
        let got = compute(&cpu);
        let what = format!("{what} on {} with {} threads", cpu.unit(), cpu.pool().n_threads());
        close(&got, want, tolerance, &what);
        let first = first.get_or_insert_with(|| got.clone());
        assert!(same_bits(first, &got), "{what}: other bits");
    }
}
