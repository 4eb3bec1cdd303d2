//! `ovid release card`: the model card from the evidence.

use std::path::PathBuf;

use clap::Args;
use ovid_io::atomic::write_atomic;
use ovid_release::Identity;
use ovid_release::card::Card as ModelCard;

use super::Folder;
use crate::failure::Failure;
use crate::interrupt;
use crate::output::{self, Voice};
use crate::progress::Bar;

/// Write the model card from the evidence: README.md with the hub's metadata header, and card.html
///
/// Each number in it names the file and the digest that it came from. What a person must still write is marked, and the check does not pass while it is.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ovid release card my-model/release")]
pub struct Card {
    #[command(flatten)]
    folder: Folder,
    /// Where to write the two files [default: the release folder]
    #[arg(long, short, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Card {
    /// Writes the card.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = interrupt::graceful();
        let bar = Bar::new(voice);
        let release = self.folder.open()?;
        let model = Identity::of(&release.model(), release.tokenizer().as_deref(), &bar)?;
        let card = ModelCard::new(&release, &model, release.plan.stage)?;
        bar.clear();
        let out = self.out.unwrap_or_else(|| release.folder.clone());
        let n_unwritten = card.unwritten().len();
        for (name, text) in [("README.md", card.markdown()), ("card.html", card.html())] {
            write_atomic(&out.join(name), |file| std::io::Write::write_all(file, text.as_bytes()))?;
            if !voice.json {
                voice.say(&out.join(name).display().to_string());
            }
        }
        if voice.json {
            return output::object(&serde_json::json!({ "path": out, "unwritten": card.unwritten() }));
        }
        if n_unwritten > 0 {
            voice.say(&format!("{n_unwritten} passages are marked: they are to be written"));
        }
        Ok(())
    }
}
