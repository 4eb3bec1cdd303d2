//! Dropout: its statistics, and that a mask is a function of its place alone: the same forward and backward, whatever the threads, the unit and the rows of the call.

mod common;

use common::{buffer, devices, same_bits, values};
use ovid_kernels::backend::{Backend, Dropout, Heads, Run};
use ovid_kernels::{Cpu, Unit};

fn how(p: f32, seed: u64, place: u64, first_row: u64) -> Dropout {
    Dropout { p, seed, place, first_row }
}

fn mask(cpu: &Cpu, n_rows: usize, width: usize, how: &Dropout) -> Vec<f32> {
    let mut x = buffer(cpu, &vec![1.0; n_rows * width]);
    cpu.dropout(&mut x, n_rows, width, how);
    x.to_vec()
}

#[test]
fn the_share_of_zeros_is_p_and_the_expectation_is_kept() {
    let cpu = Cpu::new(2);
    for p in [0.1f32, 0.25, 0.5, 0.9] {
        for (n_rows, width) in [(1000, 100), (7, 12_345), (20_000, 3)] {
            let got = mask(&cpu, n_rows, width, &how(p, 7, 3 << 16 | 5, 0));
            let n = got.len() as f64;
            let zeros = got.iter().filter(|x| **x == 0.0).count() as f64;
            let sigma = (n * f64::from(p) * (1.0 - f64::from(p))).sqrt();
            assert!((zeros - n * f64::from(p)).abs() < 4.0 * sigma, "p = {p}: {zeros} zeros of {n}");
            let keep = 1.0 / (1.0 - p);
            assert!(got.iter().all(|x| *x == 0.0 || *x == keep));
            let mean = got.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
            assert!((mean - 1.0).abs() < 4.0 * f64::from(keep) * sigma / n, "p = {p}: mean {mean}");
            // Neighbours in a row and in a column are independent.
            for step in [1, width] {
                let both = got.iter().zip(&got[step..]).filter(|(a, b)| **a == 0.0 && **b == 0.0).count() as f64;
                let q = f64::from(p * p);
                assert!((both - (n - step as f64) * q).abs() < 6.0 * (n * q).sqrt(), "p = {p}: {both} pairs of zeros {step} apart");
            }
        }
    }
}

#[test]
fn nothing_and_almost_everything_can_be_dropped() {
    let cpu = Cpu::new(1);
    assert!(mask(&cpu, 10, 33, &how(0.0, 1, 1, 0)).iter().all(|x| *x == 1.0));
    let kept = mask(&cpu, 100, 1000, &how(0.999, 1, 1, 0)).iter().filter(|x| **x > 0.0).count();
    assert!((50..160).contains(&kept), "{kept}");
}

#[test]
fn a_mask_is_a_function_of_its_place() {
    let (n_rows, width) = (37, 50);
    let place = how(0.3, 99, 0xc_0004, 1000);
    let want = mask(&Cpu::with_unit(1, Unit::Scalar).unwrap(), n_rows, width, &place);
    for cpu in devices() {
        assert!(same_bits(&mask(&cpu, n_rows, width, &place), &want));
        // Rows of several calls: the same as of one.
        let parts: Vec<f32> = [(0, 10), (10, 1), (11, 26)]
            .into_iter()
            .flat_map(|(first, n)| mask(&cpu, n, width, &Dropout { first_row: 1000 + first, ..place }))
            .collect();
        assert!(same_bits(&parts, &want));
    }
    let cpu = Cpu::new(2);
    for other in [
        Dropout { seed: 100, ..place },
        Dropout { seed: 99 + (1 << 40), ..place },
        Dropout { place: 0xd_0004, ..place },
        Dropout { place: 0xc_0005, ..place },
        Dropout { place: place.place | 1 << 40, ..place },
        Dropout { first_row: 1001, ..place },
        Dropout { first_row: 1000 + (1 << 33), ..place },
    ] {
        let same = mask(&cpu, n_rows, width, &other).iter().zip(&want).filter(|(a, b)| a == b).count() as f64;
        let n = want.len() as f64;
        // Independent masks agree in p^2 + (1 - p)^2 of their places.
        assert!((same - 0.58 * n).abs() < 5.0 * (0.58 * 0.42 * n).sqrt(), "{other:?}: {same} of {n} the same");
    }
}

fn attend(cpu: &Cpu, qkv: &[f32], heads: &Heads, t: usize, how: &Dropout) -> Vec<f32> {
    let blocks: Vec<u32> = (0..t.div_ceil(16) as u32).collect();
    let runs = [Run { first_row: 0, n_rows: t, first_position: 0, blocks: &blocks }];
    let mut kv = cpu.kv(heads, blocks.len()).unwrap();
    let mut out = buffer(cpu, &vec![0.0; qkv.len() / 3]);
    cpu.attention(&buffer(cpu, qkv), heads, &runs, &mut kv, Some(how), &mut out);
    out.to_vec()
}

#[test]
fn attention_drops_the_same_probabilities_forward_and_backward() {
    // Attention with dropout is linear in the values: dV = P~^T dO, where P~ are the dropped probabilities, which the forward pass shows with unit values.
    let (t, d) = (40, 40);
    let heads = Heads { n_head: 2, head_size: d, scale: 0.3 };
    let c = 2 * d;
    let mut qkv = values(3, t * 3 * c);
    for m in 0..t {
        for j in 0..d {
            for h in 0..2 {
                qkv[m * 3 * c + 2 * c + h * d + j] = f32::from(u8::from(j == m));
            }
        }
    }
    let place = how(0.4, 5, 2 << 16 | 3, 77);
    let mut first: Option<Vec<f32>> = None;
    for cpu in devices() {
        // Row i, head h, element j is the probability that row i gives to key j.
        let p = attend(&cpu, &qkv, &heads, t, &place);
        let dropped = (0..t * c).filter(|i| i % d <= i / c && p[*i] == 0.0).count() as f64;
        let n = (t * (t + 1)) as f64;
        assert!((dropped - 0.4 * n).abs() < 4.0 * (0.24 * n).sqrt(), "{dropped} of {n} probabilities dropped");
        let dout = values(4, t * c);
        let runs = [Run { first_row: 0, n_rows: t, first_position: 0, blocks: &[] }];
        let mut dqkv = buffer(&cpu, &vec![0.0; t * 3 * c]);
        cpu.attention_backward(&buffer(&cpu, &qkv), &heads, &runs, Some(&place), &buffer(&cpu, &dout), &mut dqkv).unwrap();
        for h in 0..2 {
            for m in 0..t {
                for j in 0..d {
                    let want: f64 = (m..t).map(|i| f64::from(p[i * c + h * d + m]) * f64::from(dout[i * c + h * d + j])).sum();
                    let got = f64::from(dqkv[m * 3 * c + 2 * c + h * d + j]);
                    assert!((got - want).abs() < 1e-5, "{}: key {m}, {j}: {got}, not {want}", cpu.unit());
                }
            }
        }
        let both = [&p[..], &dqkv[..]].concat();
        assert!(same_bits(first.get_or_insert_with(|| both.clone()), &both), "{}", cpu.unit());
    }
}
