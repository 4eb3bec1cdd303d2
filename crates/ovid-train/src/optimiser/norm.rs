//! The global norm of the gradient.

use std::sync::Mutex;

use ovid_kernels::Pool;

use super::CHUNK;

/// Square root of the sum of squares, in f64: eight interleaved partial sums in each chunk of 65,536 values, the chunks added in order.
/// Not finite where any value is not.
pub fn global_norm(values: &[f32], pool: &Pool) -> f64 {
    let chunks: Vec<&[f32]> = values.chunks(CHUNK).collect();
    let sums = Mutex::new(vec![0.0; chunks.len()]);
    pool.run(chunks.len(), |i| {
        let sum = sum_of_squares(chunks[i]);
        sums.lock().unwrap_or_else(std::sync::PoisonError::into_inner)[i] = sum;
    });
    sums.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).iter().sum::<f64>().sqrt()
}

fn sum_of_squares(values: &[f32]) -> f64 {
    let mut partial = [0.0f64; 8];
    let (whole, rest) = values.as_chunks::<8>();
    for eight in whole {
        for (sum, x) in partial.iter_mut().zip(eight) {
            *sum += f64::from(*x) * f64::from(*x);
        }
    }
    for (sum, x) in partial.iter_mut().zip(rest) {
        *sum += f64::from(*x) * f64::from(*x);
    }
    partial.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_norm_is_the_same_for_every_number_of_threads() {
        let values: Vec<f32> = (0..200_001).map(|i| ((i * 7919 % 1000) as f32 - 500.0) / 300.0).collect();
        let one = global_norm(&values, &Pool::new(1));
        let plain = values.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        assert!((one / plain - 1.0).abs() < 1e-12);
        for n in [2, 3, 7] {
            assert_eq!(global_norm(&values, &Pool::new(n)).to_bits(), one.to_bits());
        }
        let mut broken = values;
        broken[100_000] = f32::NAN;
        assert!(global_norm(&broken, &Pool::new(2)).is_nan());
    }
}
