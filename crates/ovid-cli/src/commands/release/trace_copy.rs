//! `ovid release trace-copy`: whose copy is this?

use std::path::PathBuf;

use clap::Args;
use ovid_model::load_params;
use ovid_release::export::copies;
use ovid_release::fingerprint::{FingerprintKey, trace};

use crate::failure::Failure;
use crate::interrupt;
use crate::models;
use crate::output::{self, Voice};
use crate::progress::Bar;

/// Find for whom a copy was made, from the mark in its weights' last bits; exit status 1 where no name is found
///
/// The mark is in exact copies and in what was saved again as f32, bf16 or f16. Quantising (Q8_0, Q4_0) takes nearly all of it; further training and whoever knows of it destroy it.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ovid release trace-copy found/model --fingerprint copies.key --copies my-model/release/copies.jsonl")]
pub struct TraceCopy {
    /// The model that turned up
    #[arg(value_name = "MODEL")]
    model: String,
    /// The key that marked the copies
    #[arg(long, value_name = "FILE")]
    fingerprint: PathBuf,
    /// The names, as `ovid release export --to` wrote them down
    #[arg(long, value_name = "FILE", required_unless_present = "to")]
    copies: Option<PathBuf>,
    /// A name to try; may be given again
    #[arg(long, value_name = "NAME")]
    to: Vec<String>,
}

impl TraceCopy {
    /// Prints the name.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = interrupt::graceful();
        let bar = Bar::new(voice);
        let mut names = self.copies.as_deref().map(copies).transpose()?.unwrap_or_default();
        names.extend(self.to);
        let key = FingerprintKey::load(&self.fingerprint)?;
        let scratch = tempfile::tempdir().map_err(|e| ovid_io::Error::io(&std::env::temp_dir(), "write", e))?;
        let params = load_params(&models::place(Some(&self.model))?.on_disk(scratch.path())?, &bar)?;
        let report = trace(&params, &key, &names);
        bar.clear();
        if voice.json {
            output::object(&report)?;
        } else {
            for name in report.names.iter().take(5) {
                let p = if name.p_value < 1e-300 { "under 1e-300".to_owned() } else { format!("{:.2e}", name.p_value) };
                output::line(&format!("{:>7.3}% of {} bits agree, p {p}: {}", 100.0 * name.agree_ratio, name.n_read, name.name))?;
            }
            match &report.found {
                Some(name) => output::line(&format!("this is the copy made for {name}"))?,
                None => output::line(&format!(
                    "no mark of the {} names tried: not one of their copies, or the mark was destroyed",
                    names.len()
                ))?,
            }
        }
        if report.found.is_some() { Ok(()) } else { Err(Failure::No) }
    }
}
