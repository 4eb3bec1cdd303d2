//! Layer norm (Ba et al. 2016), forward and backward. Sums over C: 16 partials by index modulo 16, then the fixed tree; sums over tokens: rising.

use super::Shared;
use super::simd::{Kernel, LANES, Lanes, Unit};
use crate::Pool;
use crate::math::tree_sum;

/// Mean and 1 / standard deviation of one row.
#[inline(always)]
unsafe fn moments<L: Lanes>(x: &[f32], eps: f32) -> (f32, f32) {
    let n = x.len() as f32;
    let mut partials = L::splat(0.0);
    for chunk in x.chunks(LANES) {
        partials = L::add(partials, L::load_part(chunk.as_ptr(), chunk.len()));
    }
    let mean = tree_sum(L::to_array(partials)) / n;
    let mut partials = L::splat(0.0);
    for chunk in x.chunks(LANES) {
        let centred = L::sub(L::load_part(chunk.as_ptr(), chunk.len()), L::splat(mean));
        // Lanes beyond the row would add mean^2.
        let inside = L::select_lt(L::load(super::attention::IOTA.as_ptr()), L::splat(chunk.len() as f32), centred, L::splat(0.0));
        partials = L::fma(inside, inside, partials);
    }
    let variance = tree_sum(L::to_array(partials)) / n;
    (mean, 1.0 / (variance + eps).sqrt())
}

struct Forward<'a> {
    x: &'a [f32],
    gain: &'a [f32],
    bias: Option<&'a [f32]>,
    eps: f32,
    out: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let width = self.gain.len();
        for (x, out) in self.x.chunks_exact(width).zip(self.out.chunks_exact_mut(width)) {
            let (mean, rstd) = moments::<L>(x, self.eps);
            let (mean, rstd) = (L::splat(mean), L::splat(rstd));
            for i in (0..width).step_by(LANES) {
                let n = LANES.min(width - i);
                let hat = L::mul(L::sub(L::load_part(x.as_ptr().add(i), n), mean), rstd);
                let gain = L::load_part(self.gain.as_ptr().add(i), n);
                let y = match self.bias {
                    Some(bias) => L::fma(hat, gain, L::load_part(bias.as_ptr().add(i), n)),
                    None => L::mul(hat, gain),
                };
                L::store_part(out.as_mut_ptr().add(i), y, n);
            }
        }
    }
}

/// `out` = layer norm of each row of `x`.
pub fn layer_norm(unit: Unit, pool: &Pool, x: &[f32], n_rows: usize, gain: &[f32], bias: Option<&[f32]>, eps: f32, out: &mut [f32]) {
    let width = gain.len();
    assert!(x.len() >= n_rows * width && out.len() >= n_rows * width, "layer norm's buffers hold all rows");
    let out = Shared::new(out);
    pool.ranges(n_rows, 8, |rows| {
        // SAFETY: ranges of rows are disjoint.
        unsafe {
            let out = out.slice(rows.start * width, rows.len() * width);
            unit.run(Forward { x: &x[rows.start * width..rows.end * width], gain, bias, eps, out });
        }
    });
}

/// dx for some rows; also the rows' mean and 1 / standard deviation for the sums over tokens.
struct Inputs<'a> {
    x: &'a [f32],
    gain: &'a [f32],
    eps: f32,
    dy: &'a [f32],
    dx: &'a mut [f32],
    moments: &'a mut [f32],
}

impl Kernel for Inputs<'_> {
    type Out = ();

    /// With h = (x - mean) rstd and g = dy gain: dx += rstd (g - mean(g) - h mean(g h)).
    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let width = self.gain.len();
        let rows = self.x.chunks_exact(width).zip(self.dy.chunks_exact(width)).zip(self.dx.chunks_exact_mut(width));
        for (((x, dy), dx), kept) in rows.zip(self.moments.chunks_exact_mut(2)) {
            let (mean, rstd) = moments::<L>(x, self.eps);
            kept.copy_from_slice(&[mean, rstd]);
            let (mean, rstd) = (L::splat(mean), L::splat(rstd));
            let (mut sum_g, mut sum_gh) = (L::splat(0.0), L::splat(0.0));
            for i in (0..width).step_by(LANES) {
                let n = LANES.min(width - i);
                let h = L::mul(L::sub(L::load_part(x.as_ptr().add(i), n), mean), rstd);
                let g = L::mul(L::load_part(dy.as_ptr().add(i), n), L::load_part(self.gain.as_ptr().add(i), n));
                sum_g = L::add(sum_g, g);
                sum_gh = L::fma(g, h, sum_gh);
            }
            let mean_g = L::splat(tree_sum(L::to_array(sum_g)) / width as f32);
            let mean_gh = L::splat(tree_sum(L::to_array(sum_gh)) / width as f32);
            for i in (0..width).step_by(LANES) {
                let n = LANES.min(width - i);
                let h = L::mul(L::sub(L::load_part(x.as_ptr().add(i), n), mean), rstd);
                let g = L::mul(L::load_part(dy.as_ptr().add(i), n), L::load_part(self.gain.as_ptr().add(i), n));
                let through = L::mul(L::sub(L::sub(g, mean_g), L::mul(h, mean_gh)), rstd);
                let at = dx.as_mut_ptr().add(i);
                L::store_part(at, L::add(L::load_part(at, n), through), n);
            }
        }
    }
}

/// Gain's and bias's gradients for some columns.
struct Columns<'a> {
    x: &'a [f32],
    dy: &'a [f32],
    moments: &'a [f32],
    width: usize,
    first: usize,
    d_gain: &'a mut [f32],
    d_bias: Option<&'a mut [f32]>,
}

impl Kernel for Columns<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let mut d_bias = self.d_bias;
        for i in (0..self.d_gain.len()).step_by(LANES) {
            let n = LANES.min(self.d_gain.len() - i);
            let mut gain = L::load_part(self.d_gain.as_ptr().add(i), n);
            let mut bias = match d_bias.as_deref() {
                Some(b) => L::load_part(b.as_ptr().add(i), n),
                None => L::splat(0.0),
            };
            for (row, kept) in self.moments.chunks_exact(2).enumerate() {
                let at = row * self.width + self.first + i;
                let dy = L::load_part(self.dy.as_ptr().add(at), n);
                let h = L::mul(L::sub(L::load_part(self.x.as_ptr().add(at), n), L::splat(kept[0])), L::splat(kept[1]));
                gain = L::fma(dy, h, gain);
                bias = L::add(bias, dy);
            }
            L::store_part(self.d_gain.as_mut_ptr().add(i), gain, n);
            if let Some(d_bias) = d_bias.as_deref_mut() {
                L::store_part(d_bias.as_mut_ptr().add(i), bias, n);
            }
        }
    }
}

/// What the backward pass of layer norm reads and writes.
pub struct Backward<'a> {
    pub x: &'a [f32],
    pub n_rows: usize,
    pub gain: &'a [f32],
    pub eps: f32,
    pub dy: &'a [f32],
    pub dx: &'a mut [f32],
    pub d_gain: &'a mut [f32],
    pub d_bias: Option<&'a mut [f32]>,
}

/// `dx`, the gain's and the bias's gradients are added to.
pub fn layer_norm_backward(unit: Unit, pool: &Pool, how: Backward<'_>) {
    let Backward { x, n_rows, gain, eps, dy, dx, d_gain, d_bias } = how;
    let width = gain.len();
    assert!([x.len(), dy.len(), dx.len()].into_iter().all(|n| n >= n_rows * width), "layer norm's buffers hold all rows");
    let mut moments = vec![0f32; n_rows * 2];
    let (dx, kept) = (Shared::new(dx), Shared::new(&mut moments));
    pool.ranges(n_rows, 8, |rows| {
        // SAFETY: ranges of rows are disjoint.
        unsafe {
            let dx = dx.slice(rows.start * width, rows.len() * width);
            let moments = kept.slice(rows.start * 2, rows.len() * 2);
            let part = rows.start * width..rows.end * width;
            unit.run(Inputs { x: &x[part.clone()], gain, eps, dy: &dy[part], dx, moments });
        }
    });
    let d_gain = Shared::new(d_gain);
    let d_bias = d_bias.map(Shared::new);
    let moments = &moments;
    pool.ranges(width, LANES, |columns| {
        // SAFETY: ranges of columns are disjoint.
        unsafe {
            let d_gain = d_gain.slice(columns.start, columns.len());
            let d_bias = d_bias.map(|b| b.slice(columns.start, columns.len()));
            unit.run(Columns { x, dy, moments, width, first: columns.start, d_gain, d_bias });
        }
    });
}

struct ColumnSums<'a> {
    dy: &'a [f32],
    width: usize,
    first: usize,
    out: &'a mut [f32],
}

impl Kernel for ColumnSums<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        // Four vectors of columns at a time: a row's piece is then four whole cache lines.
        for i in (0..self.out.len()).step_by(4 * LANES) {
            let mut sums = [L::splat(0.0); 4];
            let mut lens = [0; 4];
            for v in 0..4 {
                lens[v] = self.out.len().saturating_sub(i + v * LANES).min(LANES);
                if lens[v] > 0 {
                    sums[v] = L::load_part(self.out.as_ptr().add(i + v * LANES), lens[v]);
                }
            }
            for row in self.dy.chunks_exact(self.width) {
                let at = row.as_ptr().add(self.first + i);
                for v in 0..4 {
                    if lens[v] > 0 {
                        sums[v] = L::add(sums[v], L::load_part(at.add(v * LANES), lens[v]));
                    }
                }
            }
            for v in 0..4 {
                if lens[v] > 0 {
                    L::store_part(self.out.as_mut_ptr().add(i + v * LANES), sums[v], lens[v]);
                }
            }
        }
    }
}

/// `out` += the sum of the rows, in rising order.
pub fn column_sums(unit: Unit, pool: &Pool, dy: &[f32], n_rows: usize, out: &mut [f32]) {
    let width = out.len();
    let dy = &dy[..n_rows * width];
    let out = Shared::new(out);
    pool.ranges(width, 4 * LANES, |columns| {
        // SAFETY: ranges of columns are disjoint.
        unsafe {
            let out = out.slice(columns.start, columns.len());
            unit.run(ColumnSums { dy, width, first: columns.start, out });
        }
    });
}
