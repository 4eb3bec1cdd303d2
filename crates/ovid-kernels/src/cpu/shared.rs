//! Memory that several tasks write in disjoint parts, and memory that is used again.

use crate::{Aligned, Error};
use std::sync::{Mutex, PoisonError};

/// A slice whose disjoint parts are written by different tasks of one phase.
#[derive(Clone, Copy)]
pub struct Shared<T> {
    at: *mut T,
    len: usize,
}

// SAFETY: the users of `slice` and `pointer` promise that tasks touch disjoint parts; the slice outlives the phase, since `Pool::run` returns after its last task.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub fn new(slice: &mut [T]) -> Self {
        Self { at: slice.as_mut_ptr(), len: slice.len() }
    }

    /// # Safety
    /// No other task uses these elements while the result lives.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn slice<'a>(&self, begin: usize, len: usize) -> &'a mut [T] {
        assert!(begin.checked_add(len).is_some_and(|end| end <= self.len), "a task stays inside the shared buffer");
        // SAFETY: inside the slice; exclusive by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.at.add(begin), len) }
    }

    pub fn pointer(&self) -> *mut T {
        self.at
    }
}

/// Buffers that wait to be used again: fresh pages are dear, and a forward pass asks for the same sizes each time.
#[derive(Default)]
pub struct Scratch(Mutex<Vec<Aligned>>);

impl Scratch {
    /// A buffer of at least `len` f32 with any content.
    pub fn take(&self, len: usize, what: &'static str) -> Result<Aligned, Error> {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The smallest that is large enough; a waiting buffer that is too small makes room for a larger one.
        let best = (0..free.len()).filter(|i| free[*i].len() >= len).min_by_key(|i| free[*i].len());
        if let Some(i) = best {
            return Ok(free.swap_remove(i));
        }
        if free.len() >= 16 {
            let smallest = (0..free.len()).min_by_key(|i| free[*i].len()).expect("there are sixteen");
            free.swap_remove(smallest);
        }
        drop(free);
        Aligned::zeros(len, what)
    }

    /// Puts a buffer back.
    pub fn give_back(&self, buffer: Aligned) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
    }
}
