//! Repetitions, their spread, and what the machine could have done.

use std::time::Instant;

use ovid_io::{Dtype, Observer, Progress};
use ovid_kernels::{Backend as _, Cpu};
use ovid_model::Gpt2;
use serde::{Deserialize, Serialize};

use crate::Error;

/// What the machine can do, measured in the same run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Yardstick {
    /// Bytes a second that the threads read from memory.
    pub read_bytes_per_s: f64,
    /// Operations a second of the multiply units on registers, with the factors' type.
    pub peak_operations_per_s: f64,
}

impl Yardstick {
    /// Measures the device with factors of a type; takes about two seconds.
    ///
    /// # Errors
    /// If memory is short.
    pub fn measure(device: &Cpu, dtype: Dtype) -> Result<Self, Error> {
        Ok(Self { read_bytes_per_s: device.read_bandwidth()?, peak_operations_per_s: device.peak(dtype) })
    }
}

/// Middle and ends of the repetitions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

impl Spread {
    /// Of at least one value.
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let n = values.len();
        let median = f64::midpoint(values[(n - 1) / 2], values[n / 2]);
        Self { median, min: values[0], max: values[n - 1] }
    }
}

/// The model that was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// What it is called.
    pub name: String,
    /// Parameters, each counted once.
    pub n_params: usize,
    /// The type of most weights.
    pub dtype: String,
    /// The name of the arithmetic: `exact-1`.
    pub arithmetic: String,
    /// The device in words.
    pub device: String,
    /// Threads.
    pub n_threads: usize,
}

impl ModelInfo {
    /// Of a loaded model.
    pub fn new(name: &str, model: &Gpt2) -> Self {
        let device = model.device();
        Self {
            name: name.to_owned(),
            n_params: model.config().n_params(),
            dtype: model.dtype().to_string(),
            arithmetic: device.arithmetic().to_owned(),
            device: device.device(),
            n_threads: device.pool().n_threads(),
        }
    }
}

/// One test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// What was done: `tg128`, `pp512`, `tg128x32` (32 sequences), `train4x1024`, `encode`.
    pub test: String,
    /// With which model; `None` where none takes part.
    pub model: Option<ModelInfo>,
    /// What `per_second` counts: `tokens` or `bytes`.
    pub unit: String,
    /// Repetitions after one that warms up.
    pub repetitions: usize,
    /// How many of the unit a second.
    pub per_second: Spread,
    /// Bytes of weights and cache that one token has to move.
    pub bytes_per_token: Option<f64>,
    /// Those bytes at the median rate, as a share of the measured bandwidth.
    pub bandwidth_ratio: Option<f64>,
    /// Operations of one token.
    pub operations_per_token: Option<f64>,
    /// Those operations at the median rate, as a share of the measured peak.
    pub peak_ratio: Option<f64>,
    /// The machine's own figures.
    pub yardstick: Option<Yardstick>,
}

/// Runs `work` once to warm up and then `repetitions` times; each run handles `n` of the unit.
pub(crate) fn repeat(
    test: String,
    unit: &str,
    n: usize,
    repetitions: usize,
    observer: &dyn Observer,
    mut work: impl FnMut() -> Result<(), Error>,
) -> Result<Measurement, Error> {
    work()?;
    let mut rates = Vec::with_capacity(repetitions);
    for i in 0..repetitions.max(1) {
        if observer.cancelled() {
            return Err(Error::Cancelled);
        }
        observer.progress(Progress { stage: &test, done: i as u64, total: Some(repetitions as u64), unit: "runs" });
        let began = Instant::now();
        work()?;
        rates.push(n as f64 / began.elapsed().as_secs_f64().max(1e-9));
    }
    Ok(Measurement {
        test,
        model: None,
        unit: unit.to_owned(),
        repetitions: rates.len(),
        per_second: Spread::of(rates),
        bytes_per_token: None,
        bandwidth_ratio: None,
        operations_per_token: None,
        peak_ratio: None,
        yardstick: None,
    })
}

impl Measurement {
    /// Adds what a token costs, and its shares of what the machine can do.
    pub(crate) fn with_costs(mut self, bytes_per_token: f64, operations_per_token: f64, yardstick: Yardstick) -> Self {
        let rate = self.per_second.median;
        self.bytes_per_token = Some(bytes_per_token);
        self.bandwidth_ratio = Some(bytes_per_token * rate / yardstick.read_bytes_per_s);
        self.operations_per_token = Some(operations_per_token);
        self.peak_ratio = Some(operations_per_token * rate / yardstick.peak_operations_per_s);
        self.yardstick = Some(yardstick);
        self
    }
}

impl Measurement {
    /// `start`: from the start of a process to its first token, as starts a second; there is one second value at least.
    pub fn of_starts(seconds: &[f64]) -> Self {
        Self {
            test: "start".to_owned(),
            model: None,
            unit: "starts".to_owned(),
            repetitions: seconds.len(),
            per_second: Spread::of(seconds.iter().map(|s| 1.0 / s.max(1e-9)).collect()),
            bytes_per_token: None,
            bandwidth_ratio: None,
            operations_per_token: None,
            peak_ratio: None,
            yardstick: None,
        }
    }
}
