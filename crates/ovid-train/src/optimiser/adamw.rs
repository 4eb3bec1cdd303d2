//! `AdamW` (Loshchilov and Hutter 2019): Adam's bias-corrected step, and weight decay apart from it.
//!
//! For parameter p with gradient g at step t (from 1):
//! p ← p (1 − lr·wd);  m ← m + (1 − β1)(g − m);  v ← β2·v + (1 − β2) g²;  p ← p − lr/(1 − β1ᵗ) · m / (√v / √(1 − β2ᵗ) + ε).
//! The order of operations is `PyTorch`'s; each is one rounded f32 operation (nothing is fused), so that every vector unit gives the same bytes.

use std::sync::{Mutex, PoisonError};

use ovid_kernels::Pool;

use super::CHUNK;
use crate::model::Parameter;

/// The numbers of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamW {
    /// Learning rate.
    pub learning_rate: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Weight decay of the parameters that have any.
    pub weight_decay: f64,
    /// Which step this is, from 1.
    pub t: u64,
    /// The gradient is multiplied by this first: 1, or less where it is clipped.
    pub grad_scale: f32,
}

/// What an element needs, in f32.
#[derive(Clone, Copy)]
struct Constants {
    shrink: f32,
    one_minus_beta1: f32,
    beta2: f32,
    one_minus_beta2: f32,
    step_size: f32,
    root_correction: f32,
    epsilon: f32,
    grad_scale: f32,
}

/// Changes parameters and moments in place for the tensors of `parameters`, which need not be all of the buffers.
///
/// # Panics
/// If a tensor lies outside a buffer.
pub fn update(how: AdamW, parameters: &[&Parameter], params: &mut [f32], grads: &[f32], m: &mut [f32], v: &mut [f32], pool: &Pool) {
    let constants = |decay: bool| Constants {
        shrink: if decay { (1.0 - how.learning_rate * how.weight_decay) as f32 } else { 1.0 },
        one_minus_beta1: (1.0 - how.beta1) as f32,
        beta2: how.beta2 as f32,
        one_minus_beta2: (1.0 - how.beta2) as f32,
        step_size: (how.learning_rate / (1.0 - power(how.beta1, how.t))) as f32,
        root_correction: (1.0 - power(how.beta2, how.t)).sqrt() as f32,
        epsilon: how.epsilon as f32,
        grad_scale: how.grad_scale,
    };
    let (decayed, plain) = (constants(true), constants(false));
    // One task a chunk of a tensor; the mutex hands each chunk to the one thread that claims it.
    let mut tasks = Vec::new();
    let mut rest = (params, m, v, 0);
    for parameter in parameters {
        let skip = parameter.offset.checked_sub(rest.3).expect("tensors are in the order of the buffer");
        let take = |buffer| split(buffer, skip, parameter.len());
        let ((p, params), (m, next_m), (v, next_v)) = (take(rest.0), take(rest.1), take(rest.2));
        rest = (params, next_m, next_v, parameter.range().end);
        let g = &grads[parameter.range()];
        let constants = if parameter.decay { decayed } else { plain };
        let chunks = p.chunks_mut(CHUNK).zip(g.chunks(CHUNK)).zip(m.chunks_mut(CHUNK).zip(v.chunks_mut(CHUNK)));
        tasks.extend(chunks.map(|((p, g), (m, v))| Mutex::new((p, g, m, v, constants))));
    }
    pool.run(tasks.len(), |i| {
        let mut task = tasks[i].lock().unwrap_or_else(PoisonError::into_inner);
        let (p, g, m, v, constants) = &mut *task;
        update_chunk(*constants, p, g, m, v);
    });
}

/// The `len` values after the first `skip`, and what follows them.
fn split(buffer: &mut [f32], skip: usize, len: usize) -> (&mut [f32], &mut [f32]) {
    buffer.split_at_mut(skip).1.split_at_mut(len)
}

fn update_chunk(c: Constants, p: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32]) {
    // Slices of one length let the compiler drop the checks and use vectors.
    let n = p.len();
    let (g, m, v) = (&g[..n], &mut m[..n], &mut v[..n]);
    for i in 0..n {
        let g = g[i] * c.grad_scale;
        m[i] += (g - m[i]) * c.one_minus_beta1;
        v[i] = v[i] * c.beta2 + g * g * c.one_minus_beta2;
        p[i] = p[i] * c.shrink - c.step_size * (m[i] / (v[i].sqrt() / c.root_correction + c.epsilon));
    }
}

/// x to the power n by squaring: the platform's `pow` may differ in the last bit.
fn power(mut x: f64, mut n: u64) -> f64 {
    let mut result = 1.0;
    while n > 0 {
        if n & 1 == 1 {
            result *= x;
        }
        x *= x;
        n >>= 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The formula in f64, written from the paper.
    fn reference(how: AdamW, decay: bool, p: &mut f64, g: f64, m: &mut f64, v: &mut f64) {
        let g = g * f64::from(how.grad_scale);
        *m = how.beta1 * *m + (1.0 - how.beta1) * g;
        *v = how.beta2 * *v + (1.0 - how.beta2) * g * g;
        let m_hat = *m / (1.0 - how.beta1.powi(how.t as i32));
        let v_hat = *v / (1.0 - how.beta2.powi(how.t as i32));
        *p -= how.learning_rate * (m_hat / (v_hat.sqrt() + how.epsilon) + if decay { how.weight_decay * *p } else { 0.0 });
    }

    fn tensors() -> Vec<Parameter> {
        let tensor = |name: &str, shape: Vec<usize>, offset, decay| Parameter { name: name.to_owned(), shape, offset, decay };
        vec![tensor("w", vec![300, 301], 0, true), tensor("b", vec![301], 90_300, false), tensor("x", vec![10, 10], 90_601, true)]
    }

    #[test]
    fn fifty_steps_follow_the_formula_and_the_threads_do_not_matter() {
        let tensors = tensors();
        let n = 90_701;
        let gradient = |i: usize, t: u64| (((i as u64 * 31 + t * 17) % 101) as f32 - 50.0) / 25.0;
        let start: Vec<f32> = (0..n).map(|i| ((i * 13 % 97) as f32 - 48.0) / 48.0).collect();
        let run = |n_threads| {
            let pool = Pool::new(n_threads);
            let (mut p, mut m, mut v) = (start.clone(), vec![0.0; n], vec![0.0; n]);
            for t in 1..=50 {
                let how = AdamW { learning_rate: 1e-2, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.1, t, grad_scale: 0.5 };
                let g: Vec<f32> = (0..n).map(|i| gradient(i, t)).collect();
                update(how, &tensors.iter().collect::<Vec<_>>(), &mut p, &g, &mut m, &mut v, &pool);
            }
            p
        };
        let found = run(1);
        assert!(run(2) == found && run(5) == found);
        for i in (0..n).step_by(37) {
            let decay = !(90_300..90_601).contains(&i);
            let (mut p, mut m, mut v) = (f64::from(start[i]), 0.0, 0.0);
            for t in 1..=50 {
                let how = AdamW { learning_rate: 1e-2, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.1, t, grad_scale: 0.5 };
                reference(how, decay, &mut p, f64::from(gradient(i, t)), &mut m, &mut v);
            }
            assert!((f64::from(found[i]) - p).abs() < 2e-6, "element {i}: {} instead of {p}", found[i]);
        }
    }

    #[test]
    fn tensors_that_are_left_out_stay_as_they_are() {
        let tensors = tensors();
        let n = 90_701;
        let (mut p, g, mut m, mut v) = (vec![1.0; n], vec![1.0; n], vec![0.0; n], vec![0.0; n]);
        let how = AdamW { learning_rate: 1e-2, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.1, t: 1, grad_scale: 1.0 };
        update(how, &[&tensors[0], &tensors[2]], &mut p, &g, &mut m, &mut v, &Pool::new(2));
        assert!(p[90_300..90_601].iter().all(|p| *p == 1.0) && m[90_300..90_601].iter().all(|m| *m == 0.0));
        assert!(p[..90_300].iter().chain(&p[90_601..]).all(|p| *p < 1.0));
    }
}
