//! The learning rate of each step.
//!
//! Steps count from 0. Step s of the warm-up has (s + 1) / (warmup + 1) of the highest rate, as nanoGPT has it since 2024; the last step ends just above the minimum.

use crate::config::{Decay, TrainConfig};

/// The factor of the highest learning rate at `step`: between the minimum's share and 1.
fn factor(config: &TrainConfig, step: u64, floor: f64) -> f64 {
    if step < config.warmup_steps {
        return (step + 1) as f64 / (config.warmup_steps + 1) as f64;
    }
    let share = |start: u64| if config.steps <= start { 1.0 } else { ((step - start) as f64 / (config.steps - start) as f64).min(1.0) };
    match config.decay {
        Decay::Cosine => floor + (1.0 - floor) * 0.5 * (1.0 + (std::f64::consts::PI * share(config.warmup_steps)).cos()),
        Decay::Linear => 1.0 - (1.0 - floor) * share(config.warmup_steps),
        Decay::Constant => 1.0,
        Decay::Wsd => {
            let start = config.steps.saturating_sub(config.cooldown_steps).max(config.warmup_steps);
            if step < start { 1.0 } else { 1.0 - (1.0 - floor) * share(start) }
        }
    }
}

/// The learning rate of `AdamW` at `step`.
pub fn learning_rate(config: &TrainConfig, step: u64) -> f64 {
    let floor = if config.learning_rate > 0.0 { config.min_learning_rate / config.learning_rate } else { 0.0 };
    config.learning_rate * factor(config, step, floor)
}

/// The learning rate of Muon at `step`: the same curve under its own highest rate.
pub fn muon_learning_rate(config: &TrainConfig, step: u64) -> f64 {
    let floor = if config.learning_rate > 0.0 { config.min_learning_rate / config.learning_rate } else { 0.0 };
    config.muon_learning_rate * factor(config, step, floor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(decay: Decay, expected: &[(u64, f64)]) {
        let config = TrainConfig {
            steps: 1100,
            warmup_steps: 100,
            learning_rate: 1.0,
            min_learning_rate: 0.1,
            cooldown_steps: 200,
            decay,
            ..TrainConfig::default()
        };
        for &(step, rate) in expected {
            let found = learning_rate(&config, step);
            assert!((found - rate).abs() < 1e-12, "{decay:?} at {step}: {found}, not {rate}");
        }
    }

    #[test]
    fn rates_at_chosen_steps() {
        let start = [(0, 1.0 / 101.0), (49, 50.0 / 101.0), (99, 100.0 / 101.0), (100, 1.0)];
        for decay in [Decay::Cosine, Decay::Linear, Decay::Constant, Decay::Wsd] {
            check(decay, &start);
        }
        check(Decay::Cosine, &[(350, 0.1 + 0.45 * (1.0 + 0.5f64.sqrt())), (600, 0.55), (1100, 0.1), (5000, 0.1)]);
        check(Decay::Linear, &[(350, 0.775), (600, 0.55), (1100, 0.1), (5000, 0.1)]);
        check(Decay::Constant, &[(600, 1.0), (5000, 1.0)]);
        check(Decay::Wsd, &[(600, 1.0), (900, 1.0), (1000, 0.55), (1100, 0.1)]);
    }
}
