//! exp, tanh, erf, log and the activations made of them: our own polynomials with fused multiply-adds, the same bits on every unit.
//!
//! Coefficients: Cephes (Moshier), single precision; erf: Abramowitz and Stegun 7.1.26. Errors, held by the tests: exp below 2 units in the last place on
//! [-87.3, 88.3] (0 below, the value at 88.37 above), tanh 2.5e-7 absolute, erf 5e-7 absolute, log 2 units in the last place.

use crate::cpu::simd::{Kernel, LANES, Lanes, Unit};

/// Below this, `exp` is 0: the result would be subnormal.
const EXP_MIN: f32 = -87.336_54;
/// Above this, `exp` stays where it is: the result would overflow.
const EXP_MAX: f32 = 88.37;

#[inline(always)]
unsafe fn horner<L: Lanes, const N: usize>(x: L::F, coefficients: [f32; N]) -> L::F {
    let mut y = L::splat(coefficients[0]);
    for c in &coefficients[1..] {
        y = L::fma(y, x, L::splat(*c));
    }
    y
}

/// e^x, lane by lane.
#[inline(always)]
pub(crate) unsafe fn exp_lanes<L: Lanes>(x: L::F) -> L::F {
    let clamped = L::max(L::min(x, L::splat(EXP_MAX)), L::splat(EXP_MIN));
    let n = L::round(L::mul(clamped, L::splat(std::f32::consts::LOG2_E)));
    let r = L::fma(n, L::splat(-0.693_359_375), clamped);
    let r = L::fma(n, L::splat(2.121_944_4e-4), r);
    let p = horner::<L, 6>(r, [1.987_569_15e-4, 1.398_199_95e-3, 8.333_451_9e-3, 4.166_579_6e-2, 1.666_666_55e-1, 5.000_000_12e-1]);
    let y = L::add(L::fma(L::mul(p, r), r, r), L::splat(1.0));
    L::select_lt(x, L::splat(EXP_MIN), L::splat(0.0), L::mul(y, L::pow2(n)))
}

/// tanh x, lane by lane.
#[inline(always)]
pub(crate) unsafe fn tanh_lanes<L: Lanes>(x: L::F) -> L::F {
    let negated = L::sub(L::splat(0.0), x);
    let magnitude = L::max(x, negated);
    let z = L::mul(x, x);
    let p = horner::<L, 5>(z, [-5.704_988_7e-3, 2.063_908_9e-2, -5.373_971_6e-2, 1.333_144_22e-1, -3.333_328_2e-1]);
    let small = L::fma(L::mul(p, z), x, x);
    let e = exp_lanes::<L>(L::add(magnitude, magnitude));
    let large = L::sub(L::splat(1.0), L::div(L::splat(2.0), L::add(e, L::splat(1.0))));
    let large = L::select_lt(x, L::splat(0.0), L::sub(L::splat(0.0), large), large);
    L::select_lt(magnitude, L::splat(0.625), small, large)
}

/// erf x, lane by lane.
#[inline(always)]
unsafe fn erf_lanes<L: Lanes>(x: L::F) -> L::F {
    let magnitude = L::max(x, L::sub(L::splat(0.0), x));
    let t = L::div(L::splat(1.0), L::fma(magnitude, L::splat(0.327_591_1), L::splat(1.0)));
    let p = L::mul(t, horner::<L, 5>(t, [1.061_405_43, -1.453_152_03, 1.421_413_74, -0.284_496_736, 0.254_829_592]));
    let e = exp_lanes::<L>(L::sub(L::splat(0.0), L::mul(x, x)));
    let y = L::sub(L::splat(1.0), L::mul(p, e));
    L::select_lt(x, L::splat(0.0), L::sub(L::splat(0.0), y), y)
}

/// The non-linearity of the feed-forward part, by Hugging Face's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Activation {
    /// `gelu_new`, `gelu_pytorch_tanh`: 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) (Hendrycks and Gimpel 2016; what GPT-2 uses).
    #[default]
    GeluNew,
    /// `gelu`: x times the normal distribution function.
    Gelu,
    /// `relu`.
    Relu,
    /// `silu`, `swish`: x / (1 + e^-x).
    Silu,
    /// `tanh`.
    Tanh,
}

const SQRT_2_OVER_PI: f32 = 0.797_884_56;
const CUBIC: f32 = 0.044_715;

impl Activation {
    /// The value, lane by lane.
    #[inline(always)]
    pub(crate) unsafe fn lanes<L: Lanes>(self, x: L::F) -> L::F {
        let one = L::splat(1.0);
        let half_x = L::mul(L::splat(0.5), x);
        match self {
            Self::GeluNew => {
                let cube = L::mul(L::mul(x, x), x);
                let t = tanh_lanes::<L>(L::mul(L::splat(SQRT_2_OVER_PI), L::fma(cube, L::splat(CUBIC), x)));
                L::fma(half_x, t, half_x)
            }
            Self::Gelu => L::fma(half_x, erf_lanes::<L>(L::mul(x, L::splat(std::f32::consts::FRAC_1_SQRT_2))), half_x),
            Self::Relu => L::max(x, L::splat(0.0)),
            // Below -88 the exponential is cut off where f32 ends; the quotient would grow again.
            Self::Silu => {
                let y = L::div(x, L::add(one, exp_lanes::<L>(L::sub(L::splat(0.0), x))));
                L::select_lt(x, L::splat(-88.0), L::splat(0.0), y)
            }
            Self::Tanh => tanh_lanes::<L>(x),
        }
    }

    /// The derivative, lane by lane.
    #[inline(always)]
    pub(crate) unsafe fn slope_lanes<L: Lanes>(self, x: L::F) -> L::F {
        let (zero, half, one) = (L::splat(0.0), L::splat(0.5), L::splat(1.0));
        match self {
            Self::GeluNew => {
                let square = L::mul(x, x);
                let t = tanh_lanes::<L>(L::mul(L::splat(SQRT_2_OVER_PI), L::fma(L::mul(square, x), L::splat(CUBIC), x)));
                // The square of a great number is infinite, where what it is multiplied with has long been nothing.
                let inner = L::mul(L::splat(SQRT_2_OVER_PI), L::fma(L::min(square, L::splat(1e30)), L::splat(3.0 * CUBIC), one));
                let bend = L::mul(L::mul(L::mul(half, x), L::sub(one, L::mul(t, t))), inner);
                L::add(L::fma(half, t, half), bend)
            }
            Self::Gelu => {
                let cdf = L::fma(half, erf_lanes::<L>(L::mul(x, L::splat(std::f32::consts::FRAC_1_SQRT_2))), half);
                let pdf = L::mul(L::splat(0.398_942_28), exp_lanes::<L>(L::mul(L::mul(L::splat(-0.5), x), x)));
                L::fma(x, pdf, cdf)
            }
            Self::Relu => L::select_lt(zero, x, one, zero),
            Self::Silu => {
                let s = L::div(one, L::add(one, exp_lanes::<L>(L::sub(zero, x))));
                let slope = L::mul(s, L::fma(x, L::sub(one, s), one));
                L::select_lt(x, L::splat(-88.0), zero, slope)
            }
            Self::Tanh => {
                let t = tanh_lanes::<L>(x);
                L::sub(one, L::mul(t, t))
            }
        }
    }
}

/// The natural logarithm of a positive normal number (Cephes `logf`).
pub fn log(x: f32) -> f32 {
    let bits = x.to_bits();
    let mut exponent = (bits >> 23) as i32 - 126;
    let mut m = f32::from_bits(bits & 0x007f_ffff | 0x3f00_0000);
    if m < std::f32::consts::FRAC_1_SQRT_2 {
        exponent -= 1;
        m += m;
    }
    let m = m - 1.0;
    let z = m * m;
    let coefficients = [
        7.037_683_6e-2,
        -1.151_461_03e-1,
        1.167_699_87e-1,
        -1.242_014_08e-1,
        1.424_932_28e-1,
        -1.666_805_77e-1,
        2.000_071_48e-1,
        -2.499_999_4e-1,
        3.333_333_12e-1f32,
    ];
    let p = coefficients[1..].iter().fold(coefficients[0], |p: f32, c| p.mul_add(m, *c));
    let e = exponent as f32;
    let y = e.mul_add(-2.121_944_4e-4, p * m * z);
    let y = z.mul_add(-0.5, y);
    e.mul_add(0.693_359_375, m + y)
}

struct Each<'a, F>(&'a mut [f32], F);

/// A function of sixteen lanes.
trait LaneMap {
    unsafe fn map<L: Lanes>(&self, x: L::F) -> L::F;
}

impl<F: LaneMap> Kernel for Each<'_, F> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        for chunk in self.0.chunks_mut(LANES) {
            let x = L::load_part(chunk.as_ptr(), chunk.len());
            L::store_part(chunk.as_mut_ptr(), self.1.map::<L>(x), chunk.len());
        }
    }
}

struct Exp;

impl LaneMap for Exp {
    #[inline(always)]
    unsafe fn map<L: Lanes>(&self, x: L::F) -> L::F {
        exp_lanes::<L>(x)
    }
}

impl LaneMap for Activation {
    #[inline(always)]
    unsafe fn map<L: Lanes>(&self, x: L::F) -> L::F {
        self.lanes::<L>(x)
    }
}

/// e^x of every value, in place.
pub fn exp_all(unit: Unit, values: &mut [f32]) {
    // SAFETY: the kernel stays inside the slice; `Unit` values other than the detected ones are refused where backends are made.
    unsafe { unit.run(Each(values, Exp)) }
}

/// The activation of every value, in place.
pub fn activate_all(unit: Unit, activation: Activation, values: &mut [f32]) {
    // SAFETY: as in `exp_all`.
    unsafe { unit.run(Each(values, activation)) }
}

struct Sum<'a>(&'a [f32]);

impl Kernel for Sum<'_> {
    type Out = f32;
    #[inline(always)]
    unsafe fn run<L: Lanes>(self) -> f32 {
        let mut partials = L::splat(0.0);
        for chunk in self.0.chunks(LANES) {
            partials = L::add(partials, L::load_part(chunk.as_ptr(), chunk.len()));
        }
        tree_sum(L::to_array(partials))
    }
}

/// The sum by the rule of `exact-1`: 16 partials by index modulo 16, then the fixed tree.
pub fn sum(unit: Unit, values: &[f32]) -> f32 {
    // SAFETY: the kernel reads inside the slice.
    unsafe { unit.run(Sum(values)) }
}

/// The fixed tree over 16 partials: halves added lane by lane, four times.
#[inline(always)]
pub(crate) fn tree_sum(mut p: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            p[i] += p[i + width];
        }
        width /= 2;
    }
    p[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units() -> impl Iterator<Item = Unit> {
        [Unit::Avx512, Unit::Avx2, Unit::Scalar].into_iter().filter(|u| u.is_available())
    }

    #[test]
    fn exp_is_within_two_units_in_the_last_place_and_the_same_on_every_unit() {
        let inputs: Vec<f32> =
            (0..200_000).map(|i| -88.0 + i as f32 * (176.3 / 200_000.0)).chain([-1e30, f32::NEG_INFINITY, 0.0, -0.0]).collect();
        let mut scalar = inputs.clone();
        exp_all(Unit::Scalar, &mut scalar);
        for (x, y) in inputs.iter().zip(&scalar) {
            let want = f64::from(*x).exp();
            if *x < EXP_MIN {
                assert_eq!(*y, 0.0);
            } else {
                assert!((f64::from(*y) - want).abs() <= 2.0 * want * f64::from(f32::EPSILON), "exp({x}) = {y}, not {want}");
            }
        }
        for unit in units() {
            let mut other = inputs.clone();
            exp_all(unit, &mut other);
            assert!(other.iter().zip(&scalar).all(|(a, b)| a.to_bits() == b.to_bits()), "{unit}");
        }
    }

    #[test]
    fn activations_agree_with_f64_and_between_units() {
        let inputs: Vec<f32> = (0..40_001).map(|i| (i - 20_000) as f32 * 6e-4).collect();
        let tanh_gelu = |x: f64| 0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x)).tanh());
        let check = |activation: Activation, want: &dyn Fn(f64) -> f64| {
            let mut scalar = inputs.clone();
            activate_all(Unit::Scalar, activation, &mut scalar);
            for (x, y) in inputs.iter().zip(&scalar) {
                assert!((f64::from(*y) - want(f64::from(*x))).abs() < 4e-6, "{activation:?}({x}) = {y}");
            }
            for unit in units() {
                let mut other = inputs.clone();
                activate_all(unit, activation, &mut other);
                assert!(other.iter().zip(&scalar).all(|(a, b)| a.to_bits() == b.to_bits()), "{activation:?} on {unit}");
            }
        };
        check(Activation::GeluNew, &tanh_gelu);
        check(Activation::Relu, &|x| x.max(0.0));
        check(Activation::Silu, &|x| x / (1.0 + (-x).exp()));
        check(Activation::Tanh, &f64::tanh);
        // The exact GELU lies within 5e-4 of its tanh form; its own error is erf's.
        check(Activation::Gelu, &|x| {
            let n = 4000;
            let h = x / f64::from(n);
            let pdf = |t: f64| (-0.5 * t * t).exp() / (2.0 * std::f64::consts::PI).sqrt();
            let simpson: f64 =
                (0..n).step_by(2).map(|i| pdf(h * f64::from(i)) + 4.0 * pdf(h * f64::from(i + 1)) + pdf(h * f64::from(i + 2))).sum();
            x * (0.5 + simpson * h / 3.0)
        });
    }

    #[test]
    fn log_is_within_two_units_in_the_last_place() {
        for i in 1..100_000 {
            let x = i as f32 * 0.37;
            let want = f64::from(x).ln();
            assert!((f64::from(log(x)) - want).abs() <= 2.0 * f64::from(f32::EPSILON) * want.abs().max(0.2), "log({x})");
        }
    }
}
