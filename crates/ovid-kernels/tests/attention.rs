//! Attention, forward and backward, against the textbook in f64: awkward head sizes and lengths, several sequences in one pool whose blocks lie anywhere.

mod common;

use common::{buffer, check, close, devices, same_bits, values};
use ovid_kernels::backend::{Backend, Heads, Run};
use ovid_kernels::{Aligned, Cpu};

fn heads(n_head: usize, head_size: usize) -> Heads {
    Heads { n_head, head_size, scale: 1.7 / (head_size as f32).sqrt() }
}

/// Softmax rows of one head of one sequence of `t` rows in `qkv` (t, 3C).
fn probabilities(qkv: &[f64], heads: &Heads, head: usize, t: usize) -> Vec<Vec<f64>> {
    let (d, c) = (heads.head_size, heads.n_head * heads.head_size);
    let q = |i: usize, j: usize| qkv[i * 3 * c + head * d + j];
    let k = |i: usize, j: usize| qkv[i * 3 * c + c + head * d + j];
    (0..t)
        .map(|i| {
            let scores: Vec<f64> = (0..=i).map(|m| f64::from(heads.scale) * (0..d).map(|j| q(i, j) * k(m, j)).sum::<f64>()).collect();
            let max = scores.iter().fold(f64::NEG_INFINITY, |a, b| a.max(*b));
            let e: Vec<f64> = scores.iter().map(|s| (s - max).exp()).collect();
            let sum: f64 = e.iter().sum();
            e.iter().map(|e| e / sum).collect()
        })
        .collect()
}

/// The textbook: (t, C) from (t, 3C).
fn naive(qkv: &[f32], heads: &Heads, t: usize) -> Vec<f64> {
    let (d, c) = (heads.head_size, heads.n_head * heads.head_size);
    let qkv: Vec<f64> = qkv.iter().map(|x| f64::from(*x)).collect();
    let mut out = vec![0.0; t * c];
    for head in 0..heads.n_head {
        for (i, p) in probabilities(&qkv, heads, head, t).iter().enumerate() {
            for j in 0..d {
                out[i * c + head * d + j] = p.iter().enumerate().map(|(m, p)| p * qkv[m * 3 * c + 2 * c + head * d + j]).sum();
            }
        }
    }
    out
}

/// Blocks of several sequences of one pool, spread and out of order: sequence s has blocks s, s + n, s + 2n, ... counted from the end of the pool.
fn blocks(lengths: &[usize]) -> (Vec<Vec<u32>>, usize) {
    let most = lengths.iter().map(|t| t.div_ceil(16)).max().unwrap();
    let n = lengths.len();
    let total = most * n + 3;
    let of = |s: usize| (0..lengths[s].div_ceil(16)).map(|b| (total - 1 - (b * n + s)) as u32).collect();
    ((0..n).map(of).collect(), total)
}

/// Runs sequences of these lengths together, fed in pieces of `piece` rows.
fn attend(cpu: &Cpu, heads: &Heads, lengths: &[usize], sequences: &[Vec<f32>], piece: usize) -> Vec<Vec<f32>> {
    let c = heads.n_head * heads.head_size;
    let (blocks, total) = blocks(lengths);
    let mut kv = cpu.kv(heads, total).unwrap();
    let mut out: Vec<Vec<f32>> = vec![Vec::new(); lengths.len()];
    for begin in (0..*lengths.iter().max().unwrap()).step_by(piece) {
        let live: Vec<usize> = (0..lengths.len()).filter(|s| lengths[*s] > begin).collect();
        let (mut rows, mut runs) = (Vec::new(), Vec::new());
        for s in &live {
            let end = (begin + piece).min(lengths[*s]);
            runs.push(Run { first_row: rows.len() / (3 * c), n_rows: end - begin, first_position: begin, blocks: &blocks[*s] });
            rows.extend_from_slice(&sequences[*s][begin * 3 * c..end * 3 * c]);
        }
        let qkv = buffer(cpu, &rows);
        let mut y = buffer(cpu, &vec![f32::NAN; rows.len() / 3]);
        cpu.attention(&qkv, heads, &runs, &mut kv, None, &mut y);
        for (s, run) in live.iter().zip(&runs) {
            out[*s].extend_from_slice(&y[run.first_row * c..(run.first_row + run.n_rows) * c]);
        }
    }
    out
}

#[test]
fn attention_is_the_textbooks_on_awkward_shapes() {
    for (n_head, head_size) in [(1, 1), (3, 1), (2, 10), (1, 17), (2, 64), (1, 80)] {
        let heads = heads(n_head, head_size);
        let width = 3 * n_head * head_size;
        for t in (1..=20).chain([31, 32, 33, 47, 48, 49, 50]) {
            let qkv = values(t as u64, t * width);
            let want = naive(&qkv, &heads, t);
            check(&format!("{n_head} heads of {head_size}, {t} rows"), 2e-6, &want, |cpu| {
                attend(cpu, &heads, &[t], std::slice::from_ref(&qkv), t).concat()
            });
        }
    }
}

#[test]
fn sequences_of_one_pool_get_what_they_get_alone_in_pieces_of_any_length() {
    for (n_head, head_size) in [(2, 10), (1, 17), (3, 64)] {
        let heads = heads(n_head, head_size);
        let lengths = [1, 16, 50, 17, 33];
        let sequences: Vec<Vec<f32>> =
            lengths.iter().enumerate().map(|(s, t)| values(100 + s as u64, t * 3 * n_head * head_size)).collect();
        let mut first: Option<Vec<f32>> = None;
        for cpu in devices() {
            for piece in [1, 5, 13, 16, 50] {
                let got = attend(&cpu, &heads, &lengths, &sequences, piece);
                for (s, got) in got.iter().enumerate() {
                    close(got, &naive(&sequences[s], &heads, lengths[s]), 2e-6, &format!("sequence {s}"));
                    let alone = attend(&cpu, &heads, &lengths[s..=s], &sequences[s..=s], lengths[s]);
                    assert!(same_bits(got, &alone[0]), "sequence {s} in pieces of {piece}");
                }
                let got = got.concat();
                assert!(same_bits(first.get_or_insert_with(|| got.clone()), &got), "{} in pieces of {piece}", cpu.unit());
            }
        }
    }
}

#[test]
fn scores_far_apart_do_not_overflow() {
    let heads = Heads { n_head: 1, head_size: 2, scale: 1.0 };
    let t = 20;
    let qkv: Vec<f32> = values(9, t * 6).iter().map(|x| x * 300.0).collect();
    check("great scores", 1e-4, &naive(&qkv, &heads, t), |cpu| attend(cpu, &heads, &[t], std::slice::from_ref(&qkv), t).concat());
}

/// The formulas of the gradient in f64, with a mask of what is kept (and by how much) where there is dropout.
fn naive_backward(qkv: &[f32], dout: &[f32], heads: &Heads, t: usize) -> Vec<f64> {
    let (d, c) = (heads.head_size, heads.n_head * heads.head_size);
    let qkv: Vec<f64> = qkv.iter().map(|x| f64::from(*x)).collect();
    let mut out = vec![0.0; t * 3 * c];
    for head in 0..heads.n_head {
        let at = |i: usize, third: usize, j: usize| i * 3 * c + third * c + head * d + j;
        let p = probabilities(&qkv, heads, head, t);
        for i in 0..t {
            let go = |j: usize| f64::from(dout[i * c + head * d + j]);
            let dp: Vec<f64> = (0..=i).map(|m| (0..d).map(|j| go(j) * qkv[at(m, 2, j)]).sum()).collect();
            let mean: f64 = dp.iter().zip(&p[i]).map(|(dp, p)| dp * p).sum();
            for m in 0..=i {
                let ds = p[i][m] * (dp[m] - mean) * f64::from(heads.scale);
                for j in 0..d {
                    out[at(m, 2, j)] += p[i][m] * go(j);
                    out[at(i, 0, j)] += ds * qkv[at(m, 1, j)];
                    out[at(m, 1, j)] += ds * qkv[at(i, 0, j)];
                }
            }
        }
    }
    out
}

#[test]
fn the_gradient_is_the_formulas() {
    for (n_head, head_size) in [(3, 1), (2, 10), (1, 17), (2, 64), (1, 80)] {
        let heads = heads(n_head, head_size);
        let c = n_head * head_size;
        for t in [1, 2, 5, 6, 7, 12, 13, 16, 17, 33, 50] {
            let n_runs = 3;
            let qkv = values(7, n_runs * t * 3 * c);
            let dout = values(8, n_runs * t * c);
            let want: Vec<f64> = (0..n_runs)
                .flat_map(|r| naive_backward(&qkv[r * t * 3 * c..][..t * 3 * c], &dout[r * t * c..][..t * c], &heads, t))
                .collect();
            let runs: Vec<Run<'_>> = (0..n_runs).map(|r| Run { first_row: r * t, n_rows: t, first_position: 0, blocks: &[] }).collect();
            check(&format!("gradient of {n_head} heads of {head_size}, {t} rows"), 1e-5, &want, |cpu| {
                let (qkv, dout): (Aligned, Aligned) = (buffer(cpu, &qkv), buffer(cpu, &dout));
                let mut dqkv = buffer(cpu, &vec![f32::NAN; n_runs * t * 3 * c]);
                cpu.attention_backward(&qkv, &heads, &runs, None, &dout, &mut dqkv).unwrap();
                dqkv.to_vec()
            });
        }
    }
}
