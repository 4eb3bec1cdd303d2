//! The original release's folders: `hparams.json` and a TensorFlow checkpoint `model.ckpt.*`, variables `model/h0/attn/c_attn/w`.

use super::source::{Source, is_embedding};
use crate::{Config, Error};
use ovid_io::tf_bundle::TfBundle;
use ovid_io::{Observer, TensorView};
use std::path::{Path, PathBuf};

pub struct TfFolder {
    path: PathBuf,
    config: Config,
    bundle: TfBundle,
}

/// The original code's name of a parameter.
fn tf_name(name: &str) -> String {
    let (stem, kind) = name.rsplit_once('.').unwrap_or((name, ""));
    if is_embedding(name) {
        return format!("model/{stem}");
    }
    let mut path = stem.replace('.', "/");
    if let Some(rest) = path.strip_prefix("h/") {
        path = format!("h{rest}");
    }
    // The original calls gain and bias of a norm g and b, weight and bias of a linear layer w and b.
    let norm = stem == "ln_f" || stem.ends_with("ln_1") || stem.ends_with("ln_2");
    let kind = match (kind, norm) {
        ("weight", true) => "g",
        ("weight", false) => "w",
        _ => "b",
    };
    format!("model/{path}/{kind}")
}

impl TfFolder {
    pub fn open(path: &Path) -> Result<Self, Error> {
        let hparams = path.join("hparams.json");
        let text = ovid_io::Mapped::open(&hparams)?;
        let bad = |key: &str, cause: String| Error::Config { path: hparams.clone(), key: key.to_owned(), cause };
        let fields: std::collections::HashMap<String, serde_json::Value> =
            serde_json::from_slice(&text).map_err(|e| bad("", e.to_string()))?;
        let count = |key: &str| {
            let n = fields.get(key).and_then(serde_json::Value::as_u64).filter(|n| (1..1 << 24).contains(n));
            n.map(|n| n as usize).ok_or_else(|| bad(key, "missing, or no dimension".to_owned()))
        };
        let config = Config::new(count("n_vocab")?, count("n_ctx")?, count("n_embd")?, count("n_layer")?, count("n_head")?);
        config.check(&hparams)?;
        let bundle = TfBundle::open(path)?;
        config.check_layers(bundle.names().count(), &hparams, "n_layer")?;
        Ok(Self { path: path.to_owned(), config, bundle })
    }
}

impl Source for TfFolder {
    fn config(&self) -> &Config {
        &self.config
    }

    fn view(&self, name: &str) -> Result<(TensorView<'_>, bool), Error> {
        let full = tf_name(name);
        let view = self.bundle.tensor(&full)?.ok_or_else(|| self.bad(&full, "missing"))?;
        Ok((view, false))
    }

    fn verify(&self, observer: &dyn Observer) -> Result<(), Error> {
        Ok(self.bundle.verify(observer)?)
    }

    fn bad(&self, tensor: &str, cause: &str) -> Error {
        Error::Tensor { path: self.path.clone(), tensor: tensor.to_owned(), cause: cause.to_owned() }
    }
}
