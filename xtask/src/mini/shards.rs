//! The vocabulary, trained on a sample of the mixture, and the token shards: one folder for each source and style, so that each has its weight.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, bail};
use ovid_bpe::Tokenizer;
use ovid_io::documents::{Limits, Lines};
use ovid_io::npy::{TokenWriter, Width};
use ovid_io::shards::{Manifest, Shard, SourceCounts, Split};
use ovid_io::{Silent, digest};

use super::prepare::{Document, place_of};
use super::recipe::{Recipe, Source};

/// Documents of one source and style, in the order of the file.
type Groups = BTreeMap<String, Vec<Document>>;

/// Reads `train.jsonl.zst` or `validation.jsonl.zst`, by group.
///
/// # Errors
/// When it cannot be read; `prepare` writes it.
pub fn read_groups(recipe: &Recipe, path: &Path) -> anyhow::Result<Groups> {
    let mut groups = Groups::new();
    for document in read_documents(path)? {
        groups.entry(group_of(source_of(recipe, &document.source)?, &document.style)).or_default().push(document);
    }
    Ok(groups)
}

/// Reads `train.jsonl.zst` or `validation.jsonl.zst`.
///
/// # Errors
/// When it cannot be read; `prepare` writes it.
pub fn read_documents(path: &Path) -> anyhow::Result<Vec<Document>> {
    let opened = Lines::open(path, Limits::default());
    let mut lines = opened.with_context(|| format!("'{}' is written by `remake-mini prepare`", path.display()))?;
    let mut documents = Vec::new();
    while let Some(document) = lines.next_json::<Document>()? {
        documents.push(document);
    }
    Ok(documents)
}

/// The name of a group: its source's, with the style behind it where that is not the source's own.
fn group_of(source: &Source, style: &str) -> String {
    if style == source.style { source.name.clone() } else { format!("{}-{}", source.name, style.replace(' ', "-")) }
}

/// The source that a document names.
fn source_of<'a>(recipe: &'a Recipe, name: &str) -> anyhow::Result<&'a Source> {
    recipe.source.iter().find(|source| source.name == name).with_context(|| format!("the recipe has no source '{name}'"))
}

fn weight_of(recipe: &Recipe, group: &[Document]) -> anyhow::Result<f64> {
    group.first().map_or(Ok(0.0), |document| Ok(source_of(recipe, &document.source)?.weight))
}

/// Trains the vocabulary on a sample in which each group has its share of a pass, and writes the Hugging Face files to `work/tokenizer`.
///
/// # Errors
/// When documents cannot be read or the folder cannot be written.
pub fn vocabulary(recipe: &Recipe, work: &Path, threads: usize) -> anyhow::Result<()> {
    let groups = read_groups(recipe, &work.join("train.jsonl.zst"))?;
    let mut share = BTreeMap::new();
    for (name, documents) in &groups {
        let bytes: usize = documents.iter().map(|d| d.text.len()).sum();
        share.insert(name.as_str(), bytes as f64 * weight_of(recipe, documents)?);
    }
    let all: f64 = share.values().sum();
    let mut sample: Vec<&str> = Vec::new();
    for (name, documents) in &groups {
        let mut room = (share[name.as_str()] / all * recipe.vocabulary.sample_mb as f64 * 1e6) as usize;
        let mut order: Vec<&Document> = documents.iter().collect();
        order.sort_by_key(|d| place_of(&d.source, &d.id));
        for document in order {
            let end = document.text.floor_char_boundary(room.min(recipe.vocabulary.document_kb * 1000));
            sample.push(&document.text[..end]);
            room -= end;
            if room == 0 {
                break;
            }
        }
    }
    let tokenizer = ovid_bpe::train(sample.iter(), recipe.vocabulary.size, threads, &Silent)?;
    if tokenizer.vocab_size() != recipe.vocabulary.size {
        bail!("the sample gave {} tokens, not {}", tokenizer.vocab_size(), recipe.vocabulary.size);
    }
    let folder = work.join("tokenizer");
    tokenizer.save_hf(&folder)?;
    let bytes: usize = sample.iter().map(|text| text.len()).sum();
    eprintln!("vocabulary of {} tokens from {:.1} MB in '{}'", tokenizer.vocab_size(), bytes as f64 / 1e6, folder.display());
    Ok(())
}

/// Writes the shards of every group under `work/shards`, `work/data.toml` for the trainer, and `work/READY` with the counts.
///
/// # Errors
/// When documents or the vocabulary cannot be read, or a file cannot be written.
pub fn shards(recipe: &Recipe, work: &Path, threads: usize) -> anyhow::Result<()> {
    let tokenizer = Tokenizer::load(&work.join("tokenizer"))?;
    let end_of_text = tokenizer.end_of_text().context("the vocabulary has no end-of-text token")?;
    let tokenizer_sha256 = digest::sha256_file(&work.join("tokenizer/tokenizer.json"), &Silent)?;
    let train = read_groups(recipe, &work.join("train.jsonl.zst"))?;
    let mut validation = read_groups(recipe, &work.join("validation.jsonl.zst"))?;
    let mut report =
        String::from("group | weight | train tokens | train bytes | tokens in a pass | validation tokens | validation bytes\n");
    let (mut data, mut weights, mut pass_tokens, mut all_tokens) = (Vec::new(), Vec::new(), 0.0, 0);
    for (name, documents) in &train {
        let folder = work.join("shards").join(name);
        std::fs::create_dir_all(&folder).with_context(|| format!("making '{}'", folder.display()))?;
        let weight = weight_of(recipe, documents)?;
        let mut manifest = Manifest::new(tokenizer.vocab_size() as u32, tokenizer_sha256.clone(), Some(end_of_text));
        let mut counts = SourceCounts::default();
        let held_out = capped(recipe, validation.remove(name).unwrap_or_default());
        for (split, documents) in [(Split::Train, documents), (Split::Validation, &held_out)] {
            if documents.is_empty() {
                continue;
            }
            let shard = write_shard(&folder, split, documents, &tokenizer, end_of_text, threads)?;
            let (n_documents, n_tokens, n_bytes) = match split {
                Split::Train => (&mut counts.n_train_documents, &mut counts.n_train_tokens, &mut counts.n_train_bytes),
                Split::Validation => (&mut counts.n_validation_documents, &mut counts.n_validation_tokens, &mut counts.n_validation_bytes),
            };
            (*n_documents, *n_tokens, *n_bytes) = (shard.n_documents, shard.n_tokens, shard.n_bytes);
            manifest.shards.push(shard);
        }
        manifest.sources.insert(name.clone(), counts);
        manifest.save(&folder)?;
        let in_pass = counts.n_train_tokens as f64 * weight;
        pass_tokens += in_pass;
        all_tokens += counts.n_train_tokens;
        let SourceCounts { n_train_tokens, n_train_bytes, n_validation_tokens, n_validation_bytes, .. } = counts;
        writeln!(
            report,
            "{name} | {weight} | {n_train_tokens} | {n_train_bytes} | {in_pass:.0} | {n_validation_tokens} | {n_validation_bytes}"
        )?;
        data.push(folder.display().to_string());
        weights.push(weight);
    }
    writeln!(report, "all | | {all_tokens} | | {pass_tokens:.0} | |")?;
    let toml = format!("data = {data:?}\nweights = {weights:?}\ntokenizer = {:?}\n", work.join("tokenizer").display().to_string());
    for (file, text) in [("data.toml", &toml), ("READY", &report)] {
        std::fs::write(work.join(file), text).with_context(|| format!("writing '{}'", work.join(file).display()))?;
    }
    eprint!("{report}");
    Ok(())
}

/// Held-out documents as far as the recipe scores them: a beginning of each, by hash until the group is full.
pub fn capped(recipe: &Recipe, mut documents: Vec<Document>) -> Vec<Document> {
    documents.sort_by_key(|d| place_of(&d.source, &d.id));
    let mut room = recipe.validation.group_kb * 1000;
    for document in &mut documents {
        let end = document.text.floor_char_boundary(room.min(recipe.validation.document_kb * 1000));
        document.text.truncate(end);
        room -= document.text.len();
    }
    documents.retain(|d| !d.text.is_empty());
    documents
}

fn write_shard(
    folder: &Path,
    split: Split,
    documents: &[Document],
    tokenizer: &Tokenizer,
    end_of_text: u32,
    threads: usize,
) -> anyhow::Result<Shard> {
    let file = match split {
        Split::Train => "train.npy",
        Split::Validation => "validation.npy",
    };
    let path = folder.join(file);
    let mut out = TokenWriter::create(&path, Width::for_vocabulary(tokenizer.vocab_size()))?;
    let mut n_bytes = 0;
    for batch in documents.chunks(256) {
        let texts: Vec<&[u8]> = batch.iter().map(|d| d.text.as_bytes()).collect();
        n_bytes += texts.iter().map(|t| t.len() as u64).sum::<u64>();
        for ids in tokenizer.encode_batch(&texts, threads) {
            out.write(&ids)?;
            out.write(&[end_of_text])?;
        }
    }
    let n_tokens = out.finish()?;
    Ok(Shard {
        file: file.to_owned(),
        split,
        n_tokens,
        n_documents: documents.len() as u64,
        n_bytes,
        sha256: digest::sha256_file(&path, &Silent)?,
    })
}
