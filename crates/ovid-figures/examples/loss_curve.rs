//! Draws a loss curve: `cargo run -p ovid-figures --example loss_curve -- STEM` writes STEM.svg and STEM.csv.

use ovid_figures::{LineChart, Scale, Series};

fn main() -> Result<(), ovid_figures::Error> {
    let stem = std::env::args().nth(1).unwrap_or_else(|| "loss".to_owned());
    let loss = |step: f64, shift: f64| 9.0 * (step / 10.0 + 10.0).powf(-0.25) + shift;
    let training = (1..=400).map(f64::from).map(|i| (i * 10.0, loss(i * 10.0, (i * 37.0 % 11.0) / 80.0))).collect();
    let every = |n: u32, shift: f64| (1..=n).map(|i| f64::from(i) * 4000.0 / f64::from(n)).map(|step| (step, loss(step, shift))).collect();
    LineChart::new("Loss while training (an example, nothing was trained)", "step", "loss (nats per token)")
        .scales(Scale::Log, Scale::Linear)
        .with(Series::new("training", training))
        .with(Series::new("validation", every(16, 0.3)))
        .with(Series::new("validation, books", every(10, 0.5)))
        .with(Series::new("validation, dialogue", every(8, -0.4)))
        .write(stem.as_ref())
}
