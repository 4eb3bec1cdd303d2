//! Layer norm, activations, losses, scores, sums and the optimiser's update against their formulas in f64, with the same bits on every unit and thread count.

mod common;

use common::{buffer, check, devices, same_bits, values};
use ovid_io::Dtype;
use ovid_kernels::backend::{AdamW, At, Backend, HeadBackward, Layout, Matrix, Score};
use ovid_kernels::{Activation, Cpu};

const WIDTHS: [usize; 7] = [1, 2, 15, 16, 17, 48, 333];

fn norm(x: &[f32], eps: f64) -> (Vec<f64>, f64) {
    let n = x.len() as f64;
    let mean = x.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
    let rstd = 1.0 / (x.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / n + eps).sqrt();
    (x.iter().map(|x| (f64::from(*x) - mean) * rstd).collect(), rstd)
}

#[test]
fn layer_norm_is_its_formula() {
    for width in WIDTHS {
        for n_rows in [1, 9, 40] {
            // A mean far from zero, as the residual stream has in places.
            let x: Vec<f32> = values(1, n_rows * width).iter().map(|x| 3.0 + x).collect();
            let (gain, bias) = (values(2, width), values(3, width));
            for with_bias in [true, false] {
                let want: Vec<f64> = x
                    .chunks_exact(width)
                    .flat_map(|x| norm(x, 1e-5).0)
                    .enumerate()
                    .map(|(i, h)| h * f64::from(gain[i % width]) + if with_bias { f64::from(bias[i % width]) } else { 0.0 })
                    .collect();
                check(&format!("layer norm of {n_rows} x {width}"), 2e-5, &want, |cpu| {
                    let (x, gain, bias) = (buffer(cpu, &x), buffer(cpu, &gain), buffer(cpu, &bias));
                    let mut out = buffer(cpu, &vec![f32::NAN; n_rows * width]);
                    cpu.layer_norm(&x, n_rows, &gain, with_bias.then_some(&bias), 1e-5, &mut out);
                    out.to_vec()
                });
            }
        }
    }
}

#[test]
fn the_gradient_of_layer_norm_is_its_formula_and_is_added() {
    for width in WIDTHS {
        for n_rows in [1, 9, 40] {
            let (x, dy) = (values(1, n_rows * width), values(4, n_rows * width));
            let (gain, dx0, grads0) = (values(2, width), values(5, n_rows * width), values(6, 2 * width + 3));
            for with_bias in [true, false] {
                let mut want: Vec<f64> = dx0.iter().chain(&grads0).map(|x| f64::from(*x)).collect();
                for row in 0..n_rows {
                    let part = row * width..(row + 1) * width;
                    let (h, rstd) = norm(&x[part.clone()], 0.25);
                    let dy = &dy[part.clone()];
                    let g: Vec<f64> = dy.iter().zip(&gain).map(|(dy, gain)| f64::from(*dy) * f64::from(*gain)).collect();
                    let mean_g = g.iter().sum::<f64>() / width as f64;
                    let mean_gh = g.iter().zip(&h).map(|(g, h)| g * h).sum::<f64>() / width as f64;
                    for i in 0..width {
                        want[part.start + i] += rstd * (g[i] - mean_g - h[i] * mean_gh);
                        want[n_rows * width + 3 + i] += f64::from(dy[i]) * h[i];
                        if with_bias {
                            want[n_rows * width + 3 + width + i] += f64::from(dy[i]);
                        }
                    }
                }
                check(&format!("gradient of layer norm of {n_rows} x {width}"), 1e-5, &want, |cpu| {
                    let (x, gain, dy) = (buffer(cpu, &x), buffer(cpu, &gain), buffer(cpu, &dy));
                    let (mut dx, mut grads) = (buffer(cpu, &dx0), buffer(cpu, &grads0));
                    let (gain_at, bias_at) = (At(3..3 + width), At(3 + width..3 + 2 * width));
                    cpu.layer_norm_backward(&x, n_rows, &gain, 0.25, &dy, &mut dx, &mut grads, &gain_at, with_bias.then_some(&bias_at));
                    [&dx[..], &grads[..]].concat()
                });
            }
        }
    }
}

/// The complementary error function by a continued fraction and a series: independent of the kernels' polynomial.
fn erf(x: f64) -> f64 {
    let (mut sum, mut term, mut n) = (x, x, 0.0);
    while term.abs() > 1e-17 * sum.abs() && n < 200.0 {
        n += 1.0;
        term *= -x * x / n;
        sum += term / (2.0 * n + 1.0);
    }
    (sum * 2.0 / std::f64::consts::PI.sqrt()).clamp(-1.0, 1.0)
}

fn activation(which: Activation, x: f64) -> f64 {
    match which {
        Activation::GeluNew => 0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x)).tanh()),
        Activation::Gelu => 0.5 * x * (1.0 + erf(x / std::f64::consts::SQRT_2)),
        Activation::Relu => x.max(0.0),
        Activation::Silu => x / (1.0 + (-x).exp()),
        Activation::Tanh => x.tanh(),
    }
}

const ACTIVATIONS: [Activation; 5] = [Activation::GeluNew, Activation::Gelu, Activation::Relu, Activation::Silu, Activation::Tanh];

#[test]
fn slopes_are_the_derivatives_of_the_activations() {
    let x: Vec<f32> = (0..1601).map(|i| (i - 800) as f32 * 0.005 + 0.0013).collect();
    let dy = values(1, x.len());
    for which in ACTIVATIONS {
        let h = 1e-5;
        let want: Vec<f64> = x
            .iter()
            .zip(&dy)
            .map(|(x, dy)| f64::from(*dy) * (activation(which, f64::from(*x) + h) - activation(which, f64::from(*x) - h)) / (2.0 * h))
            .collect();
        check(&format!("{which:?}'s slope"), 2e-6, &want, |cpu| {
            let mut dy = buffer(cpu, &dy);
            cpu.activate_backward(&buffer(cpu, &x), x.len(), which, &mut dy);
            dy.to_vec()
        });
    }
}

#[test]
fn far_from_zero_activations_are_flat_or_straight() {
    // Beyond 1.8e19 squares overflow.
    let x = [-3e38f32, -1e15, -100.0, -20.0, 20.0, 100.0, 1e15, 3e38];
    for which in ACTIVATIONS {
        for cpu in devices() {
            let mut y = buffer(&cpu, &[0.0; 8]);
            cpu.activate(&buffer(&cpu, &x), 8, which, &mut y);
            let mut slope = buffer(&cpu, &[1.0; 8]);
            cpu.activate_backward(&buffer(&cpu, &x), 8, which, &mut slope);
            for i in 0..8 {
                let want = match (which, x[i] > 0.0) {
                    (Activation::Tanh, positive) => (if positive { 1.0 } else { -1.0 }, 0.0),
                    (_, true) => (x[i], 1.0),
                    (_, false) => (0.0, 0.0),
                };
                assert!((y[i] - want.0).abs() <= 1e-6 * want.0.abs().max(1.0), "{which:?}({}) = {}", x[i], y[i]);
                assert!((slope[i] - want.1).abs() <= 1e-5, "{which:?}'({}) = {}", x[i], slope[i]);
            }
        }
    }
}

/// A head whose logits are chosen: C = 1, x = 1, so that the logits of a row are the head itself.
fn head(cpu: &Cpu, logits: &[f32]) -> ovid_kernels::Panels {
    let data = bytemuck::cast_slice(logits);
    cpu.weight(&Matrix { dtype: Dtype::F32, layout: Layout::OutIn, n_in: 1, n_out: logits.len(), data }, Dtype::F32).unwrap()
}

fn score(cpu: &Cpu, logits: &[f32], targets: &[Option<u32>], top: usize) -> Vec<Score> {
    cpu.scores(&buffer(cpu, &vec![1.0; targets.len()]), targets.len(), &head(cpu, logits), targets, top).unwrap()
}

#[test]
fn scores_are_log_probabilities_ranks_and_entropies() {
    for vocab in [1, 2, 16, 17, 333] {
        let logits: Vec<f32> = values(11, vocab).iter().map(|x| x * 4.0).collect();
        let max = logits.iter().fold(f32::NEG_INFINITY, |a, b| a.max(*b));
        let sum: f64 = logits.iter().map(|x| f64::from(x - max).exp()).sum();
        let log_p: Vec<f64> = logits.iter().map(|x| f64::from(x - max) - sum.ln()).collect();
        let entropy: f64 = log_p.iter().map(|l| -l.exp() * l).sum();
        let variance: f64 = log_p.iter().map(|l| l.exp() * (l + entropy) * (l + entropy)).sum();
        let mut order: Vec<usize> = (0..vocab).collect();
        order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b)));
        let mut first: Option<Vec<Score>> = None;
        for cpu in devices() {
            let targets: Vec<Option<u32>> = (0..vocab as u32).map(Some).collect();
            let scores = score(&cpu, &logits, &targets, 5);
            for (t, score) in scores.iter().enumerate() {
                assert!(
                    (f64::from(score.logprob) - log_p[t]).abs() < 2e-6 * (1.0 + log_p[t].abs()),
                    "{vocab}: {score:?}, not {}",
                    log_p[t]
                );
                assert_eq!(score.rank as usize, 1 + order.iter().position(|i| *i == t).unwrap());
                assert!((f64::from(score.entropy) - entropy).abs() < 2e-6 * (1.0 + entropy), "{vocab}: {score:?}, not {entropy}");
                assert!((f64::from(score.variance) - variance).abs() < 2e-6 * (1.0 + variance), "{vocab}: {score:?}, not {variance}");
                assert_eq!(score.top.len(), vocab.min(5));
                for ((id, logprob), want) in score.top.iter().zip(&order) {
                    assert_eq!(*id as usize, *want);
                    assert_eq!(logprob.to_bits(), scores[*want].logprob.to_bits());
                }
            }
            assert_eq!(first.get_or_insert_with(|| scores.clone()), &scores);
        }
    }
}

#[test]
fn ties_go_to_the_lower_id_and_zero_ties_with_minus_zero() {
    // Logits 1, 2, -0, 2, 0, 2, 1: the third underflows to minus zero in its chain.
    let head = [1.0f32, 0.0, 2.0, 0.0, 0.0, -1e-30, 2.0, 0.0, 0.0, 0.0, 2.0, 0.0, 1.0, 0.0];
    let targets: Vec<Option<u32>> = (0..7).map(Some).collect();
    for cpu in devices() {
        let data = bytemuck::cast_slice(&head);
        let weight = cpu.weight(&Matrix { dtype: Dtype::F32, layout: Layout::OutIn, n_in: 2, n_out: 7, data }, Dtype::F32).unwrap();
        let x = buffer(&cpu, &[1.0, 1e-30].repeat(7));
        let mut logits = buffer(&cpu, &[1.0; 49]);
        cpu.linear(&x, 7, &weight, None, ovid_kernels::backend::Then::Store, &mut logits).unwrap();
        assert_eq!(logits[2].to_bits(), (-0.0f32).to_bits());
        let scores = cpu.scores(&x, 7, &weight, &targets, 7).unwrap();
        assert_eq!(scores.iter().map(|s| s.rank).collect::<Vec<_>>(), [4, 1, 6, 2, 7, 3, 5]);
        assert_eq!(scores[0].top.iter().map(|t| t.0).collect::<Vec<_>>(), [1, 3, 5, 0, 6, 2, 4]);
    }
}

#[test]
fn a_row_without_a_target_has_entropy_and_alternatives_alone() {
    let cpu = Cpu::new(2);
    let scores = score(&cpu, &[0.5, 3.0, 1.0], &[None, Some(1)], 2);
    assert!(scores[0].logprob.is_nan() && scores[0].rank == 0);
    assert_eq!((scores[0].entropy, &scores[0].top), (scores[1].entropy, &scores[1].top));
    assert_eq!(score(&cpu, &[0.5, 3.0, 1.0], &[Some(0)], 100)[0].top.len(), 3);
    assert_eq!(score(&cpu, &[0.5, 3.0, 1.0], &[Some(0)], 0)[0].top, []);
}

#[test]
fn the_loss_and_its_gradients_are_the_formulas() {
    for (n_rows, width, vocab) in [(1, 3, 5), (7, 16, 33), (530, 5, 40)] {
        let (x, w) = (values(21, n_rows * width), values(22, width * vocab));
        let scale = 0.37f32;
        // Some targets are not counted: `u32::MAX`, and anything else beyond the vocabulary.
        let targets: Vec<u32> =
            (0..n_rows).map(|i| if i % 5 == 3 { [u32::MAX, vocab as u32][i % 2] } else { (i * 7 % vocab) as u32 }).collect();
        let grads0 = values(23, vocab * width + 2);
        let (mut loss, mut dx) = (0.0, vec![0.0; n_rows * width]);
        let mut grads: Vec<f64> = grads0.iter().map(|x| f64::from(*x)).collect();
        for row in 0..n_rows {
            let x = &x[row * width..][..width];
            let logits: Vec<f64> =
                w.chunks_exact(width).map(|w| w.iter().zip(x).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum()).collect();
            let Some(own) = logits.get(targets[row] as usize) else { continue };
            let log_sum = logits.iter().map(|l| l.exp()).sum::<f64>().ln();
            loss += log_sum - own;
            for (v, l) in logits.iter().enumerate() {
                let d = f64::from(scale) * ((l - log_sum).exp() - f64::from(u8::from(v == targets[row] as usize)));
                for k in 0..width {
                    dx[row * width + k] += d * f64::from(w[v * width + k]);
                    grads[2 + v * width + k] += d * f64::from(x[k]);
                }
            }
        }
        let want: Vec<f64> = [dx, grads].concat();
        let data = bytemuck::cast_slice(&w);
        check(&format!("loss of {n_rows} x {width} x {vocab}"), 1e-5, &want, |cpu| {
            let head =
                cpu.weight(&Matrix { dtype: Dtype::F32, layout: Layout::OutIn, n_in: width, n_out: vocab, data }, Dtype::F32).unwrap();
            let back =
                cpu.weight(&Matrix { dtype: Dtype::F32, layout: Layout::InOut, n_in: vocab, n_out: width, data }, Dtype::F32).unwrap();
            let (mut x, mut grads) = (buffer(cpu, &x), buffer(cpu, &grads0));
            let alone = cpu.loss(&mut x, n_rows, &head, &targets, None).unwrap();
            let backward = HeadBackward { transposed: &back, dtype: Dtype::F32, grads: &mut grads, at: At(2..2 + vocab * width), scale };
            let got = cpu.loss(&mut x, n_rows, &head, &targets, Some(backward)).unwrap();
            assert!((got - loss).abs() < 1e-6 * loss.abs().max(1.0), "{got}, not {loss}");
            assert_eq!(alone.to_bits(), got.to_bits());
            [&x[..], &grads[..]].concat()
        });
    }
}

/// Gradients of weights in bf16: both sides rounded, tokens in pairs with the odd one first, going on from what is there.
#[test]
fn weight_gradients_in_bf16_are_the_chains_of_the_definition() {
    let flush = |x: f32| if x.abs() < f32::MIN_POSITIVE { 0f32.copysign(x) } else { x };
    let round = |x: f32| flush(half::bf16::from_f32(x).to_f32());
    for (n_rows, n_in, n_out) in [(1, 3, 2), (2, 17, 33), (301, 45, 67)] {
        let (x, dy, before) = (values(7, n_rows * n_in), values(8, n_rows * n_out), values(9, n_in * n_out));
        let at = |v: &[f32], width: usize, t: usize, i: usize| if t < n_rows { round(v[t * width + i]) } else { 0.0 };
        for cpu in devices() {
            let mut grads = buffer(&cpu, &before);
            let place = At(0..n_in * n_out);
            cpu.weight_grad(&buffer(&cpu, &x), &buffer(&cpu, &dy), n_rows, Dtype::BF16, (n_in, n_out), &mut grads, &place).unwrap();
            for i in 0..n_in {
                for n in 0..n_out {
                    let mut want = before[i * n_out + n];
                    for t in (0..n_rows).step_by(2) {
                        want = flush(at(&x, n_in, t + 1, i).mul_add(at(&dy, n_out, t + 1, n), want));
                        want = flush(at(&x, n_in, t, i).mul_add(at(&dy, n_out, t, n), want));
                    }
                    assert_eq!(grads[i * n_out + n].to_bits(), want.to_bits(), "{} {n_rows} rows, {i}, {n}", cpu.unit());
                }
            }
        }
    }
}

#[test]
fn column_sums_and_sums_of_squares_are_sums() {
    for (n_rows, width) in [(1, 1), (3, 17), (100, 64), (41, 333)] {
        let (dy, before) = (values(31, n_rows * width), values(32, width + 4));
        let mut want: Vec<f64> = before.iter().map(|x| f64::from(*x)).collect();
        dy.iter().enumerate().for_each(|(i, x)| want[4 + i % width] += f64::from(*x));
        check(&format!("column sums of {n_rows} x {width}"), 1e-6, &want, |cpu| {
            let mut grads = buffer(cpu, &before);
            cpu.bias_grad(&buffer(cpu, &dy), n_rows, &mut grads, &At(4..4 + width));
            grads.to_vec()
        });
    }
    for n in [1, 17, 1 << 14, 100_001] {
        let x = values(33, n + 5);
        let want: f64 = x[5..].iter().map(|x| f64::from(*x).powi(2)).sum();
        let mut first = None;
        for cpu in devices() {
            let got = cpu.sum_of_squares(&buffer(&cpu, &x), 5..n + 5);
            assert!((got - want).abs() < 1e-6 * want, "{n}: {got}, not {want}");
            assert_eq!(first.get_or_insert(got).to_bits(), got.to_bits());
        }
    }
}

#[test]
fn adamw_is_algorithm_2() {
    let n = 20_011;
    let (mut p, mut m, mut v) = (values(41, n), vec![0f32; n], vec![0f32; n]);
    let (beta1, beta2, eps, weight_decay) = (0.9f32, 0.95f32, 1e-8f32, 0.1f32);
    for step in 1..=3 {
        let g = values(50 + step, n);
        let (lr, grad_scale) = (1e-2 / step as f32, 0.5f32);
        let how = AdamW {
            lr,
            beta1,
            beta2,
            eps,
            weight_decay,
            correction1: 1.0 - beta1.powi(step as i32),
            correction2: 1.0 - beta2.powi(step as i32),
            grad_scale,
        };
        let (b1, b2) = (f64::from(beta1), f64::from(beta2));
        let mut want = vec![0f64; 3 * n];
        for i in 0..n {
            let gradient = f64::from(g[i]) * f64::from(grad_scale);
            // The range leaves out the first eleven, as a range of a flat buffer may.
            if i < 11 {
                (want[i], want[n + i], want[2 * n + i]) = (f64::from(p[i]), f64::from(m[i]), f64::from(v[i]));
                continue;
            }
            let moment = b1 * f64::from(m[i]) + (1.0 - b1) * gradient;
            let second = b2 * f64::from(v[i]) + (1.0 - b2) * gradient * gradient;
            let hat = (moment / (1.0 - b1.powi(step as i32)), second / (1.0 - b2.powi(step as i32)));
            let update = f64::from(lr) * (hat.0 / (hat.1.sqrt() + f64::from(eps)) + f64::from(weight_decay) * f64::from(p[i]));
            (want[i], want[n + i], want[2 * n + i]) = (f64::from(p[i]) - update, moment, second);
        }
        let mut next = Vec::new();
        for cpu in devices() {
            let (mut p, mut m, mut v) = (buffer(&cpu, &p), buffer(&cpu, &m), buffer(&cpu, &v));
            cpu.adamw(&mut p, &buffer(&cpu, &g), &mut m, &mut v, 11..n, &how);
            let got = [&p[..], &m[..], &v[..]].concat();
            for part in 0..3 {
                common::close(&got[part * n..(part + 1) * n], &want[part * n..(part + 1) * n], 1e-6, "adamw");
            }
            assert!(next.is_empty() || same_bits(&next, &got));
            next = got;
        }
        (p, m, v) = (next[..n].to_vec(), next[n..2 * n].to_vec(), next[2 * n..].to_vec());
    }
}

#[test]
fn embeddings_are_looked_up_and_their_gradients_added_in_order() {
    let (vocab, context, width) = (9, 6, 5);
    let (wte, wpe) = (values(61, vocab * width), values(62, context * width));
    let (tokens, positions) = ([3u32, 3, 8, 0, 3], [0u32, 1, 2, 0, 1]);
    let dx = values(63, 5 * width);
    for cpu in devices() {
        let data = bytemuck::cast_slice(&wte);
        let packed = cpu.weight(&Matrix { dtype: Dtype::F32, layout: Layout::OutIn, n_in: width, n_out: vocab, data }, Dtype::F32).unwrap();
        let mut out = buffer(&cpu, &[0.0; 25]);
        cpu.embed(&packed, &buffer(&cpu, &wpe), &tokens, &positions, &mut out);
        for (row, (t, p)) in tokens.iter().zip(&positions).enumerate() {
            for k in 0..width {
                assert_eq!(out[row * width + k], wte[*t as usize * width + k] + wpe[*p as usize * width + k]);
            }
        }
        let mut grads = buffer(&cpu, &vec![0.0; (vocab + context) * width]);
        let (wte_at, wpe_at) = (At(0..vocab * width), At(vocab * width..(vocab + context) * width));
        cpu.embed_backward(&buffer(&cpu, &dx), width, &tokens, &positions, &mut grads, &wte_at, &wpe_at);
        let mut want = vec![0f32; (vocab + context) * width];
        for (row, (t, p)) in tokens.iter().zip(&positions).enumerate() {
            for k in 0..width {
                want[*t as usize * width + k] += dx[row * width + k];
                want[(vocab + *p as usize) * width + k] += dx[row * width + k];
            }
        }
        assert!(same_bits(&grads, &want));
    }
}
