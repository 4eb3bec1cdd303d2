//! Hugging Face folders: `config.json`, `model.safetensors` or its shards, names with or without `transformer.`.

use super::source::Source;
use crate::{Config, Error, Layout};
use ovid_io::safetensors::SafeTensorsFolder;
use ovid_io::{Observer, TensorView};
use std::path::{Path, PathBuf};

const HEAD: &str = "lm_head.weight";

pub struct HfFolder {
    path: PathBuf,
    config: Config,
    tensors: SafeTensorsFolder,
    prefix: &'static str,
}

impl HfFolder {
    pub fn open(path: &Path) -> Result<Self, Error> {
        let config = Config::from_hf(&path.join("config.json"))?;
        let tensors = SafeTensorsFolder::open(path)?;
        let n_tensors = tensors.tensors().count();
        config.check_layers(n_tensors, &path.join("config.json"), "n_layer")?;
        let has = |name: &str| tensors.tensor(name).map(|t| t.is_some());
        let prefix = if has("transformer.wte.weight")? { "transformer." } else { "" };
        let folder = Self { path: path.to_owned(), config, tensors, prefix };
        folder.check_rest()?;
        Ok(folder)
    }

    /// A tensor that the configuration does not ask for means that file and configuration are not of one model.
    fn check_rest(&self) -> Result<(), Error> {
        let layout = Layout::new(&self.config);
        for view in self.tensors.tensors() {
            let name = view.name.strip_prefix(self.prefix).unwrap_or(view.name);
            let tied_head = name == HEAD && self.config.tie_word_embeddings;
            // Constant masks that old files carry.
            let mask = name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias");
            let zero_bias = !self.config.bias && name.rsplit('.').next() == Some("bias") && view.data.iter().all(|b| *b == 0);
            if layout.get(name).is_none() && !tied_head && !mask && !zero_bias {
                return Err(self.bad(view.name, "the configuration has no place for it"));
            }
        }
        Ok(())
    }
}

impl Source for HfFolder {
    fn config(&self) -> &Config {
        &self.config
    }

    fn view(&self, name: &str) -> Result<(TensorView<'_>, bool), Error> {
        let full = if name == HEAD { name.to_owned() } else { format!("{}{name}", self.prefix) };
        let view = self.tensors.tensor(&full)?.ok_or_else(|| self.bad(&full, "missing"))?;
        Ok((view, false))
    }

    fn release(&self, data: &[u8]) {
        self.tensors.release(data);
    }

    /// A head that is tied may be stored once more; it must then be the embedding.
    fn verify(&self, _observer: &dyn Observer) -> Result<(), Error> {
        if !self.config.tie_word_embeddings {
            return Ok(());
        }
        let Some(head) = self.tensors.tensor(HEAD)? else { return Ok(()) };
        let (embedding, _) = self.view("wte.weight")?;
        if (head.dtype, &head.shape, head.data) == (embedding.dtype, &embedding.shape, embedding.data) {
            return Ok(());
        }
        let cause =
            format!("it is not '{}', but config.json says that they are one: set tie_word_embeddings to false there", embedding.name);
        Err(self.bad(HEAD, &cause))
    }

    fn bad(&self, tensor: &str, cause: &str) -> Error {
        Error::Tensor { path: self.path.clone(), tensor: tensor.to_owned(), cause: cause.to_owned() }
    }
}
