//! `ovid man`: a manual page for each command.

use std::path::PathBuf;

use clap::{Args, Command, CommandFactory};
use ovid_io::atomic::write_atomic;

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::output::Voice;

/// Write the manual pages into a folder
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ovid man ~/.local/share/man/man1 && man ovid-generate")]
pub struct Man {
    /// The folder; it is made where it is missing
    folder: PathBuf,
}

impl Man {
    /// Writes `ovid.1`, `ovid-generate.1`, …
    pub fn run(&self, voice: Voice) -> Result<(), Failure> {
        std::fs::create_dir_all(&self.folder).map_err(|e| ovid_io::Error::io(&self.folder, "make", e))?;
        let mut root = Arguments::command();
        root.build();
        self.write(&root, voice)
    }

    fn write(&self, command: &Command, voice: Voice) -> Result<(), Failure> {
        let name = command.get_display_name().unwrap_or(command.get_name());
        let path = self.folder.join(format!("{name}.1"));
        let page = clap_mangen::Man::new(command.clone());
        write_atomic(&path, |out| page.render(out))?;
        voice.say(&path.display().to_string());
        for sub in command.get_subcommands().filter(|s| s.get_name() != "help") {
            self.write(sub, voice)?;
        }
        Ok(())
    }
}
