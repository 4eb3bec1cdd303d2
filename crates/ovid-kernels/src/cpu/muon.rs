//! Muon (Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"): momentum, its nearest orthogonal matrix by Newton and Schulz's iteration,
//! and a step of that. Products in the type of the run's products, everything else in f32.

use super::Cpu;
use super::elementwise;
use crate::backend::{Layout, Matrix, Muon};
use crate::{Aligned, Error};
use ovid_io::Dtype;

/// The coefficients of the quintic iteration: the steepest at 0 that keeps singular values near 1.
const A: f32 = 3.4445;
const B: f32 = -4.7750;
const C: f32 = 2.0315;
/// Iterations; five bring singular values from 0.01 into 0.7 to 1.2.
const STEPS: usize = 5;

impl Cpu {
    /// One update of a matrix (n_in, n_out) whose parameters, gradient and momentum are given.
    pub(super) fn muon_update(
        &self,
        params: &mut [f32],
        grads: &[f32],
        m: &mut [f32],
        (n_in, n_out): (usize, usize),
        how: &Muon,
    ) -> Result<(), Error> {
        let n = n_in * n_out;
        let mut x = self.scratch.take(n, "momentum")?;
        // Nesterov's momentum: the update looks one step ahead.
        for ((x, m), g) in x.iter_mut().zip(m.iter_mut()).zip(grads) {
            let g = g * how.grad_scale;
            *m = m.mul_add(how.momentum, g);
            *x = m.mul_add(how.momentum, g);
        }
        let norm = elementwise::sum_of_squares(self.unit, &self.pool, &x, 0..n).sqrt() as f32;
        for x in &mut x[..n] {
            *x /= norm + 1e-7;
        }
        // The iteration squares the shorter side.
        let wide = n_in <= n_out;
        if !wide {
            transpose(&mut x, n_in, n_out, self)?;
        }
        self.orthogonalise(&mut x, n_in.min(n_out), n_in.max(n_out), how.dtype)?;
        if !wide {
            transpose(&mut x, n_out, n_in, self)?;
        }
        let step = -how.lr * (n_out as f32 / n_in as f32).max(1.0).sqrt();
        let shrink = 1.0 - how.lr * how.weight_decay;
        for (p, x) in params.iter_mut().zip(x.iter()) {
            *p = x.mul_add(step, *p * shrink);
        }
        self.scratch.give_back(x);
        Ok(())
    }

    /// X (r, c), r at most c: five times X = a X + (b S + c S S) X with S = X X^T.
    fn orthogonalise(&self, x: &mut Aligned, r: usize, c: usize, dtype: Dtype) -> Result<(), Error> {
        let mut s = self.scratch.take(r * r, "X X^T")?;
        let mut poly = self.scratch.take(r * r, "b S + c S S")?;
        let mut next = self.scratch.take(r * c, "next X")?;
        for _ in 0..STEPS {
            self.plain_product(x, r, x, (c, r), Layout::OutIn, dtype, &mut s)?;
            self.plain_product(&s, r, &s, (r, r), Layout::InOut, dtype, &mut poly)?;
            for (p, s) in poly[..r * r].iter_mut().zip(s.iter()) {
                *p = p.mul_add(C, s * B);
            }
            self.plain_product(&poly, r, x, (r, c), Layout::InOut, dtype, &mut next)?;
            for (x, y) in x[..r * c].iter_mut().zip(next.iter()) {
                *x = x.mul_add(A, *y);
            }
        }
        for buffer in [s, poly, next] {
            self.scratch.give_back(buffer);
        }
        Ok(())
    }

    /// `out` (n_rows, n_out) = `a` (n_rows, n_in) times `b`.
    fn plain_product(
        &self,
        a: &[f32],
        n_rows: usize,
        b: &[f32],
        shape: (usize, usize),
        layout: Layout,
        dtype: Dtype,
        out: &mut [f32],
    ) -> Result<(), Error> {
        let data = bytemuck::cast_slice(&b[..shape.0 * shape.1]);
        let weight = self.packed(&Matrix { dtype: Dtype::F32, layout, n_in: shape.0, n_out: shape.1, data }, dtype)?;
        let done = self.multiply(a, n_rows, &weight, super::product::Finish::Store { bias: None, activation: None }, out);
        self.scratch.give_back(weight.memory);
        done
    }
}

/// (rows, columns) becomes (columns, rows).
fn transpose(x: &mut Aligned, rows: usize, columns: usize, cpu: &Cpu) -> Result<(), Error> {
    let mut turned = cpu.scratch.take(rows * columns, "transposed momentum")?;
    for r in 0..rows {
        for c in 0..columns {
            turned[c * rows + r] = x[r * columns + c];
        }
    }
    std::mem::swap(x, &mut turned);
    cpu.scratch.give_back(turned);
    Ok(())
}
