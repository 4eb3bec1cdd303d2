//! What a run needs to go on: parameters, moments and a few numbers, in one safetensors file.
//!
//! `checkpoints/step-000123/state.safetensors` holds `param.NAME`, `m.NAME` and `v.NAME` for every tensor; its metadata hold the step, the settings, the digest of the data and a
//! SHA-256 over all of it. A folder appears whole or not at all; what does not fit its digest is refused. There is no state of a random number generator: every draw is a function of its place.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ovid_io::atomic::{IfExists, write_folder};
use ovid_io::digest::sha256;
use ovid_io::safetensors::{SafeTensors, SafeTensorsWriter};
use ovid_io::{Dtype, TensorSpec};
use ovid_model::Parameter;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::config::TrainConfig;
use crate::guard::Guard;

const FILE: &str = "state.safetensors";
const FORMAT: &str = "ovid-checkpoint";
const VERSION: &str = "1";

/// The few numbers that change while training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counters {
    /// Steps done, the skipped ones counted.
    pub step: u64,
    /// Tokens learnt from.
    pub n_tokens: u64,
    /// Whether the validation and the samples that are due at this step are still to come.
    pub is_unmeasured: bool,
    /// What the guard remembers.
    pub guard: Guard,
    /// Validation loss, where it was measured at this very step.
    pub validation_loss: Option<f64>,
}

/// Everything that changes while training.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The few numbers.
    pub counters: Counters,
    /// Parameters.
    pub params: Vec<f32>,
    /// First moments (Muon's momentum for its matrices).
    pub m: Vec<f32>,
    /// Second moments.
    pub v: Vec<f32>,
}

impl State {
    /// The state before the first step.
    pub fn new(params: Vec<f32>) -> Self {
        let n = params.len();
        Self { counters: Counters { is_unmeasured: true, ..Counters::default() }, params, m: vec![0.0; n], v: vec![0.0; n] }
    }

    fn buffers(&self) -> [(&'static str, &[f32]); 3] {
        [("param", &self.params), ("m", &self.m), ("v", &self.v)]
    }
}

/// What a run is: what a checkpoint must agree with to be gone on from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The deciding settings, `key`, `value`.
    pub settings: Vec<(String, String)>,
    /// Digest of the data.
    pub data_sha256: String,
}

/// The folder of a run's checkpoints.
pub fn folder(out: &Path) -> PathBuf {
    out.join("checkpoints")
}

fn folder_of_step(out: &Path, step: u64) -> PathBuf {
    folder(out).join(format!("step-{step:06}"))
}

/// The checkpoints of a run: steps and folders, oldest first.
///
/// # Errors
/// If the folder cannot be read.
pub fn list(out: &Path) -> Result<Vec<(u64, PathBuf)>, Error> {
    let folder = folder(out);
    let entries = match std::fs::read_dir(&folder) {
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|cause| ovid_io::Error::io(&folder, "read", cause))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|cause| ovid_io::Error::io(&folder, "read", cause))?;
        let step = entry.file_name().to_str().and_then(|name| name.strip_prefix("step-")?.parse().ok());
        found.extend(step.map(|step| (step, entry.path())));
    }
    found.sort();
    Ok(found)
}

/// Writes a checkpoint and then removes those that are neither among the `keep` newest nor the best.
///
/// # Errors
/// If it cannot be written; those before it remain.
pub fn save(out: &Path, state: &State, identity: &Identity, parameters: &[Parameter], keep: usize) -> Result<PathBuf, Error> {
    let path = folder_of_step(out, state.counters.step);
    std::fs::create_dir_all(folder(out)).map_err(|cause| ovid_io::Error::io(&folder(out), "make", cause))?;
    let mut metadata = metadata(state, identity);
    metadata.insert("sha256".to_owned(), digest(&metadata, state));
    write_folder::<Error>(&path, IfExists::Replace, |folder| {
        let entries: Vec<(&str, &str)> = metadata.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let named = || {
            state.buffers().into_iter().flat_map(|(kind, values)| parameters.iter().map(move |p| (format!("{kind}.{}", p.name), p, values)))
        };
        let specs: Vec<_> = named().map(|(name, p, _)| TensorSpec::new(name, Dtype::F32, p.shape.clone())).collect();
        let mut file = SafeTensorsWriter::create(&folder.join(FILE), &entries, &specs)?;
        for (name, parameter, values) in named() {
            file.append(&name, bytemuck::cast_slice(&values[parameter.range.clone()]))?;
        }
        Ok(file.finish()?)
    })?;
    prune(out, keep)?;
    Ok(path)
}

/// The newest checkpoint that is whole, and what is wrong with those after it, which are set aside under another name. `None` where there is none at all.
///
/// # Errors
/// If there are checkpoints but none is whole, or the newest whole one belongs to another run.
pub fn newest(out: &Path, identity: &Identity, parameters: &[Parameter]) -> Result<(Option<State>, Vec<Error>), Error> {
    let mut broken = Vec::new();
    for (_, path) in list(out)?.into_iter().rev() {
        match load(&path, parameters) {
            Ok((state, found)) => {
                agree(out, identity, &found, state.counters.step)?;
                let errors = broken.into_iter().map(|(path, error): (PathBuf, Error)| set_aside(&path).map(|()| error));
                return Ok((Some(state), errors.collect::<Result<_, _>>()?));
            }
            Err(error) => broken.push((path, error)),
        }
    }
    if broken.is_empty() { Ok((None, Vec::new())) } else { Err(broken.swap_remove(0).1) }
}

/// Gives a broken checkpoint a name that is not one of a checkpoint.
fn set_aside(path: &Path) -> Result<(), Error> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = path.with_file_name(format!("broken-{name}"));
    if aside.exists() {
        std::fs::remove_dir_all(&aside).map_err(|cause| ovid_io::Error::io(&aside, "remove", cause))?;
    }
    Ok(std::fs::rename(path, &aside).map_err(|cause| ovid_io::Error::io(path, "rename", cause))?)
}

/// Reads a checkpoint's folder and holds it against its digest.
///
/// # Errors
/// If it is absent, cut short, changed, or of another model.
pub fn load(path: &Path, parameters: &[Parameter]) -> Result<(State, Identity), Error> {
    let path = path.join(FILE);
    let file = SafeTensors::open(&path)?;
    let wrong = |cause: String| Error::checkpoint(&path, cause);
    let found = file.metadata();
    let get = |key: &str| found.get(key).map(String::as_str).ok_or_else(|| wrong(format!("its metadata lack '{key}'")));
    if (get("format")?, get("version")?) != (FORMAT, VERSION) {
        return Err(wrong(format!("is {} {}, not {FORMAT} {VERSION}", get("format")?, get("version")?)));
    }
    let unread = |key: &str, cause: &dyn std::fmt::Display| wrong(format!("its metadata '{key}' cannot be read: {cause}"));
    let json = |key: &str| get(key).map(str::to_owned);
    let n = parameters.last().map_or(0, |p| p.range.end);
    let counters = serde_json::from_str(&json("state")?).map_err(|cause| unread("state", &cause))?;
    let mut state = State { counters, params: vec![0.0; n], m: vec![0.0; n], v: vec![0.0; n] };
    let settings = serde_json::from_str(&json("settings")?).map_err(|cause| unread("settings", &cause))?;
    let identity = Identity { settings, data_sha256: json("data_sha256")? };
    for (kind, buffer) in [("param", &mut state.params), ("m", &mut state.m), ("v", &mut state.v)] {
        for parameter in parameters {
            let name = format!("{kind}.{}", parameter.name);
            let tensor = file.tensor(&name)?.ok_or_else(|| wrong(format!("lacks tensor '{name}'")))?;
            if tensor.dtype != Dtype::F32 || tensor.shape != parameter.shape {
                return Err(wrong(format!(
                    "tensor '{name}' is {} {:?}, the model's is F32 {:?}",
                    tensor.dtype, tensor.shape, parameter.shape
                )));
            }
            bytemuck::cast_slice_mut(&mut buffer[parameter.range.clone()]).copy_from_slice(tensor.data);
        }
    }
    let mut metadata = found.clone();
    let said = metadata.remove("sha256").unwrap_or_default();
    if digest(&metadata, &state) != said {
        return Err(wrong("is corrupt: its contents do not fit the SHA-256 in its metadata".to_owned()));
    }
    Ok((state, identity))
}

fn metadata(state: &State, identity: &Identity) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("format".to_owned(), FORMAT.to_owned()),
        ("version".to_owned(), VERSION.to_owned()),
        ("state".to_owned(), json(&state.counters)),
        ("settings".to_owned(), json(&identity.settings)),
        ("data_sha256".to_owned(), identity.data_sha256.clone()),
    ])
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("numbers and texts are JSON")
}

/// SHA-256 over the metadata's lines and the digests of the three buffers (little-endian f32).
fn digest(metadata: &BTreeMap<String, String>, state: &State) -> String {
    let mut lines: Vec<String> = metadata.iter().map(|(key, value)| format!("{key}\t{value}")).collect();
    lines.extend(state.buffers().map(|(kind, values)| format!("{kind}\t{}", sha256(bytemuck::cast_slice(values)))));
    sha256(lines.join("\n").as_bytes())
}

/// A run's length may change as long as no step done depended on it.
fn agree(out: &Path, ours: &Identity, found: &Identity, step: u64) -> Result<(), Error> {
    let other = |what: String| Error::OtherRun { path: out.to_owned(), what };
    if ours.data_sha256 != found.data_sha256 {
        return Err(other("data set".to_owned()));
    }
    // A key that one side does not have was at its default there: it is an option that was left out, or younger than the checkpoint.
    let defaults = TrainConfig::default().deciding()?;
    let value = |settings: &[(String, String)], key: &str| {
        let of = |list: &[(String, String)]| list.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone());
        of(settings).or_else(|| of(&defaults)).unwrap_or_else(|| "nothing".to_owned())
    };
    let open = |identity: &Identity| TrainConfig::from_deciding(&identity.settings).map(|config| config.n_open_steps());
    let n_open_steps = open(ours)?.min(open(found)?);
    for (key, _) in ours.settings.iter().chain(&found.settings) {
        let (new, old) = (value(&ours.settings, key), value(&found.settings, key));
        let is_length = key == "steps" || key == "cooldown_steps";
        if new != old && !(is_length && step <= n_open_steps) {
            return Err(other(format!("{key}: {old} there, {new} now")));
        }
    }
    Ok(())
}

/// Removes the checkpoints that are neither among the `keep` newest nor the one with the lowest validation loss.
///
/// # Errors
/// If one cannot be removed.
pub fn prune(out: &Path, keep: usize) -> Result<(), Error> {
    let all = list(out)?;
    let loss = |path: &Path| -> Option<f64> {
        let file = SafeTensors::open(&path.join(FILE)).ok()?;
        serde_json::from_str::<Counters>(file.metadata().get("state")?).ok()?.validation_loss
    };
    let best = all.iter().filter_map(|(step, path)| Some((loss(path)?, *step))).min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    for (step, path) in &all[..all.len().saturating_sub(keep)] {
        if best.is_none_or(|(_, best)| best != *step) {
            std::fs::remove_dir_all(path).map_err(|cause| ovid_io::Error::io(path, "remove", cause))?;
        }
    }
    Ok(())
}
