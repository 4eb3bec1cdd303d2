//! Microseconds that a mark adds to the choice of one token: `cargo bench -p ovid-watermark --bench marking`.
//!
//! The least of 40 rounds of 16 tokens, over weights like a model's (spread 2.5) and like those of random weights (0.5).

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use ovid_stats::Draws;
use ovid_watermark::{GreenList, Key, Marker, Scheme, Watermark};

const ROUNDS: u64 = 40;
const TOKENS: usize = 16;

fn main() {
    let self_hash = GreenList::new(0.25, 2.0, 4, true).expect("the settings are in range");
    let mut schemes: Vec<(&str, Scheme)> = Scheme::all().into_iter().map(|s| (s.name(), s)).collect();
    schemes.push(("green-list, self-hash", Scheme::GreenList(self_hash)));
    println!("| vocabulary | scores | kept | scheme | microseconds |\n| --- | --- | --- | --- | --- |");
    for n_vocab in [8192, 50257] {
        for (scores, spread) in [("like a model's", 2.5), ("like random weights'", 0.5)] {
            let draws = Draws::new(1, 0);
            let logits: Vec<f32> = (0..n_vocab).map(|i| (draws.normal_at(i) * spread) as f32).collect();
            let all: Vec<u32> = (0..n_vocab as u32).collect();
            let forty: Vec<u32> = (0..40).map(|i| i * (n_vocab as u32 / 41)).collect();
            for kept in [&all, &forty] {
                for &(name, scheme) in &schemes {
                    let best = least_time(scheme, &logits, kept);
                    println!("| {n_vocab} | {scores} | {} | {name} | {best:.1} |", kept.len());
                }
            }
        }
    }
}

fn least_time(scheme: Scheme, logits: &[f32], kept: &[u32]) -> f64 {
    let draws = Draws::new(2, 0);
    let greatest = logits.iter().copied().fold(0.0, f32::max);
    let weights: Vec<f32> = kept.iter().map(|&t| (logits[t as usize] - greatest).exp()).collect();
    let mut marker = Marker::new(Watermark::new(Arc::new(Key::new([1; 32], None)), scheme));
    let round = |round: u64| {
        let ids: Vec<u32> = (0..400).map(|i| draws.below_at(i + round * 1000, logits.len() as u64) as u32).collect();
        let mut time = 0.0;
        for n in 300..300 + TOKENS {
            let (mut scores, mut weights) = (logits.to_vec(), weights.clone());
            let start = Instant::now();
            if scheme.needs_draws() {
                black_box(marker.choose(&ids[..n], 100, kept, &mut weights));
            } else {
                marker.raise(&ids[..n], 100, &mut scores);
            }
            time += start.elapsed().as_secs_f64();
            black_box((&scores, &weights));
        }
        time / TOKENS as f64 * 1e6
    };
    (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
}
