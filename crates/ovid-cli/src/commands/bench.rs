//! `ovid bench`: how fast this machine runs a model, and how much of the machine that is.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use clap::{Args, ValueEnum};
use ovid_bench::{Measurement, ModelInfo, Yardstick};
use ovid_io::documents::{Documents, Limits};
use ovid_io::{Dtype, Observer};
use ovid_model::{Config, Gpt2};

use crate::arguments::{Machine, ModelChoice};
use crate::failure::Failure;
use crate::interrupt;
use crate::models;
use crate::output::{self, Voice};
use crate::progress::Bar;

/// Measure how fast this machine runs a model, and how much of its bandwidth and peak that is
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ovid bench\n  ovid bench decode prefill --model gpt2.Q8_0.gguf --threads 2 --json\n  ovid bench train --model gpt2 --batch 4 --context 1024 --dtype bf16\n  ovid bench tokenize --file book.txt\n\nTests have llama-bench's names: pp512 reads a prompt of 512 tokens, tg128 draws 128 tokens one by one, tg128x32 for 32 sequences at once. Nothing else should run meanwhile."
)]
pub struct Bench {
    /// What to measure [default: decode prefill]
    #[arg(value_enum, value_name = "WORK")]
    work: Vec<Work>,
    #[command(flatten)]
    choice: ModelChoice,
    /// Repetitions, after one that warms up
    #[arg(long, short, value_name = "N", default_value_t = 5)]
    repetitions: usize,
    /// Tokens of the prompt (prefill)
    #[arg(long, short = 'p', value_name = "N", default_value_t = 512)]
    n_prompt: usize,
    /// Tokens that are drawn (decode and batch)
    #[arg(long, short = 'n', value_name = "N", default_value_t = 128)]
    n_gen: usize,
    /// Sequences at once (batch [default: 32], train [default: 1])
    #[arg(long, short, value_name = "N")]
    batch: Option<usize>,
    /// Tokens of a sequence (train) [default: the model's context]
    #[arg(long, value_name = "N")]
    context: Option<usize>,
    /// Type of the products (train)
    #[arg(long, value_enum, default_value = "f32")]
    dtype: Products,
    /// Text to encode and to train a vocabulary on (tokenize)
    #[arg(long, value_name = "FILE", required_if_eq("work", "tokenize"))]
    file: Option<PathBuf>,
    #[command(flatten)]
    machine: Machine,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Work {
    /// Draw tokens one by one: tg128
    Decode,
    /// Read a prompt: pp512
    Prefill,
    /// Draw for many sequences at once: tg128x32, after prompts of 128 tokens
    Batch,
    /// A step of training from random weights
    Train,
    /// Encode text, and train a vocabulary of 8,192 tokens on it
    Tokenize,
    /// From the start of the process to the first token
    Start,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Products {
    F32,
    Bf16,
}

/// Tokens of the prompts before batched decoding, as llama-batched-bench is usually run.
const BATCH_PROMPT: usize = 128;
/// Tokens of the vocabulary that is trained.
const VOCABULARY: usize = 8192;

impl Bench {
    /// Prints one line or object a test.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = interrupt::graceful();
        let bar = Bar::new(voice);
        let works = if self.work.is_empty() { &[Work::Decode, Work::Prefill][..] } else { &self.work };
        let show = |measurement: &Measurement| {
            bar.clear();
            if voice.json { output::object(measurement) } else { output::line(&rendered(measurement)) }
        };
        let mut loaded: Option<(Gpt2, ModelInfo, Yardstick)> = None;
        for work in works {
            if matches!(work, Work::Decode | Work::Prefill | Work::Batch) && loaded.is_none() {
                let place = models::place(self.choice.model.as_deref())?;
                let gpt2 = place.model(models::device(&self.machine)?, &bar)?;
                let (info, yard) = (ModelInfo::new(place.name(), &gpt2), Yardstick::measure(gpt2.device(), gpt2.dtype())?);
                if !voice.json {
                    output::line(&heading(&info, &yard))?;
                }
                loaded = Some((gpt2, info, yard));
            }
            match (work, &loaded) {
                (Work::Decode, Some((gpt2, info, yard))) => {
                    show(&ovid_bench::decode(info, gpt2, self.n_gen, self.repetitions, *yard, &bar)?)?;
                }
                (Work::Prefill, Some((gpt2, info, yard))) => {
                    show(&ovid_bench::prefill(info, gpt2, self.n_prompt, self.repetitions, *yard, &bar)?)?;
                }
                (Work::Batch, Some((gpt2, info, yard))) => {
                    let shape = (self.batch.unwrap_or(32), BATCH_PROMPT, self.n_gen);
                    show(&ovid_bench::batch(info, gpt2, shape, self.repetitions, *yard, &bar)?)?;
                }
                (Work::Tokenize, _) => self.tokenize(&bar)?.iter().try_for_each(show)?,
                (Work::Start, _) => show(&self.start()?)?,
                _ => show(&self.train(&bar)?)?,
            }
        }
        Ok(())
    }

    fn train(&self, observer: &dyn Observer) -> Result<Measurement, Failure> {
        let device = models::device(&self.machine)?;
        let (name, shape) = match self.choice.model.as_deref().and_then(|n| Some((n, Config::preset(n)?))) {
            // The shape alone is wanted: a released model need not have been fetched.
            Some((name, shape)) => (name.to_owned(), shape),
            None => {
                let place = models::place(self.choice.model.as_deref())?;
                let gpt2 = place.model(models::device(&self.machine)?, observer)?;
                (place.name().to_owned(), gpt2.config().clone())
            }
        };
        let dtype = if self.dtype == Products::Bf16 { Dtype::BF16 } else { Dtype::F32 };
        let yard = Yardstick::measure(&device, dtype)?;
        let shape_of_step = (self.batch.unwrap_or(1), self.context.unwrap_or(shape.n_ctx));
        Ok(ovid_bench::train_step((&name, shape), device, dtype, shape_of_step, self.repetitions, yard, observer)?)
    }

    fn tokenize(&self, observer: &dyn Observer) -> Result<Vec<Measurement>, Failure> {
        let tokenizer = models::tokenizer(&self.choice)?;
        let mut text = Vec::new();
        for document in Documents::open(self.file.as_slice(), Limits::default())? {
            text.extend_from_slice(document?.text.as_bytes());
        }
        let n_threads = self.machine.threads();
        Ok(vec![
            ovid_bench::encode(&tokenizer, &text, n_threads, self.repetitions, observer)?,
            ovid_bench::vocabulary(&text, VOCABULARY, n_threads, self.repetitions, observer)?,
        ])
    }

    /// Starts this program anew, as a person would, and waits for the first byte of its answer.
    fn start(&self) -> Result<Measurement, Failure> {
        let program = std::env::current_exe().map_err(|e| ovid_io::Error::io(Path::new("ovid"), "find", e))?;
        let once = || -> Result<f64, Failure> {
            let fail = |e| Failure::from(ovid_io::Error::io(&program, "start", e));
            let mut command = Command::new(&program);
            command.args(["generate", "--quiet", "--seed", "1", "--max-tokens", "1", "--threads", &self.machine.threads().to_string()]);
            if let Some(model) = &self.choice.model {
                command.args(["--model", model]);
            }
            if let Some(tokenizer) = &self.choice.tokenizer {
                command.arg("--tokenizer").arg(tokenizer);
            }
            let began = Instant::now();
            let mut child = command.arg("The").stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(fail)?;
            let mut first = [0];
            if let Some(out) = &mut child.stdout {
                out.read_exact(&mut first).map_err(fail)?;
            }
            let seconds = began.elapsed().as_secs_f64();
            child.wait().map_err(fail)?;
            Ok(seconds)
        };
        once()?;
        let seconds: Vec<f64> = (0..self.repetitions.max(1)).map(|_| once()).collect::<Result<_, _>>()?;
        Ok(Measurement::of_starts(&seconds))
    }
}

fn heading(model: &ModelInfo, yard: &Yardstick) -> String {
    format!(
        "{}: {} parameters, {}, {}, {} threads on {}; memory gives {:.1} GB/s, the multiply units {:.0} GFLOP/s",
        model.name,
        output::human_count(model.n_params as u64),
        model.dtype,
        model.arithmetic,
        model.n_threads,
        model.device,
        yard.read_bytes_per_s / 1e9,
        yard.peak_operations_per_s / 1e9,
    )
}

fn rendered(m: &Measurement) -> String {
    let scale = if m.unit == "bytes" { (1e6, "MB") } else { (1.0, m.unit.as_str()) };
    let rate = |x: f64| format!("{:.1}", x / scale.0);
    let mut line = format!(
        "{:<14} {:>10} {}/s ({} to {})",
        m.test,
        rate(m.per_second.median),
        scale.1,
        rate(m.per_second.min),
        rate(m.per_second.max)
    );
    if let (Some(bandwidth), Some(peak)) = (m.bandwidth_ratio, m.peak_ratio) {
        line.push_str(&format!("; {:.0}% of the bandwidth, {:.0}% of the peak", 100.0 * bandwidth, 100.0 * peak));
    }
    line
}
