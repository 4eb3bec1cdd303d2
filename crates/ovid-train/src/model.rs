//! What the loop asks of a model: a loss and its gradient over one flat buffer of parameters on the device.

use ovid_kernels::Backend;
use ovid_model::{DropoutKey, Parameter, TrainModel};

use crate::Error;

/// A target that is not counted.
pub const NO_TARGET: u32 = u32::MAX;

/// A model that can be trained.
pub trait Model<B: Backend> {
    /// The tensors of the flat buffer, in order and without gaps.
    fn parameters(&self) -> &[Parameter];

    /// Takes new parameters for the calls that follow.
    ///
    /// # Errors
    /// If memory is short.
    fn set_params(&mut self, params: &B::Buf) -> Result<(), Error>;

    /// Adds the gradient of `scale` times the summed loss to `grads` and returns the summed loss in nats, unscaled. `tokens` and `targets` hold the rows one after
    /// the other; targets of [`NO_TARGET`] are not counted.
    ///
    /// # Errors
    /// If shapes do not fit or memory is short.
    fn step(
        &mut self,
        tokens: &[u32],
        targets: &[u32],
        n_rows: usize,
        dropout: Option<DropoutKey>,
        scale: f32,
        grads: &mut B::Buf,
    ) -> Result<f64, Error>;

    /// The summed loss in nats, without dropout.
    ///
    /// # Errors
    /// If shapes do not fit or memory is short.
    fn loss(&mut self, tokens: &[u32], targets: &[u32], n_rows: usize) -> Result<f64, Error>;
}

impl<B: Backend> Model<B> for TrainModel<B> {
    fn parameters(&self) -> &[Parameter] {
        self.layout().parameters()
    }

    fn set_params(&mut self, params: &B::Buf) -> Result<(), Error> {
        Ok(self.set_params(params)?)
    }

    fn step(
        &mut self,
        tokens: &[u32],
        targets: &[u32],
        n_rows: usize,
        dropout: Option<DropoutKey>,
        scale: f32,
        grads: &mut B::Buf,
    ) -> Result<f64, Error> {
        Ok(self.step(tokens, targets, n_rows, dropout, scale, grads)?)
    }

    fn loss(&mut self, tokens: &[u32], targets: &[u32], n_rows: usize) -> Result<f64, Error> {
        Ok(self.loss(tokens, targets, n_rows)?)
    }
}
