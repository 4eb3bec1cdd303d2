//! From texts to a trained GPT-2, as `ovid train` does it.

use std::path::{Path, PathBuf};

use ovid_bpe::Tokenizer;
use ovid_io::Silent;
use ovid_io::shards::{Manifest, Split};
use ovid_kernels::Backend;
use ovid_model::{Cpu, load_params};
use ovid_train::data::{Corpus, shard_texts};
use ovid_train::{Collective, Error, Event, OneRank, Optimiser, Outcome, TrainConfig, launch};

/// Sentences of a small grammar: enough for a vocabulary, and something to learn.
fn text(seed: u64, n_sentences: u64) -> String {
    let draws = ovid_stats::Draws::new(seed, 0);
    let pick = |i: u64, words: [&'static str; 4]| words[draws.below_at(i, 4) as usize];
    let mut text = String::new();
    for i in 0..n_sentences {
        let who = pick(3 * i, ["the owl", "a river", "my aunt", "the town"]);
        let what = pick(3 * i + 1, ["sees", "hears", "knows", "finds"]);
        let whom = pick(3 * i + 2, ["the night", "a song", "the old road", "nothing"]);
        text += &[who, " ", what, " ", whom, ".\n"].concat();
    }
    text
}

fn tokenizer(folder: &Path) -> PathBuf {
    let path = folder.join("tokenizer");
    let tokenizer = ovid_bpe::train([text(0, 300)].iter(), 320, 1, &Silent).unwrap();
    tokenizer.save_hf(&path).unwrap();
    path
}

fn config(folder: &Path, out: &str) -> TrainConfig {
    TrainConfig {
        out: folder.join(out),
        text: vec![folder.join("novel.txt")],
        tokenizer: Some(folder.join("tokenizer")),
        n_layer: 2,
        n_head: 2,
        n_embd: 16,
        n_ctx: 24,
        dropout: 0.1,
        batch_size: 3,
        accumulation: 2,
        steps: 12,
        warmup_steps: 2,
        learning_rate: 1e-2,
        min_learning_rate: 1e-3,
        log_every: 1,
        validate_every: 6,
        checkpoint_every: 5,
        sample_every: 6,
        sample_tokens: 8,
        sample_prompts: vec!["the owl".into()],
        ..TrainConfig::default()
    }
}

fn run(config: &TrainConfig, n_threads: usize, collective: &dyn Collective<Cpu>) -> Result<Outcome, Error> {
    launch(config, &Cpu::new(n_threads), collective, None, &Silent, &mut |_: &Event<'_>| {})
}

#[test]
fn a_model_trained_from_text_is_loaded_and_trained_further() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    tokenizer(folder);
    std::fs::write(folder.join("novel.txt"), text(1, 400)).unwrap();
    let first = config(folder, "first");
    let outcome = run(&first, 2, &OneRank).unwrap();
    let metrics = std::fs::read_to_string(first.out.join("metrics.jsonl")).unwrap();
    let losses: Vec<f64> = ovid_train::metrics::read(&first.out.join("metrics.jsonl"))
        .unwrap()
        .iter()
        .filter_map(|row| if let ovid_train::metrics::Row::Step(row) = row { Some(row.loss_nats) } else { None })
        .collect();
    assert!(losses.len() == 12 && losses[11] < losses[0] - 0.5, "{losses:?}");
    assert!(metrics.contains("bits_per_byte\":") && !metrics.contains("bits_per_byte\":null"), "{metrics}");
    let samples = std::fs::read_to_string(first.out.join("samples.jsonl")).unwrap();
    assert_eq!(samples.lines().count(), 2);

    // The saved model is the trained one, tokenizer and all.
    let model = first.out.join("model");
    assert!(load_params(&model, &Silent).unwrap().values == outcome.state.params);
    assert_eq!(Tokenizer::load(&model).unwrap().encode(b"the owl"), Tokenizer::load(&folder.join("tokenizer")).unwrap().encode(b"the owl"));

    // Fine-tuning needs the model and a text.
    std::fs::write(folder.join("other.txt"), text(2, 200)).unwrap();
    let flags =
        format!("from = {model:?}\ntext = [{:?}]\nout = {:?}\nsteps = 3\nn_ctx = 24", folder.join("other.txt"), folder.join("second"));
    let second = TrainConfig::resolve(None, flags.parse().unwrap()).unwrap();
    let outcome = run(&second, 1, &OneRank).unwrap();
    assert!(outcome.is_finished && outcome.state.counters.step == 3);
    let written = std::fs::read_to_string(second.out.join("config.toml")).unwrap();
    assert!(written.contains("n_embd = 16") && written.contains("learning_rate = 0.00003"), "{written}");
}

#[test]
fn threads_and_kills_change_no_bit_of_a_real_model() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    tokenizer(folder);
    std::fs::write(folder.join("novel.txt"), text(1, 400)).unwrap();
    for optimiser in [Optimiser::Adamw, Optimiser::Muon] {
        let at = |out: &str| TrainConfig { optimiser, ..config(folder, &format!("{optimiser:?}-{out}")) };
        let whole = run(&at("whole"), 1, &OneRank).unwrap();
        run(&at("resumed"), 3, &OneRank).unwrap();
        // What a kill after step 5 leaves.
        std::fs::remove_dir_all(at("resumed").out.join("checkpoints/step-000012")).unwrap();
        std::fs::remove_dir_all(at("resumed").out.join("checkpoints/step-000010")).unwrap_or_default();
        let resumed = run(&at("resumed"), 2, &OneRank).unwrap();
        assert!(whole.state == resumed.state, "{optimiser:?}");
        let metrics = |out: &str| std::fs::read(at(out).out.join("metrics.jsonl")).unwrap();
        assert!(metrics("whole") == metrics("resumed"), "{optimiser:?}");
    }
}

/// Two ranks in two threads: each waits for the other's part.
struct Pair<'a> {
    rank: usize,
    shared: &'a std::sync::Mutex<[Vec<f32>; 2]>,
    numbers: &'a std::sync::Mutex<[f64; 2]>,
    barrier: &'a std::sync::Barrier,
}

impl Collective<Cpu> for Pair<'_> {
    fn rank(&self) -> usize {
        self.rank
    }

    fn world(&self) -> usize {
        2
    }

    fn all_reduce_sum(
        &self,
        device: &Cpu,
        part: &ovid_kernels::Aligned,
        len: usize,
        total: &mut ovid_kernels::Aligned,
    ) -> Result<(), Error> {
        self.shared.lock().unwrap()[self.rank] = part[..len].to_vec();
        self.barrier.wait();
        for part in self.shared.lock().unwrap().iter() {
            let mut buf = device.zeros(len, "part")?;
            device.upload(part, &mut buf, 0);
            device.add(&buf, len, total);
        }
        self.barrier.wait();
        Ok(())
    }

    fn all_reduce_sum_f64(&self, part: f64, total: &mut f64) -> Result<(), Error> {
        self.numbers.lock().unwrap()[self.rank] = part;
        self.barrier.wait();
        for part in self.numbers.lock().unwrap().iter() {
            *total += part;
        }
        self.barrier.wait();
        Ok(())
    }
}

#[test]
fn two_ranks_learn_what_one_learns_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    tokenizer(folder);
    std::fs::write(folder.join("novel.txt"), text(1, 400)).unwrap();
    let of = |out: &str| TrainConfig { accumulation: 4, sample_every: 0, ..config(folder, out) };
    let one = run(&of("one"), 1, &OneRank).unwrap();
    let (shared, numbers, barrier) = (std::sync::Mutex::default(), std::sync::Mutex::default(), std::sync::Barrier::new(2));
    let (first, second) = std::thread::scope(|scope| {
        let rank = |rank| Pair { rank, shared: &shared, numbers: &numbers, barrier: &barrier };
        let other = scope.spawn(move || run(&of("rank-1"), 1, &rank(1)).unwrap());
        (run(&of("rank-0"), 1, &rank(0)).unwrap(), other.join().unwrap())
    });
    assert!(one.state == first.state && one.state == second.state);
    let metrics = |out: &str| std::fs::read(folder.join(out).join("metrics.jsonl")).unwrap();
    assert!(metrics("one") == metrics("rank-0") && metrics("one") == metrics("rank-1"));
}

#[test]
fn texts_are_split_by_the_rule_and_tokenised_once() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let tokenizer = Tokenizer::load(&tokenizer(folder)).unwrap();
    let line = |source: &str, id: u64| format!("{}\n", serde_json::json!({ "source": source, "id": id.to_string(), "text": text(id, 3) }));
    let mut jsonl: String = (0..400).map(|id| line("many", id)).collect();
    // Of these the hash takes none.
    let few: Vec<u64> = (0..).filter(|id: &u64| !ovid_io::documents::is_validation("few", &id.to_string())).take(5).collect();
    jsonl.extend(few.iter().map(|id| line("few", *id)));
    std::fs::write(folder.join("documents.jsonl"), jsonl).unwrap();
    std::fs::write(folder.join("novel.txt"), text(7, 200)).unwrap();
    let texts = [folder.join("documents.jsonl"), folder.join("novel.txt")];
    let shards = shard_texts(&texts, &tokenizer, &folder.join("cache"), 2, &Silent).unwrap();
    let manifest = Manifest::load(&shards).unwrap();
    manifest.verify(&shards, &Silent).unwrap();
    let count = |source: &str| (manifest.sources[source].n_train_documents, manifest.sources[source].n_validation_documents);
    let held_out = (0..400).filter(|id: &u64| ovid_io::documents::is_validation("many", &id.to_string())).count() as u64;
    assert_eq!((count("many"), count("few"), count("novel")), ((400 - held_out, held_out), (4, 1), (1, 1)));
    let novel = manifest.sources["novel"];
    assert_eq!(novel.n_train_bytes + novel.n_validation_bytes, text(7, 200).len() as u64);
    let share = novel.n_validation_tokens as f64 / (novel.n_train_tokens + novel.n_validation_tokens) as f64;
    assert!((0.015..0.025).contains(&share), "{share}");
    // Every document is there, closed by end-of-text.
    let corpus = Corpus::open(std::slice::from_ref(&shards), &[]).unwrap();
    let mut ids = vec![0; corpus.entries[0].train.len() as usize];
    corpus.entries[0].train.copy(0, &mut ids);
    let n_ends = ids.iter().filter(|id| Some(**id) == tokenizer.end_of_text()).count() as u64;
    assert_eq!(n_ends, manifest.split(Split::Train).map(|shard| shard.n_documents).sum::<u64>());
    // The second time nothing is written.
    let written = std::fs::metadata(shards.join("manifest.json")).unwrap().modified().unwrap();
    assert_eq!(shard_texts(&texts, &tokenizer, &folder.join("cache"), 1, &Silent).unwrap(), shards);
    assert_eq!(std::fs::metadata(shards.join("manifest.json")).unwrap().modified().unwrap(), written);
    // Other texts make another folder.
    std::fs::write(folder.join("novel.txt"), text(8, 200)).unwrap();
    assert_ne!(shard_texts(&texts, &tokenizer, &folder.join("cache"), 1, &Silent).unwrap(), shards);
}
