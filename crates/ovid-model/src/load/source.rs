//! What every checkpoint layout gives: a configuration, and tensors by Hugging Face's names.

use crate::{Config, Error};
use ovid_io::{Dtype, Observer, TensorView};
use ovid_kernels::backend::Layout as Order;

/// A stored tensor that has the right shape.
pub struct Stored<'a> {
    /// Name as the file has it.
    pub name: String,
    pub dtype: Dtype,
    /// Order of a matrix; vectors have none, and embeddings are `OutIn`.
    pub order: Order,
    pub data: &'a [u8],
}

/// An open checkpoint.
pub trait Source {
    fn config(&self) -> &Config;
    /// The stored tensor of a name of `Layout`, and whether its matrices lie (outputs, inputs); embeddings always lie so.
    fn view(&self, name: &str) -> Result<(TensorView<'_>, bool), Error>;
    /// An error about a tensor.
    fn bad(&self, tensor: &str, cause: &str) -> Error;
    /// Gives the memory of a tensor back that was packed, so that file and weights do not fill memory twice.
    fn release(&self, _data: &[u8]) {}
    /// Looks at the values as far as the layout says something about them; called before any of them is used.
    fn verify(&self, _observer: &dyn Observer) -> Result<(), Error> {
        Ok(())
    }
}

impl dyn Source + '_ {
    /// The tensor of a name of `Layout`, which asks for `shape` (Hugging Face's orientation).
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Stored<'_>, Error> {
        let (view, turned) = self.view(name)?;
        let embedding = is_embedding(name);
        let turned = turned && shape.len() == 2 && !embedding;
        let wanted: Vec<usize> = if turned { shape.iter().rev().copied().collect() } else { shape.to_vec() };
        // The original checkpoint stores matrices with a leading 1.
        let found: &[usize] = if view.shape.len() == wanted.len() + 1 && view.shape[0] == 1 { &view.shape[1..] } else { &view.shape };
        if found != wanted {
            return Err(self.bad(view.name, &format!("its shape is {:?}, and the configuration asks for {wanted:?}", view.shape)));
        }
        let order = if turned || embedding { Order::OutIn } else { Order::InOut };
        Ok(Stored { name: view.name.to_owned(), dtype: view.dtype, order, data: view.data })
    }
}

/// Whether a parameter is an embedding or the head, which every layout stores (vocabulary or context, C).
pub fn is_embedding(name: &str) -> bool {
    matches!(name, "wte.weight" | "wpe.weight" | "lm_head.weight")
}
