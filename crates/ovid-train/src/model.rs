//! What the loop asks of a model: parameters in one flat buffer, a loss and its gradient.

use crate::Error;

/// One tensor of the flat buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name in a checkpoint, such as `h.0.attn.c_attn.weight`.
    pub name: String,
    /// Dimensions, slowest first.
    pub shape: Vec<usize>,
    /// Where it begins in the buffer.
    pub offset: usize,
    /// Whether weight decay applies.
    pub decay: bool,
}

impl Parameter {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// True where it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where it lies in the buffer.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.offset..self.offset + self.len()
    }
}

/// A target that is not counted.
pub const NO_TARGET: u32 = u32::MAX;

/// What dropout draws from, together with the layer and the index: the same for every number of ranks and threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DropoutKey {
    /// Seed of the run.
    pub seed: u64,
    /// Step, from 0.
    pub step: u64,
    /// Number of the micro-batch's first row within the step.
    pub first_row: u64,
}

/// A model that can be trained.
pub trait Model {
    /// The tensors of the flat buffer, in order and without gaps.
    fn parameters(&self) -> &[Parameter];

    /// Adds the gradient of `scale` times the summed loss to `grads` and returns the summed loss in nats, unscaled. `tokens` and `targets` hold the rows one after
    /// the other; targets of [`NO_TARGET`] are not counted.
    ///
    /// # Errors
    /// If shapes do not fit or memory is short.
    fn step(
        &mut self,
        params: &[f32],
        tokens: &[u32],
        targets: &[u32],
        n_rows: usize,
        dropout: Option<DropoutKey>,
        grads: &mut [f32],
        scale: f32,
    ) -> Result<f64, Error>;

    /// The summed loss in nats, without dropout.
    ///
    /// # Errors
    /// If shapes do not fit or memory is short.
    fn loss(&mut self, params: &[f32], tokens: &[u32], targets: &[u32], n_rows: usize) -> Result<f64, Error>;
}
