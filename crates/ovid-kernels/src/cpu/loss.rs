//! Cross-entropy, and the scores of given tokens, row by row of logits.

use super::simd::{Kernel, LANES, Lanes, Unit};
use crate::backend::Score;
use crate::math::{exp_lanes, log, tree_sum};

/// Turns logits into exp(logit - max); gives (max, sum of the exponentials).
struct Exponentials<'a>(&'a mut [f32]);

impl Kernel for Exponentials<'_> {
    type Out = (f32, f32);

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) -> (f32, f32) {
        let mut max = L::splat(f32::NEG_INFINITY);
        for chunk in self.0.chunks_exact(LANES) {
            max = L::max(L::load(chunk.as_ptr()), max);
        }
        let tail = self.0.chunks_exact(LANES).remainder();
        let max = L::to_array(max).into_iter().chain(tail.iter().copied()).fold(f32::NEG_INFINITY, |a, b| if b > a { b } else { a });
        let mut partials = L::splat(0.0);
        for chunk in self.0.chunks_mut(LANES) {
            let e = exp_lanes::<L>(L::sub(L::load_part(chunk.as_ptr(), chunk.len()), L::splat(max)));
            L::store_part(chunk.as_mut_ptr(), e, chunk.len());
            partials = L::add(partials, L::load_part(chunk.as_ptr(), chunk.len()));
        }
        (max, tree_sum(L::to_array(partials)))
    }
}

struct Scale<'a>(&'a mut [f32], f32);

impl Kernel for Scale<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        for chunk in self.0.chunks_mut(LANES) {
            let y = L::mul(L::load_part(chunk.as_ptr(), chunk.len()), L::splat(self.1));
            L::store_part(chunk.as_mut_ptr(), y, chunk.len());
        }
    }
}

/// The loss of one row in nats; the logits become d loss / d logits times `scale`. A target outside the vocabulary is not counted and gives zeros.
pub fn cross_entropy(unit: Unit, logits: &mut [f32], target: u32, scale: f32) -> f64 {
    let Some(at) = logits.get(target as usize).copied() else {
        logits.fill(0.0);
        return 0.0;
    };
    // SAFETY: both kernels stay inside the slice.
    let (max, sum) = unsafe { unit.run(Exponentials(logits)) };
    let loss = f64::from(log(sum)) + f64::from(max - at);
    // SAFETY: as above.
    unsafe { unit.run(Scale(logits, scale / sum)) };
    logits[target as usize] -= scale;
    loss
}

/// The greatest logit.
struct Greatest<'a>(&'a [f32]);

impl Kernel for Greatest<'_> {
    type Out = f32;

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) -> f32 {
        let mut max = L::splat(f32::NEG_INFINITY);
        for chunk in self.0.chunks_exact(LANES) {
            max = L::max(L::load(chunk.as_ptr()), max);
        }
        let tail = self.0.chunks_exact(LANES).remainder();
        L::to_array(max).into_iter().chain(tail.iter().copied()).fold(f32::NEG_INFINITY, |a, b| if b > a { b } else { a })
    }
}

/// With d = logit - max: the sums of exp(d), d exp(d) and d^2 exp(d). The last two in f64, since a variance is their difference.
struct Moments<'a>(&'a [f32], f32);

impl Kernel for Moments<'_> {
    type Out = (f32, f64, f64);

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) -> (f32, f64, f64) {
        let max = L::splat(self.1);
        let mut partials = L::splat(0.0);
        let (mut first, mut second) = ([0f64; LANES], [0f64; LANES]);
        for chunk in self.0.chunks(LANES) {
            let (mut d, mut e) = ([0f32; LANES], [0f32; LANES]);
            let shifted = L::sub(L::load_part(chunk.as_ptr(), chunk.len()), max);
            L::store(d.as_mut_ptr(), shifted);
            L::store_part(e.as_mut_ptr(), exp_lanes::<L>(shifted), chunk.len());
            partials = L::add(partials, L::load(e.as_ptr()));
            for i in 0..LANES {
                // A logit of minus infinity has no part in either sum, and 0 times infinity is no number.
                let (e, d) = (f64::from(e[i]), if e[i] > 0.0 { f64::from(d[i]) } else { 0.0 });
                first[i] += e * d;
                second[i] += e * (d * d);
            }
        }
        (tree_sum(L::to_array(partials)), first.iter().sum(), second.iter().sum())
    }
}

/// The score of one row.
pub fn score(unit: Unit, logits: &[f32], target: Option<u32>, top: usize) -> Score {
    let mut best = top_tokens(logits, top);
    let target = target.and_then(|t| logits.get(t as usize).map(|x| (t as usize, *x)));
    let rank = target.map_or(0, |(t, x)| {
        // SAFETY: the kernel only reads the slices.
        let (before, after) = unsafe { (unit.run(AtLeast(&logits[..t], x, true)), unit.run(AtLeast(&logits[t + 1..], x, false))) };
        1 + before + after
    });
    // SAFETY: both kernels only read the slice.
    let (max, (sum, first, second)) = unsafe {
        let max = unit.run(Greatest(logits));
        (max, unit.run(Moments(logits, max)))
    };
    // Entropy = log-sum-exp - expected logit; a log-probability differs from its logit by a constant, so that both have one variance.
    let log_sum = log(sum);
    let mean = first / f64::from(sum);
    for (_, y) in &mut best {
        *y = (*y - max) - log_sum;
    }
    Score {
        logprob: target.map_or(f32::NAN, |(_, x)| (x - max) - log_sum),
        rank,
        entropy: (f64::from(log_sum) - mean) as f32,
        variance: (second / f64::from(sum) - mean * mean).max(0.0) as f32,
        top: best,
    }
}

/// How many values are above a bound, or equal to it too.
struct AtLeast<'a>(&'a [f32], f32, bool);

impl Kernel for AtLeast<'_> {
    type Out = u32;

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) -> u32 {
        let Self(values, bound, equal_too) = self;
        if equal_too { values.iter().map(|y| u32::from(*y >= bound)).sum() } else { values.iter().map(|y| u32::from(*y > bound)).sum() }
    }
}

/// The `n` greatest logits, of equal ones the lower id first.
fn top_tokens(logits: &[f32], n: usize) -> Vec<(u32, f32)> {
    let n = n.min(logits.len());
    if n == 0 {
        return Vec::new();
    }
    let order = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    // Adding zero turns minus zero into zero, which it ties with, as in the ranks.
    let mut all: Vec<(u32, f32)> = logits.iter().enumerate().map(|(i, x)| (i as u32, *x + 0.0)).collect();
    if n < all.len() {
        all.select_nth_unstable_by(n - 1, order);
        all.truncate(n);
    }
    all.sort_unstable_by(order);
    all
}
