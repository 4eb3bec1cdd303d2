//! Sixteen f32 lanes, however wide the processor's registers are.
//!
//! Every kernel is written once, over [`Lanes`], and compiled once a unit: [`Unit::run`] enters a function that has the unit's instructions switched on, and
//! everything below it is inlined into that function. All units give the same bits, because every operation of the trait is exactly rounded or exact.
//!
//! Safety contract of this module: pointers are valid for the elements that the method's name and arguments say, and a unit's methods run only below [`Unit::run`],
//! which has checked that the processor knows the instructions.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod scalar;

use std::fmt;
use std::str::FromStr;

/// Lanes of every vector, on every unit.
pub const LANES: usize = 16;

/// Sixteen f32 or i32 values and what the kernels do with them.
pub trait Lanes: Copy + 'static {
    /// Sixteen f32.
    type F: Copy;
    /// Sixteen i32.
    type I: Copy;
    /// Weights made ready for [`Lanes::dot_bytes`].
    type Bytes: Copy;
    /// Whether the register file holds a tile of 12 rows by 2 vectors (else 6 by 1), and one instruction is a dot product of bytes or of bf16. Rows are packed for it
    /// in fewer words: see [`Lanes::dot_bytes`] and [`Lanes::dot_bf16`].
    const WIDE: bool;

    unsafe fn load(p: *const f32) -> Self::F;
    unsafe fn store(p: *mut f32, x: Self::F);
    /// The first `n` lanes from memory, the others 0.
    unsafe fn load_part(p: *const f32, n: usize) -> Self::F;
    /// The first `n` lanes to memory.
    unsafe fn store_part(p: *mut f32, x: Self::F, n: usize);
    unsafe fn load_f16(p: *const u16) -> Self::F;
    unsafe fn splat(x: f32) -> Self::F;
    unsafe fn add(a: Self::F, b: Self::F) -> Self::F;
    unsafe fn sub(a: Self::F, b: Self::F) -> Self::F;
    unsafe fn mul(a: Self::F, b: Self::F) -> Self::F;
    unsafe fn div(a: Self::F, b: Self::F) -> Self::F;
    /// `a * b + c`, rounded once.
    unsafe fn fma(a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// The greater lane; `b` where either is NaN (as `maxps`).
    unsafe fn max(a: Self::F, b: Self::F) -> Self::F;
    /// The lesser lane; `b` where either is NaN (as `minps`).
    unsafe fn min(a: Self::F, b: Self::F) -> Self::F;
    unsafe fn sqrt(a: Self::F) -> Self::F;
    /// Nearest whole number, ties to even.
    unsafe fn round(a: Self::F) -> Self::F;
    /// `a < b ? x : y`, lane by lane.
    unsafe fn select_lt(a: Self::F, b: Self::F, x: Self::F, y: Self::F) -> Self::F;
    /// The f32 whose bits are `(n + 127) << 23`: 2^n for whole `n` in -126..=127.
    unsafe fn pow2(n: Self::F) -> Self::F;
    unsafe fn to_array(a: Self::F) -> [f32; LANES];
    /// Rows become columns.
    #[inline(always)]
    unsafe fn transpose(rows: &mut [Self::F; LANES]) {
        let mut turned = [[0f32; LANES]; LANES];
        for r in 0..LANES {
            let row = Self::to_array(rows[r]);
            for c in 0..LANES {
                turned[c][r] = row[c];
            }
        }
        for r in 0..LANES {
            rows[r] = Self::load(turned[r].as_ptr());
        }
    }

    unsafe fn load_i(p: *const i32) -> Self::I;
    unsafe fn splat_i(x: i32) -> Self::I;
    unsafe fn to_f(a: Self::I) -> Self::F;
    /// The low nibble of each byte.
    unsafe fn low_nibbles(a: Self::I) -> Self::I;
    /// The high nibble of each byte.
    unsafe fn high_nibbles(a: Self::I) -> Self::I;
    /// Makes four unsigned bytes of weights in each lane ready.
    unsafe fn bytes(w: Self::I) -> Self::Bytes;
    /// `acc` plus, lane by lane, the sum of four products of the weights' unsigned bytes with four signed bytes of a row. These lie at `x`: on wide units as four bytes;
    /// on others as the even two, 16 bits each, and `step` words behind them the odd two.
    unsafe fn dot_bytes(acc: Self::I, w: Self::Bytes, x: *const i32, step: usize) -> Self::I;
    /// `sums` plus, lane by lane, the sum of four products of nibbles of weights with signed bytes of at most 127. What eight calls add up in `sums`, from 0 on,
    /// [`Lanes::nibble_sums`] turns into 32-bit lanes.
    unsafe fn dot_nibbles(sums: Self::I, w: Self::I, x: Self::I) -> Self::I;
    /// See [`Lanes::dot_nibbles`].
    unsafe fn nibble_sums(sums: Self::I) -> Self::I;
    unsafe fn add_i(a: Self::I, b: Self::I) -> Self::I;
    /// `acc` plus, lane by lane, the odd and then the even product of two bf16, each fused and rounded, subnormal results flushed to zero (`vdpbf16ps`). Inputs have no
    /// subnormals: packing flushes them. The row's two lie at `x`: on wide units as one word, the even one low; on others as f32, the odd one `step` words behind.
    unsafe fn dot_bf16(acc: Self::F, w: Self::I, x: *const i32, step: usize) -> Self::F;
    /// Two values rounded to bf16 in each 32-bit lane, the even one low; subnormals are zero, ties go to even.
    unsafe fn pair_bf16(even: Self::F, odd: Self::F) -> Self::I;
    /// The even one of two bf16 in each lane, as f32.
    unsafe fn even_bf16(x: Self::I) -> Self::F;
    /// The odd one of two bf16 in each lane, as f32.
    unsafe fn odd_bf16(x: Self::I) -> Self::F;
    unsafe fn store_i(p: *mut i32, x: Self::I);
    /// The same bits.
    unsafe fn as_f(x: Self::I) -> Self::F;
}

/// A computation written over [`Lanes`]. `run` must be `#[inline(always)]`.
pub trait Kernel {
    /// What it gives back.
    type Out;
    /// The computation.
    ///
    /// # Safety
    /// The processor has the unit's instructions, and the kernel's own contract holds.
    unsafe fn run<L: Lanes>(self) -> Self::Out;
}

/// A vector unit of the processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// AVX-512 with its BF16 and VNNI extensions (Zen 4, Sapphire Rapids and later).
    Avx512,
    /// AVX2 with FMA and F16C.
    Avx2,
    /// Plain Rust; `f32::mul_add` for each fused operation.
    Scalar,
}

impl Unit {
    /// The fastest unit that this processor has.
    pub fn detect() -> Self {
        [Self::Avx512, Self::Avx2].into_iter().find(|unit| unit.is_available()).unwrap_or(Self::Scalar)
    }

    /// Whether this processor has the unit.
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                Self::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vnni")
                    && is_x86_feature_detected!("avx512bf16")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c"),
            Self::Scalar => true,
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }

    /// Runs a kernel on this unit.
    ///
    /// # Safety
    /// The kernel's own contract holds. (That the unit exists is checked when the backend is made.)
    #[inline]
    pub unsafe fn run<K: Kernel>(self, kernel: K) -> K::Out {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => avx512::enter(kernel),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => avx2::enter(kernel),
            _ => kernel.run::<scalar::Scalar>(),
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::Scalar => "scalar",
        })
    }
}

impl FromStr for Unit {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let unit = match name {
            "avx512" => Self::Avx512,
            "avx2" => Self::Avx2,
            "scalar" => Self::Scalar,
            _ => return Err(format!("no vector unit is called '{name}' (avx512, avx2 and scalar are)")),
        };
        if unit.is_available() { Ok(unit) } else { Err(format!("this processor has no {name}")) }
    }
}
