//! From gradients to the next parameters.
//!
//! In: flat buffers of parameters, gradients and moments in the order of the model. Out: the buffers after one step. `AdamW` (Loshchilov and Hutter 2019) is the device's; here
//! is which tensors get which numbers. Every element is computed on its own and sums have a fixed order, so that the bytes do not depend on the number of threads.

use ovid_kernels::Backend;
use ovid_kernels::backend::{AdamW, At, Muon};
use ovid_model::Parameter;

use crate::Error;
use crate::config::{Optimiser, TrainConfig};
use crate::schedule::{learning_rate, muon_learning_rate};

/// The buffers of a run.
pub struct Buffers<B: Backend> {
    /// Parameters.
    pub params: B::Buf,
    /// Gradients of the step.
    pub grads: B::Buf,
    /// First moments.
    pub m: B::Buf,
    /// Second moments.
    pub v: B::Buf,
}

/// The global norm of the gradient.
pub fn global_norm<B: Backend>(device: &B, grads: &B::Buf, n_params: usize) -> f64 {
    device.sum_of_squares(grads, 0..n_params).sqrt()
}

/// What the gradient is multiplied with so that its norm is at most `clip_norm`, as `PyTorch`'s `clip_grad_norm_` has it; 0 turns clipping off.
pub fn clip_factor(grad_norm: f64, clip_norm: f64) -> f32 {
    if clip_norm > 0.0 { (clip_norm / (grad_norm + 1e-6)).min(1.0) as f32 } else { 1.0 }
}

/// One update of all parameters: at `step` of the schedule, the `t`-th that is taken (from 1).
///
/// # Errors
/// If memory is short.
pub fn update<B: Backend>(
    device: &B,
    config: &TrainConfig,
    parameters: &[Parameter],
    buffers: &mut Buffers<B>,
    step: u64,
    t: u64,
    grad_scale: f32,
) -> Result<(), Error> {
    let how = |decay: bool| AdamW {
        lr: learning_rate(config, step) as f32,
        beta1: config.beta1 as f32,
        beta2: config.beta2 as f32,
        eps: config.epsilon as f32,
        weight_decay: if decay { config.weight_decay as f32 } else { 0.0 },
        correction1: (1.0 - power(config.beta1, t)) as f32,
        correction2: (1.0 - power(config.beta2, t)) as f32,
        grad_scale,
    };
    let muon = Muon {
        lr: muon_learning_rate(config, step) as f32,
        momentum: config.muon_momentum as f32,
        weight_decay: config.weight_decay as f32,
        grad_scale,
        dtype: config.precision.dtype(),
    };
    // The matrices of the layers; embeddings and head are tables of vectors and stay with AdamW.
    let is_muons = |p: &Parameter| config.optimiser == Optimiser::Muon && p.decay && p.name.starts_with("h.");
    let Buffers { params, grads, m, v } = buffers;
    // Neighbours with the same numbers are updated together: a call for each of many short vectors would cost more than the vectors.
    for group in parameters.chunk_by(|a, b| (a.decay, is_muons(a)) == (b.decay, is_muons(b))) {
        if is_muons(&group[0]) {
            for p in group {
                device.muon(params, grads, m, &At(p.range.clone()), (p.shape[0], p.shape[1]), &muon)?;
            }
        } else {
            let range = group[0].range.start..group[group.len() - 1].range.end;
            device.adamw(params, grads, m, v, range, &how(group[0].decay));
        }
    }
    Ok(())
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
