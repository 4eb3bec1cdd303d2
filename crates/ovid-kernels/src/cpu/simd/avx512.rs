//! One 512-bit register is sixteen lanes.

use super::{Kernel, LANES, Lanes};
use std::arch::x86_64::{
    __m256bh, __m256i, __m512, __m512bh, __m512i, __mmask16, _CMP_LT_OQ, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEAREST_INT, _mm256_loadu_si256,
    _mm512_add_epi32, _mm512_add_ps, _mm512_and_si512, _mm512_castsi512_ps, _mm512_cmp_ps_mask, _mm512_cvtepi32_ps, _mm512_cvtepu16_epi32,
    _mm512_cvtneps_pbh, _mm512_cvtph_ps, _mm512_cvtps_epi32, _mm512_div_ps, _mm512_dpbf16_ps, _mm512_dpbusd_epi32, _mm512_fmadd_ps,
    _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mask_blend_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_max_ps, _mm512_min_ps,
    _mm512_mul_ps, _mm512_or_si512, _mm512_roundscale_ps, _mm512_set1_epi8, _mm512_set1_epi32, _mm512_set1_ps, _mm512_shuffle_f32x4,
    _mm512_shuffle_ps, _mm512_slli_epi32, _mm512_sqrt_ps, _mm512_srli_epi16, _mm512_storeu_ps, _mm512_storeu_si512, _mm512_sub_ps,
    _mm512_unpackhi_ps, _mm512_unpacklo_ps,
};

#[derive(Clone, Copy)]
pub struct Avx512;

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16,avx2,fma,f16c")]
pub unsafe fn enter<K: Kernel>(kernel: K) -> K::Out {
    kernel.run::<Avx512>()
}

fn first(n: usize) -> __mmask16 {
    ((1u32 << n.min(LANES)) - 1) as __mmask16
}

impl Lanes for Avx512 {
    type F = __m512;
    type I = __m512i;
    type Bytes = __m512i;
    const WIDE: bool = true;

    #[inline(always)]
    unsafe fn load(p: *const f32) -> __m512 {
        _mm512_loadu_ps(p)
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, x: __m512) {
        _mm512_storeu_ps(p, x);
    }
    #[inline(always)]
    unsafe fn load_part(p: *const f32, n: usize) -> __m512 {
        _mm512_maskz_loadu_ps(first(n), p)
    }
    #[inline(always)]
    unsafe fn store_part(p: *mut f32, x: __m512, n: usize) {
        _mm512_mask_storeu_ps(p, first(n), x);
    }
    #[inline(always)]
    unsafe fn load_f16(p: *const u16) -> __m512 {
        _mm512_cvtph_ps(_mm256_loadu_si256(p.cast()))
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> __m512 {
        _mm512_set1_ps(x)
    }
    #[inline(always)]
    unsafe fn add(a: __m512, b: __m512) -> __m512 {
        _mm512_add_ps(a, b)
    }
    #[inline(always)]
    unsafe fn sub(a: __m512, b: __m512) -> __m512 {
        _mm512_sub_ps(a, b)
    }
    #[inline(always)]
    unsafe fn mul(a: __m512, b: __m512) -> __m512 {
        _mm512_mul_ps(a, b)
    }
    #[inline(always)]
    unsafe fn div(a: __m512, b: __m512) -> __m512 {
        _mm512_div_ps(a, b)
    }
    #[inline(always)]
    unsafe fn fma(a: __m512, b: __m512, c: __m512) -> __m512 {
        _mm512_fmadd_ps(a, b, c)
    }
    #[inline(always)]
    unsafe fn max(a: __m512, b: __m512) -> __m512 {
        _mm512_max_ps(a, b)
    }
    #[inline(always)]
    unsafe fn min(a: __m512, b: __m512) -> __m512 {
        _mm512_min_ps(a, b)
    }
    #[inline(always)]
    unsafe fn sqrt(a: __m512) -> __m512 {
        _mm512_sqrt_ps(a)
    }
    #[inline(always)]
    unsafe fn round(a: __m512) -> __m512 {
        _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a)
    }
    #[inline(always)]
    unsafe fn select_lt(a: __m512, b: __m512, x: __m512, y: __m512) -> __m512 {
        _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b), y, x)
    }
    #[inline(always)]
    unsafe fn pow2(n: __m512) -> __m512 {
        _mm512_castsi512_ps(_mm512_slli_epi32::<23>(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127))))
    }
    #[inline(always)]
    unsafe fn to_array(a: __m512) -> [f32; LANES] {
        std::mem::transmute(a)
    }
    #[inline(always)]
    unsafe fn load_i(p: *const i32) -> __m512i {
        _mm512_loadu_si512(p.cast())
    }
    #[inline(always)]
    unsafe fn splat_i(x: i32) -> __m512i {
        _mm512_set1_epi32(x)
    }
    #[inline(always)]
    unsafe fn to_f(a: __m512i) -> __m512 {
        _mm512_cvtepi32_ps(a)
    }
    #[inline(always)]
    unsafe fn low_nibbles(a: __m512i) -> __m512i {
        _mm512_and_si512(a, _mm512_set1_epi8(0x0f))
    }
    #[inline(always)]
    unsafe fn high_nibbles(a: __m512i) -> __m512i {
        _mm512_and_si512(_mm512_srli_epi16::<4>(a), _mm512_set1_epi8(0x0f))
    }
    #[inline(always)]
    unsafe fn bytes(w: __m512i) -> __m512i {
        w
    }
    #[inline(always)]
    unsafe fn dot_bytes(acc: __m512i, w: __m512i, x: *const i32, _step: usize) -> __m512i {
        _mm512_dpbusd_epi32(acc, w, _mm512_set1_epi32(*x))
    }
    #[inline(always)]
    unsafe fn dot_nibbles(sums: __m512i, w: __m512i, x: __m512i) -> __m512i {
        _mm512_dpbusd_epi32(sums, w, x)
    }
    #[inline(always)]
    unsafe fn nibble_sums(sums: __m512i) -> __m512i {
        sums
    }
    #[inline(always)]
    unsafe fn add_i(a: __m512i, b: __m512i) -> __m512i {
        _mm512_add_epi32(a, b)
    }
    #[inline(always)]
    unsafe fn dot_bf16(acc: __m512, w: __m512i, x: *const i32, _step: usize) -> __m512 {
        let x = _mm512_set1_epi32(*x);
        _mm512_dpbf16_ps(acc, std::mem::transmute::<__m512i, __m512bh>(w), std::mem::transmute::<__m512i, __m512bh>(x))
    }
    #[inline(always)]
    unsafe fn pair_bf16(even: __m512, odd: __m512) -> __m512i {
        let low = _mm512_cvtepu16_epi32(std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(even)));
        let high = _mm512_cvtepu16_epi32(std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(odd)));
        _mm512_or_si512(low, _mm512_slli_epi32::<16>(high))
    }
    #[inline(always)]
    unsafe fn even_bf16(x: __m512i) -> __m512 {
        _mm512_castsi512_ps(_mm512_slli_epi32::<16>(x))
    }
    #[inline(always)]
    unsafe fn odd_bf16(x: __m512i) -> __m512 {
        _mm512_castsi512_ps(_mm512_and_si512(x, _mm512_set1_epi32(0xffff_0000u32 as i32)))
    }
    #[inline(always)]
    unsafe fn store_i(p: *mut i32, x: __m512i) {
        _mm512_storeu_si512(p.cast(), x);
    }
    #[inline(always)]
    unsafe fn transpose(r: &mut [__m512; LANES]) {
        // Pairs, then fours within 128-bit quarters, then the quarters themselves in two steps.
        let mut a = *r;
        for i in 0..8 {
            a[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
            a[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
        }
        let mut b = a;
        for i in 0..4 {
            b[4 * i] = _mm512_shuffle_ps::<0x44>(a[4 * i], a[4 * i + 2]);
            b[4 * i + 1] = _mm512_shuffle_ps::<0xee>(a[4 * i], a[4 * i + 2]);
            b[4 * i + 2] = _mm512_shuffle_ps::<0x44>(a[4 * i + 1], a[4 * i + 3]);
            b[4 * i + 3] = _mm512_shuffle_ps::<0xee>(a[4 * i + 1], a[4 * i + 3]);
        }
        for i in 0..4 {
            let even_low = _mm512_shuffle_f32x4::<0x88>(b[i], b[4 + i]);
            let odd_low = _mm512_shuffle_f32x4::<0xdd>(b[i], b[4 + i]);
            let even_high = _mm512_shuffle_f32x4::<0x88>(b[8 + i], b[12 + i]);
            let odd_high = _mm512_shuffle_f32x4::<0xdd>(b[8 + i], b[12 + i]);
            r[i] = _mm512_shuffle_f32x4::<0x88>(even_low, even_high);
            r[4 + i] = _mm512_shuffle_f32x4::<0x88>(odd_low, odd_high);
            r[8 + i] = _mm512_shuffle_f32x4::<0xdd>(even_low, even_high);
            r[12 + i] = _mm512_shuffle_f32x4::<0xdd>(odd_low, odd_high);
        }
    }
    #[inline(always)]
    unsafe fn as_f(x: __m512i) -> __m512 {
        _mm512_castsi512_ps(x)
    }
}
