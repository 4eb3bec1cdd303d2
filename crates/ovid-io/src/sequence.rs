//! What the writers of tensor files share: specs are known first, bytes follow in the same order, whole or in pieces.

use std::collections::HashSet;
use std::path::Path;

use crate::{Error, Place, TensorSpec};

/// Where in the sequence of tensors a writer stands.
#[derive(Debug)]
pub(crate) struct Sequence {
    specs: Vec<(TensorSpec, usize)>,
    current: usize,
    written: usize,
}

impl Sequence {
    /// Checks the specs: names differ, sizes can be counted.
    pub(crate) fn new(path: &Path, specs: &[TensorSpec]) -> Result<Self, Error> {
        let mut names = HashSet::new();
        let mut sized = Vec::with_capacity(specs.len());
        for spec in specs {
            let wrong = |cause: String| Error::unwritable(path, Place::Key(spec.name.clone()), cause);
            if !names.insert(spec.name.as_str()) {
                return Err(wrong("the name is given twice".to_owned()));
            }
            let n_bytes = spec.n_bytes().ok_or_else(|| wrong(format!("{} cannot hold the shape {:?}", spec.dtype, spec.shape)))?;
            sized.push((spec.clone(), n_bytes));
        }
        let mut sequence = Self { specs: sized, current: 0, written: 0 };
        sequence.skip_full();
        Ok(sequence)
    }

    /// Each spec with its size in bytes.
    pub(crate) fn specs(&self) -> &[(TensorSpec, usize)] {
        &self.specs
    }

    /// Takes note of `n` bytes of tensor `name`. Says the tensor's size where they complete it.
    pub(crate) fn advance(&mut self, path: &Path, name: &str, n: usize) -> Result<Option<usize>, Error> {
        let wrong = |cause: String| Err(Error::unwritable(path, Place::Key(name.to_owned()), cause));
        if n == 0 {
            // A tensor of no bytes is complete before it is named.
            return Ok(None);
        }
        let Some((spec, size)) = self.specs.get(self.current) else { return wrong("all tensors are written already".to_owned()) };
        if spec.name != name {
            return wrong(format!("{} bytes of {:?} come first", size - self.written, spec.name));
        }
        if n > size - self.written {
            return wrong(format!("{n} bytes are given where {} are left of its {size}", size - self.written));
        }
        self.written += n;
        let complete = (self.written == *size).then_some(*size);
        self.skip_full();
        Ok(complete)
    }

    /// Refuses to end before the last byte.
    pub(crate) fn check_complete(&self, path: &Path) -> Result<(), Error> {
        match self.specs.get(self.current) {
            None => Ok(()),
            Some((spec, size)) => {
                let cause = format!("{} of its {size} bytes were not given", size - self.written);
                Err(Error::unwritable(path, Place::Key(spec.name.clone()), cause))
            }
        }
    }

    fn skip_full(&mut self) {
        while self.specs.get(self.current).is_some_and(|(_, size)| *size == self.written) {
            self.current += 1;
            self.written = 0;
        }
    }
}
