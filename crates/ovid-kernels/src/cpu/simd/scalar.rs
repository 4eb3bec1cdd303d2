//! Sixteen lanes in plain Rust: what every processor can do, and what the others are held against.

use super::{LANES, Lanes};

#[derive(Clone, Copy)]
pub struct Scalar;

type F = [f32; LANES];
type I = [i32; LANES];

#[inline(always)]
fn map(a: F, f: impl Fn(f32) -> f32) -> F {
    std::array::from_fn(|i| f(a[i]))
}

#[inline(always)]
fn zip(a: F, b: F, f: impl Fn(f32, f32) -> f32) -> F {
    std::array::from_fn(|i| f(a[i], b[i]))
}

fn flush(x: f32) -> f32 {
    if x.abs() < f32::MIN_POSITIVE { 0f32.copysign(x) } else { x }
}

impl Lanes for Scalar {
    type F = F;
    type I = I;
    type Bytes = I;
    const WIDE: bool = false;

    #[inline(always)]
    unsafe fn load(p: *const f32) -> F {
        p.cast::<F>().read_unaligned()
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, x: F) {
        p.cast::<F>().write_unaligned(x);
    }
    #[inline(always)]
    unsafe fn load_part(p: *const f32, n: usize) -> F {
        let mut lanes = [0f32; LANES];
        std::ptr::copy_nonoverlapping(p, lanes.as_mut_ptr(), n.min(LANES));
        lanes
    }
    #[inline(always)]
    unsafe fn store_part(p: *mut f32, x: F, n: usize) {
        std::ptr::copy_nonoverlapping(x.as_ptr(), p, n.min(LANES));
    }
    #[inline(always)]
    unsafe fn load_f16(p: *const u16) -> F {
        std::array::from_fn(|i| half::f16::from_bits(p.add(i).read_unaligned()).to_f32_const())
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> F {
        [x; LANES]
    }
    #[inline(always)]
    unsafe fn add(a: F, b: F) -> F {
        zip(a, b, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(a: F, b: F) -> F {
        zip(a, b, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(a: F, b: F) -> F {
        zip(a, b, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn div(a: F, b: F) -> F {
        zip(a, b, |a, b| a / b)
    }
    #[inline(always)]
    unsafe fn fma(a: F, b: F, c: F) -> F {
        std::array::from_fn(|i| a[i].mul_add(b[i], c[i]))
    }
    #[inline(always)]
    unsafe fn max(a: F, b: F) -> F {
        zip(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    unsafe fn min(a: F, b: F) -> F {
        zip(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    unsafe fn sqrt(a: F) -> F {
        map(a, f32::sqrt)
    }
    #[inline(always)]
    unsafe fn round(a: F) -> F {
        map(a, f32::round_ties_even)
    }
    #[inline(always)]
    unsafe fn select_lt(a: F, b: F, x: F, y: F) -> F {
        std::array::from_fn(|i| if a[i] < b[i] { x[i] } else { y[i] })
    }
    #[inline(always)]
    unsafe fn pow2(n: F) -> F {
        map(n, |n| f32::from_bits(((n as i32 + 127) as u32) << 23))
    }
    #[inline(always)]
    unsafe fn to_array(a: F) -> [f32; LANES] {
        a
    }
    #[inline(always)]
    unsafe fn load_i(p: *const i32) -> I {
        p.cast::<I>().read_unaligned()
    }
    #[inline(always)]
    unsafe fn splat_i(x: i32) -> I {
        [x; LANES]
    }
    #[inline(always)]
    unsafe fn to_f(a: I) -> F {
        std::array::from_fn(|i| a[i] as f32)
    }
    #[inline(always)]
    unsafe fn low_nibbles(a: I) -> I {
        std::array::from_fn(|i| a[i] & 0x0f0f_0f0f)
    }
    #[inline(always)]
    unsafe fn high_nibbles(a: I) -> I {
        std::array::from_fn(|i| a[i] >> 4 & 0x0f0f_0f0f)
    }
    #[inline(always)]
    unsafe fn bytes(w: I) -> I {
        w
    }
    #[inline(always)]
    unsafe fn dot_bytes(acc: I, w: I, x: *const i32, step: usize) -> I {
        let (even, odd) = (*x, *x.add(step));
        std::array::from_fn(|i| {
            let w = w[i].to_le_bytes().map(i32::from);
            let pair = |a: i32, b: i32, x: i32| a * i32::from(x as i16) + b * (x >> 16);
            acc[i] + pair(w[0], w[2], even) + pair(w[1], w[3], odd)
        })
    }
    #[inline(always)]
    unsafe fn dot_nibbles(sums: I, w: I, x: I) -> I {
        std::array::from_fn(|i| {
            let (w, x) = (w[i].to_le_bytes(), x[i].to_le_bytes());
            sums[i] + (0..4).map(|j| i32::from(w[j]) * i32::from(x[j] as i8)).sum::<i32>()
        })
    }
    #[inline(always)]
    unsafe fn nibble_sums(sums: I) -> I {
        sums
    }
    #[inline(always)]
    unsafe fn add_i(a: I, b: I) -> I {
        std::array::from_fn(|i| a[i] + b[i])
    }
    #[inline(always)]
    unsafe fn dot_bf16(acc: F, w: I, x: *const i32, step: usize) -> F {
        let (even, odd) = (f32::from_bits(*x as u32), f32::from_bits(*x.add(step) as u32));
        let (w_even, w_odd) = (Self::even_bf16(w), Self::odd_bf16(w));
        std::array::from_fn(|i| {
            let acc = flush(w_odd[i].mul_add(odd, flush(acc[i])));
            flush(w_even[i].mul_add(even, acc))
        })
    }
    #[inline(always)]
    unsafe fn pair_bf16(even: F, odd: F) -> I {
        let round = |x: f32| {
            let bits = flush(x).to_bits();
            if x.is_nan() { bits >> 16 | 0x40 } else { (bits + 0x7fff + (bits >> 16 & 1)) >> 16 }
        };
        std::array::from_fn(|i| (round(even[i]) | round(odd[i]) << 16) as i32)
    }
    #[inline(always)]
    unsafe fn even_bf16(x: I) -> F {
        std::array::from_fn(|i| f32::from_bits((x[i] as u32) << 16))
    }
    #[inline(always)]
    unsafe fn odd_bf16(x: I) -> F {
        std::array::from_fn(|i| f32::from_bits(x[i] as u32 & 0xffff_0000))
    }
    #[inline(always)]
    unsafe fn store_i(p: *mut i32, x: I) {
        p.cast::<I>().write_unaligned(x);
    }
    #[inline(always)]
    unsafe fn as_f(x: I) -> F {
        std::array::from_fn(|i| f32::from_bits(x[i] as u32))
    }
}
