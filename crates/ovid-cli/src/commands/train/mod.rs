//! `ovid train`: a GPT-2 from text, or one trained further.

mod flags;

use std::path::PathBuf;

use clap::Args;
use ovid_io::Observer;
use ovid_train::metrics::Row;
use ovid_train::{Event, OneRank, TrainConfig, launch};

use crate::arguments::Machine;
use crate::failure::Failure;
use crate::input;
use crate::interrupt;
use crate::models;
use crate::output::{self, Voice};
use crate::progress::Bar;
use flags::TrainFlags;

/// Train a GPT-2 from text, or fine-tune one
///
/// Ctrl-C ends it after a checkpoint; the same command again goes on from there and ends in the same bytes as a run that was never stopped. Every flag may stand as a key in
/// the file that --config names; the resolved settings are written to OUT/config.toml. With --from the defaults are gentler: 100 steps of 4 micro-batches of 2 rows at a
/// learning rate of 3e-5.
#[derive(Debug, Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "Examples:\n  ovid train --from gpt2 --text novel.txt --out novelist --steps 500\n  ovid train --text books/ --tokenizer my-tokenizer --n-layer 6 --n-head 6 --n-embd 384 --n-ctx 256 --out run\n  ovid train --config run/config.toml"
)]
pub struct Train {
    #[command(flatten)]
    flags: TrainFlags,
    #[command(flatten)]
    machine: Machine,
}

impl Train {
    /// Trains to the last step, or until Ctrl-C.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = interrupt::graceful();
        let mut table = self.flags.table()?;
        if table.contains_key("from") {
            let mut gentle = as_table(&TrainConfig::fine_tuning())?;
            gentle.extend(table);
            table = gentle;
        }
        let out = table.get("out").and_then(toml::Value::as_str).map_or_else(|| TrainConfig::default().out, PathBuf::from);
        if !table.contains_key("from") && !table.contains_key("tokenizer") && table.contains_key("text") {
            table.insert("tokenizer".into(), ovid_mini::NAME.into());
        }
        for key in ["from", "tokenizer"] {
            if let Some(toml::Value::String(name)) = table.get(key) {
                let path = models::place(Some(name))?.on_disk(&out)?;
                table.insert(key.to_string(), path.to_string_lossy().into_owned().into());
            }
        }
        if let Some(toml::Value::Array(texts)) = table.get_mut("text") {
            let paths: Vec<PathBuf> = texts.iter().filter_map(|t| t.as_str().map(PathBuf::from)).collect();
            *texts = input::rereadable(&paths, &out)?.into_iter().map(|p| p.to_string_lossy().into_owned().into()).collect();
        }
        let config = TrainConfig::resolve(None, table)?;
        let device = models::device(&self.machine)?;
        let bar = Bar::new(voice);
        let mut unwritten = Ok(());
        let mut show = |event: &Event<'_>| {
            if voice.json
                && let Some(row) = row(event)
                && unwritten.is_ok()
            {
                unwritten = output::object(&row);
            } else if let Some(line) = line(event) {
                bar.note(&line);
            }
        };
        let outcome = launch(&config, &device, &OneRank, None, &bar, &mut show)?;
        bar.clear();
        unwritten?;
        if outcome.is_finished {
            voice.say(&format!("trained: {}", config.out.display()));
            return Ok(());
        }
        voice.say(&format!("stopped after step {}; the same command goes on from there", outcome.state.counters.step));
        Err(Failure::Interrupted)
    }
}

fn as_table(config: &TrainConfig) -> Result<toml::Table, Failure> {
    toml::Table::try_from(config).map_err(|e| Failure::input(format!("these settings cannot be written as TOML: {e}")))
}

/// What `--json` prints: the rows of OUT/metrics.jsonl.
fn row(event: &Event<'_>) -> Option<Row> {
    match event {
        Event::Step(row, _) => Some(Row::Step((*row).clone())),
        Event::Validation(row) => Some(Row::Validation((*row).clone())),
        Event::Skipped(row) => Some(Row::Skipped((*row).clone())),
        _ => None,
    }
}

/// What people read.
fn line(event: &Event<'_>) -> Option<String> {
    let per_byte = |bits: Option<f64>| bits.map_or_else(String::new, |b| format!("  {b:.4} bits/byte"));
    Some(match event {
        Event::Resumed { step } => format!("going on after step {step}"),
        Event::Step(row, timing) => {
            let share = timing.peak_share.map_or_else(String::new, |s| format!("  {:.0}% of peak", s * 100.0));
            format!(
                "step {:>6}  loss {:.4}{}  learning rate {:.2e}  gradient norm {:.2}  {:.0} tokens/s{share}",
                row.step,
                row.loss_nats,
                per_byte(row.bits_per_byte),
                row.learning_rate,
                row.grad_norm,
                timing.tokens_per_s
            )
        }
        Event::Validation(row) => {
            format!(
                "step {:>6}  validation loss {:.4}{}  over {} tokens",
                row.step,
                row.loss_nats,
                per_byte(row.bits_per_byte),
                output::human_count(row.n_scored)
            )
        }
        Event::Skipped(row) => format!("step {:>6}  skipped: {}", row.step, row.cause),
        Event::Checkpoint { step, path } => format!("step {step:>6}  checkpoint {}", path.display()),
        Event::Sample(row) => format!("step {:>6}  sample: {}{}", row.step, row.prompt, row.text),
        Event::Note(text) => (*text).to_string(),
        _ => return None,
    })
}
