//! `ovid release verify`: is this release what its signer signed, and does its evidence hold?

use std::path::PathBuf;

use clap::Args;
use ovid_release::Stage;
use ovid_release::keys;
use ovid_release::verify::verify;

use super::Again;
use crate::failure::Failure;
use crate::interrupt;
use crate::output::{self, Voice};
use crate::progress::Bar;

/// Verify a release as a stranger: signature, digests, evidence; exit status 1 where anything is not as it should be
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ovid release verify ovid-mini-1\n  ovid release verify ovid-mini-1 --public-key project.key.pub --samples 20"
)]
pub struct Verify {
    /// The release
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The signer's public key, got from elsewhere: a .pub file, or the line in it
    #[arg(long, value_name = "KEY")]
    public_key: Option<String>,
    #[command(flatten)]
    again: Again,
}

impl Verify {
    /// Prints what was found.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = interrupt::graceful();
        let bar = Bar::new(voice);
        let key = self.public_key.as_deref().map(keys::public_key).transpose()?;
        // The stage is the manifest's own.
        let options = self.again.options(Stage::Full, voice)?;
        let report = verify(&self.folder, key.as_deref(), options.n_samples, options.seed, options.n_threads, options.unit, &bar);
        bar.clear();
        let report = report?;
        if voice.json {
            output::object(&report)?;
        } else {
            for fault in &report.faults {
                output::line(&format!("{}: {}", fault.path, fault.what))?;
            }
            if let Some(evidence) = report.evidence.as_ref().filter(|_| report.faults.is_empty()) {
                for item in evidence.items.iter().filter(|i| i.status == ovid_release::check::Status::Passed) {
                    output::line(&format!("ok  {}: {}", item.id, item.found.as_deref().unwrap_or_default()))?;
                }
            }
            for what in &report.not_checked {
                output::line(&format!("not checked: {what}"))?;
            }
            if let Some(m) = &report.manifest {
                let (key, to) =
                    (report.key_id.as_deref().unwrap_or("?"), m.to.as_ref().map_or_else(String::new, |to| format!(", copy for {to}")));
                output::line(&format!(
                    "{} {}, stage {}{to}; signed by {} with the key {key} on {}",
                    m.name, m.version, m.stage, m.signer.name, m.date
                ))?;
                if !report.key_known {
                    output::line(
                        "the key is the one that the release itself names: whose it is, only its holder can say; compare it with --public-key KEY",
                    )?;
                }
            }
            output::line(if report.verified { "verified" } else { "not verified" })?;
        }
        if report.verified { Ok(()) } else { Err(Failure::No) }
    }
}
