//! From what `--model` and `--tokenizer` name to the things themselves.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ovid_bpe::Tokenizer;
use ovid_generate::{ModelId, Origin};
use ovid_io::atomic::write_atomic;
use ovid_io::gguf::Gguf;
use ovid_io::hub::Hub;
use ovid_io::{Mapped, Observer, Silent, digest};
use ovid_model::{Cpu, Gpt2, Info};

use crate::arguments::{Machine, ModelChoice};
use crate::failure::Failure;

/// A model with its tokenizer.
pub struct Loaded {
    pub model: Arc<Gpt2>,
    pub tokenizer: Arc<Tokenizer>,
    place: Place,
    sha256: OnceCell<String>,
}

/// Where a model lies.
#[derive(Debug)]
pub enum Place {
    /// In the program.
    BuiltIn,
    /// In a folder or file; the name is what the person called it.
    Path { name: String, path: PathBuf },
}

impl Loaded {
    /// What made an output. Reads the model's files once more, so that it is asked for only where it is printed.
    pub fn origin(&self) -> Result<Origin, Failure> {
        if self.sha256.get().is_none() {
            let _ = self.sha256.set(self.place.sha256(&Silent)?);
        }
        let sha256 = self.sha256.get().cloned().unwrap_or_default();
        Ok(Origin::exact(ModelId { name: self.place.name().to_string(), sha256 }))
    }
}

impl Place {
    /// What the model is called.
    pub fn name(&self) -> &str {
        match self {
            Self::BuiltIn => ovid_mini::NAME,
            Self::Path { name, .. } => name,
        }
    }

    /// Of the file, or of the sorted `name sha256` lines of a folder.
    pub fn sha256(&self, observer: &dyn Observer) -> Result<String, Failure> {
        match self {
            Self::BuiltIn => Ok(digest::sha256(ovid_mini::GGUF)),
            Self::Path { path, .. } => Ok(digest::sha256_tree(path, observer)?),
        }
    }

    /// What its headers say.
    pub fn info(&self) -> Result<Info, Failure> {
        match self {
            Self::BuiltIn => Ok(Info::of_gguf(ovid_mini::NAME, &built_in()?)?),
            Self::Path { name, path } => Ok(Info::read(name, path)?),
        }
    }

    /// The model alone.
    pub fn model(&self, device: Cpu, observer: &dyn Observer) -> Result<Gpt2, Failure> {
        match self {
            Self::BuiltIn => Ok(Gpt2::from_gguf(&built_in()?, device, observer)?),
            Self::Path { path, .. } => Ok(Gpt2::load(path, device, observer)?),
        }
    }

    /// The model as a file or folder, for what reads no memory: the built-in one is written into `folder`.
    pub fn on_disk(&self, folder: &Path) -> Result<PathBuf, Failure> {
        let Self::Path { path, .. } = self else {
            let path = folder.join(ovid_mini::NAME).with_extension("gguf");
            std::fs::create_dir_all(folder).map_err(|e| ovid_io::Error::io(folder, "make", e))?;
            write_atomic(&path, |out| std::io::Write::write_all(out, ovid_mini::GGUF))?;
            return Ok(path);
        };
        Ok(path.clone())
    }

    /// The tokenizer that lies with the model.
    pub fn tokenizer(&self) -> Result<Tokenizer, Failure> {
        match self {
            Self::BuiltIn => Ok(Tokenizer::from_gguf(&built_in()?)?),
            Self::Path { path, .. } => Ok(Tokenizer::load(path)?),
        }
    }
}

fn built_in() -> Result<Gguf, Failure> {
    Ok(Gguf::new(Mapped::from_static(ovid_mini::NAME, ovid_mini::GGUF))?)
}

/// The chosen model on the chosen machine, with its tokenizer.
pub fn load(choice: &ModelChoice, machine: &Machine, observer: &dyn Observer) -> Result<Loaded, Failure> {
    let place = place(choice.model.as_deref())?;
    let device = device(machine)?;
    // Side by side, so that the first token is not late. The model's error comes first: a file that is neither is then refused as what it was given for.
    let (model, tokenizer) = std::thread::scope(|scope| {
        let tokenizer = scope.spawn(|| tokenizer(choice));
        let model = place.model(device, observer);
        (model, tokenizer.join())
    });
    let model = model?;
    let tokenizer = tokenizer.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    let (known, scored) = (tokenizer.vocab_size(), model.config().vocab_size);
    if known > scored {
        return Err(Failure::input(format!("the model '{}' has {scored} tokens but the tokenizer has {known}", place.name()))
            .hint("the tokenizer is another model's; pass --tokenizer PATH"));
    }
    Ok(Loaded { model: Arc::new(model), tokenizer: Arc::new(tokenizer), place, sha256: OnceCell::new() })
}

/// The tokenizer that was chosen: its own flag's, else the one beside the model.
pub fn tokenizer(choice: &ModelChoice) -> Result<Tokenizer, Failure> {
    if let Some(path) = &choice.tokenizer {
        return Ok(Tokenizer::load(&locate(&path.to_string_lossy())?)?);
    }
    place(choice.model.as_deref())?.tokenizer().map_err(|e| e.hint("take the tokenizer from elsewhere with --tokenizer PATH"))
}

/// Where the chosen model lies.
pub fn place(name: Option<&str>) -> Result<Place, Failure> {
    match name {
        None => Ok(Place::BuiltIn),
        Some(name) if name == ovid_mini::NAME && !Path::new(name).exists() => Ok(Place::BuiltIn),
        Some(name) => Ok(Place::Path { name: name.to_string(), path: locate(name)? }),
    }
}

/// A path as it is, or the folder of a model of that name in the local cache.
pub fn locate(name: &str) -> Result<PathBuf, Failure> {
    let path = Path::new(name);
    if path.exists() {
        return Ok(path.to_path_buf());
    }
    let is_path = name.starts_with(['.', '/', '~']) || name.matches('/').count() > 1 || path.extension().is_some_and(|e| e == "gguf");
    if is_path {
        return Err(Failure::input(format!("no file or folder '{name}'")));
    }
    match Hub::from_variables(|name| std::env::var_os(name)).and_then(|hub| hub.find_cached(name)) {
        Ok(Some(folder)) => Ok(folder),
        _ => {
            Err(Failure::input(format!("no file, folder or fetched model is called '{name}'"))
                .hint(format!("fetch it with: ovid pull {name}")))
        }
    }
}

/// The device that the flags and OVID_SIMD name.
pub fn device(machine: &Machine) -> Result<Cpu, Failure> {
    let unit = crate::machine::vector_unit()?;
    match unit {
        None => Ok(Cpu::new(machine.threads())),
        Some(unit) => Cpu::with_unit(machine.threads(), unit).map_err(|e| Failure::input(format!("OVID_SIMD: {e}"))),
    }
}
