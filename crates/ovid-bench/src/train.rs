//! One step of training: forward, backward, and the update of all parameters by `AdamW`.

use ovid_io::{Dtype, Observer};
use ovid_kernels::{Backend as _, Cpu};
use ovid_model::{Config, TrainModel};
use ovid_stats::Draws;
use ovid_train::optimiser::{Buffers, update};
use ovid_train::{TrainConfig, operations_per_token};

use crate::measure::{ModelInfo, repeat};
use crate::{Error, Measurement, Yardstick};

/// `trainBxT`: a step on `batch` sequences of `context` random tokens, of a model with random weights, without dropout, with products in `dtype`.
///
/// # Errors
/// If the sequences do not fit the model, or memory is short.
pub fn train_step(
    (name, shape): (&str, Config),
    device: Cpu,
    dtype: Dtype,
    (batch, context): (usize, usize),
    repetitions: usize,
    yard: Yardstick,
    observer: &dyn Observer,
) -> Result<Measurement, Error> {
    let config = TrainConfig::default();
    let (arithmetic, words, n_threads) = (device.arithmetic().to_owned(), device.device(), device.pool().n_threads());
    let mut model = TrainModel::new(shape.clone(), device, dtype)?;
    let n_params = model.layout().n_params();
    let zeros = |what| model.device().zeros(n_params, what);
    let mut buffers =
        Buffers { params: model.init(1)?, grads: zeros("gradients")?, m: zeros("first moments")?, v: zeros("second moments")? };
    let parameters = model.layout().parameters().to_vec();
    model.set_params(&buffers.params)?;
    let n = batch * context;
    let draws = Draws::new(2, 0);
    let token = |i: usize| draws.below_at(i as u64, shape.vocab_size as u64) as u32;
    let tokens: Vec<u32> = (0..n).map(token).collect();
    let targets: Vec<u32> = (1..=n).map(token).collect();
    let mut t = 0;
    let mut test = repeat(format!("train{batch}x{context}"), "tokens", n, repetitions, observer, || {
        t += 1;
        model.device().clear(&mut buffers.grads, n_params);
        model.step(&tokens, &targets, batch, None, 1.0 / n as f32, &mut buffers.grads)?;
        update(model.device(), &config, &parameters, &mut buffers, t, t, 1.0)?;
        Ok(model.set_params(&buffers.params)?)
    })?;
    // Per token, and spread over the step's tokens: weights read and written, gradients, two moments, and both packed copies.
    let bytes = 12.0 * 4.0 * n_params as f64 / n as f64;
    test.model = Some(ModelInfo { name: name.to_owned(), n_params, dtype: dtype.to_string(), arithmetic, device: words, n_threads });
    Ok(test.with_costs(bytes, operations_per_token(&shape, context), yard))
}
