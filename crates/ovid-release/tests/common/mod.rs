//! A small model with all its evidence, made by the parts that make evidence in earnest. Signed by a key named "test, not a person".

#![allow(dead_code)] // Each test file uses a part of this.

use std::fs;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ovid_bpe::Tokenizer;
use ovid_generate::{ModelId, Origin};
use ovid_io::Silent;
use ovid_model::{Config, Cpu, Gpt2, Layout, Params, save_hf};
use ovid_release::card::Card;
use ovid_release::check::{self, CheckReport, Status, Subject};
use ovid_release::keys::{Kind, SecretKey, Signer};
use ovid_release::{Options, Release, Stage, checklist, init, measure, record, statement};
use ovid_samples::ledger::LedgerRecorder;
use ovid_samples::{Batch, Ledger, dump};
use ovid_stats::Draws;

pub const DATE: &str = "2026-11-25";
pub const SIGNER: &str = "test, not a person";

/// A release folder that passes, and what it was made with.
pub struct Made {
    pub folder: tempfile::TempDir,
    pub key: SecretKey,
}

impl Made {
    pub fn release_folder(&self) -> PathBuf {
        self.folder.path().join("release")
    }

    pub fn release(&self) -> Release {
        Release::open(&self.release_folder()).unwrap()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Signs the folder as it is and writes the card.
    pub fn seal(&self) {
        let release = self.release();
        record::seal(&release, &self.key, DATE, &Silent).unwrap();
        write_card(&release);
    }

    pub fn check(&self, stage: Stage) -> CheckReport {
        let release = self.release();
        let subject = Subject::of(&release, &Silent).unwrap();
        check::check(&release, &subject, &options(stage), &Silent).unwrap()
    }
}

pub fn write_card(release: &Release) {
    let model = ovid_release::Identity::of(&release.model(), None, &Silent).unwrap();
    let card = Card::new(release, &model, release.plan.stage).unwrap();
    fs::write(release.folder.join("README.md"), card.markdown()).unwrap();
    fs::write(release.folder.join("card.html"), card.html()).unwrap();
}

pub fn options(stage: Stage) -> Options {
    Options { stage, n_samples: 2, seed: 7, n_threads: 1, unit: None }
}

/// The items that failed, each with its causes.
pub fn failed(report: &CheckReport) -> Vec<(&str, String)> {
    report.items.iter().filter(|i| i.status == Status::Failed).map(|i| (i.id.as_str(), i.missing.join("; "))).collect()
}

/// A model of one layer, its weights drawn from `seed`.
pub fn params(seed: u64) -> Params {
    let config = Config::new(420, 64, 32, 1, 2);
    let draws = Draws::new(seed, 0);
    let mut values = vec![0.0; Layout::new(&config).n_params()];
    for parameter in Layout::new(&config).parameters() {
        for i in parameter.range.clone() {
            values[i] = if parameter.decay {
                0.08 * draws.normal_at(i as u64) as f32
            } else {
                f32::from(u8::from(parameter.name.contains("ln_") && parameter.name.ends_with("weight")))
            };
        }
    }
    Params { config, values }
}

pub fn tokenizer() -> Tokenizer {
    ovid_bpe::train(
        // The probes' words are tokens: a word of more tokens would be less probable for its length alone.
        [
            "It was the best of times, it was the worst of times. The old man said that the sun was warm.".to_owned(),
            " fool friend liar guest pig dear coward hero thief helper brute gentleman".repeat(4),
        ]
        .iter(),
        420,
        1,
        &Silent,
    )
    .unwrap()
}

pub fn write_model(folder: &Path, seed: u64) {
    save_hf(folder, &params(seed), ovid_io::Dtype::F32, &Silent).unwrap();
    tokenizer().save_hf(folder).unwrap();
}

/// All of it: model, plan, evidence, statements, record and card, at `stage`, signed by a key of this kind.
pub fn make(stage: Stage, kind: Kind) -> Made {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_model(&root.join("model"), 1);
    let lines = |style: &str, n: usize| {
        let text = |i: usize| {
            format!("{style} {i}: the old man said that it was the best of times and that the sun was warm on day {i} of the {style}. ")
        };
        (0..n)
            .map(|i| {
                serde_json::json!({ "source": style, "id": i.to_string(), "style": style, "text": text(i).repeat(4) }).to_string() + "\n"
            })
            .collect::<String>()
    };
    fs::write(root.join("train.jsonl"), lines("story", 20)).unwrap();
    fs::write(root.join("held-out.jsonl"), lines("tale", 20) + &lines("talk", 20)).unwrap();
    let key = SecretKey::create(&root.join("test.key"), SIGNER).unwrap();
    let signer = Signer { name: SIGNER.to_owned(), kind, public_key: key.public_key() };
    let release_folder = root.join("release");
    init::init(&release_folder, "tiny", &root.join("model"), stage, &[signer]).unwrap();
    let made = Made { folder, key };
    write_plan(&release_folder);
    write_checklist(&release_folder);
    let release = made.release();
    evidence(&made, &release);
    let sha256 = Subject::of(&release, &Silent).unwrap().identity.sha256;
    for item in release.checklist.item.iter().filter(|item| item.statement.is_some()) {
        let text = "This is said in a test about a model that knows nothing and goes nowhere. ".repeat(4);
        statement::sign(&release, &item.id, &text, &sha256, &made.key, DATE).unwrap();
    }
    made.seal();
    made
}

/// Fills in what a person would have to write.
fn write_plan(folder: &Path) {
    let path = folder.join("release.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("TO BE WRITTEN"));
    let text = text
        .replace("TO BE WRITTEN: ", "In this test: ")
        .replace("training = []", "training = [\"../train.jsonl\"]")
        .replace("held_out = []", "held_out = [\"../held-out.jsonl\"]");
    fs::write(path, text).unwrap();
    if folder.join("TERMS.md").exists() {
        fs::write(folder.join("TERMS.md"), "Do not pass this copy on.\n").unwrap();
    }
}

/// The default list without the two items whose evidence takes hundreds of long texts (ovid-mini's has them), and with bounds for a model that learned nothing.
fn write_checklist(folder: &Path) {
    let mut list: toml::Table = toml::from_str(checklist::DEFAULT).unwrap();
    let items = list["item"].as_array_mut().unwrap();
    items.retain(|item| !["overlap", "detection"].contains(&item["id"].as_str().unwrap()));
    let text = toml::to_string_pretty(&list).unwrap();
    fs::write(folder.join("checklist.toml"), text.replace("max = 3.0", "max = 20.0").replace("min_samples = 50", "min_samples = 8"))
        .unwrap();
}

fn evidence(made: &Made, release: &Release) {
    let (folder, path) = (&release.folder, release.model());
    let id = ModelId { name: "tiny".to_owned(), sha256: ovid_io::digest::sha256_tree(&path, &Silent).unwrap() };
    let model = Arc::new(Gpt2::load(&path, Cpu::new(1), &Silent).unwrap());
    let tokenizer = Arc::new(Tokenizer::load(&path).unwrap());
    measure::evaluation(folder, &model, &tokenizer, &id, &[made.path("held-out.jsonl")], &Silent).unwrap();
    measure::probes(folder, &model, &tokenizer, &id, &Silent).unwrap();
    let batch = Batch { model: &model, tokenizer: &tokenizer, n_side_by_side: NonZeroUsize::new(4).unwrap(), observer: &Silent };
    let origin = Origin::exact(id.clone());
    let settings = vec!["t1".parse().unwrap()];
    let plan = dump::Plan::new(&batch, &origin, NonZeroU32::new(8).unwrap(), 12, settings, true, None).unwrap();
    let ledger = made.path("tries.db");
    dump::dump(&folder.join("evidence/samples"), &plan, &[], &batch, Some(recorder(&ledger, &tokenizer))).unwrap();
    measure::tries(folder, &ledger, &id, &Silent).unwrap();
    let model = serde_json::to_value(&id).unwrap();
    let source = serde_json::json!({ "name": "story", "licence": "CC0-1.0", "attribution": "written for this test", "n_documents": 20, "n_bytes": 8000 });
    let provenance = serde_json::json!({ "model": model, "n_documents": 20, "n_bytes": 8000, "sources": [source] });
    let takedowns = serde_json::json!({ "model": model, "contacts": [{ "how": "nobody: a test" }], "entries": [] });
    for (name, value) in [("provenance", provenance), ("takedowns", takedowns)] {
        fs::write(folder.join(format!("evidence/{name}.json")), serde_json::to_string_pretty(&value).unwrap() + "\n").unwrap();
    }
}

fn recorder(path: &Path, tokenizer: &Tokenizer) -> LedgerRecorder {
    LedgerRecorder::new(Ledger::open(path).unwrap(), ovid_samples::tokenizer_sha256(tokenizer), || 0)
}

/// Every file under a folder, as paths from it, sorted.
pub fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(folder.join(&inner)).unwrap() {
            let entry = entry.unwrap();
            let path = inner.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() { folders.push(path) } else { found.push(path.to_str().unwrap().to_owned()) }
        }
    }
    found.sort();
    found
}

/// Copies a folder with all that is in it.
pub fn copy_folder(from: &Path, to: &Path) {
    for file in files(from) {
        fs::create_dir_all(to.join(&file).parent().unwrap()).unwrap();
        fs::copy(from.join(&file), to.join(&file)).unwrap();
    }
}
