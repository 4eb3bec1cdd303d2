//! Changed copies of good checkpoints, a fixed number from a fixed seed: every one is loaded or refused, without a panic and without memory far beyond the files.

mod common;

use common::{fixture, random_params, saved};
use ovid_io::{Dtype, Silent};
use ovid_model::{Config, Cpu, Gpt2, Output, Segment, Want, load_params, save_gguf};
use ovid_stats::Draws;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

#[global_allocator]
static ALLOCATED: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

struct Rng(Draws, u64);

impl Rng {
    fn bits(&mut self) -> u64 {
        self.1 += 1;
        self.0.u64_at(self.1)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.bits() % n.max(1) as u64) as usize
    }
}

/// One to four changes: a bit, a hostile number, a cut, a repetition, another decimal.
fn mutate(original: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..=rng.below(4) {
        if bytes.is_empty() {
            break;
        }
        // Headers lie at the front, where most changes should fall.
        let reach = if rng.below(4) == 0 { bytes.len() } else { bytes.len().min(4096) };
        let at = rng.below(reach);
        match rng.below(6) {
            0 => bytes[at] ^= 1 << rng.below(8),
            1 => {
                let near = [0, 1, bytes.len() as u64, 1 << rng.below(64), u64::MAX, i64::MAX as u64][rng.below(6)];
                let number = near.wrapping_add(rng.bits() % 5).wrapping_sub(2).to_le_bytes();
                let width = 1 << rng.below(4);
                for (byte, new) in bytes[at..].iter_mut().zip(&number[..width]) {
                    *byte = *new;
                }
            }
            2 => bytes.truncate(at),
            3 => {
                let end = (at + 1 + rng.below(64)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            4 => {
                let end = (at + 1 + rng.below(16)).min(bytes.len());
                bytes.drain(at..end);
            }
            _ => {
                let Some(start) = bytes[at..].iter().position(u8::is_ascii_digit).map(|i| at + i) else { continue };
                let len = bytes[start..].iter().take_while(|b| b.is_ascii_digit()).count();
                let text = ["0", "1", "16777216", "16777217", "4096", "18446744073709551615", "-1", "1e400", "3"][rng.below(9)];
                bytes.splice(start..start + len, text.bytes());
            }
        }
    }
    bytes
}

/// A folder or file of a model, and the file of it that is changed.
struct Target {
    model: PathBuf,
    file: PathBuf,
    n_mutants: usize,
}

fn use_model(path: &Path) -> bool {
    let params = load_params(path, &Silent).is_ok();
    let Ok(model) = Gpt2::load(path, Cpu::new(1), &Silent) else { return false };
    assert!(params, "both ways in take the same files");
    let mut kv = model.kv_pool(1).unwrap();
    let sequence = kv.sequence();
    let output = model.forward(&[Segment { sequence, tokens: &[0] }], &mut kv, Want::LastLogits).unwrap();
    assert!(matches!(output, Output::Logits { rows: 1, .. }));
    true
}

// One test: the memory that is measured is that of the whole process.
#[test]
fn no_changed_checkpoint_is_trouble() {
    let params = random_params(&Config::new(5, 3, 4, 1, 2), 1);
    let hf = saved(&params);
    let more = tempfile::tempdir().unwrap();
    let mut targets = vec![
        Target { model: hf.path().into(), file: hf.path().join("config.json"), n_mutants: 2000 },
        Target { model: hf.path().into(), file: hf.path().join("model.safetensors"), n_mutants: 2000 },
    ];
    let wide = random_params(&Config { n_inner: 32, ..Config::new(3, 2, 32, 1, 2) }, 2);
    for dtype in [Dtype::F32, Dtype::Q8_0, Dtype::Q4_0] {
        let path = more.path().join(format!("{dtype}.gguf"));
        save_gguf(&path, if dtype == Dtype::F32 { &params } else { &wide }, dtype, &[], &Silent).unwrap();
        targets.push(Target { model: path.clone(), file: path, n_mutants: 1500 });
    }
    let copies: Vec<(tempfile::TempDir, &[&str], usize)> = ["tensorflow", "logits/silu-by-layer"]
        .into_iter()
        .zip([
            &["model.ckpt.index", "hparams.json", "checkpoint"][..],
            &["model.safetensors.index.json", "model-00003-of-00006.safetensors"],
        ])
        .map(|(name, files)| {
            let copy = tempfile::tempdir().unwrap();
            for entry in fs::read_dir(fixture(name)).unwrap().map(|e| e.unwrap().path()) {
                fs::copy(&entry, copy.path().join(entry.file_name().unwrap())).unwrap();
            }
            (copy, files, 500)
        })
        .collect();
    for (copy, files, n_mutants) in &copies {
        targets.extend(files.iter().map(|f| Target { model: copy.path().into(), file: copy.path().join(f), n_mutants: *n_mutants }));
    }

    let mut rng = Rng(Draws::new(7, 0), 0);
    for target in &targets {
        let original = fs::read(&target.file).unwrap();
        assert!(use_model(&target.model), "{} loads unchanged", target.file.display());
        let files: u64 = match fs::read_dir(&target.model) {
            Ok(entries) => entries.map(|e| e.unwrap().metadata().unwrap().len()).sum(),
            Err(_) => original.len() as u64,
        };
        let (mut n_accepted, mut most) = (0, 0);
        for i in 0..target.n_mutants {
            let mutant = mutate(&original, &mut rng);
            // A file that is cut and written again is flushed to the disk on some file systems; a new one is not.
            fs::remove_file(&target.file).unwrap();
            fs::write(&target.file, &mutant).unwrap();
            let before = ALLOCATED.current_usage();
            ALLOCATED.reset_peak_usage();
            let outcome = catch_unwind(AssertUnwindSafe(|| use_model(&target.model)));
            let taken = ALLOCATED.peak_usage().saturating_sub(before);
            let shown = || String::from_utf8_lossy(&mutant[..mutant.len().min(600)]).into_owned();
            let accepted = outcome.unwrap_or_else(|_| panic!("mutant {i} of {}: {}", target.file.display(), shown()));
            // Panels are padded to 32 outputs, blocks unpacked to f32; the rest is buffers of fixed size.
            let allowed = 64 * (files as usize + mutant.len()) + (1 << 20);
            assert!(taken <= allowed, "mutant {i} of {} takes {taken} bytes: {}", target.file.display(), shown());
            most = most.max(taken);
            n_accepted += usize::from(accepted);
        }
        fs::write(&target.file, &original).unwrap();
        let name = target.file.file_name().unwrap().to_string_lossy().into_owned();
        println!("{name}: {} mutants, {n_accepted} accepted, at most {} KiB", target.n_mutants, most >> 10);
    }
}
