//! Takedown: documents are removed from the documents and from the token shards made of them, and a record is kept of what was asked and done.
//!
//! In a shard a document is found by its tokens, so that shards made elsewhere of the same documents can be cleared too. What is to be done is written down before it is begun: a takedown that
//! was cut off is finished by the next one. No text of a removed document is kept.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use ovid_bpe::Tokenizer;
use ovid_io::digest::sha256_file;
use ovid_io::npy::TokenWriter;
use ovid_io::shards::{Manifest, Shard, Split as Side};
use ovid_io::{Observer, Progress};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::build::{BUILD, Build, SHARDS, lock, parts_of, read_part, write_part};
use crate::files::{make_folder, read_json, remove_folder, write_json};
use crate::links::key;
use crate::{Document, Error, web};

/// The record, in the corpus's folder: one line a takedown.
pub const REMOVED: &str = "removed.jsonl";
const WORK: &str = "remove";

/// Which documents are to go: those that any of the lists names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Addresses; scheme, `www.`, fragment and last slash do not count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// Domains, with all hosts below them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<String>,
    /// Names: `id`, or `source/id`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
}

/// What was done; one line of `removed.jsonl`, and what `ovid corpus remove --json` prints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// When, as the caller says it.
    pub date: String,
    /// What was asked.
    pub asked: Asked,
    /// The documents that were removed.
    pub documents: Vec<Removed>,
    /// The folders of shards that were cleared.
    pub shards: Vec<Cleared>,
}

/// A document that was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// Its collection.
    pub source: String,
    /// Its name.
    pub id: String,
    /// Its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The file of documents that it stood in.
    pub part: String,
    /// Bytes of its text.
    pub n_bytes: u64,
}

/// What was taken out of a folder of shards.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleared {
    /// The folder.
    pub folder: PathBuf,
    /// Documents found in its shards and removed.
    pub n_documents: u64,
    /// Tokens removed, those between documents among them.
    pub n_tokens: u64,
    /// Documents that were not found: they were never in these shards, or lie across their split.
    pub n_not_found: u64,
}

/// What a takedown is about to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Plan {
    removal: Removal,
    build: Build,
    folders: Vec<FolderPlan>,
}

/// The tokens that are to leave a folder of shards.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct FolderPlan {
    folder: PathBuf,
    targets: Vec<Target>,
    /// The manifest as it will be; its new arrays lie beside the old ones before it takes its place.
    after: Option<Manifest>,
}

/// A document as its tokens.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Target {
    side: Side,
    tokens_hash: u64,
    source: String,
    n_bytes: u64,
}

/// Removes documents from the corpus in `folder`, from its shards, and from those in the folders `others`. Without a match nothing is written, and the result names no documents.
///
/// # Errors
/// If the folder holds no finished corpus or is in use, a file cannot be read or written, or the observer cancels; called again, it finishes what was begun.
pub fn remove(folder: &Path, asked: &Asked, others: &[PathBuf], date: &str, observer: &dyn Observer) -> Result<Removal, Error> {
    let build: Build =
        read_json(&folder.join(BUILD))?.ok_or_else(|| Error::data(folder, format!("holds no finished corpus: there is no {BUILD}")))?;
    let work = folder.join(WORK);
    make_folder(&work)?;
    let locked = lock(&work)?;
    let pending = work.join("plan.json");
    if let Some(plan) = read_json::<Plan>(&pending)? {
        observer.note(&format!("finishing the takedown of {} that was cut off", plan.removal.date));
        carry_out(folder, plan, &pending, observer)?;
        // What it left may be less than what `build` still says.
        drop(locked);
        return remove(folder, asked, others, date, observer);
    }
    let plan = plan(folder, asked, others, date, build, observer)?;
    let removal = if plan.removal.documents.is_empty() {
        plan.removal
    } else {
        write_json(&pending, &plan)?;
        carry_out(folder, plan, &pending, observer)?
    };
    remove_folder(&work)?;
    Ok(removal)
}

impl Asked {
    /// Whether a document is meant.
    fn names(&self, document: &Document) -> bool {
        let by_url = document.url.as_ref().is_some_and(|url| self.urls.iter().any(|asked| key(asked) == key(url)));
        let host = if self.domains.is_empty() { None } else { document.url.as_deref().and_then(web::host) };
        let by_domain = host.is_some_and(|host| self.domains.iter().any(|domain| web::is_below(&host, domain.trim_start_matches("www."))));
        by_url || by_domain || self.ids.iter().any(|id| *id == document.id || *id == format!("{}/{}", document.source, document.id))
    }
}

fn plan(folder: &Path, asked: &Asked, others: &[PathBuf], date: &str, mut build: Build, observer: &dyn Observer) -> Result<Plan, Error> {
    let own = folder.join(SHARDS);
    let folders: Vec<PathBuf> = own.is_dir().then_some(own).into_iter().chain(others.iter().cloned()).collect();
    let tokenizers = folders.iter().map(|f| Ok(Tokenizer::load(&f.join("tokenizer"))?)).collect::<Result<Vec<_>, Error>>()?;
    let mut plans: Vec<FolderPlan> = folders.into_iter().map(|folder| FolderPlan { folder, targets: Vec::new(), after: None }).collect();
    let mut removal = Removal { date: date.to_owned(), asked: asked.clone(), ..Removal::default() };
    let parts = parts_of(folder)?;
    for (i, part) in parts.iter().enumerate() {
        for document in read_part(&part.path)? {
            let document = document?;
            if !asked.names(&document) {
                continue;
            }
            let n_bytes = document.text.len() as u64;
            for (plan, tokenizer) in plans.iter_mut().zip(&tokenizers) {
                let ids = tokenizer.encode(document.text.as_bytes());
                plan.targets.push(Target { side: part.side, tokens_hash: hash(ids.into_iter()), source: document.source.clone(), n_bytes });
            }
            let counts = if part.side == Side::Train { &mut build.train } else { &mut build.validation };
            counts.n_documents = counts.n_documents.saturating_sub(1);
            counts.n_bytes = counts.n_bytes.saturating_sub(n_bytes);
            let file = part.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            removal.documents.push(Removed { source: document.source, id: document.id, url: document.url, part: file, n_bytes });
        }
        observer.progress(Progress {
            stage: "looking through documents",
            done: i as u64 + 1,
            total: Some(parts.len() as u64),
            unit: "parts",
        });
        if observer.cancelled() {
            return Err(ovid_io::Error::Cancelled.into());
        }
    }
    Ok(Plan { removal, build, folders: plans })
}

/// Every step can be done again, so that it does not matter where it was cut off.
fn carry_out(folder: &Path, mut plan: Plan, pending: &Path, observer: &dyn Observer) -> Result<Removal, Error> {
    for i in 0..plan.folders.len() {
        let cleared = clear(&mut plan.folders[i], observer)?;
        if let Some(cleared) = cleared {
            if plan.folders[i].folder == folder.join(SHARDS) {
                let manifest = plan.folders[i].after.as_ref();
                let tokens = |side| manifest.map_or(0, |m| m.split(side).map(|s| s.n_tokens).sum());
                (plan.build.train.n_tokens, plan.build.validation.n_tokens) = (tokens(Side::Train), tokens(Side::Validation));
            }
            plan.removal.shards.push(cleared);
            write_json(pending, &plan)?;
        }
        let FolderPlan { folder, after, .. } = &plan.folders[i];
        if let Some(after) = after {
            after.save(folder)?;
            delete_others(folder, after)?;
        }
    }
    for part in parts_of(folder)? {
        let gone = |d: &Document| plan.removal.documents.iter().any(|r| r.source == d.source && r.id == d.id && r.url == d.url);
        let file = part.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if plan.removal.documents.iter().any(|removed| removed.part == file) {
            write_part(&part.path, read_part(&part.path)?.filter(|d| d.as_ref().map_or(true, |d| !gone(d))))?;
        }
    }
    write_json(&folder.join(BUILD), &plan.build)?;
    record(&folder.join(REMOVED), &plan.removal)?;
    std::fs::remove_file(pending).map_err(|cause| ovid_io::Error::Io { path: pending.to_owned(), doing: "delete", cause })?;
    Ok(plan.removal)
}

/// Writes the shards without the targets beside the old ones; `None` where that is done.
fn clear(plan: &mut FolderPlan, observer: &dyn Observer) -> Result<Option<Cleared>, Error> {
    if plan.after.is_some() {
        return Ok(None);
    }
    let mut manifest = Manifest::load(&plan.folder)?;
    let Some(end_of_text) = manifest.end_of_text else {
        return Err(Error::data(&plan.folder, "the shards have no token between documents, so that none can be found in them"));
    };
    let mut wanted: HashMap<(Side, u64), Vec<&Target>> = HashMap::new();
    for target in &plan.targets {
        wanted.entry((target.side, target.tokens_hash)).or_default().push(target);
    }
    let mut cleared = Cleared { folder: plan.folder.clone(), n_not_found: plan.targets.len() as u64, ..Cleared::default() };
    let mut shards = Vec::new();
    for (i, shard) in manifest.shards.clone().iter().enumerate() {
        let found = find(&manifest, &plan.folder, shard, end_of_text, &mut wanted)?;
        for (range, target) in &found {
            let n_tokens = (range.1 - range.0) as u64;
            cleared.n_documents += 1;
            cleared.n_not_found -= 1;
            cleared.n_tokens += n_tokens;
            subtract(&mut manifest, shard.split, target, n_tokens);
        }
        let kept = if found.is_empty() { Some(shard.clone()) } else { without(&manifest, &plan.folder, shard, &found)? };
        shards.extend(kept);
        observer.progress(Progress {
            stage: "clearing shards",
            done: i as u64 + 1,
            total: Some(manifest.shards.len() as u64),
            unit: "shards",
        });
    }
    manifest.shards = shards;
    manifest.sources.retain(|_, counts| counts.n_train_documents + counts.n_validation_documents > 0);
    plan.after = Some(manifest);
    Ok(Some(cleared))
}

type Found<'a> = Vec<((usize, usize), &'a Target)>;

/// Where the targets stand in a shard; each is taken off the list.
fn find<'a>(
    manifest: &Manifest,
    folder: &Path,
    shard: &Shard,
    end_of_text: u32,
    wanted: &mut HashMap<(Side, u64), Vec<&'a Target>>,
) -> Result<Found<'a>, Error> {
    let array = manifest.open_shard(folder, shard)?;
    let ids = array.ids();
    let mut found = Vec::new();
    let (mut begin, mut hasher) = (0, Xxh3::new());
    for at in 0..array.len() {
        let id = ids.get(at).unwrap_or_default();
        if id != end_of_text {
            hasher.update(&id.to_le_bytes());
            continue;
        }
        if let Some(target) = wanted.get_mut(&(shard.split, hasher.digest())).and_then(Vec::pop) {
            found.push(((begin, at + 1), target));
        }
        (begin, hasher) = (at + 1, Xxh3::new());
    }
    Ok(found)
}

fn hash(ids: impl Iterator<Item = u32>) -> u64 {
    let mut hasher = Xxh3::new();
    ids.for_each(|id| hasher.update(&id.to_le_bytes()));
    hasher.digest()
}

/// Writes a shard without some documents under a new name; `None` where nothing is left of it.
fn without(manifest: &Manifest, folder: &Path, shard: &Shard, found: &Found<'_>) -> Result<Option<Shard>, Error> {
    let array = manifest.open_shard(folder, shard)?;
    let n_removed: usize = found.iter().map(|((begin, end), _)| end - begin).sum();
    if n_removed == array.len() {
        return Ok(None);
    }
    let file = next_name(&shard.file);
    let path = folder.join(&file);
    let mut out = TokenWriter::create(&path, manifest.width())?;
    let mut copied = 0;
    for (begin, end) in found.iter().map(|(range, _)| *range).chain([(array.len(), array.len())]) {
        let mut kept = vec![0; begin - copied];
        array.ids().copy_to(copied, &mut kept);
        out.write(&kept)?;
        copied = end;
    }
    let n_tokens = out.finish()?;
    let n_bytes = found.iter().map(|(_, target)| target.n_bytes).sum();
    Ok(Some(Shard {
        sha256: sha256_file(&path, &ovid_io::Silent)?,
        file,
        split: shard.split,
        n_tokens,
        n_documents: shard.n_documents.saturating_sub(found.len() as u64),
        n_bytes: shard.n_bytes.saturating_sub(n_bytes),
    }))
}

/// `train-00000.npy`, `train-00000-r1.npy`, `train-00000-r2.npy`.
fn next_name(file: &str) -> String {
    let stem = file.strip_suffix(".npy").unwrap_or(file);
    match stem.rsplit_once("-r").and_then(|(front, n)| Some((front, n.parse::<u32>().ok()?))) {
        Some((front, n)) => format!("{front}-r{}.npy", n + 1),
        None => format!("{stem}-r1.npy"),
    }
}

fn subtract(manifest: &mut Manifest, side: Side, target: &Target, n_tokens: u64) {
    let Some(counts) = manifest.sources.get_mut(&target.source) else { return };
    let (documents, tokens, bytes) = match side {
        Side::Train => (&mut counts.n_train_documents, &mut counts.n_train_tokens, &mut counts.n_train_bytes),
        Side::Validation => (&mut counts.n_validation_documents, &mut counts.n_validation_tokens, &mut counts.n_validation_bytes),
    };
    *documents = documents.saturating_sub(1);
    *tokens = tokens.saturating_sub(n_tokens);
    *bytes = bytes.saturating_sub(target.n_bytes);
}

/// Deletes the arrays that the manifest no longer names.
fn delete_others(folder: &Path, manifest: &Manifest) -> Result<(), Error> {
    let named: BTreeMap<&str, ()> = manifest.shards.iter().map(|shard| (shard.file.as_str(), ())).collect();
    for path in ovid_io::documents::list(&[folder])? {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.parent() == Some(folder) && file.ends_with(".npy") && !named.contains_key(file.as_str()) {
            std::fs::remove_file(&path).map_err(|cause| ovid_io::Error::Io { path: path.clone(), doing: "delete", cause })?;
        }
    }
    Ok(())
}

/// Adds a line to the record, once.
fn record(path: &Path, removal: &Removal) -> Result<(), Error> {
    let mut text = std::fs::read_to_string(path).unwrap_or_default();
    let line = serde_json::to_string(removal).map_err(|cause| Error::data(path, cause.to_string()))?;
    if text.lines().last() != Some(line.as_str()) {
        text.push_str(&line);
        text.push('\n');
    }
    Ok(ovid_io::atomic::write_atomic(path, |out| std::io::Write::write_all(out, text.as_bytes()))?)
}
