//! `ovid release measure`: the evidence that hangs on the model alone.

use std::path::PathBuf;

use clap::Args;
use ovid_bpe::Tokenizer;
use ovid_generate::ModelId;
use ovid_model::Gpt2;
use ovid_release::measure;

use super::Folder;
use crate::arguments::Machine;
use crate::failure::Failure;
use crate::interrupt;
use crate::models;
use crate::output::{self, Voice, human_count};
use crate::progress::Bar;

/// Evaluate the model on held-out text by style, ask it the probes, and count the tries of a ledger
///
/// Writes evidence/evaluation.json, evidence/probes.json and, with --ledger, evidence/tries.json.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ovid release measure my-model/release --ledger tries.db")]
pub struct Measure {
    #[command(flatten)]
    folder: Folder,
    /// Held-out documents, JSON Lines with `text` and `style` [default: those that release.toml names]
    #[arg(long, value_name = "FILE")]
    held_out: Vec<PathBuf>,
    /// The ledger in which the samples were taken down
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    #[command(flatten)]
    machine: Machine,
}

impl Measure {
    /// Measures and writes.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = interrupt::graceful();
        let bar = Bar::new(voice);
        let release = self.folder.open()?;
        let (folder, path) = (&release.folder, release.model());
        let id = ModelId { name: release.plan.name.clone(), sha256: ovid_io::digest::sha256_tree(&path, &bar)? };
        let model = Gpt2::load(&path, models::device(&self.machine)?, &bar)?;
        let tokenizer = Tokenizer::load(&release.tokenizer().unwrap_or(path))?;
        let paths =
            if self.held_out.is_empty() { release.plan.data.held_out.iter().map(|p| folder.join(p)).collect() } else { self.held_out };
        let evaluation = measure::evaluation(folder, &model, &tokenizer, &id, &paths, &bar)?;
        let probes = measure::probes(folder, &model, &tokenizer, &id, &bar)?;
        let tries = self.ledger.map(|ledger| measure::tries(folder, &ledger, &id, &bar)).transpose()?;
        bar.clear();
        if voice.json {
            return output::object(&serde_json::json!({ "evaluation": evaluation, "probes": probes, "tries": tries }));
        }
        let all = &evaluation.all;
        voice.say(&format!(
            "evaluation: {:.4} bits per byte over {} bytes in {} styles",
            all.bits_per_byte,
            human_count(all.n_bytes as u64),
            evaluation.styles.len()
        ));
        for family in &probes.report.families {
            voice.say(&format!("probes, {}: {:.3} nats between the furthest groups", family.name, family.spread_nats));
        }
        if let Some(tries) = tries {
            voice.say(&format!("tries: {} samples begun, {} of them whole", human_count(tries.n_samples), human_count(tries.n_completed)));
        }
        Ok(())
    }
}
