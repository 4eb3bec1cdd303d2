//! Two 256-bit registers are sixteen lanes.

use super::{Kernel, LANES, Lanes};
use std::arch::x86_64::{
    __m256, __m256i, _CMP_LT_OQ, _CMP_NLT_UQ, _CMP_UNORD_Q, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEAREST_INT, _mm_loadu_si128,
    _mm256_add_epi16, _mm256_add_epi32, _mm256_add_ps, _mm256_and_ps, _mm256_and_si256, _mm256_blendv_epi8, _mm256_blendv_ps,
    _mm256_castps_si256, _mm256_castsi256_ps, _mm256_cmp_ps, _mm256_cvtepi32_ps, _mm256_cvtph_ps, _mm256_cvtps_epi32, _mm256_div_ps,
    _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_max_ps, _mm256_min_ps,
    _mm256_mul_ps, _mm256_or_ps, _mm256_or_si256, _mm256_permute2f128_ps, _mm256_round_ps, _mm256_set1_epi8, _mm256_set1_epi16,
    _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_ps, _mm256_shuffle_ps, _mm256_slli_epi32, _mm256_sqrt_ps, _mm256_srli_epi16,
    _mm256_srli_epi32, _mm256_storeu_ps, _mm256_storeu_si256, _mm256_sub_ps, _mm256_unpackhi_ps, _mm256_unpacklo_ps,
};

#[derive(Clone, Copy)]
pub struct Avx2;

#[target_feature(enable = "avx2,fma,f16c")]
pub unsafe fn enter<K: Kernel>(kernel: K) -> K::Out {
    kernel.run::<Avx2>()
}

#[inline(always)]
unsafe fn flush(x: __m256) -> __m256 {
    let magnitude = _mm256_and_ps(x, _mm256_castsi256_ps(_mm256_set1_epi32(0x7fff_ffff)));
    let sign = _mm256_and_ps(x, _mm256_set1_ps(-0.0));
    let normal = _mm256_cmp_ps::<_CMP_NLT_UQ>(magnitude, _mm256_set1_ps(f32::MIN_POSITIVE));
    _mm256_or_ps(sign, _mm256_and_ps(normal, x))
}

#[inline(always)]
unsafe fn even_half(x: __m256i) -> __m256 {
    _mm256_castsi256_ps(_mm256_slli_epi32::<16>(x))
}

#[inline(always)]
unsafe fn odd_half(x: __m256i) -> __m256 {
    _mm256_castsi256_ps(_mm256_and_si256(x, _mm256_set1_epi32(0xffff_0000u32 as i32)))
}

#[inline(always)]
unsafe fn dot_bf16_half(acc: __m256, w: __m256i, even: __m256, odd: __m256) -> __m256 {
    let (w_even, w_odd) = (even_half(w), odd_half(w));
    let acc = flush(_mm256_fmadd_ps(w_odd, odd, flush(acc)));
    flush(_mm256_fmadd_ps(w_even, even, acc))
}

/// Eight rows of eight become columns.
#[inline(always)]
unsafe fn transpose_8(r: [__m256; 8]) -> [__m256; 8] {
    let mut a = r;
    for i in 0..4 {
        a[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        a[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
    let mut b = a;
    for i in 0..2 {
        b[4 * i] = _mm256_shuffle_ps::<0x44>(a[4 * i], a[4 * i + 2]);
        b[4 * i + 1] = _mm256_shuffle_ps::<0xee>(a[4 * i], a[4 * i + 2]);
        b[4 * i + 2] = _mm256_shuffle_ps::<0x44>(a[4 * i + 1], a[4 * i + 3]);
        b[4 * i + 3] = _mm256_shuffle_ps::<0xee>(a[4 * i + 1], a[4 * i + 3]);
    }
    let mut c = b;
    for i in 0..4 {
        c[i] = _mm256_permute2f128_ps::<0x20>(b[i], b[4 + i]);
        c[4 + i] = _mm256_permute2f128_ps::<0x31>(b[i], b[4 + i]);
    }
    c
}

/// The bf16 nearest to each lane, in its upper half; the lower half is 0.
#[inline(always)]
unsafe fn round_bf16(x: __m256) -> __m256i {
    let bits = _mm256_castps_si256(flush(x));
    let odd = _mm256_and_si256(_mm256_srli_epi32::<16>(bits), _mm256_set1_epi32(1));
    let rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    let nan = _mm256_castps_si256(_mm256_cmp_ps::<_CMP_UNORD_Q>(x, x));
    let quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x0040_0000));
    _mm256_and_si256(_mm256_blendv_epi8(rounded, quiet, nan), _mm256_set1_epi32(0xffff_0000u32 as i32))
}

#[inline(always)]
unsafe fn pair_half(even: __m256, odd: __m256) -> __m256i {
    _mm256_or_si256(_mm256_srli_epi32::<16>(round_bf16(even)), round_bf16(odd))
}

impl Lanes for Avx2 {
    type F = [__m256; 2];
    type I = [__m256i; 2];
    /// The even and the odd bytes, 16 bits each, of both halves.
    type Bytes = [[__m256i; 2]; 2];
    const WIDE: bool = false;

    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self::F {
        [_mm256_loadu_ps(p), _mm256_loadu_ps(p.add(8))]
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, x: Self::F) {
        _mm256_storeu_ps(p, x[0]);
        _mm256_storeu_ps(p.add(8), x[1]);
    }
    #[inline(always)]
    unsafe fn load_part(p: *const f32, n: usize) -> Self::F {
        if n >= LANES {
            return Self::load(p);
        }
        let mut lanes = [0f32; LANES];
        std::ptr::copy_nonoverlapping(p, lanes.as_mut_ptr(), n);
        Self::load(lanes.as_ptr())
    }
    #[inline(always)]
    unsafe fn store_part(p: *mut f32, x: Self::F, n: usize) {
        if n >= LANES {
            return Self::store(p, x);
        }
        std::ptr::copy_nonoverlapping(Self::to_array(x).as_ptr(), p, n);
    }
    #[inline(always)]
    unsafe fn load_f16(p: *const u16) -> Self::F {
        [_mm256_cvtph_ps(_mm_loadu_si128(p.cast())), _mm256_cvtph_ps(_mm_loadu_si128(p.add(8).cast()))]
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self::F {
        [_mm256_set1_ps(x); 2]
    }
    #[inline(always)]
    unsafe fn add(a: Self::F, b: Self::F) -> Self::F {
        [_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])]
    }
    #[inline(always)]
    unsafe fn sub(a: Self::F, b: Self::F) -> Self::F {
        [_mm256_sub_ps(a[0], b[0]), _mm256_sub_ps(a[1], b[1])]
    }
    #[inline(always)]
    unsafe fn mul(a: Self::F, b: Self::F) -> Self::F {
        [_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])]
    }
    #[inline(always)]
    unsafe fn div(a: Self::F, b: Self::F) -> Self::F {
        [_mm256_div_ps(a[0], b[0]), _mm256_div_ps(a[1], b[1])]
    }
    #[inline(always)]
    unsafe fn fma(a: Self::F, b: Self::F, c: Self::F) -> Self::F {
        [_mm256_fmadd_ps(a[0], b[0], c[0]), _mm256_fmadd_ps(a[1], b[1], c[1])]
    }
    #[inline(always)]
    unsafe fn max(a: Self::F, b: Self::F) -> Self::F {
        [_mm256_max_ps(a[0], b[0]), _mm256_max_ps(a[1], b[1])]
    }
    #[inline(always)]
    unsafe fn min(a: Self::F, b: Self::F) -> Self::F {
        [_mm256_min_ps(a[0], b[0]), _mm256_min_ps(a[1], b[1])]
    }
    #[inline(always)]
    unsafe fn sqrt(a: Self::F) -> Self::F {
        [_mm256_sqrt_ps(a[0]), _mm256_sqrt_ps(a[1])]
    }
    #[inline(always)]
    unsafe fn round(a: Self::F) -> Self::F {
        const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
        [_mm256_round_ps::<NEAREST>(a[0]), _mm256_round_ps::<NEAREST>(a[1])]
    }
    #[inline(always)]
    unsafe fn select_lt(a: Self::F, b: Self::F, x: Self::F, y: Self::F) -> Self::F {
        [
            _mm256_blendv_ps(y[0], x[0], _mm256_cmp_ps::<_CMP_LT_OQ>(a[0], b[0])),
            _mm256_blendv_ps(y[1], x[1], _mm256_cmp_ps::<_CMP_LT_OQ>(a[1], b[1])),
        ]
    }
    #[inline(always)]
    unsafe fn pow2(n: Self::F) -> Self::F {
        let half = |x| _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_add_epi32(_mm256_cvtps_epi32(x), _mm256_set1_epi32(127))));
        [half(n[0]), half(n[1])]
    }
    #[inline(always)]
    unsafe fn to_array(a: Self::F) -> [f32; LANES] {
        std::mem::transmute(a)
    }
    #[inline(always)]
    unsafe fn load_i(p: *const i32) -> Self::I {
        [_mm256_loadu_si256(p.cast()), _mm256_loadu_si256(p.add(8).cast())]
    }
    #[inline(always)]
    unsafe fn splat_i(x: i32) -> Self::I {
        [_mm256_set1_epi32(x); 2]
    }
    #[inline(always)]
    unsafe fn to_f(a: Self::I) -> Self::F {
        [_mm256_cvtepi32_ps(a[0]), _mm256_cvtepi32_ps(a[1])]
    }
    #[inline(always)]
    unsafe fn low_nibbles(a: Self::I) -> Self::I {
        let mask = _mm256_set1_epi8(0x0f);
        [_mm256_and_si256(a[0], mask), _mm256_and_si256(a[1], mask)]
    }
    #[inline(always)]
    unsafe fn high_nibbles(a: Self::I) -> Self::I {
        let mask = _mm256_set1_epi8(0x0f);
        [_mm256_and_si256(_mm256_srli_epi16::<4>(a[0]), mask), _mm256_and_si256(_mm256_srli_epi16::<4>(a[1]), mask)]
    }
    #[inline(always)]
    unsafe fn bytes(w: Self::I) -> Self::Bytes {
        let low = _mm256_set1_epi16(0xff);
        [[_mm256_and_si256(w[0], low), _mm256_srli_epi16::<8>(w[0])], [_mm256_and_si256(w[1], low), _mm256_srli_epi16::<8>(w[1])]]
    }
    // Exact: products of 8 bits are added in 32 (`maddubs`, which adds them in 16, would saturate).
    #[inline(always)]
    unsafe fn dot_bytes(acc: Self::I, w: Self::Bytes, x: *const i32, step: usize) -> Self::I {
        let (even, odd) = (_mm256_set1_epi32(*x), _mm256_set1_epi32(*x.add(step)));
        [
            _mm256_add_epi32(_mm256_add_epi32(acc[0], _mm256_madd_epi16(w[0][0], even)), _mm256_madd_epi16(w[0][1], odd)),
            _mm256_add_epi32(_mm256_add_epi32(acc[1], _mm256_madd_epi16(w[1][0], even)), _mm256_madd_epi16(w[1][1], odd)),
        ]
    }
    // Exact: eight times two products of at most 15 * 127 are below 2^15.
    #[inline(always)]
    unsafe fn dot_nibbles(sums: Self::I, w: Self::I, x: Self::I) -> Self::I {
        [_mm256_add_epi16(sums[0], _mm256_maddubs_epi16(w[0], x[0])), _mm256_add_epi16(sums[1], _mm256_maddubs_epi16(w[1], x[1]))]
    }
    #[inline(always)]
    unsafe fn nibble_sums(sums: Self::I) -> Self::I {
        let ones = _mm256_set1_epi16(1);
        [_mm256_madd_epi16(sums[0], ones), _mm256_madd_epi16(sums[1], ones)]
    }
    #[inline(always)]
    unsafe fn add_i(a: Self::I, b: Self::I) -> Self::I {
        [_mm256_add_epi32(a[0], b[0]), _mm256_add_epi32(a[1], b[1])]
    }
    #[inline(always)]
    unsafe fn dot_bf16(acc: Self::F, w: Self::I, x: *const i32, step: usize) -> Self::F {
        let x = x.cast::<f32>();
        let (even, odd) = (_mm256_set1_ps(*x), _mm256_set1_ps(*x.add(step)));
        [dot_bf16_half(acc[0], w[0], even, odd), dot_bf16_half(acc[1], w[1], even, odd)]
    }
    #[inline(always)]
    unsafe fn transpose(rows: &mut [Self::F; LANES]) {
        let mut turned = [[_mm256_setzero_ps(); 2]; LANES];
        for down in 0..2 {
            for across in 0..2 {
                let mut block = [_mm256_setzero_ps(); 8];
                for i in 0..8 {
                    block[i] = rows[8 * down + i][across];
                }
                let block = transpose_8(block);
                for i in 0..8 {
                    turned[8 * across + i][down] = block[i];
                }
            }
        }
        *rows = turned;
    }
    #[inline(always)]
    unsafe fn pair_bf16(even: Self::F, odd: Self::F) -> Self::I {
        [pair_half(even[0], odd[0]), pair_half(even[1], odd[1])]
    }
    #[inline(always)]
    unsafe fn even_bf16(x: Self::I) -> Self::F {
        [even_half(x[0]), even_half(x[1])]
    }
    #[inline(always)]
    unsafe fn odd_bf16(x: Self::I) -> Self::F {
        [odd_half(x[0]), odd_half(x[1])]
    }
    #[inline(always)]
    unsafe fn store_i(p: *mut i32, x: Self::I) {
        _mm256_storeu_si256(p.cast(), x[0]);
        _mm256_storeu_si256(p.add(8).cast(), x[1]);
    }
    #[inline(always)]
    unsafe fn as_f(x: Self::I) -> Self::F {
        [_mm256_castsi256_ps(x[0]), _mm256_castsi256_ps(x[1])]
    }
}
