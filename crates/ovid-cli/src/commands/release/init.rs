//! `ovid release init`: a new release folder.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ovid_release::Stage;
use ovid_release::init::init;
use ovid_release::keys::{self, Kind, Signer};

use crate::failure::Failure;
use crate::models;
use crate::output::Voice;

/// Make a release folder: the plan to be written, the checklist, and whose signatures count
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ovid release init my-model/release --model my-model/model --name my-model --stage small --signer \"Ada Lovelace\" --public-key mine.key.pub"
)]
pub struct Init {
    /// The folder to make
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// The model: a folder or GGUF file
    #[arg(long, short, value_name = "PATH")]
    model: PathBuf,
    /// What it is called
    #[arg(long, value_name = "NAME")]
    name: String,
    /// The stage that is aimed at: demo, small, researchers, full
    #[arg(long, value_name = "STAGE", default_value = "demo")]
    stage: Stage,
    /// Whose signature counts: the name of a person, or of a program
    #[arg(long, value_name = "NAME")]
    signer: String,
    /// Person or program
    #[arg(long, value_enum, default_value = "person")]
    kind: Who,
    /// Their public key: a .pub file, or the line in it
    #[arg(long, value_name = "KEY")]
    public_key: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Who {
    /// A person who answers for what is signed
    Person,
    /// A program, which says that files belong together
    Automatic,
}

impl Init {
    /// Writes the folder.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let model = models::locate(&self.model.to_string_lossy())?;
        let kind = match self.kind {
            Who::Person => Kind::Person,
            Who::Automatic => Kind::Automatic,
        };
        let signer = Signer { name: self.signer, kind, public_key: keys::public_key(&self.public_key)? };
        init(&self.folder, &self.name, &model, self.stage, &[signer])?;
        voice.say(&format!(
            "{}: write release.toml where it is marked, then see what else is missing: ovid release check",
            self.folder.display()
        ));
        Ok(())
    }
}
