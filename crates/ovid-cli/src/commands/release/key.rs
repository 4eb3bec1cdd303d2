//! `ovid release key`: keys to sign with, and to mark copies with.

use std::path::PathBuf;

use clap::Args;
use ovid_release::fingerprint::FingerprintKey;
use ovid_release::keys::{SecretKey, key_id, public_path};

use crate::failure::Failure;
use crate::output::{self, Voice};

/// Make a key to sign with (Ed25519, in minisign's format), or one to mark copies with
///
/// Only its owner can read the secret half. Keys that `minisign -G` made, with a password, can be used as well.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ovid release key -o mine.key\n  ovid release key --fingerprint -o copies.key")]
pub struct Key {
    /// The file to write; the public half goes beside it, with .pub behind its name
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    /// A key for the marks in copies, instead of one to sign with
    #[arg(long)]
    fingerprint: bool,
    /// A line that the file of the secret key begins with
    #[arg(long, value_name = "TEXT", default_value = "ovid release secret key")]
    comment: String,
}

impl Key {
    /// Writes the key and prints its public half.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        if self.fingerprint {
            FingerprintKey::create(&self.out)?;
            voice.say(&format!("{}: keep it; copies are found by nothing else", self.out.display()));
            return if voice.json { output::object(&serde_json::json!({ "path": self.out })) } else { Ok(()) };
        }
        let key = SecretKey::create(&self.out, &self.comment)?;
        let (public, id) = (key.public_key(), key_id(&key.public_key()).unwrap_or_default());
        if voice.json {
            return output::object(&serde_json::json!({ "path": self.out, "public_key": public, "key_id": id }));
        }
        voice.say(&format!("{}: key {id}; its public half is in {} and is:", self.out.display(), public_path(&self.out).display()));
        output::line(&public)
    }
}
