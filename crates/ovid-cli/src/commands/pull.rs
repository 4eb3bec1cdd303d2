//! `ovid pull`: released models from the Hugging Face hub into its usual local cache.

use std::path::PathBuf;

use clap::Args;
use ovid_io::hub::{ENDPOINT, Hub, Pulled};

use crate::failure::Failure;
use crate::interrupt;
use crate::output::{self, Voice};
use crate::progress::Bar;

/// Fetch a released model by name
///
/// Files go where the Hugging Face libraries keep theirs, so that neither fetches what the other has. Each is checked against its digest; a download that was cut goes on
/// where it was. HF_ENDPOINT, HF_TOKEN, HF_HOME and HF_HUB_CACHE are obeyed.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ovid pull gpt2 && ovid generate --model gpt2 \"So it goes.\"")]
pub struct Pull {
    /// gpt2, gpt2-medium, gpt2-large, gpt2-xl, or OWNER/NAME of any GPT-2 on the hub
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// The hub's address [default: HF_ENDPOINT, else the public hub]
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// The cache's folder [default: HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub]
    #[arg(long, value_name = "FOLDER")]
    cache: Option<PathBuf>,
}

impl Pull {
    /// Fetches, and prints the folder of each model.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = interrupt::graceful();
        let bar = Bar::new(voice);
        let hub = Hub::from_variables(|name| match (name, &self.endpoint, &self.cache) {
            ("HF_ENDPOINT", Some(url), _) => Some(url.into()),
            ("HF_HUB_CACHE", _, Some(folder)) => Some(folder.into()),
            _ => std::env::var_os(name),
        })?;
        for name in &self.names {
            let folder = hub.pull(name, &bar).map_err(|e| match e {
                ovid_io::Error::Network { .. } => Failure::from(e)
                    .hint(format!("what came so far is kept: run it again; another hub than {ENDPOINT} is set with --endpoint")),
                e => e.into(),
            })?;
            bar.clear();
            if voice.json {
                output::object(&Pulled { name: name.clone(), folder })?;
            } else {
                output::line(&folder.display().to_string())?;
            }
        }
        Ok(())
    }
}
