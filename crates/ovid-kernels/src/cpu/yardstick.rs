//! What the machine can do at best, measured by the unit's own instructions: the bytes a second that memory gives, and the operations a second of the multiply
//! units on registers. Every share that `ovid bench` prints is a share of these.

use super::simd::{Kernel, LANES, Lanes};
use super::{Cpu, Shared};
use crate::{Aligned, Error};
use ovid_io::Dtype;
use std::time::Instant;

/// Far above every cache.
const READ_BYTES: usize = 512 << 20;
/// Bytes that a task reads: threads share a long line of them.
const PIECE_BYTES: usize = 1 << 20;
/// Chains of sixteen lanes: enough to hide the latency of a fused multiply-add, few enough for sixteen registers of eight lanes.
const CHAINS: usize = 6;
const STEPS: usize = 200_000;
const RUNS: usize = 5;

impl Cpu {
    /// Bytes a second that all threads together read from memory, the best of five runs over 512 MiB.
    ///
    /// # Errors
    /// If memory is short.
    pub fn read_bandwidth(&self) -> Result<f64, Error> {
        let mut memory = Aligned::zeros(READ_BYTES / 4, "memory to read")?;
        // Pages that were never written all read the same page of zeros.
        memory.fill(1.0);
        let n = READ_BYTES / PIECE_BYTES;
        let mut sums = vec![0f32; n];
        Ok(best_of(READ_BYTES as f64, || {
            let sums = Shared::new(&mut sums);
            self.pool.run(n, |i| {
                let piece = &memory[i * PIECE_BYTES / 4..][..PIECE_BYTES / 4];
                // SAFETY: the unit is this processor's; one sum a task.
                unsafe { sums.slice(i, 1)[0] = self.unit.run(Read(piece)) }
            });
        }))
    }

    /// Operations a second (a multiply and an add are two) of all threads together on registers, with factors of type `dtype` where the unit multiplies such, else in f32;
    /// the best of five runs.
    pub fn peak(&self, dtype: Dtype) -> f64 {
        let n = self.pool.n_threads() * 4;
        let mut sums = vec![0f32; n];
        let per_lane = match dtype {
            Dtype::BF16 if self.unit == super::simd::Unit::Avx512 => 2,
            Dtype::Q8_0 | Dtype::Q4_0 => 4,
            _ => 1,
        };
        best_of((n * STEPS * CHAINS * LANES * per_lane * 2) as f64, || {
            let sums = Shared::new(&mut sums);
            self.pool.run(n, |i| {
                // SAFETY: as above.
                unsafe { sums.slice(i, 1)[0] = self.unit.run(Multiply(dtype)) }
            });
        })
    }
}

/// `amount` over the shortest time of a run, after one that warms up.
fn best_of(amount: f64, mut run: impl FnMut()) -> f64 {
    run();
    let best = (0..RUNS).map(|_| {
        let began = Instant::now();
        run();
        began.elapsed().as_secs_f64()
    });
    amount / best.fold(f64::INFINITY, f64::min).max(1e-9)
}

struct Read<'a>(&'a [f32]);

impl Kernel for Read<'_> {
    type Out = f32;

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) -> f32 {
        let mut sums = [L::splat(0.0); 4];
        let mut at = self.0.as_ptr();
        for _ in 0..self.0.len() / (4 * LANES) {
            for (v, sum) in sums.iter_mut().enumerate() {
                *sum = L::max(*sum, L::load(at.add(v * LANES)));
            }
            at = at.add(4 * LANES);
        }
        sums.iter().map(|s| L::to_array(*s)[0]).fold(0.0, f32::max)
    }
}

struct Multiply(Dtype);

impl Kernel for Multiply {
    type Out = f32;

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) -> f32 {
        // The compiler must not know the factors, and each lane must count.
        let w = std::hint::black_box([0x3f80_3f80; LANES]);
        let x = std::hint::black_box([0x3f80_0000; 2]);
        let all = |acc: [L::F; CHAINS]| acc.iter().map(|a| L::to_array(*a).iter().sum::<f32>()).sum();
        match self.0 {
            Dtype::BF16 if L::WIDE => {
                let mut acc = [L::splat(0.0); CHAINS];
                for _ in 0..STEPS {
                    let w = L::load_i(w.as_ptr());
                    for a in &mut acc {
                        *a = L::dot_bf16(*a, w, x.as_ptr(), 1);
                    }
                }
                all(acc)
            }
            Dtype::Q8_0 | Dtype::Q4_0 => {
                let mut acc = [L::splat_i(0); CHAINS];
                for _ in 0..STEPS {
                    // Other weights in each step: their products must not be taken out of the loop.
                    let w = L::bytes(L::load_i(std::hint::black_box(w.as_ptr())));
                    for a in &mut acc {
                        *a = L::dot_bytes(*a, w, x.as_ptr(), 1);
                    }
                }
                let mut sums = [L::splat(0.0); CHAINS];
                for (sum, a) in sums.iter_mut().zip(acc) {
                    *sum = L::to_f(a);
                }
                all(sums)
            }
            _ => {
                let mut acc = [L::splat(0.0); CHAINS];
                let (w, x) = (L::as_f(L::load_i(w.as_ptr())), L::splat(f32::from_bits(x[0] as u32)));
                for _ in 0..STEPS {
                    for a in &mut acc {
                        *a = L::fma(w, x, *a);
                    }
                }
                all(acc)
            }
        }
    }
}
