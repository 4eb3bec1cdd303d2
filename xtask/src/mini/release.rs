//! The built-in model's release folder again, with all its evidence: the worked example of `docs/release.md`, by the same commands that a user runs.
//!
//! In: `local/mini` (of `prepare`, which is run where it was not), the model, what the maintainers say (`models/ovid-mini/statements.toml`). Out:
//! `models/ovid-mini/release`. What lies between (ledger, index, texts, the automatic key) is under `local/release`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use ovid_bpe::Tokenizer;
use ovid_io::atomic::write_atomic;
use ovid_io::digest;
use serde_json::json;

use super::Places;
use super::prepare::{Counts, Document, place_of};
use super::recipe::Recipe;
use super::shards::{capped, read_groups};

/// Tokens of a prompt, and of what follows it, as human text and as sample.
const PROMPT_TOKENS: usize = 64;
const SAMPLE_TOKENS: usize = 100;
/// Samples of each setting.
const N_SAMPLES: usize = 100;
/// Tokens of the samples that detection is measured on, which need be longer.
const DETECTED_TOKENS: usize = 448;
/// Bytes of the pieces of human text that detection is measured on.
const PIECE: usize = 2_400;
/// Pieces of each document at most: those of one document are not independent.
const PIECES: usize = 1;

/// Makes the folder again.
///
/// # Errors
/// When the corpus is absent, a command fails, or the check does not pass in the end.
pub fn release(recipe: &Recipe, places: &Places) -> anyhow::Result<()> {
    let Places { root, corpus, work, gguf } = places;
    if !work.join("validation.jsonl.zst").exists() {
        super::prepare::prepare(recipe, corpus, work)?;
    }
    let local = root.join("local/release");
    let folder = root.join("models/ovid-mini/release");
    let ovid = Ovid::build(root)?;
    let model_sha256 = digest::sha256(&fs::read(gguf).with_context(|| format!("reading '{}'", gguf.display()))?);
    let key = local.join("automatic.key");
    fresh(&local, &key)?;
    for old in ["evidence", "statements"] {
        let old = folder.join(old);
        if old.exists() {
            fs::remove_dir_all(&old).with_context(|| format!("removing '{}'", old.display()))?;
        }
    }
    fs::create_dir_all(folder.join("evidence"))?;
    texts(recipe, work, &local, &Tokenizer::load(gguf)?)?;
    signers(&ovid, &key, &folder)?;
    write(&folder.join("checklist.toml"), ovid_release::checklist::DEFAULT)?;
    provenance(recipe, work, &model_sha256, &folder)?;

    let path = |path: PathBuf| path.display().to_string();
    let (ledger, model) = (path(local.join("tries.db")), path(gguf.clone()));
    let (samples, detected) = (path(folder.join("evidence/samples")), path(local.join("detected")));
    let n_samples = N_SAMPLES.to_string();
    let (tokens, detected_tokens) = (SAMPLE_TOKENS.to_string(), DETECTED_TOKENS.to_string());
    let prompts = path(local.join("prompts.jsonl"));
    let dump = ["samples", "dump", "--model", &model, "-n", &n_samples, "--prompts", &prompts, "--ledger", &ledger];
    ovid.run(&[&dump[..], &["--settings", "t1,t0.7,k40", "--max-tokens", &tokens, "--unconditional", "-o", &samples]].concat())?;
    ovid.run(&[&dump[..], &["--settings", "t1,k40", "--max-tokens", &detected_tokens, "-o", &detected]].concat())?;

    let (index, report) = (path(local.join("training.index")), local.join("overlap"));
    ovid.run(&["overlap", "index", &path(work.join("train.jsonl.zst")), "-o", &index])?;
    let (real, sampled) = (path(local.join("real.jsonl")), path(folder.join("evidence/samples/conditional-k40.jsonl")));
    ovid.run(&["overlap", "report", "--index", &index, "--real", &real, "--samples", &sampled, "-o", &path(report.clone())])?;
    copy(&report.join("report.json"), &folder.join("evidence/overlap.json"))?;

    machine_texts(&local)?;
    let (human, machine, stem) = (path(local.join("human.jsonl")), path(local.join("machine.jsonl")), path(local.join("detection")));
    let gpt2 = root.join("../shared/data/tokenizer");
    let gpt2 = path(gpt2);
    let detect = [
        "detect",
        "calibrate",
        "--model",
        &model,
        "--human",
        &human,
        "--machine-texts",
        &machine,
        "--report",
        &stem,
        "--gpt2-tokenizer",
        &gpt2,
    ];
    ovid.run(&detect)?;
    copy(&local.join("detection.json"), &folder.join("evidence/detection.json"))?;

    let folder_text = path(folder.clone());
    ovid.run(&["release", "measure", &folder_text, "--ledger", &ledger])?;
    statements(&ovid, root, &key, &folder_text)?;
    ovid.run(&["release", "seal", &folder_text, "--key", &path(key)])?;
    ovid.run(&["release", "card", &folder_text])?;
    ovid.run(&["release", "check", &folder_text])
}

/// The program, built once.
struct Ovid {
    path: PathBuf,
}

impl Ovid {
    fn build(root: &Path) -> anyhow::Result<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let status = Command::new(cargo)
            .current_dir(root)
            .args(["build", "--release", "--package", "ovid-cli"])
            .status()
            .context("running cargo")?;
        ensure!(status.success(), "the program cannot be built");
        Ok(Self { path: root.join("target/release/ovid") })
    }

    fn run(&self, args: &[&str]) -> anyhow::Result<()> {
        eprintln!("ovid {}", args.join(" "));
        let status = Command::new(&self.path).args(args).status().context("running ovid")?;
        if !status.success() {
            bail!("`ovid {}` ended with {status}", args.join(" "));
        }
        Ok(())
    }
}

/// An empty folder for what lies between, in which the automatic key stays.
fn fresh(local: &Path, key: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(local)?;
    for entry in fs::read_dir(local)? {
        let path = entry?.path();
        if path.to_string_lossy().starts_with(&*key.to_string_lossy()) {
            continue;
        }
        if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) }
            .with_context(|| format!("removing '{}'", path.display()))?;
    }
    Ok(())
}

/// Held-out text in four forms: for evaluation, as prompts, as what the humans wrote next, and in pieces for detection.
fn texts(recipe: &Recipe, work: &Path, local: &Path, tokenizer: &Tokenizer) -> anyhow::Result<()> {
    let mut held_out: Vec<Document> = Vec::new();
    for documents in read_groups(recipe, &work.join("validation.jsonl.zst"))?.into_values() {
        held_out.extend(capped(recipe, documents));
    }
    held_out.sort_by_key(|d| place_of(&d.source, &d.id));
    let (mut evaluation, mut prompts, mut real, mut human) = (String::new(), String::new(), String::new(), String::new());
    let mut n_prompts = 0;
    for document in &held_out {
        let Document { source, id, style, text } = document;
        line(&mut evaluation, &json!({ "source": source, "id": id, "style": style, "text": text }));
        for (piece, start) in (0..text.len()).step_by(PIECE).enumerate().take(PIECES) {
            let (from, to) = (text.floor_char_boundary(start), text.floor_char_boundary(start + PIECE));
            if to - from > PIECE / 3 {
                line(
                    &mut human,
                    &json!({ "source": source, "id": format!("{source}/{id}"), "domain": style, "piece": piece, "text": &text[from..to] }),
                );
            }
        }
        let ids = tokenizer.encode(text[..text.floor_char_boundary(4000)].as_bytes());
        if n_prompts < N_SAMPLES && ids.len() >= PROMPT_TOKENS + SAMPLE_TOKENS {
            n_prompts += 1;
            let text = |ids: &[u32]| Ok::<_, anyhow::Error>(String::from_utf8_lossy(&tokenizer.decode(ids)?).into_owned());
            line(&mut prompts, &json!({ "id": format!("{source}/{id}"), "text": text(&ids[..PROMPT_TOKENS])? }));
            let next = text(&ids[PROMPT_TOKENS..PROMPT_TOKENS + SAMPLE_TOKENS])?;
            line(&mut real, &json!({ "source": source, "id": id, "text": next }));
        }
    }
    ensure!(n_prompts == N_SAMPLES, "the held-out documents give {n_prompts} prompts, not {N_SAMPLES}");
    for (name, text) in [("held-out", evaluation), ("prompts", prompts), ("real", real), ("human", human)] {
        write(&local.join(format!("{name}.jsonl")), &text)?;
    }
    Ok(())
}

/// The samples that detection is measured on, each with its prompt's document and its sampler.
fn machine_texts(local: &Path) -> anyhow::Result<()> {
    let prompts = json_lines(&local.join("prompts.jsonl"))?;
    let mut machine = String::new();
    for setting in ["t1", "k40"] {
        for (i, sample) in json_lines(&local.join(format!("detected/conditional-{setting}.jsonl")))?.iter().enumerate() {
            line(&mut machine, &json!({ "id": prompts[i % prompts.len()]["id"], "sampler": setting, "text": sample["text"] }));
        }
    }
    write(&local.join("machine.jsonl"), &machine)
}

/// An automatic key where there is none yet, and the file that says whose signatures count.
fn signers(ovid: &Ovid, key: &Path, folder: &Path) -> anyhow::Result<()> {
    if !key.exists() {
        ovid.run(&["release", "key", "-o", &key.display().to_string(), "--comment", "automatic key of the Ovid project; no person"])?;
    }
    let public = fs::read_to_string(ovid_release::keys::public_path(key)).context("reading the public key")?;
    let public = public.lines().nth(1).context("the public key's file has no second line")?;
    let text = format!(
        "# The key is a program's: it vouches that files belong together, and answers for nothing.\n[[signer]]\nname = \"Ovid project, automatic\"\nkind = \"automatic\"\npublic_key = \"{public}\"\n"
    );
    write(&folder.join("signers.toml"), &text)
}

/// Where the training text came from, and what was taken down.
fn provenance(recipe: &Recipe, work: &Path, model_sha256: &str, folder: &Path) -> anyhow::Result<()> {
    let counts: BTreeMap<String, Counts> = super::read(&work.join("counts.json"))?;
    let model = json!({ "name": "ovid-mini", "sha256": model_sha256 });
    let source = |source: &super::recipe::Source| {
        let c = counts.get(&source.name).cloned().unwrap_or_default();
        json!({
            "name": source.name, "licence": source.licence, "attribution": source.attribution, "n_documents": c.train_documents,
            "n_bytes": c.train_bytes, "weight": source.weight, "left_out": c.left_out,
        })
    };
    let (n_documents, n_bytes) = counts.values().fold((0, 0), |(d, b), c| (d + c.train_documents, b + c.train_bytes));
    let sources: Vec<_> = recipe.source.iter().map(source).collect();
    let provenance =
        json!({ "model": model, "n_documents": n_documents, "n_bytes": n_bytes, "recipe": "xtask/mini.toml", "sources": sources });
    let how = "an issue at https://github.com/ovid-gpt2/ovid/issues that names the text";
    let takedowns = json!({ "model": model, "contacts": [{ "how": how }], "entries": [] });
    for (name, value) in [("provenance", provenance), ("takedowns", takedowns)] {
        write(&folder.join(format!("evidence/{name}.json")), &(serde_json::to_string_pretty(&value)? + "\n"))?;
    }
    Ok(())
}

/// What the maintainers say, signed by the automatic key.
fn statements(ovid: &Ovid, root: &Path, key: &Path, folder: &str) -> anyhow::Result<()> {
    let path = root.join("models/ovid-mini/statements.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("reading '{}'", path.display()))?;
    let said: BTreeMap<String, String> = toml::from_str(&text).with_context(|| format!("reading '{}'", path.display()))?;
    let key = key.display().to_string();
    said.iter().try_for_each(|(item, text)| ovid.run(&["release", "state", item, folder, "--key", &key, "--text", text]))
}

fn json_lines(path: &Path) -> anyhow::Result<Vec<serde_json::Value>> {
    let text = fs::read_to_string(path).with_context(|| format!("reading '{}'", path.display()))?;
    text.lines().map(|line| serde_json::from_str(line).with_context(|| format!("reading '{}'", path.display()))).collect()
}

fn line(text: &mut String, value: &serde_json::Value) {
    text.push_str(&value.to_string());
    text.push('\n');
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    Ok(write_atomic(path, |out| std::io::Write::write_all(out, text.as_bytes()))?)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::copy(from, to).with_context(|| format!("copying '{}' to '{}'", from.display(), to.display()))?;
    Ok(())
}
