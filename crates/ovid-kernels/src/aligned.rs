//! Memory that begins on a cache line, so that no vector load crosses two.

use crate::Error;
use bytemuck::{Pod, Zeroable};
use std::ops::{Deref, DerefMut};

/// One cache line.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// A buffer of f32 that begins on a cache line; zeros when made.
pub struct Aligned {
    lines: Vec<Line>,
    len: usize,
}

impl Aligned {
    /// `len` zeros.
    ///
    /// # Errors
    /// Where the system does not give the memory; `what` names the buffer in the message.
    pub fn zeros(len: usize, what: &'static str) -> Result<Self, Error> {
        let n_lines = len.div_ceil(16);
        let mut lines = Vec::new();
        lines.try_reserve_exact(n_lines).map_err(|_| Error::OutOfMemory { what, bytes: n_lines.saturating_mul(64) })?;
        lines.resize(n_lines, Line::zeroed());
        Ok(Self { lines, len })
    }

    /// The same memory as bytes, the tail of the last line included.
    pub fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.lines)
    }

    /// The same memory as bytes, the tail of the last line included.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        bytemuck::cast_slice_mut(&mut self.lines)
    }
}

impl Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &bytemuck::cast_slice(&self.lines)[..self.len]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..self.len]
    }
}
