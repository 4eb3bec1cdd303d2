//! `ovid watermark keygen`: a new key.

use std::path::PathBuf;

use clap::Args;
use ovid_watermark::{Key, NewKey};

use crate::failure::Failure;
use crate::output::{self, Voice};

/// Make a key file that its owner alone may read
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ovid watermark keygen --name \"spring campaign\" spring.key")]
pub struct Keygen {
    /// Where it goes; a file that is there stays
    #[arg(value_name = "FILE")]
    path: PathBuf,
    /// What you call it; printed by `detect`, and no secret
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
}

impl Keygen {
    /// Prints the identity.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)
            .map_err(|e| Failure::Machine { message: format!("the system gives no random numbers: {e}"), hint: None })?;
        let key = Key::new(secret, self.name);
        key.write(&self.path)?;
        if voice.json {
            return output::object(&NewKey { id: key.id(), file: self.path });
        }
        output::line(&key.id().to_string())?;
        voice.say(&format!("{}: keep it; without it nobody can find its mark, and whoever has it can forge it", self.path.display()));
        Ok(())
    }
}
