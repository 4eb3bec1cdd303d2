//! Activations, dropout, the optimiser's update and sums of squares: one pass over memory each.

use super::Shared;
use super::simd::{Kernel, LANES, Lanes, Unit};
use crate::backend::{AdamW, Dropout};
use crate::math::Activation;
use crate::{Pool, math};
use ovid_stats::philox4x32;
use std::ops::Range;

/// Values of one task: 64 KiB of f32, and the fixed piece of sums over flat buffers.
const GRAIN: usize = 1 << 14;

struct Activate<'a> {
    x: &'a [f32],
    activation: Activation,
    out: &'a mut [f32],
}

impl Kernel for Activate<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        for (x, out) in self.x.chunks(LANES).zip(self.out.chunks_mut(LANES)) {
            let y = self.activation.lanes::<L>(L::load_part(x.as_ptr(), x.len()));
            L::store_part(out.as_mut_ptr(), y, x.len());
        }
    }
}

/// `out` = activation(x).
pub fn activate(unit: Unit, pool: &Pool, x: &[f32], activation: Activation, out: &mut [f32]) {
    assert_eq!(x.len(), out.len(), "an activation keeps the length");
    let out = Shared::new(out);
    pool.ranges(x.len(), GRAIN, |range| {
        // SAFETY: ranges are disjoint.
        unsafe { unit.run(Activate { x: &x[range.clone()], activation, out: out.slice(range.start, range.len()) }) }
    });
}

struct ActivateBackward<'a> {
    x: &'a [f32],
    activation: Activation,
    dy: &'a mut [f32],
}

impl Kernel for ActivateBackward<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        for (x, dy) in self.x.chunks(LANES).zip(self.dy.chunks_mut(LANES)) {
            let slope = self.activation.slope_lanes::<L>(L::load_part(x.as_ptr(), x.len()));
            let y = L::mul(slope, L::load_part(dy.as_ptr(), x.len()));
            L::store_part(dy.as_mut_ptr(), y, x.len());
        }
    }
}

/// `dy` *= activation'(x).
pub fn activate_backward(unit: Unit, pool: &Pool, x: &[f32], activation: Activation, dy: &mut [f32]) {
    assert_eq!(x.len(), dy.len(), "an activation keeps the length");
    let dy = Shared::new(dy);
    pool.ranges(x.len(), GRAIN, |range| {
        // SAFETY: ranges are disjoint.
        unsafe { unit.run(ActivateBackward { x: &x[range.clone()], activation, dy: dy.slice(range.start, range.len()) }) }
    });
}

/// What sixteen neighbouring values are multiplied with: 0 with probability p, else 1 / (1 - p). The bits are Philox's at (4 column + i, row, place) under the seed.
#[inline(always)]
pub fn keep_mask(how: &Dropout, row: u64, column: u32) -> [f32; LANES] {
    let threshold = (f64::from(how.p) * 4_294_967_296.0) as u64;
    let keep = 1.0 / (1.0 - how.p);
    let row = how.first_row + row;
    let mut mask = [keep; LANES];
    for (i, four) in mask.chunks_exact_mut(4).enumerate() {
        // The step is below 2^32 and the site below 2^16, so the row's upper bits have a place of their own.
        let place = [how.place as u32, (how.place >> 32) as u32 ^ ((row >> 32) as u32) << 16];
        let bits = philox4x32([column << 2 | i as u32, row as u32, place[0], place[1]], [how.seed as u32, (how.seed >> 32) as u32]);
        for (x, bits) in four.iter_mut().zip(bits) {
            if u64::from(bits) < threshold {
                *x = 0.0;
            }
        }
    }
    mask
}

/// Drops in place.
pub fn dropout(pool: &Pool, x: &mut [f32], n_rows: usize, width: usize, how: &Dropout) {
    let x = Shared::new(&mut x[..n_rows * width]);
    pool.ranges(n_rows, 8, |rows| {
        for row in rows {
            // SAFETY: ranges of rows are disjoint.
            let values = unsafe { x.slice(row * width, width) };
            for (column, chunk) in values.chunks_mut(LANES).enumerate() {
                for (x, keep) in chunk.iter_mut().zip(keep_mask(how, row as u64, column as u32)) {
                    *x *= keep;
                }
            }
        }
    });
}

struct Update<'a> {
    params: &'a mut [f32],
    grads: &'a [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
    how: &'a AdamW,
}

impl Kernel for Update<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let AdamW { lr, beta1, beta2, eps, weight_decay, correction1, correction2, grad_scale } = *self.how;
        let step = L::splat(-lr / correction1);
        let root = L::splat(1.0 / correction2.sqrt());
        let shrink = L::splat(1.0 - lr * weight_decay);
        let n = self.params.len();
        for i in (0..n).step_by(LANES) {
            let len = LANES.min(n - i);
            let g = L::mul(L::load_part(self.grads.as_ptr().add(i), len), L::splat(grad_scale));
            let (m, v) = (L::load_part(self.m.as_ptr().add(i), len), L::load_part(self.v.as_ptr().add(i), len));
            let m = L::fma(L::sub(g, m), L::splat(1.0 - beta1), m);
            let v = L::fma(L::sub(L::mul(g, g), v), L::splat(1.0 - beta2), v);
            let denominator = L::fma(L::sqrt(v), root, L::splat(eps));
            let p = L::fma(L::div(m, denominator), step, L::mul(L::load_part(self.params.as_ptr().add(i), len), shrink));
            L::store_part(self.m.as_mut_ptr().add(i), m, len);
            L::store_part(self.v.as_mut_ptr().add(i), v, len);
            L::store_part(self.params.as_mut_ptr().add(i), p, len);
        }
    }
}

/// AdamW, algorithm 2 of Loshchilov and Hutter 2019.
pub fn adamw(unit: Unit, pool: &Pool, params: &mut [f32], grads: &[f32], m: &mut [f32], v: &mut [f32], how: &AdamW) {
    let n = params.len();
    assert!(grads.len() == n && m.len() == n && v.len() == n, "the flat buffers are equally long");
    let (params, m, v) = (Shared::new(params), Shared::new(m), Shared::new(v));
    pool.ranges(n, GRAIN, |r| {
        // SAFETY: ranges are disjoint.
        unsafe {
            let (params, m, v) = (params.slice(r.start, r.len()), m.slice(r.start, r.len()), v.slice(r.start, r.len()));
            unit.run(Update { params, grads: &grads[r], m, v, how });
        }
    });
}

/// The sum of squares: f32 within fixed pieces by the rule of sums, pieces added in f64 in rising order.
pub fn sum_of_squares(unit: Unit, pool: &Pool, values: &[f32], range: Range<usize>) -> f64 {
    let values = &values[range];
    let mut partials = vec![0f64; values.len().div_ceil(GRAIN)];
    let shared = Shared::new(&mut partials);
    pool.run(values.len().div_ceil(GRAIN), |i| {
        let piece = &values[i * GRAIN..((i + 1) * GRAIN).min(values.len())];
        // SAFETY: one element a task; the kernel reads inside the slice.
        unsafe { shared.slice(i, 1)[0] = f64::from(unit.run(Squares(piece))) };
    });
    partials.iter().sum()
}

struct Squares<'a>(&'a [f32]);

impl Kernel for Squares<'_> {
    type Out = f32;

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) -> f32 {
        let mut partials = L::splat(0.0);
        for chunk in self.0.chunks(LANES) {
            let x = L::load_part(chunk.as_ptr(), chunk.len());
            partials = L::fma(x, x, partials);
        }
        math::tree_sum(L::to_array(partials))
    }
}
