//! The loop: rows in, steps taken, rows of metrics and checkpoints out.
//!
//! For each step: gradients of its micro-batches in their order, norm, guard, clipped update; then, where they are due, metrics, validation, checkpoint and samples.
//! A checkpoint holds the whole state and every draw is a function of its place, so a run that is killed at any moment and started again ends in the same bytes.

use std::fs::File;
use std::path::Path;
use std::time::Instant;

use ovid_io::{Observer, Progress};
use ovid_kernels::Backend;
use ovid_model::DropoutKey;

use crate::checkpoint::{self, Counters, Identity, State};
use crate::collective::Collective;
use crate::config::TrainConfig;
use crate::data::{Corpus, Loader};
use crate::metrics::{self, Log, Row, SampleRow, SkippedRow, StepRow, TimingRow, ValidationRow};
use crate::model::Model;
use crate::optimiser::{Buffers, clip_factor, global_norm, update};
use crate::schedule::learning_rate;
use crate::validate::{Extent, validate};
use crate::{Bytes, Error};

/// What happened, for whoever shows it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Training goes on from a checkpoint.
    Resumed {
        /// Steps done.
        step: u64,
    },
    /// A row of the metrics, with its speed.
    Step(&'a StepRow, &'a TimingRow),
    /// A validation.
    Validation(&'a ValidationRow),
    /// A step was skipped.
    Skipped(&'a SkippedRow),
    /// A checkpoint was written.
    Checkpoint {
        /// Steps done.
        step: u64,
        /// Its folder.
        path: &'a Path,
    },
    /// The model wrote something.
    Sample(&'a SampleRow),
    /// Something that deserves a line.
    Note(&'a str),
}

/// What the loop leaves to its caller.
pub trait Hooks {
    /// Shows what happened.
    fn event(&mut self, _event: &Event<'_>) {}

    /// Lets the model write; the rows' `step` is filled in by the loop.
    ///
    /// # Errors
    /// Ends the run.
    fn sample(&mut self, _params: &[f32]) -> Result<Vec<SampleRow>, Error> {
        Ok(Vec::new())
    }

    /// Writes the model, as others read it, into an existing empty folder.
    ///
    /// # Errors
    /// Ends the run.
    fn export(&mut self, _params: &[f32], _folder: &Path) -> Result<(), Error> {
        Ok(())
    }
}

/// Hooks that do nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHooks;

impl Hooks for NoHooks {}

/// What a run is made of.
pub struct Run<'a, B: Backend> {
    /// The settings.
    pub config: &'a TrainConfig,
    /// The data.
    pub corpus: &'a Corpus,
    /// The bytes of tokens.
    pub bytes: Bytes,
    /// The ranks.
    pub collective: &'a dyn Collective<B>,
    /// What computes.
    pub device: &'a B,
    /// Floating-point operations of one token's forward and backward pass.
    pub operations_per_token: f64,
    /// Measured peak of the machine in operations a second.
    pub peak_operations_per_s: Option<f64>,
    /// Progress and cancelling.
    pub observer: &'a dyn Observer,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The last state.
    pub state: State,
    /// False where it was cancelled; started again, it goes on.
    pub is_finished: bool,
    /// The last validation of this process.
    pub validation: Option<ValidationRow>,
}

/// Trains from the newest whole checkpoint in the run's folder, or from `initial` where there is none, to the last step.
///
/// # Errors
/// If a file cannot be read or written, the folder holds another run, or too many steps in a row were skipped. Checkpoints written before remain.
pub fn train<B: Backend>(
    run: &Run<'_, B>,
    model: &mut dyn Model<B>,
    initial: impl FnOnce() -> Result<Vec<f32>, Error>,
    hooks: &mut dyn Hooks,
) -> Result<Outcome, Error> {
    let config = run.config;
    config.check()?;
    let n_micro = config.accumulation;
    if !n_micro.is_multiple_of(run.collective.world()) {
        return Err(Error::config("accumulation", format!("{n_micro} micro-batches cannot be shared by {} ranks", run.collective.world())));
    }
    let out = config.out.as_path();
    let _lock = open_folder(out)?;
    let identity = Identity { settings: config.deciding()?, data_sha256: run.corpus.sha256.clone() };
    let (found, broken) = checkpoint::newest(out, &identity, model.parameters())?;
    for error in &broken {
        hooks.event(&Event::Note(&format!("{error}; set aside, going on from an older one")));
    }
    checkpoint::prune(out, config.keep_checkpoints)?;
    let state = match found {
        Some(state) => {
            hooks.event(&Event::Resumed { step: state.counters.step });
            state
        }
        None => State::new(initial()?),
    };
    let settings = config.to_toml()?;
    ovid_io::atomic::write_atomic(&out.join("config.toml"), |file| std::io::Write::write_all(file, settings.as_bytes()))?;
    let log = |name: &str| Log::resume(&out.join(name), state.counters.step);
    let piece_tokens = config.piece_contexts.saturating_mul(config.context());
    let n_params = state.params.len();
    let uploaded = |values: &[f32], what| -> Result<B::Buf, Error> {
        let mut buf = run.device.zeros(n_params, what)?;
        run.device.upload(values, &mut buf, 0);
        Ok(buf)
    };
    let buffers = Buffers {
        params: uploaded(&state.params, "parameters")?,
        grads: run.device.zeros(n_params, "gradients")?,
        m: uploaded(&state.m, "first moments")?,
        v: uploaded(&state.v, "second moments")?,
    };
    model.set_params(&buffers.params)?;
    let mut training = Training {
        run,
        loader: Loader::new(run.corpus, config.order, config.context(), piece_tokens, config.seed)?,
        part: if n_micro > 1 { Some(run.device.zeros(n_params, "gradients of a micro-batch")?) } else { None },
        metrics: log("metrics.jsonl")?,
        samples: log("samples.jsonl")?,
        timing: log("timing.jsonl")?,
        clock: Clock::new(state.counters.n_tokens),
        validation: None,
        now: state.counters,
        n_params,
        buffers,
        identity,
        model,
        hooks,
    };
    drop((state.params, state.m, state.v));
    training.run_to_the_end()
}

/// Makes the run's folder ours: locked for as long as the file lives, and without what a killed process left half-written.
fn open_folder(out: &Path) -> Result<Lock, Error> {
    let checkpoints = checkpoint::folder(out);
    std::fs::create_dir_all(&checkpoints).map_err(|cause| ovid_io::Error::io(&checkpoints, "make", cause))?;
    let path = out.join(".lock");
    let refuse = |cause| ovid_io::Error::io(&path, "lock", cause);
    let lock = File::options().create(true).append(true).open(&path).map_err(refuse)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => return Err(Error::Busy { path: out.to_owned() }),
        Err(std::fs::TryLockError::Error(cause)) => return Err(refuse(cause).into()),
    }
    for folder in [out, &checkpoints] {
        let refuse = |cause| ovid_io::Error::io(folder, "clean up", cause);
        for entry in std::fs::read_dir(folder).map_err(refuse)? {
            let entry = entry.map_err(refuse)?;
            let name = entry.file_name();
            // The temporary names of `ovid_io::atomic`.
            if name.to_str().is_some_and(|name| name.starts_with('.') && name.ends_with(".partial")) {
                let is_folder = entry.file_type().map_err(refuse)?.is_dir();
                if is_folder { std::fs::remove_dir_all(entry.path()) } else { std::fs::remove_file(entry.path()) }.map_err(refuse)?;
            }
        }
    }
    Ok(Lock(lock))
}

/// The lock on a run's folder.
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file is not enough while a program that another thread is just starting still has it open.
        let _ = self.0.unlock();
    }
}

/// A run under way.
struct Training<'a, 'b, B: Backend> {
    run: &'a Run<'b, B>,
    model: &'a mut dyn Model<B>,
    hooks: &'a mut dyn Hooks,
    loader: Loader<'b>,
    identity: Identity,
    now: Counters,
    n_params: usize,
    buffers: Buffers<B>,
    /// The gradients of one micro-batch, where there are several.
    part: Option<B::Buf>,
    metrics: Log,
    samples: Log,
    timing: Log,
    clock: Clock,
    validation: Option<ValidationRow>,
}

impl<B: Backend> Training<'_, '_, B> {
    fn run_to_the_end(&mut self) -> Result<Outcome, Error> {
        let config = self.run.config;
        let mut saved = (!self.now.is_unmeasured).then_some(self.now.step);
        let mut exported = None;
        loop {
            let is_measured = !self.now.is_unmeasured || self.measure()?;
            let step = self.now.step;
            let is_stopped = !is_measured || self.run.observer.cancelled();
            let is_last = step == config.steps || is_stopped;
            if step > 0 && (is_last || step.is_multiple_of(config.checkpoint_every)) && saved != Some(step) {
                self.save()?;
                (saved, exported) = (Some(step), Some(step));
            }
            if is_last {
                // A kill may have come between the last checkpoint and its model.
                if exported != Some(step) {
                    self.export()?;
                }
                self.draw()?;
                return Ok(Outcome {
                    state: self.snapshot(),
                    is_finished: step == config.steps && is_measured,
                    validation: self.validation.clone(),
                });
            }
            self.step()?;
        }
    }

    /// Validates and samples where it is due; false where validation was cancelled and is still to come.
    fn measure(&mut self) -> Result<bool, Error> {
        let config = self.run.config;
        let step = self.now.step;
        let is_due = |every: u64| every > 0 && (step.is_multiple_of(every) || step == config.steps);
        if is_due(config.validate_every) && !self.validate()? {
            return Ok(false);
        }
        if step > 0 && is_due(config.sample_every) {
            self.sample()?;
        }
        self.now.is_unmeasured = false;
        Ok(true)
    }

    /// One step of the optimiser, taken or skipped.
    fn step(&mut self) -> Result<(), Error> {
        let config = self.run.config;
        let (loss_sum, n_bytes) = self.gradients()?;
        let n_targets = config.tokens_per_step();
        let loss_nats = loss_sum / n_targets as f64;
        let grad_norm = global_norm(self.run.device, &self.buffers.grads, self.n_params);
        let rate = learning_rate(config, self.now.step);
        let refused = self.now.guard.judge(loss_nats, grad_norm, config.spike_factor);
        if refused.is_none() {
            let clip = clip_factor(grad_norm, config.clip_norm);
            update(self.run.device, config, self.model.parameters(), &mut self.buffers, self.now.step, self.now.guard.n_taken, clip)?;
            self.model.set_params(&self.buffers.params)?;
        }
        let epoch = self.loader.epoch_of((self.now.step + 1) * self.rows_per_step())?;
        self.now.step += 1;
        self.now.n_tokens += n_targets;
        (self.now.is_unmeasured, self.now.validation_loss) = (true, None);
        let (step, n_tokens) = (self.now.step, self.now.n_tokens);
        self.run.observer.progress(Progress { stage: "training", done: n_tokens, total: Some(n_targets * config.steps), unit: "tokens" });
        if let Some(cause) = refused {
            let row = SkippedRow { step, cause };
            self.metrics.append(&Row::Skipped(row.clone()))?;
            self.hooks.event(&Event::Skipped(&row));
            if self.now.guard.n_skipped_in_row >= config.most_skipped {
                return Err(Error::Diverged { step, n_skipped: self.now.guard.n_skipped_in_row, cause: row.cause });
            }
        } else if step.is_multiple_of(config.log_every) || step == config.steps {
            let bits_per_byte = (n_bytes > 0.0).then(|| loss_sum / std::f64::consts::LN_2 / n_bytes);
            let row = StepRow { step, n_tokens, epoch, loss_nats, bits_per_byte, learning_rate: rate, grad_norm };
            let timing = self.clock.row(step, n_tokens, self.run);
            self.metrics.append(&Row::Step(row.clone()))?;
            self.timing.append(&timing)?;
            self.hooks.event(&Event::Step(&row, &timing));
        }
        Ok(())
    }

    fn rows_per_step(&self) -> u64 {
        (self.run.config.batch_size * self.run.config.accumulation) as u64
    }

    /// Fills `grads` with the gradient of the step's mean loss; returns the summed loss and the bytes of its targets.
    fn gradients(&mut self) -> Result<(f64, f64), Error> {
        let config = self.run.config;
        let (context, batch_size, n_micro) = (config.context(), config.batch_size, config.accumulation);
        let collective = self.run.collective;
        let scale = (1.0 / config.tokens_per_step() as f64) as f32;
        let (mut tokens, mut targets) = (vec![0; batch_size * context], vec![0; batch_size * context]);
        let mut row = vec![0; context + 1];
        let (mut loss, mut n_bytes) = (0.0, 0.0);
        let device = self.run.device;
        device.clear(&mut self.buffers.grads, self.n_params);
        for round in 0..n_micro / collective.world() {
            let micro = round * collective.world() + collective.rank();
            let first_row = (micro * batch_size) as u64;
            for b in 0..batch_size {
                self.loader.row(self.now.step * self.rows_per_step() + first_row + b as u64, &mut row)?;
                tokens[b * context..][..context].copy_from_slice(&row[..context]);
                targets[b * context..][..context].copy_from_slice(&row[1..]);
            }
            let dropout =
                (config.dropout > 0.0).then_some(DropoutKey { seed: config.seed, step: self.now.step, first_sequence: first_row });
            let part = match &mut self.part {
                None => self.model.step(&tokens, &targets, batch_size, dropout, scale, &mut self.buffers.grads)?,
                Some(buf) => {
                    device.clear(buf, self.n_params);
                    let loss = self.model.step(&tokens, &targets, batch_size, dropout, scale, buf)?;
                    collective.all_reduce_sum(device, buf, self.n_params, &mut self.buffers.grads)?;
                    loss
                }
            };
            collective.all_reduce_sum_f64(part, &mut loss)?;
            collective.all_reduce_sum_f64(self.run.bytes.of(targets.iter().copied()), &mut n_bytes)?;
        }
        Ok((loss, n_bytes))
    }

    /// The whole state on the host.
    fn snapshot(&self) -> State {
        let host = |buf| self.run.device.download(buf, 0..self.n_params);
        State { counters: self.now, params: host(&self.buffers.params), m: host(&self.buffers.m), v: host(&self.buffers.v) }
    }

    fn host_params(&self) -> Vec<f32> {
        self.run.device.download(&self.buffers.params, 0..self.n_params)
    }

    /// False where it was cancelled.
    fn validate(&mut self) -> Result<bool, Error> {
        self.clock.stop();
        let config = self.run.config;
        let extent = Extent { context: config.context(), batch_size: config.batch_size, n_batches: config.validation_batches };
        let observer = self.run.observer;
        let found = validate(self.model, self.run.corpus, &self.run.bytes, extent, &|| observer.cancelled())?;
        if let Some(row) = found {
            let row = ValidationRow { step: self.now.step, n_tokens: self.now.n_tokens, ..row };
            self.metrics.append(&Row::Validation(row.clone()))?;
            self.hooks.event(&Event::Validation(&row));
            self.now.validation_loss = Some(row.loss_nats);
            self.validation = Some(row);
            self.draw()?;
        } else if observer.cancelled() {
            return Ok(false);
        }
        self.clock.go_on();
        Ok(true)
    }

    fn sample(&mut self) -> Result<(), Error> {
        self.clock.stop();
        let params = self.host_params();
        for row in self.hooks.sample(&params)? {
            let row = SampleRow { step: self.now.step, ..row };
            self.samples.append(&row)?;
            self.hooks.event(&Event::Sample(&row));
        }
        self.clock.go_on();
        Ok(())
    }

    fn save(&mut self) -> Result<(), Error> {
        self.clock.stop();
        // The rows up to the checkpoint must not be lost where the checkpoint is not.
        self.metrics.sync()?;
        self.samples.sync()?;
        let config = self.run.config;
        let path = checkpoint::save(&config.out, &self.snapshot(), &self.identity, self.model.parameters(), config.keep_checkpoints)?;
        self.hooks.event(&Event::Checkpoint { step: self.now.step, path: &path });
        self.export()?;
        self.clock.go_on();
        Ok(())
    }

    /// The newest model as others read it, in `model/`.
    fn export(&mut self) -> Result<(), Error> {
        let folder = self.run.config.out.join("model");
        let params = self.host_params();
        ovid_io::atomic::write_folder(&folder, ovid_io::atomic::IfExists::Replace, |folder| self.hooks.export(&params, folder))
    }

    fn draw(&self) -> Result<(), Error> {
        let out = &self.run.config.out;
        let rows = metrics::read(&out.join("metrics.jsonl"))?;
        let name = out.file_name().map_or_else(|| "run".into(), |name| name.to_string_lossy());
        match metrics::loss_curve(&format!("{name}: loss while training"), &rows).write(&out.join("loss")) {
            Err(ovid_figures::Error::Empty { .. }) => Ok(()),
            written => Ok(written?),
        }
    }
}

/// Measures the time spent on steps.
struct Clock {
    began: Instant,
    since: Instant,
    /// Seconds of steps since the last row, without the piece that is under way.
    seconds: f64,
    n_tokens: u64,
}

impl Clock {
    fn new(n_tokens: u64) -> Self {
        let now = Instant::now();
        Self { began: now, since: now, seconds: 0.0, n_tokens }
    }

    fn stop(&mut self) {
        self.seconds += self.since.elapsed().as_secs_f64();
    }

    fn go_on(&mut self) {
        self.since = Instant::now();
    }

    fn row(&mut self, step: u64, n_tokens: u64, run: &Run<'_, impl Backend>) -> TimingRow {
        self.stop();
        let tokens_per_s = (n_tokens - self.n_tokens) as f64 / self.seconds.max(1e-9);
        let peak_share = run.peak_operations_per_s.map(|peak| tokens_per_s * run.operations_per_token / peak);
        (self.seconds, self.n_tokens) = (0.0, n_tokens);
        self.go_on();
        TimingRow { step, seconds: self.began.elapsed().as_secs_f64(), tokens_per_s, peak_share }
    }
}
